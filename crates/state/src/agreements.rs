//! Agreement entries that are not in the file yet, or may still change there, and the pages that
//! they name. A page is written with the first entry that names it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::entry_state::EntryState;
use crumbgate_audit::{AgreementCount, AgreementEvent, ShownPage, Window};

/// The pending agreement entries and their pages.
#[derive(Debug, Default)]
pub(super) struct Agreements {
    rows: HashMap<AgreementKey, PendingAgreement, RandomState>,
    /// Invariant: holds every page that an entry in `rows` names, once.
    pages: HashMap<Arc<str>, Arc<ShownPage>, RandomState>,
    /// The total size of the pages, in bytes.
    page_bytes: usize,
}

/// The hashes of the pages that are in the file.
pub(super) type StoredPages = HashSet<Arc<str>, RandomState>;

/// The key of an agreement entry: entries with different keys are different entries.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct AgreementKey {
    pub(super) window: Window,
    pub(super) tenant: Arc<str>,
    pub(super) event: AgreementEvent,
    /// The SHA-256 of the page, in hexadecimal digits.
    pub(super) page: Arc<str>,
    pub(super) declaration: Arc<str>,
}

/// The part of an agreement entry that changes.
#[derive(Debug, Default)]
pub(super) struct PendingAgreement {
    pub(super) state: EntryState,
    pub(super) count: u64,
    /// The value of `count` in the file.
    written: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Agreements {
    /// Adds a worker's count. Returns whether it was added: `has_room` allows another entry, and
    /// the total size of pages is bounded here.
    pub(super) fn add(
        &mut self,
        window: Window,
        declaration: &Arc<str>,
        row: &AgreementCount,
        has_room: bool,
    ) -> bool {
        let key = AgreementKey {
            window,
            tenant: Arc::clone(&row.tenant),
            event: row.event,
            page: Arc::clone(row.page.hash()),
            declaration: Arc::clone(declaration),
        };
        if !(self.rows.contains_key(&key) || has_room && self.hold(&row.page)) {
            return false;
        }
        let first_unix_s = row.first_unix_s;
        let new = || PendingAgreement { first_unix_s, ..PendingAgreement::default() };
        let pending = self.rows.entry(key).or_insert_with(new);
        pending.state.is_dirty = true;
        pending.count = pending.count.saturating_add(row.count);
        pending.first_unix_s = pending.first_unix_s.min(row.first_unix_s);
        pending.last_unix_s = pending.last_unix_s.max(row.last_unix_s);
        true
    }

    /// The entries that differ from the file.
    pub(super) fn dirty(&mut self) -> impl Iterator<Item = (&AgreementKey, &mut PendingAgreement)> {
        self.rows.iter_mut().filter(|(_, pending)| pending.state.is_dirty)
    }

    /// The pages that changed entries name and that are not in the file.
    pub(super) fn new_pages(&self, known: &StoredPages) -> Vec<Arc<ShownPage>> {
        let dirty = self.rows.iter().filter(|(_, pending)| pending.state.is_dirty);
        let named: HashSet<_, RandomState> = dirty.map(|(key, _)| &key.page).collect();
        let new = named.into_iter().filter(|hash| !known.contains(*hash));
        new.filter_map(|hash| self.pages.get(hash).cloned()).collect()
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.rows.values().any(|pending| pending.state.is_dirty)
    }

    /// The number of entries that differ from the file.
    pub(super) fn unwritten(&self) -> usize {
        self.rows.values().filter(|pending| pending.state.is_dirty).count()
    }

    /// The number of entries, written or not.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Notes that the file now holds every entry as it is here.
    pub(super) fn mark_written(&mut self) {
        for pending in self.rows.values_mut() {
            pending.state.mark_written();
            pending.written = pending.count;
        }
    }

    /// Drops entries that are written and whose window has ended.
    pub(super) fn drop_finished(&mut self, is_open: impl Fn(&Window) -> bool) {
        self.rows.retain(|key, pending| pending.state.is_dirty || is_open(&key.window));
        let named: HashSet<_, RandomState> = self.rows.keys().map(|key| &key.page).collect();
        self.pages.retain(|hash, _| named.contains(hash));
        self.page_bytes = self.pages.values().map(|page| page.html().len()).sum();
    }

    /// Separates the entries from the file. Later counts, and counts that are not written yet, make
    /// new entries.
    pub(super) fn detach(&mut self) {
        self.rows.retain(|_, pending| {
            pending.count = pending.count.saturating_sub(pending.written);
            pending.written = 0;
            pending.state.seq = None;
            pending.count > 0
        });
    }

    /// Keeps a page until it is in the file. Returns `false` where there is no room for it.
    fn hold(&mut self, page: &Arc<ShownPage>) -> bool {
        if self.pages.contains_key(page.hash()) {
            return true;
        }
        let bytes = self.page_bytes.saturating_add(page.html().len());
        if bytes > MAX_PAGE_BYTES {
            return false;
        }
        self.page_bytes = bytes;
        self.pages.insert(Arc::clone(page.hash()), Arc::clone(page));
        true
    }
}

/// The limit on pages in memory, in bytes. A page has some 10 KB, and a tenant about six pages.
const MAX_PAGE_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start_unix_s: 600, length_s: 300 };

    fn row(html: &str, count: u64) -> AgreementCount {
        AgreementCount {
            tenant: "a.example".into(),
            event: AgreementEvent::Shown,
            page: Arc::new(ShownPage::new(html)),
            count,
            first_unix_s: 660,
            last_unix_s: 720,
        }
    }

    fn add(agreements: &mut Agreements, row: &AgreementCount) -> bool {
        agreements.add(WINDOW, &"first".into(), row, true)
    }

    #[test]
    fn a_page_is_held_once_and_new_until_the_file_has_it() {
        let mut agreements = Agreements::default();
        assert!(add(&mut agreements, &row("<p>a", 1)));
        assert!(add(&mut agreements, &row("<p>a", 2)));
        assert!(agreements.add(WINDOW, &"second".into(), &row("<p>a", 4), true));
        assert_eq!((agreements.len(), agreements.unwritten()), (2, 2));
        let known = StoredPages::default();
        let [page] = &agreements.new_pages(&known)[..] else { panic!("{agreements:?}") };
        assert_eq!(&**page.html(), "<p>a");
        let known: StoredPages = [Arc::clone(page.hash())].into_iter().collect();
        assert!(agreements.new_pages(&known).is_empty());
        let mut counts: Vec<_> = agreements.dirty().map(|(_, pending)| pending.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [3, 4]);
    }

    #[test]
    fn an_entry_that_continues_in_another_file_is_written_with_its_page() {
        let mut agreements = Agreements::default();
        assert!(add(&mut agreements, &row("<p>a", 3)));
        assert!(add(&mut agreements, &row("<p>b", 1)));
        agreements.mark_written();
        assert!(add(&mut agreements, &row("<p>a", 5)));
        agreements.detach();
        agreements.drop_finished(|_| true);
        let counts: Vec<_> = agreements.dirty().map(|(_, pending)| pending.count).collect();
        assert_eq!(counts, [5]);
        assert_eq!(agreements.new_pages(&StoredPages::default()).len(), 1);
        agreements.mark_written();
        agreements.drop_finished(|_| false);
        assert_eq!((agreements.len(), agreements.pages.len(), agreements.page_bytes), (0, 0, 0));
    }

    #[test]
    fn pages_have_a_bound_and_one_that_is_held_needs_no_more_room() {
        let mut agreements = Agreements::default();
        let large = row(&"a".repeat(MAX_PAGE_BYTES - 1), 1);
        assert!(add(&mut agreements, &large));
        assert!(add(&mut agreements, &row("b", 1)));
        assert!(!add(&mut agreements, &row("c", 1)));
        assert!(add(&mut agreements, &large));
        assert!(agreements.add(WINDOW, &"second".into(), &large, true));
        assert!(!agreements.add(WINDOW, &"third".into(), &large, false));
        assert_eq!(agreements.len(), 3);
    }
}
