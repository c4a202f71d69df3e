//! Checks pages: every page that an entry names is present and has its hash, and there is no other.

use std::collections::BTreeSet;

use super::finding::Finding;
use crate::merkle::has_hash;

/// A check of pages, one after another.
pub(super) struct PageCheck<'t> {
    /// The hashes that entries name and that were not met yet.
    left: BTreeSet<&'t str>,
}

impl<'t> PageCheck<'t> {
    /// Begins a check. `named` are the hashes that entries name.
    pub(super) fn new(named: BTreeSet<&'t str>) -> Self {
        Self { left: named }
    }

    /// Checks the next page.
    pub(super) fn meet(&mut self, hash: &str, html: &[u8]) -> Result<(), Finding> {
        if !self.left.remove(hash) {
            return Err(Finding::PageUnnamed { hash: hash.to_owned() });
        }
        if !has_hash(html, hash) {
            return Err(Finding::Page { hash: hash.to_owned() });
        }
        Ok(())
    }

    /// Ends the check: no named page may be missing.
    pub(super) fn end(self) -> Result<(), Finding> {
        match self.left.first() {
            Some(hash) => Err(Finding::PageMissing { hash: (*hash).to_owned() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_audit::ShownPage;

    #[test]
    fn every_named_page_is_present_unchanged_and_no_other() {
        let [a, b] = ["<p>a", "<p>b"].map(ShownPage::new);
        let [hash, other] = [a.hash(), b.hash()].map(|hash| hash.to_string());
        let named = || PageCheck::new([&*hash].into());
        let mut check = named();
        assert_eq!(check.meet(&hash, b"<p>a"), Ok(()));
        assert_eq!(check.end(), Ok(()));
        let (missing, changed, unnamed) = (
            Finding::PageMissing { hash: hash.clone() },
            Finding::Page { hash: hash.clone() },
            Finding::PageUnnamed { hash: other.clone() },
        );
        assert_eq!(named().end(), Err(missing));
        assert_eq!(named().meet(&hash, b"<p>b"), Err(changed));
        assert_eq!(named().meet(&other, b"<p>b"), Err(unnamed));
    }
}
