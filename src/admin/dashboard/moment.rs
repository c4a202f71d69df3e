//! The time since a moment, as an element of the page.

use crumbgate_base::{format::minute, text::rfc3339};
use maud::{Markup, html};

use super::words::Words;

/// The time since a moment, such as `2 h ago`, with the exact time as a tooltip.
pub(super) fn ago(words: &Words, unix_s: u64, now_unix_s: u64) -> Markup {
    let ago = words.language.ago(now_unix_s.saturating_sub(unix_s));
    html! { time datetime=(rfc3339(unix_s)) title={ (minute(unix_s)) " UTC" } { (ago) } }
}

#[cfg(test)]
mod tests {
    use crumbgate_base::language::Language;

    use super::{super::words::words, *};

    #[test]
    fn the_time_since_a_moment_has_the_moment_itself_as_a_tooltip() {
        let now = 1_795_428_000;
        let element = ago(words(Language::De), now - 7_300, now).into_string();
        let expected = "<time datetime=\"2026-11-23T07:58:20Z\" title=\"2026-11-23 07:58 UTC\">\
                        vor 2\u{a0}Std.</time>";
        assert_eq!(element, expected);
    }
}
