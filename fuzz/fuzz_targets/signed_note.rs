//! Any text as a signed note, a checkpoint and a verifier: what is read can be written, and is the same.

#![no_main]

use crumbgate_ledger::{
    checkpoint::Checkpoint,
    note::{SignedNote, Verifier},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(verifier) = text.parse::<Verifier>() {
        assert_eq!(verifier.to_string(), text);
    }
    let Ok(note) = SignedNote::parse(text) else { return };
    assert!(note.text.ends_with('\n'));
    if let Ok(checkpoint) = Checkpoint::parse(&note) {
        assert_eq!(checkpoint.text(), note.text);
        assert_eq!(checkpoint.size(), checkpoint.last - checkpoint.first + 1);
    }
});
