//! What `config.toml` means: checked values, each with its default.
//!
//! [`Config::load`] reads the file and the `CRUMBGATE_…` variables, and tells every problem at once, each with its
//! place and its mend.

mod address;
mod effective;
mod environment;
mod live;
mod problem;
mod reader;
mod sections;
mod written;

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fmt, fs,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::uri::PathAndQuery;
use ipnet::IpNet;
use toml::de::DeTable;

pub use address::BadServer;
pub use effective::Effective;
pub use live::TenantKeys;
pub use problem::{Place, Problem, Problems, Severity, Source};
pub use written::{quoted, spoken};

use crate::{
    page,
    policy::{
        Agreement, EvictScope, Mode,
        declaration::{CookieName, Declaration, PathPattern, SessionDuration},
    },
    tenants::Tenant,
};
use effective::Record;
use environment::Variables;
use reader::Reader;

/// The whole configuration, checked.
#[derive(Debug, Eq, PartialEq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// `[tls]`
    pub tls: Tls,
    /// `[upstreams.*]`, in the order written; `Tenant::upstream` is an index into it.
    pub upstreams: Vec<Upstream>,
    /// `[[cookies]]`, or what Flexopus publishes.
    pub declaration: Arc<Declaration>,
    /// `[seal]`
    pub seal: Seal,
    /// `[agreement]`
    pub asking: Asking,
    /// `[page]`
    pub page: page::settings::Settings,
    /// `[defaults]`, for tenants that come later.
    pub defaults: TenantDefaults,
    /// The tenants of `[tenants]`, each with what `[defaults]` gives it.
    pub tenants: Vec<Tenant>,
    /// The tenant of unknown hosts, where `defaults.unknown_hosts = "default"`.
    pub default_tenant: Option<Tenant>,
    /// `[limits]`
    pub limits: Arc<Limits>,
    /// `[log]`
    pub log: Log,
    /// `[state]` and `[audit]`
    pub evidence: Evidence,
    /// `[traces]`
    pub traces: Traces,
    /// `[admin]`
    pub admin: Admin,
}

/// A configuration that was read, and what was noticed on the way.
#[derive(Debug)]
pub struct Loaded {
    /// What it means.
    pub config: Config,
    /// What is valid, and probably not what was meant.
    pub warnings: Problems,
    /// Every value that holds, and where it comes from. Keeps the text of the file; drop it when it was shown.
    pub effective: Effective,
    /// Which configuration it is.
    pub hash: ConfigHash,
}

/// Which configuration it is, byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigHash {
    /// SHA-256 of the file, in hexadecimal digits: what `sha256sum` says.
    pub file: String,
    /// SHA-256 of the `CRUMBGATE_…` variables, each as `NAME=value` with a line feed, in the order of their names; none
    /// where there is none.
    pub variables: Option<String>,
}

impl Config {
    /// Reads a configuration file, and the variables among `environment` that override its scalars.
    ///
    /// # Errors
    ///
    /// Every problem at once, warnings too, where at least one of them is an error.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Problems> {
        Self::read(read_source(path)?, environment)
    }

    /// The same for a text that was read already. Paths in it are relative to the folder of the source's path.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn read(
        source: Source,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Problems> {
        Self::read_with(source, Variables::of(environment))
    }

    fn read_with(source: Source, variables: Variables) -> Result<Loaded, Problems> {
        let source = Arc::new(source);
        let document = parse(&source)?;
        let reader = Reader::new(Arc::clone(&source), variables.clone());
        let config = sections::read(&reader, &document);
        drop(document);
        let (problems, _) = reader.finish();
        if problems.errors() > 0 {
            return Err(problems);
        }
        let file = sha256(source.text().as_bytes());
        let variables_hash = variables.written().map(|text| sha256(text.as_bytes()));
        let hash = ConfigHash { file, variables: variables_hash };
        let effective = Effective::new(source, variables);
        Ok(Loaded { config, warnings: problems, effective, hash })
    }
}

