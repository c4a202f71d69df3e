//! The report's cookies and pages as CSV (RFC 4180), for spreadsheets: one table, with a row for each tenant, mode, cookie
//! and reason, for each tenant, declaration and page, for each reported name, and for each outcome of guarding pages.
//!
//! The file begins with a byte order mark, because Excel otherwise does not read UTF-8. Programs should use the JSON.

use super::{
    agreement::{AgreementHistory, PageHistory},
    declared::{CookieUsage, TenantUsage},
    guard::{GuardedPages, ScriptedName},
    report::Report,
    stripped::StrippedCookie,
    visible::visible,
};
use crumbgate_audit::GuardOutcome;
use crumbgate_base::text::rfc3339;
use crumbgate_policy::requested::RequestedLifetime;

impl Report {
    /// All declared and stripped cookies and all shown pages as CSV. Column names and the words of closed sets are in
    /// English.
    ///
    /// A cell that a spreadsheet would read as a formula gets a leading `'`.
    ///
    /// # Errors
    ///
    /// None are known, because the table is written to memory.
    pub fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut written = Vec::from(BYTE_ORDER_MARK);
        let mut table =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut written);
        table.write_record(COLUMNS)?;
        for declared in &self.declared {
            for used in &declared.tenants {
                table.write_record(declared_row(declared, used).map(|cell| neutral(&cell)))?;
            }
        }
        for stripped in &self.stripped {
            table.write_record(stripped_row(stripped).map(|cell| neutral(&cell)))?;
        }
        for agreement in &self.agreements {
            for page in &agreement.pages {
                table.write_record(agreement_row(agreement, page).map(|cell| neutral(&cell)))?;
            }
        }
        for scripted in &self.guard.names {
            table.write_record(scripted_row(scripted).map(|cell| neutral(&cell)))?;
        }
        for pages in &self.guard.pages {
            let guarded = (GuardOutcome::Guarded, pages.guarded);
            for (outcome, count) in std::iter::once(&guarded).chain(&pages.unguarded) {
                let row = guard_row(pages, *outcome, *count);
                table.write_record(row.map(|cell| neutral(&cell)))?;
            }
        }
        table.flush()?;
        drop(table);
        Ok(written)
    }
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// The columns, in order. New columns are added at the end.
pub(super) const COLUMNS: [&str; 33] = [
    "kind",
    "tenant",
    "mode",
    "cookie",
    "reason",
    "usually_set_by",
    "category",
    "description",
    "in_requests",
    "in_responses",
    "first",
    "last",
    "routes",
    "attributes",
    "lifetimes_asked",
    "evictions",
    "in_spite_of_evictions",
    "dependence",
    "kept",
    "rewritten",
    "renewed",
    "injected",
    "lifetimes_granted_s",
    "declaration",
    "page",
    "shown",
    "agreed",
    "declined",
    "withdrawn",
    "set",
    "risk",
    "outcome",
    "count",
];

type Row = [String; COLUMNS.len()];

fn empty_row() -> Row {
    std::array::from_fn(|_| String::new())
}

fn declared_row(declared: &CookieUsage, used: &TenantUsage) -> Row {
    let mut row = empty_row();
    let granted =
        used.granted.iter().map(|granted| format!("{}: {}", granted.seconds, granted.count));
    let cells = [
        ("kind", "declared".to_owned()),
        ("tenant", used.tenant.clone()),
        ("mode", used.mode.word().to_owned()),
        ("cookie", declared.cookie.name.clone()),
        ("lifetimes_asked", lifetimes(&used.requested)),
        ("kept", used.kept.to_string()),
        ("rewritten", used.rewritten.to_string()),
        ("renewed", used.renewed.to_string()),
        ("injected", used.injected.to_string()),
        ("lifetimes_granted_s", granted.collect::<Vec<_>>().join(SEPARATOR)),
    ];
    fill(&mut row, cells);
    row
}

