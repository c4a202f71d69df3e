//! Whether what was seen is all accounted for (A1).

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::agreement::Times;
use crumbgate_ledger::entry::{Agreement, Heartbeat, Verdicts};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Direction},
};

/// What one tenant's traffic, or all of it, adds up to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Books {
    /// Requests of which the cookies were judged.
    pub requests: u64,
    /// Cookies of requests.
    pub request: Side,
    /// Cookies of responses.
    pub response: Side,
    /// Cookies that the gateway added to responses.
    pub added: Added,
    /// What became of the gateway's own pages.
    pub agreements: Agreements,
}

/// Cookies of one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Side {
    /// How many were counted, by the counters that the metrics show.
    pub seen: u64,
    /// How many went on as they came.
    pub kept: u64,
    /// How many left with the declaration's attributes.
    pub rewritten: u64,
    /// How many were stripped, by the verdict.
    pub stripped: u64,
    /// How many of those went on all the same, because the tenant was in report mode.
    pub only_watched: u64,
    /// How many have no verdict in the ledger, because there was no room.
    pub dropped: u64,
}

/// Cookies that the gateway added.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Added {
    /// How many were counted.
    pub counted: u64,
    /// Names that browsers were told to delete.
    pub evicted: u64,
    /// How many of those were not sent, because the tenant was in report mode.
    pub evicted_only_watched: u64,
    /// Declared cookies that browsers had not.
    pub injected: u64,
    /// Declared cookies that were set again.
    pub renewed: u64,
    /// How many are not in the ledger.
    pub dropped: u64,
}

/// What became of pages: no cookies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Agreements {
    /// How often anything was counted, by the counters that the metrics show.
    pub counted: u64,
    /// How often what, by the entries.
    pub times: Times,
    /// How often it is in no entry, because there was no room.
    pub dropped: u64,
}

/// The books of one tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TenantBooks {
    /// Its name.
    pub tenant: String,
    /// The modes that it was in.
    #[serde(serialize_with = "words")]
    pub modes: Vec<Mode>,
    /// Its sums.
    pub books: Books,
}

impl Books {
    /// Counts what a tenant's heartbeat says.
    pub(crate) fn add_heartbeat(&mut self, heartbeat: &Heartbeat) {
        add(&mut self.requests, heartbeat.requests);
        add(&mut self.request.seen, heartbeat.seen.request);
        add(&mut self.request.dropped, heartbeat.dropped.request);
        add(&mut self.response.seen, heartbeat.seen.response);
        add(&mut self.response.dropped, heartbeat.dropped.response);
        add(&mut self.added.counted, heartbeat.seen.added);
        add(&mut self.added.dropped, heartbeat.dropped.added);
        add(&mut self.agreements.counted, heartbeat.seen.agreements);
        add(&mut self.agreements.dropped, heartbeat.dropped.agreements);
    }

    /// Counts what became of a page.
    pub(crate) fn add_agreement(&mut self, agreement: &Agreement) {
        self.agreements.times.count(agreement.event, agreement.count);
    }

    /// Counts verdicts.
    pub(crate) fn add_verdicts(&mut self, verdicts: &Verdicts) {
        let side = match verdicts.direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        };
        let sum = match verdicts.action {
            Action::Evict => {
                if verdicts.mode == Mode::Report {
                    add(&mut self.added.evicted_only_watched, verdicts.count);
                }
                &mut self.added.evicted
            }
            Action::Inject => &mut self.added.injected,
            Action::Keep => &mut side.kept,
            Action::Renew => &mut self.added.renewed,
            Action::Rewrite => &mut side.rewritten,
            Action::Strip(_) => {
                if verdicts.mode == Mode::Report {
                    add(&mut side.only_watched, verdicts.count);
                }
                &mut side.stripped
            }
        };
        add(sum, verdicts.count);
    }

    /// Adds another's.
    pub(crate) fn add(&mut self, other: &Self) {
        add(&mut self.requests, other.requests);
        self.request.add(&other.request);
        self.response.add(&other.response);
        add(&mut self.added.counted, other.added.counted);
        add(&mut self.added.evicted, other.added.evicted);
        add(&mut self.added.evicted_only_watched, other.added.evicted_only_watched);
        add(&mut self.added.injected, other.added.injected);
        add(&mut self.added.renewed, other.added.renewed);
        add(&mut self.added.dropped, other.added.dropped);
        add(&mut self.agreements.counted, other.agreements.counted);
        self.agreements.times.add(&other.agreements.times);
        add(&mut self.agreements.dropped, other.agreements.dropped);
    }

    /// Whether each cookie that was counted has its verdict, or is known to have none; and so with what became of pages.
    pub fn balance(&self) -> bool {
        self.differences() == [0; 4]
    }

    /// What is left over: cookies of requests, of responses, added ones; and agreements.
    pub fn differences(&self) -> [i64; 4] {
        [
            self.request.difference(),
            self.response.difference(),
            self.added.difference(),
            self.agreements.difference(),
        ]
    }

    /// Cookies that went on by the verdict.
    pub fn passed(&self) -> u64 {
        [&self.request, &self.response]
            .iter()
            .fold(0, |sum, side| sum.saturating_add(side.kept).saturating_add(side.rewritten))
    }

    /// Cookies that were stripped and did not go on.
    pub fn held_back(&self) -> u64 {
        [&self.request, &self.response].iter().fold(0, |sum, side| {
            sum.saturating_add(side.stripped).saturating_sub(side.only_watched)
        })
    }

    /// Cookies that would have been stripped.
    pub fn only_watched(&self) -> u64 {
        self.request.only_watched.saturating_add(self.response.only_watched)
    }

    /// Evictions that left for a browser.
    pub fn evictions_sent(&self) -> u64 {
        self.added.evicted.saturating_sub(self.added.evicted_only_watched)
    }

    /// Cookies that were counted.
    pub fn seen(&self) -> u64 {
        self.request.seen.saturating_add(self.response.seen)
    }
}

