//! The result of a verification without a finding.

use crate::{checkpoint::Checkpoint, note::Verifier};

/// The result of a verification without a finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verification {
    /// The name of the ledger, which is the name of its keys.
    pub ledger: String,
    /// The tenant whose entries are present, besides those of the gateway itself. `None` where all
    /// are.
    pub tenant: Option<String>,
    /// The number of closed segments.
    pub segments: u64,
    /// The number of segments whose entries are present.
    pub present: u64,
    /// The number of signed entries that are present and correct.
    pub entries: u64,
    /// The number of entries that are not signed yet.
    pub unsigned: u64,
    /// The newest checkpoint.
    pub newest: Option<Checkpoint>,
    /// The keys that have signed, in order.
    pub keys: Vec<Verifier>,
    /// The number of checkpoints in the chain that were kept elsewhere.
    pub anchors: u64,
}
