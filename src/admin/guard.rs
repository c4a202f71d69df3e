//! The access check, which runs before anything else is done for a request.
//!
//! Any page in an operator's browser can send requests to this machine. So `Host` must be a name of this listener (which
//! stops DNS rebinding), `Origin` must match it, and a request that changes something must be JSON, which a page can't
//! send to another origin without a preflight request (Fetch, section 3.2.2).

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING},
    request::Parts,
    uri::Authority,
};

use super::{
    dashboard::assets,
    problem::Problem,
    tokens::{Role, Tokens},
};
use crumbgate_audit::tenants::split_authority;

/// The rules for requests. A reload replaces them as a whole.
#[derive(Debug)]
pub(super) struct Guard {
    /// `admin.hosts`
    pub(super) hosts: Vec<String>,
    /// `None`: no tokens are needed; every local client is an operator.
    pub(super) tokens: Option<Tokens>,
}

/// The way by which a connection came in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// TCP, to this local address.
    Tcp { local: SocketAddr, is_tls: bool },
    /// The Unix socket, by a process of this user. `None`: the system does not know the user.
    Unix { uid: Option<u32> },
}

/// The sender of a request.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// The name that the ledger records.
    pub(super) name: String,
    pub(super) role: Role,
    /// True for a request without a token where tokens are required. The response must then contain nothing about this
    /// gateway.
    pub(super) is_anonymous: bool,
}

impl Guard {
    /// Returns the sender of this request, or the reason why it is rejected.
    pub(super) fn admit(&self, head: &Parts, door: Door) -> Result<Caller, Problem> {
        let host = self.own_host(head, door)?;
        self.check_origin(&head.headers, &host, door)?;
        check_site(head)?;
        let caller = self.caller(head, door)?;
        if caller.role == Role::Auditor && !reads_only(head) {
            let detail = format!(
                "{} is an auditor: auditors may read everything and change nothing",
                caller.name
            );
            let help = "ask an operator, or add ?dry_run=true to see what would change";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail).help(help));
        }
        check_media_type(head)?;
        Ok(caller)
    }

    /// The host of the request, if it is a name of this listener.
    fn own_host(&self, head: &Parts, door: Door) -> Result<Host, Problem> {
        let written = match (head.uri.authority(), one(&head.headers, &HOST)) {
            (Some(authority), Ok(_)) => Some(authority.as_str()),
            (None, Ok(host)) => host,
            (_, Err(())) => None,
        };
        let host = written.and_then(|written| Host::read(written, door.default_port()));
        match (host, door) {
            (Some(host), _) if self.is_own(&host, door) => Ok(host),
            // Only local programs use the Unix socket, and they may send any host.
            (host, Door::Unix { .. }) => Ok(host.unwrap_or_default()),
            (_, Door::Tcp { local, .. }) => {
                let detail = format!(
                    "found the host {}, expected {local}, the listener's own",
                    written.map_or_else(|| "of none or several".to_owned(), |w| format!("{w:?}"))
                );
                let help = "use the address, or add the name to admin.hosts";
                let problem = Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
                Err(problem.key("Host").help(help))
            }
        }
    }

    fn is_own(&self, host: &Host, door: Door) -> bool {
        let Door::Tcp { local, .. } = door else { return true };
        if self.hosts.contains(&host.name) {
            return true;
        }
        let own = local.ip().to_canonical();
        let named = host.name.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        let is_own_address = named.is_some_and(|named| {
            let named = named.to_canonical();
            named == own || (named.is_loopback() && own.is_loopback())
        });
        let is_local_name = host.name == "localhost" && own.is_loopback();
        host.port == local.port() && (is_own_address || is_local_name)
    }

    /// Rejects requests from pages of another origin.
    fn check_origin(&self, fields: &HeaderMap, host: &Host, door: Door) -> Result<(), Problem> {
        let Ok(origin) = one(fields, &ORIGIN) else { return Err(foreign("Origin")) };
        let Some(origin) = origin else { return Ok(()) };
        let Some((scheme, named)) = read_origin(origin) else { return Err(foreign("Origin")) };
        let is_configured = self.hosts.contains(&host.name);
        let is_same = match door {
            // With a configured name, a proxy with TLS and another port may be in front of the listener.
            Door::Tcp { is_tls, .. } => {
                ((scheme == "https") == is_tls || is_configured)
                    && (named == *host || (is_configured && named.name == host.name))
            }
            // A tunnel leads to the socket with any host, so the host must be configured.
            Door::Unix { .. } => is_configured && named == *host,
        };
        if is_same { Ok(()) } else { Err(foreign("Origin")) }
    }

    fn caller(&self, head: &Parts, door: Door) -> Result<Caller, Problem> {
        let Some(tokens) = &self.tokens else {
            if let Door::Tcp { local, .. } = door
                && !local.ip().to_canonical().is_loopback()
            {
                let detail = "no tokens are configured, and the listener is not on loopback";
                let help = "set admin.token_file, or listen on loopback or a Unix socket";
                let problem = Problem::new(StatusCode::FORBIDDEN, detail);
                return Err(problem.key("admin.token_file").help(help));
            }
            let name = match door {
                Door::Unix { uid: Some(uid) } => format!("uid {uid}"),
                Door::Tcp { .. } | Door::Unix { uid: None } => "local".to_owned(),
            };
            return Ok(Caller { name, role: Role::Operator, is_anonymous: false });
        };
        if is_public(head) {
            let name = "anonymous".to_owned();
            return Ok(Caller { name, role: Role::Auditor, is_anonymous: true });
        }
        let written = one(&head.headers, &AUTHORIZATION).ok().flatten();
        let token = written.and_then(|written| {
            let (scheme, token) = written.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
        });
        let detail = match token.map(|token| tokens.holder(token.as_bytes())) {
            Some(Some((name, role))) => {
                return Ok(Caller { name: name.to_owned(), role, is_anonymous: false });
            }
            Some(None) => "this token is not in admin.token_file",
            None => "found no token, expected the header Authorization: Bearer TOKEN",
        };
        let help = "a line of admin.token_file is NAME ROLE TOKEN; a reload reads the file again";
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail).key("Authorization").help(help))
    }
}

