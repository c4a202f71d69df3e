//! Connections to a target.

use std::{net::IpAddr, sync::Arc};

use anyhow::Context as _;
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion, client::Resumption, crypto,
    crypto::aws_lc_rs as provider, pki_types::ServerName,
};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Endpoint;

/// A connection to a target.
pub(super) type Stream = TlsStream<TcpStream>;

/// Connects to one endpoint.
#[derive(Clone)]
pub(super) struct Connector {
    endpoint: Endpoint,
    server_name: ServerName<'static>,
    tls: TlsConnector,
}

impl Connector {
    /// `resumption` is where tickets are kept, if they are.
    pub(super) fn new(endpoint: &Endpoint, resumption: Resumption) -> anyhow::Result<Self> {
        let server_name = ServerName::try_from(endpoint.server_name.clone())
            .with_context(|| format!("{} is no server name", endpoint.server_name))?;
        let mut roots = RootCertStore::empty();
        for root in &endpoint.roots {
            roots.add(root.clone()).context("a root certificate can't be used")?;
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(suite_of_all()))
            .with_protocol_versions(VERSIONS)
            .context("TLS 1.3 is not to be had")?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = resumption;
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { endpoint: endpoint.clone(), server_name, tls })
    }

    /// The host that requests are for.
    pub(super) fn host(&self) -> &str {
        &self.endpoint.server_name
    }

    /// Connects and shakes hands.
    pub(super) async fn connect(&self) -> anyhow::Result<Stream> {
        self.connect_as(0).await
    }

    /// Connects, as the `number`th of many: they come from different addresses, for one has not enough ports.
    pub(super) async fn connect_as(&self, number: usize) -> anyhow::Result<Stream> {
        let address = self.endpoint.address;
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let socket = socket.context("no socket")?;
        if let Some(source) = source(address.ip(), number) {
            socket.bind((source, 0).into()).with_context(|| format!("no port of {source}"))?;
        }
        let stream = socket.connect(address).await;
        let stream = stream.with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true).context("TCP_NODELAY can't be set")?;
        let shaken = self.tls.connect(self.server_name.clone(), stream).await;
        shaken.with_context(|| format!("the TLS handshake with {address} failed"))
    }
}

/// The address that the `number`th connection comes from: for the first ones, the system's choice.
fn source(target: IpAddr, number: usize) -> Option<IpAddr> {
    let block = u8::try_from(number / CONNECTIONS_OF_ONE_ADDRESS).unwrap_or(u8::MAX - 1);
    match target {
        IpAddr::V4(address) if address.is_loopback() && block > 0 => {
            Some([127, 0, 0, block.saturating_add(1)].into())
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    }
}

const CONNECTIONS_OF_ONE_ADDRESS: usize = 5_000;

/// The protocols that every target supports.
fn suite_of_all() -> crypto::CryptoProvider {
    crypto::CryptoProvider {
        cipher_suites: vec![provider::cipher_suite::TLS13_AES_256_GCM_SHA384],
        kx_groups: vec![provider::kx_group::X25519],
        ..provider::default_provider()
    }
}

const VERSIONS: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13];
