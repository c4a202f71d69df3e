//! An application's server, read from what an operator writes.

use std::str::FromStr;

use super::{ServerAddress, reader::shown, written::quoted};
use crate::tenants::split_authority;

impl FromStr for ServerAddress {
    type Err = BadServer;

    /// Reads it as a configuration has it. A relative path stays one.
    fn from_str(text: &str) -> Result<Self, BadServer> {
        let expected = |help: &str| {
            Err(BadServer::new(format!("found {}, expected {SERVER}", shown(text)), help))
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
            Some(_) => return expected("write http://, https:// or unix:"),
            None => return expected(&format!("write {}", quoted(&format!("http://{text}")))),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (userinfo, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let alone = quoted(&format!("{scheme}://{authority}"));
        if !userinfo.is_empty() {
            let help = format!("write {alone}");
            return Err(BadServer::new("found a user's name in a server's address", help));
        }
        if authority.len() < rest.len() {
            let help = format!("write {alone}: a request's own path goes upstream");
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

/// A text that is no server's address.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}; {help}")]
pub struct BadServer {
    /// What was found, and expected.
    pub message: String,
    /// The mend.
    pub help: String,
}

impl BadServer {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: help.into() }
    }
}

const SERVER: &str = "a server such as \"http://127.0.0.1:8000\"";
