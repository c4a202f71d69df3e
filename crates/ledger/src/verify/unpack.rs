//! Reads the members of a bundle. A bundle may come from anybody, so everything that is kept in
//! memory is bounded.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
};

use serde::de::DeserializeOwned;
use zip::{ZipArchive, read::ZipFile, result::ZipError};

use super::{
    super::{export::bundle::hash_of_member, parse::seq_of},
    finding::Finding,
};

/// An opened bundle.
pub(super) struct Bundle {
    path: PathBuf,
}

/// A reason why a file is not a bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file can't be read.
    #[error("{}: the file can't be read", .path.display())]
    Open {
        /// The path.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// It is another zip archive.
    #[error("{}: not a bundle that this version reads: {what}", .path.display())]
    Foreign {
        /// The path.
        path: PathBuf,
        /// The difference.
        what: String,
    },
}

/// The limit on members other than pages.
const MAX_MEMBERS: usize = 32;
/// The limit on pages. A tenant has some twelve for each declaration.
const MAX_PAGES: usize = 100_000;
/// The limit on a member that is read as a whole, in bytes. A checkpoint has 400 bytes, and ten
/// years have 87,600 of them.
const MAX_WHOLE_BYTES: u64 = 64 << 20;
/// The limit on a page, in bytes.
const MAX_PAGE_BYTES: u64 = 16 << 20;
/// The limit on a member that is read line by line, in bytes.
const MAX_STREAM_BYTES: u64 = 1 << 40;
/// The limit on a line, in bytes. The outline of a million entries has 11 MB.
const MAX_LINE_BYTES: u64 = 64 << 20;

impl Bundle {
    pub(super) fn open(path: &Path) -> Result<Self, BundleError> {
        let bundle = Self { path: path.to_owned() };
        let open = |source| BundleError::Open { path: path.to_owned(), source };
        let archive = ZipArchive::new(BufReader::new(File::open(path).map_err(open)?));
        let foreign = |what| BundleError::Foreign { path: path.to_owned(), what };
        let archive = archive.map_err(|error| foreign(error.to_string()))?;
        let names = archive.file_names().filter_map(Result::ok);
        let pages = names.filter(|name| hash_of_member(name).is_some()).count();
        if pages > MAX_PAGES || archive.len() - pages > MAX_MEMBERS {
            return Err(foreign(format!("it has {} members", archive.len())));
        }
        Ok(bundle)
    }

    /// Opens the file again, so that several members can be read side by side.
    pub(super) fn archive(&self) -> Result<Archive, Finding> {
        let file = File::open(&self.path).map_err(|error| damaged("", &error))?;
        ZipArchive::new(BufReader::new(file)).map_err(|error| damaged("", &error))
    }

    /// Reads a whole member.
    pub(super) fn text(&self, name: &'static str) -> Result<String, Finding> {
        let mut archive = self.archive()?;
        let mut text = String::new();
        let mut member = member(&mut archive, name)?.take(MAX_WHOLE_BYTES + 1);
        member.read_to_string(&mut text).map_err(|error| damaged(name, &error))?;
        if text.len() as u64 > MAX_WHOLE_BYTES {
            return Err(damaged(name, &format!("it has more than {MAX_WHOLE_BYTES} bytes")));
        }
        Ok(text)
    }

    /// Passes each page to `each`, with the hash in its name.
    pub(super) fn pages(
        &self,
        mut each: impl FnMut(&str, &[u8]) -> Result<(), Finding>,
    ) -> Result<(), Finding> {
        let mut archive = self.archive()?;
        let mut html = Vec::new();
        for index in 0..archive.len() {
            let member = archive.by_index(index).map_err(|error| damaged("", &error))?;
            let name = member.name().map_err(|error| damaged("", &error))?.into_owned();
            let Some(hash) = hash_of_member(&name) else { continue };
            html.clear();
            let read = member.take(MAX_PAGE_BYTES + 1).read_to_end(&mut html);
            read.map_err(|error| damaged(&name, &error))?;
            if html.len() as u64 > MAX_PAGE_BYTES {
                return Err(damaged(&name, &format!("it has more than {MAX_PAGE_BYTES} bytes")));
            }
            each(hash, &html)?;
        }
        Ok(())
    }

