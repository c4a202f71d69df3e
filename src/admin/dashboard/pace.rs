//! The pace of the traffic: a ring of samples, of which the last minute and a short history are told.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    admin::{locked, routes::waiting},
    config::AdminListener,
    gateway::Control,
    metrics::Sample,
};

/// Samples of the last quarter of an hour, the newest last.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<VecDeque<(Instant, Sample)>>);

/// What was counted in a stretch of time.
#[derive(Clone, Debug, Default)]
pub(super) struct Spell {
    pub(super) counted: Sample,
    took: Duration,
}

impl Pace {
    /// Takes samples until the gateway ends: each [`PERIOD`], and down to each [`STEP`] where a sample takes its time.
    pub(super) async fn keep(self: Arc<Self>, control: Control) {
        // The gateway has just started, and had counted nothing then.
        self.note(Instant::now(), Sample::default());
        loop {
            let is_served = control.config(|config| config.admin.listen != AdminListener::Off);
            let mut pause = PERIOD;
            if is_served {
                let asked = control.clone();
                let take = move || {
                    let began = Instant::now();
                    (asked.sample(), began.elapsed())
                };
                let (sample, took) = waiting(take).await;
                pause = (took * LEAST_REST).clamp(PERIOD, STEP);
                self.note(Instant::now(), sample);
            }
            sleep(pause).await;
        }
    }

    fn note(&self, at: Instant, sample: Sample) {
        let mut samples = locked(&self.0);
        samples.push_back((at, sample));
        while samples.front().is_some_and(|(first, _)| at.duration_since(*first) > KEPT) {
            samples.pop_front();
        }
    }

    /// The last minute, as far as it was seen.
    pub(super) fn minute(&self) -> Spell {
        let samples = locked(&self.0);
        let Some((at, newest)) = samples.back() else { return Spell::default() };
        let mut before = samples.iter().rev().skip(1);
        let begin = before.find(|(begin, _)| at.duration_since(*begin) >= MINUTE);
        let begin = begin.or_else(|| samples.front());
        begin.map(|begin| Spell::between(begin, (*at, newest))).unwrap_or_default()
    }

    /// The last quarter of an hour in [`POINTS`] spells, the newest last; none for a time that was not seen.
    pub(super) fn history(&self) -> Vec<Option<Spell>> {
        let samples = locked(&self.0);
        let Some((now, _)) = samples.back() else { return vec![None; POINTS] };
        // The last sample of each step: a spell lies between those of two.
        let mut lasts: Vec<Option<&(Instant, Sample)>> = vec![None; POINTS + 1];
        for sample in samples.iter() {
            let steps = now.duration_since(sample.0).as_millis() / STEP.as_millis();
            let steps = usize::try_from(steps).unwrap_or(usize::MAX);
            if let Some(place) = POINTS.checked_sub(steps).and_then(|place| lasts.get_mut(place)) {
                *place = Some(sample);
            }
        }
        let spell = |pair: &[Option<&(Instant, Sample)>]| {
            let [Some(begin), Some((end, sample))] = pair else { return None };
            Some(Spell::between(begin, (*end, sample)))
        };
        lasts.windows(2).map(spell).collect()
    }
}

impl Spell {
    fn between(begin: &(Instant, Sample), end: (Instant, &Sample)) -> Self {
        Self { counted: end.1.since(&begin.1), took: end.0.duration_since(begin.0) }
    }

    /// A count of this spell as so many a minute. What was seen for less than a minute is not made more of.
    pub(super) fn a_minute(&self, count: u64) -> u64 {
        self.scaled(count, self.took.max(MINUTE))
    }

    /// The same for a part of a minute.
    pub(super) fn pace(&self, count: u64) -> u64 {
        self.scaled(count, self.took)
    }

    fn scaled(&self, count: u64, took: Duration) -> u64 {
        let took_ms = took.as_millis().max(1);
        let scaled = (u128::from(count) * MINUTE.as_millis() + took_ms / 2) / took_ms;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// How often a sample is taken.
const PERIOD: Duration = Duration::from_secs(2);
/// How much longer than a sample took the pause behind it is at least: with a million tenants it takes a while.
const LEAST_REST: u32 = 50;
const MINUTE: Duration = Duration::from_secs(60);
/// Points of the history.
pub(super) const POINTS: usize = 60;
/// What lies between two of them.
const STEP: Duration = Duration::from_secs(15);
const KEPT: Duration = Duration::from_secs(15 * 60 + 30);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests: u64) -> Sample {
        Sample { requests, ..Sample::default() }
    }

    #[test]
    fn the_last_minute_is_counted_and_what_was_not_seen_is_not_made_up() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert_eq!(pace.minute().counted.requests, 0);
        pace.note(start, sample(0));
        pace.note(start + Duration::from_secs(10), sample(5));
        let minute = pace.minute();
        assert_eq!(minute.a_minute(minute.counted.requests), 5);
        (1..=60)
            .for_each(|i| pace.note(start + Duration::from_secs(10 + 2 * i), sample(5 + 4 * i)));
        let minute = pace.minute();
        assert_eq!(minute.a_minute(minute.counted.requests), 120);
    }

    #[test]
    fn the_history_has_a_point_for_each_step_that_was_seen() {
        let (pace, start) = (Pace::default(), Instant::now());
        assert!(pace.history().iter().all(Option::is_none));
        (0..=60).for_each(|i| pace.note(start + Duration::from_secs(2 * i), sample(i)));
        let history = pace.history();
        assert_eq!(history.len(), POINTS);
        let seen: Vec<_> = history.iter().flatten().collect();
        assert_eq!(seen.len(), 8);
        assert!(history[..POINTS - 8].iter().all(Option::is_none));
        let paces = seen.iter().map(|spell| spell.pace(spell.counted.requests));
        assert!(paces.clone().all(|pace| pace == 30), "{:?}", paces.collect::<Vec<_>>());
        // Nothing is kept for ever.
        let late = start + Duration::from_secs(10_000);
        pace.note(late, sample(100));
        assert_eq!(locked(&pace.0).len(), 1);
    }
}
