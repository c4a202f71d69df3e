//! Finds the beginnings of a page's head and body, part by part, as a browser does (HTML Standard, sections 13.2.5 and
//! 13.2.6.4).

use super::{
    comment::Comment,
    head::{Documents, Head, HeadSearch},
    outcome::BannerOutcome,
    raw_text::RawText,
    tag::{Tag, is_space},
};
use crumbgate_audit::GuardOutcome;

/// A search for the beginnings of a page's head and body in one pass. It keeps no bytes of the page.
///
/// The search for the body fails if the body begins without its tag, which HTML allows: the banner would have to go before
/// bytes that may already have been sent. It also fails if browsers might read the page differently. For a `<noscript>` in
/// the head it assumes that scripts run, so the content is text.
#[derive(Clone, Debug)]
pub struct Scanner {
    /// The number of bytes that are searched at most.
    limit: usize,
    /// The number of bytes that were searched.
    passed: usize,
    state: State,
    head: Head,
    body: BodySearch,
    is_behind_head: bool,
    /// The number of open `<template>` elements, whose content is not part of the page.
    templates: usize,
}

/// The state of the search for the end of the `<body …>` tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BodySearch {
    /// The body begins after this many bytes of the page.
    Found(usize),
    /// The page has no position for a banner, for this reason.
    NoPosition(BannerOutcome),
    /// The body is not searched.
    NotWanted,
    /// The body has not begun.
    Open,
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
    /// After `<!` and this many letters of `doctype`.
    DocumentType(usize),
    /// After `</`.
    EndTag,
    RawText(RawText),
    Tag(Tag),
    /// After `<`.
    TagBegin,
    /// Between tags.
    Text,
}

/// The effect of one byte on the search for the body.
enum Step {
    Body,
    NoPosition(BannerOutcome),
    Continue,
}

impl Scanner {
    /// Starts a search of at most `limit` bytes of a page: for the head of these documents, for the body, or for both.
    pub fn new(limit: usize, head: Option<Documents>, body: bool) -> Self {
        Self {
            limit,
            passed: 0,
            state: State::ByteOrderMark(0),
            head: Head::new(head),
            body: if body { BodySearch::Open } else { BodySearch::NotWanted },
            is_behind_head: false,
            templates: 0,
        }
    }

    /// Searches the next part of the page, up to the last position that is wanted.
    pub fn scan(&mut self, part: &[u8]) {
        for byte in part {
            if self.passed >= self.limit || self.is_over() {
                break;
            }
            match self.step(*byte) {
                Step::Body => self.end_body(BodySearch::Found(self.passed + 1)),
                Step::NoPosition(outcome) => self.end_body(BodySearch::NoPosition(outcome)),
                Step::Continue => {}
            }
            self.passed += 1;
        }
        if self.passed >= self.limit {
            self.end_body(BodySearch::NoPosition(BannerOutcome::TooLarge));
            self.head.fail(GuardOutcome::TooLarge);
        }
    }

    /// Ends the page.
    pub fn end(&mut self) {
        let is_between_tags = matches!(self.state, State::Text | State::ByteOrderMark(0 | 3));
        self.head.end(self.passed, is_between_tags);
        self.end_body(BodySearch::NoPosition(BannerOutcome::NoBody));
    }

    /// Returns the state of the search for the head.
    pub fn head(&self) -> HeadSearch {
        self.head.result()
    }

    /// Returns the state of the search for the body.
    pub fn body(&self) -> BodySearch {
        self.body
    }

    /// Returns true if no wanted position is still searched.
    pub fn is_over(&self) -> bool {
        !self.head.is_open() && self.body != BodySearch::Open
    }

    /// Returns the number of bytes of the page that are before each position that is still searched. They can leave. At most
    /// [`MAX_HELD_BYTES`](super::MAX_HELD_BYTES) that were searched must wait for the next part.
    pub fn settled(&self) -> usize {
        self.head.settled(self.passed)
    }

    fn end_body(&mut self, result: BodySearch) {
        if self.body == BodySearch::Open {
            self.body = result;
        }
    }

