//! What was done, kept (A): the ledger in the file of `[state]`, who writes it, and what reads it.
//!
//! - [`entry`]: what the ledger holds; [`codes`]: its closed sets; [`line`](mod@line): an entry as the line that is
//!   hashed; [`declaration`]: a declaration as JSON.
//! - `keeper`: the thread that writes; `waiting`: what it has not written yet, and `agreements`, that of agreement; `desk`: what it is asked to do while it runs;
//!   `store`, `writing`, [`schema`]: the file; `tenants`: those of them that were set while running; `status`: how it does.
//! - Sealing: [`merkle`]: a root for many lines; [`checkpoint`]: what is signed, as a [`note`]; [`key`]: with what;
//!   [`outline`]: what names the entry that does not fit; [`seal`]: closing and pruning segments; `balance`: whether one adds
//!   up.
//! - [`read`]: reading a ledger, without ever writing; [`verify`]: whether all of it still fits; [`export`]: a bundle for
//!   others, and [`parse`]: its lines read back.
//! - [`report`]: what it all adds up to, for people; [`overview`]: the same in short, for who looks again and again; [`period`]: of which time;
//!   [`vendors`]: who usually sets a cookie.
//! - [`progress`]: how far all of these are.

mod agreements;
mod balance;
pub mod checkpoint;
pub mod codes;
pub mod declaration;
mod desk;
pub mod entry;
pub mod export;
mod keeper;
pub mod key;
pub mod line;
pub mod merkle;
pub mod note;
pub mod outline;
pub mod overview;
pub mod parse;
pub mod period;
pub mod progress;
pub mod read;
pub mod report;
pub mod schema;
pub mod seal;
mod status;
mod store;
mod tenants;
pub mod vendors;
pub mod verify;
mod waiting;
mod writing;

pub use desk::{ChangeError, Desk};
pub use keeper::{Inbox, Keeper, Settings};
pub use schema::{SchemaError, migrate};
pub use status::Status;
pub use tenants::{TenantChange, TenantRecord, stored_tenants};
