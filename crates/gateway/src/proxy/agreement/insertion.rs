//! Inserts a banner into a page that passes: scans each part as it arrives, and delays none.

use bytes::Bytes;

use crumbgate_pages::document::{BannerOutcome, ScanResult, Scanner};

/// A banner to be inserted into a page. If it is dropped before that, it was not shown.
pub(crate) struct Insertion {
    scanner: Scanner,
    banner: Bytes,
    /// The bytes that belong behind the banner; `None` until its place is found.
    behind: Option<Bytes>,
    /// Called once, with the outcome.
    report: Option<Box<dyn FnOnce(BannerOutcome)>>,
}

impl Insertion {
    /// Makes the insertion of a banner within the first `limit` bytes of a page.
    pub(crate) fn new(banner: Bytes, limit: usize, report: Box<dyn FnOnce(BannerOutcome)>) -> Self {
        Self { scanner: Scanner::new(limit), banner, behind: None, report: Some(report) }
    }

    /// Scans a part of the page, and takes from it the bytes that belong behind the banner.
    pub(crate) fn pass(&mut self, part: &mut Bytes) {
        match self.scanner.scan(part) {
            ScanResult::Body(at) => self.behind = Some(part.split_off(at)),
            ScanResult::More => {}
            ScanResult::NoPosition(outcome) => self.end(outcome),
        }
    }

    /// Returns the next part after the scanned one: the banner, then the bytes behind it. `None` if the page goes on.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let behind = self.behind.take()?;
        if self.banner.is_empty() {
            self.end(BannerOutcome::Shown);
            return Some(behind);
        }
        self.behind = Some(behind);
        Some(std::mem::take(&mut self.banner))
    }

    /// Ends the page.
    pub(crate) fn finish(&mut self) {
        if self.behind.is_none() {
            self.end(BannerOutcome::NoBody);
        }
    }

    /// Returns true if the outcome is reported.
    pub(crate) fn is_over(&self) -> bool {
        self.report.is_none()
    }

    /// Returns the number of bytes that [`Self::next`] still has.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.behind.as_ref().map_or(0, |behind| self.banner.len() + behind.len())
    }

    fn end(&mut self, outcome: BannerOutcome) {
        if let Some(report) = self.report.take() {
            report(outcome);
        }
    }
}

impl Drop for Insertion {
    fn drop(&mut self) {
        self.end(BannerOutcome::Broken);
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use proptest::prelude::*;

    use super::*;

    const BANNER: &[u8] = b"<p>banner";

    /// Passes a page in these parts; returns the bytes that left, the outcomes, and the most bytes that ever waited.
    fn pass(parts: &[&[u8]], limit: usize) -> (Vec<u8>, Vec<BannerOutcome>, usize) {
        let outcomes = Rc::new(RefCell::new(Vec::new()));
        let notes = Rc::clone(&outcomes);
        let report = move |outcome| notes.borrow_mut().push(outcome);
        let mut insertion = Insertion::new(Bytes::from_static(BANNER), limit, Box::new(report));
        let (mut left, mut waiting) = (Vec::new(), 0);
        for part in parts {
            let mut rest = Bytes::copy_from_slice(part);
            // A body drops a finished insertion.
            if !insertion.is_over() {
                insertion.pass(&mut rest);
            }
            waiting = waiting.max(insertion.waiting_bytes());
            left.extend(rest);
            while !insertion.is_over()
                && let Some(more) = insertion.next()
            {
                left.extend(more);
            }
        }
        insertion.finish();
        drop(insertion);
        (left, outcomes.take(), waiting)
    }

    proptest! {
        #[test]
        fn a_page_leaves_unchanged_except_for_the_banner_at_one_place(
            head in "(<title>[a<>-]{0,8}</title>|<!--[a<>-]{0,8}-->| |<body|<p>){0,4}",
            rest in "(<body a='>'>)?[a<>]{0,40}",
            size in 1_usize..9,
            limit in prop_oneof![Just(4096_usize), 0_usize..40],
        ) {
            let page = [head, rest].concat().into_bytes();
            // An empty page has no part to search, so a limit of zero is never noticed.
            prop_assume!(limit > 0 || !page.is_empty());
            let parts: Vec<_> = page.chunks(size).collect();
            let (left, outcomes, waiting) = pass(&parts, limit);
            let (whole, outcomes_of_whole, _) = pass(&[&page], limit);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&outcomes, &outcomes_of_whole);
            prop_assert_eq!(outcomes.len(), 1);
            prop_assert!(waiting <= BANNER.len() + size);
            if outcomes == [BannerOutcome::Shown] {
                let at = left.windows(BANNER.len()).position(|bytes| bytes == BANNER).unwrap();
                let without = [&left[..at], &left[at + BANNER.len()..]].concat();
                prop_assert_eq!(without, page);
            } else {
                prop_assert_eq!(left, page);
            }
        }
    }

    #[test]
    fn a_banner_that_is_dropped_before_it_is_sent_was_not_shown() {
        for (parts, place_is_found) in [(vec![], false), (vec![&b"<body>a"[..]], true)] {
            let outcomes = Rc::new(RefCell::new(Vec::new()));
            let notes = Rc::clone(&outcomes);
            let report = move |outcome| notes.borrow_mut().push(outcome);
            let mut insertion = Insertion::new(Bytes::from_static(BANNER), 99, Box::new(report));
            for part in parts {
                insertion.pass(&mut Bytes::from_static(part));
            }
            if place_is_found {
                // The banner is returned, but not reported as sent.
                assert_eq!(insertion.next().as_deref(), Some(BANNER));
            }
            drop(insertion);
            assert_eq!(outcomes.take(), [BannerOutcome::Broken]);
        }
    }
}