    /// Reads a whole member as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self, name: &'static str) -> Result<T, Finding> {
        serde_json::from_str(&self.text(name)?).map_err(|error| damaged(name, &error))
    }
}

pub(super) type Archive = ZipArchive<BufReader<File>>;

/// Opens a member of an archive.
pub(super) fn member<'a>(
    archive: &'a mut Archive,
    name: &'static str,
) -> Result<ZipFile<'a, BufReader<File>>, Finding> {
    archive.by_name(name).map_err(|error| match error {
        ZipError::FileNotFound => damaged(name, &"it is missing"),
        error => damaged(name, &error),
    })
}

/// The finding that a member can't be read.
pub(super) fn damaged(name: &str, problem: &dyn std::fmt::Display) -> Finding {
    let name = if name.is_empty() { "the bundle" } else { name };
    Finding::File { behind: 0, problem: format!("{name} is cut or damaged: {problem}") }
}

/// The lines of a member, one at a time.
pub(super) struct Lines<R> {
    name: &'static str,
    from: BufReader<io::Take<R>>,
    line: Vec<u8>,
    is_at_end: bool,
}

impl<R: Read> Lines<R> {
    /// Begins with the first line.
    pub(super) fn of(name: &'static str, member: R) -> Result<Self, Finding> {
        let from = BufReader::new(member.take(MAX_STREAM_BYTES));
        let mut lines = Self { name, from, line: Vec::new(), is_at_end: false };
        lines.advance()?;
        Ok(lines)
    }

    /// The line without its line feed; `None` after the last.
    pub(super) fn line(&self) -> Option<&[u8]> {
        (!self.is_at_end).then_some(&self.line)
    }

    /// Advances to the next line.
    pub(super) fn advance(&mut self) -> Result<(), Finding> {
        self.line.clear();
        let mut from = (&mut self.from).take(MAX_LINE_BYTES);
        from.read_until(b'\n', &mut self.line).map_err(|error| damaged(self.name, &error))?;
        self.is_at_end = self.line.is_empty();
        if !self.is_at_end && self.line.pop() != Some(b'\n') {
            return Err(damaged(self.name, &"its last line is incomplete, or a line is too long"));
        }
        Ok(())
    }

    /// The number of the line's entry; `None` after the last line.
    pub(super) fn seq(&self) -> Result<Option<u64>, Finding> {
        let Some(line) = self.line() else { return Ok(None) };
        let seq = seq_of(line);
        seq.map(Some).ok_or_else(|| damaged(self.name, &"a line has no entry number"))
    }

    /// The line as JSON.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<Option<T>, Finding> {
        let parsed = self.line().map(serde_json::from_slice).transpose();
        parsed.map_err(|error| damaged(self.name, &error))
    }
}

/// A writer that compares the expected content of a member with its actual content.
pub(super) struct Compared<R> {
    member: BufReader<R>,
    line: u64,
    differs_in: Option<u64>,
}

impl<R: Read> Compared<R> {
    pub(super) fn with(member: R) -> Self {
        Self { member: BufReader::new(member), line: 1, differs_in: None }
    }

    /// Returns the first line that differs, after all of the expected content was written.
    pub(super) fn end(mut self) -> Option<u64> {
        let is_more = self.member.fill_buf().map_or(true, |rest| !rest.is_empty());
        self.differs_in.or(is_more.then_some(self.line))
    }
}

impl<R: Read> Write for Compared<R> {
    fn write(&mut self, expected: &[u8]) -> io::Result<usize> {
        if self.differs_in.is_some() {
            return Ok(expected.len());
        }
        let mut found = vec![0; expected.len()];
        let is_there = self.member.read_exact(&mut found).is_ok();
        let same = found.iter().zip(expected).take_while(|(found, expected)| found == expected);
        let same = if is_there { same.count() } else { 0 };
        let lines = expected[..same].iter().filter(|byte| **byte == b'\n').count();
        self.line += lines as u64;
        if same < expected.len() {
            self.differs_in = Some(self.line);
        }
        Ok(expected.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
