//! The gateway's own pages that one worker has rendered.

use std::{cell::RefCell, rc::Rc};

use super::super::snapshot::Snapshot;
use crumbgate_pages::page::{Pages, Since, Subject};
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Policy, declaration::SessionDuration,
};

/// The rendered pages. Most tenants share the same.
#[derive(Default)]
pub(crate) struct PageCache(RefCell<Vec<(Distinction, Rc<Pages>)>>);

/// The settings by which the pages of tenants differ within one configuration.
#[derive(Clone, Copy, Eq, PartialEq)]
struct Distinction {
    session: SessionDuration,
    agreement: AgreementMode,
    evict: EvictScope,
    guard: GuardMode,
    seals: bool,
}

impl PageCache {
    /// Returns the pages of tenants with this policy.
    pub(crate) fn pages(&self, snapshot: &Snapshot, policy: &Policy) -> Rc<Pages> {
        let &Policy { session, agreement, evict, guard, .. } = policy;
        let seals = policy.seals();
        let wanted = Distinction { session, agreement, evict, guard, seals };
        let made = &mut *self.0.borrow_mut();
        if let Some((_, pages)) = made.iter().find(|(distinction, _)| *distinction == wanted) {
            return Rc::clone(pages);
        }
        let sealing = snapshot.sealing.as_ref().filter(|_| seals);
        let pages = Rc::new(Pages::new(&Subject {
            declaration: &policy.declaration,
            version: &snapshot.declaration,
            since: snapshot.since_unix_s.map_or(Since::Unknown, Since::At),
            session,
            agreement,
            evict,
            guard,
            sealed: sealing.map(|sealing| sealing.cookie.as_str()),
            settings: &snapshot.page,
        }));
        if made.len() >= MAX_PAGES {
            made.remove(0);
        }
        made.push((wanted, Rc::clone(&pages)));
        pages
    }
}

/// The number of different sets of pages that a worker keeps. The oldest is dropped for a new one.
const MAX_PAGES: usize = 64;
