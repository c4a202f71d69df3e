//! The text of a file, and the TOML document in it.

use std::{fs, path::Path, sync::Arc};

use toml::de::DeTable;

use super::problem::{Place, Problem, Problems, Source};

/// Reads a file; fails if it cannot be read or is not UTF-8.
pub(super) fn read_source(path: &Path) -> Result<Source, Problems> {
    let bytes = fs::read(path).map_err(|error| {
        let message = format!("cannot be read: {error}");
        let problem = Problem::error(Place::File(path.to_owned()), "", message);
        alone(problem.help("name the configuration file with --config".to_owned()))
    })?;
    String::from_utf8(bytes).map(|text| Source::new(path, text)).map_err(|error| {
        let valid_up_to = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        let source = Arc::new(Source::new(path, text));
        let place = Place::Span { source, span: valid_up_to..valid_up_to };
        let problem = Problem::error(place, "", "found bytes that are not UTF-8");
        alone(problem.help("save the file as UTF-8".to_owned()))
    })
}

/// Parses the text as TOML. Reports every duplicate key, and of other syntax errors only the first.
pub(super) fn parse(source: &Arc<Source>) -> Result<DeTable<'_>, Problems> {
    let (document, errors) = DeTable::parse_recoverable(source.text());
    if errors.is_empty() {
        return Ok(document.into_inner());
    }
    let mut problems = Problems::default();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let is_duplicate = error.message() == "duplicate key";
        let (message, help) = if is_duplicate {
            let key = source.text().get(span.clone()).unwrap_or_default();
            (format!("{key} is written more than once"), "keep one of them")
        } else {
            (error.message().to_owned(), "the file must be valid TOML, see https://toml.io")
        };
        let place = Place::Span { source: Arc::clone(source), span };
        problems.push(Problem::error(place, "", message).help(help.to_owned()));
        if !is_duplicate {
            break; // Further errors may only be consequences of this one.
        }
    }
    Err(problems)
}

/// Makes a list of one problem.
pub(super) fn alone(problem: Problem) -> Problems {
    let mut problems = Problems::default();
    problems.push(problem);
    problems
}
