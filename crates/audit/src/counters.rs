//! Counters of verdicts and agreements (A1): each has one writer and any number of readers; requests take no lock.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{agreement::AgreementEvent, window::Figures};
use crumbgate_policy::verdict::{Action, Direction, Reason, SealStep, Verdict};

/// The counters of all workers.
#[derive(Debug, Default)]
pub struct Counters {
    /// Locked when a worker counts for a tenant for the first time and during a read, never during other requests.
    counts: Mutex<Vec<(Arc<str>, Arc<TenantCounters>)>>,
}

/// One worker's counters for one tenant. That worker is their only writer.
#[derive(Debug, Default)]
pub struct TenantCounters {
    requests: AtomicU64,
    verdicts: [[AtomicU64; Action::ALL.len()]; Direction::ALL.len()],
    seals: [AtomicU64; SealStep::ALL.len()],
    agreements: [AtomicU64; AgreementEvent::ALL.len()],
}

/// Values of counters at one moment: the number of each verdict and of each event on pages.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct CounterSnapshot {
    /// Number of requests whose cookies were judged.
    pub requests: u64,
    verdicts: [[u64; Action::ALL.len()]; Direction::ALL.len()],
    seals: [u64; SealStep::ALL.len()],
    agreements: [u64; AgreementEvent::ALL.len()],
}

impl Counters {
    /// Creates counters of a tenant for one worker, their only writer.
    pub fn open(&self, tenant: &Arc<str>) -> Arc<TenantCounters> {
        let counts = Arc::new(TenantCounters::default());
        let entry = (Arc::clone(tenant), Arc::clone(&counts));
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).push(entry);
        counts
    }

    /// The counts of each tenant that had traffic, summed over all workers.
    pub fn read(&self) -> BTreeMap<Arc<str>, CounterSnapshot> {
        let mut snapshots = BTreeMap::<_, CounterSnapshot>::new();
        self.visit(|tenant, counts| snapshots.entry(Arc::clone(tenant)).or_default().add(counts));
        snapshots
    }

    /// The counts summed over all tenants and workers.
    pub fn total(&self) -> CounterSnapshot {
        let mut total = CounterSnapshot::default();
        self.visit(|_, counts| total.add(counts));
        total
    }

    /// The counts of the first `most` tenants that had traffic, in that order, and the sum of all others. A tenant that is
    /// once among the first stays there.
    pub fn first(&self, most: usize) -> (Vec<(Arc<str>, CounterSnapshot)>, CounterSnapshot) {
        let (mut first, mut others) =
            (Vec::<(Arc<str>, CounterSnapshot)>::new(), CounterSnapshot::default());
        let mut places = HashMap::new();
        self.visit(|tenant, counts| {
            let place = match places.get(tenant) {
                Some(place) => *place,
                None if first.len() == most => return others.add(counts),
                None => {
                    places.insert(Arc::clone(tenant), first.len());
                    first.push((Arc::clone(tenant), CounterSnapshot::default()));
                    first.len() - 1
                }
            };
            first[place].1.add(counts);
        });
        (first, others)
    }

    /// Calls `look` with every worker's counters of every tenant, in the order in which they were created. Releases the lock
    /// in between, so that a worker with a new tenant does not wait for the whole visit.
    fn visit(&self, mut look: impl FnMut(&Arc<str>, &TenantCounters)) {
        let mut seen = 0;
        loop {
            // Counters are only ever added at the end.
            let counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(rest) = counts.get(seen..).filter(|rest| !rest.is_empty()) else { return };
            for (tenant, counts) in rest.iter().take(AT_A_TIME) {
                look(tenant, counts);
            }
            seen += rest.len().min(AT_A_TIME);
        }
    }
}

/// Number of counters visited per lock.
const AT_A_TIME: usize = 256;

impl TenantCounters {
    /// Counts one request.
    pub fn count_request(&self) {
        increment(&self.requests);
    }

    /// The current values.
    pub fn read(&self) -> CounterSnapshot {
        let mut snapshot = CounterSnapshot::default();
        snapshot.add(self);
        snapshot
    }

    /// Counts one verdict.
    pub fn count(&self, verdict: &Verdict<'_>) {
        if let Some(counter) = self.verdicts[verdict.direction as usize].get(verdict.action.index())
        {
            add(counter, verdict.count);
        }
        if let Some(counter) = verdict.seal.and_then(|step| self.seals.get(step as usize)) {
            increment(counter);
        }
    }

