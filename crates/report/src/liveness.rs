//! Whether the gateway was alive (A5), and when the books may be short.

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::{Happening, Period, books::add};
use crumbgate_ledger::{
    entry::{Event, EventKind, Heartbeat, Texts},
    line::rfc3339,
};

/// What the gateway's own heartbeats say.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Heartbeats {
    /// How many there are.
    pub count: u64,
    /// How many are missing between the first and the last: they count up without a gap.
    pub missing: u64,
    /// For how many seconds of the report's time the gateway was alive.
    pub alive_s: u64,
}

/// A stretch of time in which the gateway was not alive, or may not have written everything down.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Gap {
    /// When.
    #[serde(flatten)]
    pub period: Period,
    /// Why, as far as it is known.
    #[serde(serialize_with = "why")]
    pub why: Why,
    /// Cookies whose verdicts were lost; none: unknown, or none.
    pub cookies: Option<u64>,
    /// Requests, likewise.
    pub requests: Option<u64>,
    /// What became of pages, likewise.
    pub agreements: Option<u64>,
}

/// Why there is a gap.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Why {
    /// It is before the ledger's oldest heartbeat: never recorded, or removed when the retention was over.
    Before,
    /// The clock was set, or the machine slept.
    Clock,
    /// The ledger's file was damaged and set aside.
    Damage,
    /// The gateway was alive; there was no room for verdicts.
    Loss,
    /// The gateway was stopped.
    Stop,
    /// The gateway ended without writing everything down.
    UncleanStop,
    /// The ledger says nothing about it.
    Unknown,
}

impl Why {
    /// What the JSON says.
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

/// The gateway's heartbeats and events, all that the ledger has: what begins before a report's time explains what is
/// in it.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    alive: Vec<(Period, u64)>,
    events: Vec<Event>,
    /// How long the longest window is, in seconds.
    window_s: u64,
}

impl Liveness {
    /// Notes a heartbeat of the gateway itself.
    pub(super) fn add_heartbeat(&mut self, heartbeat: &Heartbeat) {
        let until_unix_s = heartbeat.until_unix_s.saturating_add(1);
        let alive = Period { since_unix_s: heartbeat.from_unix_s, until_unix_s };
        self.alive.push((alive, heartbeat.number));
        self.window_s = self.window_s.max(heartbeat.window.length_s.into());
    }

