//! The gateway in the middle: the real one, on ports that the system gives, with a certificate made on the spot.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crumbgate::certificate;
use crumbgate_audit::CounterSnapshot;
use crumbgate_base::clock::Clock;
use crumbgate_config::Config;
use crumbgate_gateway::gateway::{DrainReport, Gateway};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{ACME, App, Browser, Http, NOW_UNIX_S, Raw};

/// A gateway that is about to start: its configuration, section by section.
pub(crate) struct Setup {
    upstream: String,
    tenants: String,
    has_tenant: bool,
    server: String,
    defaults: String,
    limits: String,
    upstream_keys: String,
    admin: String,
    rest: String,
}

impl Setup {
    /// A gateway before this application.
    pub(crate) fn before(app: &App) -> Self {
        Self::before_servers(&[format!("http://{}", app.address())])
    }

    /// A gateway before these servers (`http://…`), balanced.
    pub(crate) fn before_servers(servers: &[String]) -> Self {
        Self {
            upstream: format!("{servers:?}"),
            tenants: String::new(),
            has_tenant: false,
            server: String::new(),
            defaults: String::new(),
            limits: String::new(),
            upstream_keys: String::new(),
            admin: String::new(),
            rest: String::new(),
        }
    }

    /// Adds a tenant with these keys (TOML lines). Without any, there is [`ACME`] with the defaults.
    pub(crate) fn tenant(mut self, host: &str, keys: &str) -> Self {
        self.tenants += &format!("[tenants.{host:?}]\n{keys}\n");
        self.has_tenant = true;
        self
    }

    /// Adds keys to `[server]`; there is one worker, and no drain time, unless they say otherwise.
    pub(crate) fn server(mut self, keys: &str) -> Self {
        self.server += keys;
        self.server.push('\n');
        self
    }

    /// Adds keys to `[defaults]`.
    pub(crate) fn defaults(mut self, keys: &str) -> Self {
        self.defaults += keys;
        self.defaults.push('\n');
        self
    }

    /// Adds keys to `[limits]`.
    pub(crate) fn limits(mut self, keys: &str) -> Self {
        self.limits += keys;
        self.limits.push('\n');
        self
    }

    /// Adds keys to the upstream.
    pub(crate) fn upstream(mut self, keys: &str) -> Self {
        self.upstream_keys += keys;
        self.upstream_keys.push('\n');
        self
    }

    /// Adds keys to `[admin]`; it listens on loopback then, unless they say otherwise, and not at all without them.
    pub(crate) fn admin(mut self, keys: &str) -> Self {
        self.admin += keys;
        self.admin.push('\n');
        self
    }

    /// Adds whole sections.
    pub(crate) fn sections(mut self, sections: &str) -> Self {
        self.rest += sections;
        self.rest.push('\n');
        self
    }

    /// The configuration's text.
    pub(crate) fn text(&self) -> String {
        let Self { upstream, server, defaults, limits, upstream_keys, admin, rest, .. } = self;
        let or = |keys: &str, key: &str, value: &str| {
            if keys.contains(key) { String::new() } else { format!("{key} = {value}\n") }
        };
        let workers = or(server, "workers", "1");
        let drain = or(server, "drain", "\"5s\"");
        let off = if admin.is_empty() { "\"off\"" } else { "\"127.0.0.1:0\"" };
        let listen = or(admin, "listen", off);
        let acme = format!("[tenants.{ACME:?}]\n");
        let tenants = if self.has_tenant { &self.tenants } else { &acme };
        format!(
            "[server]\nhttps = [\"127.0.0.1:0\"]\nhttp = [\"127.0.0.1:0\"]\n{workers}{drain}{server}\n\
             [tls]\ncertificates = [{{ chain = \"dev.crt\", key = \"dev.key\" }}]\n\
             [upstreams.app]\nservers = {upstream}\n{upstream_keys}\n\
             [defaults]\nupstream = \"app\"\n{defaults}\n[limits]\n{limits}\n{tenants}\n\
             [admin]\n{listen}{admin}\n{rest}\n"
        )
    }

    /// Starts it, with a clock that stands still at [`NOW_UNIX_S`].
    #[track_caller]
    pub(crate) fn start(self) -> Running {
        self.start_at(NOW_UNIX_S)
    }

    /// The same at another time.
    #[track_caller]
    pub(crate) fn start_at(self, now_unix_s: u64) -> Running {
        let folder = tempfile::tempdir().unwrap();
        let made = certificate::make(&NAMES, Clock::system().now()).unwrap();
        made.write(folder.path(), false).unwrap();
        let file = folder.path().join("config.toml");
        std::fs::write(&file, self.text()).unwrap();
        let loaded = Config::load(&file, []).unwrap_or_else(|problems| panic!("{problems}"));
        let unix_s = Arc::new(AtomicU64::new(now_unix_s));
        let clock = Clock::Fixed { unix_s: Arc::clone(&unix_s), started_unix_s: now_unix_s };
        let gateway = Gateway::start(loaded, clock).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(made.chain_pem.as_bytes()).unwrap()).unwrap();
        Running { gateway: Some(gateway), unix_s, roots: Arc::new(roots), folder: Some(folder) }
    }
}

