//! Ids of traces and spans: random enough to be unique, and cheap enough to generate for every request.

use std::{cell::Cell, fmt};

use crumbgate_config::Ratio;

/// The id of a trace; never all zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TraceId(pub(super) [u8; 16]);

/// The id of a span; never all zeros.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct SpanId(pub(super) [u8; 8]);

/// Generates ids for one worker. They are pseudo-random (SplitMix64) and not secret.
#[derive(Debug)]
pub struct IdGenerator(Cell<u64>);

impl IdGenerator {
    /// A generator with this random seed.
    pub fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    /// A new trace id.
    pub(super) fn trace(&self) -> TraceId {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next().to_be_bytes());
        id[8..].copy_from_slice(&self.next().to_be_bytes());
        TraceId(id)
    }

    /// A new span id.
    pub(super) fn span(&self) -> SpanId {
        SpanId(self.next().to_be_bytes())
    }

    /// The next random number, never 0.
    fn next(&self) -> u64 {
        loop {
            let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
            self.0.set(state);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let mixed = mixed ^ (mixed >> 31);
            if mixed != 0 {
                return mixed;
            }
        }
    }
}

impl TraceId {
    /// Returns the id if its trace is sampled at this ratio. The decision depends on the last 56 bits, so all services with
    /// the same ratio sample the same traces (OpenTelemetry, consistent probability sampling).
    pub(super) fn filter_by(self, sample: Ratio) -> Option<Self> {
        let mut last = [0; 8];
        last[1..].copy_from_slice(&self.0[9..]);
        let left_out = u128::from(Ratio::ONE.millionths() - sample.millionths());
        let bound = (left_out << 56) / u128::from(Ratio::ONE.millionths());
        (u128::from(u64::from_be_bytes(last)) >= bound).then_some(self)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:016x}", u64::from_be_bytes(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ratio_of_sampled_traces_is_as_configured() {
        let ids = IdGenerator::new(42);
        for millionths in [0, 10_000, 500_000, 1_000_000] {
            let ratio = Ratio::of_millionths(millionths).unwrap();
            let followed = (0..100_000).filter(|_| ids.trace().filter_by(ratio).is_some()).count();
            let expected = f64::from(millionths) / 10.;
            assert!((followed as f64 - expected).abs() <= 600., "{followed} of {expected}");
            if [0, 1_000_000].contains(&millionths) {
                assert_eq!(followed as f64, expected);
            }
        }
    }

    #[test]
    fn ids_are_written_with_leading_zeros() {
        assert_eq!(SpanId([0, 0, 0, 0, 0, 0, 1, 0xab]).to_string(), "00000000000001ab");
        let mut id = [0; 16];
        id[15] = 7;
        assert_eq!(TraceId(id).to_string(), format!("{:032x}", 7));
    }
}
