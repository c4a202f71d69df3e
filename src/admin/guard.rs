//! Who may ask, and from where: looked at before anything else is done for a request.
//!
//! A page in an operator's browser can send requests to this machine too. So the `Host` must be the listener's own (a
//! name that somebody has bent to this address is not), the `Origin` the same, and what changes something must be JSON,
//! which no page can send elsewhere without being asked first (Fetch, section 3.2.2).

use std::net::{IpAddr, SocketAddr};

use http::{
    HeaderMap, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN, TRANSFER_ENCODING},
    request::Parts,
    uri::Authority,
};

use super::{
    dashboard,
    problem::Problem,
    tokens::{Role, Tokens},
};
use crate::tenants::split_authority;

/// Which requests are let in; replaced as a whole at a reload.
#[derive(Debug)]
pub(super) struct Guard {
    /// `admin.hosts`
    pub(super) hosts: Vec<String>,
    /// None: whoever can connect may do everything.
    pub(super) tokens: Option<Tokens>,
}

/// Where a connection came in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// At this address of this machine.
    Tcp {
        /// What the client connected to.
        local: SocketAddr,
        /// Whether it speaks TLS.
        is_tls: bool,
    },
    /// At the Unix socket, by a process of this user.
    Unix {
        /// None: the system does not say.
        uid: Option<u32>,
    },
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Whom the ledger names.
    pub(super) name: String,
    /// What they may do.
    pub(super) role: Role,
    /// Whether nobody knows who it is, and a token would tell: what they are shown tells nothing.
    pub(super) is_anybody: bool,
}

