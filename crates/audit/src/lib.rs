//! Counting of verdicts (A): each worker counts in its own memory, shares no lock with other workers, and sends its counts
//! to the ledger in batches.
//!
//! Every verdict is counted twice. The [`Counters`] hold a few numbers per tenant, which metrics show. The [`Aggregator`] counts
//! the evidence: the action on each cookie name per route; its [`Batch`]es go to the ledger. So the two can be compared (A1).
//! Events on the gateway's own pages (shown, agreed, declined, withdrawn) are counted in both as well. Events of the guard
//! are counted as evidence alone: browsers report most of them, and anybody can (A7).

mod aggregator;
mod agreement;
mod batch;
mod beacon;
mod counters;
mod escape;
mod guard;
mod guard_event;
mod limits;
mod name;
mod route;
pub mod tenants;
mod window;

pub use aggregator::{Aggregator, TenantRecorder};
pub use agreement::{AgreementEvent, ShownPage};
pub use batch::{AgreementCount, Batch, GuardCount, TenantCount, VerdictCount, has_foreign_name};
pub use beacon::{MAX_BEACON_NAMES, read_beacon};
pub use counters::{CounterSnapshot, Counters, TenantCounters};
pub use escape::csv_cell;
pub use guard::{GuardOutcome, ScriptedKind};
pub use guard_event::GuardEvent;
pub use limits::{MAX_NAMES, MAX_SCRIPTED_NAMES, OTHER};
pub use name::{NameBuffer, name_template};
pub use route::route_template;
pub use window::{Figures, Window};
