//! `crumbgate init`: from an application's address to a configuration that serves it.

mod address;
mod file;
mod next;

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::ArgGroup;
use tempfile::NamedTempFile;

use self::address::{Application, Host};
pub(super) use self::next::shell_word;
use super::{ConfigFile, output};
use crate::{
    certificate,
    clock::Clock,
    config::{CertificateFiles, Config, Problems, ServerAddress, Source, Tls, TlsVersion},
    gateway::preflight,
    proxy::tls::Certificates,
};

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("application").required(true).args(["application_address", "upstream"]))]
pub(super) struct Arguments {
    /// Where the application runs: http://127.0.0.1:8000 (or https), unix:/run/app.sock, a host and a port, or a
    /// port of this machine
    #[arg(value_name = "UPSTREAM")]
    application_address: Option<Application>,
    /// The same, as an option
    #[arg(long, value_name = "UPSTREAM")]
    upstream: Option<Application>,
    /// A host that is served, or *. and a host; several are possible [default: localhost and *.localhost]
    #[arg(long, value_name = "HOST")]
    host: Vec<Host>,
    /// Where browsers connect [default: 127.0.0.1:8443; 0.0.0.0:8443 for hosts other than localhost]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Your certificate's chain, a PEM file, leaf first; without one, one for development is made
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// Its key, a PEM file
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Begin in report mode: every verdict is counted, and no cookie is changed
    #[arg(long)]
    report: bool,
    /// Replace a configuration and a development certificate that are there already
    #[arg(long, visible_alias = "force")]
    overwrite: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// What the new configuration says.
struct Plan {
    /// The file to write.
    file: PathBuf,
    application: ServerAddress,
    hosts: Vec<String>,
    listen: SocketAddr,
    /// As the file names it.
    certificate: CertificateFiles,
    /// Whether that is yet to be made.
    is_development: bool,
    report: bool,
    overwrite: bool,
}

/// Writes the file, and a certificate where none is named; tells what comes next.
pub(super) fn run(arguments: Arguments) -> Result<ExitCode> {
    let named = arguments.certificate.is_some();
    let plan = Plan::of(arguments)?;
    if named {
        plan.check_certificate()?;
    }
    // What was typed is sound now; should the file be none all the same, nobody gets it.
    let mut loaded = match Config::read(Source::new(&plan.file, plan.text()), []) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::tell(&problems);
            return Ok(ExitCode::FAILURE);
        }
    };
    plan.write()?;
    // That report mode changes nothing is what was asked for.
    loaded.warnings = Problems::default();
    let problems = preflight(&loaded, &Clock::system());
    if !problems.is_empty() {
        output::tell(&problems);
    }
    output::confirm(next::steps(&plan, &loaded.config))?;
    Ok(if problems.errors() == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Plan {
    /// Understands what was asked for. Nothing is written yet, and nothing will be where a file would be lost.
    fn of(arguments: Arguments) -> Result<Self> {
        let Arguments { application_address, upstream, host, certificate, key, .. } = arguments;
        let application = application_address.or(upstream).context("no UPSTREAM was named")?;
        let file = arguments.config.config;
        let hosts = hosts(host);
        let listen = arguments.listen.unwrap_or_else(|| usual_listener(&hosts));
        let folder = folder_of(&file);
        let own = certificate.zip(key);
        let is_development = own.is_none();
        let certificate = match own {
            Some((chain, key)) => {
                CertificateFiles { chain: seen_from(folder, chain)?, key: seen_from(folder, key)? }
            }
            None => CertificateFiles { chain: "certs/dev.crt".into(), key: "certs/dev.key".into() },
        };
        let application = match application.0 {
            ServerAddress::Unix(path) => ServerAddress::Unix(seen_from(folder, path)?),
            server @ (ServerAddress::Plain { .. } | ServerAddress::Tls { .. }) => server,
        };
        let (report, overwrite) = (arguments.report, arguments.overwrite);
        let plan = Self {
            file,
            application,
            hosts,
            listen,
            certificate,
            is_development,
            report,
            overwrite,
        };
        plan.refuse_itself()?;
        plan.refuse_loss()?;
        Ok(plan)
    }

    /// A gateway that stands before itself would ask itself for ever.
    fn refuse_itself(&self) -> Result<()> {
        let (ServerAddress::Plain { host, port } | ServerAddress::Tls { host, port }) =
            &self.application
        else {
            return Ok(());
        };
        let ip = host.parse::<IpAddr>().ok();
        let is_here = host == "localhost"
            || ip.is_some_and(|ip| {
                ip.is_loopback() || ip.is_unspecified() || ip == self.listen.ip()
            });
        if is_here && *port == self.listen.port() {
            let other = SocketAddr::new(self.listen.ip(), port.checked_add(1).unwrap_or(8443));
            bail!(
                "the gateway would listen where the application does, at {}: choose another place with --listen, \
                 such as --listen {other}",
                self.listen
            );
        }
        Ok(())
    }

    fn refuse_loss(&self) -> Result<()> {
        if self.overwrite {
            return Ok(());
        }
        if self.file.exists() {
            return Err(exists(&self.file));
        }
        let made = [&self.certificate.chain, &self.certificate.key].map(|path| self.found_at(path));
        match made.iter().find(|path| self.is_development && path.exists()) {
            None => Ok(()),
            Some(_) => bail!(
                "{chain} or its key is there already and stays as it is; to replace both, say --overwrite; to use them, \
                 say --certificate {chain} --key {key}",
                chain = shell_word(&made[0]),
                key = shell_word(&made[1])
            ),
        }
    }

    /// Whether the certificate that was named can be served with.
    fn check_certificate(&self) -> Result<()> {
        let CertificateFiles { chain, key } = &self.certificate;
        let files = CertificateFiles { chain: self.found_at(chain), key: self.found_at(key) };
        let tls = Tls { certificates: vec![files], min_version: TlsVersion::V1_2 };
        match Certificates::load(&tls, Clock::system().now()) {
            Ok(_) => Ok(()),
            Err(mut errors) => {
                // There is one error at least.
                Err(errors.swap_remove(0)).context("--certificate and --key can't be served with")
            }
        }
    }

    /// A path that the file names, as this process finds it.
    fn found_at(&self, path: &Path) -> PathBuf {
        match folder_of(&self.file) {
            here if here == Path::new(".") => path.to_owned(),
            folder => folder.join(path),
        }
    }

    /// All of it, or nothing: the file appears when it is whole, and after the certificate that it names.
    fn write(&self) -> Result<()> {
        let folder = folder_of(&self.file);
        let told = |path: &Path| {
            format!("{}: it can't be written; check that its folder may be", path.display())
        };
        fs::create_dir_all(folder).with_context(|| told(&self.file))?;
        let aside = write_aside(folder, &self.text()).with_context(|| told(&self.file))?;
        if self.is_development {
            self.make_certificate()?;
        }
        let put = if self.overwrite {
            aside.persist(&self.file)
        } else {
            aside.persist_noclobber(&self.file)
        };
        match put {
            Ok(_) => Ok(()),
            Err(failed) if failed.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(exists(&self.file))
            }
            Err(failed) => Err(failed.error).with_context(|| told(&self.file)),
        }
    }

    /// For every host, for the one that curl is shown with, and for this machine.
    fn make_certificate(&self) -> Result<()> {
        let mut names: Vec<String> =
            self.hosts.iter().map(|host| host.trim_matches(['[', ']']).to_owned()).collect();
        names.push(address::shown_host(&self.hosts));
        names.extend(certificate::LOCAL_NAMES.map(str::to_owned));
        names.sort();
        names.dedup();
        let made = certificate::make(&names, Clock::system().now())?;
        made.write(&self.found_at(Path::new("certs")), self.overwrite)?;
        Ok(())
    }
}

