//! Requests that differ from each other.

use std::io::Write as _;

use crate::{
    clients::Request,
    traffic::{self, DOMAIN},
};

/// The first request of a connection.
pub(super) fn first() -> Request {
    let mut request = traffic::json(1).to_client();
    request.headers.push(("host".to_owned(), format!("t0.{DOMAIN}")));
    request
}

/// Requests to that many tenants, in an order without a pattern; after as many requests all have been asked once.
pub(super) fn to_tenants(tenants: u64) -> impl FnMut(&mut Vec<u8>) {
    let template = Template::new(traffic::json(1));
    let mut number = 0;
    move |request| {
        number += 1;
        template.write(request, number * STRIDE % tenants);
        request.extend(END);
    }
}

/// Requests that bring [`NAMES_OF_ONE`] undeclared cookies each, of so many different names, to that many tenants.
pub(super) fn with_names(names: u64, tenants: u64) -> impl FnMut(&mut Vec<u8>) {
    let template = Template::new(traffic::json(0));
    let (mut number, mut name) = (0, 0);
    move |request| {
        number += 1;
        template.write(request, number * STRIDE % tenants);
        for _ in 0..NAMES_OF_ONE {
            request.extend(b"; ");
            request.extend(name_of(name));
            request.extend(b"=1");
            name = (name + 1) % names;
        }
        request.extend(END);
    }
}

/// Undeclared cookies of one request.
pub(super) const NAMES_OF_ONE: u64 = 8;

/// A prime: no power of ten has a divisor in common with it.
const STRIDE: u64 = 7_919;

const END: &[u8] = b"\r\n\r\n";

/// A request whose host is still open, and that can have more cookies.
struct Template {
    before_host: Vec<u8>,
    /// To the end of the `Cookie` field's value.
    behind_host: Vec<u8>,
}

impl Template {
    fn new(request: traffic::Request) -> Self {
        let before_host = format!("GET {} HTTP/1.1\r\nhost: ", request.path).into_bytes();
        let (cookies, others): (Vec<_>, Vec<_>) =
            request.fields.into_iter().partition(|(name, _)| *name == "cookie");
        let mut behind_host = Vec::new();
        for (name, value) in others.into_iter().chain(cookies) {
            behind_host.extend(b"\r\n");
            behind_host.extend(name.as_bytes());
            behind_host.extend(b": ");
            behind_host.extend(value.as_bytes());
        }
        Self { before_host, behind_host }
    }

    fn write(&self, request: &mut Vec<u8>, tenant: u64) {
        request.extend(&self.before_host);
        // Writing to a vector can't fail.
        let _ = write!(request, "t{tenant}.{DOMAIN}");
        request.extend(&self.behind_host);
    }
}

/// One of a million names that read like words: so the ledger keeps each as it is, and can't fold many into one.
fn name_of(number: u64) -> impl Iterator<Item = u8> {
    // An odd factor makes another order of all numbers below a power of two.
    let scattered = number.wrapping_mul(0x9_e377) % (1 << 20);
    let syllable = move |place: u32| {
        let index = (scattered >> (5 * place)) % 32;
        SYLLABLES.get(usize::try_from(index).unwrap_or_default()).into_iter().flatten()
    };
    (0..4).flat_map(syllable).copied()
}

const SYLLABLES: [[u8; 2]; 32] = [
    *b"ba", *b"be", *b"bo", *b"ca", *b"co", *b"da", *b"de", *b"di", *b"fa", *b"fi", *b"ga", *b"ha",
    *b"he", *b"hi", *b"la", *b"le", *b"li", *b"lo", *b"ma", *b"me", *b"mi", *b"na", *b"ne", *b"no",
    *b"ra", *b"re", *b"ri", *b"ro", *b"sa", *b"se", *b"ta", *b"te",
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_million_names_are_different() {
        let names: HashSet<Vec<u8>> = (0..1_000_000).map(|n| name_of(n).collect()).collect();
        assert_eq!(names.len(), 1_000_000);
    }

    #[test]
    fn every_tenant_is_asked_once_in_a_round() {
        let mut write = to_tenants(100);
        let requests: HashSet<Vec<u8>> = (0..100)
            .map(|_| {
                let mut request = Vec::new();
                write(&mut request);
                request
            })
            .collect();
        assert_eq!(requests.len(), 100);
    }

    #[test]
    fn a_request_brings_eight_names_more() {
        let mut request = Vec::new();
        with_names(10, 1)(&mut request);
        let text = String::from_utf8(request).unwrap();
        let field = text.lines().find_map(|line| line.strip_prefix("cookie: ")).unwrap();
        assert_eq!(field.split("; ").count(), 3 + 8);
        assert!(text.starts_with("GET /api/") && text.contains("\r\nhost: t0.bench.example\r\n"));
        assert!(text.ends_with("\r\n\r\n"));
    }
}