    pub(super) fn add_event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The versions that served in a period, each once.
    pub(super) fn versions(&self, period: Period) -> Vec<String> {
        let starts = self.events.iter().filter(|event| event.kind == EventKind::Start);
        let (before, within): (Vec<_>, Vec<_>) = starts
            .filter(|start| start.at_unix_s < period.until_unix_s)
            .partition(|start| start.at_unix_s < period.since_unix_s);
        let mut versions: Vec<String> = Vec::new();
        for start in before.into_iter().next_back().into_iter().chain(within) {
            let version = Detail::of(start).text("version");
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
    ) -> (Heartbeats, Vec<Gap>, Vec<Happening>) {
        self.alive.sort_unstable_by_key(|(alive, _)| alive.since_unix_s);
        let mut gaps = self.silences(period, now_unix_s);
        let told: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| told_gap(event, &gaps))
            .filter_map(|gap| Some(Gap { period: gap.period.within(period)?, ..gap }))
            .collect();
        gaps.extend(told);
        gaps.sort_by_key(|gap| gap.period.since_unix_s);
        let within = period.since_unix_s..period.until_unix_s;
        let events = self.events.iter().filter(|event| within.contains(&event.at_unix_s));
        let events = events.map(|event| Happening::of(event, texts)).collect();
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

    /// When no heartbeat says that the gateway was alive.
    fn silences(&self, period: Period, now_unix_s: u64) -> Vec<Gap> {
        let mut gaps = Vec::new();
        let mut known_until = None;
        for (alive, _) in &self.alive {
            let silence =
                Period { since_unix_s: known_until.unwrap_or(0), until_unix_s: alive.since_unix_s };
            let why = if known_until.is_none() { Why::Before } else { self.why(silence) };
            gaps.extend(gap(silence, why));
            known_until = known_until.max(Some(alive.until_unix_s));
        }
        // What is of the current window is not yet written, nor perhaps what is of the one before it.
        let written_unix_s = now_unix_s.saturating_sub(self.window_s.saturating_mul(2));
        let silence = Period {
            since_unix_s: known_until.unwrap_or(0),
            until_unix_s: period.until_unix_s.min(written_unix_s),
        };
        let why = if known_until.is_none() { Why::Before } else { self.why(silence) };
        gaps.extend(gap(silence, why));
        let clipped = |gap: Gap| Some(Gap { period: gap.period.within(period)?, ..gap });
        gaps.into_iter().filter_map(clipped).collect()
    }

    fn why(&self, silence: Period) -> Why {
        let wider = Period {
            since_unix_s: silence.since_unix_s.saturating_sub(EXACT_S),
            until_unix_s: silence.until_unix_s.saturating_add(EXACT_S),
        };
        let has = |kind| {
            self.events.iter().any(|event| {
                event.kind == kind && Detail::of(event).period(event.at_unix_s).overlaps(wider)
            })
        };
        match () {
            () if has(EventKind::UncleanStop) => Why::UncleanStop,
            () if has(EventKind::Damage) => Why::Damage,
            () if has(EventKind::Clock) => Why::Clock,
            () if has(EventKind::Stop) => Why::Stop,
            () => Why::Unknown,
        }
    }
}

/// A stretch without a heartbeat, if it is longer than heartbeats are exact.
fn gap(period: Period, why: Why) -> Option<Gap> {
    let is_gap = period.seconds() > EXACT_S;
    is_gap.then_some(Gap { period, why, cookies: None, requests: None, agreements: None })
}

/// The gap that an event tells of by itself, unless a silence shows the same.
fn told_gap(event: &Event, silences: &[Gap]) -> Option<Gap> {
    let detail = Detail::of(event);
    let period = detail.period(event.at_unix_s);
    let [cookies, requests, agreements] =
        ["cookies", "requests", "agreements"].map(|key| detail.number(key));
    let why = match event.kind {
        EventKind::Loss => Why::Loss,
        EventKind::UncleanStop => Why::UncleanStop,
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
    let is_shown = |gap: &Gap| gap.why == why && gap.period.overlaps(period);
    let is_new = why == Why::Loss || !silences.iter().any(is_shown);
    is_new.then_some(Gap { period, why, cookies, requests, agreements })
}

impl Happening {
    fn of(event: &Event, texts: &Texts) -> Self {
        let Event { at_unix_s, kind, tenant, .. } = *event;
        let tenant = tenant.map(|tenant| texts.get(tenant).to_owned());
        let (actor, detail) = (event.actor.clone(), Detail::of(event).readable());
        Self { at_unix_s, kind, tenant, actor, detail }
    }
}

/// What an event says beyond its kind.
struct Detail(serde_json::Map<String, Value>);

impl Detail {
    /// Empty where it is no JSON object.
    fn of(event: &Event) -> Self {
        Self(serde_json::from_str(&event.detail).unwrap_or_default())
    }

    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    fn number(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// A moment: seconds since the Unix epoch, or RFC 3339.
    fn moment(&self, key: &str) -> Option<u64> {
        let text = || {
            let format = &time::format_description::well_known::Rfc3339;
            let moment = time::OffsetDateTime::parse(self.0.get(key)?.as_str()?, format).ok()?;
            u64::try_from(moment.unix_timestamp()).ok()
        };
        self.number(key).or_else(text)
    }

    /// From `from` until `until`; the moment itself where it has no such keys.
    fn period(&self, at_unix_s: u64) -> Period {
        let since_unix_s = self.moment("from").unwrap_or(at_unix_s);
        let until_unix_s = self.moment("until").unwrap_or(at_unix_s);
        Period { since_unix_s, until_unix_s: until_unix_s.max(since_unix_s.saturating_add(1)) }
    }

    fn readable(&self) -> Vec<(String, String)> {
        let text = |key: &str, value: &Value| match (key, value) {
            ("from" | "until", _) => self.moment(key).map_or_else(|| value.to_string(), rfc3339),
            (_, Value::String(text)) => text.clone(),
            _ => value.to_string(),
        };
        self.0.iter().map(|(key, value)| (key.clone(), text(key, value))).collect()
    }
}

/// How exactly the gateway says until when it lived, in seconds.
const EXACT_S: u64 = 60;

fn why<S: Serializer>(why: &Why, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(why.word())
}
