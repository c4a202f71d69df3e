//! `[traces]`: which exchanges are followed across services, and where their spans are sent.

use std::fmt;

use http::uri::PathAndQuery;

use crate::{
    config::{
        Bracketed, Collector, Ratio, Traces,
        reader::{Node, Table},
        written::{Written, quoted},
    },
    tenants::split_authority,
};

pub(super) fn read(root: &Table<'_>) -> Traces {
    let table = root.section("traces");
    let collector = table.optional("endpoint", read_collector);
    let sample = table.get("sample", Ratio::DEFAULT, |node| {
        let ratio = node.as_fraction().and_then(Ratio::read);
        let is_said = ratio != Some(Ratio::DEFAULT);
        if is_said && collector.is_none() && table.value("endpoint").is_none() {
            node.warn("has no effect without an endpoint", "write traces.endpoint, too");
        }
        ratio.or_else(|| node.refuse(RATIO, "write 0.01 for one exchange in a hundred"))
    });
    Traces { collector, sample }
}

fn read_collector(node: Node<'_>) -> Option<Collector> {
    let text = node.text()?;
    let rest = match text.split_once("://") {
        Some(("http", rest)) => rest,
        Some(("https", _)) => {
            let help = "let a collector on this machine send them on: write http://127.0.0.1:4318";
            return node.error("spans leave over plain HTTP alone", help);
        }
        _ => return node.refuse(COLLECTOR, HELP),
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let authority = split_authority(authority).filter(|(_, port)| *port != Some(0));
    let Some((host, port)) = authority.filter(|_| !path.contains(['?', '#'])) else {
        return node.refuse(COLLECTOR, HELP);
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(SIGNAL).unwrap_or(path);
    let Some(path) = request_target(&format!("{path}{SIGNAL}")) else {
        return node.error("found a path that no request can have", PATH_HELP);
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    Some(Collector { host, port: port.unwrap_or(DEFAULT_PORT), path })
}

/// What a request can ask for: a path, perhaps with a query.
pub(super) fn request_target(text: &str) -> Option<PathAndQuery> {
    // The type itself would cut a fragment off, and let through what is no ASCII.
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'#';
    let is_plain = text.starts_with('/') && text.bytes().all(is_plain);
    is_plain.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Collector {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "http://{}:{}{}", Bracketed(&self.host), self.port, self.path)
    }
}

impl Written for Collector {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Ratio {
    /// What holds where `sample` is not written: one in a hundred.
    pub const DEFAULT: Self = Self(10_000);

    /// Reads `0.01`: from 0 to 1, with six digits after the point at the most.
    fn read(text: &str) -> Option<Self> {
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

impl Written for Ratio {
    fn written(&self) -> String {
        self.to_string()
    }
}

const DIGITS: usize = 6;
const ONE: u32 = Ratio::ONE.0;

/// Of OTLP over HTTP.
const DEFAULT_PORT: u16 = 4318;
const SIGNAL: &str = "/v1/traces";

const RATIO: &str = "a number from 0 to 1, with six digits after the point at the most";
const COLLECTOR: &str = "a collector such as \"http://127.0.0.1:4318\"";
const HELP: &str = "write http://, a host and a port";
pub(super) const PATH_HELP: &str =
    "write each of its bytes that is not a plain one as % and two digits: %3C for <";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_read_and_written_without_a_loss() {
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
