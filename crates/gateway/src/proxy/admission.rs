//! Whose request is it, and may it go on? (T1, T2, and the limits that need no body.)

use std::{borrow::Cow, rc::Rc};

use http::{HeaderValue, Method, Request, Version, header};

use super::{recorder::Entry, rejection::Rejection, tenant_cache::TenantCache};
use crumbgate_audit::tenants::host_of_authority;

/// The request's authority, as sent (T2).
pub(crate) fn authority<B>(request: &Request<B>) -> Result<HeaderValue, Rejection> {
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() {
        return Err(Rejection::Authority("there are several Host fields"));
    }
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    if target.is_some() && request.uri().path_and_query().is_none() {
        return Err(Rejection::Authority("the target is a host without a path"));
    }
    match (target, host) {
        (None, None) => Err(Rejection::Authority("there is no Host field")),
        (None, Some(host)) => Ok(host.clone()),
        (Some(target), Some(host)) if !host.as_bytes().eq_ignore_ascii_case(target.as_bytes()) => {
            Err(Rejection::Authority("the Host field and the target name different hosts"))
        }
        (Some(_), None) if request.version() == Version::HTTP_11 => {
            Err(Rejection::Authority("there is no Host field"))
        }
        (Some(target), _) => HeaderValue::from_str(target)
            .map_err(|_| Rejection::Authority("the target's host is malformed")),
    }
}

/// The host of an authority: lower case, no port.
pub(crate) fn host(authority: &HeaderValue) -> Result<Cow<'_, str>, Rejection> {
    let host = authority.to_str().ok().and_then(host_of_authority);
    host.ok_or(Rejection::Authority("the host is malformed"))
}

/// The tenant of a request for `host` on a connection that was made for `server_name` (T1, T2).
pub(crate) fn admit(
    tenants: &TenantCache,
    host: &str,
    server_name: Option<&str>,
) -> Result<Rc<Entry>, Rejection> {
    let entry = tenants.find(host).ok_or(Rejection::Misdirected("no tenant has this host"))?;
    if let Some(name) = server_name.filter(|name| *name != host) {
        let other = tenants.find(name);
        if other.is_some_and(|other| other.tenant.name != entry.tenant.name) {
            return Err(Rejection::Misdirected("the connection was made for another tenant"));
        }
    }
    Ok(entry)
}

/// Refuses methods that are not for an application behind a gateway: a tunnel to anywhere, and an echo of what the
/// browser keeps from scripts.
pub(crate) fn check_method(method: &Method) -> Result<(), Rejection> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Rejection::Method);
    }
    Ok(())
}

/// Bytes of a request's head, as HTTP/1.1 would write it.
pub(crate) fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request.uri().path_and_query().map_or(1, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + " HTTP/1.1\r\n ".len();
    let fields = request.headers().iter();
    line + fields
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(version: Version, target: &str, hosts: &[&str]) -> Request<()> {
        let mut request = Request::builder().version(version).uri(target);
        for host in hosts {
            request = request.header(header::HOST, *host);
        }
        request.body(()).unwrap()
    }

    #[test]
    fn t2_an_authority_is_said_once_and_clearly() {
        let cases: [(Version, &str, &[&str], Option<&str>); 11] = [
            (Version::HTTP_11, "a.example", &["a.example"], None),
            (Version::HTTP_11, "/", &["acme.example"], Some("acme.example")),
            (Version::HTTP_11, "/", &[], None),
            (Version::HTTP_11, "/", &["a.example", "a.example"], None),
            (Version::HTTP_11, "http://a.example/", &["A.example"], Some("a.example")),
            (Version::HTTP_11, "http://a.example/", &["b.example"], None),
            (Version::HTTP_11, "http://a.example/", &[], None),
            (Version::HTTP_2, "https://a.example/", &[], Some("a.example")),
            (Version::HTTP_2, "https://a.example/", &["a.example"], Some("a.example")),
            (Version::HTTP_2, "https://a.example/", &["b.example"], None),
            (Version::HTTP_2, "/", &["a.example"], Some("a.example")),
        ];
        for (version, target, hosts, expected) in cases {
            let found = authority(&request(version, target, hosts)).ok();
            assert_eq!(found.as_ref().map(|v| v.to_str().unwrap()), expected, "{target} {hosts:?}");
        }
    }

    #[test]
    fn a_head_is_as_large_as_http_1_writes_it() {
        let request = request(Version::HTTP_11, "/a?b", &["c.example"]);
        let head = "GET /a?b HTTP/1.1\r\nhost: c.example\r\n";
        assert_eq!(head_bytes(&request), head.len());
    }
}