fn exists(file: &Path) -> anyhow::Error {
    anyhow::anyhow!(
        "{} is there already and stays as it is; to replace it, say --overwrite, or name another file with --config",
        file.display()
    )
}

/// A file that is whole, on the disk, and nowhere to be found; with the permissions of any other.
fn write_aside(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut aside = tempfile::Builder::new()
        .prefix(".crumbgate-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    Ok(aside)
}

/// Each once, in the order in which they were named.
fn hosts(named: Vec<Host>) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for Host(host) in named {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() { address::LOCAL_HOSTS.map(str::to_owned).into() } else { hosts }
}

/// Hosts of this machine are nobody else's business.
fn usual_listener(hosts: &[String]) -> SocketAddr {
    let is_local = hosts.iter().all(|host| address::is_local(host));
    let ip = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    SocketAddr::from((ip, HTTPS_PORT))
}

const HTTPS_PORT: u16 = 8443;

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A path that was typed here, as a file in `folder` has to name it.
fn seen_from(folder: &Path, path: PathBuf) -> Result<PathBuf> {
    let path = if folder == Path::new(".") {
        path
    } else {
        path::absolute(&path)
            .with_context(|| format!("{}: the present folder can't be found", path.display()))?
    };
    if path.to_str().is_none() {
        bail!("{}: a configuration can only name paths in UTF-8", path.display());
    }
    Ok(path)
}
