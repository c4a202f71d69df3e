//! One tag, from its name to its `>`, as HTML's tokenizer reads it (HTML Standard, sections 13.2.5.8 to 13.2.5.40).

/// A tag that is being read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Tag {
    name: Name,
    is_end: bool,
    place: Place,
    /// Whether the last byte was a slash in an attribute's value.
    slash: bool,
    names_elsewhere: bool,
}

/// Where in a tag. Behind a slash or a quoted value is like before an attribute: what differs there ends no tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
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
    /// A start tag whose name is still to come.
    pub(super) fn start() -> Self {
        Self::at(Place::Name, false)
    }

    /// An end tag whose name is still to come.
    pub(super) fn end() -> Self {
        Self::at(Place::Name, true)
    }

    /// The end tag of a raw text, behind its name; which name that is matters no more.
    pub(super) fn end_of_raw_text() -> Self {
        Self::at(Place::BeforeAttribute, true)
    }

    fn at(place: Place, is_end: bool) -> Self {
        Self { name: Name::default(), is_end, place, slash: false, names_elsewhere: false }
    }

    /// The tag's name in lower case; nothing for one that is longer than all that matter.
    pub(super) fn name(&self) -> &[u8] {
        self.name.as_bytes()
    }

    /// Whether it is an end tag.
    pub(super) fn is_end(&self) -> bool {
        self.is_end
    }

    /// Whether an attribute may hold the address of another site: a scheme, or what stands for one.
    pub(super) fn names_elsewhere(&self) -> bool {
        self.names_elsewhere
    }

    /// Takes the tag's next byte; says whether the tag ends with it.
    pub(super) fn ends_with(&mut self, byte: u8) -> bool {
        use Place::{
            AfterAttributeName, AttributeName, BeforeAttribute, BeforeValue, DoubleQuoted, Name,
            SingleQuoted, Unquoted,
        };
        self.place = match (self.place, byte) {
            (DoubleQuoted, b'"') | (SingleQuoted, b'\'') => BeforeAttribute,
            (DoubleQuoted | SingleQuoted, _) => self.place,
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
        if matches!(self.place, DoubleQuoted | SingleQuoted | Unquoted) {
            self.note_value(byte);
        } else {
            self.slash = false;
        }
        false
    }

    fn note_value(&mut self, byte: u8) {
        self.names_elsewhere |= matches!(byte, b':' | b'\\' | b'&') || self.slash && byte == b'/';
        // A URL is read without the tabs and line ends in it.
        if !matches!(byte, b'\t' | b'\n' | b'\r') {
            self.slash = byte == b'/';
        }
    }
}

/// White space between the parts of a tag, and between the elements of a head.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

/// A tag's name, as far as it matters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Name {
    bytes: [u8; LONGEST],
    /// One more than there is room for: too long.
    length: usize,
}

/// `plaintext`: no name that matters is longer.
const LONGEST: usize = 9;

impl Name {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
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

    /// How many bytes of a text the tag has that begins with it; none where it does not end.
    fn length(text: &str) -> Option<usize> {
        let mut tag = Tag::start();
        text.bytes().position(|byte| tag.ends_with(byte)).map(|at| at + 1)
    }

    #[test]
    fn a_tag_ends_where_a_browser_says() {
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
    fn a_name_is_read_in_lower_case_and_as_far_as_it_matters() {
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
    fn an_address_elsewhere_is_one_with_a_scheme_or_two_slashes() {
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
