//! Asks the API of a running gateway: over TCP, TLS or a Unix socket, with a token where it needs one.

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

use super::Api;
use crate::{
    admin::tokens::{self, is_bearer_token},
    config::{self, Admin, AdminListener, TlsVersion, find_admin},
    proxy::tls,
};

/// Who asks a gateway.
pub(super) struct Client {
    runtime: Runtime,
    listen: AdminListener,
    tls: Option<Arc<ClientConfig>>,
    token: Option<HeaderValue>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Value,
    /// The entity tag, in its quotes.
    pub(super) tag: Option<String>,
}

/// A request: what it asks for, with which fields and which body.
pub(super) struct Asked<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) fields: Vec<(HeaderName, String)>,
    pub(super) body: Option<Vec<u8>>,
}

impl Client {
    /// Finds the gateway and the token. Nothing is asked yet.
    pub(super) fn new(api: &Api) -> Result<Self> {
        let admin = find_admin(&api.config, std::env::vars_os());
        let listen = match (&api.address, &admin) {
            (Some(address), _) => read_address(address)?,
            (None, Some(admin)) => admin.listen.clone(),
            (None, None) => bail!(
                "{} can't be read: name the gateway's configuration with --config, or where it is administered with \
                 --address",
                api.config.display()
            ),
        };
        let certificate = admin.as_ref().and_then(|admin| admin.certificate.clone());
        let tls = certificate.filter(|_| matches!(listen, AdminListener::Tcp(_)));
        let tls = tls.map(|files| {
            let files = config::Tls { certificates: vec![files], min_version: TlsVersion::V1_2 };
            tls::pinned_client_config(&files).map(Arc::new)
        });
        let token = match find_token(api, admin.as_ref(), is_safe(&listen, tls.is_some()))? {
            Some(token) => {
                let mut field = HeaderValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| anyhow!("the token can't stand in a field of HTTP"))?;
                field.set_sensitive(true);
                Some(field)
            }
            None => None,
        };
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, listen, tls: tls.transpose()?, token })
    }

    /// Reads this path.
    pub(super) fn get(&self, path: &str) -> Result<Reply> {
        self.ask(Asked { method: Method::GET, path, fields: Vec::new(), body: None })
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, asked: Asked<'_>) -> Result<Reply> {
        let answer = async {
            match timeout(PATIENCE, self.exchange(asked)).await {
                Ok(answer) => answer,
                Err(_) => bail!("no answer within {} s", PATIENCE.as_secs()),
            }
        };
        self.runtime.block_on(answer)
    }

    async fn exchange(&self, asked: Asked<'_>) -> Result<Reply> {
        match &self.listen {
            AdminListener::Off => {
                bail!("admin.listen is \"off\": this gateway can't be asked while it runs")
            }
            AdminListener::Unix(path) => {
                let connected = UnixStream::connect(path).await;
                let stream = connected.with_context(|| nobody(&self.listen))?;
                self.exchange_over(stream, "localhost", asked).await
            }
            AdminListener::Tcp(address) => {
                let address = reachable(*address)?;
                let connected = timeout(CONNECT_PATIENCE, TcpStream::connect(address)).await;
                let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
                let stream = connected.with_context(|| nobody(&self.listen))?;
                let host = address.to_string();
                match &self.tls {
                    None => self.exchange_over(stream, &host, asked).await,
                    Some(tls) => {
                        let name = ServerName::IpAddress(address.ip().into());
                        let session = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
                        let stream = session.await.with_context(|| {
                            format!("{address} does not show the certificate of admin.certificate")
                        })?;
                        self.exchange_over(stream, &host, asked).await
                    }
                }
            }
        }
    }

    async fn exchange_over(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        host: &str,
        asked: Asked<'_>,
    ) -> Result<Reply> {
        let mut request =
            Request::builder().method(asked.method).uri(asked.path).header(HOST, host);
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, token.clone());
        }
        for (name, value) in asked.fields {
            request = request.header(name, value);
        }
        if asked.body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(asked.body.unwrap_or_default())))?;
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
        .context("the answer broke off")?;
        let body = serde_json::from_slice(&body).context(
            "the answer is no JSON: is it Crumbgate that listens there, and does admin.certificate fit?",
        )?;
        Ok(Reply { status, body, tag })
    }
}

impl Reply {
    pub(super) fn is_refused(&self) -> bool {
        !self.status.is_success()
    }

    /// What went wrong, and how to mend it, in one line.
    pub(super) fn problem(&self) -> String {
        let text = |key: &str| self.body[key].as_str();
        let detail = text("detail").unwrap_or("the gateway refuses, and does not say why");
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

/// The address by which this machine reaches it.
fn reachable(mut address: SocketAddr) -> Result<SocketAddr> {
    if address.port() == 0 {
        bail!(
            "admin.listen is {address}, any free port, and only the gateway knows which: its log says it, for \
             --address; or give the listener a port"
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

fn nobody(listen: &AdminListener) -> String {
    format!("no gateway answers at {listen}; is it running, and with this configuration?")
}

/// Whether a token that nobody has named may go there: whoever is on the way could read it in clear.
fn is_safe(listen: &AdminListener, is_tls: bool) -> bool {
    match listen {
        AdminListener::Off | AdminListener::Unix(_) => true,
        AdminListener::Tcp(address) => {
            let ip = address.ip().to_canonical();
            // What is asked there is asked on loopback.
            is_tls || ip.is_loopback() || ip.is_unspecified()
        }
    }
}

/// The token that was named, or else the first operator's of the gateway's own file, where it can be read and sent.
fn find_token(api: &Api, admin: Option<&Admin>, is_safe: bool) -> Result<Option<String>> {
    let variable = std::env::var_os("CRUMBGATE_TOKEN_FILE").map(PathBuf::from);
    if let Some(file) = api.token_file.clone().or(variable) {
        return read_token(&file).map(Some);
    }
    let file = admin.and_then(|admin| admin.token_file.as_deref()).filter(|_| is_safe);
    // Who may not read it has a token of their own to name; the gateway will say that it needs one.
    Ok(file.and_then(|file| tokens::first_operator(file).ok()).flatten())
}

fn read_token(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("the token can't be read from {}", file.display()))?;
    let token = text.trim();
    // What it holds is said to nobody.
    if !is_bearer_token(token) {
        bail!("{}: expected a token alone, on one line", file.display());
    }
    Ok(token.to_owned())
}

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// Somewhat more than the gateway's own.
const PATIENCE: Duration = Duration::from_secs(130);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateways_own_token_leaves_the_machine_over_tls_alone() {
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
