//! Reads the CSV file of the [Open Cookie Database](https://github.com/jkwakman/Open-Cookie-Database), recognised by
//! its header: columns in any order and case, others beside them.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use csv::ByteRecord;

use super::{Catalogue, Category, Entry};
use crumbgate_audit::{NameBuffer, name_template};

/// Why a file is no catalogue: what was found, where, and what would mend it.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A column is missing.
    #[error(
        "{}:1: there is no column \"{column}\": name the unchanged open-cookie-database.csv of the Open Cookie Database",
        .file.display()
    )]
    Column {
        /// The file.
        file: PathBuf,
        /// What the column is called.
        column: &'static str,
    },
    /// It can't be read.
    #[error("{} cannot be read: check that it is there and may be read", .file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// A line has another number of fields than the first.
    #[error("{}:{line}: has {got} fields, expected {expected}: mend the quotes and commas there", .file.display())]
    Row {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// How many fields it has.
        got: u64,
        /// How many fields the first line has.
        expected: u64,
    },
    /// It has too many rows.
    #[error("{}:{line}: there are more than {MAX_ROWS} rows: leave out those that are not needed", .file.display())]
    Rows {
        /// The file.
        file: PathBuf,
        /// The first line that is too much, from 1.
        line: u64,
    },
    /// It is too large.
    #[error("{} has more than {} MiB: leave out the rows that are not needed", .file.display(), MAX_BYTES >> 20)]
    Size {
        /// The file.
        file: PathBuf,
    },
    /// A row says neither that it is a prefix nor that it is none.
    #[error("{}:{line}: \"{WILDCARD}\" is \"{found}\": write 1 for a prefix, or 0", .file.display())]
    Wildcard {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What it says, escaped.
        found: String,
    },
}

pub(super) fn read(path: &Path) -> Result<Catalogue, CatalogueError> {
    let bytes = read_file(path)?;
    // What spreadsheets put before UTF-8.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    // Its rows all have as many fields as the header, so a column of the header is one of each row.
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.byte_headers().map_err(|error| wrong_row(path, &error))?;
    let columns = Columns::find(header, path)?;
    let mut catalogue = Catalogue::default();
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
                catalogue.prefixes.entry(prefix).or_insert(entry);
            }
        } else if let Some(template) = useful_template(name) {
            catalogue.exact.entry(template).or_insert(entry);
        }
    }
    Ok(catalogue)
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
        // Bytes in memory, taken as bytes: nothing else can go wrong.
        _ => CatalogueError::Read { file, source: io::Error::other(error.to_string()) },
    }
}

/// Where each column stands that is read.
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

/// What the name is looked up by; none where too little of it stays: `{id}` would stand for anybody's cookie.
fn useful_template(name: &[u8]) -> Option<String> {
    let mut buffer = NameBuffer::default();
    let template = name_template(name, &mut buffer);
    let letters = template.replace("{id}", "").bytes().filter(u8::is_ascii_alphabetic).count();
    let is_useful = template.as_bytes() == name || letters >= MIN_LETTERS;
    (is_useful && !template.is_empty()).then(|| template.to_owned())
}

/// None for a prefix that begins half the names there are (the file has `_s` and `tp`).
fn useful_prefix(prefix: &[u8]) -> Option<String> {
    let prefix = str::from_utf8(prefix).ok()?;
    (prefix.len() >= MIN_LETTERS).then(|| prefix.to_owned())
}

/// In one line, with nothing in it that a terminal obeys.
fn text(field: &[u8]) -> String {
    let text = String::from_utf8_lossy(field);
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const WILDCARD: &str = "Wildcard match";
const MAX_BYTES: u64 = 16 << 20;
const MAX_ROWS: usize = 100_000;
const MIN_LETTERS: usize = 3;

/// Bytes of a field that an error shows.
const MAX_QUOTED: usize = 40;
