//! Reads `[limits]`: every bound of the data path.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    reader::{Node, TableReader},
    values::Limits,
    written::{Written, quoted},
};

pub(super) fn read(root: &TableReader<'_>) -> Limits {
    let table = root.section("limits");
    let Limits {
        head_bytes,
        head_fields,
        cookie_bytes,
        body_bytes,
        banner_bytes,
        connections,
        source_connections,
        h2_streams,
        h2_resets,
        superseded_values,
        handshake_timeout,
        head_timeout,
        idle_timeout,
        body_timeout,
        min_rate,
    } = Limits::DEFAULT;
    let connections = table.get("connections", connections, |node| node.number(CONNECTIONS));
    let head_bytes = table.get("head_bytes", head_bytes, |node| node.number(HEAD_BYTES));
    Limits {
        head_bytes,
        head_fields: table.get("head_fields", head_fields, |node| node.number(HEAD_FIELDS)),
        cookie_bytes: read_cookie_bytes(&table, cookie_bytes, head_bytes),
        body_bytes: table.get("body_bytes", BodyBytes(body_bytes), read_body_bytes).0,
        banner_bytes: table.get("banner_bytes", banner_bytes, |node| node.number(BANNER_BYTES)),
        connections,
        source_connections: table.get(
            "source_connections",
            // A smaller sum lowers the default: no source takes more than half.
            source_connections.min(connections.div_ceil(2)),
            |node| node.number(CONNECTIONS),
        ),
        h2_streams: table.get("h2_streams", h2_streams, |node| node.number(H2_STREAMS)),
        h2_resets: table.get("h2_resets", h2_resets, |node| node.number(H2_RESETS)),
        superseded_values: table
            .get("superseded_values", superseded_values, |node| node.number(SUPERSEDED_VALUES)),
        handshake_timeout: table
            .get("handshake_timeout", handshake_timeout, |node| node.duration(TIMEOUT)),
        head_timeout: table.get("head_timeout", head_timeout, |node| node.duration(TIMEOUT)),
        idle_timeout: table.get("idle_timeout", idle_timeout, |node| node.duration(TIMEOUT)),
        body_timeout: table.get("body_timeout", body_timeout, |node| node.duration(TIMEOUT)),
        min_rate: table.get("min_rate", min_rate, |node| node.number(MIN_RATE)),
    }
}

fn read_cookie_bytes(table: &TableReader<'_>, default: usize, head_bytes: usize) -> usize {
    // A smaller head lowers the default; only a number in the file can contradict it.
    table.get("cookie_bytes", default.min(head_bytes), |node| {
        let bytes = node.number(COOKIE_BYTES)?;
        if bytes > head_bytes {
            let expected = format!("no more than limits.head_bytes, which is {head_bytes}");
            return node.refuse(expected, "lower it, or raise limits.head_bytes");
        }
        Some(bytes)
    })
}

fn read_body_bytes(node: Node<'_>) -> Option<BodyBytes> {
    match (node.as_text(), node.as_number()) {
        (Some("off"), _) => Some(BodyBytes(None)),
        (_, Some(bytes)) => Some(BodyBytes(Some(bytes))),
        _ => node.refuse(
            "a whole number, or \"off\"",
            "write a number of bytes without quotes, or \"off\" for bodies of any size",
        ),
    }
}

/// The bound of a body; `None` is off.
struct BodyBytes(Option<u64>);

impl Written for BodyBytes {
    fn written(&self) -> String {
        self.0.map_or_else(|| quoted("off"), |bytes| bytes.to_string())
    }
}

/// The lower bound is the smallest buffer of hyper, 8 KiB.
const HEAD_BYTES: RangeInclusive<usize> = 8_192..=1_048_576;
const HEAD_FIELDS: RangeInclusive<usize> = 10..=1_000;
const COOKIE_BYTES: RangeInclusive<usize> = 1_024..=1_048_576;
const BANNER_BYTES: RangeInclusive<usize> = 1_024..=1_048_576;
const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;
const H2_STREAMS: RangeInclusive<u32> = 1..=10_000;
const H2_RESETS: RangeInclusive<u32> = 1..=1_000_000;
const SUPERSEDED_VALUES: RangeInclusive<usize> = 1_024..=16_777_216;
const MIN_RATE: RangeInclusive<u32> = 0..=1_000_000_000;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);
