//! Traffic rates: samples of the counters, from which the last minute and a short history are computed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::admin::blocking::blocking;
use crumbgate_base::lock::locked;
use crumbgate_config::AdminListener;
use crumbgate_gateway::{gateway::Control, metrics::Sample};

/// Samples of the last 15 minutes, the newest last.
#[derive(Debug, Default)]
pub(super) struct RateSampler(Mutex<VecDeque<(Instant, Sample)>>);

/// The counts of an interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval {
    pub(super) counted: Sample,
    took: Duration,
}

impl RateSampler {
    /// Takes samples until the gateway ends: one per [`PERIOD`], and fewer, down to one per [`STEP`], where a sample takes
    /// long.
    pub(super) async fn run(self: Arc<Self>, control: Control) {
        // The gateway has just started and counted nothing.
        self.add(Instant::now(), Sample::default());
        loop {
            let is_served = control.config(|config| config.admin.listen != AdminListener::Off);
            let mut pause = PERIOD;
            if is_served {
                let control = control.clone();
                let take = move || {
                    let began = Instant::now();
                    (control.sample(), began.elapsed())
                };
                let (sample, took) = blocking(take).await;
                pause = (took * MIN_PAUSE_FACTOR).clamp(PERIOD, STEP);
                self.add(Instant::now(), sample);
            }
            sleep(pause).await;
        }
    }

    fn add(&self, at: Instant, sample: Sample) {
        let mut samples = locked(&self.0);
        samples.push_back((at, sample));
        while samples.front().is_some_and(|(first, _)| at.duration_since(*first) > RETENTION) {
            samples.pop_front();
        }
    }

    /// The last minute, or less where the gateway has not run that long.
    pub(super) fn minute(&self) -> Interval {
        let samples = locked(&self.0);
        let Some((at, newest)) = samples.back() else { return Interval::default() };
        let mut before = samples.iter().rev().skip(1);
        let begin = before.find(|(begin, _)| at.duration_since(*begin) >= MINUTE);
        let begin = begin.or_else(|| samples.front());
        begin.map(|begin| Interval::between(begin, (*at, newest))).unwrap_or_default()
    }

    /// The last 15 minutes in [`POINTS`] intervals, the newest last. `None`: no samples.
    pub(super) fn history(&self) -> Vec<Option<Interval>> {
        let samples = locked(&self.0);
        let Some((now, _)) = samples.back() else { return vec![None; POINTS] };
        // The last sample of each step. An interval lies between the samples of two steps.
        let mut lasts: Vec<Option<&(Instant, Sample)>> = vec![None; POINTS + 1];
        for sample in samples.iter() {
            let steps = now.duration_since(sample.0).as_millis() / STEP.as_millis();
            let steps = usize::try_from(steps).unwrap_or(usize::MAX);
            if let Some(place) = POINTS.checked_sub(steps).and_then(|place| lasts.get_mut(place)) {
                *place = Some(sample);
            }
        }
        let interval = |pair: &[Option<&(Instant, Sample)>]| {
            let [Some(begin), Some((end, sample))] = pair else { return None };
            Some(Interval::between(begin, (*end, sample)))
        };
        lasts.windows(2).map(interval).collect()
    }
}

impl Interval {
    fn between(begin: &(Instant, Sample), end: (Instant, &Sample)) -> Self {
        Self { counted: end.1.since(&begin.1), took: end.0.duration_since(begin.0) }
    }

    /// A count of this interval per minute. Counts of an interval shorter than a minute are not extrapolated.
    pub(super) fn per_minute(&self, count: u64) -> u64 {
        self.scaled(count, self.took.max(MINUTE))
    }

    /// A count of this interval per minute, extrapolated where the interval is shorter.
    pub(super) fn rate(&self, count: u64) -> u64 {
        self.scaled(count, self.took)
    }

    fn scaled(&self, count: u64, took: Duration) -> u64 {
        let took_ms = took.as_millis().max(1);
        let scaled = (u128::from(count) * MINUTE.as_millis() + took_ms / 2) / took_ms;
        u64::try_from(scaled).unwrap_or(u64::MAX)
    }
}

/// The time between two samples.
const PERIOD: Duration = Duration::from_secs(2);
/// The least pause after a sample, as a multiple of the time that the sample took. With a million tenants a sample takes
/// long.
const MIN_PAUSE_FACTOR: u32 = 50;
const MINUTE: Duration = Duration::from_secs(60);
/// The number of intervals of the history.
pub(super) const POINTS: usize = 60;
/// The length of an interval of the history.
const STEP: Duration = Duration::from_secs(15);
const RETENTION: Duration = Duration::from_secs(15 * 60 + 30);

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(requests: u64) -> Sample {
        Sample { requests, ..Sample::default() }
    }

    #[test]
    fn the_last_minute_is_counted_and_shorter_times_are_not_extrapolated() {
        let (sampler, start) = (RateSampler::default(), Instant::now());
        assert_eq!(sampler.minute().counted.requests, 0);
        sampler.add(start, sample(0));
        sampler.add(start + Duration::from_secs(10), sample(5));
        let minute = sampler.minute();
        assert_eq!(minute.per_minute(minute.counted.requests), 5);
        (1..=60)
            .for_each(|i| sampler.add(start + Duration::from_secs(10 + 2 * i), sample(5 + 4 * i)));
        let minute = sampler.minute();
        assert_eq!(minute.per_minute(minute.counted.requests), 120);
    }

    #[test]
    fn the_history_has_an_interval_for_each_step_with_samples() {
        let (sampler, start) = (RateSampler::default(), Instant::now());
        assert!(sampler.history().iter().all(Option::is_none));
        (0..=60).for_each(|i| sampler.add(start + Duration::from_secs(2 * i), sample(i)));
        let history = sampler.history();
        assert_eq!(history.len(), POINTS);
        let seen: Vec<_> = history.iter().flatten().collect();
        assert_eq!(seen.len(), 8);
        assert!(history[..POINTS - 8].iter().all(Option::is_none));
        let rates = seen.iter().map(|interval| interval.rate(interval.counted.requests));
        assert!(rates.clone().all(|rate| rate == 30), "{:?}", rates.collect::<Vec<_>>());
        // Old samples are dropped.
        let late = start + Duration::from_secs(10_000);
        sampler.add(late, sample(100));
        assert_eq!(locked(&sampler.0).len(), 1);
    }
}