    fn step(&mut self, byte: u8) -> Step {
        let at = self.passed;
        let next = match &mut self.state {
            State::ByteOrderMark(read) => match BYTE_ORDER_MARK.get(*read) {
                Some(expected) if byte == *expected => {
                    self.head.read_mark(*read + 1 == BYTE_ORDER_MARK.len());
                    Some(State::ByteOrderMark(*read + 1))
                }
                _ if matches!(*read, 0 | 3) => return self.read_text(byte),
                Some(_) | None => return self.begin_body(byte),
            },
            State::Comment(comment) => comment.ends_with(byte).then_some(State::Text),
            State::Declaration => (byte == b'>').then_some(State::Text),
            State::DeclarationBegin if byte == b'-' => Some(State::DeclarationDash),
            State::DeclarationDash if byte == b'-' => Some(State::Comment(Comment::Begin)),
            State::DeclarationBegin if byte.eq_ignore_ascii_case(&DOCUMENT_TYPE[0]) => {
                Some(State::DocumentType(1))
            }
            State::DeclarationBegin | State::DeclarationDash => Some(declaration(byte)),
            State::DocumentType(read) => match DOCUMENT_TYPE.get(*read) {
                Some(expected) if byte.eq_ignore_ascii_case(expected) => {
                    Some(State::DocumentType(*read + 1))
                }
                Some(_) => Some(declaration(byte)),
                None => {
                    self.head.declare();
                    Some(declaration(byte))
                }
            },
            State::EndTag if byte.is_ascii_alphabetic() => {
                let tag = begun(Tag::end(), byte);
                self.head.read_tag(&tag, false, at);
                Some(State::Tag(tag))
            }
            State::EndTag => {
                self.head.skip();
                Some(declaration(byte))
            }
            State::RawText(text) => text.ends_before(byte).then(|| match byte {
                b'>' => State::Text,
                _ => State::Tag(begun(Tag::end_of_raw_text(), byte)),
            }),
            State::Tag(tag) => {
                let ends = tag.ends_with(byte);
                self.head.read_tag(tag, ends, at);
                if ends {
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
            b'<' => {
                self.head.begin(self.passed);
                self.enter(State::TagBegin)
            }
            _ if is_space(byte) || self.templates > 0 => self.enter(State::Text),
            _ => self.begin_body(byte),
        }
    }

    /// Reads a byte of text with which the body begins, although its tag is missing.
    fn begin_body(&mut self, byte: u8) -> Step {
        self.head.read_text(byte, self.passed);
        Step::NoPosition(BannerOutcome::NoBody)
    }

    fn begin_tag(&mut self, byte: u8) -> Step {
        match byte {
            b'!' | b'?' => {
                self.head.skip();
                let is_question = byte == b'?';
                self.enter(if is_question { State::Declaration } else { State::DeclarationBegin })
            }
            b'/' => self.enter(State::EndTag),
            _ if byte.is_ascii_alphabetic() => {
                let tag = begun(Tag::start(), byte);
                self.head.read_tag(&tag, false, self.passed);
                self.enter(State::Tag(tag))
            }
            // The `<` is text, and this byte follows it.
            _ if self.templates > 0 => self.read_text(byte),
            _ => self.begin_body(byte),
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

/// The letters of a document type, in lower case.
const DOCUMENT_TYPE: [u8; 7] = *b"doctype";

/// Returns the state after the first byte of a construct that ends at the next `>`.
fn declaration(byte: u8) -> State {
    if byte == b'>' { State::Text } else { State::Declaration }
}

/// Reads the first byte of a tag, which never ends it.
fn begun(mut tag: Tag, byte: u8) -> Tag {
    tag.ends_with(byte);
    tag
}

/// Returns the element of this name if its content is raw text: in a head, or in a template, which can hold any element.
fn raw_text(name: &[u8], is_in_template: bool) -> Option<&'static [u8]> {
    let of =
        |elements: &[&'static [u8]]| elements.iter().find(|element| **element == name).copied();
    of(&RAW_IN_HEAD).or_else(|| of(&RAW_IN_BODY).filter(|_| is_in_template))
}

const RAW_IN_HEAD: [&[u8]; 5] = [b"noframes", b"noscript", b"script", b"style", b"title"];
const RAW_IN_BODY: [&[u8]; 4] = [b"iframe", b"noembed", b"textarea", b"xmp"];
