//! The thread that owns the state file: it writes the ledger, and tenants that are set at run time.
//!
//! - `keeper`: the thread; `desk`: the requests to it; `status`: its figures.
//! - `waiting` and `agreements`: entries in memory that are not written yet, each with its `place` in the file.
//! - `store`, `writing`, `tenants`, `migrations`: the file.
//! - [`segments`]: closes and prunes segments; [`key`]: the keys that sign them; `balance`: checks that one adds up.

mod agreements;
mod balance;
mod desk;
mod keeper;
pub mod key;
mod migrations;
mod place;
pub mod segments;
mod status;
mod store;
mod tenants;
mod waiting;
mod writing;

pub use desk::{ChangeError, Desk};
pub use keeper::{Inbox, Keeper, Settings};
pub use migrations::migrate;
pub use status::Status;
pub use tenants::{TenantChange, TenantRecord, stored_tenants};
