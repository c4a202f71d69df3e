//! Answers beacons: a browser reports the names that scripts of a page tried to set (W7). The application never receives
//! them.
//!
//! Anybody can post a beacon, so its answer says nothing about what became of it, its body is short, and only some are
//! read in a second.

use std::{cell::Cell, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::super::{
    agreement::form, body::Body, downstream::Exchange, judged::Judged, recorder::Recorder,
};
use crate::metrics::{BeaconOutcome, WorkerMetrics};
use crumbgate_audit::{ScriptedKind, read_beacon};
use crumbgate_pages::page::settings::{PagePath, PageRoute};
use crumbgate_policy::{GuardMode, Policy};

/// A request to the place of beacons.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Beacon {
    /// Its method is not `POST`.
    NotAllowed,
    /// Reports names.
    Report,
}

impl Beacon {
    /// Reads a request to `target` as a beacon; `None` if it is for the application, as it is where the guard is off. The
    /// gateway answers beacons in report mode too.
    pub fn of(
        path: Option<&PagePath>,
        policy: &Policy,
        target: &str,
        method: &Method,
    ) -> Option<Self> {
        if policy.guard == GuardMode::Off || path?.place(target)? != PageRoute::Seen {
            return None;
        }
        Some(if *method == Method::POST { Self::Report } else { Self::NotAllowed })
    }

    /// Returns the status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::NotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Report => StatusCode::NO_CONTENT,
        }
    }

    /// Answers a request. Reads the body of a report first.
    pub(in super::super) async fn answer(
        self,
        exchange: &Exchange<'_>,
        judged: &Judged<'_>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if self == Self::Report {
            // Boxed: a beacon is rare, and must not make every exchange's future larger.
            Box::pin(receive(exchange, judged, request)).await;
        }
        let mut response = Response::new(Body::none());
        *response.status_mut() = self.status();
        let fields = response.headers_mut();
        fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::NotAllowed {
            fields.insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        exchange.own(response)
    }
}

/// Returns the beacon that a judged request is.
pub(in super::super) fn of(exchange: &Exchange<'_>, judged: &Judged<'_>) -> Option<Beacon> {
    let (path, admitted) = (exchange.config.snapshot.page.path.as_ref(), judged.admitted);
    Beacon::of(path, &judged.tenant().policy, admitted.uri.path(), &admitted.method)
}

/// Reads a report, and counts its names.
async fn receive(exchange: &Exchange<'_>, judged: &Judged<'_>, request: Request<Incoming>) {
    let (recorder, metrics) = (&judged.admitted.tenant.recorder, &exchange.worker().metrics);
    let (fields, body) = request.into_parts();
    let outcome = if !form::is_same_origin(&fields.headers, &judged.admitted.authority) {
        BeaconOutcome::CrossSite
    } else if !recorder.admits_beacon(exchange.received.uptime_s) {
        BeaconOutcome::Dropped
    } else {
        match read_body(body).await {
            Some(body) => {
                if judged.admitted.version != Version::HTTP_2 {
                    exchange.downstream.activity.note_body_read();
                }
                count_names(&body, recorder, metrics);
                BeaconOutcome::Accepted
            }
            None => BeaconOutcome::Incomplete,
        }
    };
    metrics.count_beacon(outcome);
}

/// Reads the body; `None` if it is too large, too slow, or ends early.
async fn read_body(body: Incoming) -> Option<Bytes> {
    let body = Limited::new(body, MAX_BODY_BYTES).collect();
    let collected = tokio::time::timeout(BODY_TIMEOUT, body).await.ok()?.ok()?;
    Some(collected.to_bytes())
}

fn count_names(body: &[u8], recorder: &Recorder, metrics: &WorkerMetrics) {
    let declaration = &recorder.tenant().policy.declaration;
    let unix_s = recorder.unix_s();
    for (kind, name) in read_beacon(body) {
        let is_cookie = kind == ScriptedKind::Cookie;
        // The script may have no declared name before an agreement, and then reports them too.
        if is_cookie && declaration.cookies().iter().any(|cookie| cookie.name.as_bytes() == name) {
            continue;
        }
        metrics.count_scripted_name(kind);
        recorder.count_scripted(kind, name, unix_s);
    }
}

/// The number of beacons of one tenant that one worker reads in a second.
#[derive(Debug, Default)]
pub(in super::super) struct BeaconLimit {
    /// The current second of the process's uptime, and the beacons in it.
    second: Cell<(u32, u32)>,
}

impl BeaconLimit {
    /// Counts a beacon; returns false if it is one too many.
    pub(in super::super) fn admits(&self, uptime_s: u32) -> bool {
        let (second, count) = self.second.get();
        let count = if second == uptime_s { count } else { 0 };
        if count >= MAX_BEACONS_PER_SECOND {
            return false;
        }
        self.second.set((uptime_s, count + 1));
        true
    }
}

/// The limit on a report's body. The guard's script reports at most 64 names.
const MAX_BODY_BYTES: usize = 16 << 10;

/// The time in which the whole body must arrive. Browsers send it with the head.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit on beacons of one tenant that one worker reads in a second. Further ones are counted as dropped.
const MAX_BEACONS_PER_SECOND: u32 = 20;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crumbgate_policy::{Mode, declaration::Declaration};

    #[test]
    fn w7_only_a_post_to_the_place_of_beacons_of_a_tenant_with_a_guard_is_one() {
        let path = PagePath::well_known();
        let seen = path.of(PageRoute::Seen);
        let policy =
            |guard, mode| Policy { guard, mode, ..Policy::new(Arc::new(Declaration::flexopus())) };
        for (guard, mode, target, method, expected) in [
            (GuardMode::Watch, Mode::Enforce, &*seen, Method::POST, Some(Beacon::Report)),
            (GuardMode::Enforce, Mode::Report, &seen, Method::POST, Some(Beacon::Report)),
            (GuardMode::Watch, Mode::Enforce, &seen, Method::GET, Some(Beacon::NotAllowed)),
            (GuardMode::Watch, Mode::Enforce, &seen, Method::OPTIONS, Some(Beacon::NotAllowed)),
            (GuardMode::Off, Mode::Enforce, &seen, Method::POST, None),
            (GuardMode::Watch, Mode::Enforce, "/seen", Method::POST, None),
            (GuardMode::Watch, Mode::Enforce, path.as_str(), Method::POST, None),
        ] {
            let policy = policy(guard, mode);
            assert_eq!(Beacon::of(Some(&path), &policy, target, &method), expected, "{target}");
            assert_eq!(Beacon::of(None, &policy, target, &method), None);
        }
    }

    #[test]
    fn a_worker_reads_a_limited_number_of_beacons_in_a_second() {
        let limit = BeaconLimit::default();
        let admitted = |uptime_s| (0..100).filter(|_| limit.admits(uptime_s)).count();
        let expected = MAX_BEACONS_PER_SECOND as usize;
        assert_eq!([7, 7, 8, 20].map(admitted), [expected, 0, expected, expected]);
    }
}
