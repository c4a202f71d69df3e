//! The tokenizer's states inside raw text, in which only the element's own end tag is a tag: scripts, styles and titles
//! (HTML Standard, sections 13.2.5.9 to 13.2.5.31).

use super::tag::is_space;

/// The state of reading raw text, after its start tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RawText {
    /// The element's name in lower case.
    element: &'static [u8],
    escape: Escape,
    /// The number of dashes directly before; more than two count as two.
    dashes: u8,
    state: State,
}

/// The effect of `<!--` in a script, which can contain scripts from there on. It has none in other elements.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Escape {
    /// After `<!--`; the next end tag ends the script.
    Comment,
    None,
    /// After `<!-- <script`; the next end tag ends only the inner script.
    Script,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// After `<!`.
    Bang,
    /// After `<!-`.
    BangDash,
    /// After `<`.
    Open,
    /// After `<` or `</`, and this many letters of the element's name.
    Name {
        is_end: bool,
        matched: usize,
    },
    Text,
}

impl RawText {
    /// Starts the raw text of an element, whose name is in lower case.
    pub(super) fn of(element: &'static [u8]) -> Self {
        Self { element, escape: Escape::None, dashes: 0, state: State::Text }
    }

    /// Reads the next byte. Returns true if it is the first byte after the name in the end tag.
    pub(super) fn ends_before(&mut self, byte: u8) -> bool {
        self.state = match (self.state, byte) {
            (State::Open, b'/') => State::Name { is_end: true, matched: 0 },
            (State::Open, b'!') if self.escape == Escape::None && self.is_script() => State::Bang,
            (State::Open, b's' | b'S') if self.escape == Escape::Comment => {
                State::Name { is_end: false, matched: 1 }
            }
            (State::Bang, b'-') => State::BangDash,
            (State::BangDash, b'-') => {
                (self.escape, self.dashes) = (Escape::Comment, 2);
                State::Text
            }
            (State::Name { is_end, matched }, _) => match self.element.get(matched) {
                Some(letter) if byte.eq_ignore_ascii_case(letter) => {
                    State::Name { is_end, matched: matched + 1 }
                }
                None if is_space(byte) || matches!(byte, b'/' | b'>') => {
                    match (is_end, self.escape) {
                        (true, Escape::Comment | Escape::None) => return true,
                        (true, Escape::Script) => self.escape = Escape::Comment,
                        (false, _) => self.escape = Escape::Script,
                    }
                    State::Text
                }
                Some(_) | None => self.read_text(byte),
            },
            (State::Bang | State::BangDash | State::Open | State::Text, _) => self.read_text(byte),
        };
        false
    }

    fn is_script(&self) -> bool {
        self.element == b"script"
    }

    fn read_text(&mut self, byte: u8) -> State {
        match byte {
            b'-' => self.dashes = (self.dashes + 1).min(2),
            b'>' if self.dashes == 2 => (self.escape, self.dashes) = (Escape::None, 0),
            _ => self.dashes = 0,
        }
        if byte == b'<' { State::Open } else { State::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the number of bytes up to the end of the name in the end tag.
    fn length(element: &'static [u8], text: &str) -> Option<usize> {
        let mut raw = RawText::of(element);
        text.bytes().position(|byte| raw.ends_before(byte))
    }

    #[test]
    fn a_raw_text_ends_only_at_its_own_end_tag() {
        for text in [
            "</title",
            "<body></TiTle",
            "</ title></titles></title-x></titl></title",
            "<<</title",
            "</<//title</title",
            "<!-- </title",
            "</tit</title",
        ] {
            for end in [">", " >", "/>", "\n x='</title>'>"] {
                let length = length(b"title", &format!("{text}{end}"));
                assert_eq!(length, Some(text.len()), "{text}{end}");
            }
        }
        assert_eq!(length(b"title", "a</style></title"), None);
    }

    #[test]
    fn a_script_can_hold_a_script_in_a_comment() {
        for text in [
            "a < b</script",
            "'<script>'</script",
            "<!-- a </script",
            "<!-- <script> </script> b </script",
            "<!-- <script> </script> <script/ </script> b </script",
            "<!-- <scripts> </script",
            "<!-- <script> --> </script",
            "<!--> <script> </script",
            "<!---> <script> </script",
            "<!- <script> </script",
            "<! -- <script> </script",
            "<!-- -- > <script> </script> </script",
            "<!-- <SCRIPT\n </sCript > --> </script",
            "<!-- <script> </scripts> </script> </script",
            "<!-- <script> - -> </script> </script",
            "<!-- <<script> <</script> <</script",
        ] {
            assert_eq!(length(b"script", &format!("{text}></script>")), Some(text.len()), "{text}");
        }
        assert_eq!(length(b"script", "<!-- <script> </script>"), None);
    }

    #[test]
    fn only_a_script_can_hold_an_element_in_a_comment() {
        let text = "<!-- <style> </style";
        assert_eq!(length(b"style", &format!("{text}>")), Some(text.len()));
    }
}
