//! Known answers of the format and of the cipher. Those of the format were made from `docs/SEAL.md` alone by a Python program with `cryptography` 48.0.0
//! (its `AESGCMSIV` is OpenSSL's). Those of the cipher are from RFC 8452.

use aws_lc_rs::aead::{Aad, Nonce};

use super::{Agreement, Contents, Holder, Key, KeyRing, OpenError, Version};

/// A ring with one key, of the bytes 0 to 31.
fn ring() -> KeyRing {
    KeyRing::new(vec![Key::new(&std::array::from_fn(|index| u8::try_from(index).unwrap()))])
        .unwrap()
}

/// A nonce of the bytes from 0xa0 on.
fn nonce() -> [u8; 12] {
    std::array::from_fn(|index| 0xa0 + u8::try_from(index).unwrap())
}

const SESSION: &[u8] = b"flexopus_session";

const PLAIN: Contents<'_> = Contents {
    scope: "acme.flexopus.example",
    issued_unix_s: 1_795_435_200,
    holder: Holder([0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7]),
    agreement: None,
    value: Some(b"eyJpdiI6Im9va2llIn0%3D"),
};

const AGREED: Contents<'_> = Contents {
    agreement: Some(Agreement {
        version: Version([0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef]),
        at_unix_s: 1_795_428_000,
    }),
    ..PLAIN
};

#[test]
fn contents_are_sealed_to_the_known_text_and_opened_again() {
    let largest = Some(Agreement { version: Version([0xff; 8]), at_unix_s: u64::MAX });
    for (cookie, contents, text) in [
        (
            SESSION,
            AGREED,
            "cg1.aMdDs6ChoqOkpaanqKmqqyiSXF7V9JyYnteBwCO1feC4VrcGNgHw5vfFfy5Rs5c4zKwtT8AuRdZUtB2FBH_uzSiIpYp7cqrwZ-xGda4rOyXwRHaECwLYm0F4vRrd-E2F89bVF2MAA7XoS1EO2w",
        ),
        (
            SESSION,
            PLAIN,
            "cg1.aMdDs6ChoqOkpaanqKmqq8PWbMqhsIGVEyA1QKBEQWqLykvwP5Gw0jvDmdwp-VJn2HvUT4lmIWY8tGHAFQOL1sjvjQjnAAj-R2B2UdearNJeoXs1a0wOZoNkyyZy",
        ),
        (
            SESSION,
            Contents { value: None, ..AGREED },
            "cg1.aMdDs6ChoqOkpaanqKmqq2iwTGAZWSHKYB9EJjQpA9hJwS5O8pj4KDskCjH6bu5ByJ6mQk_VLsMiReEFOnFmMnW-93ZFBI6tL0VgtLxINEi_tKWaWRus",
        ),
        (
            SESSION,
            Contents { value: Some(b""), ..PLAIN },
            "cg1.aMdDs6ChoqOkpaanqKmqq_UBd0u73ghQT7pzU6yDEoNC62GA7PUxzLO3Hhs1JqrskbQoW7q_nyDPqFQkJ7ae0ufY_lL5AyA",
        ),
        (
            b"a",
            Contents {
                scope: "",
                issued_unix_s: 0,
                holder: Holder([0; 8]),
                agreement: None,
                value: None,
            },
            "cg1.aMdDs6ChoqOkpaanqKmqq8PXjDWalrA-OYKyyaGUpu1EzHS833PR64mjSSYx9-ldrL8",
        ),
        (
            b"a",
            Contents {
                scope: "*.b",
                issued_unix_s: u64::MAX,
                holder: Holder([0xff; 8]),
                agreement: largest,
                value: Some(b"\0\xff;\""),
            },
            "cg1.aMdDs6ChoqOkpaanqKmqqxrsLbuFyG0DNyEn1whqLok_NVgJ6PkO4J-OVh-zF6-ZdCw3u4cXFzKaPdr3nxyOECA_bngXQbOIug",
        ),
    ] {
        let sealed = ring().seal_with(nonce(), cookie, &contents).unwrap();
        assert_eq!(String::from_utf8(sealed).unwrap(), text);
        let opened = ring().open(cookie, text.as_bytes()).unwrap();
        assert!(opened.contents() == contents, "{opened:?}");
    }
}

#[test]
fn the_id_of_a_key_is_its_digest() {
    assert_eq!(ring().ids().next().unwrap().to_string(), "68c743b3");
    assert_eq!(format!("{:?}", ring()), "KeyRing(68c743b3)");
}

