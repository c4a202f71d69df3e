//! Properties of sealing for any contents, any keys, and any change of a sealed value.

use std::collections::HashSet;

use proptest::{collection::vec, option, prelude::*};

use super::{
    Agreement, Contents, Holder, Key, KeyRing, KeyRingError, MAX_SCOPE_BYTES, OpenError, Version,
};

/// Contents that own what they hold.
#[derive(Clone, Debug)]
struct Owned {
    scope: String,
    issued_unix_s: u64,
    holder: Holder,
    agreement: Option<Agreement>,
    value: Option<Vec<u8>>,
}

impl Owned {
    fn contents(&self) -> Contents<'_> {
        Contents {
            scope: &self.scope,
            issued_unix_s: self.issued_unix_s,
            holder: self.holder,
            agreement: self.agreement,
            value: self.value.as_deref(),
        }
    }
}

fn contents() -> impl Strategy<Value = Owned> {
    let scope = prop_oneof!["[a-z0-9.*-]{0,255}", ".{0,60}"];
    let agreement = any::<([u8; 8], u64)>()
        .prop_map(|(version, at_unix_s)| Agreement { version: Version(version), at_unix_s });
    let value = prop_oneof![vec(any::<u8>(), 0..60), vec(any::<u8>(), 0..4096)];
    let holder = any::<[u8; 8]>().prop_map(Holder);
    (scope, any::<u64>(), holder, option::of(agreement), option::of(value)).prop_map(
        |(scope, issued_unix_s, holder, agreement, value)| Owned {
            scope,
            issued_unix_s,
            holder,
            agreement,
            value,
        },
    )
}

fn ring(secrets: &[[u8; 32]]) -> KeyRing {
    KeyRing::new(secrets.iter().map(Key::new).collect()).unwrap()
}

/// Bits that differ each time.
fn counting() -> impl FnMut() -> [u8; 32] {
    let mut drawn = 0_u8;
    move || {
        drawn += 1;
        [drawn; 32]
    }
}

fn seal(ring: &KeyRing, cookie: &[u8], owned: &Owned) -> Vec<u8> {
    ring.seal(cookie, &owned.contents(), &mut counting()).unwrap()
}

const HOLDER: Holder = Holder(*b"a holder");

const SESSION: &[u8] = b"flexopus_session";

