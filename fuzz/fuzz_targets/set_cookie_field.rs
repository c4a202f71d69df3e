//! Judges any bytes as one `Set-Cookie` field. The outgoing field is a valid field of a declared cookie, and judging it
//! again changes nothing.

#![no_main]

use std::sync::Arc;

use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, OutgoingSetCookie, Policy, RequestFacts, Resources,
    ResponseFacts, SetCookieFields,
    declaration::{Declaration, SessionDuration},
    superseded::Superseded,
    verdict::{Action, Verdict},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|field: &[u8]| {
    let policy = Policy {
        declaration: Arc::new(Declaration::flexopus()),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Off,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    };
    let Some(left) = judge(&policy, field) else { return };
    assert!(http::HeaderValue::from_bytes(&left).is_ok());
    let name = left.split(|byte| *byte == b'=').next().unwrap_or_default();
    assert!(policy.declaration.cookies().iter().any(|cookie| cookie.name.as_bytes() == name));
    let count =
        |attribute: &[u8]| left.windows(attribute.len()).filter(|w| w == &attribute).count();
    assert!(
        count(b"; Max-Age=") == 1 && count(b"; Expires=") == 1 && count(b"; Path=/; Secure") == 1
    );
    assert_eq!(judge(&policy, &left).as_ref(), Some(&left));
});

/// Returns the outgoing field; `None` if it is stripped.
fn judge(policy: &Policy, field: &[u8]) -> Option<Vec<u8>> {
    let request = RequestFacts {
        method: "POST",
        path: "/",
        host: "acme.example",
        accepts_html: false,
        seal: None,
    };
    let response =
        ResponseFacts { status: 200, date_unix_s: 1_795_435_200, now_unix_s: 0, uptime_s: 0 };
    let superseded = Superseded::new(8, 7);
    let resources = Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
    let (_, judged) = policy.judge_request(request, [], &mut |_| ());
    let mut actions = Vec::new();
    let mut record = |verdict: Verdict<'_>| actions.push(verdict.action);
    let outcome = judged.judge_response(response, [field], resources, &mut record);
    match (outcome, actions.as_slice()) {
        (SetCookieFields::Untouched, [Action::Keep]) => Some(field.to_vec()),
        (SetCookieFields::Replaced(fields), [Action::Rewrite]) => match fields.as_slice() {
            [OutgoingSetCookie::Built(left)] => Some(left.clone()),
            other => panic!("a field that is rewritten is one field: {other:?}"),
        },
        (SetCookieFields::Replaced(fields), [Action::Strip(_)]) => {
            assert!(fields.is_empty());
            None
        }
        other => panic!("one field has one verdict: {other:?}"),
    }
}
