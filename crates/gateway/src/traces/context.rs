//! The `traceparent` header (W3C Trace Context, section 3.2): the trace of a request, and whether it is sampled.

use http::{HeaderMap, HeaderName};

use super::ids::{SpanId, TraceId};

/// The caller's `traceparent`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Parent {
    pub(super) trace: TraceId,
    /// The caller's own span.
    pub(super) span: SpanId,
    pub(super) is_sampled: bool,
}

impl Parent {
    /// Reads the `traceparent` of a request; `None` if there is none, more than one, or an invalid one.
    pub(super) fn of(fields: &HeaderMap) -> Option<Self> {
        let mut values = fields.get_all(TRACEPARENT).iter();
        let (value, other) = (values.next()?, values.next());
        if other.is_some() { None } else { Self::read(value.as_bytes()) }
    }

    /// Reads `00-{trace}-{span}-{flags}`. Later versions may add more after another hyphen (section 4.3).
    fn read(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(LENGTH)?;
        let version = hexadecimal::<1>(known.get(..2)?)?;
        let is_right = match version {
            [0] => more.is_empty(),
            [255] => false,
            _ => more.is_empty() || more.starts_with(b"-"),
        };
        let has_hyphens = [2, 35, 52].iter().all(|at| known.get(*at) == Some(&b'-'));
        let trace = hexadecimal::<16>(known.get(3..35)?)?;
        let span = hexadecimal::<8>(known.get(36..52)?)?;
        let [flags] = hexadecimal::<1>(known.get(53..)?)?;
        let is_valid = is_right && has_hyphens && trace != [0; 16] && span != [0; 8];
        let (trace, span) = (TraceId(trace), SpanId(span));
        is_valid.then_some(Self { trace, span, is_sampled: flags & SAMPLED != 0 })
    }
}

/// The header with the trace and the parent span of a request.
pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The header with vendors' own values of a trace; it belongs to a `traceparent`.
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Length of a version 00 value, and of the part that later versions begin with.
const LENGTH: usize = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".len();

/// The flag of a sampled request.
const SAMPLED: u8 = 1;

/// The `traceparent` of a sampled request, for the application.
pub(super) fn write(trace: TraceId, span: SpanId) -> String {
    format!("00-{trace}-{span}-{SAMPLED:02x}")
}

/// Reads hexadecimal digits in lower case; capitals are invalid here.
fn hexadecimal<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return None,
            };
            *byte = *byte << 4 | value;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_traceparent_is_read_as_the_w3c_defines_it() {
        let sampled = format!("00-{TRACE}-{SPAN}-01");
        let parent = Parent::read(sampled.as_bytes()).unwrap();
        assert!(parent.is_sampled);
        assert_eq!(write(parent.trace, parent.span), sampled);
        for (value, is_sampled) in [
            (format!("00-{TRACE}-{SPAN}-00"), Some(false)),
            // Other flags belong to later versions.
            (format!("00-{TRACE}-{SPAN}-03"), Some(true)),
            (format!("00-{TRACE}-{SPAN}-fe"), Some(false)),
            (format!("01-{TRACE}-{SPAN}-01"), Some(true)),
            (format!("cc-{TRACE}-{SPAN}-01-what the future holds"), Some(true)),
            (format!("cc-{TRACE}-{SPAN}-01.what"), None),
            (format!("00-{TRACE}-{SPAN}-01-more"), None),
            (format!("ff-{TRACE}-{SPAN}-01"), None),
            (format!("00-{}-{SPAN}-01", "0".repeat(32)), None),
            (format!("00-{TRACE}-{}-01", "0".repeat(16)), None),
            (format!("00-{}-{SPAN}-01", TRACE.to_uppercase()), None),
            (format!("00-{TRACE}-{SPAN}-1"), None),
            (format!("00-{TRACE}-{SPAN}-0x"), None),
            (format!("00_{TRACE}_{SPAN}_01"), None),
            (format!("0-{TRACE}-{SPAN}-01"), None),
            (format!("00-{TRACE}0-{SPAN}-01"), None),
            (String::new(), None),
        ] {
            let parent = Parent::read(value.as_bytes());
            assert_eq!(parent.map(|parent| parent.is_sampled), is_sampled, "{value}");
        }
    }

    #[test]
    fn a_request_with_two_traceparents_counts_as_one_without() {
        let value = HeaderValue::try_from(format!("00-{TRACE}-{SPAN}-01")).unwrap();
        let mut fields = HeaderMap::new();
        assert_eq!(Parent::of(&fields), None);
        fields.append(TRACEPARENT, value.clone());
        assert!(Parent::of(&fields).is_some());
        fields.append(TRACEPARENT, value);
        assert_eq!(Parent::of(&fields), None);
    }

    proptest! {
        #[test]
        fn a_valid_traceparent_is_written_as_it_was_read(value in "00-[0-9a-f]{32}-[0-9a-f]{16}-01|[ -~]{0,80}") {
            if let Some(parent) = Parent::read(value.as_bytes()).filter(|_| value.starts_with("00")) {
                prop_assert_eq!(&write(parent.trace, parent.span)[..53], &value[..53]);
            }
        }
    }
}
