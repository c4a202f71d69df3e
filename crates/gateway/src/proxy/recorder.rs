//! Counts what becomes of one exchange's cookies, and of the gateway's own pages, in its tenant's account.

use std::{rc::Rc, sync::Arc};

use crumbgate_audit::{AgreementEvent, TenantRecorder, tenants::Tenant};
use crumbgate_base::clock::Clock;
use crumbgate_pages::page::Page;
use crumbgate_policy::verdict::Verdict;

/// A tenant, and its account in this worker's aggregator.
pub(crate) struct Entry {
    pub(crate) tenant: Arc<Tenant>,
    pub(super) account: TenantRecorder,
    pub(super) clock: Clock,
}

/// Writes down the verdicts of one exchange.
#[derive(Clone)]
pub(crate) struct Recorder {
    entry: Rc<Entry>,
    route: Option<Arc<str>>,
}

impl Recorder {
    /// Counts a request to this path that came at this moment, and writes down what follows of it.
    pub(crate) fn begin(entry: Rc<Entry>, path: &str, unix_s: u64) -> Self {
        let route = entry.account.route(path);
        let recorder = Self { entry, route };
        recorder.entry.account.count_request(unix_s);
        recorder
    }

    /// For an exchange that the gateway's own page answers: nothing of it is judged.
    pub(crate) fn aside(entry: Rc<Entry>) -> Self {
        Self { entry, route: None }
    }

    /// Counts what became of one of the gateway's own pages.
    pub(crate) fn count_agreement(&self, event: AgreementEvent, page: &Page, unix_s: u64) {
        self.entry.account.count_agreement(event, &page.shown, unix_s);
    }

    /// Whose exchange it is.
    pub(crate) fn tenant(&self) -> &Tenant {
        &self.entry.tenant
    }

    /// The time, in seconds since the Unix epoch.
    pub(crate) fn unix_s(&self) -> u64 {
        self.entry.clock.now().unix_s
    }

    /// Writes down verdicts that are reached at this moment.
    pub(crate) fn record_at(&self, unix_s: u64) -> impl FnMut(Verdict<'_>) {
        let Entry { tenant, account, .. } = &*self.entry;
        let (mode, route) = (tenant.policy.mode, self.route.as_ref());
        move |verdict| account.count(&verdict, mode, route, unix_s)
    }
}
