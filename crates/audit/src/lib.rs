//! Counting of verdicts (A): each worker counts in its own memory, shares no lock with other workers, and sends its counts
//! to the ledger in batches.
//!
//! Every verdict is counted twice. The [`Books`] hold a few numbers per tenant, which metrics show. The [`Journal`] counts
//! the evidence: the action on each cookie name per route; its [`Page`]s go to the ledger. So the two can be compared (A1).
//! Events on the gateway's own pages (shown, agreed, declined, withdrawn) are counted in both as well.

mod aggregator;
mod agreement;
mod batch;
mod counters;
mod escape;
mod name;
mod route;
pub mod tenants;
mod window;

pub use aggregator::{Account, Journal};
pub use agreement::{AgreementEvent, ShownPage};
pub use batch::{Page, PageAccount, PageAgreement, PageRow, has_foreign_name};
pub use counters::{Books, Counts, Tally};
pub use escape::csv_cell;
pub use name::{NameBuffer, name_template};
pub use route::route_template;
pub use window::{Figures, Window};

/// The text that replaces every name or route beyond the limit (A4).
pub const OTHER: &str = "(other)";

/// Number of undeclared names per tenant and window that are counted separately (A4).
pub const MAX_NAMES: usize = 1_000;