/// What `[admin]` says of a configuration that may be wrong elsewhere: where its gateway can be asked. None where the
/// file can't be read at all.
pub fn find_admin(
    path: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<Admin> {
    let source = Arc::new(read_source(path).ok()?);
    let (document, _) = DeTable::parse_recoverable(source.text());
    let reader = Reader::new(Arc::clone(&source), Variables::of(environment));
    Some(sections::read_admin(&reader, document.get_ref()))
}

/// Every key that can be written, with `*` for a name that the operator chooses and `[]` for the elements of an array:
/// `upstreams.*.servers`, `cookies[].name`. It is what the reader asks of a document that has one of everything.
pub fn known_keys() -> &'static BTreeSet<String> {
    static KEYS: OnceLock<BTreeSet<String>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let source = Arc::new(Source::new("", ONE_OF_EVERYTHING));
        let document = DeTable::parse(ONE_OF_EVERYTHING).map(toml::Spanned::into_inner);
        let document = document.unwrap_or_default();
        Record::of(&source, &Variables::default(), &document).keys
    })
}

/// One of each table of which there can be several or none.
const ONE_OF_EVERYTHING: &str = r#"
    tls.certificates = [{ chain = "a", key = "a" }]
    upstreams.app = { servers = ["http://a"], health = {} }
    tenants.a = {}
    cookies = [{ name = "a", inject = { value = "1" }, purpose = { en = "a" }, without = { en = "a" } }]
    state = {}
    audit = {}
    seal = {}
    agreement = {}
    page = {}
    traces = {}
    admin = { certificate = { chain = "a", key = "a" } }
"#;

fn sha256(bytes: &[u8]) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read_source(path: &Path) -> Result<Source, Problems> {
    let bytes = fs::read(path).map_err(|error| {
        let message = format!("cannot be read: {error}");
        let problem = Problem::error(Place::File(path.to_owned()), "", message);
        alone(problem.help("name the configuration file with --config".to_owned()))
    })?;
    String::from_utf8(bytes).map(|text| Source::new(path, text)).map_err(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let source = Arc::new(Source::new(path, text));
        let place = Place::Span { source, span: valid_up_to..valid_up_to };
        let problem = Problem::error(place, "", "found bytes that are no UTF-8");
        alone(problem.help("save the file as UTF-8".to_owned()))
    })
}

/// Parses the text as TOML. A key that is written twice is told each time; of what is no TOML, the first place.
fn parse(source: &Arc<Source>) -> Result<DeTable<'_>, Problems> {
    let (document, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    let mut problems = Problems::default();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let is_twice = error.message() == "duplicate key";
        let (message, help) = if is_twice {
            let key = source.text().get(span.clone()).unwrap_or_default();
            (format!("{key} is written twice"), "keep one of the two")
        } else {
            (error.message().to_owned(), "the file is TOML: https://toml.io")
        };
        let place = Place::Span { source: Arc::clone(source), span };
        problems.push(Problem::error(place, "", message).help(help.to_owned()));
        if !is_twice {
            break; // What follows may be no more than its consequence.
        }
    }
    Err(problems)
}

fn alone(problem: Problem) -> Problems {
    let mut problems = Problems::default();
    problems.push(problem);
    problems
}

/// `[server]`: where the gateway listens, and how it stops.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// TLS listeners, HTTP/1.1 and HTTP/2 by ALPN.
    pub https: Vec<SocketAddr>,
    /// Plain listeners that redirect to https and do nothing else.
    pub http: Vec<SocketAddr>,
    /// Data-path threads; `workers = 0` is one for each core.
    pub workers: NonZeroUsize,
    /// Whether the gateway reloads when a file changes.
    pub watch: bool,
    /// How long open exchanges may finish at a stop.
    pub drain: Duration,
    /// Networks whose forwarding fields are believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// `[tls]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Chosen by server name; the first serves names that none has. Paths are relative to the configuration's folder
    /// as written and resolved here.
    pub certificates: Vec<CertificateFiles>,
    /// The oldest version that is accepted.
    pub min_version: TlsVersion,
}

