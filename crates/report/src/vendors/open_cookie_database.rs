//! Reads the CSV file of the [Open Cookie Database](https://github.com/jkwakman/Open-Cookie-Database). The columns are found
//! by the header, in any order and case; other columns are ignored.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use csv::ByteRecord;

use super::names::{Category, Entry, Names};
use crumbgate_audit::{NameBuffer, name_template};

/// A reason why a file can't be used as a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A column is missing.
    #[error(
        "{}:1: there is no column \"{column}\": name the unchanged open-cookie-database.csv of the Open Cookie Database",
        .file.display()
    )]
    Column { file: PathBuf, column: &'static str },
    /// The file can't be read.
    #[error("{} can't be read: check that it exists and its permissions", .file.display())]
    Read {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A row has another number of fields than the header.
    #[error("{}:{line}: has {got} fields, expected {expected}: fix the quotes and commas there", .file.display())]
    Row {
        file: PathBuf,
        /// Line number, from 1.
        line: u64,
        got: u64,
        expected: u64,
    },
    /// The file has too many rows.
    #[error("{}:{line}: there are more than {MAX_ROWS} rows: remove unnecessary ones", .file.display())]
    Rows {
        file: PathBuf,
        /// Line number of the first excess row, from 1.
        line: u64,
    },
    /// The file is too large.
    #[error("{} has more than {} MiB: remove unnecessary rows", .file.display(), MAX_BYTES >> 20)]
    Size { file: PathBuf },
    /// The column that marks prefixes has an invalid value.
    #[error("{}:{line}: \"{WILDCARD}\" is \"{found}\": write 1 for a prefix, or 0", .file.display())]
    Wildcard {
        file: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// The value, escaped.
        found: String,
    },
}

pub(super) fn read(path: &Path) -> Result<Names, CatalogueError> {
    let bytes = read_file(path)?;
    // The byte order mark that spreadsheets write.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    // The reader guarantees that all rows have as many fields as the header.
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.byte_headers().map_err(|error| wrong_row(path, &error))?;
    let columns = Columns::find(header, path)?;
    let mut names = Names::default();
    let mut row = ByteRecord::new();
    let mut rows = 0;
    while reader.read_byte_record(&mut row).map_err(|error| wrong_row(path, &error))? {
        let line = row.position().map_or(0, csv::Position::line);
        rows += 1;
        if rows > MAX_ROWS {
            return Err(CatalogueError::Rows { file: path.to_owned(), line });
        }
        let is_prefix = match row[columns.wildcard].trim_ascii() {
            b"0" | b"" => false,
            b"1" => true,
            other => {
                let found = other.iter().take(MAX_QUOTED).copied().collect::<Vec<_>>();
                let found = found.escape_ascii().to_string();
                return Err(CatalogueError::Wildcard { file: path.to_owned(), line, found });
            }
        };
        let entry = Entry {
            platform: text(&row[columns.platform]),
            category: Category::read(&text(&row[columns.category])),
            en: text(&row[columns.description]),
            de: None,
        };
        let name = row[columns.name].trim_ascii();
        if is_prefix {
            if let Some(prefix) = useful_prefix(name) {
                names.prefixes.entry(prefix).or_insert(entry);
            }
        } else if let Some(template) = useful_template(name) {
            names.exact.entry(template).or_insert(entry);
        }
    }
    Ok(names)
}

fn read_file(path: &Path) -> Result<Vec<u8>, CatalogueError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| CatalogueError::Read { file: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(CatalogueError::Size { file: path.to_owned() });
    }
    Ok(bytes)
}

fn wrong_row(path: &Path, error: &csv::Error) -> CatalogueError {
    let file = path.to_owned();
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => {
            let line = pos.as_ref().map_or(0, csv::Position::line);
            CatalogueError::Row { file, line, got: *len, expected: *expected_len }
        }
        // Not expected for bytes in memory.
        _ => CatalogueError::Read { file, source: io::Error::other(error.to_string()) },
    }
}

/// The indexes of the columns.
struct Columns {
    platform: usize,
    category: usize,
    name: usize,
    description: usize,
    wildcard: usize,
}

impl Columns {
    fn find(header: &ByteRecord, path: &Path) -> Result<Self, CatalogueError> {
        let find = |column: &'static str| {
            let is_it = |field: &[u8]| field.trim_ascii().eq_ignore_ascii_case(column.as_bytes());
            let place = header.iter().position(is_it);
            place.ok_or_else(|| CatalogueError::Column { file: path.to_owned(), column })
        };
        Ok(Self {
            platform: find("Platform")?,
            category: find("Category")?,
            name: find("Cookie / Data Key name")?,
            description: find("Description")?,
            wildcard: find(WILDCARD)?,
        })
    }
}

/// The template of a name. `None`: it is too general, such as `{id}`.
fn useful_template(name: &[u8]) -> Option<String> {
    let mut buffer = NameBuffer::default();
    let template = name_template(name, &mut buffer);
    let letters = template.replace("{id}", "").bytes().filter(u8::is_ascii_alphabetic).count();
    let is_useful = template.as_bytes() == name || letters >= MIN_LETTERS;
    (is_useful && !template.is_empty()).then(|| template.to_owned())
}

/// The prefix. `None`: it is too short, such as the file's `_s` and `tp`.
fn useful_prefix(prefix: &[u8]) -> Option<String> {
    let prefix = str::from_utf8(prefix).ok()?;
    (prefix.len() >= MIN_LETTERS).then(|| prefix.to_owned())
}

/// The field in one line, without control characters.
fn text(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const WILDCARD: &str = "Wildcard match";
const MAX_BYTES: u64 = 16 << 20;
const MAX_ROWS: usize = 100_000;
const MIN_LETTERS: usize = 3;

/// The number of bytes of a field that an error shows.
const MAX_QUOTED: usize = 40;
