//! The values that the dashboard shows, read at one moment, and the alerts that follow from them.

use std::sync::Arc;

use super::{
    ledger::{LedgerReader, LedgerReading},
    rate::{Interval, RateSampler},
};
use crate::admin::blocking::blocking;
use crumbgate_base::clock::Clock;
use crumbgate_gateway::{
    gateway::{Control, NotReady, Status},
    metrics::CertificateReading,
    proxy::upstream::{ServerState, UpstreamState},
};
use crumbgate_report::overview::LedgerSummary;

/// The values that the panels show.
pub(super) struct DashboardModel {
    pub(super) now_unix_s: u64,
    pub(super) status: Status,
    pub(super) minute: Interval,
    pub(super) history: Vec<Option<Interval>>,
    pub(super) upstreams: Vec<Arc<UpstreamState>>,
    pub(super) certificates: Vec<CertificateReading>,
    pub(super) ledger: Ledger,
    /// See [`Control::tenants_version`].
    pub(super) tenants_version: String,
}

/// The state of the ledger.
pub(super) struct Ledger {
    pub(super) reading: LedgerReading,
    /// True while the file can't be written.
    pub(super) is_failing: bool,
    /// Entries that are not written yet.
    pub(super) waiting: u64,
}

/// A problem that an operator should look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Alert {
    CertificateEnds { file: String, days: u64 },
    CertificateExpired { file: String },
    Draining,
    LedgerDropped,
    LedgerFailing,
    LedgerUnbalanced,
    LedgerUnreadable,
    ManyFail { failed: u64, requests: u64 },
    NotReady,
    ReloadError,
    ServerDown { server: String },
    ServerEjected { server: String },
}

impl DashboardModel {
    pub(super) async fn read(
        control: &Control,
        clock: &Clock,
        sampler: &Arc<RateSampler>,
        ledger: &Arc<LedgerReader>,
    ) -> Self {
        let reading = ledger.read(control).await;
        let now_unix_s = clock.now().unix_s;
        let (control, sampler) = (control.clone(), Arc::clone(sampler));
        blocking(move || Self::gather(&control, now_unix_s, &sampler, reading)).await
    }

    fn gather(
        control: &Control,
        now_unix_s: u64,
        sampler: &RateSampler,
        reading: LedgerReading,
    ) -> Self {
        let ledger = control.ledger();
        Self {
            now_unix_s,
            status: control.status(),
            minute: sampler.minute(),
            history: sampler.history(),
            upstreams: control.upstreams(),
            certificates: control.certificates(),
            ledger: Ledger {
                reading,
                is_failing: ledger.as_ref().is_some_and(|ledger| ledger.is_failing()),
                waiting: ledger.as_ref().map_or(0, |ledger| ledger.waiting()),
            },
            tenants_version: control.tenants_version(),
        }
    }

    /// The current alerts, the most urgent first.
    pub(super) fn alerts(&self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        alerts.extend(self.status.not_ready.map(|reason| match reason {
            NotReady::Draining => Alert::Draining,
            NotReady::NoUpstream => Alert::NotReady,
        }));
        let counted = &self.minute.counted;
        let share = counted.failed.saturating_mul(FAILURE_SHARE);
        if counted.failed >= MIN_FAILED && share >= counted.requests {
            let (failed, requests) = (counted.failed, counted.requests);
            alerts.push(Alert::ManyFail { failed, requests });
        }
        let servers = self.upstreams.iter().flat_map(|upstream| upstream.servers().iter());
        alerts.extend(servers.filter_map(|server| of_server(server)));
        alerts.extend(self.certificates.iter().filter_map(|one| self.of_certificate(one)));
        if self.status.last_reload.is_refused {
            alerts.push(Alert::ReloadError);
        }
        alerts.extend(self.ledger.alerts());
        alerts
    }

    fn of_certificate(&self, certificate: &CertificateReading) -> Option<Alert> {
        let file = certificate.file.clone();
        match days_left(certificate, self.now_unix_s) {
            None => Some(Alert::CertificateExpired { file }),
            Some(days) if days < SOON_DAYS => Some(Alert::CertificateEnds { file, days }),
            Some(_) => None,
        }
    }
}

impl Ledger {
    fn alerts(&self) -> Vec<Alert> {
        let mut alerts = Vec::new();
        if self.is_failing {
            alerts.push(Alert::LedgerFailing);
        }
        match &self.reading {
            LedgerReading::NotYet | LedgerReading::Off => {}
            LedgerReading::Read(summary, _) => {
                if !summary.totals.is_balanced() {
                    alerts.push(Alert::LedgerUnbalanced);
                }
                if dropped(summary) > 0 {
                    alerts.push(Alert::LedgerDropped);
                }
            }
            LedgerReading::Unreadable(_) => alerts.push(Alert::LedgerUnreadable),
        }
        alerts
    }
}

/// The number of cookies that are in no entry because the ledger's queue was full.
pub(super) fn dropped(summary: &LedgerSummary) -> u64 {
    let totals = &summary.totals;
    [totals.request.dropped, totals.response.dropped, totals.added.dropped].iter().sum()
}

/// The number of whole days until a certificate expires. `None`: it has expired.
pub(super) fn days_left(certificate: &CertificateReading, now_unix_s: u64) -> Option<u64> {
    let end = u64::try_from(certificate.not_after_unix_s).ok()?;
    end.checked_sub(now_unix_s).map(|seconds| seconds / 86_400)
}

fn of_server(server: &ServerState) -> Option<Alert> {
    let named = || server.address().to_string();
    match server.is_up() {
        Some(false) => Some(Alert::ServerDown { server: named() }),
        Some(true) | None if server.is_ejected() => Some(Alert::ServerEjected { server: named() }),
        Some(true) | None => None,
    }
}

/// One failed request in this many is an alert.
const FAILURE_SHARE: u64 = 20;
/// The least number of failed requests for an alert, so that one failure in a quiet night is none.
const MIN_FAILED: u64 = 3;

/// A certificate that expires within this many days is an alert. A 90-day certificate that is renewed 30 days before its
/// end has then missed its renewal.
pub(super) const SOON_DAYS: u64 = 21;
