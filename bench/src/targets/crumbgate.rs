//! The gateway, with everything on that a user would have on; and how one thing at a time is switched.

use std::{env, fmt::Write as _, fs, net::SocketAddr, path::Path};

use anyhow::Result;

use super::{CONNECTIONS, Ground, Running, fill, free_address};
use crate::{
    process::{PROXY_CORE, pinned},
    traffic::DOMAIN,
    upstream::Place,
};

/// One thing that is not as usual.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Switch {
    /// Nothing: all is on.
    #[default]
    None,
    /// A line for each exchange.
    AccessLog,
    /// No administration, and so nobody who could ask for metrics.
    NoAdmin,
    /// Undeclared cookies are stripped, but not deleted in the browser.
    NoEviction,
    /// No evidence on the disk.
    NoLedger,
    /// No cookie is renewed or injected.
    NoRenewal,
    /// Every verdict is counted, and no cookie changed.
    Report,
}

impl Switch {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Report,
        Self::NoRenewal,
        Self::NoEviction,
        Self::NoLedger,
        Self::NoAdmin,
        Self::AccessLog,
    ];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "everything",
            Self::AccessLog => "access-log",
            Self::NoAdmin => "no-admin",
            Self::NoEviction => "no-eviction",
            Self::NoLedger => "no-ledger",
            Self::NoRenewal => "no-renewal",
            Self::Report => "report",
        }
    }

    /// The description.
    pub fn title(self) -> &'static str {
        match self {
            Self::None => "everything on",
            Self::AccessLog => "access log on (to a file)",
            Self::NoAdmin => "admin API and metrics off",
            Self::NoEviction => "eviction off",
            Self::NoLedger => "ledger off",
            Self::NoRenewal => "renewal off",
            Self::Report => "report mode: judged and counted, nothing changed",
        }
    }
}

/// A gateway that is to be measured.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The differences from the usual configuration.
    pub switch: Switch,
    /// The number of tenants: `t0.bench.example` and so on.
    pub tenants: u32,
    /// Its workers.
    pub workers: u32,
    /// The cores that it has, as `taskset` reads them.
    pub cores: String,
    /// More lines of `[limits]`.
    pub limits: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            switch: Switch::None,
            tenants: 100,
            workers: 1,
            cores: PROXY_CORE.to_string(),
            limits: String::new(),
        }
    }
}

impl Setup {
    /// Starts it with its files in this folder. It may not listen yet.
    pub fn launch(&self, run: &Ground, folder: &Path, application: &Place) -> Result<Running> {
        let address = free_address()?;
        let config = folder.join("config.toml");
        fs::write(&config, self.written(run, address, application))?;
        let mut command = pinned(&self.cores, &run.crumbgate);
        command.current_dir(folder).args(["run", "--config"]).arg(&config);
        command.env("NO_COLOR", "1").env_remove("RUST_LOG");
        // Variables would overrule the configuration.
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"CRUMBGATE_") {
                command.env_remove(name);
            }
        }
        Running::launch(&mut command, folder, address)
    }

    fn written(&self, run: &Ground, address: SocketAddr, application: &Place) -> String {
        let server = match application {
            Place::Tcp(address) => format!("http://{address}"),
            Place::Unix(path) => format!("unix:{}", path.display()),
        };
        let is = |switch| self.switch == switch;
        let admin = if is(Switch::NoAdmin) { "off" } else { "unix:admin.sock" };
        let cookies = if is(Switch::NoRenewal) { NEVER_RENEWED } else { "" };
        let mut text = fill(
            include_str!("../../peers/crumbgate.toml"),
            &[
                ("ADDRESS", &address.to_string()),
                ("WORKERS", &self.workers.to_string()),
                ("CHAIN", &run.certificate.chain.display().to_string()),
                ("KEY", &run.certificate.key.display().to_string()),
                ("SERVER", &server),
                ("MODE", if is(Switch::Report) { "report" } else { "enforce" }),
                ("EVICT", if is(Switch::NoEviction) { "off" } else { "host" }),
                ("CONNECTIONS", &CONNECTIONS.to_string()),
                ("LIMITS", &self.limits),
                ("ACCESS", &is(Switch::AccessLog).to_string()),
                ("LEDGER", &(!is(Switch::NoLedger)).to_string()),
                ("ADMIN", admin),
                ("COOKIES", cookies),
            ],
        );
        for number in 0..self.tenants {
            // Writing to a string can't fail.
            let _ = writeln!(text, "[tenants.\"t{number}.{DOMAIN}\"]");
        }
        text
    }
}

/// The declaration of Flexopus, but that nothing is renewed.
const NEVER_RENEWED: &str = "[[cookies]]
name = \"XSRF-TOKEN\"
http_only = false
[[cookies]]
name = \"flexopus_session\"
[[cookies]]
name = \"visitedMapBuilder\"
lifetime = \"3w\"
http_only = false
";
