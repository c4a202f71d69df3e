//! Somebody who administers a gateway: asks its API over plain TCP, TLS or a Unix socket, and says what they like.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, request::Builder};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::TlsConnector;

/// A client of the admin API.
#[derive(Clone)]
pub(crate) struct Operator {
    api: Api,
    tls: Option<Arc<ClientConfig>>,
    token: Option<String>,
}

#[derive(Clone)]
enum Api {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// The field of this name; empty where it is not there.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The problem document that the body is.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.field("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        problem
    }
}

impl Operator {
    /// A client of an address in the form of the log: `127.0.0.1:9443`, or `unix:/path`.
    pub(crate) fn at(address: &str) -> Self {
        let api = match address.strip_prefix("unix:") {
            Some(path) => Api::Unix(path.into()),
            None => Api::Tcp(address.parse().unwrap()),
        };
        Self { api, tls: None, token: None }
    }

    /// The address as `--address` expects it.
    pub(crate) fn address(&self) -> String {
        match &self.api {
            Api::Tcp(address) => address.to_string(),
            Api::Unix(path) => format!("unix:{}", path.display()),
        }
    }

    /// The same with a token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same over TLS.
    pub(crate) fn over_tls(&self, config: ClientConfig) -> Self {
        Self { tls: Some(Arc::new(config)), ..self.clone() }
    }

    /// A request, to be completed and [`sent`](Self::send).
    pub(crate) fn request(&self, method: Method, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(path);
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(self.request(Method::GET, path), "").await
    }

    /// Sends JSON.
    pub(crate) async fn json(&self, method: Method, path: &str, body: &Value) -> Reply {
        let request = self.request(method, path).header("content-type", "application/json");
        self.send(request, &body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::PUT, path, body).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.json(Method::POST, path, body).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(self.request(Method::DELETE, path), "").await
    }

    /// Sends a request on a connection of its own, for the listener's own host unless it names another.
    pub(crate) async fn send(&self, request: Builder, body: &str) -> Reply {
        let has_host = request.headers_ref().is_some_and(|fields| fields.contains_key("host"));
        let host = match &self.api {
            Api::Tcp(address) => address.to_string(),
            Api::Unix(_) => "localhost".to_owned(),
        };
        let request = if has_host { request } else { request.header("host", host) };
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        match (&self.api, &self.tls) {
            (Api::Unix(path), _) => over(UnixStream::connect(path).await.unwrap(), request).await,
            (Api::Tcp(address), None) => {
                over(TcpStream::connect(address).await.unwrap(), request).await
            }
            (Api::Tcp(address), Some(tls)) => {
                let stream = TcpStream::connect(address).await.unwrap();
                let name = rustls::pki_types::ServerName::IpAddress(address.ip().into());
                let connector = TlsConnector::from(Arc::clone(tls));
                over(connector.connect(name, stream).await.unwrap(), request).await
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
async fn over(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Reply {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let response = sender.send_request(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Reply { status: head.status, fields: head.headers, body }
}
