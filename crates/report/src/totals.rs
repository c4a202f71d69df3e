//! Totals of a report, and whether they balance (A1).

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::sum::add;
use crumbgate_ledger::entry::{Agreement, AgreementEvent, Heartbeat, Verdicts};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Direction},
};

/// The totals of one tenant, or of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Requests whose cookies were judged.
    pub requests: u64,
    /// Cookies of requests.
    pub request: DirectionTotals,
    /// Cookies of responses.
    pub response: DirectionTotals,
    /// Cookies that the gateway added to responses.
    pub added: AddedTotals,
    /// The counts of the gateway's own pages.
    pub agreements: AgreementTotals,
}

/// Cookies of one direction.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct DirectionTotals {
    /// Cookies counted by the counters that the metrics show.
    pub seen: u64,
    /// Cookies that were forwarded unchanged.
    pub kept: u64,
    /// Cookies that were forwarded with the declaration's attributes.
    pub rewritten: u64,
    /// Cookies with the verdict to strip.
    pub stripped: u64,
    /// Stripped cookies that were still forwarded because the tenant was in report mode.
    pub only_watched: u64,
    /// Cookies without a verdict in the ledger because its queue was full.
    pub dropped: u64,
}

/// Cookies that the gateway added.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AddedTotals {
    /// Cookies counted by the counters that the metrics show.
    pub counted: u64,
    /// Names that browsers were asked to delete.
    pub evicted: u64,
    /// Evictions that were not sent because the tenant was in report mode.
    pub evicted_only_watched: u64,
    /// Declared cookies that the browser did not have.
    pub injected: u64,
    /// Declared cookies that were set again.
    pub renewed: u64,
    /// Cookies without an entry in the ledger because its queue was full.
    pub dropped: u64,
}

/// Totals of the gateway's own pages. They are not cookies.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AgreementTotals {
    /// Events counted by the counters that the metrics show.
    pub counted: u64,
    /// Events recorded by entries.
    pub counts: AgreementCounts,
    /// Events without an entry because the ledger's queue was full.
    pub dropped: u64,
}

/// Counts of the events of pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct AgreementCounts {
    /// Pages that were shown.
    pub shown: u64,
    /// Presses of the button "agree".
    pub agreed: u64,
    /// Presses of the button "decline".
    pub declined: u64,
    /// Presses of the button "withdraw".
    pub withdrawn: u64,
}

/// The totals of one tenant.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TenantTotals {
    /// The tenant's name.
    pub tenant: String,
    /// The modes in which the tenant was.
    #[serde(serialize_with = "words")]
    pub modes: Vec<Mode>,
    /// The totals.
    #[serde(rename = "books")]
    pub totals: Totals,
}

impl AgreementCounts {
    /// Adds an entry.
    pub(super) fn count(&mut self, event: AgreementEvent, count: u64) {
        let times = match event {
            AgreementEvent::Agreed => &mut self.agreed,
            AgreementEvent::Declined => &mut self.declined,
            AgreementEvent::Shown => &mut self.shown,
            AgreementEvent::Withdrawn => &mut self.withdrawn,
        };
        add(times, count);
    }

    /// Adds other counts.
    pub(super) fn add(&mut self, other: &Self) {
        add(&mut self.shown, other.shown);
        add(&mut self.agreed, other.agreed);
        add(&mut self.declined, other.declined);
        add(&mut self.withdrawn, other.withdrawn);
    }
}

impl Totals {
    /// Adds the counts of a tenant's heartbeat.
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

    /// Adds an event of a page.
    pub(crate) fn add_agreement(&mut self, agreement: &Agreement) {
        self.agreements.counts.count(agreement.event, agreement.count);
    }

    /// Adds verdicts.
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

    /// Adds other counts.
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
        self.agreements.counts.add(&other.agreements.counts);
        add(&mut self.agreements.dropped, other.agreements.dropped);
    }

    /// True where each counted cookie has a verdict or is counted as dropped, and likewise for the events of pages.
    pub fn is_balanced(&self) -> bool {
        self.differences() == [0; 4]
    }

    /// The differences of requests, responses, added cookies and pages. 0: balanced.
    pub fn differences(&self) -> [i64; 4] {
        [
            self.request.difference(),
            self.response.difference(),
            self.added.difference(),
            self.agreements.difference(),
        ]
    }

    /// Cookies with a verdict to forward them.
    pub fn passed(&self) -> u64 {
        [&self.request, &self.response]
            .iter()
            .fold(0, |sum, side| sum.saturating_add(side.kept).saturating_add(side.rewritten))
    }

    /// Stripped cookies that were not forwarded.
    pub fn held_back(&self) -> u64 {
        [&self.request, &self.response].iter().fold(0, |sum, side| {
            sum.saturating_add(side.stripped).saturating_sub(side.only_watched)
        })
    }

    /// Cookies that were forwarded only because of report mode.
    pub fn only_watched(&self) -> u64 {
        self.request.only_watched.saturating_add(self.response.only_watched)
    }

    /// Evictions that were sent.
    pub fn evictions_sent(&self) -> u64 {
        self.added.evicted.saturating_sub(self.added.evicted_only_watched)
    }

    /// Counted cookies of both directions.
    pub fn seen(&self) -> u64 {
        self.request.seen.saturating_add(self.response.seen)
    }
}

impl DirectionTotals {
    /// Cookies without a verdict (positive), or verdicts without a cookie (negative).
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

impl AddedTotals {
    /// Counted without an entry (positive), or entries without a count (negative).
    pub fn difference(&self) -> i64 {
        difference(self.counted, [self.evicted, self.injected, self.renewed, self.dropped])
    }
}

impl AgreementTotals {
    /// Counted without an entry (positive), or entries without a count (negative).
    pub fn difference(&self) -> i64 {
        let AgreementCounts { shown, agreed, declined, withdrawn } = self.counts;
        difference(self.counted, [shown, agreed, declined, withdrawn, self.dropped])
    }
}

impl Serialize for DirectionTotals {
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

impl Serialize for AddedTotals {
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

impl Serialize for AgreementTotals {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut agreements = serializer.serialize_struct("Agreements", 7)?;
        agreements.serialize_field("counted", &self.counted)?;
        agreements.serialize_field("shown", &self.counts.shown)?;
        agreements.serialize_field("agreed", &self.counts.agreed)?;
        agreements.serialize_field("declined", &self.counts.declined)?;
        agreements.serialize_field("withdrawn", &self.counts.withdrawn)?;
        agreements.serialize_field("dropped", &self.dropped)?;
        agreements.serialize_field("difference", &self.difference())?;
        agreements.end()
    }
}

fn words<S: Serializer>(modes: &[Mode], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(modes.iter().map(|mode| mode.word()))
}

fn difference<const N: usize>(counted: u64, accounted: [u64; N]) -> i64 {
    let accounted: i128 = accounted.into_iter().map(i128::from).sum();
    let difference = i128::from(counted) - accounted;
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}
