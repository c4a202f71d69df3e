//! Puts a banner into a page on its way: looks at each part as it passes, and holds none of them back.

use bytes::Bytes;

use crumbgate_pages::banner::{BannerOutcome, ScanResult, Scanner};

/// A banner that is still to be put into a page. Where it is dropped before that, it was not shown.
pub(crate) struct Insertion {
    scanner: Scanner,
    banner: Bytes,
    /// What has come of the page and belongs behind the banner; none: its place is not found yet.
    behind: Option<Bytes>,
    /// Who is told, once, what has become of the banner.
    tell: Option<Box<dyn FnOnce(BannerOutcome)>>,
}

impl Insertion {
    /// A banner for a page of which the first `limit` bytes are looked at.
    pub(crate) fn new(banner: Bytes, limit: usize, tell: Box<dyn FnOnce(BannerOutcome)>) -> Self {
        Self { scanner: Scanner::new(limit), banner, behind: None, tell: Some(tell) }
    }

    /// Looks at a part of the page; what of it belongs behind the banner is taken from it.
    pub(crate) fn pass(&mut self, part: &mut Bytes) {
        match self.scanner.scan(part) {
            ScanResult::Body(at) => self.behind = Some(part.split_off(at)),
            ScanResult::More => {}
            ScanResult::NoPosition(outcome) => self.end(outcome),
        }
    }

    /// What comes next, when all that was passed is handed on; none: whatever comes of the page.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        let behind = self.behind.take()?;
        if self.banner.is_empty() {
            self.end(BannerOutcome::Shown);
            return Some(behind);
        }
        self.behind = Some(behind);
        Some(std::mem::take(&mut self.banner))
    }

    /// Nothing more comes of the page.
    pub(crate) fn finish(&mut self) {
        if self.behind.is_none() {
            self.end(BannerOutcome::NoBody);
        }
    }

    /// Whether there is nothing left to be done.
    pub(crate) fn is_over(&self) -> bool {
        self.tell.is_none()
    }

    /// How many bytes have come that [`Self::next`] is still to give.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.behind.as_ref().map_or(0, |behind| self.banner.len() + behind.len())
    }

    fn end(&mut self, outcome: BannerOutcome) {
        if let Some(tell) = self.tell.take() {
            tell(outcome);
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

    /// Hands a page on in these parts; returns what left, what was told, and the most that ever waited.
    fn hand_on(parts: &[&[u8]], limit: usize) -> (Vec<u8>, Vec<BannerOutcome>, usize) {
        let told = Rc::new(RefCell::new(Vec::new()));
        let notes = Rc::clone(&told);
        let tell = move |outcome| notes.borrow_mut().push(outcome);
        let mut insertion = Insertion::new(Bytes::from_static(BANNER), limit, Box::new(tell));
        let (mut left, mut waiting) = (Vec::new(), 0);
        for part in parts {
            let mut rest = Bytes::copy_from_slice(part);
            // A body drops what is over.
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
        (left, told.take(), waiting)
    }

    proptest! {
        #[test]
        fn a_page_leaves_as_it_came_but_for_the_banner_at_one_place(
            head in "(<title>[a<>-]{0,8}</title>|<!--[a<>-]{0,8}-->| |<body|<p>){0,4}",
            rest in "(<body a='>'>)?[a<>]{0,40}",
            size in 1_usize..9,
            limit in prop_oneof![Just(4096_usize), 0_usize..40],
        ) {
            let page = [head, rest].concat().into_bytes();
            let parts: Vec<_> = page.chunks(size).collect();
            let (left, told, waiting) = hand_on(&parts, limit);
            let (whole, told_of_whole, _) = hand_on(&[&page], limit);
            prop_assert_eq!(&left, &whole);
            prop_assert_eq!(&told, &told_of_whole);
            prop_assert_eq!(told.len(), 1);
            prop_assert!(waiting <= BANNER.len() + size);
            if told == [BannerOutcome::Shown] {
                let at = left.windows(BANNER.len()).position(|bytes| bytes == BANNER).unwrap();
                let without = [&left[..at], &left[at + BANNER.len()..]].concat();
                prop_assert_eq!(without, page);
            } else {
                prop_assert_eq!(left, page);
            }
        }
    }

    #[test]
    fn a_banner_that_is_dropped_before_its_turn_was_not_shown() {
        for (parts, place_is_found) in [(vec![], false), (vec![&b"<body>a"[..]], true)] {
            let told = Rc::new(RefCell::new(Vec::new()));
            let notes = Rc::clone(&told);
            let tell = move |outcome| notes.borrow_mut().push(outcome);
            let mut insertion = Insertion::new(Bytes::from_static(BANNER), 99, Box::new(tell));
            for part in parts {
                insertion.pass(&mut Bytes::from_static(part));
            }
            if place_is_found {
                // The banner is given, and nobody says that it was handed on.
                assert_eq!(insertion.next().as_deref(), Some(BANNER));
            }
            drop(insertion);
            assert_eq!(told.take(), [BannerOutcome::Broken]);
        }
    }
}
