//! The forms of values in the JSON of the administration.

use std::fmt::Display;

use crumbgate_base::text::rfc3339;
use serde::Serializer;

/// Writes seconds since the Unix epoch in RFC 3339.
pub(super) fn moment<S: Serializer>(unix_s: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*unix_s))
}

/// Writes optional seconds since the Unix epoch in RFC 3339, or null.
pub(super) fn optional_moment<S: Serializer>(
    unix_s: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match unix_s {
        Some(unix_s) => moment(unix_s, serializer),
        None => serializer.serialize_none(),
    }
}

/// Writes the text of a value.
pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Writes the text of an optional value, or null.
pub(super) fn optional_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serializer.collect_str(value),
        None => serializer.serialize_none(),
    }
}
