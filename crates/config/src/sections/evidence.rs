//! Reads `[state]` and `[audit]`: the state file, and the summing up and retention of evidence.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    reader::{Node, TableReader},
    values::Evidence,
};

pub(super) fn read(root: &TableReader<'_>) -> Evidence {
    let state = root.section("state");
    let folder = state.reader.resolve("state/crumbgate.db");
    let path = state.get("path", folder, |node| node.path());
    let audit = root.section("audit");
    Evidence {
        path,
        ledger: audit.get("ledger", true, |node| node.boolean()),
        window: audit.get("window", Duration::from_mins(5), read_window),
        retention: audit
            .get("retention", Duration::from_hours(365 * 24), |node| node.duration(RETENTION)),
        names: audit.optional("names", |node| node.path()),
    }
}

fn read_window(node: Node<'_>) -> Option<Duration> {
    let window = node.duration(WINDOW)?;
    if !window.as_secs().is_multiple_of(60) || window.subsec_nanos() != 0 {
        return node
            .error("is not a whole number of minutes", "write \"1m\", \"5m\", \"15m\" or \"1h\"");
    }
    if !DAY_S.is_multiple_of(window.as_secs()) {
        let help =
            "write \"1m\", \"5m\", \"15m\" or \"1h\": windows begin at the same times every day";
        return node.error("does not divide a day into equal windows", help);
    }
    Some(window)
}

const DAY_S: u64 = 86_400;

const WINDOW: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);
const RETENTION: RangeInclusive<Duration> =
    Duration::from_hours(24)..=Duration::from_hours(3_653 * 24);
