//! Events on the gateway's own pages: how often each page was shown, and which of its buttons was pressed.
//!
//! No type here identifies a person: there are pages, minutes and counts.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};

/// An event on a page of the gateway that asks for agreement.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum AgreementEvent {
    /// The button "agree" was pressed.
    Agreed,
    /// The button "decline" was pressed.
    Declined,
    /// The page was sent to a browser.
    Shown,
    /// The button "withdraw" was pressed.
    Withdrawn,
}

impl AgreementEvent {
    /// All events, in the order of their words.
    pub const ALL: [Self; 4] = [Self::Agreed, Self::Declined, Self::Shown, Self::Withdrawn];

    /// The event's word in metrics, ledger lines and reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Agreed => "agreed",
            Self::Declined => "declined",
            Self::Shown => "shown",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Agreed => 1,
            Self::Declined => 2,
            Self::Shown => 3,
            Self::Withdrawn => 4,
        }
    }

    /// The index in [`Self::ALL`].
    pub(super) fn index(self) -> usize {
        match self {
            Self::Agreed => 0,
            Self::Declined => 1,
            Self::Shown => 2,
            Self::Withdrawn => 3,
        }
    }
}

/// A page as it was sent to browsers, with its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShownPage {
    hash: Arc<str>,
    html: Arc<str>,
}

impl ShownPage {
    /// A page with this HTML. This computes the hash, so build a page once and share it.
    pub fn new(html: impl Into<Arc<str>>) -> Self {
        let html = html.into();
        let hash = digest(&SHA256, html.as_bytes());
        let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        let hash: String = digits.collect();
        Self { hash: hash.into(), html }
    }

    /// The SHA-256 of the HTML, in hexadecimal digits.
    pub fn hash(&self) -> &Arc<str> {
        &self.hash
    }

    pub fn html(&self) -> &Arc<str> {
        &self.html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_its_own_index_and_word() {
        for (index, event) in AgreementEvent::ALL.into_iter().enumerate() {
            assert_eq!(event.index(), index);
        }
        let words = AgreementEvent::ALL.map(AgreementEvent::word);
        assert_eq!(words, ["agreed", "declined", "shown", "withdrawn"]);
    }

    #[test]
    fn a_page_is_identified_by_the_sha_256_of_its_bytes() {
        // FIPS 180-4's example "abc".
        let page = ShownPage::new("abc");
        assert_eq!(
            &**page.hash(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(&**page.html(), "abc");
    }
}
