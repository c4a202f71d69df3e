//! The times in which the gateway was running (A5), and those in which entries may be missing.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{
    period::Period,
    serialize::{moment, object, word},
    sum::add,
};
use crumbgate_base::text::rfc3339;
use crumbgate_ledger::entry::{Event, EventKind, Heartbeat, Texts};

/// The heartbeats of the gateway.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Heartbeats {
    /// The number of heartbeats.
    pub count: u64,
    /// The number of heartbeats missing between the first and the last, by their sequence numbers.
    pub missing: u64,
    /// The seconds of the report's period in which the gateway was running.
    pub alive_s: u64,
}

/// A period in which the gateway was not running, or may not have recorded everything.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// The period.
    #[serde(flatten)]
    pub period: Period,
    /// The reason, as far as it is known.
    #[serde(rename = "why", serialize_with = "reason")]
    pub reason: GapReason,
    /// Cookies whose verdicts were lost. `None`: unknown or none.
    pub cookies: Option<u64>,
    /// Requests whose verdicts were lost. `None`: unknown or none.
    pub requests: Option<u64>,
    /// Events of pages that were lost. `None`: unknown or none.
    pub agreements: Option<u64>,
}

/// The reason of a gap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GapReason {
    /// The time before the ledger's oldest heartbeat: never recorded, or removed after the retention time.
    Before,
    /// The clock was set, or the machine was suspended.
    Clock,
    /// The ledger's file was damaged and moved aside.
    Damage,
    /// The gateway was running, but the queue for verdicts was full.
    Loss,
    /// The gateway was stopped.
    Stop,
    /// The gateway ended without writing all entries.
    UncleanStop,
    /// The ledger has no reason.
    Unknown,
}

impl GapReason {
    /// The word in the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before the ledger",
            Self::Clock => "clock",
            Self::Damage => "damage",
            Self::Loss => "loss",
            Self::Stop => "stop",
            Self::UncleanStop => "unclean stop",
            Self::Unknown => "unknown",
        }
    }
}

/// An event of the ledger, with its details as text.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RecordedEvent {
    /// The time, in seconds since the Unix epoch.
    #[serde(rename = "at", serialize_with = "moment")]
    pub at_unix_s: u64,
    /// The kind of event.
    #[serde(serialize_with = "word")]
    pub kind: EventKind,
    /// The tenant. `None`: the event concerns the gateway.
    pub tenant: Option<String>,
    /// The person or program that caused it.
    pub actor: String,
    /// Details, as keys and values.
    #[serde(serialize_with = "object")]
    pub detail: Vec<(String, String)>,
}

/// All heartbeats and events of the ledger: those before the report's period may explain gaps in it.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    alive: Vec<(Period, u64)>,
    events: Vec<Event>,
    /// The length of the longest window, in seconds.
    window_s: u64,
}

impl Liveness {
    /// Adds a heartbeat of the gateway.
    pub(super) fn add_heartbeat(&mut self, heartbeat: &Heartbeat) {
        let until_unix_s = heartbeat.until_unix_s.saturating_add(1);
        let alive = Period { since_unix_s: heartbeat.from_unix_s, until_unix_s };
        self.alive.push((alive, heartbeat.number));
        self.window_s = self.window_s.max(heartbeat.window.length_s.into());
    }

    pub(super) fn add_event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The versions that ran in a period, without repetitions.
    pub(super) fn versions(&self, period: Period) -> Vec<String> {
        let starts = self.events.iter().filter(|event| event.kind == EventKind::Start);
        let (before, within): (Vec<_>, Vec<_>) = starts
            .filter(|start| start.at_unix_s < period.until_unix_s)
            .partition(|start| start.at_unix_s < period.since_unix_s);
        let mut versions: Vec<String> = Vec::new();
        for start in before.into_iter().next_back().into_iter().chain(within) {
            let version = EventDetail::of(start).text("version");
            versions.extend(version.filter(|version| !versions.contains(version)));
        }
        versions
    }

