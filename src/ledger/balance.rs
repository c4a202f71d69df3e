//! Whether the entries of a segment add up (A1), asked of the file itself when the segment is closed.
//!
//! What was seen and what became of it reach the file in one transaction, so each segment balances by itself. One that does
//! not has met a fault of ours, or somebody who writes into the file.

use rusqlite::{Connection, params};

use super::writing::signed;

/// By how many cookies the entries from `first` to `last` differ from what their heartbeats say was seen: 0 in good order.
pub(super) fn imbalance(connection: &Connection, first: u64, last: u64) -> rusqlite::Result<u64> {
    // `total` takes any numbers, also such as nobody could have counted.
    let sql = "SELECT CAST(total(abs(difference)) AS INTEGER) FROM ( \
                   SELECT total(cookies) AS difference FROM ( \
                       SELECT window, tenant, seen_request + seen_response + added \
                              - dropped_request - dropped_response - dropped_added AS cookies \
                       FROM heartbeats WHERE tenant IS NOT NULL AND seq BETWEEN ?1 AND ?2 \
                       UNION ALL \
                       SELECT window, tenant, -count FROM verdicts WHERE seq BETWEEN ?1 AND ?2 \
                   ) GROUP BY window, tenant)";
    let mut statement = connection.prepare_cached(sql)?;
    let cookies: i64 =
        statement.query_row(params![signed(first), signed(last)], |row| row.get(0))?;
    Ok(cookies.unsigned_abs())
}
