//! Keeps responses out of shared caches: rewrites `Cache-Control`, and names the fields that only such caches read (S9).

use alloc::vec::Vec;

use crate::syntax::{split_once, trim};

/// Makes one `Cache-Control` field private (RFC 9111, section 5.2.2.7); `None` if it is already.
///
/// `public`, `s-maxage` and a `private` that names fields are removed, and `private` becomes the first directive. All other
/// directives keep their order and their bytes, so that browsers may store nothing more than before. A field with `no-store`
/// gets no `private`, unless it also has `must-understand`, because of which a cache may ignore `no-store` (section
/// 5.2.2.3).
///
/// Caches differ in how they read several fields, and fields that are not well-formed. So each field of a response is
/// rewritten by itself, and its `private` precedes every quotation mark. A quotation mark without a second one quotes
/// nothing.
pub fn make_private(cache_control: &[u8]) -> Option<Vec<u8>> {
    let has = |name: &[u8]| directives(cache_control).any(|directive| is_named(directive, name));
    // What follows a quotation mark may be a part of the quoted text for some caches.
    let clear = directives(cache_control).take_while(|directive| !directive.contains(&b'"'));
    let (mut is_private, mut is_unstored) = (false, false);
    for directive in clear {
        is_private |= directive.eq_ignore_ascii_case(b"private");
        is_unstored |= directive.eq_ignore_ascii_case(b"no-store");
    }
    let needs_private = !is_unstored || has(b"must-understand");
    let is_loose = directives(cache_control).any(is_removed);
    if !is_loose && (is_private || !needs_private) {
        return None;
    }
    let stays = |directive: &&[u8]| !is_removed(directive) && !is_named(directive, b"private");
    let private = (needs_private || is_private).then_some(&b"private"[..]);
    let all = private.into_iter().chain(directives(cache_control).filter(stays));
    Some(all.collect::<Vec<_>>().join(&b", "[..]))
}

/// Returns true for the name (in lower case) of a field that some shared caches obey instead of `Cache-Control`: the targeted
/// fields of RFC 9213, such as `CDN-Cache-Control`, and the older ones of single products.
pub fn is_for_shared_caches(name: &str) -> bool {
    name.ends_with("-cache-control")
        || matches!(name, "edge-control" | "surrogate-control" | "x-accel-expires")
}

/// Returns true for a directive that lets shared caches store the response, or parts of it.
fn is_removed(directive: &[u8]) -> bool {
    is_named(directive, b"public")
        || is_named(directive, b"s-maxage")
        || (is_named(directive, b"private") && !directive.eq_ignore_ascii_case(b"private"))
}

fn is_named(directive: &[u8], name: &[u8]) -> bool {
    let given = split_once(directive, b'=').map_or(directive, |(name, _)| trim(name));
    given.eq_ignore_ascii_case(name)
}

/// Splits a field at its commas, except those in quoted strings, and trims each directive. None of them is empty.
fn directives(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    // Once a quotation mark has no second one, no later mark has one either.
    let mut is_quoting = true;
    let split = core::iter::from_fn(move || {
        let text = rest?;
        let behind = behind_directive(text, &mut is_quoting);
        let (directive, _) = text.split_at_checked(text.len().saturating_sub(behind.len()))?;
        rest = behind.split_first().map(|(_, rest)| rest);
        Some(trim(directive))
    });
    split.filter(|directive| !directive.is_empty())
}

/// Returns the text from the first comma on that is not in a quoted string. `is_quoting` becomes false at a quotation mark
/// without a second one.
fn behind_directive<'f>(mut text: &'f [u8], is_quoting: &mut bool) -> &'f [u8] {
    loop {
        text = match text {
            [] | [b',', ..] => return text,
            [b'"', quoted @ ..] if *is_quoting => {
                let behind = behind_quoted(quoted);
                *is_quoting = behind.is_some();
                behind.unwrap_or(quoted)
            }
            [_, rest @ ..] => rest,
        }
    }
}

