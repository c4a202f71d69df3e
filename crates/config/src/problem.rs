//! Problems of a configuration, shown like those of a compiler: place, line, caret, fix.

use std::{
    cmp::Ordering,
    fmt::{self, Display},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use crumbgate_base::text::printable;

/// An error or a warning, with its place and a suggested fix.
#[derive(Clone, Debug)]
pub struct Problem {
    /// An error rejects the configuration, a warning does not.
    pub severity: Severity,
    /// The place in the file, or the variable.
    pub place: Place,
    /// The dotted key, such as `tenants."acme.example".session`; empty if it is about no key.
    pub key: String,
    /// The value that was found and the one that was expected.
    pub message: String,
    /// The suggested fix.
    pub help: Option<String>,
}

/// The severity of a problem.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The configuration is rejected.
    Error,
    /// The value is valid but probably a mistake.
    Warning,
}

/// The place of a problem.
#[derive(Clone, Debug)]
pub enum Place {
    /// A whole file.
    File(PathBuf),
    /// A part of a file.
    Span {
        /// The file.
        source: Arc<Source>,
        /// A range of its text, in bytes.
        span: Range<usize>,
    },
    /// An environment variable.
    Variable {
        /// Its name.
        name: String,
        /// Its value; bytes that are not UTF-8 are replaced.
        value: String,
    },
}

/// The text of a file, with an index of its lines.
#[derive(Debug)]
pub struct Source {
    path: PathBuf,
    text: String,
    /// The offset of each line. It is computed on first use, because a file without problems does not need it.
    line_starts: OnceLock<Vec<usize>>,
}

/// The problems of one configuration.
///
/// At most [`Problems::LISTED`] of each severity are kept; further ones are only counted.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    listed: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

impl Problem {
    /// Makes an error. `key` is dotted; `message` states the value that was found and the one that was expected.
    pub fn error(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        let (key, message) = (key.into(), message.into());
        Self { severity: Severity::Error, place, key, message, help: None }
    }

    /// Makes a warning, as [`Problem::error`] makes an error.
    pub fn warning(place: Place, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(place, key, message) }
    }

    /// Adds a suggested fix.
    #[must_use]
    pub fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    /// Writes the problem as `place: error: key: message`, the line with a caret below it, and the suggested fix.
    pub fn render(&self, color: bool) -> String {
        let paint = Paint { color };
        let severity = match self.severity {
            Severity::Error => paint.apply(RED, "error"),
            Severity::Warning => paint.apply(YELLOW, "warning"),
        };
        let mut text = format!("{}: {severity}: ", paint.apply(BOLD, &self.place.to_string()));
        if !self.key.is_empty() {
            text.push_str(&format!("{}: ", printable(&self.key)));
        }
        text.push_str(&printable(&self.message));
        text.push('\n');
        let excerpt = self.place.excerpt();
        let gutter = excerpt.as_ref().map_or(1, |excerpt| excerpt.label.len());
        if let Some(excerpt) = excerpt {
            excerpt.write(&mut text, paint);
        }
        if let Some(help) = &self.help {
            let help = printable(help);
            text.push_str(&format!("{:gutter$} = {}: {help}\n", "", paint.apply(CYAN, "help")));
        }
        text
    }
}

impl Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(false))
    }
}

impl Place {
    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::File(_) => None,
            Self::Span { source, span } => {
                let (line, column) = source.position(span.start);
                let text = source.line(line);
                let width = source.text.get(span.clone()).map_or(0, |underlined| {
                    underlined.lines().next().unwrap_or_default().chars().count()
                });
                Some(Excerpt::new(line.to_string(), text, column, width))
            }
            Self::Variable { name, value } => {
                let column = name.chars().count().saturating_add(2);
                let text = format!("{name}={value}");
                Some(Excerpt::new(String::new(), &text, column, value.chars().count()))
            }
        }
    }

    /// Compares two places in the order in which problems are shown: files by position, then variables by name.
    fn order(&self, other: &Self) -> Ordering {
        let rank = |place: &Self| match place {
            Self::File(_) => (0, 0, String::new()),
            Self::Span { span, .. } => (1, span.start, String::new()),
            Self::Variable { name, .. } => (2, 0, name.clone()),
        };
        rank(self).cmp(&rank(other))
    }
}

impl Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => out.write_str(&printable(&path.to_string_lossy())),
            Self::Span { source, span } => {
                let (line, column) = source.position(span.start);
                write!(out, "{}:{line}:{column}", source.name())
            }
            Self::Variable { name, .. } => out.write_str(&printable(name)),
        }
    }
}