impl Side {
    /// Seen without a verdict (positive), or verdicts on what was not seen (negative).
    pub fn difference(&self) -> i64 {
        difference(self.seen, [self.kept, self.rewritten, self.stripped, self.dropped])
    }

    fn add(&mut self, other: &Self) {
        add(&mut self.seen, other.seen);
        add(&mut self.kept, other.kept);
        add(&mut self.rewritten, other.rewritten);
        add(&mut self.stripped, other.stripped);
        add(&mut self.only_watched, other.only_watched);
        add(&mut self.dropped, other.dropped);
    }
}

impl Added {
    /// Counted and not written down (positive), or the reverse (negative).
    pub fn difference(&self) -> i64 {
        difference(self.counted, [self.evicted, self.injected, self.renewed, self.dropped])
    }
}

impl Agreements {
    /// Counted and not written down (positive), or the reverse (negative).
    pub fn difference(&self) -> i64 {
        let Times { shown, agreed, declined, withdrawn } = self.times;
        difference(self.counted, [shown, agreed, declined, withdrawn, self.dropped])
    }
}

impl Serialize for Side {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut side = serializer.serialize_struct("Side", 7)?;
        side.serialize_field("seen", &self.seen)?;
        side.serialize_field("kept", &self.kept)?;
        side.serialize_field("rewritten", &self.rewritten)?;
        side.serialize_field("stripped", &self.stripped)?;
        side.serialize_field("only_watched", &self.only_watched)?;
        side.serialize_field("dropped", &self.dropped)?;
        side.serialize_field("difference", &self.difference())?;
        side.end()
    }
}

impl Serialize for Added {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut added = serializer.serialize_struct("Added", 7)?;
        added.serialize_field("counted", &self.counted)?;
        added.serialize_field("evicted", &self.evicted)?;
        added.serialize_field("evicted_only_watched", &self.evicted_only_watched)?;
        added.serialize_field("injected", &self.injected)?;
        added.serialize_field("renewed", &self.renewed)?;
        added.serialize_field("dropped", &self.dropped)?;
        added.serialize_field("difference", &self.difference())?;
        added.end()
    }
}

impl Serialize for Agreements {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut agreements = serializer.serialize_struct("Agreements", 7)?;
        agreements.serialize_field("counted", &self.counted)?;
        agreements.serialize_field("shown", &self.times.shown)?;
        agreements.serialize_field("agreed", &self.times.agreed)?;
        agreements.serialize_field("declined", &self.times.declined)?;
        agreements.serialize_field("withdrawn", &self.times.withdrawn)?;
        agreements.serialize_field("dropped", &self.dropped)?;
        agreements.serialize_field("difference", &self.difference())?;
        agreements.end()
    }
}

fn words<S: Serializer>(modes: &[Mode], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(modes.iter().map(|mode| mode.word()))
}

/// Adds as far as the number reaches: a damaged ledger may hold any count.
pub(super) fn add(sum: &mut u64, count: u64) {
    *sum = sum.saturating_add(count);
}

fn difference<const N: usize>(counted: u64, accounted: [u64; N]) -> i64 {
    let accounted: i128 = accounted.into_iter().map(i128::from).sum();
    let difference = i128::from(counted) - accounted;
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}
