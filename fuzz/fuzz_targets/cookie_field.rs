//! Judges any bytes as `Cookie` fields, one per line. Only declared names go upstream, each once and well-formed.

#![no_main]

use std::sync::Arc;

use crumbgate_policy::{
    AgreementMode, CookieField, EvictScope, GuardMode, Mode, Policy, RequestFacts,
    declaration::{Declaration, SessionDuration},
    verdict::Action,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let policy = Policy {
        declaration: Arc::new(Declaration::flexopus()),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    };
    let request = RequestFacts {
        method: "GET",
        path: "/",
        host: "acme.example",
        accepts_html: true,
        seal: None,
    };
    let fields: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    let (mut kept, mut seen) = (0, 0);
    let (outcome, _) = policy.judge_request(request, fields.iter().copied(), &mut |verdict| {
        seen += 1;
        kept += usize::from(verdict.action == Action::Keep);
    });
    let outgoing = match outcome {
        CookieField::Removed => Vec::new(),
        CookieField::Replaced(field) => field,
        CookieField::Untouched => fields.concat(),
    };
    let blank: &[_] = &[' ', '\t'];
    let text = std::str::from_utf8(&outgoing).expect("the outgoing field is ASCII");
    let pairs: Vec<_> =
        text.split(';').map(|pair| pair.trim_matches(blank)).filter(|p| !p.is_empty()).collect();
    assert_eq!(pairs.len(), kept, "each kept pair goes upstream");
    assert!(kept <= seen);
    let mut names = Vec::new();
    for pair in pairs {
        let (name, value) = pair.split_once('=').expect("a pair has a name");
        assert!(policy.declaration.cookies().iter().any(|cookie| cookie.name.as_str() == name));
        assert!(!names.contains(&name), "a name goes upstream once");
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\\".contains(&byte)));
        names.push(name);
    }
});
