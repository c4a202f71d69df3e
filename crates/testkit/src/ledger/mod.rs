//! Writes ledgers as a gateway would have left them, for tests and benchmarks that read them.

mod hostile;
mod rich;
mod rows;
mod seen;
pub mod signed;
mod unsigned;

pub use hostile::{HOSTILE, TENANTS, hostile};
pub use rich::rich;
pub use rows::GuardRow;
pub use seen::Seen;
pub use unsigned::UnsignedLedger;
