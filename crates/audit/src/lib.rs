//! What was done (A): each worker counts in its own memory, without a lock that another worker takes, and hands what
//! it has counted on, a page at a time.
//!
//! Two books are kept. The [`Books`] are a few numbers for each tenant, which metrics and logs show. The [`Journal`] is
//! the evidence: what became of each name, on which route; its [`Page`]s go to the ledger. Both count every verdict, so
//! that one can be held against the other (A1). So they do with what becomes of the gateway's own pages: whether they
//! were shown, and agreed to.

mod agreement;
mod counts;
mod escape;
mod journal;
mod name;
mod page;
mod route;
pub mod tenants;
mod window;

pub use agreement::{AgreementEvent, ShownPage};
pub use counts::{Books, Counts, Tally};
pub use escape::csv_cell;
pub use journal::{Account, Journal};
pub use name::{NameBuffer, name_template};
pub use page::{Page, PageAccount, PageAgreement, PageRow, has_foreign_name};
pub use route::route_template;
pub use window::{Figures, Window};

/// What stands for every name, or every route, beyond those that there is room for (A4).
pub const OTHER: &str = "(other)";

/// How many undeclared names of one tenant a window tells apart (A4).
pub const MAX_NAMES: usize = 1_000;
