//! `[traces]`: the collector of spans and the sampled share of exchanges.

use std::fmt;

use http::uri::PathAndQuery;

use super::address::Bracketed;

/// `[traces]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traces {
    /// The collector that receives spans; `None` traces no exchange.
    pub collector: Option<Collector>,
    /// The share of exchanges that are traced if their caller has not decided.
    pub sample: Ratio,
}

/// A collector of spans (OTLP over HTTP).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Collector {
    /// A host name or an address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path that spans are posted to.
    pub path: PathAndQuery,
}

impl fmt::Display for Collector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}:{}{}", Bracketed(&self.host), self.port, self.path)
    }
}

/// A share, in millionths: from 0 to 1,000,000.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ratio(u32);

impl Ratio {
    /// The whole.
    pub const ONE: Self = Self(ONE);

    /// The default of `traces.sample`: one in a hundred.
    pub const DEFAULT: Self = Self(10_000);

    /// Makes a share of so many millionths; `None` if that is more than the whole.
    pub fn of_millionths(millionths: u32) -> Option<Self> {
        Some(Self(millionths)).filter(|ratio| *ratio <= Self::ONE)
    }

    /// Returns the share in millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// Reads a decimal such as `0.01`: from 0 to 1, with at most six digits after the point.
    pub fn read(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let is_short = fraction.len() <= DIGITS && fraction.bytes().all(|b| b.is_ascii_digit());
        if !is_short || !["0", "1"].contains(&whole) {
            return None;
        }
        Self::of_millionths(format!("{whole}{fraction:0<DIGITS$}").parse().ok()?)
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fraction = format!("{:0DIGITS$}", self.0 % ONE);
        let fraction = fraction.trim_end_matches('0');
        write!(out, "{}.{}", self.0 / ONE, if fraction.is_empty() { "0" } else { fraction })
    }
}

const DIGITS: usize = 6;
const ONE: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_read_and_written_without_loss() {
        let cases = [
            ("0", 0, "0.0"),
            ("1", 1_000_000, "1.0"),
            ("1.0", 1_000_000, "1.0"),
            ("0.01", 10_000, "0.01"),
            ("0.000001", 1, "0.000001"),
            ("0.123456", 123_456, "0.123456"),
        ];
        for (text, millionths, written) in cases {
            assert_eq!(Ratio::read(text), Some(Ratio(millionths)), "{text}");
            assert_eq!(Ratio(millionths).to_string(), written);
        }
        for text in ["", "1.000001", "2", "-0.1", "+0.1", ".5", "0.0000001", "1e-2", "0.1.1", "x"] {
            assert_eq!(Ratio::read(text), None, "{text}");
        }
    }
}
