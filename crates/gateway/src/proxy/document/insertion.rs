//! Inserts the guard's script and the banner into a page that passes: scans each part as it arrives, and holds back at most
//! a few bytes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use smallvec::SmallVec;

use crumbgate_audit::GuardOutcome;
use crumbgate_pages::document::{BannerOutcome, BodySearch, Documents, HeadSearch, Scanner};

/// The insertions into one page. What is not sent when they are dropped was not inserted.
pub(crate) struct Insertion {
    scanner: Scanner,
    guard: Insert<GuardOutcome>,
    banner: Insert<BannerOutcome>,
    /// Scanned bytes that may belong behind the guard's script.
    held: Bytes,
    /// The number of bytes of the page before `held`.
    passed: usize,
}

/// A text to be inserted.
pub(crate) struct Insert<O> {
    html: Bytes,
    /// Called once, with the outcome.
    report: Report<O>,
}

/// A function that is called once, with the outcome.
pub(crate) type Report<O> = Option<Box<dyn FnOnce(O)>>;

/// A part of a page on its way to the browser.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) content: Content,
    pub(super) bytes: Bytes,
}

/// The content of a piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Content {
    Banner,
    Guard,
    Page,
}

/// The different contents of a part.
pub(super) type Contents = SmallVec<[Content; 3]>;

impl<O> Insert<O> {
    /// Makes the insertion of a text. `report` is called once, with the outcome.
    pub(crate) fn new(html: Bytes, report: impl FnOnce(O) + 'static) -> Self {
        Self { html, report: Some(Box::new(report)) }
    }

    fn none() -> Self {
        Self { html: Bytes::new(), report: None }
    }

    fn end(&mut self, outcome: O) {
        if let Some(report) = self.report.take() {
            report(outcome);
        }
    }
}

impl Insertion {
    /// Makes the insertions within the first `limit` bytes of a page: of the guard's script, if the page is one of these
    /// documents, and of the banner.
    pub(crate) fn new(
        limit: usize,
        guard: Option<(Documents, Insert<GuardOutcome>)>,
        banner: Option<Insert<BannerOutcome>>,
    ) -> Self {
        let (documents, guard) = guard.unzip();
        Self {
            scanner: Scanner::new(limit, documents, banner.is_some()),
            guard: guard.unwrap_or_else(Insert::none),
            banner: banner.unwrap_or_else(Insert::none),
            held: Bytes::new(),
            passed: 0,
        }
    }

    /// Adds the pieces to `pieces` that a part of the page makes leave.
    pub(super) fn pass(&mut self, part: Bytes, pieces: &mut VecDeque<Piece>) {
        self.scanner.scan(&part);
        let page = if self.held.is_empty() {
            part
        } else {
            let mut page = BytesMut::from(&*self.held);
            page.extend_from_slice(&part);
            page.freeze()
        };
        self.release(page, pieces);
    }

    /// Ends the page, and adds its last pieces to `pieces`.
    pub(super) fn end(&mut self, pieces: &mut VecDeque<Piece>) {
        self.scanner.end();
        let held = std::mem::take(&mut self.held);
        self.release(held, pieces);
    }

    /// Reports that a piece of this content was sent.
    pub(super) fn sent(&mut self, content: Content) {
        match content {
            Content::Banner => self.banner.end(BannerOutcome::Shown),
            Content::Guard => self.guard.end(GuardOutcome::Guarded),
            Content::Page => {}
        }
    }

    /// Returns true if every outcome is reported and no position is searched.
    pub(super) fn is_over(&self) -> bool {
        self.scanner.is_over() && self.guard.report.is_none() && self.banner.report.is_none()
    }

    /// Lets the bytes leave that are before the positions still searched, and the texts whose positions are found.
    fn release(&mut self, mut page: Bytes, pieces: &mut VecDeque<Piece>) {
        match self.scanner.head() {
            HeadSearch::Found(at) if !self.guard.html.is_empty() => {
                self.leave(page.split_to(at - self.passed), pieces);
                let bytes = std::mem::take(&mut self.guard.html);
                pieces.push_back(Piece { content: Content::Guard, bytes });
            }
            HeadSearch::Fragment => self.guard.report = None,
            HeadSearch::NoPosition(outcome) => self.guard.end(outcome),
            HeadSearch::Found(_) | HeadSearch::NotWanted | HeadSearch::Open => {}
        }
        match self.scanner.body() {
            BodySearch::Found(at) if !self.banner.html.is_empty() => {
                self.leave(page.split_to(at - self.passed), pieces);
                let bytes = std::mem::take(&mut self.banner.html);
                pieces.push_back(Piece { content: Content::Banner, bytes });
            }
            BodySearch::NoPosition(outcome) => self.banner.end(outcome),
            BodySearch::Found(_) | BodySearch::NotWanted | BodySearch::Open => {}
        }
        let settled =
            if self.scanner.is_over() { page.len() } else { self.scanner.settled() - self.passed };
        self.leave(page.split_to(settled), pieces);
        self.held = page;
    }

    fn leave(&mut self, page: Bytes, pieces: &mut VecDeque<Piece>) {
        self.passed += page.len();
        if !page.is_empty() {
            pieces.push_back(Piece { content: Content::Page, bytes: page });
        }
    }
}

