//! `crumbgate audit selftest`: tests on the running gateway that no personal data is kept (A3).
//!
//! Random texts go through the gateway in the places of personal data: as cookie values and addresses, in names, path and
//! query. Then everything that is kept is searched for them. The test also requires that the templates of the names were
//! kept, so that a search in the wrong place does not pass. Where the tenant has a guard, a browser's report is sent too.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};
use socket2::{Domain, Protocol, Socket, Type};

use super::canary::{Canary, Searcher};
use crate::cli::{
    configuration::{self, ConfigFile},
    output::print,
};
use crumbgate_audit::tenants::{Tenant, TenantTable};
use crumbgate_base::text::hex;
use crumbgate_config::Config;
use crumbgate_gateway::proxy::tls;
use crumbgate_ledger::{
    entry::Entry,
    line::LineWriter,
    read::{ReadError, Reader},
};
use crumbgate_pages::page::settings::PageRoute;
use crumbgate_policy::{GuardMode, verdict::Direction};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The tenant's host to send the requests to [default: the first of the configuration]
    #[arg(long, value_name = "HOST")]
    tenant: Option<String>,
    /// The address of the running gateway [default: the first of server.https]
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: Option<SocketAddr>,
    /// A file with the gateway's log lines, to search as well; can be repeated
    #[arg(long, value_name = "FILE")]
    log: Vec<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

