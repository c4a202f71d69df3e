//! A client of a running gateway's API: over TCP, TLS or a Unix socket, with a token if one is needed.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderName},
};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    runtime::{self, Runtime},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::admin::tokens::{self, is_bearer_token};
use crumbgate_config::{self as config, Admin, AdminListener, TlsVersion, find_admin};
use crumbgate_gateway::proxy::tls;

/// The options that select a gateway and a token.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Api {
    /// The gateway's configuration file, which has the admin address
    #[arg(long, value_name = "FILE", default_value = "config.toml")]
    config: PathBuf,
    /// The admin address, instead of the file's: 127.0.0.1:9443, or unix:/run/crumbgate.sock
    #[arg(long, value_name = "ADDRESS")]
    address: Option<String>,
    /// A file that contains your token [default: $CRUMBGATE_TOKEN_FILE, or the first operator's of admin.token_file]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A connection's parameters.
pub(super) struct Client {
    runtime: Runtime,
    listen: AdminListener,
    tls: Option<Arc<ClientConfig>>,
    token: Option<HeaderValue>,
}

/// A response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// The entity tag, in its quotes.
    pub(super) tag: Option<String>,
}

/// A request to the API.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) fields: Vec<(HeaderName, String)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Client {
    /// Finds the gateway's address and the token. Sends nothing.
    pub(super) fn new(api: &Api) -> Result<Self> {
        let admin = find_admin(&api.config, std::env::vars_os());
        let listen = match (&api.address, &admin) {
            (Some(address), _) => read_address(address)?,
            (None, Some(admin)) => admin.listen.clone(),
            (None, None) => bail!(
                "{} can't be read: name the gateway's configuration with --config, or its admin address with --address",
                api.config.display()
            ),
        };
        let certificate = admin.as_ref().and_then(|admin| admin.certificate.clone());
        let tls = certificate.filter(|_| matches!(listen, AdminListener::Tcp(_)));
        let tls = tls.map(|files| {
            let files = config::Tls {
                certificates: vec![files],
                min_version: TlsVersion::V1_2,
                hsts: None,
            };
            tls::pinned_client_config(&files).map(Arc::new)
        });
        let token = match find_token(api, admin.as_ref(), is_safe(&listen, tls.is_some()))? {
            Some(token) => {
                let mut field = HeaderValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| anyhow!("the token can't be sent in an HTTP header"))?;
                field.set_sensitive(true);
                Some(field)
            }
            None => None,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, listen, tls: tls.transpose()?, token })
    }

    /// Sends a GET request.
    pub(super) fn get(&self, path: &str) -> Result<Reply> {
        self.send(Call { method: Method::GET, path, fields: Vec::new(), body: None })
    }

    /// Sends a request and waits for the response.
    pub(super) fn send(&self, call: Call<'_>) -> Result<Reply> {
        let answer = async {
            match timeout(RESPONSE_TIMEOUT, self.exchange(call)).await {
                Ok(answer) => answer,
                Err(_) => bail!("no answer within {} s", RESPONSE_TIMEOUT.as_secs()),
            }
        };
        self.runtime.block_on(answer)
    }

    async fn exchange(&self, call: Call<'_>) -> Result<Reply> {
        match &self.listen {
            AdminListener::Off => {
                bail!("admin.listen is \"off\": this gateway has no API")
            }
            AdminListener::Unix(path) => {
                let connected = UnixStream::connect(path).await;
                let stream = connected.with_context(|| unreachable(&self.listen))?;
                self.exchange_over(stream, "localhost", call).await
            }
            AdminListener::Tcp(address) => {
                let address = reachable(*address)?;
                let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
                let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let stream = connected.with_context(|| unreachable(&self.listen))?;
                let host = address.to_string();
                match &self.tls {
                    None => self.exchange_over(stream, &host, call).await,
                    Some(tls) => {
                        let name = ServerName::IpAddress(address.ip().into());
                        let session = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                        let stream = session.await.with_context(|| {
                            format!("{address} does not show the certificate of admin.certificate")
                        })?;
                        self.exchange_over(stream, &host, call).await
                    }
                }
            }
        }
    }

    async fn exchange_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
        call: Call<'_>,
    ) -> Result<Reply> {
        let mut request = Request::builder().method(call.method).uri(call.path).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        for (name, value) in call.fields {
            request = request.header(name, value);
        }
        if call.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(call.body.unwrap_or_default())))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let answered = async {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok());
            let tag = tag.map(str::to_owned);
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, tag, body))
        };
        let mut connection = std::pin::pin!(connection);
        let mut answered = std::pin::pin!(answered);
        let (status, tag, body) = tokio::select! {
            answered = &mut answered => answered,
            ended = &mut connection => match ended {
                Ok(()) => answered.await,
                Err(error) => Err(error),
            },
        }
        .context("the response ended early")?;
        let body = serde_json::from_slice(&body).context(
            "the response is not JSON: is it Crumbgate that listens there, and is admin.certificate correct?",
        )?;
        Ok(Reply { status, body, tag })
    }
}

