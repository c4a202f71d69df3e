//! Makes the template of any bytes as a cookie's name. It is short, printable, free of recognisable identifiers, and
//! the template of itself.

#![no_main]

use crumbgate_audit::{NameBuffer, csv_cell, name_template};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|name: &[u8]| {
    let mut buffer = NameBuffer::default();
    let template = name_template(name, &mut buffer);
    assert_eq!(template.is_empty(), name.is_empty());
    assert!(template.len() <= 133);
    assert!(template.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
    assert!(!template.contains('@') && !template.contains("%40"));
    let digits = |run: &str| run.bytes().all(|byte| byte.is_ascii_digit());
    let runs = template.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(runs.filter(|run| digits(run)).all(|run| run.len() <= 2), "{template}");
    assert!(!csv_cell(template).starts_with(['=', '+', '-', '@']));
    let mut again = NameBuffer::default();
    assert_eq!(name_template(template.as_bytes(), &mut again), template);
});
