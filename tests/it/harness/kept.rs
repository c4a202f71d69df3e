//! A ledger, read whole, with its texts in place of their numbers.

use std::{collections::BTreeMap, path::Path};

use crumbgate_audit::{AgreementEvent, Figures, GuardEvent, Window};
use crumbgate_ledger::{
    entry::{Entry, EventKind, Segment},
    progress::Progress,
    read::{ReadError, Reader},
    verify::{Expected, verify_ledger},
};
use crumbgate_policy::{
    GuardMode, Mode,
    requested::RequestedLifetime,
    verdict::{Action, Direction},
};
use serde_json::Value;

/// The content of a ledger.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) verdicts: Vec<Verdicts>,
    pub(crate) agreements: Vec<Agreement>,
    pub(crate) guards: Vec<Guard>,
    /// The pages, by their hashes.
    pub(crate) pages: BTreeMap<String, String>,
    pub(crate) heartbeats: Vec<Heartbeat>,
    pub(crate) events: Vec<(EventKind, Value)>,
    /// Changes of tenants: whose, by whom, and the detail.
    pub(crate) changes: Vec<(String, String, Value)>,
    pub(crate) segments: Vec<Segment>,
}

/// An entry of verdicts.
#[derive(Clone, Debug)]
pub(crate) struct Verdicts {
    pub(crate) window: Window,
    pub(crate) tenant: String,
    pub(crate) mode: Mode,
    pub(crate) direction: Direction,
    pub(crate) action: Action,
    pub(crate) name: Option<String>,
    pub(crate) lifetime: Option<RequestedLifetime>,
    pub(crate) granted_s: Option<u32>,
    pub(crate) route: String,
    pub(crate) declaration: String,
    pub(crate) count: u64,
    pub(crate) first_unix_s: u64,
    pub(crate) last_unix_s: u64,
    pub(crate) attributes: Vec<&'static str>,
}

/// An event of a page.
#[derive(Clone, Debug)]
pub(crate) struct Agreement {
    pub(crate) window: Window,
    pub(crate) tenant: String,
    pub(crate) event: AgreementEvent,
    /// The hash of the page.
    pub(crate) page: String,
    pub(crate) declaration: String,
    pub(crate) count: u64,
    pub(crate) first_unix_s: u64,
    pub(crate) last_unix_s: u64,
}

/// An event of the guard.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Guard {
    pub(crate) tenant: String,
    pub(crate) mode: GuardMode,
    pub(crate) event: GuardEvent,
    pub(crate) name: Option<String>,
    pub(crate) count: u64,
}

/// A heartbeat; without a tenant it is the gateway's own.
#[derive(Clone, Debug)]
pub(crate) struct Heartbeat {
    pub(crate) window: Window,
    pub(crate) tenant: Option<String>,
    pub(crate) number: u64,
    pub(crate) requests: u64,
    pub(crate) seen: Figures,
    pub(crate) dropped: Figures,
}

impl Kept {
    /// Reads a ledger that a gateway has left, and verifies it; a test that can't, fails.
    #[track_caller]
    pub(crate) fn read(path: &Path) -> Self {
        let verified = verify_ledger(path, &Expected::default(), &Progress::default()).unwrap();
        verified.unwrap_or_else(|finding| panic!("it does not verify: {finding}"));
        Self::try_read(path).unwrap()
    }

