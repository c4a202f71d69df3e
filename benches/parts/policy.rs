//! Judging: `Cookie` fields of 3, 6 and 50 pairs; `Set-Cookie` fields that are kept, rewritten, stripped; what is
//! renewed and evicted.

use std::{hint::black_box, sync::Arc};

use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, OutgoingSetCookie, Policy, RequestFacts, Resources,
    ResponseFacts, SetCookieFields,
    date::parse_cookie_date,
    declaration::{Declaration, DeclaredCookie, Lifetime, RenewOn, SessionDuration},
    superseded::Superseded,
    verdict::Verdict,
};

use super::Part;

/// The parts of a request.
pub(super) fn requests() -> Vec<Part> {
    let flexopus = declared_pairs("Qm9va");
    let [token, session, visited] = flexopus.clone();
    let six = [UNDECLARED[0].into(), token, UNDECLARED[2].into(), session, UNDECLARED[1].into()];
    let six = [&six[..], &[visited]].concat();
    let fifty: Vec<_> = (0..50).map(|n| format!("cookie_number_{n}=0123456789abcdef")).collect();
    let every_other: Vec<_> = fifty.iter().step_by(2).cloned().collect();
    let case = |what: &str, declared: Option<&[String]>, pairs: &[String]| {
        let (declared, field) = (declared.map(<[_]>::to_vec), pairs.join("; "));
        Part::new(format!("request: {what}"), move || {
            let declaration = declared.as_deref().map_or_else(Declaration::flexopus, declaring);
            let (policy, field) = (policy(declaration), field.clone());
            move || {
                let mut verdicts = 0;
                let mut record = |_: Verdict<'_>| verdicts += 1;
                let fields = [black_box(field.as_bytes())];
                black_box(policy.judge_request(PAGE, fields, &mut record));
                black_box(verdicts);
            }
        })
    };
    vec![
        case("3 pairs, all kept", None, &flexopus),
        case("6 pairs, all kept", Some(&six), &six),
        case("6 pairs, 3 stripped", None, &six),
        case("50 pairs, all kept", Some(&fifty), &fifty),
        case("50 pairs, 25 stripped", Some(&every_other), &fifty),
    ]
}

/// The parts of a response.
pub(super) fn responses() -> Vec<Part> {
    let undeclared = UNDECLARED
        .map(|pair| format!("{pair}; expires=Tue, 23-Nov-2027 12:00:00 GMT; path=/"))
        .to_vec();
    let declared = declared_pairs("bmV3a").map(|pair| format!("{pair}; {ASKED}")).to_vec();
    let deleted = ["flexopus_session=deleted; Max-Age=0; path=/; httponly".to_owned()].to_vec();
    let page = [&undeclared[..], &declared].concat();
    let as_declared = built(&declared);
    let three = declared_pairs("Qm9va").join("; ");
    let six = format!("{}; {three}", UNDECLARED[..3].join("; "));
    vec![
        response("3 fields, all as declared", PAGE, "", &as_declared),
        response("3 fields, all rewritten", PAGE, "", &declared),
        response("5 fields, all stripped", PAGE, "", &undeclared),
        response("8 fields, 5 stripped", PAGE, "", &page),
        response("8 fields, 5 stripped, 3 values superseded", PAGE, &three, &page),
        response("a deletion", PAGE, &three, &deleted),
        response("nothing to do", PAGE, &three, &[]),
        response("2 renewed", API, &three, &[]),
        response("3 names evicted", NAVIGATION, &six, &[]),
        date(),
    ]
}

/// Judging these fields, in answer to a request that was judged before.
fn response(
    what: &str,
    request: RequestFacts<'static>,
    cookie: &str,
    set_cookie: &[String],
) -> Part {
    let (cookie, set_cookie) = (cookie.to_owned(), set_cookie.to_vec());
    Part::new(format!("response: {what}"), move || {
        // What is judged borrows both, as long as the work is done: until the process ends.
        let policy: &Policy = Box::leak(Box::new(policy(Declaration::flexopus())));
        let cookie: &str = cookie.clone().leak();
        let cookie = Some(cookie.as_bytes()).filter(|cookie| !cookie.is_empty());
        let (_, judged) = policy.judge_request(request, cookie, &mut |_| ());
        let superseded = Superseded::new(65_536, 7);
        let set_cookie = set_cookie.clone();
        move || {
            let mut verdicts = 0;
            let mut record = |_: Verdict<'_>| verdicts += 1;
            let fields = black_box(&set_cookie).iter().map(String::as_bytes);
            let resources =
                Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
            black_box(judged.judge_response(ANSWER, fields, resources, &mut record));
            black_box(verdicts);
        }
    })
}

