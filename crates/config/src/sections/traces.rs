//! Reads `[traces]`: the collector of spans and the sampled share of exchanges.

use http::uri::PathAndQuery;

use crate::{
    reader::{Node, TableReader},
    values::{Collector, Ratio, Traces},
    written::{Written, quoted},
};
use crumbgate_audit::tenants::split_authority;

pub(super) fn read(root: &TableReader<'_>) -> Traces {
    let table = root.section("traces");
    let collector = table.optional("endpoint", read_collector);
    let sample = table.get("sample", Ratio::DEFAULT, |node| {
        let ratio = node.as_fraction().and_then(Ratio::read);
        let is_not_default = ratio != Some(Ratio::DEFAULT);
        if is_not_default && collector.is_none() && table.value("endpoint").is_none() {
            node.warn("has no effect without an endpoint", "set traces.endpoint too");
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
            let help = "run a collector on this machine that forwards them, and write http://127.0.0.1:4318";
            return node.error("spans can only be sent over plain HTTP", help);
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
        return node.error("its path is not valid in a request", PATH_HELP);
    };
    let host = host.trim_matches(['[', ']']).to_owned();
    Some(Collector { host, port: port.unwrap_or(DEFAULT_PORT), path })
}

/// Reads the target of a request: a path, with an optional query.
pub(super) fn request_target(text: &str) -> Option<PathAndQuery> {
    // The type itself would cut off a fragment and accept bytes that are not ASCII.
    let is_plain = |b: u8| b.is_ascii_graphic() && b != b'#';
    let is_plain = text.starts_with('/') && text.bytes().all(is_plain);
    is_plain.then(|| text.parse().ok()).flatten()
}

impl Written for Collector {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Written for Ratio {
    fn written(&self) -> String {
        self.to_string()
    }
}

/// The default port of OTLP over HTTP.
const DEFAULT_PORT: u16 = 4318;
const SIGNAL: &str = "/v1/traces";

const RATIO: &str = "a number from 0 to 1 with at most six digits after the point";
const COLLECTOR: &str = "a collector such as \"http://127.0.0.1:4318\"";
const HELP: &str = "write http://, a host and a port";
pub(super) const PATH_HELP: &str =
    "write every byte that a URL does not allow as % and two hexadecimal digits: %3C for <";
