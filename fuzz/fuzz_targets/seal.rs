//! Opens any bytes, and seals any contents. Bytes that were not sealed are never opened, sealed contents are restored
//! exactly, and no changed value is opened.

#![no_main]
#![allow(clippy::unwrap_used, reason = "a fuzz target reports by a panic")]

use arbitrary::Arbitrary;
use crumbgate_policy::seal::{Agreement, Contents, Holder, Key, KeyRing, MAX_SCOPE_BYTES, Version};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    cookie: &'a [u8],
    scope: &'a str,
    issued_unix_s: u64,
    holder: [u8; 8],
    agreement: Option<([u8; 8], u64)>,
    random: [u8; 32],
    /// The index of the changed byte of the sealed text, and its new value.
    change: (u16, u8),
    value: Option<&'a [u8]>,
    /// A text that was not sealed.
    text: &'a [u8],
}

fuzz_target!(|input: Input<'_>| {
    // The second key seals nothing, but a text may contain its id.
    let ring = KeyRing::new(vec![Key::new(&[1; 32]), Key::new(&[2; 32])]).unwrap();
    assert!(ring.open(input.cookie, input.text).is_err());
    assert!(ring.open(input.cookie, &[b"cg1.", input.text].concat()).is_err());

    let agreement = input
        .agreement
        .map(|(version, at_unix_s)| Agreement { version: Version(version), at_unix_s });
    let contents = Contents {
        scope: input.scope,
        issued_unix_s: input.issued_unix_s,
        holder: Holder(input.holder),
        agreement,
        value: input.value,
    };
    let sealed = ring.seal(input.cookie, &contents, &mut || input.random);
    assert_eq!(sealed.is_none(), input.scope.len() > MAX_SCOPE_BYTES);
    let Some(mut sealed) = sealed else { return };
    let value_len = input.value.map_or(0, <[u8]>::len);
    let expected = KeyRing::sealed_len(input.scope.len(), value_len, agreement.is_some());
    assert_eq!(sealed.len(), expected);
    assert!(sealed.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)));
    assert!(ring.open(input.cookie, &sealed).unwrap().contents() == contents);

    let (at, to) = (usize::from(input.change.0) % sealed.len(), input.change.1);
    if sealed[at] != to {
        sealed[at] = to;
        assert!(ring.open(input.cookie, &sealed).is_err());
    }
});
