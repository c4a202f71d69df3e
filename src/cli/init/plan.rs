//! The content of a new configuration, decided from the arguments, and the files that are written.

use std::{
    fs::{self, Permissions},
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{self, Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::ArgGroup;
use tempfile::NamedTempFile;

use super::address::{self, Application, Host};
use crate::{
    certificate,
    cli::{configuration::ConfigFile, shell::shell_word},
};
use crumbgate_base::clock::Clock;
use crumbgate_config::{CertificateFiles, ServerAddress, Tls, TlsVersion};
use crumbgate_gateway::proxy::tls::Certificates;

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("application").required(true).args(["application_address", "upstream"]))]
pub(in crate::cli) struct Arguments {
    /// The application's address: http://127.0.0.1:8000 (or https), unix:/run/app.sock, a host and a port, or a port of
    /// this machine
    #[arg(value_name = "UPSTREAM")]
    application_address: Option<Application>,
    /// The same, as an option
    #[arg(long, value_name = "UPSTREAM")]
    upstream: Option<Application>,
    /// A host to serve, or *. and a host; can be repeated [default: localhost and *.localhost]
    #[arg(long, value_name = "HOST")]
    host: Vec<Host>,
    /// The address for browsers [default: 127.0.0.1:8443; 0.0.0.0:8443 for hosts other than localhost]
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The certificate's chain, a PEM file, leaf first [default: a new development certificate]
    #[arg(long, value_name = "FILE", requires = "key")]
    certificate: Option<PathBuf>,
    /// The certificate's key, a PEM file
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Start in report mode: verdicts are counted, and no cookie is changed
    #[arg(long)]
    report: bool,
    /// Replace an existing configuration and development certificate
    #[arg(long, visible_alias = "force")]
    overwrite: bool,
    #[command(flatten)]
    config: ConfigFile,
}

/// The content of the new configuration.
pub(super) struct Plan {
    /// The file to write.
    pub(super) file: PathBuf,
    pub(super) application: ServerAddress,
    pub(super) hosts: Vec<String>,
    pub(super) listen: SocketAddr,
    /// Paths relative to the configuration's folder.
    pub(super) certificate: CertificateFiles,
    /// True: the certificate is made by this command.
    pub(super) is_development: bool,
    pub(super) report: bool,
    pub(super) overwrite: bool,
}

impl Plan {
    /// Decides the content from the arguments. Fails if an existing file would be replaced. Writes nothing.
    pub(super) fn of(arguments: Arguments) -> Result<Self> {
        let Arguments { application_address, upstream, host, certificate, key, .. } = arguments;
        let application = application_address.or(upstream).context("UPSTREAM is missing")?;
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
                "{chain} or its key exists already; use --overwrite to replace both, or --certificate {chain} --key {key} \
                 to keep them",
                chain = shell_word(&made[0]),
                key = shell_word(&made[1])
            ),
        }
    }

    /// Checks that the given certificate can be used.
    pub(super) fn check_certificate(&self) -> Result<()> {
        let CertificateFiles { chain, key } = &self.certificate;
        let files = CertificateFiles { chain: self.found_at(chain), key: self.found_at(key) };
        let tls = Tls { certificates: vec![files], min_version: TlsVersion::V1_2, hsts: None };
        match Certificates::load(&tls, Clock::system().now()) {
            Ok(_) => Ok(()),
            Err(mut errors) => {
                // A failed load returns at least one error.
                Err(errors.swap_remove(0)).context("--certificate and --key can't be used")
            }
        }
    }

    /// Resolves a path of the configuration from the current folder.
    pub(super) fn found_at(&self, path: &Path) -> PathBuf {
        match folder_of(&self.file) {
            here if here == Path::new(".") => path.to_owned(),
            folder => folder.join(path),
        }
    }

    /// Writes the certificate and then, in one step, the whole configuration.
    pub(super) fn write(&self) -> Result<()> {
        let folder = folder_of(&self.file);
        let message = |path: &Path| {
            format!("{} can't be written; check the permissions of its folder", path.display())
        };
        fs::create_dir_all(folder).with_context(|| message(&self.file))?;
        let aside = write_aside(folder, &self.text()).with_context(|| message(&self.file))?;
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
            Err(failed) => Err(failed.error).with_context(|| message(&self.file)),
        }
    }

    /// Makes a certificate for every host, for the host of the example, and for this machine.
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
        "{} exists already; use --overwrite to replace it, or name another file with --config",
        file.display()
    )
}

/// Writes a temporary file with the usual permissions, and waits until it is on the disk.
fn write_aside(folder: &Path, text: &str) -> io::Result<NamedTempFile> {
    let mut aside = tempfile::Builder::new()
        .prefix(".crumbgate-")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)?;
    aside.write_all(text.as_bytes())?;
    aside.as_file().sync_all()?;
    Ok(aside)
}

/// The given hosts without repetitions, or the local hosts.
fn hosts(named: Vec<Host>) -> Vec<String> {
    let mut hosts: Vec<String> = Vec::new();
    for Host(host) in named {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    if hosts.is_empty() { address::LOCAL_HOSTS.map(str::to_owned).into() } else { hosts }
}

/// Loopback for local hosts, and every address otherwise.
fn usual_listener(hosts: &[String]) -> SocketAddr {
    let is_local = hosts.iter().all(|host| address::is_local(host));
    let ip = if is_local { Ipv4Addr::LOCALHOST } else { Ipv4Addr::UNSPECIFIED };
    SocketAddr::from((ip, HTTPS_PORT))
}

const HTTPS_PORT: u16 = 8443;

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Converts a path relative to the current folder for a configuration in `folder`.
fn seen_from(folder: &Path, path: PathBuf) -> Result<PathBuf> {
    let path = if folder == Path::new(".") {
        path
    } else {
        path::absolute(&path)
            .with_context(|| format!("{}: the current folder can't be found", path.display()))?
    };
    if path.to_str().is_none() {
        bail!("{}: a configuration can only name paths in UTF-8", path.display());
    }
    Ok(path)
}
