//! What became of pages, as far as it is not in the file yet or still changes there; and the pages themselves, which go into
//! the file with the first entry that names them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;

use super::place::Place;
use crumbgate_audit::{AgreementEvent, PageAgreement, ShownPage, Window};

/// The entries of agreement that are being counted.
#[derive(Debug, Default)]
pub(super) struct Agreements {
    rows: HashMap<AgreementKey, OpenAgreement, RandomState>,
    /// Invariant: has every page that a row names, once.
    pages: HashMap<Arc<str>, Arc<ShownPage>, RandomState>,
    /// How many bytes the pages have.
    page_bytes: usize,
}

/// Pages that the file has, by their hashes.
pub(super) type KnownPages = HashSet<Arc<str>, RandomState>;

/// What tells entries of agreement apart.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct AgreementKey {
    pub(super) window: Window,
    pub(super) tenant: Arc<str>,
    pub(super) event: AgreementEvent,
    /// The hash of the page.
    pub(super) page: Arc<str>,
    pub(super) declaration: Arc<str>,
}

/// What changes of such an entry.
#[derive(Debug, Default)]
pub(super) struct OpenAgreement {
    pub(super) place: Place,
    pub(super) count: u64,
    /// What `count` is in the file.
    written: u64,
    pub(super) first_unix_s: u64,
    pub(super) last_unix_s: u64,
}

impl Agreements {
    /// Adds what a worker has counted. Says whether there was room: `has_room` is for another entry, what bounds pages is
    /// known here.
    pub(super) fn add(
        &mut self,
        window: Window,
        declaration: &Arc<str>,
        row: &PageAgreement,
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
        let new = || OpenAgreement { first_unix_s, ..OpenAgreement::default() };
        let open = self.rows.entry(key).or_insert_with(new);
        open.place.is_dirty = true;
        open.count = open.count.saturating_add(row.count);
        open.first_unix_s = open.first_unix_s.min(row.first_unix_s);
        open.last_unix_s = open.last_unix_s.max(row.last_unix_s);
        true
    }

    /// Those that are not as they should be in the file.
    pub(super) fn dirty(&mut self) -> impl Iterator<Item = (&AgreementKey, &mut OpenAgreement)> {
        self.rows.iter_mut().filter(|(_, open)| open.place.is_dirty)
    }

    /// The pages that those name and the file has not.
    pub(super) fn new_pages(&self, known: &KnownPages) -> Vec<Arc<ShownPage>> {
        let dirty = self.rows.iter().filter(|(_, open)| open.place.is_dirty);
        let named: HashSet<_, RandomState> = dirty.map(|(key, _)| &key.page).collect();
        let new = named.into_iter().filter(|hash| !known.contains(*hash));
        new.filter_map(|hash| self.pages.get(hash).cloned()).collect()
    }

    pub(super) fn is_dirty(&self) -> bool {
        self.rows.values().any(|open| open.place.is_dirty)
    }

    /// How many entries are not as they should be in the file.
    pub(super) fn unwritten(&self) -> usize {
        self.rows.values().filter(|open| open.place.is_dirty).count()
    }

    /// How many entries are here.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Everything is in the file as it is here.
    pub(super) fn settle(&mut self) {
        for open in self.rows.values_mut() {
            open.place.settle();
            open.written = open.count;
        }
    }

    /// Forgets what is in the file and whose window is over.
    pub(super) fn forget(&mut self, is_open: impl Fn(&Window) -> bool) {
        self.rows.retain(|key, open| open.place.is_dirty || is_open(&key.window));
        let named: HashSet<_, RandomState> = self.rows.keys().map(|key| &key.page).collect();
        self.pages.retain(|hash, _| named.contains(hash));
        self.page_bytes = self.pages.values().map(|page| page.html().len()).sum();
    }

    /// Forgets all that is in the file: what is counted from now on, and what is not in it yet, makes new entries.
    pub(super) fn restart(&mut self) {
        self.rows.retain(|_, open| {
            open.count = open.count.saturating_sub(open.written);
            open.written = 0;
            open.place.seq = None;
            open.count > 0
        });
    }

    /// Holds on to a page until it is in the file; says whether there is room.
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

/// How many bytes of pages may wait: a page has some 10 KB, and a tenant some six of them.
const MAX_PAGE_BYTES: usize = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start_unix_s: 600, length_s: 300 };

    fn row(html: &str, count: u64) -> PageAgreement {
        PageAgreement {
            tenant: "a.example".into(),
            event: AgreementEvent::Shown,
            page: Arc::new(ShownPage::new(html)),
            count,
            first_unix_s: 660,
            last_unix_s: 720,
        }
    }

    fn add(agreements: &mut Agreements, row: &PageAgreement) -> bool {
        agreements.add(WINDOW, &"first".into(), row, true)
    }

    #[test]
    fn a_page_is_held_once_and_new_until_the_file_has_it() {
        let mut agreements = Agreements::default();
        assert!(add(&mut agreements, &row("<p>a", 1)));
        assert!(add(&mut agreements, &row("<p>a", 2)));
        assert!(agreements.add(WINDOW, &"second".into(), &row("<p>a", 4), true));
        assert_eq!((agreements.len(), agreements.unwritten()), (2, 2));
        let known = KnownPages::default();
        let [page] = &agreements.new_pages(&known)[..] else { panic!("{agreements:?}") };
        assert_eq!(&**page.html(), "<p>a");
        let known: KnownPages = [Arc::clone(page.hash())].into_iter().collect();
        assert!(agreements.new_pages(&known).is_empty());
        let mut counts: Vec<_> = agreements.dirty().map(|(_, open)| open.count).collect();
        counts.sort_unstable();
        assert_eq!(counts, [3, 4]);
    }

    #[test]
    fn what_goes_on_in_another_file_takes_its_page_along() {
        let mut agreements = Agreements::default();
        assert!(add(&mut agreements, &row("<p>a", 3)));
        assert!(add(&mut agreements, &row("<p>b", 1)));
        agreements.settle();
        assert!(add(&mut agreements, &row("<p>a", 5)));
        agreements.restart();
        agreements.forget(|_| true);
        let counts: Vec<_> = agreements.dirty().map(|(_, open)| open.count).collect();
        assert_eq!(counts, [5]);
        assert_eq!(agreements.new_pages(&KnownPages::default()).len(), 1);
        agreements.settle();
        agreements.forget(|_| false);
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