fn stripped_row(stripped: &StrippedCookie) -> Row {
    let mut row = empty_row();
    let usually = stripped.usually.as_ref();
    let unknown = || "unknown".to_owned();
    let routes = stripped.routes.iter().map(|route| format!("{}: {}", route.route, route.count));
    let dependence = stripped.dependence.map(word);
    let cells = [
        ("kind", "stripped".to_owned()),
        ("tenant", stripped.tenant.clone()),
        ("mode", stripped.mode.word().to_owned()),
        ("cookie", stripped.name.clone().unwrap_or_default()),
        ("reason", stripped.reason.word().to_owned()),
        ("usually_set_by", usually.map_or_else(unknown, |usually| usually.platform.clone())),
        ("category", usually.map_or_else(unknown, |usually| usually.category.clone())),
        (
            "description",
            usually.and_then(|usually| usually.description.clone()).unwrap_or_default(),
        ),
        ("in_requests", stripped.in_requests.to_string()),
        ("in_responses", stripped.in_responses.to_string()),
        ("first", rfc3339(stripped.first_unix_s)),
        ("last", rfc3339(stripped.last_unix_s)),
        ("routes", routes.collect::<Vec<_>>().join(SEPARATOR)),
        ("attributes", stripped.attributes.words().collect::<Vec<_>>().join(SEPARATOR)),
        ("lifetimes_asked", lifetimes(&stripped.lifetimes)),
        ("evictions", stripped.evictions.to_string()),
        ("in_spite_of_evictions", stripped.in_spite_of_evictions.to_string()),
        ("dependence", dependence.unwrap_or_default()),
    ];
    fill(&mut row, cells);
    row
}

fn agreement_row(agreement: &AgreementHistory, page: &PageHistory) -> Row {
    let mut row = empty_row();
    let cells = [
        ("kind", "agreement".to_owned()),
        ("tenant", agreement.tenant.clone()),
        ("first", rfc3339(page.first_unix_s)),
        ("last", rfc3339(page.last_unix_s)),
        ("declaration", agreement.declaration.clone()),
        ("page", page.hash.clone()),
        ("shown", page.counts.shown.to_string()),
        ("agreed", page.counts.agreed.to_string()),
        ("declined", page.counts.declined.to_string()),
        ("withdrawn", page.counts.withdrawn.to_string()),
    ];
    fill(&mut row, cells);
    row
}

fn scripted_row(scripted: &ScriptedName) -> Row {
    let mut row = empty_row();
    let usually = scripted.usually.as_ref();
    let unknown = || "unknown".to_owned();
    let cells = [
        ("kind", "scripted".to_owned()),
        ("tenant", scripted.tenant.clone()),
        ("mode", scripted.mode.word().to_owned()),
        ("cookie", scripted.name.clone().unwrap_or_default()),
        ("usually_set_by", usually.map_or_else(unknown, |usually| usually.platform.clone())),
        ("category", usually.map_or_else(unknown, |usually| usually.category.clone())),
        (
            "description",
            usually.and_then(|usually| usually.description.clone()).unwrap_or_default(),
        ),
        ("first", rfc3339(scripted.first_unix_s)),
        ("last", rfc3339(scripted.last_unix_s)),
        ("set", scripted.kind.word().to_owned()),
        ("risk", scripted.risk.map(word).unwrap_or_default()),
        ("count", scripted.reports.to_string()),
    ];
    fill(&mut row, cells);
    row
}

fn guard_row(pages: &GuardedPages, outcome: GuardOutcome, count: u64) -> Row {
    let mut row = empty_row();
    let cells = [
        ("kind", "guard".to_owned()),
        ("tenant", pages.tenant.clone()),
        ("mode", pages.mode.word().to_owned()),
        ("first", rfc3339(pages.first_unix_s)),
        ("last", rfc3339(pages.last_unix_s)),
        ("outcome", outcome.word().to_owned()),
        ("count", count.to_string()),
    ];
    fill(&mut row, cells);
    row
}

/// Returns the word of a member of a closed set, as in the JSON.
fn word(member: impl serde::Serialize) -> String {
    let value = serde_json::to_value(member).ok();
    value.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn fill<const N: usize>(row: &mut Row, cells: [(&str, String); N]) {
    for (column, text) in cells {
        let index = COLUMNS.iter().position(|known| *known == column);
        let cell = index.and_then(|index| row.get_mut(index));
        *cell.expect("COLUMNS has each of these names: a test writes each kind of row") = text;
    }
}

fn lifetimes(lifetimes: &[(RequestedLifetime, u64)]) -> String {
    let parts = lifetimes.iter().map(|(step, count)| format!("{}: {count}", step.word()));
    parts.collect::<Vec<_>>().join(SEPARATOR)
}

/// The separator between the parts of a cell. Spreadsheets do not split a cell at it.
const SEPARATOR: &str = " | ";

/// Adds a leading `'` where a spreadsheet would read the cell as a formula, and escapes characters that act. The
/// characters with which formulas begin are those that OWASP lists under "CSV Injection".
fn neutral(cell: &str) -> String {
    let shown = visible(cell);
    let begins_formula = |text: &str| {
        text.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n'])
    };
    // Some spreadsheets trim a cell before they interpret it.
    if begins_formula(cell) || begins_formula(shown.trim_start()) {
        format!("'{shown}")
    } else {
        shown.into_owned()
    }
}
