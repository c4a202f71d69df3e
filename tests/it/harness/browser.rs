//! A browser before the gateway: real TLS, HTTP/1.1 or HTTP/2, and a jar that follows RFC 6265bis.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use cookie::Cookie;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// A version of HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Http {
    One,
    Two,
}

impl Http {
    pub(crate) fn alpn(self) -> &'static [u8] {
        match self {
            Self::One => b"http/1.1",
            Self::Two => b"h2",
        }
    }
}

/// A browser at one host. Each request is sent on one kept connection, which is opened anew when it has closed.
pub(crate) struct Browser {
    address: SocketAddr,
    host: String,
    http: Http,
    tls: Arc<ClientConfig>,
    now: Arc<AtomicU64>,
    jar: Arc<Mutex<Vec<Kept>>>,
    sender: tokio::sync::Mutex<Option<Sender>>,
}

/// A cookie in the jar.
#[derive(Clone, Debug)]
struct Kept {
    name: String,
    value: String,
    /// None: host-only.
    domain: Option<String>,
    path: String,
    expires_unix_s: Option<u64>,
}

enum Sender {
    One(conn::http1::SendRequest<Full<Bytes>>),
    Two(conn::http2::SendRequest<Full<Bytes>>),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) version: Version,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: HeaderMap,
}

impl Answer {
    /// All `Set-Cookie` fields, in order.
    pub(crate) fn set_cookies(&self) -> Vec<&str> {
        self.fields.get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The one `Set-Cookie` field of this name.
    #[track_caller]
    pub(crate) fn set_cookie(&self, name: &str) -> &str {
        let named: Vec<_> = self
            .set_cookies()
            .into_iter()
            .filter(|field| field.split('=').next() == Some(name))
            .collect();
        assert_eq!(named.len(), 1, "{name} in {:?}", self.set_cookies());
        named[0]
    }

    /// The field of this name, if it is there.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Browser {
    pub(crate) fn new(
        address: SocketAddr,
        host: &str,
        http: Http,
        tls: ClientConfig,
        now: Arc<AtomicU64>,
    ) -> Self {
        let host = host.to_owned();
        let (tls, jar, sender) = (Arc::new(tls), Arc::default(), tokio::sync::Mutex::default());
        Self { address, host, http, tls, now, jar, sender }
    }

    /// The same browser at another host.
    pub(crate) fn at(self, host: &str) -> Self {
        Self { host: host.to_owned(), ..self }
    }

    /// The same browser, with the same jar, on another connection.
    pub(crate) fn on_another_connection(&self) -> Self {
        Self {
            address: self.address,
            host: self.host.clone(),
            http: self.http,
            tls: Arc::clone(&self.tls),
            now: Arc::clone(&self.now),
            jar: Arc::clone(&self.jar),
            sender: tokio::sync::Mutex::default(),
        }
    }

    /// A request to this path, to be completed and [`sent`](Self::send): with what a browser's navigation accepts.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).header("accept", "text/html,*/*;q=0.8");
        match self.http {
            Http::One => request.uri(path).header("host", &self.host),
            Http::Two => request.uri(format!("https://{}{path}", self.host)),
        }
    }