impl Reply {
    pub(super) fn is_refused(&self) -> bool {
        !self.status.is_success()
    }

    /// The problem and its advice, in one line.
    pub(super) fn problem(&self) -> String {
        let text = |key: &str| self.body[key].as_str();
        let detail = text("detail").unwrap_or("the gateway rejects the request without a reason");
        let help = text("help").map_or_else(String::new, |help| format!("; {help}"));
        match text("key") {
            Some(key) if !detail.contains(key) => format!("{key}: {detail}{help}"),
            Some(_) | None => format!("{detail}{help}"),
        }
    }
}

fn read_address(text: &str) -> Result<AdminListener> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(AdminListener::Unix(PathBuf::from(path)));
    }
    let address = text.parse().map_err(|_| {
        anyhow!("--address: expected 127.0.0.1:9443 or unix:/run/crumbgate.sock, found {text:?}")
    })?;
    Ok(AdminListener::Tcp(address))
}

/// The address by which this machine reaches the listener.
fn reachable(mut address: SocketAddr) -> Result<SocketAddr> {
    if address.port() == 0 {
        bail!(
            "admin.listen is {address}, which means any free port: use the address from the gateway's log with --address, \
             or configure a fixed port"
        );
    }
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    Ok(address)
}

fn unreachable(listen: &AdminListener) -> String {
    format!("no gateway answers at {listen}; is it running, and with this configuration?")
}

/// True where the token of the gateway's own file may be sent without being readable by others on the network.
fn is_safe(listen: &AdminListener, is_tls: bool) -> bool {
    match listen {
        AdminListener::Off | AdminListener::Unix(_) => true,
        AdminListener::Tcp(address) => {
            let ip = address.ip().to_canonical();
            // Requests to an unspecified address are sent on loopback.
            is_tls || ip.is_loopback() || ip.is_unspecified()
        }
    }
}

/// The token that was named, or else the first operator's of the gateway's own file, if it can be read and sent safely.
fn find_token(api: &Api, admin: Option<&Admin>, is_safe: bool) -> Result<Option<String>> {
    let variable = std::env::var_os("CRUMBGATE_TOKEN_FILE").map(PathBuf::from);
    if let Some(file) = api.token_file.clone().or(variable) {
        return read_token(&file).map(Some);
    }
    let file = admin.and_then(|admin| admin.token_file.as_deref()).filter(|_| is_safe);
    // A file that can't be read is not an error: the gateway's response asks for a token.
    Ok(file.and_then(|file| tokens::first_operator(file).ok()).flatten())
}

fn read_token(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("the token can't be read from {}", file.display()))?;
    let token = text.trim();
    // The error does not repeat the file's content.
    if !is_bearer_token(token) {
        bail!("{}: expected only a token, on one line", file.display());
    }
    Ok(token.to_owned())
}

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Longer than the gateway's own limit of 120 s.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(130);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_token_leaves_the_machine_only_over_tls() {
        for (address, in_clear) in [
            ("127.0.0.1:9443", true),
            ("[::1]:9443", true),
            ("[::ffff:127.0.0.1]:9443", true),
            ("0.0.0.0:9443", true),
            ("unix:crumbgate.sock", true),
            ("192.0.2.1:9443", false),
            ("[2001:db8::1]:9443", false),
            ("[::ffff:192.0.2.1]:9443", false),
        ] {
            let listen = read_address(address).unwrap();
            assert_eq!(is_safe(&listen, false), in_clear, "{address}");
            assert!(is_safe(&listen, true), "{address}");
        }
    }
}
