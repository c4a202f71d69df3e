//! The way from a file and the `CRUMBGATE_…` variables to a checked [`Config`].

use std::{ffi::OsString, path::Path, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use crumbgate_base::text::hex;
use toml::de::DeTable;

use super::{
    effective::Effective,
    environment::Variables,
    keys::known_keys,
    parse::{parse, read_source},
    problem::{Problems, Source},
    reader::DocumentReader,
    sections,
    values::{Admin, Config},
};

/// A configuration that was read, with its warnings.
#[derive(Debug)]
pub struct Loaded {
    /// The checked values.
    pub config: Config,
    /// Values that are valid but probably a mistake.
    pub warnings: Problems,
    /// Every effective value with its origin. It keeps the text of the file, so drop it when it is no longer needed.
    pub effective: Effective,
    /// The identity of the configuration.
    pub hash: ConfigHash,
}

/// The identity of a configuration, byte for byte.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigHash {
    /// SHA-256 of the file, in hexadecimal digits, as `sha256sum` prints it.
    pub file: String,
    /// SHA-256 of the `CRUMBGATE_…` variables, each as `NAME=value` with a line feed, in the order of their names; `None`
    /// if no variable is set.
    pub variables: Option<String>,
}

impl Config {
    /// Reads a configuration file, and the variables among `environment` that override its scalars.
    ///
    /// # Errors
    ///
    /// All problems, including warnings, if at least one of them is an error.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, Problems> {
        Self::read(read_source(path)?, environment)
    }

    /// Reads a configuration from a text. Paths in it are relative to the folder of the source's path.
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
        let reader = DocumentReader::new(Arc::clone(&source), variables.clone(), known_keys);
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

/// Reads `[admin]` alone, so that a gateway can be reached although the rest of its configuration is wrong. Returns
/// `None` if the file cannot be read.
pub fn find_admin(
    path: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Option<Admin> {
    let source = Arc::new(read_source(path).ok()?);
    let (document, _) = DeTable::parse_recoverable(source.text());
    let reader = DocumentReader::new(Arc::clone(&source), Variables::of(environment), known_keys);
    Some(sections::read_admin(&reader, document.get_ref()))
}

impl Effective {
    /// Reads the file again, with the same variables.
    ///
    /// # Errors
    ///
    /// As [`Config::load`].
    pub fn read_again(&self) -> Result<Loaded, Problems> {
        Config::read_with(read_source(self.path())?, self.variables().clone())
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
