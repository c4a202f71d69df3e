//! Admission: rejects requests that no tenant's application may see, and finds the tenant (T1, T2). Then the judging of
//! the request, as far as it needs nothing but the head (R1 to R8).
//!
//! Everything here reads a head and no connection, so that `crumbgate explain` calls the same functions as traffic.

use std::borrow::Cow;

use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, header};
use http_body::Body;
use smallvec::SmallVec;

use super::{
    head::{HeaderFlags, is_clearly_framed},
    headers::field_bytes,
    rejection::Rejection,
    upgrade::WebSocket,
};
use crumbgate_audit::tenants::{Tenant, host_of_authority};
use crumbgate_config::Limits;
use crumbgate_policy::{
    self as policy, CookieField, JudgedRequest, Mode, Policy, RequestFacts, sealing::SealFacts,
    verdict::Verdict,
};

/// An admitted request: the parts of its head by which it and its response are judged. They are clones that share their
/// bytes with the request, and stay when it goes upstream.
pub struct Admitted<T> {
    /// The method; `GET` if an extended `CONNECT` asks for a WebSocket.
    pub method: Method,
    /// The target.
    pub uri: Uri,
    /// The version of HTTP that the client uses.
    pub version: Version,
    /// The authority, as sent.
    pub authority: HeaderValue,
    host: Host,
    /// The `Cookie` fields.
    pub cookies: SmallVec<[HeaderValue; 2]>,
    /// The kinds of fields of the head.
    pub flags: HeaderFlags,
    /// The WebSocket handshake that the request begins.
    pub websocket: Option<WebSocket>,
    /// The tenant, or what leads to it.
    pub tenant: T,
}

/// The normalized host of an authority. Most authorities begin with it.
enum Host {
    /// The first bytes of the authority.
    Prefix(usize),
    Normalized(String),
}

/// Admits a request, or rejects it: for its method, its framing, its authority, or for want of a tenant.
///
/// `server_name` is that of the TLS handshake, in lower case. `find` looks up the tenant of a host.
///
/// # Errors
///
/// The reason of the rejection.
pub fn admit<B: Body, T: AsRef<Tenant>>(
    request: &Request<B>,
    server_name: Option<&str>,
    find: impl Fn(&str) -> Option<T>,
) -> Result<Admitted<T>, Rejection> {
    let fields = request.headers();
    let flags = HeaderFlags::of(fields);
    let websocket = WebSocket::requested_by(request, flags);
    let method = match websocket {
        Some(WebSocket::Connect) => Method::GET,
        Some(WebSocket::Upgrade) | None => request.method().clone(),
    };
    check_method(&method)?;
    if !is_clearly_framed(fields, flags) {
        return Err(Rejection::Framing);
    }
    let authority = authority(request)?;
    let host = host(&authority)?;
    let tenant = find_tenant(&host, server_name, find)?;
    let host = match host {
        Cow::Borrowed(prefix) => Host::Prefix(prefix.len()),
        Cow::Owned(normalized) => Host::Normalized(normalized),
    };
    Ok(Admitted {
        method,
        uri: request.uri().clone(),
        version: request.version(),
        authority,
        host,
        cookies: fields.get_all(header::COOKIE).iter().cloned().collect(),
        flags,
        websocket,
        tenant,
    })
}

/// Rejects `CONNECT`, which would open an arbitrary tunnel, and `TRACE`, which would echo `HttpOnly` cookies to scripts.
fn check_method(method: &Method) -> Result<(), Rejection> {
    if *method == Method::CONNECT || *method == Method::TRACE {
        return Err(Rejection::Method);
    }
    Ok(())
}

/// Returns the request's authority, as sent (T2).
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

/// Returns the host of an authority: lower case, no port.
pub(crate) fn host(authority: &HeaderValue) -> Result<Cow<'_, str>, Rejection> {
    let host = authority.to_str().ok().and_then(host_of_authority);
    host.ok_or(Rejection::Authority("the host is malformed"))
}