impl Guard {
    /// Who sends this request; or why it is refused.
    pub(super) fn admit(&self, head: &Parts, door: Door) -> Result<Caller, Problem> {
        let host = self.own_host(head, door)?;
        self.check_origin(&head.headers, &host, door)?;
        check_site(head)?;
        let caller = self.caller(head, door)?;
        if caller.role == Role::Auditor && !reads_only(head) {
            let detail = format!(
                "{} is an auditor, who may read everything and change nothing",
                caller.name
            );
            let help = "ask an operator, or add ?dry_run=true to see what would change";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail).help(help));
        }
        check_media_type(head)?;
        Ok(caller)
    }

    /// The host that the request is for, if it is the listener's own.
    fn own_host(&self, head: &Parts, door: Door) -> Result<Host, Problem> {
        let written = match (head.uri.authority(), one(&head.headers, &HOST)) {
            (Some(authority), Ok(_)) => Some(authority.as_str()),
            (None, Ok(host)) => host,
            (_, Err(())) => None,
        };
        let host = written.and_then(|written| Host::read(written, door.default_port()));
        match (host, door) {
            (Some(host), _) if self.is_own(&host, door) => Ok(host),
            // Nobody but a program of this machine comes in here, and it names whatever it likes.
            (host, Door::Unix { .. }) => Ok(host.unwrap_or_default()),
            (_, Door::Tcp { local, .. }) => {
                let detail = format!(
                    "found the host {}, expected {local}, the listener's own",
                    written.map_or_else(|| "of none or several".to_owned(), |w| format!("{w:?}"))
                );
                let help = "ask by the address, or add the name to admin.hosts";
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

    /// A page of another origin is none of ours.
    fn check_origin(&self, fields: &HeaderMap, host: &Host, door: Door) -> Result<(), Problem> {
        let Ok(origin) = one(fields, &ORIGIN) else { return Err(foreign("Origin")) };
        let Some(origin) = origin else { return Ok(()) };
        let Some((scheme, named)) = read_origin(origin) else { return Err(foreign("Origin")) };
        let is_written_down = self.hosts.contains(&host.name);
        let is_same = match door {
            // Under a name of its own it may stand behind a proxy that has the TLS, and another port.
            Door::Tcp { is_tls, .. } => {
                ((scheme == "https") == is_tls || is_written_down)
                    && (named == *host || (is_written_down && named.name == host.name))
            }
            // Through a tunnel: every host comes in here, so it must be one that somebody has written down.
            Door::Unix { .. } => is_written_down && named == *host,
        };
        if is_same { Ok(()) } else { Err(foreign("Origin")) }
    }

    fn caller(&self, head: &Parts, door: Door) -> Result<Caller, Problem> {
        let Some(tokens) = &self.tokens else {
            if let Door::Tcp { local, .. } = door
                && !local.ip().to_canonical().is_loopback()
            {
                let detail = "found no tokens, expected some where others can connect";
                let help = "name an admin.token_file, or listen on loopback or a Unix socket";
                let problem = Problem::new(StatusCode::FORBIDDEN, detail);
                return Err(problem.key("admin.token_file").help(help));
            }
            let name = match door {
                Door::Unix { uid: Some(uid) } => format!("uid {uid}"),
                Door::Tcp { .. } | Door::Unix { uid: None } => "local".to_owned(),
            };
            return Ok(Caller { name, role: Role::Operator, is_anybody: false });
        };
        if is_for_everybody(head) {
            let name = "anybody".to_owned();
            return Ok(Caller { name, role: Role::Auditor, is_anybody: true });
        }
        let written = one(&head.headers, &AUTHORIZATION).ok().flatten();
        let token = written.and_then(|written| {
            let (scheme, token) = written.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
        });
        let detail = match token.map(|token| tokens.holder(token.as_bytes())) {
            Some(Some((name, role))) => {
                return Ok(Caller { name: name.to_owned(), role, is_anybody: false });
            }
            Some(None) => "this token is not in admin.token_file",
            None => "found no token, expected the field Authorization: Bearer TOKEN",
        };
        let help = "a line of admin.token_file is NAME ROLE TOKEN; a reload reads it anew";
        Err(Problem::new(StatusCode::UNAUTHORIZED, detail).key("Authorization").help(help))
    }
}

impl Door {
    fn default_port(self) -> u16 {
        if matches!(self, Self::Tcp { is_tls: true, .. }) { 443 } else { 80 }
    }
}

/// A host and a port, as they are compared.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Host {
    /// In lower case; an IPv6 address in brackets.
    name: String,
    port: u16,
}

impl Host {
    fn read(authority: &str, default_port: u16) -> Option<Self> {
        // Both readers must agree: what one of them takes for a user's name is no host.
        authority.parse::<Authority>().ok()?;
        let (name, port) = split_authority(authority)?;
        Some(Self { name: name.into_owned(), port: port.unwrap_or(default_port) })
    }
}

/// The scheme and the host of an origin that is one of the web's.
fn read_origin(origin: &str) -> Option<(&str, Host)> {
    let (scheme, authority) = origin.split_once("://")?;
    let default_port = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    Some((scheme, Host::read(authority, default_port)?))
}

/// The value of a field that may be there once.
fn one<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Result<Option<&'f str>, ()> {
    let mut values = fields.get_all(name).iter();
    let first = values.next().map(|value| value.to_str().map_err(drop)).transpose()?;
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

fn foreign(field: &str) -> Problem {
    let detail = format!("found a request of another site's page ({field}), expected none");
    let help = "the API is for programs, and for pages of its own; curl sends no such field";
    Problem::new(StatusCode::FORBIDDEN, detail).key(field).help(help)
}

/// What browsers say of where a request comes from (Fetch Metadata).
fn check_site(head: &Parts) -> Result<(), Problem> {
    match one(&head.headers, &HeaderName::from_static("sec-fetch-site")) {
        Ok(None | Some("none" | "same-origin")) => Ok(()),
        Ok(Some(_)) if follows_link(head) => Ok(()),
        Ok(Some(_)) | Err(()) => Err(foreign("Sec-Fetch-Site")),
    }
}

/// Whether it opens the dashboard in a tab, as a link of some other page does: that page sees nothing of it.
fn follows_link(head: &Parts) -> bool {
    let says = |name, value| one(&head.headers, &HeaderName::from_static(name)) == Ok(Some(value));
    is_safe(&head.method)
        && head.uri.path() == "/"
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// Signs of life tell nothing, and those who ask for them have no token. A browser that opens the dashboard has none
/// yet.
fn is_for_everybody(head: &Parts) -> bool {
    let path = head.uri.path();
    is_safe(&head.method)
        && (["/healthz", "/readyz"].contains(&path) || dashboard::FOR_EVERYBODY.contains(&path))
}

fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD].contains(method)
}

/// Whether a request changes nothing, by its head alone. What is not known to read is taken to write.
fn reads_only(head: &Parts) -> bool {
    let path = head.uri.path();
    // Said twice, in whatever spelling, it is refused by who reads it.
    let is_dry = || head.uri.query().is_some_and(|q| q.split('&').any(|p| p == "dry_run=true"));
    is_safe(&head.method)
        || (head.method == Method::POST && path == "/v1/explain")
        || (path.starts_with("/v1/tenants/") && is_dry())
}

/// What changes something is JSON: a form of another site's page can't be.
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
    let help = "send JSON with the field Content-Type: application/json";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).key("Content-Type").help(help))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn without_tokens_nobody_from_elsewhere_is_an_operator() {
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
