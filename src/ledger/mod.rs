//! What was done, kept (A): the ledger in the file of `[state]`, and what reads it.
//!
//! - [`entry`]: what the ledger holds; [`codes`]: its closed sets; [`line`](mod@line): an entry as the line that is hashed.
//! - `schema`: the tables of the file; [`read`]: reading them.

pub mod codes;
pub mod entry;
pub mod line;
pub mod read;
mod schema;

pub use schema::SchemaError;
