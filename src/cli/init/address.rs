//! Parsing of the addresses and hosts that are typed as arguments.

use std::{net::IpAddr, str::FromStr};

use crumbgate_audit::tenants::split_authority;
use crumbgate_config::{BadServer, ServerAddress};

/// The address of an application, in the notation of the configuration or a shorter one.
#[derive(Clone, Debug)]
pub(super) struct Application(pub(super) ServerAddress);

impl FromStr for Application {
    type Err = BadServer;

    fn from_str(text: &str) -> Result<Self, BadServer> {
        let is_port = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let address = match text.strip_prefix(':').unwrap_or(text) {
            port if is_port(port) => format!("http://127.0.0.1:{port}"),
            _ if text.starts_with(['/', '.']) => format!("unix:{text}"),
            _ if text.contains("://") => text.strip_suffix('/').unwrap_or(text).to_owned(),
            _ if text.is_empty() || text.starts_with("unix:") => text.to_owned(),
            _ => format!("http://{text}"),
        };
        address.parse().map(Self)
    }
}

/// A tenant's name: a host, or `*.` and a host.
#[derive(Clone, Debug)]
pub(super) struct Host(pub(super) String);

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (star, host) = text.strip_prefix("*.").map_or(("", text), |suffix| ("*.", suffix));
        match split_authority(host) {
            Some((host, None)) if star.is_empty() || !host.starts_with('[') => {
                Ok(Self(format!("{star}{host}")))
            }
            Some((host, Some(_))) => {
                Err(format!("a host is served on every port: write {star}{host}"))
            }
            Some((_, None)) | None => Err("expected a host, or *. and a host, such as www.example.com (other scripts as xn--…)".to_owned()),
        }
    }
}

/// The hosts that are served if none is named.
pub(super) const LOCAL_HOSTS: [&str; 2] = ["localhost", "*.localhost"];

/// True for a host that always means this machine (RFC 6761, section 6.3).
pub(super) fn is_local(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || host.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// A host for examples: the first that is not a wildcard, or else one that the first wildcard covers.
pub(super) fn shown_host(hosts: &[String]) -> String {
    let is_host = |host: &&String| !host.starts_with('*');
    match (hosts.iter().find(is_host), hosts.first()) {
        (Some(host), _) => host.clone(),
        (None, Some(star)) => star.replacen('*', "www", 1),
        (None, None) => "localhost".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_given_in_full_or_in_short() {
        for (typed, written) in [
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000"),
            ("https://app.example", "https://app.example:443"),
            ("localhost:8000", "http://localhost:8000"),
            ("app.example", "http://app.example:80"),
            ("[::1]:3000", "http://[::1]:3000"),
            ("8000", "http://127.0.0.1:8000"),
            (":8000", "http://127.0.0.1:8000"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
            ("/run/app.sock", "unix:/run/app.sock"),
            ("./app.sock", "unix:./app.sock"),
        ] {
            let read: Application = typed.parse().unwrap();
            assert_eq!(read.0.to_string(), written, "{typed}");
        }
    }

    #[test]
    fn an_invalid_address_is_rejected_with_advice() {
        for (typed, advice) in [
            ("", "expected a server such as"),
            ("ftp://a", "begin with http://, https:// or unix:"),
            ("http://a/path", "write \"http://a\": the path of the request is sent"),
            ("http://me@a", "write \"http://a\""),
            ("a b", "write a host name or an address, and a port"),
            ("127.0.0.1:80000", "a port from 1 to 65535"),
            ("0", "a port from 1 to 65535"),
            ("unix:", "write \"unix:/run/app.sock\""),
        ] {
            let bad = typed.parse::<Application>().unwrap_err().to_string();
            assert!(bad.contains(advice), "{typed}: {bad}");
        }
    }

    #[test]
    fn a_host_is_valid_if_a_tenant_can_have_it() {
        let read = |text: &str| text.parse::<Host>().map(|host| host.0);
        assert_eq!(read("Acme.Example").as_deref(), Ok("acme.example"));
        assert_eq!(read("*.acme.example").as_deref(), Ok("*.acme.example"));
        assert!(read("acme.example:8443").unwrap_err().contains("write acme.example"));
        for bad in ["", "*", "https://acme.example", "a b", "*.*.example", "büro.example"] {
            assert!(read(bad).unwrap_err().contains("such as www.example.com"), "{bad}");
        }
    }
}
