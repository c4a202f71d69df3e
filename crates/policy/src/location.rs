//! The locations where a browser may store a cookie, of which a deletion must repeat one exactly (rules E1 and E4).

use alloc::vec::Vec;
use core::net::Ipv4Addr;

use crate::{
    date::ImfFixdate,
    declaration::{Declaration, DeclaredCookie},
    exchange::RequestFacts,
    limits::{MAX_ATTRIBUTE_BYTES, fits},
    policy::EvictScope,
    syntax::has_host_prefix,
};

/// The largest number of prefixes of the request's path that are tried (E1).
const MAX_PREFIXES: usize = 3;

/// A location where a browser may store a cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Location<'r> {
    /// `None` for a host-only cookie.
    domain: Option<&'r str>,
    path: &'r str,
    is_partitioned: bool,
}

impl<'r> Location<'r> {
    /// The host itself, with the path `/`: the most likely location.
    pub(crate) const HOST: Self = Self { domain: None, path: "/", is_partitioned: false };

    /// Returns the locations that a navigation tries after [`Location::HOST`] (E1).
    pub(crate) fn of_navigation(request: RequestFacts<'r>, scope: EvictScope) -> Vec<Self> {
        let mut domains = Vec::new();
        if is_domain(request.host) {
            domains.push(request.host);
            if scope == EvictScope::Domain {
                domains.extend(parents(request.host));
            }
        }
        let mut locations: Vec<_> =
            domains.into_iter().map(|domain| Self { domain: Some(domain), ..Self::HOST }).collect();
        locations.push(Self { is_partitioned: true, ..Self::HOST });
        for path in prefixes(request.path) {
            locations.push(Self { path, ..Self::HOST });
            if is_domain(request.host) {
                locations.push(Self { path, domain: Some(request.host), ..Self::HOST });
            }
        }
        locations
    }

    /// Returns the locations that a withdrawal tries, most likely first (E4): each domain up to the registrable one, the
    /// same partitioned, and then the declared paths and the prefixes of the request's path.
    pub(crate) fn of_withdrawal(
        request: RequestFacts<'r>,
        declaration: &'r Declaration,
    ) -> Vec<Self> {
        let mut domains = alloc::vec![None];
        if is_domain(request.host) {
            domains.push(Some(request.host));
            domains.extend(parents(request.host).map(Some));
        }
        let mut paths = Vec::new();
        let declared = declaration.cookies().iter().map(|cookie| cookie.path.as_str());
        for path in declared.chain(prefixes(request.path)) {
            if path != Self::HOST.path && !paths.contains(&path) {
                paths.push(path);
            }
        }
        let at = |path, is_partitioned| {
            domains.iter().map(move |&domain| Self { domain, path, is_partitioned })
        };
        let roots = at(Self::HOST.path, false).chain(at(Self::HOST.path, true));
        roots.chain(paths.into_iter().flat_map(|path| at(path, false))).collect()
    }

    /// Returns true if this cookie is declared for this location.
    pub(crate) fn is_of(&self, cookie: &DeclaredCookie) -> bool {
        let domain = cookie.domain.as_ref().map(|domain| domain.as_str());
        !self.is_partitioned && self.domain == domain && self.path == cookie.path.as_str()
    }

    /// Returns true if browsers store a cookie of this name in this location. A `__Host-` name excludes other domains and
    /// paths, and browsers do not store a name that is too long.
    pub(crate) fn may_hold(&self, name: &[u8]) -> bool {
        let is_root = self.domain.is_none() && self.path == "/";
        fits(name, b"") && (is_root || !has_host_prefix(name))
    }

    /// Returns the pieces of the evicting field.
    pub(crate) fn deletion(&self, name: &'r [u8]) -> [&'r [u8]; 9] {
        [
            name,
            b"=; Max-Age=0; Expires=",
            ImfFixdate::EPOCH.as_bytes(),
            b"; Path=",
            self.path.as_bytes(),
            self.domain.map_or(&b""[..], |_| b"; Domain="),
            self.domain.unwrap_or_default().as_bytes(),
            b"; Secure",
            if self.is_partitioned { b"; SameSite=None; Partitioned" } else { b"" },
        ]
    }
}

/// Returns true if a `Domain` can name this host: it is not an address, and no byte of it would end the attribute.
fn is_domain(host: &str) -> bool {
    let is_host_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    !host.is_empty() && host.bytes().all(is_host_byte) && host.parse::<Ipv4Addr>().is_err()
}

/// Returns the registrable domain of a host according to the public suffix list: the public suffix and one label more.
/// `None` for a public suffix and for an address. A cookie's `Domain` reaches no further.
pub fn registrable_domain(host: &str) -> Option<&str> {
    psl::domain_str(host).filter(|_| is_domain(host))
}

/// Returns the parent domains of `host`, nearest first, down to the registrable domain.
fn parents(host: &str) -> impl Iterator<Item = &str> {
    let registrable = registrable_domain(host);
    core::iter::successors(parent(host), |domain| parent(domain))
        .take_while(move |domain| registrable.is_some_and(|end| domain.len() >= end.len()))
}

fn parent(domain: &str) -> Option<&str> {
    domain.split_once('.').map(|(_, parent)| parent)
}

/// Returns the path and its parents, deepest first, without `/`, which is always tried.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    let deepest = path.strip_suffix('/').unwrap_or(path);
    core::iter::successors(Some(deepest), |path| path.rsplit_once('/').map(|(above, _)| above))
        .take_while(|prefix| prefix.len() > 1 && prefix.starts_with('/'))
        .take(MAX_PREFIXES)
        .filter(|prefix| prefix.len() <= MAX_ATTRIBUTE_BYTES && prefix.bytes().all(is_path_byte))
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b';'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_a_registrable_domain_is_a_public_suffix_and_one_label_more() {
        for (host, expected) in [
            ("a.b.acme.co.uk", Some("acme.co.uk")),
            ("acme.example", Some("acme.example")),
            ("me.github.io", Some("me.github.io")),
            ("co.uk", None),
            ("localhost", None),
            ("192.0.2.7", None),
            ("[2001:db8::1]", None),
            ("", None),
        ] {
            assert_eq!(registrable_domain(host), expected, "{host}");
        }
    }

    #[test]
    fn e1_paths_that_would_break_a_field_are_left_out() {
        let long = format!("/{}", "p".repeat(1024));
        for (path, expected) in [
            ("/", &[][..]),
            ("", &[]),
            ("*", &[]),
            ("/a", &["/a"]),
            ("/a/", &["/a"]),
            ("/a/b/c/d", &["/a/b/c/d", "/a/b/c", "/a/b"]),
            ("/a//b", &["/a//b", "/a/", "/a"]),
            ("/a/b;c/d", &["/a"]),
            ("/a/b c", &["/a"]),
            ("/ä", &[]),
            ("/a\r\nb", &[]),
            (&long, &[]),
        ] {
            assert_eq!(prefixes(path).collect::<Vec<_>>(), expected, "{path}");
        }
    }
}