/// Sends the canaries, waits until the ledger has counted the requests, and searches.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let loaded = configuration::read(&arguments.config.config);
    let config = loaded.map_err(|problems| anyhow!("{problems}"))?.config;
    if !config.evidence.ledger {
        bail!("audit.ledger = false: there is no ledger to search");
    }
    let host = match &arguments.tenant {
        Some(host) => host.clone(),
        None => first_host(&config)?,
    };
    let tenant = tenant_of(&config, &host)
        .with_context(|| format!("no tenant of the configuration serves {host}"))?;
    let address = match arguments.address {
        Some(address) => address,
        None => *config.server.https.first().context("server.https has no listener")?,
    };
    let ledger = &config.evidence.path;
    let beacon = config.page.path.as_ref().filter(|_| tenant.policy.guard != GuardMode::Off);
    let beacon = beacon.map(|path| path.of(PageRoute::Seen));
    let canaries = Canaries::new(beacon.as_deref())?;
    let before = kept(ledger, &tenant.name)?;
    let from = canaries.send(&config, address, &host)?;
    wait_until_kept(ledger, &tenant.name, before)?;

    let mut all = canaries.all;
    all.extend(from.map(|from| Canary { place: "the client's address", text: from.to_string() }));
    let mut report = Report { searcher: Searcher::new(&all)?, lines: String::new(), found: false };
    report.line(&format!("{} random texts were sent to {host}, {EXCHANGES} times", all.len()));
    report.file("the ledger", ledger)?;
    report.file("the ledger's write-ahead log", &with_suffix(ledger, "-wal"))?;
    report.export(ledger)?;
    for log in &arguments.log {
        report.file("the log", log)?;
    }
    if arguments.log.is_empty() {
        report.line("no log was searched: name one with --log");
    }
    report.line(if report.found {
        "failed: personal data is kept (rule A3)"
    } else {
        "passed: none of the texts is kept, and the expected entries are there"
    });
    print(&report.lines)?;
    Ok(if report.found { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The first tenant's host. For a wildcard, a label is added.
fn first_host(config: &Config) -> Result<String> {
    let tenant =
        config.tenants.first().context("no tenant is configured: name a host with --tenant")?;
    Ok(match tenant.name.strip_prefix('*') {
        Some(suffix) => format!("selftest{suffix}"),
        None => tenant.name.to_string(),
    })
}

/// The canaries and the requests that contain them.
struct Canaries {
    all: Vec<Canary>,
    requests: Vec<String>,
}

/// The number of times that they are sent. Several, because code may keep something only the second time.
const EXCHANGES: u64 = 3;

impl Canaries {
    /// Makes canaries. `beacon` is the path of browsers' reports, where the tenant has a guard.
    fn new(beacon: Option<&str>) -> Result<Self> {
        let mut all = Vec::new();
        let mut make = |place, text: String| {
            all.push(Canary { place, text: text.clone() });
            text
        };
        let session = make("the value of a declared cookie", random()?);
        let tracker = make("the value of an undeclared cookie", random()?);
        let name = make("an identifier in a cookie's name", random()?);
        let nameless = make("the text of a nameless cookie", random()?);
        let path = make("the path", random()?);
        let query = make("the query", random()?);
        let agent = make("the user agent", random()?);
        let referer = make("the referrer", random()?);
        let [a, b, c, d, e, f] = random_bytes::<6>()?;
        let address =
            Ipv6Addr::from([0x20, 0x01, 0x0d, 0xb8, a, b, c, d, e, f, 0xca, 0x9e, a, c, b, 0x17]);
        let address = make("an address in a forwarding field", address.to_string());
        let mut requests = Vec::new();
        // First, so that it is kept when the last request is.
        if let Some(beacon) = beacon {
            let reported = make("an identifier in a reported name", random()?);
            let body = format!("cselftest_{reported}\nlselftest_{reported}");
            requests.push(format!(
                "POST {beacon} HTTP/1.1\r\nhost: HOST\r\nsec-fetch-site: same-origin\r\nuser-agent: {agent}\r\n\
                 content-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            ));
        }
        requests.push(format!(
            "GET /crumbgate-selftest/{path}?q={query} HTTP/1.1\r\nhost: HOST\r\naccept: text/html\r\n\
             user-agent: {agent}\r\nreferer: https://HOST/{referer}\r\nx-forwarded-for: {address}\r\n\
             forwarded: for=\"[{address}]\"\r\n\
             cookie: flexopus_session={session}; _ga={tracker}; selftest_{name}=1; {nameless}\r\n\
             connection: close\r\n\r\n"
        ));
        Ok(Self { all, requests })
    }

    /// Sends each request several times, each on its own connection. Returns the client's address if it is a random one of
    /// the loopback network.
    fn send(&self, config: &Config, address: SocketAddr, host: &str) -> Result<Option<IpAddr>> {
        let from = loopback_for(address)?;
        let tls = Arc::new(tls::pinned_client_config(&config.tls)?);
        for request in (0..EXCHANGES).flat_map(|_| &self.requests) {
            let stream = connect(address, from)?;
            let name = ServerName::try_from(host.to_owned())
                .with_context(|| format!("{host} is not a host"))?;
            let mut stream =
                StreamOwned::new(ClientConnection::new(Arc::clone(&tls), name)?, stream);
            stream.write_all(request.replace("HOST", host).as_bytes())?;
            let mut answer = Vec::new();
            // A connection without a TLS close notification has still answered.
            let _ = stream.read_to_end(&mut answer);
            let status = answer.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
            match status {
                Some(b"421") => bail!("{address}: no tenant there has the host {host}"),
                Some(_) => {}
                None => bail!("{address}: there was no answer; is the gateway running?"),
            }
        }
        Ok(from.map(IpAddr::from))
    }
}

/// A random client address of the loopback network, or `None` for a gateway on another address.
fn loopback_for(address: SocketAddr) -> Result<Option<Ipv4Addr>> {
    let is_near =
        address.ip().is_ipv4() && (address.ip().is_loopback() || address.ip().is_unspecified());
    // Each part has three digits, because shorter numbers occur by chance.
    let part = |byte: u8| 100 + byte % 100;
    let [a, b, c] = random_bytes::<3>()?.map(part);
    Ok(is_near.then(|| Ipv4Addr::new(127, a, b, c)))
}

fn connect(mut address: SocketAddr, from: Option<Ipv4Addr>) -> Result<TcpStream> {
    if address.port() == 0 {
        bail!("{address} means any free port: give the gateway's address with --address");
    }
    if address.ip().is_unspecified() {
        let loopback = if address.is_ipv4() {
            IpAddr::from(Ipv4Addr::LOCALHOST)
        } else {
            Ipv6Addr::LOCALHOST.into()
        };
        address.set_ip(loopback);
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::from((from, 0)).into())?;
    }
    let connected = socket.connect_timeout(&address.into(), TIMEOUT);
    connected.with_context(|| format!("nothing answers at {address}; is the gateway running?"))?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// The lines about the searched files.
struct Report {
    searcher: Searcher,
    lines: String,
    found: bool,
}

impl Report {
    fn line(&mut self, text: &str) {
        self.lines.push_str(text);
        self.lines.push('\n');
    }

    /// Searches a file. A missing file passes.
    fn file(&mut self, what: &str, path: &Path) -> Result<()> {
        match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.line(&format!("{what}: not there ({})", path.display()));
                Ok(())
            }
            Err(error) => Err(error).with_context(|| path.display().to_string()),
            Ok(file) => {
                let bytes = file.metadata().map_or(0, |metadata| metadata.len());
                let what = format!("{what}, {bytes} bytes ({})", path.display());
                self.stream(&what, BufReader::new(file))
            }
        }
    }

    /// Searches every entry in the form of an export, including entries that are not signed yet.
    fn export(&mut self, ledger: &Path) -> Result<()> {
        let reader = Reader::open(ledger)?;
        let writer = LineWriter::new(reader.texts(), &random_bytes()?);
        let (mut line, mut bytes, mut found) = (Vec::new(), 0, None);
        reader.entries(1, u64::MAX, |seq, entry| {
            line.clear();
            writer.write(seq, &entry, &mut line);
            bytes += line.len();
            found = found.or(self.searcher.find(&line).map(|hit| (seq, hit)));
            Ok::<_, ReadError>(())
        })?;
        let what = format!("an export, {bytes} bytes");
        match found {
            None => self.line(&format!("{what}: nothing found")),
            Some((seq, hit)) => {
                self.found = true;
                let (place, form) = (hit.place, hit.form);
                self.line(&format!("{what}: FOUND {place}, {form}, in entry {seq}"));
            }
        }
        Ok(())
    }

    fn stream(&mut self, what: &str, stream: impl Read) -> Result<()> {
        match self.searcher.search(stream)? {
            None => self.line(&format!("{what}: nothing found")),
            Some(hit) => {
                self.found = true;
                let (place, form, offset) = (hit.place, hit.form, hit.offset);
                self.line(&format!("{what}: FOUND {place}, {form}, at byte {offset}"));
            }
        }
        Ok(())
    }
}

/// The name of the tenant that serves a host (T1).
fn tenant_of(config: &Config, host: &str) -> Option<Arc<Tenant>> {
    let tenants = config.tenants.iter().cloned();
    let table = TenantTable::new(tenants, config.default_tenant.clone());
    table.find(host)
}

/// The tenant's counts in the ledger of each name in [`MUST_BE_KEPT`]. A gateway that has just started may not have
/// created the ledger yet.
fn kept(ledger: &Path, tenant: &str) -> Result<[u64; MUST_BE_KEPT.len()]> {
    let mut kept = [0; MUST_BE_KEPT.len()];
    let reader = match Reader::open(ledger) {
        Err(ReadError::Absent { .. }) => return Ok(kept),
        opened => opened?,
    };
    let texts = reader.texts();
    reader.entries(1, u64::MAX, |_, entry| {
        if let Entry::Verdicts(verdicts) = entry
            && verdicts.direction == Direction::Request
            && texts.get(verdicts.tenant) == tenant
            && texts.get(verdicts.route) == "/{id}/{id}"
        {
            let name = verdicts.name.map(|name| texts.get(name)).unwrap_or_default();
            for (count, _) in kept.iter_mut().zip(MUST_BE_KEPT).filter(|(_, must)| *must == name) {
                *count = verdicts.count.saturating_add(*count);
            }
        }
        Ok::<_, ReadError>(())
    })?;
    Ok(kept)
}

/// The templates of the sent names, which the ledger must contain.
const MUST_BE_KEPT: [&str; 4] = ["", "_ga", "flexopus_session", "selftest_{id}"];

/// Waits until the ledger has counted every sent cookie, so that the search covers their entries.
fn wait_until_kept(ledger: &Path, tenant: &str, before: [u64; MUST_BE_KEPT.len()]) -> Result<()> {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let now = kept(ledger, tenant)?;
        if now.iter().zip(before).all(|(now, before)| *now >= before.saturating_add(EXCHANGES)) {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!(
                "{}: the gateway that answered has not recorded the requests in this ledger; is this its configuration?",
                ledger.display()
            );
        }
        thread::sleep(Duration::from_millis(100));
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// 32 random hexadecimal digits, like an identifier.
fn random() -> Result<String> {
    Ok(hex(&random_bytes::<16>()?))
}

fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| anyhow!("the machine has no random bits"))?;
    Ok(bytes)
}

const TIMEOUT: Duration = Duration::from_secs(10);
