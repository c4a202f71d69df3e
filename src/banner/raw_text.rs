//! Text in which nothing is a tag but its own end tag: of a script, a style, a title
//! (HTML Standard, sections 13.2.5.9 to 13.2.5.31).

use super::tag::is_space;

/// A raw text that is being read, behind its start tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct RawText {
    /// In lower case.
    element: &'static [u8],
    escape: Escape,
    /// How many dashes came last; more than two count as two.
    dashes: u8,
    place: Place,
}

/// What a script makes of `<!--`: it can hold scripts from there on. For other elements it is nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Escape {
    /// In `<!--`, of which the script is still to end at its end tag.
    Comment,
    None,
    /// In `<!-- <script`, where an end tag is only that of the inner script.
    Script,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Behind `<!`.
    Bang,
    /// Behind `<!-`.
    BangDash,
    /// Behind `<`.
    Open,
    /// Behind `<` or `</`, and so many letters of the element's name.
    Name {
        is_end: bool,
        matched: usize,
    },
    Text,
}

impl RawText {
    /// The text of such an element; its name in lower case.
    pub(super) fn of(element: &'static [u8]) -> Self {
        Self { element, escape: Escape::None, dashes: 0, place: Place::Text }
    }

    /// Takes the text's next byte; says whether it is the first one behind the name in the end tag.
    pub(super) fn ends_before(&mut self, byte: u8) -> bool {
        self.place = match (self.place, byte) {
            (Place::Open, b'/') => Place::Name { is_end: true, matched: 0 },
            (Place::Open, b'!') if self.escape == Escape::None && self.is_script() => Place::Bang,
            (Place::Open, b's' | b'S') if self.escape == Escape::Comment => {
                Place::Name { is_end: false, matched: 1 }
            }
            (Place::Bang, b'-') => Place::BangDash,
            (Place::BangDash, b'-') => {
                (self.escape, self.dashes) = (Escape::Comment, 2);
                Place::Text
            }
            (Place::Name { is_end, matched }, _) => match self.element.get(matched) {
                Some(letter) if byte.eq_ignore_ascii_case(letter) => {
                    Place::Name { is_end, matched: matched + 1 }
                }
                None if is_space(byte) || matches!(byte, b'/' | b'>') => {
                    match (is_end, self.escape) {
                        (true, Escape::Comment | Escape::None) => return true,
                        (true, Escape::Script) => self.escape = Escape::Comment,
                        (false, _) => self.escape = Escape::Script,
                    }
                    Place::Text
                }
                Some(_) | None => self.read_text(byte),
            },
            (Place::Bang | Place::BangDash | Place::Open | Place::Text, _) => self.read_text(byte),
        };
        false
    }

    fn is_script(&self) -> bool {
        self.element == b"script"
    }

    fn read_text(&mut self, byte: u8) -> Place {
        match byte {
            b'-' => self.dashes = (self.dashes + 1).min(2),
            b'>' if self.dashes == 2 => (self.escape, self.dashes) = (Escape::None, 0),
            _ => self.dashes = 0,
        }
        if byte == b'<' { Place::Open } else { Place::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes before the one that is behind the name in the end tag.
    fn length(element: &'static [u8], text: &str) -> Option<usize> {
        let mut raw = RawText::of(element);
        text.bytes().position(|byte| raw.ends_before(byte))
    }

    #[test]
    fn a_raw_text_ends_at_its_own_end_tag_alone() {
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
    fn only_a_script_can() {
        let text = "<!-- <style> </style";
        assert_eq!(length(b"style", &format!("{text}>")), Some(text.len()));
    }
}
