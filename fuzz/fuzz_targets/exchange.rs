//! Judges a whole exchange in both modes: the verdicts are the same, each cookie has exactly one, outgoing fields are
//! valid, and evictions are bounded. `Cache-Control` is private once it has been made private.

#![no_main]

use std::sync::Arc;

use arbitrary::Arbitrary;
use crumbgate_policy::{
    AgreementMode, CookieField, EvictScope, GuardMode, Mode, OutgoingSetCookie, Policy,
    RequestFacts, Resources, ResponseFacts, SetCookieFields, accepts_html,
    declaration::{Declaration, SessionDuration},
    make_private,
    superseded::Superseded,
    verdict::{Action, Direction, Verdict},
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Exchange<'a> {
    is_get: bool,
    path: &'a str,
    host: &'a str,
    accept: &'a [u8],
    cookie: Vec<&'a [u8]>,
    status: u16,
    date_unix_s: u64,
    uptime_s: u32,
    cache_control: &'a [u8],
    set_cookie: Vec<&'a [u8]>,
    reaches_parents: bool,
}

type Judged = (CookieField, SetCookieFields, Vec<(Direction, Vec<u8>, Action)>);

fuzz_target!(|exchange: Exchange<'_>| {
    let (upstream, downstream, verdicts) = exchange.judge(Mode::Enforce);
    let (reported, unchanged, would_be) = exchange.judge(Mode::Report);
    assert_eq!(verdicts, would_be);
    assert_eq!(unchanged, SetCookieFields::Untouched);
    assert!(!matches!(reported, CookieField::Removed));
    assert!(exchange.cookie.len() < 2 || !matches!(upstream, CookieField::Untouched));

    let cache_control = exchange.cache_control;
    let private = make_private(cache_control).unwrap_or_else(|| cache_control.to_vec());
    assert_eq!(make_private(&private), None);

    let count = |is_kind: fn(&Action) -> bool| verdicts.iter().filter(|v| is_kind(&v.2)).count();
    let on_seen =
        |action: &Action| matches!(action, Action::Keep | Action::Rewrite | Action::Strip(_));
    let in_responses =
        verdicts.iter().filter(|v| v.0 == Direction::Response && on_seen(&v.2)).count();
    assert_eq!(in_responses, exchange.set_cookie.len());
    assert!(count(|action| *action == Action::Evict) <= 20);

    let declaration = Declaration::flexopus();
    let mut evicting_bytes = 0;
    let SetCookieFields::Replaced(fields) = downstream else { return };
    for field in fields {
        let field = match field {
            OutgoingSetCookie::Built(field) => field,
            OutgoingSetCookie::Kept(index) => exchange.set_cookie[index].to_vec(),
        };
        assert!(http::HeaderValue::from_bytes(&field).is_ok());
        let name = field.split(|byte| *byte == b'=').next().unwrap_or_default();
        if !declaration.cookies().iter().any(|cookie| cookie.name.as_bytes() == name) {
            assert!(field[name.len()..].starts_with(b"=; Max-Age=0; Expires=Thu, 01 Jan 1970"));
            evicting_bytes += field.len();
        }
    }
    assert!(evicting_bytes <= 8192);
});

impl Exchange<'_> {
    fn judge(&self, mode: Mode) -> Judged {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::ONE_WEEK,
            mode,
            evict: if self.reaches_parents { EvictScope::Domain } else { EvictScope::Host },
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        let request = RequestFacts {
            method: if self.is_get { "GET" } else { "POST" },
            path: self.path,
            host: self.host,
            accepts_html: accepts_html([self.accept]),
            seal: None,
        };
        let response = ResponseFacts {
            status: self.status,
            date_unix_s: self.date_unix_s,
            now_unix_s: self.date_unix_s,
            uptime_s: self.uptime_s,
        };
        let mut verdicts = Vec::new();
        let mut record = |v: Verdict<'_>| verdicts.push((v.direction, v.name.to_vec(), v.action));
        let superseded = Superseded::new(8, 7);
        let resources =
            Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
        let fields = self.cookie.iter().copied();
        let (upstream, judged) = policy.judge_request(request, fields, &mut record);
        let fields = self.set_cookie.iter().copied();
        let downstream = judged.judge_response(response, fields, resources, &mut record);
        (upstream, downstream, verdicts)
    }
}
