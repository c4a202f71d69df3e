//! `scripts/lint-words`, on files of a temporary folder.

use std::{fs, path::Path, process::Command};

const GOOD: &str = "\
//! Counters of a tenant: they only grow.

/// Returns the number of requests.
/// What it counts is in the documents.
fn requests() {}

//// Whether this is a doc comment: it is not, with its four slashes.
// Where an ordinary comment begins like this, it is accepted.
fn whereabouts() {}
";

/// Runs the lint on a folder with a good file and this one. Returns the exit code, the lines on standard output without
/// the folder, and standard error.
fn lint_file(name: &str, text: &str) -> (Option<i32>, Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.rs"), GOOD).unwrap();
    fs::write(folder.path().join(name), text).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lint-words");
    let output = Command::new(script).arg(folder.path()).output().unwrap();
    let prefix = format!("{}/", folder.path().canonicalize().unwrap().display());
    let printed = String::from_utf8(output.stdout).unwrap();
    let lines = printed.lines().map(|line| line.strip_prefix(&prefix).unwrap().to_owned());
    (output.status.code(), lines.collect(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_file_without_retired_words_passes() {
    assert_eq!(lint_file("good.md", "Counters only grow.\n"), (Some(0), vec![], String::new()));
}

#[test]
fn a_doc_comment_that_begins_with_a_question_word_is_refused() {
    let message =
        |word| format!("a doc comment begins with \"{word}\": begin with a noun or a verb");
    let bad = "//! How it works.\n\n/// Returns it.\nfn good() {}\n    /// Whether it is open.\nfn bad() {}\n";
    let (code, lines, summary) = lint_file("bad.rs", bad);
    let [first, second] = [("1", "How"), ("5", "Whether")]
        .map(|(line, word)| format!("bad.rs:{line}: {}", message(word)));
    assert_eq!((code, lines), (Some(1), vec![first, second]));
    assert!(summary.starts_with("2 hits."), "{summary}");
}

#[test]
fn a_retired_word_is_refused_in_a_text_and_in_an_identifier() {
    // In two parts: the lint also reads this file.
    let retired = concat!("a", "miss");
    let in_type = format!("Is{}Here", concat!("A", "miss"));
    let text = format!("// Nothing is {retired}.\nfn is_{retired}() {{}}\nstruct {in_type};\n");
    let (code, lines, summary) = lint_file("bad.rs", &text);
    let expected = [1, 2, 3].map(|line| format!("bad.rs:{line}: \"{retired}\": write wrong"));
    assert_eq!((code, lines), (Some(1), expected.to_vec()));
    assert!(summary.starts_with("3 hits."), "{summary}");

    // A word that only contains it is accepted, and so is a quotation in a document.
    let (code, lines, _) = lint_file("quote.md", &format!("> It is {retired}.\n\n{retired}ed\n"));
    assert_eq!((code, lines), (Some(0), vec![]));
    let (code, lines, _) = lint_file("no-quote.md", &format!("\nIt is {retired}.\n"));
    assert_eq!(
        (code, lines),
        (Some(1), vec![format!("no-quote.md:2: \"{retired}\": write wrong")])
    );
}
