//! The sizes that browsers accept (RFC 6265bis, section 5.6).

/// The largest size of name and value together that browsers store, in bytes.
pub(crate) const MAX_PAIR_BYTES: usize = 4096;

/// The largest size of an attribute's value in bytes. Browsers ignore attributes with a longer one.
pub(crate) const MAX_ATTRIBUTE_BYTES: usize = 1024;

/// Returns true if browsers store a cookie with a name and a value of these sizes.
pub(crate) fn fits(name: &[u8], value: &[u8]) -> bool {
    name.len().saturating_add(value.len()) <= MAX_PAIR_BYTES
}
