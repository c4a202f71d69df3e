//! LibreOffice's conversion of a file.

use std::{fs, path::Path, process::Command};

use crate::process;

/// Opens a CSV as LibreOffice does by itself (commas, quotes, UTF-8; what looks like a number or a formula is one), and
/// returns it as Flat OpenDocument, which is XML.
pub(crate) fn opened(csv: &Path) -> String {
    let folder = csv.parent().expect("a file is in a folder");
    // A profile of its own: another LibreOffice may be open.
    let profile = format!("-env:UserInstallation=file://{}/profile", folder.display());
    let mut office = Command::new("soffice");
    office.args([
        &profile,
        "--headless",
        "--convert-to",
        "fods",
        "--infilter=CSV:44,34,76,1,,0,false,true,false,false,false,-1",
    ]);
    let output = process::run(office.arg("--outdir").arg(folder).arg(csv).env("HOME", folder));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let converted = fs::read_dir(folder).expect("the folder is there").flatten();
    let converted = converted
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "fods"));
    let converted =
        converted.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stdout)));
    fs::read_to_string(converted).expect("Flat OpenDocument is text")
}

/// True where a cell of the document contains a formula.
pub(crate) fn has_formula(document: &str) -> bool {
    document.contains("table:formula")
}
