//! The ledger that a command reads.

use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};

use crate::cli::configuration::{ConfigFile, read};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LedgerFile {
    /// The ledger [default: the configuration's]
    #[arg(value_name = "LEDGER")]
    ledger: Option<PathBuf>,
    #[command(flatten)]
    config: ConfigFile,
}

impl LedgerFile {
    /// The path of the ledger. Reads the configuration only if no ledger is named.
    pub(super) fn path(&self) -> Result<PathBuf> {
        match &self.ledger {
            Some(path) => Ok(path.clone()),
            None => configured(&self.config.config),
        }
    }
}

/// The path of the configuration's ledger.
pub(super) fn configured(config: &Path) -> Result<PathBuf> {
    let loaded = read(config).map_err(|problems| anyhow!("{problems}"))?;
    Ok(loaded.config.evidence.path)
}
