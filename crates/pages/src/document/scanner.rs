//! Finds the beginning of a page's body, part by part, as a browser does (HTML Standard, sections 13.2.5 and 13.2.6.4).

use super::{
    comment::Comment,
    outcome::BannerOutcome,
    raw_text::RawText,
    tag::{Tag, is_space},
};

/// A search for the end of a page's `<body …>` tag. It keeps no bytes of the page.
///
/// The search fails if the body begins without that tag, which HTML allows: the banner would have to go before bytes that
/// may already have been sent. It also fails if browsers might read the page differently. For a `<noscript>` in the head
/// it assumes that scripts run, so the content is text.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// The number of bytes that may still be searched.
    left: usize,
    state: State,
    is_behind_head: bool,
    /// The number of open `<template>` elements, whose content is not part of the page.
    templates: usize,
}

/// The result of searching one part of a page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ScanResult {
    /// The body begins after this many bytes of the part.
    Body(usize),
    /// The body has not begun; the search needs the next part. If there is none, the page has no body.
    More,
    /// The page has no position for a banner, for this reason.
    NoPosition(BannerOutcome),
}

/// The state of the search.
#[derive(Clone, Debug)]
enum State {
    /// In the byte order mark at the beginning of the page, after this many bytes.
    ByteOrderMark(usize),
    Comment(Comment),
    /// In a document type, or in another construct that ends at the next `>`.
    Declaration,
    /// After `<!`.
    DeclarationBegin,
    /// After `<!-`.
    DeclarationDash,
    /// After `</`.
    EndTag,
    RawText(RawText),
    Tag(Tag),
    /// After `<`.
    TagBegin,
    /// Between tags.
    Text,
}

/// The effect of one byte.
enum Step {
    Body,
    NoPosition(BannerOutcome),
    Continue,
}

impl Scanner {
    /// Starts a search of at most `limit` bytes of a page.
    pub fn new(limit: usize) -> Self {
        Self { left: limit, state: State::ByteOrderMark(0), is_behind_head: false, templates: 0 }
    }

