//! Any bytes as the line of an entry: what is read can be written, and reads the same again.

#![no_main]

use crumbgate_ledger::{
    line::LineWriter,
    parse::{Interner, read_line, seq_of},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let mut interner = Interner::default();
    let Ok(entry) = read_line(line, &mut interner) else { return };
    let seq = seq_of(line).unwrap_or(1);
    let mut written = Vec::new();
    LineWriter::new(interner.texts(), &[0; 32]).write(seq, &entry, &mut written);
    assert_eq!(seq_of(&written), Some(seq));
    assert_eq!(read_line(&written, &mut interner), Ok(entry));
});