    /// Counts one event on a page.
    pub fn count_agreement(&self, event: AgreementEvent) {
        if let Some(counter) = self.agreements.get(event.index()) {
            increment(counter);
        }
    }
}

impl CounterSnapshot {
    /// Number of cookies on which `action` was taken in `direction`.
    pub fn of(&self, direction: Direction, action: Action) -> u64 {
        self.verdicts[direction as usize].get(action.index()).copied().unwrap_or(0)
    }

    /// Number of session cookies to which `step` happened.
    pub fn of_seal(&self, step: SealStep) -> u64 {
        self.seals.get(step as usize).copied().unwrap_or(0)
    }

    /// Number of cookies stripped in `direction`, for any reason.
    pub fn stripped(&self, direction: Direction) -> u64 {
        Reason::ALL.iter().map(|reason| self.of(direction, Action::Strip(*reason))).sum()
    }

    /// Number of cookies seen in `direction`: each was kept, rewritten or stripped (A1).
    pub fn seen(&self, direction: Direction) -> u64 {
        self.of(direction, Action::Keep)
            + self.of(direction, Action::Rewrite)
            + self.stripped(direction)
    }

    /// Number of cookies that the gateway added to responses: renewed, injected or evicted.
    pub fn added(&self) -> u64 {
        [Action::Evict, Action::Inject, Action::Renew]
            .iter()
            .map(|action| self.of(Direction::Response, *action))
            .sum()
    }

    /// Number of these events on pages.
    pub fn agreements(&self, event: AgreementEvent) -> u64 {
        self.agreements.get(event.index()).copied().unwrap_or(0)
    }

    /// These counts as figures.
    pub fn figures(&self) -> Figures {
        Figures {
            request: self.seen(Direction::Request),
            response: self.seen(Direction::Response),
            added: self.added(),
            agreements: self.agreements.iter().sum(),
        }
    }

    fn add(&mut self, counts: &TenantCounters) {
        self.requests += counts.requests.load(Relaxed);
        let sums = self.verdicts.iter_mut().flatten();
        for (sum, counter) in sums.zip(counts.verdicts.iter().flatten()) {
            *sum += counter.load(Relaxed);
        }
        for (sum, counter) in self.seals.iter_mut().zip(&counts.seals) {
            *sum += counter.load(Relaxed);
        }
        for (sum, counter) in self.agreements.iter_mut().zip(&counts.agreements) {
            *sum += counter.load(Relaxed);
        }
    }
}

/// Adds one. The caller is the counter's only writer, so no atomic read-modify-write is needed.
fn increment(counter: &AtomicU64) {
    add(counter, 1);
}

fn add(counter: &AtomicU64, count: u32) {
    counter.store(counter.load(Relaxed).wrapping_add(count.into()), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a1_the_counters_of_two_workers_add_up() {
        let counters = Arc::new(Counters::default());
        let acme: Arc<str> = "acme.example".into();
        for action in [Action::Keep, Action::Strip(Reason::Undeclared)] {
            let counts = counters.open(&acme);
            counts.count_request();
            counts.count(&Verdict {
                direction: Direction::Request,
                name: b"a",
                action,
                requested: None,
                granted_s: None,
                seal: None,
                count: 1,
            });
        }
        let snapshot = &counters.read()[&acme];
        assert_eq!(snapshot.requests, 2);
        assert_eq!(snapshot.of(Direction::Request, Action::Keep), 1);
        assert_eq!(snapshot.stripped(Direction::Request), 1);
        assert_eq!(snapshot.seen(Direction::Request), 2);
        assert_eq!(snapshot.seen(Direction::Response), 0);
        assert_eq!(*snapshot, counters.total());
    }

    #[test]
    fn the_first_tenants_with_traffic_stay_the_first() {
        let counters = Counters::default();
        let visit =
            |tenant: usize| counters.open(&format!("{tenant}.example").into()).count_request();
        let counted = || {
            let (first, others) = counters.first(2);
            let first =
                first.into_iter().map(|(name, snapshot)| (name.to_string(), snapshot.requests));
            (first.collect::<Vec<_>>(), others.requests)
        };
        visit(7);
        assert_eq!(counted(), (vec![("7.example".to_owned(), 1)], 0));
        (0..3 * AT_A_TIME).for_each(visit);
        let first = vec![("7.example".to_owned(), 2), ("0.example".to_owned(), 1)];
        let all = 3 * AT_A_TIME as u64 + 1;
        assert_eq!(counted(), (first, all - 3));
        assert_eq!(counters.total().requests, all);
        assert_eq!(counters.first(0), (vec![], counters.total()));
    }
}
