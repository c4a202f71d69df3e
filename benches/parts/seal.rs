//! Sealing: a session's value sealed, opened, and both, as a request that renews its session needs it.

use std::hint::black_box;

use crumbgate_policy::seal::{Agreement, Contents, Holder, Key, KeyRing, Version};

use super::Part;

/// The parts, for a value as small as an id, one that Laravel has encrypted, and one as large as fits.
pub(super) fn parts() -> Vec<Part> {
    [40, 350, 2_500]
        .into_iter()
        .flat_map(|value_len| [seal(value_len), open(value_len), both(value_len)])
        .collect()
}

fn seal(value_len: usize) -> Part {
    Part::new(format!("seal: {value_len} bytes sealed"), move || {
        let (ring, value) = (ring(), value(value_len));
        move || {
            black_box(sealed(&ring, black_box(&value)));
        }
    })
}

fn open(value_len: usize) -> Part {
    Part::new(format!("seal: {value_len} bytes opened"), move || {
        let ring = ring();
        let text = sealed(&ring, &value(value_len));
        move || {
            let opened = ring.open(SESSION, black_box(&text)).expect("it was just sealed");
            black_box(opened.value());
        }
    })
}

fn both(value_len: usize) -> Part {
    Part::new(format!("seal: {value_len} bytes opened and sealed anew"), move || {
        let ring = ring();
        let text = sealed(&ring, &value(value_len));
        move || {
            let opened = ring.open(SESSION, black_box(&text)).expect("it was just sealed");
            let contents = Contents { issued_unix_s: 1_795_683_600, ..opened.contents() };
            black_box(ring.seal(SESSION, &contents, &mut || [7; 32]));
        }
    })
}

/// Of two keys, as after a rotation.
fn ring() -> KeyRing {
    KeyRing::new(vec![Key::new(&[1; 32]), Key::new(&[2; 32])]).expect("two keys")
}

fn value(len: usize) -> Vec<u8> {
    b"eyJpdiI6Im9va2llIn0%3D".iter().copied().cycle().take(len).collect()
}

fn sealed(ring: &KeyRing, value: &[u8]) -> Vec<u8> {
    let contents = Contents {
        scope: "acme.flexopus.example",
        issued_unix_s: 1_795_680_000,
        holder: Holder([5; 8]),
        agreement: Some(Agreement { version: Version([3; 8]), at_unix_s: 1_795_600_000 }),
        value: Some(value),
    };
    ring.seal(SESSION, &contents, &mut || [7; 32]).expect("a short scope")
}

const SESSION: &[u8] = b"flexopus_session";