    /// Searches the next part of the page.
    pub fn scan(&mut self, part: &[u8]) -> ScanResult {
        let seen = part.len().min(self.left);
        for (at, byte) in part[..seen].iter().enumerate() {
            match self.step(*byte) {
                Step::Body => return ScanResult::Body(at + 1),
                Step::NoPosition(outcome) => return ScanResult::NoPosition(outcome),
                Step::Continue => {}
            }
        }
        self.left -= seen;
        if self.left == 0 {
            ScanResult::NoPosition(BannerOutcome::TooLarge)
        } else {
            ScanResult::More
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        let next = match &mut self.state {
            State::ByteOrderMark(read) => match BYTE_ORDER_MARK.get(*read) {
                Some(expected) if byte == *expected => Some(State::ByteOrderMark(*read + 1)),
                _ if matches!(*read, 0 | 3) => return self.read_text(byte),
                Some(_) | None => return Step::NoPosition(BannerOutcome::NoBody),
            },
            State::Comment(comment) => comment.ends_with(byte).then_some(State::Text),
            State::Declaration => (byte == b'>').then_some(State::Text),
            State::DeclarationBegin if byte == b'-' => Some(State::DeclarationDash),
            State::DeclarationDash if byte == b'-' => Some(State::Comment(Comment::Begin)),
            State::DeclarationBegin | State::DeclarationDash => Some(declaration(byte)),
            State::EndTag if byte.is_ascii_alphabetic() => Some(begun(Tag::end(), byte)),
            State::EndTag => Some(declaration(byte)),
            State::RawText(text) => text.ends_before(byte).then(|| match byte {
                b'>' => State::Text,
                _ => begun(Tag::end_of_raw_text(), byte),
            }),
            State::Tag(tag) => {
                if tag.ends_with(byte) {
                    let tag = tag.clone();
                    return self.handle_tag(&tag);
                }
                None
            }
            State::TagBegin => return self.begin_tag(byte),
            State::Text => return self.read_text(byte),
        };
        if let Some(state) = next {
            self.state = state;
        }
        Step::Continue
    }

    fn enter(&mut self, state: State) -> Step {
        self.state = state;
        Step::Continue
    }

    /// Reads a byte of text. Text belongs to the body, except white space between the elements of the head.
    fn read_text(&mut self, byte: u8) -> Step {
        match byte {
            b'<' => self.enter(State::TagBegin),
            _ if is_space(byte) || self.templates > 0 => self.enter(State::Text),
            _ => Step::NoPosition(BannerOutcome::NoBody),
        }
    }

    fn begin_tag(&mut self, byte: u8) -> Step {
        match byte {
            b'!' => self.enter(State::DeclarationBegin),
            b'/' => self.enter(State::EndTag),
            b'?' => self.enter(State::Declaration),
            _ if byte.is_ascii_alphabetic() => self.enter(begun(Tag::start(), byte)),
            // The `<` is text, and this byte follows it.
            _ if self.templates > 0 => self.read_text(byte),
            _ => Step::NoPosition(BannerOutcome::NoBody),
        }
    }

    /// Handles a complete tag.
    fn handle_tag(&mut self, tag: &Tag) -> Step {
        if tag.is_end() {
            return self.handle_end_tag(tag.name());
        }
        let is_in_template = self.templates > 0;
        match tag.name() {
            b"template" => {
                self.templates += 1;
                self.enter(State::Text)
            }
            // Between head and body a `<noscript>` belongs to the body, unlike the other elements of a head.
            b"noscript" if self.is_behind_head && !is_in_template => {
                Step::NoPosition(BannerOutcome::NoBody)
            }
            name if let Some(element) = raw_text(name, is_in_template) => {
                self.enter(State::RawText(RawText::of(element)))
            }
            // Their content is not HTML, or follows other rules.
            b"math" | b"plaintext" | b"select" | b"svg" => Step::NoPosition(BannerOutcome::NoBody),
            _ if is_in_template => self.enter(State::Text),
            b"body" => Step::Body,
            // The banner's own relative addresses would lead to that site.
            b"base" if tag.names_elsewhere() => Step::NoPosition(BannerOutcome::Forbidden),
            b"base" | b"basefont" | b"bgsound" | b"head" | b"html" | b"link" | b"meta" => {
                self.enter(State::Text)
            }
            _ => Step::NoPosition(BannerOutcome::NoBody),
        }
    }

    /// Handles an end tag. Most of them have no effect in a head.
    fn handle_end_tag(&mut self, name: &[u8]) -> Step {
        match name {
            b"template" => self.templates = self.templates.saturating_sub(1),
            b"head" if self.templates == 0 => self.is_behind_head = true,
            b"body" | b"br" | b"html" if self.templates == 0 => {
                return Step::NoPosition(BannerOutcome::NoBody);
            }
            _ => {}
        }
        self.enter(State::Text)
    }
}

/// The character U+FEFF in UTF-8.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// Returns the state after the first byte of a construct that ends at the next `>`.
fn declaration(byte: u8) -> State {
    if byte == b'>' { State::Text } else { State::Declaration }
}

/// Returns the state after the first byte of a tag, which never ends it.
fn begun(mut tag: Tag, byte: u8) -> State {
    tag.ends_with(byte);
    State::Tag(tag)
}

/// Returns the element of this name if its content is raw text: in a head, or in a template, which can hold any element.
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

    /// A limit that no page of these tests reaches.
    const LIMIT: usize = 4096;

