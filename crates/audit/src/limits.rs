//! Limits on the names and routes that are counted separately (A4).

/// The text that replaces every name or route beyond the limit.
pub const OTHER: &str = "(other)";

/// Number of undeclared names per tenant and window that are counted separately.
pub const MAX_NAMES: usize = 1_000;