    /// Navigates to this path.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path), "").await
    }

    /// Posts nothing to this path.
    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path), "").await
    }

    /// Navigates to this path with this `Cookie` field, whatever the jar holds.
    pub(crate) async fn get_with_cookie(&self, path: &str, cookie: impl AsRef<[u8]>) -> Answer {
        self.send(self.request(Method::GET, path).header("cookie", cookie.as_ref()), "").await
    }

    /// Sends a request, with what the jar has for it unless it has cookies already; keeps what comes back.
    pub(crate) async fn send(&self, request: http::request::Builder, body: &str) -> Answer {
        let response = self.send_streaming(request, body).await;
        let (parts, body) = response.into_parts();
        let collected = body.collect().await.expect("the answer's body has an end");
        let trailers = collected.trailers().cloned().unwrap_or_default();
        let body = collected.to_bytes().to_vec();
        Answer {
            status: parts.status,
            version: parts.version,
            fields: parts.headers,
            body,
            trailers,
        }
    }

    /// The same, returning at the answer's head.
    pub(crate) async fn send_streaming(
        &self,
        request: http::request::Builder,
        body: &str,
    ) -> Response<Incoming> {
        self.try_send(request, body).await.expect("an answer comes")
    }

    /// The same, where no answer is a possible outcome.
    pub(crate) async fn try_send(
        &self,
        request: http::request::Builder,
        body: &str,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let mut request = request.body(Full::new(Bytes::from(body.to_owned()))).unwrap();
        let path = request.uri().path().to_owned();
        if !request.headers().contains_key("cookie") {
            let crumbs = self.cookies_for(&path);
            // Browsers split the field over HTTP/2 (RFC 9113, section 8.2.3).
            let fields = match self.http {
                Http::One if crumbs.is_empty() => vec![],
                Http::One => vec![crumbs.join("; ")],
                Http::Two => crumbs,
            };
            for field in fields {
                request.headers_mut().append("cookie", field.try_into().unwrap());
            }
        }
        let response = self.dispatch(request).await?;
        for field in response.headers().get_all("set-cookie") {
            self.keep(&String::from_utf8_lossy(field.as_bytes()), &path);
        }
        Ok(response)
    }

    async fn dispatch(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, hyper::Error> {
        let answer = {
            let mut sender = self.sender.lock().await;
            let open = match &mut *sender {
                Some(Sender::One(sender)) => sender.ready().await.is_ok(),
                Some(Sender::Two(sender)) => sender.ready().await.is_ok(),
                None => false,
            };
            if !open {
                *sender = Some(self.connect().await);
            }
            let answer: Pin<Box<dyn Future<Output = _> + Send>> =
                match sender.as_mut().expect("it is open") {
                    Sender::One(sender) => Box::pin(sender.send_request(request)),
                    Sender::Two(sender) => Box::pin(sender.send_request(request)),
                };
            answer
        };
        answer.await
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    async fn connect(&self) -> Sender {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let name = ServerName::try_from(self.host.clone()).unwrap();
        let tls = TlsConnector::from(Arc::clone(&self.tls)).connect(name, stream).await.unwrap();
        let io = TokioIo::new(tls);
        match self.http {
            Http::One => {
                let mut builder = conn::http1::Builder::new();
                builder.max_headers(1000);
                let (sender, connection) = builder.handshake(io).await.unwrap();
                tokio::spawn(connection.with_upgrades());
                Sender::One(sender)
            }
            Http::Two => {
                let mut builder = conn::http2::Builder::new(TokioExecutor::new());
                builder.max_header_list_size(1 << 20);
                let (sender, connection) = builder.handshake(io).await.unwrap();
                tokio::spawn(connection);
                Sender::Two(sender)
            }
        }
    }

    /// The jar: `name=value` of what is kept for `/` and above, in the order in which it was set.
    pub(crate) fn jar(&self) -> Vec<String> {
        self.forget_expired();
        self.jar
            .lock()
            .unwrap()
            .iter()
            .map(|kept| format!("{}={}", kept.name, kept.value))
            .collect()
    }

    /// Puts a cookie into the jar as a script of a page at `path` would.
    pub(crate) fn set_by_script(&self, field: &str, path: &str) {
        self.keep(field, path);
    }

    fn cookies_for(&self, path: &str) -> Vec<String> {
        self.forget_expired();
        let jar = self.jar.lock().unwrap();
        let matching = jar.iter().filter(|kept| path_matches(path, &kept.path));
        matching.map(|kept| format!("{}={}", kept.name, kept.value)).collect()
    }

    fn forget_expired(&self) {
        let now = self.now.load(Ordering::SeqCst);
        let lives = |kept: &Kept| kept.expires_unix_s.is_none_or(|expires| expires > now);
        self.jar.lock().unwrap().retain(lives);
    }

    /// RFC 6265bis, section 5.7, as far as these tests need it.
    fn keep(&self, field: &str, request_path: &str) {
        let Ok(cookie) = Cookie::parse(field.to_owned()) else { return };
        let now = self.now.load(Ordering::SeqCst);
        let by_age = cookie.max_age().map(|age| now.saturating_add_signed(age.whole_seconds()));
        let by_date =
            || cookie.expires_datetime().map(|at| u64::try_from(at.unix_timestamp()).unwrap_or(0));
        let domain = cookie.domain().map(str::to_ascii_lowercase);
        if domain.as_ref().is_some_and(|domain| !domain_matches(&self.host, domain)) {
            return;
        }
        let path = cookie.path().filter(|path| path.starts_with('/')).map_or_else(
            || match request_path.rfind('/') {
                Some(0) | None => "/".to_owned(),
                Some(at) => request_path[..at].to_owned(),
            },
            str::to_owned,
        );
        let kept = Kept {
            name: cookie.name().to_owned(),
            value: cookie.value().to_owned(),
            domain,
            path,
            expires_unix_s: by_age.or_else(by_date),
        };
        let mut jar = self.jar.lock().unwrap();
        let same = |other: &Kept| {
            other.name == kept.name && other.domain == kept.domain && other.path == kept.path
        };
        match jar.iter_mut().find(|other| same(other)) {
            Some(other) => *other = kept,
            None => jar.push(kept),
        }
    }
}

fn path_matches(path: &str, cookie_path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

fn domain_matches(host: &str, domain: &str) -> bool {
    host == domain || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}
