//! `crumbgate seal`: the keys that seal session cookies, looked at and changed in their file.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Result, anyhow};
use clap::Subcommand;

use super::{ConfigFile, confirm, init::shell_word, say};
use crate::{
    clock::{Clock, Now},
    config::{Config, spoken},
    seal::KeyId,
    seal_keys::{self, Entry, KeyFile, KeyFileError, Refusal, moment},
};

/// What can be asked of the keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key that opens, at the end
    ///
    /// For several gateways: all of them must open a key before one seals with it. So copy the file to each, reload each,
    /// and only then let it seal (`use`), copy and reload again. Where there is no file yet, it is made, and its first key
    /// seals.
    Add {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the keys' ids, which one seals, and until when the others are needed
    ///
    /// Shows no key. A key is needed until the longest session of the configuration has passed since it sealed.
    List {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Remove a key that no longer seals: what it sealed is no longer opened
    ///
    /// Refused for the key that seals, and while sessions that the key sealed may be in use.
    Remove {
        /// Its id, as `list` shows it
        id: KeyId,
        /// Also while sessions that it sealed may be in use: those people are logged out
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Make a key that seals, at the top; the others still open
    ///
    /// For a gateway that stands alone. For several, see `add`. Where there is no file yet, it is made.
    Rotate {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Let a key seal that is there already: it moves to the top
    Use {
        /// Its id, as `list` shows it
        id: KeyId,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// Does what is asked.
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
        let loaded = super::read(&config_file).map_err(|problems| anyhow!("{problems}"))?;
        Ok(Self { config_file, config: loaded.config, now: Clock::system().now() })
    }

    fn add(&self) -> Result<()> {
        let (id, added) = self.make(KeyFile::add)?;
        if added.is_none() {
            return self.tell_made(id);
        }
        confirm(format!(
            "{id} opens {}\nOnce every gateway opens it, let it seal: {}\n",
            self.when(),
            self.command(&format!("seal use {id}"))
        ))
    }

    fn rotate(&self) -> Result<()> {
        let (id, rotated) = self.make(|file, entry| file.rotate(entry, self.now))?;
        match rotated {
            Some(before) => self.tell_sealing(id, before),
            None => self.tell_made(id),
        }
    }

    /// Makes a key, which goes where `put` puts it; where there is no file, into a new one, and `put` does nothing.
    fn make<T>(&self, put: impl FnOnce(&mut KeyFile, Entry) -> T) -> Result<(KeyId, Option<T>)> {
        let entry = Entry::generate(self.now)?;
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
            Some(before) => self.tell_sealing(id, before),
            None => confirm(format!("{id} seals already\n")),
        }
    }

    fn remove(&self, id: KeyId, force: bool) -> Result<()> {
        let longest_s = (!force).then(|| self.longest_session_s());
        self.change(|file| file.remove(id, longest_s, self.now))?;
        let reload = self.command("reload");
        confirm(format!("{id} is removed; from the next reload on it opens nothing: {reload}\n"))
    }

    /// Changes the file, which must be there.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut KeyFile) -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        // No folder is made for a file that is not there.
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
        say(HEAD.to_owned() + &rows.collect::<String>())
    }

    fn row(&self, seals: bool, entry: &Entry) -> String {
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

    fn tell_made(&self, id: KeyId) -> Result<()> {
        confirm(format!("{} is new: {id} seals {}\n", self.path().display(), self.when()))
    }

    fn tell_sealing(&self, id: KeyId, before: KeyId) -> Result<()> {
        let longest = Duration::from_secs(self.longest_session_s());
        confirm(format!(
            "{id} seals {}\n{before} still opens what it sealed. In {}, the longest session of {}: {}\n",
            self.when(),
            spoken(longest),
            self.config_file.display(),
            self.command(&format!("seal remove {before}"))
        ))
    }

    /// From when on a change counts, and what to do for it.
    fn when(&self) -> String {
        let reload = self.command("reload");
        if self.config.seal.is_used {
            return format!("from the next reload on: {reload}");
        }
        let file = self.config_file.display();
        format!("once {file} says what is sealed: write seal = true into a tenant, then: {reload}")
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

    /// How long a session of any tenant of the configuration lives without use.
    fn longest_session_s(&self) -> u64 {
        let tenants = self.config.tenants.iter().chain(&self.config.default_tenant);
        let sessions = tenants.map(|tenant| tenant.policy.session);
        let longest = sessions.chain([self.config.defaults.session]).max();
        longest.map_or(0, |session| session.seconds().into())
    }
}

/// Without what a terminal obeys.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

const HEAD: &str = "\
KEY       DOES   MADE                  SEALED UNTIL          NEEDED UNTIL          COMMENT
";
