//! LibreOffice opens what the gateway exports for spreadsheets.

mod convert;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "nothing runs beside these tests")]
mod process;

use crumbgate_testkit::ledger::{self, signed};
use std::{fs, path::PathBuf};

use tempfile::TempDir;

/// 2026-11-23 10:00:00 UTC
const NOW_UNIX_S: u64 = 1_795_428_000;

/// The CSV of names that would be formulas.
fn report(folder: &TempDir) -> PathBuf {
    let (ledger, csv) = (folder.path().join("ledger.db"), folder.path().join("report.csv"));
    ledger::hostile(&ledger, NOW_UNIX_S);
    let mut command = process::crumbgate();
    command.args(["audit", "report", "--format", "csv", "--ledger"]).arg(ledger);
    let output = process::run(command.arg("--output").arg(&csv));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    csv
}

#[test]
fn a4_no_cell_of_a_report_is_a_formula() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let document = convert::opened(&report(&folder));
    assert!(!convert::has_formula(&document));
    // It was read as a table, in UTF-8, from its first column.
    for cell in [
        "<text:p>kind</text:p>",
        "<text:p>stripped</text:p>",
        "office:value=\"24\"",
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "\u{ff1d}1+1",
    ] {
        assert!(document.contains(cell), "{cell} in {document}");
    }
}

#[test]
fn a4_no_cell_of_a_bundle_s_table_is_a_formula() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let (ledger, bundle) = (folder.path().join("ledger.db"), folder.path().join("bundle.zip"));
    let mut writer = signed::LedgerWriter::new(&ledger, NOW_UNIX_S);
    writer.gateway_heartbeat();
    writer.traffic("acme.example", &signed::USUAL);
    writer.close();
    let mut command = process::crumbgate();
    command.args(["audit", "export", "--output"]).arg(&bundle).arg(&ledger);
    let output = process::run(&mut command);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let file = fs::File::open(&bundle).expect("the bundle was written");
    let mut archive = zip::ZipArchive::new(file).expect("it is a zip");
    let mut table = archive.by_name("entries.csv").expect("it has a table");
    let csv = folder.path().join("entries.csv");
    let mut unpacked = fs::File::create(&csv).expect("the folder can be written");
    std::io::copy(&mut table, &mut unpacked).expect("the table can be unpacked");
    let document = convert::opened(&csv);
    assert!(!convert::has_formula(&document));
    for cell in ["<text:p>seq</text:p>", "<text:p>flexopus_session</text:p>", "=HYPERLINK("] {
        assert!(document.contains(cell), "{cell} in {document}");
    }
}

#[test]
fn what_is_not_made_harmless_is_a_formula() {
    let folder = TempDir::new().expect("a temporary folder can be made");
    let csv = folder.path().join("formula.csv");
    fs::write(&csv, "name,count\r\n=1+1,2\r\n").expect("the folder can be written");
    assert!(convert::has_formula(&convert::opened(&csv)), "or the test above shows nothing");
}
