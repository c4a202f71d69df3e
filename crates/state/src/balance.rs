//! Checks, when a segment is closed, that its entries add up (A1).
//!
//! Counts of seen cookies and their verdicts are written in one transaction, so each segment
//! balances by itself. An imbalance means a bug in the gateway, or somebody else has written to the
//! file.

use rusqlite::{Connection, params};

use crumbgate_ledger::sqlite::signed;

/// The number of cookies and agreements by which the entries from `first` to `last` differ from the
/// totals of their heartbeats. 0 is correct.
pub(super) fn imbalance(connection: &Connection, first: u64, last: u64) -> rusqlite::Result<u64> {
    // `total` also accepts numbers that overflow `sum`.
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