impl Door {
    fn default_port(self) -> u16 {
        if matches!(self, Self::Tcp { is_tls: true, .. }) { 443 } else { 80 }
    }
}

/// A host and a port in comparable form.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Host {
    /// Lower case, with an IPv6 address in brackets.
    name: String,
    port: u16,
}

impl Host {
    fn read(authority: &str, default_port: u16) -> Option<Self> {
        // Both parsers must accept it, so that neither reads a part of it as user information.
        authority.parse::<Authority>().ok()?;
        let (name, port) = split_authority(authority)?;
        Some(Self { name: name.into_owned(), port: port.unwrap_or(default_port) })
    }
}

/// Parses an http or https origin into its scheme and host.
fn read_origin(origin: &str) -> Option<(&str, Host)> {
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some((scheme, Host::read(authority, default_port)?))
}

/// The value of a header that may appear at most once; an error where it appears several times.
fn one<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Result<Option<&'f str>, ()> {
    let mut values = fields.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(drop)).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

fn foreign(field: &str) -> Problem {
    let detail = format!("the request comes from a page of another site ({field})");
    let help = "the API accepts programs and its own pages; curl does not send this header";
    Problem::new(StatusCode::FORBIDDEN, detail).key(field).help(help)
}

/// Checks where a browser says that the request comes from (Fetch Metadata).
fn check_site(head: &Parts) -> Result<(), Problem> {
    match one(&head.headers, &HeaderName::from_static("sec-fetch-site")) {
        Ok(None | Some("none" | "same-origin")) => Ok(()),
        Ok(Some(_)) if follows_link(head) => Ok(()),
        Ok(Some(_)) | Err(()) => Err(foreign("Sec-Fetch-Site")),
    }
}

/// True for a navigation to the dashboard by a link on another page, which can't read the response.
fn follows_link(head: &Parts) -> bool {
    let says = |name, value| one(&head.headers, &HeaderName::from_static(name)) == Ok(Some(value));
    is_safe(&head.method)
        && head.uri.path() == "/"
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// True for requests that need no token: health checks, whose senders have none, and the dashboard's own files, which a
/// browser loads before the operator enters a token.
fn is_public(head: &Parts) -> bool {
    let path = head.uri.path();
    is_safe(&head.method)
        && (["/healthz", "/readyz"].contains(&path) || assets::PUBLIC.contains(&path))
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// True for requests that are known to change nothing. Decided by the head alone.
fn reads_only(head: &Parts) -> bool {
    let path = head.uri.path();
    // A second `dry_run` parameter, in any spelling, is rejected by `Parameters`.
    let is_dry = || head.uri.query().is_some_and(|q| q.split('&').any(|p| p == "dry_run=true"));
    is_safe(&head.method)
        || (head.method == Method::POST && path == "/v1/explain")
        || (path.starts_with("/v1/tenants/") && is_dry())
}

/// Requires JSON for requests that may change something, because a form on another site's page can't send JSON.
fn check_media_type(head: &Parts) -> Result<(), Problem> {
    if is_safe(&head.method) {
        return Ok(());
    }
    let length = head.headers.get("content-length").map(|length| length.as_bytes() != b"0");
    let has_body = length.unwrap_or_else(|| head.headers.contains_key(TRANSFER_ENCODING));
    let written = match one(&head.headers, &CONTENT_TYPE) {
        Ok(None) if !has_body => return Ok(()),
        Ok(written) => written.unwrap_or("nothing"),
        Err(()) => "several",
    };
    let essence = written.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = format!("found a body of {written:?}, expected application/json");
    let help = "send JSON with the header Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).key("Content-Type").help(help))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn without_tokens_only_loopback_clients_are_operators() {
        let guard = Guard { hosts: Vec::new(), tokens: None };
        let admit = |local: &str, is_tls| {
            let local: SocketAddr = local.parse().unwrap();
            let request = Request::get("/v1/status").header(HOST, local.to_string());
            let (head, ()) = request.body(()).unwrap().into_parts();
            guard.admit(&head, Door::Tcp { local, is_tls }).map(|caller| caller.role).ok()
        };
        for local in ["127.0.0.1:9443", "127.1.2.3:9443", "[::1]:9443", "[::ffff:127.0.0.1]:9443"] {
            assert_eq!(admit(local, false), Some(Role::Operator), "{local}");
        }
        for local in ["192.0.2.1:9443", "[2001:db8::1]:9443", "[::ffff:192.0.2.1]:9443"] {
            assert_eq!(admit(local, false), None, "{local}");
            assert_eq!(admit(local, true), None, "{local}");
        }
    }
}
