//! The thread that owns the state file: it writes the ledger, and tenants that are set at run time.
//!
//! - `thread`: starts and stops the thread; `writer`: the thread itself; [`StateHandle`]: commands to
//!   it; [`Status`]: its figures.
//! - `buffer` and `agreements`: entries in memory that are not written yet, each with its
//!   `entry_state`.
//! - `store`, `file`, `entry_writer`, `tenants`, `migrations`: the file.
//! - [`segments`]: closes, signs and prunes segments; [`key`] and [`keyring`]: the keys that sign
//!   them; `balance`: checks that one adds up.

mod agreements;
mod balance;
mod buffer;
mod entry_state;
mod entry_writer;
mod file;
mod guards;
mod handle;
pub mod key;
pub mod keyring;
mod migrations;
pub mod segments;
mod settings;
mod status;
mod store;
mod store_error;
mod tenants;
mod thread;
mod writer;

pub use handle::{ChangeError, StateHandle};
pub use migrations::migrate;
pub use settings::Settings;
pub use status::Status;
pub use tenants::{TenantChange, TenantRecord, stored_tenants};
pub use thread::{BatchReceiver, StateThread};
