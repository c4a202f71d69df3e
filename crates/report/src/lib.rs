//! Reports on a ledger: declared cookies and their use, stripped cookies, and whether the counts balance.
//!
//! - [`Report::build`] (`builder.rs`) reads the ledger once and adds up its entries: `totals.rs` the totals,
//!   `declared.rs` declared cookies, `stripped.rs` stripped ones, `agreement.rs` the gateway's own pages, `guard.rs` the guard, `liveness.rs`
//!   heartbeats and gaps, `timeline.rs` the time line, `chain.rs` the closed segments.
//! - [`text`](Report::text), [`html`](Report::html), [`json`](Report::json) and [`csv`](Report::csv) write the report.
//!   The sections of text and HTML are in `sections/` and `layout.rs`, the texts of both languages in `words/`;
//!   `visible.rs` makes text from outside harmless.
//! - [`overview`] reads a short summary again and again, for the dashboard; `reported.rs` is its part about the guard. [`vendors`] knows the usual vendors of cookies.
//!
//! The fields of the structs are those of the JSON, which `docs/reference/report.md` lists.

mod agreement;
mod builder;
mod chain;
mod csv;
mod declared;
mod guard;
mod html;
mod json;
mod layout;
mod liveness;
pub mod overview;
mod period;
mod report;
mod reported;
mod sections;
mod serialize;
mod stripped;
mod sum;
#[cfg(test)]
mod tests;
mod text;
mod timeline;
mod totals;
pub mod vendors;
mod visible;
mod words;

pub use agreement::{AgreementHistory, PageHistory};
pub use chain::{ChainCheck, ChainState, ClosedSegment};
pub use declared::{
    CookieUsage, DeclarationVersion, DeclaredCookie, GrantedLifetime, Lifetime, TenantUsage,
};
pub use guard::{EnforcingRisk, GuardHistory, GuardedPages, ScriptedName};
pub use liveness::{Gap, GapReason, Heartbeats, RecordedEvent};
pub use period::{Period, Selection};
pub use report::Report;
pub use stripped::{Dependence, RouteCount, StrippedCookie, VendorHint};
pub use timeline::{Bucket, Timeline};
pub use totals::{
    AddedTotals, AgreementCounts, AgreementTotals, DirectionTotals, TenantTotals, Totals,
};