/// The hosts of the certificate of these tests.
pub(crate) const NAMES: [&str; 5] =
    ["acme.example", "globex.example", "*.flexopus.example", "localhost", "127.0.0.1"];

/// A TLS client that trusts these roots and speaks this version.
pub(crate) fn client_config(roots: &Arc<RootCertStore>, http: Http) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(Arc::clone(roots))
        .with_no_client_auth();
    config.alpn_protocols = vec![http.alpn().to_vec()];
    config
}

/// A TLS connection to this address, made for [`ACME`], on which nothing was sent yet.
pub(crate) async fn tls_to(address: SocketAddr, config: ClientConfig) -> TlsStream<TcpStream> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    connector.connect(ACME.try_into().unwrap(), stream).await.unwrap()
}

/// A gateway that serves until it is dropped.
pub(crate) struct Running {
    gateway: Option<Gateway>,
    unix_s: Arc<AtomicU64>,
    roots: Arc<RootCertStore>,
    folder: Option<TempDir>,
}

impl Running {
    fn gateway(&self) -> &Gateway {
        self.gateway.as_ref().expect("it is taken only when it is drained")
    }

    /// The TLS listener.
    pub(crate) fn https(&self) -> SocketAddr {
        self.gateway().https()[0]
    }

    /// The plain listener.
    pub(crate) fn http(&self) -> SocketAddr {
        self.gateway().http()[0]
    }

    /// The running gateway's own interface.
    pub(crate) fn inner(&self) -> &Gateway {
        self.gateway()
    }

    /// Writes its configuration anew, and has it reload that.
    pub(crate) async fn reload(&self, setup: &Setup, actor: &'static str) {
        let folder = self.folder.as_ref().expect("it is taken only when it is stopped");
        std::fs::write(folder.path().join("config.toml"), setup.text()).unwrap();
        let control = self.gateway().control().clone();
        tokio::task::spawn_blocking(move || control.reload(actor).unwrap()).await.unwrap();
    }

    /// Its ledger's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        let folder = self.folder.as_ref().expect("it is taken only when it is stopped");
        folder.path().join("state/crumbgate.db")
    }

    /// Sets the gateway's clock.
    pub(crate) fn set_unix_s(&self, unix_s: u64) {
        self.unix_s.store(unix_s, Ordering::SeqCst);
    }

    /// Moves the gateway's clock on.
    pub(crate) fn advance(&self, seconds: u64) {
        self.unix_s.fetch_add(seconds, Ordering::SeqCst);
    }

    /// The counters of a tenant.
    pub(crate) fn counters_of(&self, tenant: &str) -> CounterSnapshot {
        self.gateway().counters().read().remove(tenant).unwrap_or_default()
    }

    /// A browser at [`ACME`].
    pub(crate) fn browser(&self, http: Http) -> Browser {
        self.browser_at(ACME, http)
    }

    /// A browser at this host.
    pub(crate) fn browser_at(&self, host: &str, http: Http) -> Browser {
        let now = Arc::clone(&self.unix_s);
        Browser::new(self.https(), host, http, self.client_config(http), now)
    }

    /// A raw HTTP/1.1 connection over TLS, made for [`ACME`].
    pub(crate) async fn raw(&self) -> Raw {
        self.raw_at(ACME).await
    }

    /// A raw HTTP/1.1 connection over TLS, made for this host.
    pub(crate) async fn raw_at(&self, host: &str) -> Raw {
        Raw::connect(self.https(), host, self.client_config(Http::One)).await
    }

    /// The certificate that a client must trust.
    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.roots)
    }

    /// A TLS connection, made for [`ACME`], on which nothing was sent yet.
    pub(crate) async fn tls(&self, http: Http) -> TlsStream<TcpStream> {
        tls_to(self.https(), self.client_config(http)).await
    }

    /// A TLS client that trusts the gateway's certificate and speaks this version.
    pub(crate) fn client_config(&self, http: Http) -> ClientConfig {
        client_config(&self.roots, http)
    }

    /// Stops it, and returns the folder in which its ledger is.
    pub(crate) async fn stop(mut self) -> Stopped {
        let folder = self.folder.take().expect("it is stopped once");
        self.drain().await.unwrap();
        Stopped { folder }
    }

    /// Drains it, on a thread of its own: a drain waits for open exchanges.
    pub(crate) fn drain(mut self) -> tokio::task::JoinHandle<DrainReport> {
        let gateway = self.gateway.take().expect("it is drained once");
        tokio::task::spawn_blocking(move || gateway.drain())
    }
}

/// The ledger that a gateway has left.
pub(crate) struct Stopped {
    folder: TempDir,
}

impl Stopped {
    /// Its ledger's file.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.folder.path().join("state/crumbgate.db")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that ends must not wait for the exchanges that it left open.
        if let Some(gateway) = self.gateway.take() {
            std::mem::forget(gateway);
        }
    }
}