/// Finds the tenant of a request for `host`, on a connection that was made for `server_name` (T1, T2).
pub(crate) fn find_tenant<T: AsRef<Tenant>>(
    host: &str,
    server_name: Option<&str>,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T, Rejection> {
    let found = find(host).ok_or(Rejection::Misdirected("no tenant has this host"))?;
    if let Some(name) = server_name.filter(|name| *name != host) {
        let other = find(name);
        if other.is_some_and(|other| other.as_ref().name != found.as_ref().name) {
            return Err(Rejection::Misdirected("the connection was made for another tenant"));
        }
    }
    Ok(found)
}

impl<T> Admitted<T> {
    /// Returns the host of the authority: lower case, no port.
    pub fn host(&self) -> &str {
        match &self.host {
            Host::Prefix(bytes) => {
                let prefix = self.authority.as_bytes().get(..*bytes);
                prefix.and_then(|prefix| str::from_utf8(prefix).ok()).unwrap_or_default()
            }
            Host::Normalized(host) => host,
        }
    }

    /// Judges the cookies of the request by `policy` (R, G), and returns the `Cookie` field that goes upstream. `fields` are
    /// those of the request.
    pub fn judge_cookies<'j>(
        &'j self,
        policy: &'j Policy,
        fields: &HeaderMap,
        seal: Option<SealFacts<'j>>,
        record: &mut impl FnMut(Verdict<'_>),
    ) -> (CookieField, JudgedRequest<'j>) {
        let facts = RequestFacts {
            method: self.method.as_str(),
            path: self.uri.path(),
            host: self.host(),
            accepts_html: policy::accepts_html(field_bytes(fields, &header::ACCEPT)),
            seal,
        };
        policy.judge_request(facts, self.cookies.iter().map(HeaderValue::as_bytes), record)
    }

    /// Rejects a head that is too large without the cookies that are stripped (R8), and a body whose length, as announced,
    /// is. `fields` are those of the request, and `cookie` goes upstream. `evict` makes the `Set-Cookie` fields of the
    /// rejection.
    ///
    /// # Errors
    ///
    /// The reason of the rejection.
    pub fn check_limits(
        &self,
        fields: &HeaderMap,
        cookie: &CookieField,
        body_bytes: Option<u64>,
        limits: &Limits,
        mode: Mode,
        evict: impl FnOnce() -> Vec<Vec<u8>>,
    ) -> Result<(), Rejection> {
        let cookie_bytes = self.cookie_bytes(cookie, mode);
        let head = head_bytes(&self.method, &self.uri, fields);
        let (got, limit) =
            (head + cookie_bytes.map_or(0, |bytes| bytes + COOKIE_LINE), limits.head_bytes);
        if got > limit {
            return Err(Rejection::HeadTooLarge { got, limit, evictions: evict() });
        }
        let got = fields.len() - self.cookies.len() + usize::from(cookie_bytes.is_some());
        let limit = limits.head_fields;
        if got > limit {
            return Err(Rejection::TooManyFields { got, limit, evictions: evict() });
        }
        let (got, limit) = (cookie_bytes.unwrap_or(0), limits.cookie_bytes);
        if got > limit && mode == Mode::Enforce {
            return Err(Rejection::CookieTooLarge { got, limit, evictions: evict() });
        }
        match (limits.body_bytes, body_bytes) {
            (Some(limit), Some(bytes)) if bytes > limit => Err(Rejection::BodyTooLarge { limit }),
            (_, _) => Ok(()),
        }
    }

    /// Returns the bytes of the `Cookie` field that goes upstream; `None` if there is none. In report mode all cookies pass.
    fn cookie_bytes(&self, cookie: &CookieField, mode: Mode) -> Option<usize> {
        match (mode, cookie) {
            (Mode::Enforce, CookieField::Removed) => None,
            (Mode::Enforce, CookieField::Replaced(field)) => Some(field.len()),
            (Mode::Enforce, CookieField::Untouched) | (Mode::Report, _) => {
                let fields = self.cookies.iter().map(HeaderValue::as_bytes);
                (!self.cookies.is_empty()).then(|| policy::cookie_bytes(fields))
            }
        }
    }
}

/// Returns the number of bytes of a request's head without its `Cookie` fields, as HTTP/1.1 would write it.
fn head_bytes(method: &Method, uri: &Uri, fields: &HeaderMap) -> usize {
    let target = uri.path_and_query().map_or(1, |target| target.as_str().len());
    let line = method.as_str().len() + target + " HTTP/1.1\r\n ".len();
    let fields = fields.iter().filter(|(name, _)| **name != header::COOKIE);
    line + fields
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum::<usize>()
}

/// The bytes of a `Cookie` field besides its value.
const COOKIE_LINE: usize = "cookie: \r\n".len();

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
    fn t2_a_request_names_one_authority_once() {
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
        assert_eq!(head_bytes(request.method(), request.uri(), request.headers()), head.len());
    }
}
