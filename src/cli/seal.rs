//! `crumbgate seal`: lists and changes the keys that seal session cookies.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::{
    configuration::{self, ConfigFile},
    output::{confirm, print},
    shell::shell_word,
};
use crumbgate_base::{
    clock::{Clock, Now},
    text::printable,
};
use crumbgate_config::{Config, format_duration};
use crumbgate_gateway::seal_keys::{self, KeyEntry, KeyFile, KeyFileError, KeyRefusal, moment};
use crumbgate_policy::seal::KeyId;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a key at the end, which only opens
    ///
    /// For several gateways: all of them must be able to open with a key before one of them seals with it. Copy the file
    /// to each gateway and reload each; then let the key seal (`use`), copy and reload again. If there is no file yet, it
    /// is created, and its first key seals.
    Add {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the ids of the keys, the key that seals, and the time until which the others are needed
    ///
    /// The keys themselves are not shown. A key is needed for the longest session of the configuration after it last
    /// sealed.
    List {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Remove a key that no longer seals; cookies that it sealed can no longer be opened
    ///
    /// The key that seals can't be removed, nor a key whose sessions may still be in use.
    Remove {
        /// The id, as `list` shows it
        id: KeyId,
        /// Remove it even if its sessions may be in use; their users are logged out
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Add a key at the top, which seals; the other keys still open
    ///
    /// For a single gateway. For several, see `add`. If there is no file yet, it is created.
    Rotate {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Let an existing key seal: it moves to the top
    Use {
        /// The id, as `list` shows it
        id: KeyId,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Runs the command.
pub(super) fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Add { config } => Keys::of(config)?.add()?,
        Command::List { config } => Keys::of(config)?.list()?,
        Command::Remove { id, force, config } => Keys::of(config)?.remove(id, force)?,
        Command::Rotate { config } => Keys::of(config)?.rotate()?,
        Command::Use { id, config } => Keys::of(config)?.promote(id)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The keys of a configuration.
struct Keys {
    config_file: PathBuf,
    config: Config,
    now: Now,
}

impl Keys {
    fn of(ConfigFile { config: config_file }: ConfigFile) -> Result<Self> {
        let loaded = configuration::read(&config_file).map_err(|problems| anyhow!("{problems}"))?;
        Ok(Self { config_file, config: loaded.config, now: Clock::system().now() })
    }

    fn add(&self) -> Result<()> {
        let (id, added) = self.make(KeyFile::add)?;
        if added.is_none() {
            return self.confirm_new_file(id);
        }
        confirm(format!(
            "{id} opens {}\nOnce every gateway opens with it, let it seal: {}\n",
            self.when(),
            self.command(&format!("seal use {id}"))
        ))
    }

    fn rotate(&self) -> Result<()> {
        let (id, rotated) = self.make(|file, entry| file.rotate(entry, self.now))?;
        match rotated {
            Some(before) => self.confirm_sealing(id, before),
            None => self.confirm_new_file(id),
        }
    }

    /// Makes a key and adds it by `put`, or writes a new file with it if there is none.
    fn make<T>(&self, put: impl FnOnce(&mut KeyFile, KeyEntry) -> T) -> Result<(KeyId, Option<T>)> {
        let entry = KeyEntry::generate(self.now)?;
        let id = entry.id();
        let put = |found| match found {
            Some(mut file) => {
                let put = put(&mut file, entry);
                (file, Some(put))
            }
            None => (KeyFile::with(entry), None),
        };
        let done = seal_keys::change(self.path(), |found| Ok::<_, KeyFileError>(put(found)))?;
        Ok((id, done))
    }

    fn promote(&self, id: KeyId) -> Result<()> {
        match self.change(|file| file.promote(id, self.now))? {
            Some(before) => self.confirm_sealing(id, before),
            None => confirm(format!("{id} seals already\n")),
        }
    }

    fn remove(&self, id: KeyId, force: bool) -> Result<()> {
        let longest_s = (!force).then(|| self.longest_session_s());
        self.change(|file| file.remove(id, longest_s, self.now))?;
        let reload = self.command("reload");
        confirm(format!("{id} is removed; from the next reload on it no longer opens: {reload}\n"))
    }

    /// Changes the file, which must exist.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut KeyFile) -> std::result::Result<T, KeyRefusal>,
    ) -> Result<T> {
        // `seal_keys::change` would create the folder of a missing file.
        KeyFile::read(self.path())?;
        seal_keys::change(self.path(), |found| {
            let absent = || KeyFileError::Absent { path: self.path().to_owned() };
            let mut file = found.ok_or_else(absent)?;
            let done = change(&mut file)?;
            Ok((file, done))
        })
    }

    fn list(&self) -> Result<()> {
        let file = KeyFile::read(self.path())?;
        let rows = file.entries().enumerate().map(|(index, entry)| self.row(index == 0, entry));
        print(HEAD.to_owned() + &rows.collect::<String>())
    }

    fn row(&self, seals: bool, entry: &KeyEntry) -> String {
        let time = |unix_s: Option<u64>| unix_s.map_or_else(|| "-".to_owned(), moment);
        let sealed_until = entry.until_unix_s;
        let needed_until =
            sealed_until.map(|unix_s| unix_s.saturating_add(self.longest_session_s()));
        let row = format!(
            "{}  {:<6} {:<21} {:<21} {:<21} {}",
            entry.id(),
            if seals { "seals" } else { "opens" },
            time(entry.made_unix_s),
            time(sealed_until),
            time(needed_until),
            printable(entry.comment().unwrap_or_default())
        );
        format!("{}\n", row.trim_end())
    }

    fn confirm_new_file(&self, id: KeyId) -> Result<()> {
        confirm(format!("created {}: {id} seals {}\n", self.path().display(), self.when()))
    }

    fn confirm_sealing(&self, id: KeyId, before: KeyId) -> Result<()> {
        let longest = Duration::from_secs(self.longest_session_s());
        confirm(format!(
            "{id} seals {}\n{before} still opens the cookies that it sealed. After {}, the longest session of {}: {}\n",
            self.when(),
            format_duration(longest),
            self.config_file.display(),
            self.command(&format!("seal remove {before}"))
        ))
    }

    /// The time from which a change applies, and the command for it.
    fn when(&self) -> String {
        let reload = self.command("reload");
        if self.config.seal.is_used {
            return format!("from the next reload on: {reload}");
        }
        let file = self.config_file.display();
        format!("once {file} has a sealed tenant: write seal = true into a tenant, then: {reload}")
    }

    /// A command to copy.
    fn command(&self, command: &str) -> String {
        match self.config_file.to_str() {
            Some("config.toml") => format!("crumbgate {command}"),
            _ => format!("crumbgate {command} --config {}", shell_word(&self.config_file)),
        }
    }

    fn path(&self) -> &Path {
        &self.config.seal.keys
    }

    /// The longest lifetime of an unused session in the configuration.
    fn longest_session_s(&self) -> u64 {
        let tenants = self.config.tenants.iter().chain(&self.config.default_tenant);
        let sessions = tenants.map(|tenant| tenant.policy.session);
        let longest = sessions.chain([self.config.defaults.session]).max();
        longest.map_or(0, |session| session.seconds().into())
    }
}

const HEAD: &str = "\
KEY       DOES   MADE                  SEALED UNTIL          NEEDED UNTIL          COMMENT
";
