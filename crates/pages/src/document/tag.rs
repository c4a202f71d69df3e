//! The tokenizer's states inside a tag, from its name to its `>` (HTML Standard, sections 13.2.5.8 to 13.2.5.40).

/// The state of reading a tag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tag {
    name: Name,
    is_end: bool,
    state: State,
    /// True if the last byte was a slash in an attribute's value.
    slash: bool,
    names_elsewhere: bool,
}

/// The position in a tag. The standard's states after a slash and after a quoted value are merged into
/// `BeforeAttribute`, because the difference never ends a tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    AfterAttributeName,
    AttributeName,
    BeforeAttribute,
    BeforeValue,
    DoubleQuoted,
    Name,
    SingleQuoted,
    Unquoted,
}

impl Tag {
    /// Starts a start tag, before its name.
    pub(super) fn start() -> Self {
        Self::at(State::Name, false)
    }

    /// Starts an end tag, before its name.
    pub(super) fn end() -> Self {
        Self::at(State::Name, true)
    }

    /// Continues the end tag of a raw text, after its name. The name is no longer needed.
    pub(super) fn end_of_raw_text() -> Self {
        Self::at(State::BeforeAttribute, true)
    }

    fn at(state: State, is_end: bool) -> Self {
        Self { name: Name::default(), is_end, state, slash: false, names_elsewhere: false }
    }

    /// Returns the tag's name in lower case, or an empty name if it is longer than all names that the scanner knows.
    pub(super) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Returns true up to the end of the name, and for the `>` directly after it.
    pub(super) fn is_in_name(&self) -> bool {
        self.state == State::Name
    }

    /// Returns true for an end tag.
    pub(super) fn is_end(&self) -> bool {
        self.is_end
    }

    /// Returns true if an attribute may contain the address of another site: a scheme or two slashes, also as character
    /// references.
    pub(super) fn names_elsewhere(&self) -> bool {
        self.names_elsewhere
    }

    /// Reads the next byte. Returns true if the tag ends with it.
    pub(super) fn ends_with(&mut self, byte: u8) -> bool {
        use State::{
            AfterAttributeName, AttributeName, BeforeAttribute, BeforeValue, DoubleQuoted, Name,
            SingleQuoted, Unquoted,
        };
        self.state = match (self.state, byte) {
            (DoubleQuoted, b'"') | (SingleQuoted, b'\'') => BeforeAttribute,
            (DoubleQuoted | SingleQuoted, _) => self.state,
            (_, b'>') => return true,
            (BeforeValue, b'"') => DoubleQuoted,
            (BeforeValue, b'\'') => SingleQuoted,
            (BeforeValue, _) if is_space(byte) => BeforeValue,
            (BeforeValue, _) => Unquoted,
            (Unquoted, _) if !is_space(byte) => Unquoted,
            (AttributeName | AfterAttributeName, b'=') => BeforeValue,
            (AttributeName | AfterAttributeName, _) if is_space(byte) => AfterAttributeName,
            (Name, _) if !is_space(byte) && byte != b'/' => {
                self.name.push(byte);
                Name
            }
            (_, b'/') => BeforeAttribute,
            (_, _) if is_space(byte) => BeforeAttribute,
            (_, _) => AttributeName,
        };
        if matches!(self.state, DoubleQuoted | SingleQuoted | Unquoted) {
            self.note_value(byte);
        } else {
            self.slash = false;
        }
        false
    }

    fn note_value(&mut self, byte: u8) {
        self.names_elsewhere |= matches!(byte, b':' | b'\\' | b'&') || self.slash && byte == b'/';
        // Browsers remove tabs and line ends from a URL.
        if !matches!(byte, b'\t' | b'\n' | b'\r') {
            self.slash = byte == b'/';
        }
    }
}

/// Returns true for white space between the parts of a tag, and between the elements of a head.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// The name of a tag, up to the length of the longest known name.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Name {
    bytes: [u8; LONGEST],
    /// `LONGEST + 1` if the name is too long.
    length: usize,
}

/// The length of `plaintext`, the longest known name.
const LONGEST: usize = 9;

impl Name {
    fn push(&mut self, byte: u8) {
        if let Some(letter) = self.bytes.get_mut(self.length) {
            *letter = byte.to_ascii_lowercase();
        }
        self.length = (self.length + 1).min(LONGEST + 1);
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the length of the tag at the beginning of a text; `None` if the tag does not end.
    fn length(text: &str) -> Option<usize> {
        let mut tag = Tag::start();
        text.bytes().position(|byte| tag.ends_with(byte)).map(|at| at + 1)
    }

    #[test]
    fn a_tag_ends_where_it_ends_for_browsers() {
        for text in [
            "body>",
            "body class=\"a>b\">",
            "body class='a>b' id=c>",
            "body class = \"a>b\">",
            "body class\n=\n'>'>",
            "body a=\"x\"b='>'>",
            "body a=\"x\"/>",
            "body/a='>'>",
            "body a=/>",
            "body a=>",
            "body a=b\"c>",
            "body a=b=\"c>",
            "body =\"a>",
            "body \">",
            "body a\"b='>'>",
            "body a b='>'>",
            "body / = '>",
            "body a='\"'>",
        ] {
            assert_eq!(length(&format!("{text} <p title='>'>")), Some(text.len()), "{text}");
        }
        for text in ["body", "body a=\"", "body a='\">", "body a= \"x>"] {
            assert_eq!(length(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_read_in_lower_case_up_to_the_longest_known_one() {
        for (text, name) in [
            ("BoDy>", "body"),
            ("body\tx>", "body"),
            ("body/>", "body"),
            ("plaintext>", "plaintext"),
            ("plaintexts>", ""),
            ("a-very-long-name-of-somebody-s-own>", ""),
            ("body\"x\">", "body\"x\""),
        ] {
            let mut tag = Tag::start();
            assert_eq!(text.bytes().position(|byte| tag.ends_with(byte)), Some(text.len() - 1));
            assert_eq!(tag.name(), name.as_bytes(), "{text}");
        }
    }

    #[test]
    fn an_address_of_another_site_has_a_scheme_or_two_slashes() {
        for (text, elsewhere) in [
            ("base>", false),
            ("base href=/>", false),
            ("base href=\"/app/\" target='_blank'>", false),
            ("base href='/app' data-x='/b'>", false),
            ("base href='https://a.example/'>", true),
            ("base href=//a.example>", true),
            ("base href='/\t/a.example'>", true),
            ("base href='\\/a.example'>", true),
            ("base href='&sol;/a.example'>", true),
        ] {
            let mut tag = Tag::start();
            assert!(text.bytes().any(|byte| tag.ends_with(byte)));
            assert_eq!(tag.names_elsewhere(), elsewhere, "{text}");
        }
    }
}
