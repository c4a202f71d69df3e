//! Counts the verdicts of one exchange, and the events of the gateway's own pages and of the guard, for its tenant.

use std::{rc::Rc, sync::Arc};

use super::guard::BeaconLimit;
use crumbgate_audit::{
    AgreementEvent, GuardEvent, GuardOutcome, ScriptedKind, TenantRecorder, tenants::Tenant,
};
use crumbgate_base::clock::Clock;
use crumbgate_pages::page::Page;
use crumbgate_policy::verdict::Verdict;

/// Records the verdicts of one exchange.
#[derive(Clone)]
pub(crate) struct Recorder {
    shared: Rc<Shared>,
    /// The template of the request's path, once the request is counted.
    route: Option<Arc<str>>,
}

/// A tenant, and its recorder in this worker's aggregator.
struct Shared {
    tenant: Arc<Tenant>,
    tenant_recorder: TenantRecorder,
    clock: Clock,
    beacons: BeaconLimit,
}

impl Recorder {
    /// Makes the recorder of a tenant. A clone of it serves each exchange.
    pub(crate) fn new(tenant: Arc<Tenant>, tenant_recorder: TenantRecorder, clock: Clock) -> Self {
        let beacons = BeaconLimit::default();
        Self { shared: Rc::new(Shared { tenant, tenant_recorder, clock, beacons }), route: None }
    }

    /// Counts a request to this path, received at this time. Verdicts are recorded under its route from now on.
    pub(crate) fn count_request(&mut self, path: &str, unix_s: u64) {
        self.route = self.shared.tenant_recorder.route(path);
        self.shared.tenant_recorder.count_request(unix_s);
    }

    /// Counts an event of one of the gateway's own pages.
    pub(crate) fn count_agreement(&self, event: AgreementEvent, page: &Page, unix_s: u64) {
        self.shared.tenant_recorder.count_agreement(event, &page.shown, unix_s);
    }

    /// Counts the result of guarding a page.
    pub(crate) fn count_guard(&self, outcome: GuardOutcome, unix_s: u64) {
        self.count_guard_event(GuardEvent::Page(outcome), b"", unix_s);
    }

    /// Counts a name that a browser reported.
    pub(crate) fn count_scripted(&self, kind: ScriptedKind, name: &[u8], unix_s: u64) {
        self.count_guard_event(GuardEvent::Reported(kind), name, unix_s);
    }

    fn count_guard_event(&self, event: GuardEvent, name: &[u8], unix_s: u64) {
        let Shared { tenant, tenant_recorder, .. } = &*self.shared;
        tenant_recorder.count_guard(event, name, tenant.policy.guard_in_force(), unix_s);
    }

    /// Counts a beacon of the tenant; returns false if it is one too many in this second.
    pub(crate) fn admits_beacon(&self, uptime_s: u32) -> bool {
        self.shared.beacons.admits(uptime_s)
    }

    pub(crate) fn tenant(&self) -> &Arc<Tenant> {
        &self.shared.tenant
    }

    /// Returns the current time in seconds since the Unix epoch.
    pub(crate) fn unix_s(&self) -> u64 {
        self.shared.clock.now().unix_s
    }

    /// Returns a function that records verdicts at this time.
    pub(crate) fn record_at(&self, unix_s: u64) -> impl FnMut(Verdict<'_>) {
        let Shared { tenant, tenant_recorder, .. } = &*self.shared;
        let (mode, route) = (tenant.policy.mode, self.route.as_ref());
        move |verdict| tenant_recorder.count(&verdict, mode, route, unix_s)
    }
}