impl Source {
    /// Makes a source from the path that is shown and a text. A byte order mark is removed, since it would shift columns.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if text.starts_with('\u{feff}') {
            text.remove(0);
        }
        Self { path: path.into(), text, line_starts: OnceLock::new() }
    }

    /// Returns the path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the path without control characters, as it is shown.
    pub fn name(&self) -> String {
        printable(&self.path.to_string_lossy())
    }

    /// Returns the line and the column of a byte, both from 1. The column counts characters.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let starts = self.line_starts();
        let line = starts.partition_point(|start| *start <= at);
        let start = starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..at.min(self.text.len())).unwrap_or_default();
        (line, before.chars().count().saturating_add(1))
    }

    /// Returns the text of a line, counted from 1, without its line break.
    fn line(&self, line: usize) -> &str {
        let start = self.line_starts().get(line.saturating_sub(1)).copied().unwrap_or_default();
        self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default()
    }

    fn line_starts(&self) -> &[usize] {
        self.line_starts.get_or_init(|| {
            let ends = memchr::memchr_iter(b'\n', self.text.as_bytes());
            std::iter::once(0).chain(ends.map(|end| end.saturating_add(1))).collect()
        })
    }
}

impl Problems {
    /// Adds all problems of another list, including those that are only counted.
    pub fn absorb(&mut self, others: Self) {
        let (errors, warnings) = (others.errors, others.warnings);
        let before = (self.errors, self.warnings);
        others.listed.into_iter().for_each(|problem| self.push(problem));
        (self.errors, self.warnings) =
            (before.0.saturating_add(errors), before.1.saturating_add(warnings));
    }

    /// Returns the message of the first error, or an empty text if there is no error.
    pub fn first_message(&self) -> &str {
        let mut listed = self.listed.iter();
        let first = listed.find(|problem| problem.severity == Severity::Error);
        first.map_or("", |problem| &problem.message)
    }

    /// The number of problems of each severity that are kept.
    pub const LISTED: usize = 1_000;

    /// Adds a problem.
    pub fn push(&mut self, problem: Problem) {
        let count = match problem.severity {
            Severity::Error => &mut self.errors,
            Severity::Warning => &mut self.warnings,
        };
        *count = count.saturating_add(1);
        if *count <= Self::LISTED {
            self.listed.push(problem);
        }
    }

    /// Returns the number of errors.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Returns the number of warnings.
    pub fn warnings(&self) -> usize {
        self.warnings
    }

    /// Returns true if there are neither errors nor warnings.
    pub fn is_empty(&self) -> bool {
        self.errors == 0 && self.warnings == 0
    }

    /// Returns the kept problems in the order in which they are shown: by place.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        let mut sorted: Vec<_> = self.listed.iter().collect();
        sorted.sort_by(|one, other| one.place.order(&other.place));
        sorted.into_iter()
    }

    /// Writes all problems with an empty line between them.
    pub fn render(&self, color: bool) -> String {
        let mut text: Vec<_> = self.iter().map(|problem| problem.render(color)).collect();
        let not_listed = |count: usize| count.saturating_sub(Self::LISTED);
        for (count, what) in
            [(not_listed(self.errors), "error"), (not_listed(self.warnings), "warning")]
        {
            if count > 0 {
                text.push(format!("and {}\n", counted(count, &format!("more {what}"))));
            }
        }
        text.join("\n")
    }

    /// Writes the numbers of problems: `2 errors, 1 warning`.
    pub fn summary(&self) -> String {
        format!("{}, {}", counted(self.errors, "error"), counted(self.warnings, "warning"))
    }
}

impl Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.render(false))
    }
}

impl std::error::Error for Problems {}

impl Extend<Problem> for Problems {
    fn extend<I: IntoIterator<Item = Problem>>(&mut self, problems: I) {
        problems.into_iter().for_each(|problem| self.push(problem));
    }
}

fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// A line of text with an underlined part.
struct Excerpt {
    /// The number of the line; empty for a variable.
    label: String,
    line: String,
    indent: String,
    underline: String,
}

