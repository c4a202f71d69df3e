//! What there is to see at a moment, gathered from wherever it is known.

use std::sync::Arc;

use super::{
    evidence::{Evidence, Seen},
    pace::{Pace, Spell},
};
use crate::{
    admin::routes::waiting,
    clock::Clock,
    gateway::{Control, NotReady, Status},
    metrics::CertificateReading,
    proxy::upstream::{ServerState, Shared},
    report::overview::Look,
};

/// A reading of all that the panels show.
pub(super) struct Sight {
    pub(super) now_unix_s: u64,
    pub(super) status: Status,
    pub(super) readiness: Result<(), NotReady>,
    pub(super) minute: Spell,
    pub(super) history: Vec<Option<Spell>>,
    pub(super) upstreams: Vec<Arc<Shared>>,
    pub(super) certificates: Vec<CertificateReading>,
    pub(super) ledger: Ledger,
    /// See [`Control::tenants_version`].
    pub(super) tenants_version: String,
}

/// What is known of the ledger.
pub(super) struct Ledger {
    pub(super) seen: Seen,
    pub(super) is_failing: bool,
    pub(super) waiting: u64,
}

/// Something that an operator should look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Concern {
    CertificateEnds { file: String, days: u64 },
    CertificateExpired { file: String },
    Draining,
    LedgerDropped,
    LedgerFailing,
    LedgerUnbalanced,
    LedgerUnreadable,
    ManyFail { failed: u64, requests: u64 },
    NotReady,
    ReloadRefused,
    ServerDown { server: String },
    ServerEjected { server: String },
}

impl Sight {
    pub(super) async fn of(
        control: &Control,
        clock: &Clock,
        pace: &Arc<Pace>,
        evidence: &Arc<Evidence>,
    ) -> Self {
        let seen = evidence.look(control).await;
        let now_unix_s = clock.now().unix_s;
        let (control, pace) = (control.clone(), Arc::clone(pace));
        waiting(move || Self::gather(&control, now_unix_s, &pace, seen)).await
    }

    fn gather(control: &Control, now_unix_s: u64, pace: &Pace, seen: Seen) -> Self {
        let ledger = control.ledger();
        Self {
            now_unix_s,
            status: control.status(),
            readiness: control.readiness(),
            minute: pace.minute(),
            history: pace.history(),
            upstreams: control.upstreams(),
            certificates: control.certificates(),
            ledger: Ledger {
                seen,
                is_failing: ledger.as_ref().is_some_and(|ledger| ledger.is_failing()),
                waiting: ledger.as_ref().map_or(0, |ledger| ledger.waiting()),
            },
            tenants_version: control.tenants_version(),
        }
    }

    /// What an operator should look at, the most urgent first.
    pub(super) fn concerns(&self) -> Vec<Concern> {
        let mut concerns = Vec::new();
        match self.readiness {
            Ok(()) => {}
            Err(NotReady::Draining) => concerns.push(Concern::Draining),
            Err(NotReady::NoUpstream) => concerns.push(Concern::NotReady),
        }
        let counted = &self.minute.counted;
        if counted.failed >= LEAST_FAILED && counted.failed.saturating_mul(MANY) >= counted.requests
        {
            let (failed, requests) = (counted.failed, counted.requests);
            concerns.push(Concern::ManyFail { failed, requests });
        }
        let servers = self.upstreams.iter().flat_map(|upstream| upstream.servers().iter());
        concerns.extend(servers.filter_map(|server| of_server(server)));
        concerns.extend(self.certificates.iter().filter_map(|one| self.of_certificate(one)));
        if self.status.last_reload.is_refused {
            concerns.push(Concern::ReloadRefused);
        }
        concerns.extend(self.ledger.concerns());
        concerns
    }

    fn of_certificate(&self, certificate: &CertificateReading) -> Option<Concern> {
        let file = certificate.file.clone();
        match days_left(certificate, self.now_unix_s) {
            None => Some(Concern::CertificateExpired { file }),
            Some(days) if days < SOON_DAYS => Some(Concern::CertificateEnds { file, days }),
            Some(_) => None,
        }
    }
}

impl Ledger {
    fn concerns(&self) -> Vec<Concern> {
        let mut concerns = Vec::new();
        if self.is_failing {
            concerns.push(Concern::LedgerFailing);
        }
        match &self.seen {
            Seen::NotYet | Seen::Off => {}
            Seen::Read(look, _) => {
                if !look.books.balance() {
                    concerns.push(Concern::LedgerUnbalanced);
                }
                if dropped(look) > 0 {
                    concerns.push(Concern::LedgerDropped);
                }
            }
            Seen::Unreadable(_) => concerns.push(Concern::LedgerUnreadable),
        }
        concerns
    }
}

/// Cookies that are in no entry, for want of room.
pub(super) fn dropped(look: &Look) -> u64 {
    let books = &look.books;
    [books.request.dropped, books.response.dropped, books.added.dropped].iter().sum()
}

/// Whole days that a certificate holds yet; none: it has expired.
pub(super) fn days_left(certificate: &CertificateReading, now_unix_s: u64) -> Option<u64> {
    let end = u64::try_from(certificate.not_after_unix_s).ok()?;
    end.checked_sub(now_unix_s).map(|seconds| seconds / 86_400)
}

fn of_server(server: &ServerState) -> Option<Concern> {
    let named = || server.address().to_string();
    match server.is_up() {
        Some(false) => Some(Concern::ServerDown { server: named() }),
        Some(true) | None if server.is_ejected() => {
            Some(Concern::ServerEjected { server: named() })
        }
        Some(true) | None => None,
    }
}

/// Many fail where one of so many does.
const MANY: u64 = 20;
/// And so many at least: one failure in a quiet night is none of many.
const LEAST_FAILED: u64 = 3;

/// A certificate that ends within so many days is told of: renewals at a third of 90 days have failed by then.
pub(super) const SOON_DAYS: u64 = 21;
