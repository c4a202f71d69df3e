//! The application's pages on their way to a browser: the guard's script and the banner are inserted into them.

mod decoder;
mod encoder;
mod insertion;
mod recoder;
mod rewrite;

pub(super) use insertion::{Insert, Insertion};
pub(super) use rewrite::Rewrite;