    /// Searches a page in these parts. Returns the beginning of its body, or the reason why there is no position.
    fn look<'p>(
        limit: usize,
        parts: impl IntoIterator<Item = &'p [u8]>,
    ) -> Result<usize, BannerOutcome> {
        let mut scanner = Scanner::new(limit);
        let mut passed = 0;
        for part in parts {
            match scanner.scan(part) {
                ScanResult::Body(at) => return Ok(passed + at),
                ScanResult::More => passed += part.len(),
                ScanResult::NoPosition(outcome) => return Err(outcome),
            }
        }
        Err(BannerOutcome::NoBody)
    }

    /// Pages whose body begins at the bar.
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
    fn the_body_begins_after_its_tag_and_nowhere_else() {
        for page in PAGES {
            let (before, after) = page.split_once('|').unwrap();
            let page = [before, after].concat();
            assert_eq!(look(LIMIT, [page.as_bytes()]), Ok(before.len()), "{page}");
        }
    }

    #[test]
    fn a_page_that_ends_before_its_body_has_no_position() {
        for page in PAGES {
            let (before, _) = page.split_once('|').unwrap();
            let cut = &before.as_bytes()[..before.len() - 1];
            assert_eq!(look(LIMIT, [cut]), Err(BannerOutcome::NoBody), "{page}");
        }
    }

    #[test]
    fn content_of_the_body_before_its_tag_leaves_no_position() {
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
            assert_eq!(look(LIMIT, [page.as_bytes()]), Err(BannerOutcome::NoBody), "{page}");
        }
        for page in [&b"\xff\xfe<\0b\0o\0d\0y\0>\0"[..], b"\0<\0b\0o\0d\0y\0>", b"<\0b\0"] {
            assert_eq!(look(LIMIT, [page]), Err(BannerOutcome::NoBody), "{page:?}");
        }
    }

    #[test]
    fn a_base_of_another_site_forbids_a_banner() {
        for page in
            ["<base href=https://a.example><body>", "<base target=a href='//a.example/'><body>"]
        {
            assert_eq!(look(LIMIT, [page.as_bytes()]), Err(BannerOutcome::Forbidden), "{page}");
        }
    }

    #[test]
    fn a_body_whose_tag_ends_within_the_limit_is_found() {
        let page = b"<title>A</title><body class=a><p>";
        let end = page.len() - b"<p>".len();
        assert_eq!(look(end, [&page[..]]), Ok(end));
        assert_eq!(look(end, [&page[..end]]), Ok(end));
        for limit in 0..end {
            assert_eq!(look(limit, [&page[..]]), Err(BannerOutcome::TooLarge), "{limit}");
            assert_eq!(look(limit, [&page[..limit]]), Err(BannerOutcome::TooLarge), "{limit}");
        }
    }

    /// Pages of pieces that the scanner distinguishes.
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

    /// Splits a text into parts of any length, including empty ones.
    fn in_parts<'p>(page: &'p [u8], cuts: &[prop::sample::Index]) -> Vec<&'p [u8]> {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(page.len() + 1)).collect();
        cuts.extend([0, page.len()]);
        cuts.sort_unstable();
        cuts.windows(2).map(|ends| &page[ends[0]..ends[1]]).collect()
    }

    proptest! {
        #[test]
        fn the_result_does_not_depend_on_the_parts_of_a_page(
            page in page(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            limit in prop_oneof![Just(LIMIT), 0..64_usize],
        ) {
            // An empty page has no part to search, so a limit of zero is never noticed.
            prop_assume!(limit > 0 || !page.is_empty());
            let whole = look(limit, [page.as_bytes()]);
            prop_assert_eq!(look(limit, in_parts(page.as_bytes(), &cuts)), whole);
            prop_assert_eq!(look(limit, page.as_bytes().chunks(1)), whole);
        }

        #[test]
        fn a_body_begins_after_the_end_of_a_tag(page in page()) {
            if let Ok(at) = look(LIMIT, [page.as_bytes()]) {
                prop_assert!(page[..at].ends_with('>'));
                prop_assert!(page[..at].to_ascii_lowercase().contains("<body"));
            }
        }
    }
}
