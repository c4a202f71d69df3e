//! Limits on the names and routes that are counted separately (A4, A7).

/// The text that replaces every name or route beyond the limit.
pub const OTHER: &str = "(other)";

/// Number of undeclared names per tenant and window that are counted separately.
pub const MAX_NAMES: usize = 1_000;

/// Number of names that browsers report, per tenant and window, that are counted separately (A7).
pub const MAX_SCRIPTED_NAMES: usize = 256;
