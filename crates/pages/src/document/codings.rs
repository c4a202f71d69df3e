//! The content codings of pages that can be changed (RFC 9110, sections 8.4 and 12.5.3).

use http::{HeaderMap, HeaderValue, header};

/// A content coding that the gateway reads. It requests and writes gzip alone, which takes less time than Brotli for pages of the
/// same size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Coding {
    /// Brotli (RFC 7932), of an application that sends it without having been asked.
    Brotli,
    /// Gzip (RFC 1952).
    Gzip,
    /// None.
    Identity,
}

impl Coding {
    /// Returns the coding of a response; `None` if it is another one, or there are several.
    pub(super) fn of(response: &HeaderMap) -> Option<Self> {
        let mut coding = Self::Identity;
        for name in response.get_all(header::CONTENT_ENCODING).into_iter().flat_map(elements) {
            match (Self::named(name)?, coding) {
                (Self::Identity, _) => {}
                (named, Self::Identity) => coding = named,
                (Self::Brotli | Self::Gzip, Self::Brotli | Self::Gzip) => return None,
            }
        }
        Some(coding)
    }

    /// Changes the fields of a response in this coding whose body is decoded and encoded again.
    pub fn recode(self, response: &mut HeaderMap) {
        if self == Self::Brotli {
            response.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
    }

    fn named(name: &[u8]) -> Option<Self> {
        let is_one_of =
            |names: &[&[u8]]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        if is_one_of(&[b"br"]) {
            Some(Self::Brotli)
        } else if is_one_of(&[b"gzip", b"x-gzip"]) {
            Some(Self::Gzip)
        } else {
            is_one_of(&[b"identity"]).then_some(Self::Identity)
        }
    }
}

/// Changes a request so that the response is in gzip, if the client accepts that, or not coded: removes all other codings from
/// `Accept-Encoding`, and keeps the rest with its weights.
pub fn reduce_codings(request: &mut HeaderMap) {
    let mut reduced = Vec::new();
    for element in request.get_all(header::ACCEPT_ENCODING).into_iter().flat_map(elements) {
        let name = element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        if matches!(Coding::named(name), Some(Coding::Gzip | Coding::Identity)) {
            let separator: &[u8] = if reduced.is_empty() { b"" } else { b", " };
            reduced.extend_from_slice(separator);
            reduced.extend_from_slice(element);
        }
    }
    let reduced = HeaderValue::try_from(reduced).ok().filter(|value| !value.is_empty());
    let reduced = reduced.unwrap_or(HeaderValue::from_static("identity"));
    request.insert(header::ACCEPT_ENCODING, reduced);
}

/// Returns the elements of a list.
fn elements(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    let elements = value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
    elements.filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &header::HeaderName, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn a_response_has_one_coding_that_can_be_read_or_another_one() {
        for (values, coding) in [
            (&[][..], Some(Coding::Identity)),
            (&[""], Some(Coding::Identity)),
            (&["identity"], Some(Coding::Identity)),
            (&["GZip"], Some(Coding::Gzip)),
            (&["x-gzip"], Some(Coding::Gzip)),
            (&["br"], Some(Coding::Brotli)),
            (&["identity, br"], Some(Coding::Brotli)),
            (&["identity", "gzip"], Some(Coding::Gzip)),
            (&["gzip, br"], None),
            (&["gzip", "gzip"], None),
            (&["deflate"], None),
            (&["zstd"], None),
            (&["br, zstd"], None),
            (&["gzip;q=1"], None),
        ] {
            assert_eq!(
                Coding::of(&fields(&header::CONTENT_ENCODING, values)),
                coding,
                "{values:?}"
            );
        }
    }

    #[test]
    fn a_request_keeps_gzip_and_identity_with_their_weights() {
        for (values, reduced) in [
            (&[][..], "identity"),
            (&[""], "identity"),
            (&["gzip, deflate, br, zstd"], "gzip"),
            (&["zstd, br, deflate"], "identity"),
            (&["*"], "identity"),
            (&["br;q=0.5 , gzip ; q=1,*;q=0.1"], "gzip ; q=1"),
            (&["gzip;q=0, identity;q=0.2"], "gzip;q=0, identity;q=0.2"),
            (&["deflate", "GZIP", "x-gzip"], "GZIP, x-gzip"),
        ] {
            let mut request = fields(&header::ACCEPT_ENCODING, values);
            reduce_codings(&mut request);
            assert_eq!(request, fields(&header::ACCEPT_ENCODING, &[reduced]), "{values:?}");
        }
    }
}