#[test]
fn a_plaintext_of_another_form_is_forged() {
    let fine = "cg1.aMdDs6ChoqOkpaanqKmqq8Dav_x-LO2DBMNmTHEHXI-CEjgjdwEjoLcw3zKMOKIj2ww2";
    assert_eq!(ring().open(b"a", fine.as_bytes()).unwrap().scope(), "a");
    for (form, text) in [
        (
            "an unknown flag",
            "cg1.aMdDs6ChoqOkpaanqKmqqxura1JAxMoRa8T2titUSxoY_sLm7gN4Uf2JYXbDnuQOhlkP",
        ),
        ("nothing", "cg1.aMdDs6ChoqOkpaanqKmqqwDDbmPcRdDhC75fdgzYfGc"),
        (
            "a value without its flag",
            "cg1.aMdDs6ChoqOkpaanqKmqqz-CPFOjHBMnJEWUEWfXsVoHyG423_xwmZKoMGzVzEzVrZDEzA",
        ),
        ("half a time of issue", "cg1.aMdDs6ChoqOkpaanqKmqq-B4tM0oBRWjikWK4uiCH3W3EpNA7Q"),
        ("half a holder", "cg1.aMdDs6ChoqOkpaanqKmqq4XMCnLPmHx3iB2w6klXm6HBEuX-8Mu06vwqwPZN"),
        (
            "half an agreement",
            "cg1.aMdDs6ChoqOkpaanqKmqq4nx1OAXLlRxje2WNUVLB9mC50moGBCWbU--oE3HD6vyh5HiIGDEZvj5q03RSw",
        ),
        ("no scope", "cg1.aMdDs6ChoqOkpaanqKmqqwglsjX98GO_Bh7WR-HkY8lWXiSlD1SamMpq5zM8wzlNSg"),
        (
            "half a scope",
            "cg1.aMdDs6ChoqOkpaanqKmqq6zfRVNHIC-Ht8v38E-nqDd1YqVrc8EDdR4ZyjA3I6cndPvJ",
        ),
        (
            "a scope that is not UTF-8",
            "cg1.aMdDs6ChoqOkpaanqKmqq85Yjtx0Xm9QGM5aMDg9OMZPTdu8sH1VGrPHgXBEfDLinWo8",
        ),
    ] {
        let key = &ring().0[0];
        let decoded = base64_of(text);
        let mut ciphertext = decoded[16..].to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce());
        let authentic = key.open(nonce, super::associated(b"a"), &mut ciphertext);
        assert!(authentic.is_some(), "{form}: the key opens it");
        assert_eq!(ring().open(b"a", text.as_bytes()), Err(OpenError::Forged), "{form}");
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    URL_SAFE_NO_PAD.decode(&text[4..]).unwrap()
}

/// Vectors of RFC 8452, appendices C.2 (all lengths that differ in their blocks) and C.3 (the counter wraps): key, nonce,
/// associated data, plaintext, ciphertext with its tag.
const RFC_8452: [[&str; 5]; 9] = [
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "030000000000000000000000",
        "",
        "",
        "07f5f4169bbf55a8400cd47ea6fd400f",
    ],
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "030000000000000000000000",
        "",
        "01000000000000000000000000000000020000000000000000000000000000000300000000000000000000000000000004000000000000000000000000000000",
        "c2d5160a1f8683834910acdafc41fbb1632d4a353e8b905ec9a5499ac34f96c7e1049eb080883891a4db8caaa1f99dd004d80487540735234e3744512c6f90ce112864c269fc0d9d88c61fa47e39aa08",
    ],
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "030000000000000000000000",
        "01",
        "0200000000000000",
        "1de22967237a813291213f267e3b452f02d01ae33e4ec854",
    ],
    [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "030000000000000000000000",
        "0100000000000000000000000000000002000000",
        "030000000000000000000000000000000400",
        "462401724b5ce6588d5a54aae5375513a075cfcdf5042112aa29685c912fc2056543",
    ],
    [
        "e66021d5eb8e4f4066d4adb9c33560e4f46e44bb3da0015c94f7088736864200",
        "e0eaf5284d884a0e77d31646",
        "",
        "",
        "169fbb2fbf389a995f6390af22228a62",
    ],
    [
        "bae8e37fc83441b16034566b7a806c46bb91c3c5aedb64a6c590bc84d1a5e269",
        "e4b47801afc0577e34699b9e",
        "4fbdc66f14",
        "671fdd",
        "0eaccb93da9bb81333aee0c785b240d319719d",
    ],
    [
        "3c535de192eaed3822a2fbbe2ca9dfc88255e14a661b8aa82cc54236093bbc23",
        "688089e55540db1872504e1c",
        "734320ccc9d9bbbb19cb81b2af4ecbc3e72834321f7aa0f70b7282b4f33df23f167541",
        "ced532ce4159b035277d4dfbb7db62968b13cd4eec",
        "626660c26ea6612fb17ad91e8e767639edd6c9faee9d6c7029675b89eaf4ba1ded1a286594",
    ],
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "000000000000000000000000000000004db923dc793ee6497c76dcc03a98e108",
        "f3f80f2cf0cb2dd9c5984fcda908456cc537703b5ba70324a6793a7bf218d3eaffffffff000000000000000000000000",
    ],
    [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "000000000000000000000000",
        "",
        "eb3640277c7ffd1303c7a542d02d3e4c0000000000000000",
        "18ce4f0b8cb4d0cac65fea8f79257b20888e53e72299e56dffffffff000000000000000000000000",
    ],
];

#[test]
fn the_cipher_matches_rfc_8452() {
    for [key, nonce, associated, plaintext, expected] in RFC_8452 {
        let key = Key::new(&bytes(key).try_into().unwrap());
        let nonce = || Nonce::try_assume_unique_for_key(&bytes(nonce)).unwrap();
        let associated = || Aad::from(bytes(associated));
        let mut sealed = bytes(plaintext);
        let tag = key.seal(nonce(), associated(), &mut sealed).unwrap();
        sealed.extend(tag.as_ref());
        assert_eq!(sealed, bytes(expected));
        assert_eq!(key.open(nonce(), associated(), &mut sealed).unwrap(), bytes(plaintext));
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}