impl Excerpt {
    /// Makes an excerpt around a column, which counts characters from 1. A long line is cut on both sides.
    fn new(label: String, line: &str, column: usize, width: usize) -> Self {
        let before = column.saturating_sub(1);
        let cut = if before > LINE_WIDTH / 2 { before.saturating_sub(LINE_WIDTH / 2) } else { 0 };
        let mut rest = line.chars().skip(cut);
        let mut shown: String = rest.by_ref().take(LINE_WIDTH).collect();
        let indented = before.saturating_sub(cut);
        let in_line = shown.chars().count().saturating_sub(indented);
        let keep_tabs = |c| if c == '\t' { '\t' } else { ' ' };
        let mut indent: String = shown.chars().take(indented).map(keep_tabs).collect();
        if rest.next().is_some() {
            shown.push('…');
        }
        if cut > 0 {
            shown.insert(0, '…');
            indent.insert(0, ' ');
        }
        let underline = "^".repeat(width.min(in_line).max(1));
        Self { label, line: printable(&shown), indent, underline }
    }

    fn write(&self, out: &mut String, paint: Paint) {
        let gutter = self.label.len();
        let bar = paint.apply(BLUE, "|");
        let label = paint.apply(BLUE, &self.label);
        let underline = paint.apply(RED, &self.underline);
        out.push_str(&format!("{:gutter$} {bar}\n", ""));
        out.push_str(&format!("{label} {bar} {}\n", self.line));
        out.push_str(&format!("{:gutter$} {bar} {}{underline}\n", "", self.indent));
    }
}

/// The number of characters of a line that are shown.
const LINE_WIDTH: usize = 160;

#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn apply(self, code: &str, text: &str) -> String {
        if self.color && !text.is_empty() {
            format!("\x1b[{code}m{}\x1b[0m", printable(text))
        } else {
            printable(text)
        }
    }
}

// ANSI "select graphic rendition" codes.
const BLUE: &str = "1;34";
const BOLD: &str = "1";
const CYAN: &str = "1;36";
const RED: &str = "1;31";
const YELLOW: &str = "1;33";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, span: Range<usize>) -> Place {
        Place::Span { source: Arc::new(Source::new("config.toml", text)), span }
    }

    #[test]
    fn columns_count_characters_and_start_at_one() {
        let source = Source::new("config.toml", "é = 1\nü = 2\n");
        assert_eq!(source.position(0), (1, 1));
        assert_eq!(source.position("é = ".len()), (1, 5));
        assert_eq!(source.position("é = 1\n".len()), (2, 1));
        assert_eq!(source.position(usize::MAX), (3, 1));
    }

    #[test]
    fn a_problem_shows_place_line_caret_and_fix() {
        let place = at("[server]\n\tworkers = \"many\"\n", 20..26);
        let problem = Problem::error(place, "server.workers", "found \"many\"");
        assert_eq!(
            problem.help("write 2".to_owned()).to_string(),
            "config.toml:2:12: error: server.workers: found \"many\"\n  \
             |\n2 | \tworkers = \"many\"\n  | \t          ^^^^^^\n  = help: write 2\n"
        );
    }

    #[test]
    fn a_long_line_is_shown_around_its_caret() {
        let text = format!("{}x{}", "a".repeat(5_000), "b".repeat(5_000));
        let shown = Problem::error(at(&text, 5_000..5_001), "", "found x").to_string();
        let lines: Vec<_> = shown.lines().collect();
        let caret = lines[3].chars().position(|c| c == '^');
        assert_eq!(caret.and_then(|at| lines[2].chars().nth(at)), Some('x'));
        assert!(lines.iter().all(|line| line.chars().count() < 200));
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        let place = at("a = \"\u{1b}[2J\"", 4..10);
        let shown = Problem::error(place, "\u{1b}k", "\u{1b}m").help("\u{9b}h".to_owned());
        assert!(!shown.to_string().contains(['\u{1b}', '\u{9b}']));
    }

    #[test]
    fn problems_beyond_the_bound_are_only_counted() {
        let mut problems = Problems::default();
        let problem = Problem::error(Place::File("config.toml".into()), "", "bad");
        problems.extend(std::iter::repeat_n(problem, Problems::LISTED + 2));
        problems.push(Problem::warning(Place::File("config.toml".into()), "", "odd"));
        assert_eq!(problems.iter().count(), Problems::LISTED + 1);
        assert_eq!(problems.summary(), "1002 errors, 1 warning");
        assert!(problems.render(false).ends_with("and 2 more errors\n"));
    }

    #[test]
    fn colour_is_only_used_on_request() {
        let problem = Problem::error(at("a = 1", 4..5), "a", "found 1");
        assert!(!problem.render(false).contains('\u{1b}'));
        assert!(problem.render(true).contains("\u{1b}[1;31merror\u{1b}[0m"));
    }
}
