//! Finds where a page's body begins, part by part, as a browser would (HTML Standard, sections 13.2.5 and 13.2.6.4).

use super::{
    Outcome,
    comment::Comment,
    raw_text::RawText,
    tag::{Tag, is_space},
};

/// Looks for the end of a page's `<body …>` tag. It keeps none of the bytes that it was shown.
///
/// It gives up where the body begins without that tag, which HTML allows: in front of whatever that is, a banner would
/// have to be put before bytes that may have been handed on already. And it gives up where a browser might see something
/// else than it does. With a `<noscript>` in the head it takes for granted that scripts run: its content is text.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// How many bytes it still looks at.
    left: usize,
    place: Place,
    is_behind_head: bool,
    /// How many `<template>` elements are open: what is in them is not in the page.
    templates: usize,
}

/// What was seen in a part of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sight {
    /// The body begins behind this many bytes of the part.
    Body(usize),
    /// Nothing yet: the next part is to be looked at. Where there is none, there is no body.
    More,
    /// There is no place for a banner, for this reason.
    Never(Outcome),
}

/// Where in a page.
#[derive(Clone, Debug)]
enum Place {
    /// In the byte order mark that a page may begin with.
    ByteOrderMark(usize),
    Comment(Comment),
    /// In what ends at the next `>`: a document type, or what is no HTML.
    Declaration,
    /// Behind `<!`.
    DeclarationBegin,
    /// Behind `<!-`.
    DeclarationDash,
    /// Behind `</`.
    EndTag,
    RawText(RawText),
    Tag(Tag),
    /// Behind `<`.
    TagBegin,
    /// Between tags.
    Text,
}

/// What a byte leads to.
enum Step {
    Body,
    Never(Outcome),
    On,
}

impl Scanner {
    /// Looks at no more than `limit` bytes of a page.
    pub fn new(limit: usize) -> Self {
        Self { left: limit, place: Place::ByteOrderMark(0), is_behind_head: false, templates: 0 }
    }

    /// Looks at the page's next part.
    pub fn look(&mut self, part: &[u8]) -> Sight {
        let seen = part.len().min(self.left);
        for (at, byte) in part[..seen].iter().enumerate() {
            match self.step(*byte) {
                Step::Body => return Sight::Body(at + 1),
                Step::Never(outcome) => return Sight::Never(outcome),
                Step::On => {}
            }
        }
        self.left -= seen;
        if self.left == 0 { Sight::Never(Outcome::TooLarge) } else { Sight::More }
    }

    fn step(&mut self, byte: u8) -> Step {
        let next = match &mut self.place {
            Place::ByteOrderMark(read) => match BYTE_ORDER_MARK.get(*read) {
                Some(expected) if byte == *expected => Some(Place::ByteOrderMark(*read + 1)),
                _ if matches!(*read, 0 | 3) => return self.read_text(byte),
                Some(_) | None => return Step::Never(Outcome::NoBody),
            },
            Place::Comment(comment) => comment.ends_with(byte).then_some(Place::Text),
            Place::Declaration => (byte == b'>').then_some(Place::Text),
            Place::DeclarationBegin if byte == b'-' => Some(Place::DeclarationDash),
            Place::DeclarationDash if byte == b'-' => Some(Place::Comment(Comment::Begin)),
            Place::DeclarationBegin | Place::DeclarationDash => Some(declaration(byte)),
            Place::EndTag if byte.is_ascii_alphabetic() => Some(begun(Tag::end(), byte)),
            Place::EndTag => Some(declaration(byte)),
            Place::RawText(text) => text.ends_before(byte).then(|| match byte {
                b'>' => Place::Text,
                _ => begun(Tag::end_of_raw_text(), byte),
            }),
            Place::Tag(tag) => {
                if tag.ends_with(byte) {
                    let tag = tag.clone();
                    return self.meet(&tag);
                }
                None
            }
            Place::TagBegin => return self.begin_tag(byte),
            Place::Text => return self.read_text(byte),
        };
        if let Some(place) = next {
            self.place = place;
        }
        Step::On
    }

