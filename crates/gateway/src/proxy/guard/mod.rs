//! The guard against cookies that scripts set (W).

mod beacon;

pub use beacon::Beacon;
pub(super) use beacon::{BeaconLimit, of as beacon};
