//! Whether the entries of a segment add up (A1), asked of the file itself when the segment is closed.
//!
//! What was seen and what became of it reach the file in one transaction, so each segment balances by itself. One that does
//! not has met a fault of ours, or somebody who writes into the file.

use rusqlite::{Connection, params};

use crumbgate_ledger::sqlite::signed;

/// By how many cookies and agreements the entries from `first` to `last` differ from what their heartbeats say was seen: 0
/// in good order.
pub(super) fn imbalance(connection: &Connection, first: u64, last: u64) -> rusqlite::Result<u64> {
    // `total` takes any numbers, also such as nobody could have counted.
    let sql = "SELECT CAST(total(abs(difference)) AS INTEGER) FROM ( \
                   SELECT total(number) AS difference FROM ( \
                       SELECT window, tenant, 'cookies' AS what, seen_request + seen_response + added \
                              - dropped_request - dropped_response - dropped_added AS number \
                       FROM heartbeats WHERE tenant IS NOT NULL AND seq BETWEEN ?1 AND ?2 \
                       UNION ALL \
                       SELECT window, tenant, 'cookies', -count \
                       FROM verdicts WHERE seq BETWEEN ?1 AND ?2 \
                       UNION ALL \
                       SELECT window, tenant, 'agreements', agreements - dropped_agreements \
                       FROM heartbeats WHERE tenant IS NOT NULL AND seq BETWEEN ?1 AND ?2 \
                       UNION ALL \
                       SELECT window, tenant, 'agreements', -count \
                       FROM agreements WHERE seq BETWEEN ?1 AND ?2 \
                   ) GROUP BY window, tenant, what)";
    let mut statement = connection.prepare_cached(sql)?;
    let cookies: i64 =
        statement.query_row(params![signed(first), signed(last)], |row| row.get(0))?;
    Ok(cookies.unsigned_abs())
}
