//! Verifies a ledger or an exported bundle, offline and using only its content.
//!
//! Verification follows the order of the entries and ends with the first defect. It checks
//!
//! - the chain of checkpoints: form, signature, signing key and predecessor (`chain.rs`);
//! - the entries of each segment against its signed root: none changed, missing, inserted or
//!   reordered (`segment.rs`);
//! - heartbeats without gaps, and the balance of every window that has ended (`totals.rs`);
//! - that segments without entries were pruned, and that declarations have their hashes;
//! - that the pages that entries name are present and have their hashes (`pages.rs`);
//! - a key and checkpoints that were kept elsewhere ([`Expected`]).
//!
//! Entries that no checkpoint covers yet (of the last hour) are only counted.

mod bundle;
mod chain;
mod expected;
mod finding;
mod ledger;
mod pages;
mod segment;
mod summary;
mod totals;
mod unpack;
mod verification;

pub use bundle::verify_bundle;
pub use expected::{Expected, PinnedKey, read_anchors};
pub use finding::{Balance, Finding};
pub use ledger::verify_ledger;
pub use summary::{VerifyError, as_json, as_text, read_anchor_file, verify_file};
pub use unpack::BundleError;
pub use verification::Verification;
