//! Properties of a withdrawal (E4), for any request.

use crumbgate_policy::verdict::{Action, Direction};
use http::HeaderValue;
use proptest::prelude::*;

use crate::exchange::{Exchange, any_exchange};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn e4_a_withdrawal_deletes_what_is_declared_and_stays_within_its_bounds(
        exchange in any_exchange(),
        junk in prop::collection::vec((b'!'..=b'~', prop_oneof![1..4usize, 300..900usize]), 0..60),
    ) {
        let pairs = junk.iter().map(|(byte, length)| [&vec![*byte; *length], &b"=1"[..]].concat());
        let junk = pairs.collect::<Vec<_>>().join(&b';');
        let cookie = exchange.cookie.iter().cloned().chain([junk]).collect();
        let exchange = Exchange { cookie, ..exchange };
        let (fields, verdicts) = exchange.withdraw();
        let declared = exchange.policy.declaration.cookies();
        let (first, others) = fields.split_at(declared.len());
        for (field, cookie) in first.iter().zip(declared) {
            prop_assert_eq!(name_of(field), cookie.name.as_bytes(), "every one, as it is declared");
        }
        prop_assert!(others.len() <= 80);
        prop_assert!(others.iter().map(Vec::len).sum::<usize>() <= 12_288);
        let sent = exchange.cookie.join(&b';');
        for field in &fields {
            prop_assert!(HeaderValue::from_bytes(field).is_ok(), "{}", field.escape_ascii());
            let rest = &field[name_of(field).len()..];
            prop_assert!(rest.starts_with(b"=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; "));
        }
        for (index, field) in others.iter().enumerate() {
            prop_assert!(!others[..index].contains(field), "each once: {}", field.escape_ascii());
            let name = name_of(field);
            prop_assert!(sent.windows(name.len()).any(|part| part == name), "it came");
        }
        let is_declared = |name: &[u8]| declared.iter().any(|cookie| cookie.name.as_bytes() == name);
        for (index, (direction, name, action)) in verdicts.iter().enumerate() {
            prop_assert_eq!((*direction, *action), (Direction::Response, Action::Evict));
            prop_assert!(!is_declared(name), "E2");
            prop_assert!(!verdicts[..index].iter().any(|(_, other, _)| other == name), "each once");
            prop_assert!(others.iter().any(|field| name_of(field) == name));
        }
        let is_counted = |name: &[u8]| verdicts.iter().any(|(_, counted, _)| counted == name);
        prop_assert!(others.iter().map(|field| name_of(field)).all(|n| is_declared(n) || is_counted(n)));
    }
}

fn name_of(field: &[u8]) -> &[u8] {
    field.split(|byte| *byte == b'=').next().unwrap_or_default()
}
