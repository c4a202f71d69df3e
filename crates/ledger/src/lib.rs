//! The ledger's format and its proof: what entries hold, how a ledger is read, verified and exported.
//!
//! Nothing here writes the file; `state` does.
//!
//! - [`entry`]: what the ledger holds; [`codes`]: its closed sets; [`line`](mod@line): an entry as the line that is
//!   hashed, and [`parse`]: the line read back; [`declaration`]: a declaration as JSON.
//! - [`merkle`]: a root for many lines; [`checkpoint`]: the signed text of a closed segment, as a [`note`];
//!   [`outline`]: locates a changed entry.
//! - [`schema`] and [`sqlite`]: the file; [`read`]: reads a ledger, and never writes.
//! - [`verify`]: verifies a ledger or a bundle; [`export`]: writes bundles.
//! - [`period`]: moments as people write them; [`progress`]: the progress of all of these.

pub mod checkpoint;
pub mod codes;
pub mod declaration;
pub mod entry;
pub mod export;
pub mod line;
pub mod merkle;
pub mod note;
pub mod outline;
pub mod parse;
pub mod period;
pub mod progress;
pub mod read;
pub mod schema;
pub mod sqlite;
pub mod verify;
