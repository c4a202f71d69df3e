//! The address of an application's server.

use std::{
    fmt::{self, Display},
    path::PathBuf,
    str::FromStr,
};

use crate::written::{excerpt, quoted};
use crumbgate_audit::tenants::split_authority;

/// The address of an upstream's server.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ServerAddress {
    /// `http://host:port`
    Plain {
        /// A host name or an address (IPv6 without brackets).
        host: String,
        /// The port.
        port: u16,
    },
    /// `https://host:port`; the server's certificate is verified.
    Tls {
        /// A host name or an address (IPv6 without brackets), which is also the name that the certificate must have.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`
    Unix(PathBuf),
}

impl FromStr for ServerAddress {
    type Err = BadServer;

    /// Reads an address as it stands in a configuration. A relative path stays relative.
    fn from_str(text: &str) -> Result<Self, BadServer> {
        let expected = |help: &str| {
            Err(BadServer::new(format!("found {}, expected {SERVER}", excerpt(text)), help))
        };
        if let Some(path) = text.strip_prefix("unix:") {
            if path.starts_with("//") || path.is_empty() {
                return expected("write \"unix:/run/app.sock\"");
            }
            return Ok(Self::Unix(path.into()));
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => ("http", rest),
            Some(("https", rest)) => ("https", rest),
            Some(_) => return expected("begin with http://, https:// or unix:"),
            None => return expected(&format!("write {}", quoted(&format!("http://{text}")))),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (userinfo, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let alone = quoted(&format!("{scheme}://{authority}"));
        if !userinfo.is_empty() {
            let help = format!("write {alone}");
            return Err(BadServer::new("found a user name in the address of a server", help));
        }
        if authority.len() < rest.len() {
            let help = format!("write {alone}: the path of the request is sent to the server");
            return Err(BadServer::new("found more than a host and a port", help));
        }
        let Some((host, port)) = split_authority(authority).filter(|(_, port)| *port != Some(0))
        else {
            return expected("write a host name or an address, and a port from 1 to 65535");
        };
        let host = host.trim_matches(['[', ']']).to_owned();
        Ok(match scheme {
            "http" => Self::Plain { host, port: port.unwrap_or(80) },
            _ => Self::Tls { host, port: port.unwrap_or(443) },
        })
    }
}

impl Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { host, port } => write!(f, "http://{}:{port}", Bracketed(host)),
            Self::Tls { host, port } => write!(f, "https://{}:{port}", Bracketed(host)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A host as it stands in a URL: an IPv6 address in brackets.
pub(super) struct Bracketed<'h>(pub(super) &'h str);

impl Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// The error for a text that is not the address of a server.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct BadServer {
    /// The text that was found, and the form that was expected.
    pub message: String,
    /// The suggested fix.
    pub help: String,
}

impl BadServer {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

const SERVER: &str = "a server such as \"http://127.0.0.1:8000\"";