    /// The heartbeats, gaps and events of a period.
    pub(super) fn finish(
        mut self,
        period: Period,
        now_unix_s: u64,
        texts: &Texts,
    ) -> (Heartbeats, Vec<Gap>, Vec<RecordedEvent>) {
        self.alive.sort_unstable_by_key(|(alive, _)| alive.since_unix_s);
        let mut gaps = self.silences(period, now_unix_s);
        let reported: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| gap_of_event(event, &gaps))
            .filter_map(|gap| Some(Gap { period: gap.period.within(period)?, ..gap }))
            .collect();
        gaps.extend(reported);
        gaps.sort_by_key(|gap| gap.period.since_unix_s);
        let within = period.since_unix_s..period.until_unix_s;
        let events = self.events.iter().filter(|event| within.contains(&event.at_unix_s));
        let events = events.map(|event| RecordedEvent::of(event, texts)).collect();
        (self.heartbeats(period), gaps, events)
    }

    fn heartbeats(&self, period: Period) -> Heartbeats {
        let of_period = self.alive.iter().filter(|(alive, _)| alive.overlaps(period));
        let mut numbers: Vec<_> = of_period.clone().map(|(_, number)| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        let missing = numbers.windows(2).map(|pair| pair[1] - pair[0] - 1);
        let mut heartbeats = Heartbeats {
            count: numbers.len() as u64,
            missing: missing.fold(0, u64::saturating_add),
            alive_s: 0,
        };
        let mut known_until = period.since_unix_s;
        for (alive, _) in of_period {
            let end = alive.until_unix_s.min(period.until_unix_s);
            add(&mut heartbeats.alive_s, end.saturating_sub(alive.since_unix_s.max(known_until)));
            known_until = known_until.max(end);
        }
        heartbeats
    }

    /// The periods without heartbeats.
    fn silences(&self, period: Period, now_unix_s: u64) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut known_until = None;
        for (alive, _) in &self.alive {
            let silence =
                Period { since_unix_s: known_until.unwrap_or(0), until_unix_s: alive.since_unix_s };
            let reason =
                if known_until.is_none() { GapReason::Before } else { self.reason_of(silence) };
            gaps.extend(gap(silence, reason));
            known_until = known_until.max(Some(alive.until_unix_s));
        }
        // The entries of the current window, and possibly of the previous one, are not written yet.
        let written_unix_s = now_unix_s.saturating_sub(self.window_s.saturating_mul(2));
        let silence = Period {
            since_unix_s: known_until.unwrap_or(0),
            until_unix_s: period.until_unix_s.min(written_unix_s),
        };
        let reason =
            if known_until.is_none() { GapReason::Before } else { self.reason_of(silence) };
        gaps.extend(gap(silence, reason));
        let clipped = |gap: Gap| Some(Gap { period: gap.period.within(period)?, ..gap });
        gaps.into_iter().filter_map(clipped).collect()
    }

    fn reason_of(&self, silence: Period) -> GapReason {
        let wider = Period {
            since_unix_s: silence.since_unix_s.saturating_sub(PRECISION_S),
            until_unix_s: silence.until_unix_s.saturating_add(PRECISION_S),
        };
        let has = |kind| {
            self.events.iter().any(|event| {
                event.kind == kind && EventDetail::of(event).period(event.at_unix_s).overlaps(wider)
            })
        };
        match () {
            () if has(EventKind::UncleanStop) => GapReason::UncleanStop,
            () if has(EventKind::Damage) => GapReason::Damage,
            () if has(EventKind::Clock) => GapReason::Clock,
            () if has(EventKind::Stop) => GapReason::Stop,
            () => GapReason::Unknown,
        }
    }
}

/// A period without heartbeats, if it is longer than the precision of heartbeats.
fn gap(period: Period, reason: GapReason) -> Option<Gap> {
    let is_gap = period.seconds() > PRECISION_S;
    is_gap.then_some(Gap { period, reason, cookies: None, requests: None, agreements: None })
}

/// The gap that an event reports, unless a period without heartbeats already shows it.
fn gap_of_event(event: &Event, silences: &[Gap]) -> Option<Gap> {
    let detail = EventDetail::of(event);
    let period = detail.period(event.at_unix_s);
    let [cookies, requests, agreements] =
        ["cookies", "requests", "agreements"].map(|key| detail.number(key));
    let reason = match event.kind {
        EventKind::Loss => GapReason::Loss,
        EventKind::UncleanStop => GapReason::UncleanStop,
        EventKind::Clock
        | EventKind::Configuration
        | EventKind::Damage
        | EventKind::Declaration
        | EventKind::Key
        | EventKind::Prune
        | EventKind::Start
        | EventKind::Stop
        | EventKind::Tenant => return None,
    };
    // A loss of the guard's events alone is no gap: they are in no total. The event itself has their number.
    let is_counted = [cookies, requests, agreements].into_iter().flatten().any(|lost| lost > 0);
    if reason == GapReason::Loss && detail.number("guard_events").is_some() && !is_counted {
        return None;
    }
    let is_shown = |gap: &Gap| gap.reason == reason && gap.period.overlaps(period);
    let is_new = reason == GapReason::Loss || !silences.iter().any(is_shown);
    is_new.then_some(Gap { period, reason, cookies, requests, agreements })
}

impl RecordedEvent {
    fn of(event: &Event, texts: &Texts) -> Self {
        let Event { at_unix_s, kind, tenant, .. } = *event;
        let tenant = tenant.map(|tenant| texts.get(tenant).to_owned());
        let (actor, detail) = (event.actor.clone(), EventDetail::of(event).readable());
        Self { at_unix_s, kind, tenant, actor, detail }
    }
}

/// The details of an event.
struct EventDetail(serde_json::Map<String, Value>);

impl EventDetail {
    /// Empty where the details are not a JSON object.
    fn of(event: &Event) -> Self {
        Self(serde_json::from_str(&event.detail).unwrap_or_default())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// A time: seconds since the Unix epoch, or RFC 3339.
    fn time(&self, key: &str) -> Option<u64> {
        let text = || {
            let format = &time::format_description::well_known::Rfc3339;
            let moment = time::OffsetDateTime::parse(self.0.get(key)?.as_str()?, format).ok()?;
            u64::try_from(moment.unix_timestamp()).ok()
        };
        self.number(key).or_else(text)
    }

    /// The period from `from` to `until`, or the second of the event where it has no such keys.
    fn period(&self, at_unix_s: u64) -> Period {
        let since_unix_s = self.time("from").unwrap_or(at_unix_s);
        let until_unix_s = self.time("until").unwrap_or(at_unix_s);
        Period { since_unix_s, until_unix_s: until_unix_s.max(since_unix_s.saturating_add(1)) }
    }

    fn readable(&self) -> Vec<(String, String)> {
        let text = |key: &str, value: &Value| match (key, value) {
            ("from" | "until", _) => self.time(key).map_or_else(|| value.to_string(), rfc3339),
            (_, Value::String(text)) => text.clone(),
            _ => value.to_string(),
        };
        self.0.iter().map(|(key, value)| (key.clone(), text(key, value))).collect()
    }
}

/// The precision of the end of a heartbeat, in seconds.
const PRECISION_S: u64 = 60;

fn reason<S: Serializer>(reason: &GapReason, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(reason.word())
}