/// A certificate chain and its key, both PEM files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// The chain, leaf first.
    pub chain: PathBuf,
    /// The key: PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// A TLS version.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

/// `[upstreams.NAME]`: an application and the servers that it runs on.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    /// The name in the file.
    pub name: String,
    /// Its servers, balanced.
    pub servers: Vec<ServerAddress>,
    /// How one is chosen for a request.
    pub balance: Balance,
    /// To an open connection (TCP, and TLS where there is one).
    pub connect_timeout: Duration,
    /// To the response's head.
    pub response_timeout: Duration,
    /// Between two parts of the response's body.
    pub body_timeout: Duration,
    /// How long an unused connection is kept.
    pub idle_timeout: Duration,
    /// How many unused connections each worker keeps for each server.
    pub idle_connections: usize,
    /// The CA that `https://` servers are verified with; none: the system's roots.
    pub ca: Option<PathBuf>,
    /// Active checks, if there are any.
    pub health: Option<Health>,
    /// How many connections each server may have, of all workers together; none: any number.
    pub max_connections: Option<usize>,
    /// How many exchanges may wait for one.
    pub queue: usize,
    /// How long they wait.
    pub queue_timeout: Duration,
}

/// How a server is chosen among those that are well.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Balance {
    /// The one with the fewest exchanges under way.
    Least,
    /// Of two that chance picks, the one with fewer.
    Random2,
}

/// `health`: how an upstream's servers are checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Health {
    /// What is asked for; 2xx and 3xx are healthy.
    pub path: PathAndQuery,
    /// The `Host` that is asked; none: the server's own authority.
    pub host: Option<String>,
    /// From one check of a server to the next.
    pub interval: Duration,
    /// To the answer's head, the connection included.
    pub timeout: Duration,
    /// After how many bad checks in a row a server is down.
    pub fall: u32,
    /// After how many good checks in a row it is up again.
    pub rise: u32,
}

/// Where an upstream's server is.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum ServerAddress {
    /// `http://host:port`
    Plain {
        /// A host name or an address (IPv6 without brackets).
        host: String,
        /// The port.
        port: u16,
    },
    /// `https://host:port`, verified.
    Tls {
        /// A host name or an address (IPv6 without brackets); also the name that the certificate must have.
        host: String,
        /// The port.
        port: u16,
    },
    /// `unix:/path`
    Unix(PathBuf),
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain { host, port } => write!(f, "http://{}:{port}", Bracketed(host)),
            Self::Tls { host, port } => write!(f, "https://{}:{port}", Bracketed(host)),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A host as it stands in a URL: an IPv6 address in brackets.
struct Bracketed<'h>(&'h str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

/// `[defaults]`: what a tenant has that does not say otherwise.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TenantDefaults {
    /// An index into `Config::upstreams`; none where the upstream that is meant does not exist, and nobody needs it.
    pub upstream: Option<u16>,
    /// How long a session lives without use.
    pub session: SessionDuration,
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// Where undeclared cookies are deleted.
    pub evict: EvictScope,
    /// Whether the session cookie is sealed.
    pub seal: bool,
    /// Whether people are asked before cookies are used.
    pub agreement: Agreement,
}

/// `[seal]`: how the session cookie is sealed (G1 to G5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    /// Whether the file asks for keys: a tenant of it seals, or `keys` is written for tenants that are set later.
    pub is_used: bool,
    /// The file of the key ring.
    pub keys: PathBuf,
    /// Which cookie is sealed; none where no declared one can be, and nobody asks for it.
    pub cookie: Option<CookieName>,
    /// From when on only what is sealed counts, in seconds since the Unix epoch; none: never.
    pub unsealed_until_unix_s: Option<u64>,
}

