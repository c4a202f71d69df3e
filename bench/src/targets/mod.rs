//! The targets of the measurements: the gateway and its peers, with the configuration of each.
//!
//! A target is started before an application ([`Place`]) and then is a process with an address. The configuration
//! of the peers is in `bench/peers`, as their own files.

mod crumbgate;
mod haproxy;
mod nginx;

use std::{
    fmt, fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

pub use self::crumbgate::{Setup, Switch};
use crate::{
    certificate::Certificate, clients::Endpoint, process::Process, traffic::HOST, upstream::Place,
};

/// A target.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Target {
    /// The gateway, with everything on, or with one thing switched.
    Crumbgate(Switch),
    /// HAProxy, which leaves cookies alone.
    HaproxyPlain,
    /// HAProxy, doing the policy with its own rules.
    HaproxyPolicy,
    /// nginx, doing the policy with its Lua module.
    NginxLua,
    /// nginx, doing the policy with its JavaScript module.
    NginxNjs,
    /// nginx, which leaves cookies alone.
    NginxPlain,
}

impl Target {
    /// The gateway and every peer.
    pub const ALL: [Self; 6] = [
        Self::Crumbgate(Switch::None),
        Self::HaproxyPlain,
        Self::NginxPlain,
        Self::HaproxyPolicy,
        Self::NginxLua,
        Self::NginxNjs,
    ];

    /// True where it applies the policy.
    pub fn does_policy(self) -> bool {
        match self {
            Self::Crumbgate(_) | Self::HaproxyPolicy | Self::NginxLua | Self::NginxNjs => true,
            Self::HaproxyPlain | Self::NginxPlain => false,
        }
    }

    /// True for the gateway, with any switches.
    pub fn is_ours(self) -> bool {
        matches!(self, Self::Crumbgate(_))
    }

    /// The target of this name.
    pub fn named(name: &str) -> Option<Self> {
        let switched = Switch::ALL.into_iter().map(Self::Crumbgate);
        Self::ALL.into_iter().chain(switched).find(|target| target.to_string() == name)
    }

    /// Starts it with its files in a folder of its own, and waits until it listens.
    pub fn start(self, run: &Ground, application: &Place) -> Result<Running> {
        let mut running = self.launch(run, application)?;
        running.wait().with_context(|| format!("{self} does not start"))?;
        Ok(running)
    }

    /// Starts it with its files in a folder of its own. It may not listen yet.
    pub fn launch(self, run: &Ground, application: &Place) -> Result<Running> {
        let folder = run.new_folder(&self.to_string())?;
        match self {
            Self::Crumbgate(switch) => {
                Setup { switch, ..Setup::default() }.launch(run, &folder, application)
            }
            Self::HaproxyPlain => haproxy::launch(haproxy::PLAIN, run, &folder, application),
            Self::HaproxyPolicy => haproxy::launch(haproxy::POLICY, run, &folder, application),
            Self::NginxLua => nginx::launch(nginx::LUA, run, &folder, application),
            Self::NginxNjs => nginx::launch(nginx::NJS, run, &folder, application),
            Self::NginxPlain => nginx::launch(nginx::PLAIN, run, &folder, application),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crumbgate(Switch::None) => f.write_str("crumbgate"),
            Self::Crumbgate(switch) => write!(f, "crumbgate-{}", switch.name()),
            Self::HaproxyPlain => f.write_str("haproxy-plain"),
            Self::HaproxyPolicy => f.write_str("haproxy-policy"),
            Self::NginxLua => f.write_str("nginx-lua"),
            Self::NginxNjs => f.write_str("nginx-njs"),
            Self::NginxPlain => f.write_str("nginx-plain"),
        }
    }
}

/// The state that all targets of a run share.
#[derive(Debug)]
pub struct Ground {
    /// The folder of their files.
    pub folder: PathBuf,
    /// The gateway's program.
    pub crumbgate: PathBuf,
    /// The certificate that they present.
    pub certificate: Certificate,
    numbers: std::cell::Cell<u32>,
}

impl Ground {
    /// Files go below `folder`, which is there.
    pub fn new(folder: PathBuf, crumbgate: PathBuf, certificate: Certificate) -> Self {
        Self { folder, crumbgate, certificate, numbers: std::cell::Cell::new(0) }
    }

    /// Makes a folder that nobody has yet.
    pub fn new_folder(&self, name: &str) -> Result<PathBuf> {
        let number = self.numbers.replace(self.numbers.get() + 1);
        let folder = self.folder.join(format!("{name}-{number}"));
        fs::create_dir(&folder).with_context(|| format!("can't make {}", folder.display()))?;
        Ok(folder)
    }
}

/// A target that serves.
#[derive(Debug)]
pub struct Running {
    /// The address at which it listens, with TLS.
    pub address: SocketAddr,
    /// Its processes.
    pub process: Process,
}

impl Running {
    fn launch(command: &mut Command, folder: &Path, address: SocketAddr) -> Result<Self> {
        Ok(Self { address, process: Process::start(command, &folder.join("log"))? })
    }

    /// Waits until it listens.
    pub fn wait(&mut self) -> Result<()> {
        let address = self.address;
        self.process.wait_for("its listener", |_| TcpStream::connect(address).ok())?;
        Ok(())
    }

    /// The address and the certificate for clients.
    pub fn endpoint(&self, run: &Ground) -> Endpoint {
        let roots = vec![run.certificate.root.clone()];
        Endpoint { address: self.address, server_name: HOST.into(), roots }
    }
}

/// The number of connections that a target may have from outside. Few systems allow more than 20,000 open files by
/// default.
pub const CONNECTIONS: u32 = 19_000;

/// Replaces each `@NAME@` of a template.
pub(crate) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// An address of which nobody listens at this moment, for programs that can't report the one that the kernel gave them.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
