//! The age of a moment, as HTML.

use maud::{Markup, html};

use super::words::Words;
use crumbgate_base::{format::minute, text::rfc3339};

/// The time since a moment, such as `2 h ago`, with the exact time as a tooltip.
pub(super) fn ago(unix_s: u64, now_unix_s: u64, words: &Words) -> Markup {
    let ago = words.language.ago(now_unix_s.saturating_sub(unix_s));
    html! { time datetime=(rfc3339(unix_s)) title={ (minute(unix_s)) " UTC" } { (ago) } }
}

#[cfg(test)]
mod tests {
    use super::{super::words::words, *};
    use crumbgate_base::language::Language;

    #[test]
    fn a_time_is_shown_as_its_age_with_the_moment_itself() {
        let now = 1_795_428_000;
        let markup = ago(now, now, words(Language::En)).into_string();
        let time = "datetime=\"2026-11-23T10:00:00Z\" title=\"2026-11-23 10:00 UTC\">just now<";
        assert!(markup.contains(time), "{markup}");
    }
}
