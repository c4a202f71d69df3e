//! The guard against cookies that scripts set, in Chromium and in Firefox.

use std::{path::Path, process::Command};

use crate::process;

#[test]
fn the_minified_scripts_are_those_of_the_source() {
    let minify = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser/minify.js");
    let output = process::run(Command::new("node").arg(minify).arg("--check"));
    let found = String::from_utf8_lossy(&output.stdout);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "write them with `node tests/browser/minify.js`: {found}{problem}"
    );
}