proptest! {
    #[test]
    fn any_contents_come_back_as_they_were(
        secret: [u8; 32],
        cookie in vec(any::<u8>(), 0..130),
        owned in contents(),
    ) {
        let ring = ring(&[secret]);
        let sealed = seal(&ring, &cookie, &owned);
        let opened = ring.open(&cookie, &sealed).unwrap();
        prop_assert!(opened.contents() == owned.contents());
        prop_assert_eq!(opened.scope(), &owned.scope);
        prop_assert_eq!(opened.value(), owned.value.as_deref());
        let value_len = owned.value.as_ref().map_or(0, Vec::len);
        let expected =
            KeyRing::sealed_len(owned.scope.len(), value_len, owned.agreement.is_some());
        prop_assert_eq!(sealed.len(), expected);
    }

    /// A sealed value consists of letters, digits and three more cookie-octets of RFC 6265, which need no quotes.
    #[test]
    fn a_sealed_value_is_always_a_valid_cookie_value(secret: [u8; 32], owned in contents()) {
        let sealed = seal(&ring(&[secret]), SESSION, &owned);
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        prop_assert!(sealed.iter().all(is_plain) && sealed.starts_with(b"cg1."));
    }

    #[test]
    fn a_changed_value_is_never_opened(
        secret: [u8; 32],
        owned in contents(),
        at: prop::sample::Index,
        to: u8,
        more in vec(any::<u8>(), 1..40),
    ) {
        let ring = ring(&[secret]);
        let sealed = seal(&ring, SESSION, &owned);
        let at = at.index(sealed.len());
        let replaced = [&sealed[..at], &[to], &sealed[at + 1..]].concat();
        let inserted = [&sealed[..at], &more, &sealed[at..]].concat();
        let removed = [&sealed[..at], &sealed[at + 1..]].concat();
        let altered = [
            replaced,
            inserted,
            removed,
            sealed[..at].to_vec(),
            [&sealed[..], &more].concat(),
            [&more, &sealed[..]].concat(),
            sealed.to_ascii_lowercase(),
        ];
        for altered in altered.iter().filter(|altered| **altered != sealed) {
            let has_prefix = altered.starts_with(b"cg1.") || altered.starts_with(b"\"cg1.");
            let expected = if has_prefix { OpenError::Forged } else { OpenError::Unsealed };
            prop_assert_eq!(ring.open(SESSION, altered), Err(expected));
        }
    }

    #[test]
    fn another_cookie_or_other_keys_open_nothing(
        secrets: [[u8; 32]; 3],
        cookie in vec(any::<u8>(), 0..30),
        owned in contents(),
    ) {
        prop_assume!(cookie != SESSION && secrets[0] != secrets[1] && secrets[0] != secrets[2]);
        let sealed = seal(&ring(&secrets[..1]), SESSION, &owned);
        prop_assert_eq!(ring(&secrets[..1]).open(&cookie, &sealed), Err(OpenError::Forged));
        prop_assert_eq!(ring(&secrets[1..]).open(SESSION, &sealed), Err(OpenError::Forged));
    }

    #[test]
    fn every_key_of_a_ring_opens_and_the_first_one_seals(
        secrets: [[u8; 32]; 3],
        owned in contents(),
    ) {
        let all = ring(&secrets);
        for secret in &secrets {
            let sealed = seal(&ring(&[*secret]), SESSION, &owned);
            prop_assert!(all.open(SESSION, &sealed).unwrap().contents() == owned.contents());
        }
        let sealed = seal(&all, SESSION, &owned);
        prop_assert!(ring(&secrets[..1]).open(SESSION, &sealed).is_ok());
        prop_assert_eq!(ring(&secrets[1..]).open(SESSION, &sealed), Err(OpenError::Forged));
    }

    #[test]
    fn the_same_contents_are_sealed_to_another_text_each_time(
        secret: [u8; 32],
        owned in contents(),
    ) {
        let (ring, mut random) = (ring(&[secret]), counting());
        let mut seal = || ring.seal(SESSION, &owned.contents(), &mut random).unwrap();
        let texts: HashSet<_> = (0..5).map(|_| seal()).collect();
        prop_assert_eq!(texts.len(), 5);
    }

    /// A broken random number generator repeats a nonce. With GCM that would reveal the difference of two values.
    #[test]
    fn a_repeated_nonce_reveals_only_that_two_values_are_equal(
        secret: [u8; 32],
        value in vec(any::<u8>(), 40..60),
        at: prop::sample::Index,
    ) {
        let ring = ring(&[secret]);
        let mut other = value.clone();
        other[at.index(value.len())] ^= 1;
        let seal = |value: &[u8]| {
            let contents =
                Contents { scope: "a", issued_unix_s: 1, holder: HOLDER, agreement: None, value: Some(value) };
            ring.seal(SESSION, &contents, &mut || [7; 32]).unwrap()
        };
        prop_assert_eq!(seal(&value), seal(&value));
        let (one, two) = (seal(&value), seal(&other));
        // The prefix, the key's id and the nonce are 26 characters; of the others, one in 64 is the same by chance.
        let same = one.iter().zip(&two).skip(26).filter(|(one, two)| one == two).count();
        prop_assert!(same < 15, "{same} of {} characters", one.len() - 26);
    }

    #[test]
    fn a_scope_longer_than_any_host_is_not_sealed(secret: [u8; 32], more in 1..400_usize) {
        let scope = "a".repeat(MAX_SCOPE_BYTES + more);
        let owned = Owned { scope, issued_unix_s: 1, holder: HOLDER, agreement: None, value: None };
        let sealed = ring(&[secret]).seal(SESSION, &owned.contents(), &mut counting());
        prop_assert_eq!(sealed, None);
    }

    #[test]
    fn bytes_that_were_not_sealed_are_never_opened(secret: [u8; 32], bytes in vec(any::<u8>(), 0..200)) {
        let ring = ring(&[secret]);
        prop_assert!(ring.open(SESSION, &bytes).is_err());
        let prefixed = [b"cg1.", &*bytes].concat();
        prop_assert_eq!(ring.open(SESSION, &prefixed), Err(OpenError::Forged));
    }
}

