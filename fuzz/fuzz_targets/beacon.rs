//! Reads arbitrary bodies of beacons. No body yields more names than the limit, a name twice, or a name with a line feed.

#![no_main]

use std::collections::HashSet;

use crumbgate_audit::{MAX_BEACON_NAMES, read_beacon};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let names = read_beacon(body);
    assert!(names.len() <= MAX_BEACON_NAMES);
    assert!(names.iter().all(|(_, name)| !name.contains(&b'\n')));
    assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len());
    let lines = names.iter().map(|(kind, name)| [&[kind.letter()], *name].concat());
    let written = lines.collect::<Vec<_>>().join(&b'\n');
    assert_eq!(read_beacon(&written), names);
});