/// Reading the `Date` of a response.
fn date() -> Part {
    Part::new("date: read", || {
        || {
            black_box(parse_cookie_date(black_box(b"Mon, 23 Nov 2026 12:00:00 GMT")));
        }
    })
}

fn policy(declaration: Declaration) -> Policy {
    Policy {
        declaration: Arc::new(declaration),
        session: SessionDuration::ONE_WEEK,
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    }
}

/// Declares the names of these pairs, so that all of them stay.
fn declaring(pairs: &[String]) -> Declaration {
    let cookie = |pair: &String| {
        let name = pair.split('=').next().unwrap_or_default();
        DeclaredCookie {
            name: name.parse().expect("a token"),
            lifetime: Lifetime::Session,
            renew_on: RenewOn { methods: Vec::new(), paths: Vec::new() },
            ..Declaration::flexopus().cookies()[0].clone()
        }
    };
    Declaration::new(pairs.iter().map(cookie).collect()).expect("different names")
}

/// The fields that these leave as.
fn built(set_cookie: &[String]) -> Vec<String> {
    let policy = policy(Declaration::flexopus());
    let superseded = Superseded::new(64, 7);
    let (_, judged) = policy.judge_request(PAGE, None, &mut |_| ());
    let resources = Resources { tenant: "acme", superseded: &superseded, random: &mut || [0; 32] };
    let fields = set_cookie.iter().map(String::as_bytes);
    let outcome = judged.judge_response(ANSWER, fields, resources, &mut |_| ());
    let SetCookieFields::Replaced(fields) = outcome else { return set_cookie.to_vec() };
    let text = |field| match field {
        OutgoingSetCookie::Built(bytes) => String::from_utf8(bytes).expect("a field is ASCII"),
        OutgoingSetCookie::Kept(index) => set_cookie[index].clone(),
    };
    fields.into_iter().map(text).collect()
}

/// Flexopus' own cookies in their usual form: two that Laravel has encrypted, and a short value.
fn declared_pairs(seed: &str) -> [String; 3] {
    let encrypted = format!("eyJpdiI6{}%3D", seed.repeat(64));
    [
        format!("XSRF-TOKEN={encrypted}"),
        format!("flexopus_session={encrypted}"),
        "visitedMapBuilder=1".to_owned(),
    ]
}

const UNDECLARED: [&str; 5] = [
    "_ga=GA1.1.1234567890.1795428000",
    "_fbp=fb.1.1795428000000.1234567890",
    "_hjSessionUser_1234567=eyJpZCI6IjEyMzQ1Njc4In0=",
    "laravel_session=0123456789",
    "intercom-id-a1b2c3d4=5f8d0d55-b54e-4b3c-8d1f-0242ac130003",
];

/// The attributes with which Laravel sets a cookie.
const ASKED: &str =
    "expires=Tue, 24-Nov-2026 12:00:00 GMT; Max-Age=7200; path=/; httponly; samesite=lax";

/// A page that is loaded by a script.
const PAGE: RequestFacts<'_> = RequestFacts {
    method: "GET",
    path: "/dashboard",
    host: "acme.flexopus.example",
    accepts_html: false,
    seal: None,
};

const API: RequestFacts<'_> = RequestFacts { path: "/api/me", ..PAGE };

const NAVIGATION: RequestFacts<'_> = RequestFacts { accepts_html: true, ..PAGE };

const ANSWER: ResponseFacts = ResponseFacts {
    status: 200,
    date_unix_s: 1_795_435_200,
    now_unix_s: 1_795_435_200,
    uptime_s: 1,
};
