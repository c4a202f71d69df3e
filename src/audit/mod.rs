//! What was done, counted (A1): each worker keeps its own numbers for each tenant, and others read them.

mod counts;
mod route;

pub use counts::{Books, Counts, Shard, Tally};
pub use route::route_template;