/// Returns the text behind the quotation mark that ends a quoted string (RFC 9110, section 5.6.4).
fn behind_quoted(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = match text {
            [] => return None,
            [b'"', behind @ ..] => return Some(behind),
            [b'\\', _, rest @ ..] | [_, rest @ ..] => rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn s9_a_cache_control_is_made_private_and_nothing_is_loosened() {
        for (field, expected) in [
            ("", "private"),
            (" , ,", "private"),
            ("public", "private"),
            ("Public, MAX-AGE=60", "private, MAX-AGE=60"),
            ("max-age=60, S-MaxAge = 5 ,must-revalidate", "private, max-age=60, must-revalidate"),
            ("max-age=60,immutable", "private, max-age=60, immutable"),
            ("no-cache", "private, no-cache"),
            ("no-cache=\"set-cookie, x\"", "private, no-cache=\"set-cookie, x\""),
            ("private=\"set-cookie, public\", max-age=1", "private, max-age=1"),
            ("private=x", "private"),
            ("max-age=60, public, private", "private, max-age=60"),
            ("no-store, public", "no-store"),
            ("no-store, private, s-maxage=1", "private, no-store"),
            (
                "must-understand, no-store, max-age=60",
                "private, must-understand, no-store, max-age=60",
            ),
            ("no-store=x", "private, no-store=x"),
            ("x=\"\\\", public\", public", "private, x=\"\\\", public\""),
            ("x=\"a, private", "private, x=\"a"),
            ("x=\"a, public, no-store", "private, x=\"a, no-store"),
            ("x=\"a\", private, max-age=1", "private, x=\"a\", max-age=1"),
            ("private=\"x, no-store", "private, no-store"),
            ("x-public, proxy-revalidate", "private, x-public, proxy-revalidate"),
            ("public=\"\"", "private"),
        ] {
            let rewritten =
                make_private(field.as_bytes()).map(|field| String::from_utf8(field).unwrap());
            assert_eq!(rewritten.as_deref(), Some(expected), "{field}");
        }
    }

    #[test]
    fn s9_a_private_field_stays_as_it_is() {
        for field in [
            "private",
            "no-store",
            "No-Cache,  PRIVATE",
            "no-store, max-age=60",
            "must-understand, no-store, private",
            "max-age=60, private, x=\"a, public\"",
        ] {
            assert_eq!(make_private(field.as_bytes()), None, "{field}");
        }
    }

    #[test]
    fn s9_the_fields_of_shared_caches_are_known_by_name() {
        for (name, expected) in [
            ("cdn-cache-control", true),
            ("cloudflare-cdn-cache-control", true),
            ("akamai-cache-control", true),
            ("x-litespeed-cache-control", true),
            ("edge-control", true),
            ("surrogate-control", true),
            ("x-accel-expires", true),
            ("cache-control", false),
            ("expires", false),
            ("surrogate-key", false),
        ] {
            assert_eq!(is_for_shared_caches(name), expected, "{name}");
        }
    }

    /// A directive in the spellings that matter, or anything.
    fn any_directive() -> impl Strategy<Value = String> {
        prop_oneof![
            "(public|PUBLIC|s-maxage=9|S-MaxAge|private|Private|private=\"[a, ]{0,3}\"|no-store|must-understand)",
            "(max-age=60|no-cache|no-cache=\"[a,\\\\]{0,3}\"|immutable|x=\"(public, )?y\")",
            "[a-z\"\\\\,= ]{0,8}",
        ]
    }

    fn texts(field: &[u8]) -> Vec<String> {
        directives(field).map(|directive| String::from_utf8_lossy(directive).into_owned()).collect()
    }

    proptest! {
        #[test]
        fn s9_no_shared_cache_may_store_and_every_other_directive_stays(
            list in prop::collection::vec(any_directive(), 0..6),
        ) {
            let field = list.join(", ").into_bytes();
            let rewritten = make_private(&field).unwrap_or_else(|| field.clone());
            let left = texts(&rewritten);
            let has = |name: &str| left.iter().any(|directive| is_named(directive.as_bytes(), name.as_bytes()));
            let forbids = left.iter().any(|directive| directive.eq_ignore_ascii_case("no-store"));
            prop_assert!(has("private") || (forbids && !has("must-understand")), "{left:?}");
            prop_assert!(!has("public") && !has("s-maxage"), "{left:?}");
            let others = |list: Vec<String>| {
                let is_other = |directive: &String| {
                    let bytes = directive.as_bytes();
                    !is_removed(bytes) && !is_named(bytes, b"private")
                };
                list.into_iter().filter(is_other).collect::<Vec<_>>()
            };
            prop_assert_eq!(others(left.clone()), others(texts(&field)));
            prop_assert_eq!(make_private(&rewritten), None, "{:?}", left);
        }

        #[test]
        fn s9_any_bytes_can_be_rewritten(field in prop::collection::vec(any::<u8>(), 0..64)) {
            let rewritten = make_private(&field).unwrap_or(field);
            prop_assert_eq!(make_private(&rewritten), None);
        }
    }
}