    fn go_on(&mut self, place: Place) -> Step {
        self.place = place;
        Step::On
    }

    /// Text is the body's, but for the white space between the elements of a head.
    fn read_text(&mut self, byte: u8) -> Step {
        match byte {
            b'<' => self.go_on(Place::TagBegin),
            _ if is_space(byte) || self.templates > 0 => self.go_on(Place::Text),
            _ => Step::Never(Outcome::NoBody),
        }
    }

    fn begin_tag(&mut self, byte: u8) -> Step {
        match byte {
            b'!' => self.go_on(Place::DeclarationBegin),
            b'/' => self.go_on(Place::EndTag),
            b'?' => self.go_on(Place::Declaration),
            _ if byte.is_ascii_alphabetic() => self.go_on(begun(Tag::start(), byte)),
            // The `<` is text, and this byte is read as what follows it.
            _ if self.templates > 0 => self.read_text(byte),
            _ => Step::Never(Outcome::NoBody),
        }
    }

    /// What a whole tag means where it stands.
    fn meet(&mut self, tag: &Tag) -> Step {
        if tag.is_end() {
            return self.meet_end(tag.name());
        }
        let is_in_template = self.templates > 0;
        match tag.name() {
            b"template" => {
                self.templates += 1;
                self.go_on(Place::Text)
            }
            // Between head and body it is the body's, unlike everything else that a head can hold.
            b"noscript" if self.is_behind_head && !is_in_template => Step::Never(Outcome::NoBody),
            name if let Some(element) = raw_text(name, is_in_template) => {
                self.go_on(Place::RawText(RawText::of(element)))
            }
            // What is in them is no HTML, or read by other rules.
            b"math" | b"plaintext" | b"select" | b"svg" => Step::Never(Outcome::NoBody),
            _ if is_in_template => self.go_on(Place::Text),
            b"body" => Step::Body,
            // The addresses in a banner would lead to that site.
            b"base" if tag.names_elsewhere() => Step::Never(Outcome::Forbidden),
            b"base" | b"basefont" | b"bgsound" | b"head" | b"html" | b"link" | b"meta" => {
                self.go_on(Place::Text)
            }
            _ => Step::Never(Outcome::NoBody),
        }
    }

    /// Most end tags mean nothing in a head; these end it.
    fn meet_end(&mut self, name: &[u8]) -> Step {
        match name {
            b"template" => self.templates = self.templates.saturating_sub(1),
            b"head" if self.templates == 0 => self.is_behind_head = true,
            b"body" | b"br" | b"html" if self.templates == 0 => {
                return Step::Never(Outcome::NoBody);
            }
            _ => {}
        }
        self.go_on(Place::Text)
    }
}

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The rest of what ends at the next `>`, which this byte may be.
fn declaration(byte: u8) -> Place {
    if byte == b'>' { Place::Text } else { Place::Declaration }
}

/// A tag that has begun, with its first byte, which can't be its last.
fn begun(mut tag: Tag, byte: u8) -> Place {
    tag.ends_with(byte);
    Place::Tag(tag)
}

/// The element of this name, where its content is raw text: in a head, or in a template, which can hold everything.
fn raw_text(name: &[u8], is_in_template: bool) -> Option<&'static [u8]> {
    let of =
        |elements: &[&'static [u8]]| elements.iter().find(|element| **element == name).copied();
    of(&RAW_IN_HEAD).or_else(|| of(&RAW_IN_BODY).filter(|_| is_in_template))
}

