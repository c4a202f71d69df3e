//! What was done, kept (A): the ledger in the file of `[state]`, who writes it, and what reads it.
//!
//! - [`entry`]: what the ledger holds; [`codes`]: its closed sets; [`line`](mod@line): an entry as the line that is
//!   hashed; [`declaration`]: a declaration as JSON.
//! - `keeper`: the thread that writes; `waiting`: what it has not written yet; `store`, `schema`: the file;
//!   `status`: how it does.
//! - [`read`]: reading a ledger, without ever writing.
//! - [`merkle`]: a root for many lines; [`checkpoint`]: what is signed, as a [`note`].

pub mod checkpoint;
pub mod codes;
pub mod declaration;
pub mod entry;
mod keeper;
pub mod line;
pub mod merkle;
pub mod note;
pub mod read;
mod schema;
mod status;
mod store;
mod waiting;

pub use keeper::{Keeper, Settings};
pub use schema::SchemaError;
pub use status::Status;