/// `[agreement]`: how people are asked (G6 to G8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asking {
    /// Whether an agreement holds for one version of the declaration alone.
    pub ask_again: bool,
    /// What everybody may see of a tenant that requires an agreement: its imprint, say.
    pub open_paths: Vec<PathPattern>,
    /// Where the application ends a session, by `POST`; none: it is not told of a withdrawal.
    pub logout: Option<PathAndQuery>,
}

/// `[limits]`: every bound of the data path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes of a request's head: target and fields (431).
    pub head_bytes: usize,
    /// Fields of a request's head (431).
    pub head_fields: usize,
    /// Bytes of a request's `Cookie` fields (431, R8).
    pub cookie_bytes: usize,
    /// Bytes of a request's body (413); none: unlimited.
    pub body_bytes: Option<u64>,
    /// How far into a page its body is looked for, to put a banner there.
    pub banner_bytes: usize,
    /// Downstream connections of all workers together (503).
    pub connections: usize,
    /// Streams that are open at once on one HTTP/2 connection.
    pub h2_streams: u32,
    /// Streams that one HTTP/2 connection may reset in a minute (GOAWAY).
    pub h2_resets: u32,
    /// N4's memory: how many superseded values are remembered at once.
    pub superseded_values: usize,
    /// For a TLS handshake (the connection is closed).
    pub handshake_timeout: Duration,
    /// From a head's first byte to its last (408).
    pub head_timeout: Duration,
    /// Between two exchanges of a connection (it is closed).
    pub idle_timeout: Duration,
    /// Between two parts of a request's body, and for a downstream that reads nothing of what it is sent (408, or the
    /// connection is cut).
    pub body_timeout: Duration,
}

/// `[state]` and `[audit]`: where evidence is kept, how it is summed up, and for how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Evidence {
    /// The file of the ledger (SQLite).
    pub path: PathBuf,
    /// Whether there is a ledger.
    pub ledger: bool,
    /// How long a window is that counts are summed up over: whole minutes that divide a day.
    pub window: Duration,
    /// How long entries are kept.
    pub retention: Duration,
    /// A file that says who usually sets a cookie (the Open Cookie Database); none: what is built in.
    pub names: Option<PathBuf>,
}

/// `[traces]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traces {
    /// Where spans are sent; none: no exchange is followed.
    pub collector: Option<Collector>,
    /// How many of the exchanges are followed whose caller has not decided.
    pub sample: Ratio,
}

/// A collector of spans (OTLP over HTTP).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Collector {
    /// A host name or an address (IPv6 without brackets).
    pub host: String,
    /// The port.
    pub port: u16,
    /// The path that spans are posted to.
    pub path: PathAndQuery,
}

/// A part of a whole, in millionths: from 0 to 1,000,000.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Ratio(u32);

impl Ratio {
    /// All of it.
    pub const ONE: Self = Self(1_000_000);

    /// So many millionths; none where that is more than the whole.
    pub fn of_millionths(millionths: u32) -> Option<Self> {
        Some(Self(millionths)).filter(|ratio| *ratio <= Self::ONE)
    }

    /// In millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }
}

/// `[admin]`: where the gateway is administered, and by whom.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    /// Where.
    pub listen: AdminListener,
    /// Who may, a name, a role and a token on each line; none: whoever can connect.
    pub token_file: Option<PathBuf>,
    /// The certificate of the listener; none: it has no TLS.
    pub certificate: Option<CertificateFiles>,
    /// Hosts that a request may name besides the listener's own, in lower case and without a port.
    pub hosts: Vec<String>,
    /// How many tenants have metrics of their own.
    pub tenant_series: usize,
}

/// Where the gateway is administered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AdminListener {
    /// Nowhere.
    Off,
    /// At an address.
    Tcp(SocketAddr),
    /// At a Unix socket.
    Unix(PathBuf),
}

impl fmt::Display for AdminListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// `[log]`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// Whether each exchange is a line.
    pub access: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}
