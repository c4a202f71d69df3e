//! Documents and scripts of the application on their way to a browser: the guard and the banner are inserted into them.

mod changes;
mod decoder;
mod encoder;
mod insertion;
mod prefix;
mod recoder;
mod rewrite;

pub(super) use changes::Changes;
pub(super) use insertion::{Insert, Insertion};
pub(super) use prefix::Prefix;
pub(super) use rewrite::Rewrite;
