//! Asserts by requests that each target does what is claimed of it.
