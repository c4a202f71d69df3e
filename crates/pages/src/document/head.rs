//! Finds the beginning of a page's head, where a script runs before all others of the page (HTML Standard, sections
//! 13.2.6.4.1 to 13.2.6.4.4).

use super::tag::Tag;
use crumbgate_audit::GuardOutcome;

/// The pages that count as documents of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Documents {
    /// All of them: a browser opens each page in a window or a frame.
    All,
    /// Pages that begin with a document type, `<html …>` or `<head …>`. Others may be fragments that a script has requested.
    Declared,
}

/// The state of the search for the beginning of the head.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum HeadSearch {
    /// The head begins after this many bytes of the page. The position is never before a document type, which would change
    /// how browsers lay the page out.
    Found(usize),
    /// The page is not a document of its own.
    Fragment,
    /// The page has no position, for this reason.
    NoPosition(GuardOutcome),
    /// The head is not searched.
    NotWanted,
    /// The head has not begun.
    Open,
}

/// The search for the beginning of the head. The head begins after its tag. If the page omits it, the head begins before
/// the first tag or text that implies it.
#[derive(Clone, Debug)]
pub(super) struct Head {
    documents: Documents,
    /// True after a document type, `<html …>` or `<head …>`.
    is_declared: bool,
    /// The number of bytes before a tag whose name is incomplete, or before an incomplete byte order mark.
    undecided: Option<usize>,
    result: HeadSearch,
}

impl Head {
    /// Starts the search for the head of these documents; `None` starts none.
    pub(super) fn new(documents: Option<Documents>) -> Self {
        let result = if documents.is_some() { HeadSearch::Open } else { HeadSearch::NotWanted };
        let documents = documents.unwrap_or(Documents::All);
        Self { documents, is_declared: false, undecided: None, result }
    }

    pub(super) fn result(&self) -> HeadSearch {
        self.result
    }

    pub(super) fn is_open(&self) -> bool {
        self.result == HeadSearch::Open
    }

    /// Returns the number of bytes that are before the head in any case, if it has not begun. `passed` bytes were read.
    pub(super) fn settled(&self, passed: usize) -> usize {
        self.undecided.filter(|_| self.is_open()).unwrap_or(passed)
    }

    /// Ends the search without a position.
    pub(super) fn fail(&mut self, outcome: GuardOutcome) {
        if self.is_open() {
            self.result = HeadSearch::NoPosition(outcome);
        }
    }

    /// Reads a byte of a byte order mark at the beginning of the page.
    pub(super) fn read_mark(&mut self, is_complete: bool) {
        self.undecided = (!is_complete).then_some(0);
    }

    /// Notes that a tag may begin after `at` bytes.
    pub(super) fn begin(&mut self, at: usize) {
        self.undecided = Some(at);
    }

    /// Notes that a construct without effect on the head has begun: a comment or a document type.
    pub(super) fn skip(&mut self) {
        self.undecided = None;
    }

    /// Notes a document type.
    pub(super) fn declare(&mut self) {
        self.is_declared = true;
    }

    /// Reads a byte of text other than white space, after `at` bytes. A `<` before it is text, too.
    pub(super) fn read_text(&mut self, byte: u8, at: usize) {
        let begin = self.undecided.unwrap_or(at);
        let is_utf_16 = byte == 0 || begin == 0 && matches!(byte, 0xfe | 0xff);
        // A character reference can stand for white space, behind which browsers still read a document type.
        let is_reference = byte == b'&' && !self.is_declared && self.documents == Documents::All;
        if is_utf_16 || is_reference {
            self.fail(GuardOutcome::Encoding);
        } else {
            self.find(begin);
        }
    }

    /// Reads a tag up to the byte after `at` bytes, with which it ends if `ends` is true.
    pub(super) fn read_tag(&mut self, tag: &Tag, ends: bool, at: usize) {
        if !self.is_open() {
            return;
        }
        if let Some(begin) = self.undecided {
            match Effect::of(tag, ends) {
                Effect::Begins => return self.find(begin),
                Effect::Declares => (self.is_declared, self.undecided) = (true, None),
                Effect::None => self.undecided = None,
                Effect::Undecided => {}
            }
        }
        if ends && !tag.is_end() && tag.name() == b"head" {
            self.find(at + 1);
        }
    }

    /// Ends the page after `passed` bytes. A page without a head has the position at its end, if that is between tags.
    pub(super) fn end(&mut self, passed: usize, is_between_tags: bool) {
        if is_between_tags && passed > 0 {
            self.find(passed);
        } else if self.is_open() {
            self.result = HeadSearch::Fragment;
        }
    }

    fn find(&mut self, at: usize) {
        if self.is_open() {
            let is_document = self.is_declared || self.documents == Documents::All;
            self.result = if is_document { HeadSearch::Found(at) } else { HeadSearch::Fragment };
        }
    }
}

/// The most bytes that must be held back: those of `</head`.
pub const MAX_HELD_BYTES: usize = 6;

/// The effect of a tag on a head that has not begun, as far as its name is read.
enum Effect {
    /// The head begins before the tag.
    Begins,
    /// The tag is that of the document or of the head.
    Declares,
    /// The tag is ignored.
    None,
    /// The name is incomplete.
    Undecided,
}

impl Effect {
    fn of(tag: &Tag, ends: bool) -> Self {
        let (name, is_end) = (tag.name(), tag.is_end());
        let known: &[&[u8]] = if is_end { &ENDS_THAT_BEGIN } else { &STARTS_THAT_DECLARE };
        let is_known = if tag.is_in_name() && !ends {
            if !name.is_empty() && known.iter().any(|known| known.starts_with(name)) {
                return Self::Undecided;
            }
            false
        } else {
            known.contains(&name)
        };
        match (is_end, is_known) {
            (false, true) => Self::Declares,
            (false, false) | (true, true) => Self::Begins,
            (true, false) => Self::None,
        }
    }
}

/// The start tags that do not begin a head by themselves.
const STARTS_THAT_DECLARE: [&[u8]; 2] = [b"head", b"html"];

/// The end tags that begin a head, although they have no start tag.
const ENDS_THAT_BEGIN: [&[u8]; 4] = [b"body", b"br", b"head", b"html"];
