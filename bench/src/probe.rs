//! A client that asks one thing at a time and shows everything that came back.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{self, kx_group},
    },
    pki_types::ServerName,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::{clients::Endpoint, traffic::Request};

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Version {
    /// HTTP/1.1.
    One,
    /// HTTP/2.
    Two,
}

/// A connection to a target.
pub struct Probe {
    /// The result of the handshake.
    pub tls: Tls,
    host: String,
    sender: Sender,
}

enum Sender {
    One(http1::SendRequest<Empty<Bytes>>),
    Two(http2::SendRequest<Empty<Bytes>>),
}

/// The result of a handshake, in the words of its registries.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// The version.
    pub version: String,
    /// The cipher suite.
    pub cipher: String,
    /// The group of the key exchange.
    pub group: String,
}

/// The answer of a target.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// wrk and h2load know no group that withstands quantum computers, so none is offered here, whatever rustls is built
/// with.
fn offers_of_openssl() -> CryptoProvider {
    let kx_groups = vec![kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];
    CryptoProvider { kx_groups, ..aws_lc_rs::default_provider() }
}

impl Probe {
    /// Connects with this version and no other.
    pub async fn connect(endpoint: &Endpoint, version: Version) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for root in &endpoint.roots {
            roots.add(root.clone())?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(offers_of_openssl()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let protocol = match version {
            Version::One => b"http/1.1".to_vec(),
            Version::Two => b"h2".to_vec(),
        };
        config.alpn_protocols = vec![protocol.clone()];
        let tcp = TcpStream::connect(endpoint.address).await?;
        tcp.set_nodelay(true)?;
        let name = ServerName::try_from(endpoint.server_name.clone())?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let session = stream.get_ref().1;
        anyhow::ensure!(
            session.alpn_protocol() == Some(&protocol),
            "it does not speak {version:?}"
        );
        let tls = Tls {
            version: format!("{:?}", session.protocol_version().context("no version")?),
            cipher: format!("{:?}", session.negotiated_cipher_suite().context("no suite")?.suite()),
            group: session
                .negotiated_key_exchange_group()
                .map_or_else(String::new, |group| format!("{:?}", group.name())),
        };
        let io = TokioIo::new(stream);
        // A connection's end is met by the request that wants it.
        let sender = match version {
            Version::One => {
                let (sender, connection) = http1::handshake(io).await?;
                tokio::spawn(connection);
                Sender::One(sender)
            }
            Version::Two => {
                let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
                tokio::spawn(connection);
                Sender::Two(sender)
            }
        };
        Ok(Self { tls, host: endpoint.server_name.clone(), sender })
    }

    /// Asks, and waits for the whole answer. Over HTTP/2 each cookie is a field of its own, as browsers send them.
    pub async fn ask(&mut self, request: &Request) -> Result<Received> {
        let mut builder = http::Request::get(match self.sender {
            Sender::One(_) => request.path.clone(),
            Sender::Two(_) => format!("https://{}{}", self.host, request.path),
        });
        if matches!(self.sender, Sender::One(_)) {
            builder = builder.header("host", &self.host);
        }
        for (name, value) in &request.fields {
            let crumbs = *name == "cookie" && matches!(self.sender, Sender::Two(_));
            for part in value.split(if crumbs { "; " } else { "\n" }) {
                builder = builder.header(*name, part);
            }
        }
        let asked = builder.body(Empty::new())?;
        let response = match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await?;
                sender.send_request(asked).await?
            }
            Sender::Two(sender) => {
                sender.ready().await?;
                sender.send_request(asked).await?
            }
        };
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Received { status: head.status, fields: head.headers, body })
    }
}
