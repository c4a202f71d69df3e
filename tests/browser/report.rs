//! Chromium reads the HTML of `crumbgate audit report`: as a page, by the keyboard, and on paper.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{drive, ledger, process};

/// 2026-11-23 10:00:00 UTC
const NOW_UNIX_S: u64 = 1_795_428_000;

/// A folder with ledgers, and the reports that are made of them.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder can be made"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The report of the ledger that `rich` writes.
    fn rich(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let ledger = self.path("rich.db");
        if !ledger.exists() {
            ledger::rich(&ledger, NOW_UNIX_S);
        }
        self.report(&ledger, name, arguments)
    }

    fn report(&self, ledger: &Path, name: &str, arguments: &[&str]) -> PathBuf {
        let page = self.path(name);
        let mut command = process::crumbgate();
        command.args(["audit", "report", "--format", "html", "--ledger"]).arg(ledger);
        let output = process::run(command.arg("--output").arg(&page).args(arguments));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        page
    }
}

/// The driver's findings for this task with these files.
fn found(task: &str, files: &[&Path]) -> Value {
    let files = files.iter().map(|file| file.as_os_str());
    let arguments: Vec<_> = [OsStr::new(task)].into_iter().chain(files).collect();
    drive("report.js", &arguments)
}

/// A validator and axe find nothing: wide and light, narrow and dark.
fn assert_is_accessible(page: &Path) {
    let found = found("look", &[page]);
    let findings = found[page.to_string_lossy().as_ref()].as_array().expect("a list");
    assert!(findings.is_empty(), "{}: {findings:#?}", page.display());
}

#[test]
fn the_english_page_is_valid_and_accessible() {
    assert_is_accessible(&Desk::new().rich("en.html", &[]));
}

#[test]
fn the_german_page_is_valid_and_accessible() {
    assert_is_accessible(&Desk::new().rich("de.html", &["--language", "de"]));
}

#[test]
fn the_page_is_valid_and_accessible_whatever_names_are_on_it() {
    let desk = Desk::new();
    let ledger = desk.path("hostile.db");
    ledger::hostile(&ledger, NOW_UNIX_S);
    assert_is_accessible(&desk.report(&ledger, "hostile.html", &[]));
}

#[test]
fn the_page_of_an_empty_ledger_is_valid_and_accessible() {
    let desk = Desk::new();
    let ledger = desk.path("empty.db");
    ledger::UnsignedLedger::new(&ledger, 300).finish();
    assert_is_accessible(&desk.report(&ledger, "empty.html", &["--language", "de"]));
}

#[test]
fn the_validators_report_a_wrong_page() {
    let desk = Desk::new();
    let page = desk.rich("page.html", &[]);
    let html = fs::read_to_string(&page).expect("it was written");
    let wrong = "<main><button></button><img src=\"x\"><b>";
    fs::write(&page, html.replacen("<main", wrong, 1)).expect("the folder can be written");
    let found = found("look", &[&page]).to_string();
    for findings in
        ["close-order", "button-name", "image-alt", "loads file:", "Content Security Policy"]
    {
        assert!(found.contains(findings), "{findings} in {found}");
    }
}

#[test]
fn a_table_is_sorted_by_the_keyboard_without_a_server() {
    let sorted = found("sort", &[&Desk::new().rich("page.html", &[])]);
    assert_eq!(sorted["skipped"], "report", "the first link leads past what stands above");
    let counts = |value: &Value| -> Vec<u64> {
        let counts = value.as_array().expect("a list").iter();
        counts.map(|count| count.as_u64().expect("a count")).collect()
    };
    let mut expected = counts(&sorted["unsorted"]);
    expected.sort_unstable();
    assert!(expected.len() > 10);
    assert_eq!(sorted["second"]["sort"], "ascending");
    assert_eq!(counts(&sorted["second"]["counts"]), expected);
    expected.reverse();
    assert_eq!(sorted["first"]["sort"], "descending");
    assert_eq!(counts(&sorted["first"]["counts"]), expected);
    assert_eq!(sorted["reported"], Value::Array(Vec::new()));
}

#[test]
fn without_its_script_the_page_has_the_same_text_and_no_sort_buttons() {
    let desk = Desk::new();
    let page = desk.rich("page.html", &[]);
    let found = found("plain", &[&page]);
    let html = fs::read_to_string(page).expect("it was written");
    let (_, table) = html.split_once("id=\"stripped\"").expect("a section");
    let rows = table.split("</table>").next().unwrap_or_default().matches("<tr>").count() - 1;
    assert!(rows > 10);
    assert_eq!((&found["rows"], &found["hints"]), (&rows.into(), &0.into()));
}

#[test]
fn on_paper_each_page_is_a4_and_each_table_repeats_its_headings() {
    let desk = Desk::new();
    let pdf = desk.path("page.pdf");
    found("print", &[&desk.rich("page.html", &[]), &pdf]);
    let info = printed(Command::new("pdfinfo").args(["-f", "1", "-l", "-1"]).arg(&pdf));
    let is_size = |line: &&str| line.starts_with("Page ") && line.contains("size:");
    let sizes: Vec<_> = info.lines().filter(is_size).collect();
    assert!(sizes.len() > 3, "{info}");
    assert!(sizes.iter().all(|size| size.ends_with("(A4)")), "{info}");
    let text = printed(Command::new("pdftotext").arg("-layout").arg(&pdf).arg("-"));
    let pages: Vec<_> = text.split('\u{c}').collect();
    // Only the table of stripped cookies has these names.
    let names = ["_fbp", "hubspotutk", "intercom-session-*"];
    let of_table = pages.iter().filter(|page| names.iter().any(|name| page.contains(name)));
    assert!(of_table.clone().count() > 1, "it goes on: {text}");
    assert!(of_table.clone().all(|page| page.contains("First seen")), "{text}");
    for hint in ["Select a column heading", "\u{2195}"] {
        assert!(!text.contains(hint), "{hint} is for the screen: {text}");
    }
    let first = pages[0];
    assert!(first.contains("Limits of this report") && first.contains("Balances"), "{first}");
}

fn printed(command: &mut Command) -> String {
    let output = process::run(command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