    /// Reads a ledger, if it can be read now.
    pub(crate) fn try_read(path: &Path) -> Result<Self, ReadError> {
        let reader = Reader::open(path)?;
        let texts = reader.texts();
        let mut kept = Self { segments: reader.segments()?, ..Self::default() };
        reader.entries(1, u64::MAX, |_, entry| {
            match entry {
                Entry::Agreement(agreement) => kept.agreements.push(Agreement {
                    window: agreement.window,
                    tenant: texts.get(agreement.tenant).to_owned(),
                    event: agreement.event,
                    page: texts.get(agreement.page).to_owned(),
                    declaration: texts.get(agreement.declaration).to_owned(),
                    count: agreement.count,
                    first_unix_s: agreement.first_unix_s,
                    last_unix_s: agreement.last_unix_s,
                }),
                Entry::Event(event) => {
                    let detail: Value = serde_json::from_str(&event.detail).unwrap();
                    if let Some(tenant) = event.tenant {
                        let tenant = texts.get(tenant).to_owned();
                        kept.changes.push((tenant, event.actor.clone(), detail.clone()));
                    }
                    kept.events.push((event.kind, detail));
                }
                Entry::Guard(guard) => kept.guards.push(Guard {
                    tenant: texts.get(guard.tenant).to_owned(),
                    mode: guard.mode,
                    event: guard.event,
                    name: guard.name,
                    count: guard.count,
                }),
                Entry::Heartbeat(heartbeat) => kept.heartbeats.push(Heartbeat {
                    window: heartbeat.window,
                    tenant: heartbeat.tenant.map(|tenant| texts.get(tenant).to_owned()),
                    number: heartbeat.number,
                    requests: heartbeat.requests,
                    seen: heartbeat.seen,
                    dropped: heartbeat.dropped,
                }),
                Entry::Verdicts(verdicts) => kept.verdicts.push(Verdicts {
                    window: verdicts.window,
                    tenant: texts.get(verdicts.tenant).to_owned(),
                    mode: verdicts.mode,
                    direction: verdicts.direction,
                    action: verdicts.action,
                    name: verdicts.name.map(|name| texts.get(name).to_owned()),
                    lifetime: verdicts.lifetime,
                    granted_s: verdicts.granted_s,
                    route: texts.get(verdicts.route).to_owned(),
                    declaration: texts.get(verdicts.declaration).to_owned(),
                    count: verdicts.count,
                    first_unix_s: verdicts.first_unix_s,
                    last_unix_s: verdicts.last_unix_s,
                    attributes: verdicts.attributes.words().collect(),
                }),
            }
            Ok::<_, ReadError>(())
        })?;
        reader.pages(|hash, html| {
            kept.pages.insert(hash.to_owned(), String::from_utf8(html.to_vec()).unwrap());
            Ok::<_, ReadError>(())
        })?;
        Ok(kept)
    }

    /// The number of times that a verdict was reached for a tenant.
    pub(crate) fn count(&self, tenant: &str, direction: Direction, action: Action) -> u64 {
        let of = |row: &&Verdicts| {
            row.tenant == tenant && row.direction == direction && row.action == action
        };
        self.verdicts.iter().filter(of).map(|row| row.count).sum()
    }

    /// The number of times that an event happened to the pages of a tenant.
    pub(crate) fn agreements(&self, tenant: &str, event: AgreementEvent) -> u64 {
        let of = |row: &&Agreement| row.tenant == tenant && row.event == event;
        self.agreements.iter().filter(of).map(|row| row.count).sum()
    }

    /// The heartbeats of a tenant, or the gateway's own.
    pub(crate) fn heartbeats_of(&self, tenant: Option<&str>) -> Vec<&Heartbeat> {
        let of = |beat: &&Heartbeat| beat.tenant.as_deref() == tenant;
        self.heartbeats.iter().filter(of).collect()
    }

    /// Requests of a tenant, by its heartbeats.
    pub(crate) fn requests(&self, tenant: &str) -> u64 {
        self.heartbeats_of(Some(tenant)).iter().map(|beat| beat.requests).sum()
    }

    /// The details of the events of a kind.
    pub(crate) fn events_of(&self, kind: EventKind) -> Vec<&Value> {
        self.events.iter().filter(|(other, _)| *other == kind).map(|(_, detail)| detail).collect()
    }

    /// Each window and tenant: what was seen is in the entries, or counted as dropped (A1).
    #[track_caller]
    pub(crate) fn assert_balanced(&self) {
        let mut tenants: Vec<_> =
            self.heartbeats.iter().map(|beat| (beat.window, beat.tenant.clone())).collect();
        tenants.sort();
        tenants.dedup();
        for (window, tenant) in tenants {
            let (mut seen, mut counted) = (Figures::default(), Figures::default());
            let of = |beat: &&Heartbeat| beat.window == window && beat.tenant == tenant;
            for beat in self.heartbeats.iter().filter(of) {
                seen.add(beat.seen);
                counted.add(beat.dropped);
            }
            let of = |row: &&Verdicts| row.window == window && Some(&row.tenant) == tenant.as_ref();
            for row in self.verdicts.iter().filter(of) {
                *counted.of(row.direction, row.action) += row.count;
            }
            let of =
                |row: &&Agreement| row.window == window && Some(&row.tenant) == tenant.as_ref();
            for row in self.agreements.iter().filter(of) {
                counted.agreements += row.count;
            }
            assert_eq!(seen, counted, "{tenant:?} in {window:?}");
        }
    }
}