#[test]
fn each_bit_of_a_sealed_value_is_authenticated() {
    let ring = ring(&[[7; 32]]);
    let owned = Owned {
        scope: "acme.example".to_owned(),
        issued_unix_s: 1_795_435_200,
        holder: HOLDER,
        agreement: Some(Agreement { version: Version([3; 8]), at_unix_s: 1_795_435_100 }),
        value: Some(b"0123456789".to_vec()),
    };
    let sealed = seal(&ring, SESSION, &owned);
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        assert!(ring.open(SESSION, &altered).is_err(), "bit {bit}");
    }
}

#[test]
fn a_sealed_value_between_quotes_reaches_no_application() {
    let ring = ring(&[[7; 32]]);
    for (value, expected) in [
        (&b""[..], OpenError::Unsealed),
        (b"cg1", OpenError::Unsealed),
        (b"\"cg1\"", OpenError::Unsealed),
        (b"cg1.", OpenError::Forged),
        (b"\"cg1.\"", OpenError::Forged),
        (b"\"cg1.abcd", OpenError::Forged),
    ] {
        assert_eq!(ring.open(SESSION, value), Err(expected), "{}", value.escape_ascii());
    }
}

#[test]
fn the_document_states_which_sizes_fit_into_a_cookie() {
    let document = include_str!("../../../../docs/SEAL.md");
    for (is_agreed, text) in [(true, "2,970 bytes with an"), (false, "2,986 without one")] {
        assert!(document.contains(text), "{text}");
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        let fits = |value_len| {
            let sealed = KeyRing::sealed_len("acme.flexopus.example".len(), value_len, is_agreed);
            SESSION.len() + sealed <= 4096
        };
        let largest = digits.parse().unwrap();
        assert!(fits(largest) && !fits(largest + 1), "{largest}");
    }
}

#[test]
fn a_ring_has_at_least_one_key_and_each_only_once() {
    assert_eq!(KeyRing::new(Vec::new()), Err(KeyRingError::Empty));
    let keys = [[1; 32], [2; 32], [1; 32]];
    let id = Key::new(&[1; 32]).id();
    assert_eq!(KeyRing::new(keys.iter().map(Key::new).collect()), Err(KeyRingError::Twice { id }));
    assert!(ring(&keys[..2]) == ring(&keys[..2]) && ring(&keys[..2]) != ring(&keys[1..]));
}

#[test]
fn debug_shows_no_value_and_no_key() {
    let ring = ring(&[*b"an example of 32 bytes, no key.."]);
    let owned = Owned {
        scope: "acme.example".to_owned(),
        issued_unix_s: 1,
        holder: HOLDER,
        agreement: None,
        value: Some(b"secret".to_vec()),
    };
    let opened = ring.open(SESSION, &seal(&ring, SESSION, &owned)).unwrap();
    let shown = format!("{ring:?} {:?} {:?} {opened:?}", ring.0[0], owned.contents());
    let expected = format!(
        "KeyRing({id}) Key({id}, ..) {contents} {opened}",
        id = ring.0[0].id(),
        contents = "Contents { scope: \"acme.example\", issued_unix_s: 1, agreement: None, .. }",
        opened = "Opened { scope: \"acme.example\", issued_unix_s: 1, agreement: None, .. }",
    );
    assert_eq!(shown, expected);
}