const RAW_IN_HEAD: [&[u8]; 5] = [b"noframes", b"noscript", b"script", b"style", b"title"];
const RAW_IN_BODY: [&[u8]; 4] = [b"iframe", b"noembed", b"textarea", b"xmp"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Enough for every page here.
    const LIMIT: usize = 4096;

    /// What is seen of a page that comes in these parts: where its body begins, or why there is no place.
    fn look<'p>(limit: usize, parts: impl IntoIterator<Item = &'p [u8]>) -> Result<usize, Outcome> {
        let mut scanner = Scanner::new(limit);
        let mut passed = 0;
        for part in parts {
            match scanner.look(part) {
                Sight::Body(at) => return Ok(passed + at),
                Sight::More => passed += part.len(),
                Sight::Never(outcome) => return Err(outcome),
            }
        }
        Err(Outcome::NoBody)
    }

    /// Pages of which the body begins at the bar.
    const PAGES: [&str; 40] = [
        "<body>|",
        "<BODY>|<p>",
        "\u{feff}<!DOCTYPE html>\r\n<html lang=de>\n<head><title>A</title></head>\n<body class=\"a>b\">|<p>",
        "<!doctype html><meta charset=utf-8><link rel=x href=//a.example><body>|",
        "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\"\n \"http://www.w3.org/\"><body>|",
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body/>|",
        "<!-- <body> --><body>|",
        "<!--><body>|-->",
        "<!---><body>|-->",
        "<!-- a --!><body>|",
        "<!-- - -- <!-- --><body>|",
        "<!><!-><!a <body><body>|",
        "<!- -><body>|",
        "</ <body><body>|",
        "</><body>|",
        "</head></p></bodyx></title><body>|",
        "<title><body></title><body>|",
        "<title></titles></title x='<body>'><body>|",
        "<title/><body></title><body>|",
        "<style>a::after { content: '<body>' } <!-- </style><body>|",
        "<script>'<body>'; a</script><body>|",
        "<script src=a></script><script/><body></script><body>|",
        "<script><!-- <script> </script> <body> --></script><body>|",
        "<script><!-- <script> </script> </script><body>|",
        "<noscript><img src=a><body></noscript><body>|",
        "<head></head><noframes><body></noframes><style></style><body>|",
        "</head><template><noscript><body></noscript></template><body>|",
        "<template></head></template><noscript><body></noscript><body>|",
        "<template><body><p>a < b</p><textarea><body></template></textarea></template><body>|",
        "<template><template></template><body></body></br></html></template><body>|",
        "<template><iframe></template></iframe><</template><body>|",
        "</template><body>|",
        "<base href='/app/' target='_blank'><body>|",
        "<template><base href='//a.example'></template><body>|",
        "<meta name=a content='<body>'><meta content=<body><body>|",
        "<meta content=\"'\"><meta content='\"'><body>|",
        "<meta content='a'b='<body>'><body a=/>|",
        "<head><html><head><basefont><bgsound></head><body\tonload = 'a>b' / >|<body>",
        "<body\n>|",
        "<body =\">|\">",
    ];

    #[test]
    fn the_body_begins_behind_its_tag_and_nowhere_else() {
        for page in PAGES {
            let (before, after) = page.split_once('|').unwrap();
            let page = [before, after].concat();
            assert_eq!(look(LIMIT, [page.as_bytes()]), Ok(before.len()), "{page}");
        }
    }

    #[test]
    fn a_page_that_is_cut_before_its_body_has_none() {
        for page in PAGES {
            let (before, _) = page.split_once('|').unwrap();
            let cut = &before.as_bytes()[..before.len() - 1];
            assert_eq!(look(LIMIT, [cut]), Err(Outcome::NoBody), "{page}");
        }
    }

    #[test]
    fn what_is_the_body_s_before_its_tag_leaves_no_place() {
        for page in [
            "",
            "<",
            "<!DOCTYPE html><title>A</title>",
            "<p>a<body>",
            "a<body>",
            "&nbsp;<body>",
            "\0<body>",
            "\u{feff}\u{feff}<body>",
            "\u{feff}a<body>",
            "\u{fefe}<body>",
            " \u{feff}<body>",
            "< body><body>",
            "<1><body>",
            "<<body>",
            "<frameset><body>",
            "</head><noscript></noscript><body>",
            "</body><body>",
            "</html><body>",
            "</br><body>",
            "<svg><body>",
            "<template><svg></template><body>",
            "<template><select></template><body>",
            "<template><plaintext></template><body>",
            "<template><body></template>",
            "<template></body><body>",
            "<bodyx><body>",
            "<body<body><body>",
            "<bodyxxxxxxxxxxxxxx><body>",
            "<textarea><body></textarea>",
            "<title>a<body>",
            "<script><!-- <script></script><body>",
            "<!-- a -- ><body>",
            "<body class=\"a>",
        ] {
            assert_eq!(look(LIMIT, [page.as_bytes()]), Err(Outcome::NoBody), "{page}");
        }
        for page in [&b"\xff\xfe<\0b\0o\0d\0y\0>\0"[..], b"\0<\0b\0o\0d\0y\0>", b"<\0b\0"] {
            assert_eq!(look(LIMIT, [page]), Err(Outcome::NoBody), "{page:?}");
        }
    }

    #[test]
    fn a_base_elsewhere_would_lead_a_banner_there() {
        for page in
            ["<base href=https://a.example><body>", "<base target=a href='//a.example/'><body>"]
        {
            assert_eq!(look(LIMIT, [page.as_bytes()]), Err(Outcome::Forbidden), "{page}");
        }
    }

    #[test]
    fn a_body_whose_tag_ends_within_the_limit_is_found() {
        let page = b"<title>A</title><body class=a><p>";
        let end = page.len() - b"<p>".len();
        assert_eq!(look(end, [&page[..]]), Ok(end));
        assert_eq!(look(end, [&page[..end]]), Ok(end));
        for limit in 0..end {
            assert_eq!(look(limit, [&page[..]]), Err(Outcome::TooLarge), "{limit}");
            assert_eq!(look(limit, [&page[..limit]]), Err(Outcome::TooLarge), "{limit}");
        }
    }

    /// Pages made of what matters to the scanner.
    fn page() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(PIECES.to_vec());
        prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    const PIECES: [&str; 38] = [
        "<body",
        "<BODY class='",
        "<body>",
        "</body>",
        "<head>",
        "</head>",
        "<html",
        "<title>",
        "</title",
        "<style>",
        "</style>",
        "<script>",
        "</script>",
        "<script",
        "<!--",
        "-->",
        "--!>",
        "<!",
        "<?",
        "</",
        "<",
        ">",
        "-",
        "!",
        "/",
        "=",
        "\"",
        "'",
        " ",
        "\n",
        "a",
        "<template>",
        "</template>",
        "<noscript>",
        "</noscript>",
        "<meta a=\"",
        "\u{feff}",
        "<base href=//",
    ];

    /// A text in parts of all lengths, empty ones among them.
    fn in_parts<'p>(page: &'p [u8], cuts: &[prop::sample::Index]) -> Vec<&'p [u8]> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(page.len() + 1)).collect();
        cuts.extend([0, page.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|ends| &page[ends[0]..ends[1]]).collect()
    }

    proptest! {
        #[test]
        fn a_page_is_seen_alike_in_whatever_parts_it_comes(
            page in page(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            limit in prop_oneof![Just(LIMIT), 0..64_usize],
        ) {
            let whole = look(limit, [page.as_bytes()]);
            prop_assert_eq!(look(limit, in_parts(page.as_bytes(), &cuts)), whole);
            prop_assert_eq!(look(limit, page.as_bytes().chunks(1)), whole);
        }

        #[test]
        fn a_body_begins_behind_the_end_of_a_tag(page in page()) {
            if let Ok(at) = look(LIMIT, [page.as_bytes()]) {
                prop_assert!(page[..at].ends_with('>'));
                prop_assert!(page[..at].to_ascii_lowercase().contains("<body"));
            }
        }
    }
}