impl Drop for Insertion {
    fn drop(&mut self) {
        self.guard.end(GuardOutcome::Broken);
        self.banner.end(BannerOutcome::Broken);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use proptest::prelude::*;

    use super::*;
    use crumbgate_pages::document::MAX_HELD_BYTES;

    const BANNER: &[u8] = b"<p>banner";
    const GUARD: &[u8] = b"<script>guard</script>";

    /// The texts that a test inserts.
    #[derive(Clone, Copy, Debug)]
    enum Wanted {
        Banner,
        Both,
        Guard,
    }

    /// The outcomes of the insertions into one page.
    #[derive(Clone, Debug, Default, Eq, PartialEq)]
    struct Outcomes {
        guard: Vec<GuardOutcome>,
        banner: Vec<BannerOutcome>,
    }

    fn insertion(wanted: Wanted, limit: usize, notes: &Rc<RefCell<Outcomes>>) -> Insertion {
        let guard_notes = Rc::clone(notes);
        let guard = Insert::new(Bytes::from_static(GUARD), move |outcome| {
            guard_notes.borrow_mut().guard.push(outcome);
        });
        let banner_notes = Rc::clone(notes);
        let banner = Insert::new(Bytes::from_static(BANNER), move |outcome| {
            banner_notes.borrow_mut().banner.push(outcome);
        });
        let guard = (Documents::All, guard);
        match wanted {
            Wanted::Banner => Insertion::new(limit, None, Some(banner)),
            Wanted::Both => Insertion::new(limit, Some(guard), Some(banner)),
            Wanted::Guard => Insertion::new(limit, Some(guard), None),
        }
    }

    /// Passes a page in these parts; returns the bytes that left, the outcomes, and the most bytes that were held back.
    fn pass(parts: &[&[u8]], wanted: Wanted, limit: usize) -> (Vec<u8>, Outcomes, usize) {
        let notes = Rc::default();
        let mut insertion = insertion(wanted, limit, &notes);
        let (mut pieces, mut left, mut held) = (VecDeque::new(), Vec::new(), 0);
        for part in parts {
            insertion.pass(Bytes::copy_from_slice(part), &mut pieces);
            held = held.max(insertion.held.len());
        }
        insertion.end(&mut pieces);
        for piece in pieces {
            insertion.sent(piece.content);
            left.extend(piece.bytes);
        }
        assert!(insertion.is_over());
        drop(insertion);
        (left, notes.take(), held)
    }

    fn without(page: &[u8], text: &[u8]) -> Vec<u8> {
        let at = page.windows(text.len()).position(|bytes| bytes == text).unwrap();
        [&page[..at], &page[at + text.len()..]].concat()
    }

    proptest! {
        #[test]
        fn a_page_leaves_unchanged_except_for_each_text_at_one_place(
            head in "(<title>[a<>-]{0,8}</title>|<!--[a<>-]{0,8}-->|<!doctype html>|<head|<he| |<body|<p>){0,5}",
            rest in "(<body a='>'>)?[a<>]{0,40}",
            size in 1_usize..9,
            limit in prop_oneof![Just(4096_usize), 1_usize..40],
            wanted in prop_oneof![Just(Wanted::Banner), Just(Wanted::Both), Just(Wanted::Guard)],
        ) {
            let page = [head, rest].concat().into_bytes();
            let parts: Vec<_> = page.chunks(size).collect();
            let (mut left, outcomes, held) = pass(&parts, wanted, limit);
            let (whole, outcomes_of_whole, _) = pass(&[&page], wanted, limit);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&outcomes, &outcomes_of_whole);
            prop_assert!(held <= MAX_HELD_BYTES);
            prop_assert!(outcomes.guard.len() <= 1 && outcomes.banner.len() <= 1);
            if outcomes.guard == [GuardOutcome::Guarded] {
                left = without(&left, GUARD);
            }
            if outcomes.banner == [BannerOutcome::Shown] {
                left = without(&left, BANNER);
            }
            prop_assert_eq!(left, page);
        }
    }

    #[test]
    fn a_script_is_put_into_the_head_and_a_banner_into_the_body() {
        let (left, outcomes, _) = pass(&[b"<!doctype html><h", b"ead><body>a"], Wanted::Both, 99);
        let expected = "<!doctype html><head><script>guard</script><body><p>bannera";
        assert_eq!(String::from_utf8(left).unwrap(), expected);
        let guard = vec![GuardOutcome::Guarded];
        assert_eq!(outcomes, Outcomes { guard, banner: vec![BannerOutcome::Shown] });
    }

    #[test]
    fn a_text_that_is_dropped_before_it_is_sent_was_not_inserted() {
        for page in [&b""[..], b"<!doctype html>", b"<head><body>a"] {
            let notes = Rc::default();
            let mut insertion = insertion(Wanted::Both, 99, &notes);
            insertion.pass(Bytes::from_static(page), &mut VecDeque::new());
            drop(insertion);
            let (guard, banner) = (vec![GuardOutcome::Broken], vec![BannerOutcome::Broken]);
            assert_eq!(notes.take(), Outcomes { guard, banner });
        }
    }
}
