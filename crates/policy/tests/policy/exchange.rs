//! One exchange through the public interface of the policy, and the generators that the properties share.

use std::{fmt::Write as _, sync::Arc};

use crumbgate_policy::{
    AgreementMode, CookieField, EvictScope, GuardMode, Mode, OutgoingSetCookie, Policy,
    RequestFacts, Resources, ResponseFacts, SetCookieFields,
    declaration::{
        Declaration, DeclaredCookie, Inject, Lifetime, PathPattern, RenewOn, SameSite,
        SessionDuration,
    },
    sealing::{SealFacts, Sealing},
    superseded::Superseded,
    verdict::{Action, Direction, Verdict},
};
use proptest::prelude::*;

/// 2026-11-23 12:00:00.
pub(crate) const DATE_UNIX_S: u64 = 1_795_435_200;

/// A verdict that outlives its field.
pub(crate) type Judged = (Direction, Vec<u8>, Action);

/// The input of the policy.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) policy: Policy,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) accepts_html: bool,
    pub(crate) cookie: Vec<Vec<u8>>,
    pub(crate) status: u16,
    pub(crate) date_unix_s: u64,
    pub(crate) set_cookie: Vec<Vec<u8>>,
    /// The keys and rules for the sealed cookie.
    pub(crate) sealing: Option<Sealing>,
}

/// The output of the policy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) upstream: CookieField,
    /// The `Cookie` field that goes upstream.
    pub(crate) cookie: Option<Vec<u8>>,
    pub(crate) downstream: SetCookieFields,
    /// The `Set-Cookie` fields that go downstream.
    pub(crate) set_cookie: Vec<Vec<u8>>,
    pub(crate) verdicts: Vec<Judged>,
}

impl Exchange {
    /// A request for `/` without cookies, and a response without cookies.
    pub(crate) fn plain(policy: Policy) -> Self {
        Self {
            policy,
            method: "GET".to_owned(),
            path: "/".to_owned(),
            host: "acme.flexopus.example".to_owned(),
            accepts_html: false,
            cookie: Vec::new(),
            status: 200,
            date_unix_s: DATE_UNIX_S,
            set_cookie: Vec::new(),
            sealing: None,
        }
    }

    /// Returns the same exchange in report mode.
    pub(crate) fn reported(&self) -> Self {
        let policy = Policy { mode: Mode::Report, ..self.policy.clone() };
        Self { policy, ..self.clone() }
    }

    /// Judges the request and its response, with an empty memory.
    pub(crate) fn judge(&self) -> Outcome {
        self.judge_with(&Superseded::new(8, 7))
    }

    fn judge_with(&self, superseded: &Superseded) -> Outcome {
        let mut verdicts = Vec::new();
        let mut record = |v: Verdict<'_>| verdicts.push((v.direction, v.name.to_vec(), v.action));
        let cookie = self.cookie.iter().map(Vec::as_slice);
        let (upstream, judged) = self.policy.judge_request(self.request(), cookie, &mut record);
        let response = self.response();
        let resources = Resources { tenant: "acme", superseded, random: &mut || [7; 32] };
        let set_cookie = self.set_cookie.iter().map(Vec::as_slice);
        let downstream = judged.judge_response(response, set_cookie, resources, &mut record);
        Outcome {
            cookie: self.outgoing_cookie(&upstream),
            upstream,
            set_cookie: self.outgoing_set_cookie(&downstream),
            downstream,
            verdicts,
        }
    }

    /// Withdraws instead of asking the application (E4), with an empty memory. Returns the fields and their verdicts.
    pub(crate) fn withdraw(&self) -> (Vec<Vec<u8>>, Vec<Judged>) {
        let cookie = self.cookie.iter().map(Vec::as_slice);
        let (_, judged) = self.policy.judge_request(self.request(), cookie, &mut |_| ());
        let mut verdicts = Vec::new();
        let mut record = |v: Verdict<'_>| verdicts.push((v.direction, v.name.to_vec(), v.action));
        let superseded = &Superseded::new(8, 7);
        let resources = Resources { tenant: "acme", superseded, random: &mut || [7; 32] };
        let fields = judged.withdraw(self.response(), &resources, &mut record);
        (fields, verdicts)
    }

    fn request(&self) -> RequestFacts<'_> {
        RequestFacts {
            method: &self.method,
            path: &self.path,
            host: &self.host,
            accepts_html: self.accepts_html,
            seal: self.sealing.as_ref().map(|sealing| SealFacts {
                sealing,
                tenant: "acme",
                now_unix_s: DATE_UNIX_S,
            }),
        }
    }

    fn response(&self) -> ResponseFacts {
        ResponseFacts {
            status: self.status,
            date_unix_s: self.date_unix_s,
            now_unix_s: DATE_UNIX_S,
            uptime_s: 0,
        }
    }

    fn outgoing_cookie(&self, upstream: &CookieField) -> Option<Vec<u8>> {
        match upstream {
            CookieField::Removed => None,
            CookieField::Replaced(field) => Some(field.clone()),
            CookieField::Untouched => {
                assert!(self.cookie.len() <= 1, "R1: upstream sees at most one field");
                self.cookie.first().cloned()
            }
        }
    }

    fn outgoing_set_cookie(&self, downstream: &SetCookieFields) -> Vec<Vec<u8>> {
        match downstream {
            SetCookieFields::Untouched => self.set_cookie.clone(),
            SetCookieFields::Replaced(fields) => fields
                .iter()
                .map(|field| match field {
                    OutgoingSetCookie::Built(bytes) => bytes.clone(),
                    OutgoingSetCookie::Kept(index) => self.set_cookie[*index].clone(),
                })
                .collect(),
        }
    }
}

impl Outcome {
    /// Counts the verdicts of one direction and one kind.
    pub(crate) fn count(&self, direction: Direction, is_kind: fn(Action) -> bool) -> usize {
        self.verdicts.iter().filter(|(d, _, action)| *d == direction && is_kind(*action)).count()
    }
}

/// Returns true for a verdict on a cookie that was seen.
pub(crate) fn is_on_seen(action: Action) -> bool {
    matches!(action, Action::Keep | Action::Rewrite | Action::Strip(_))
}

/// A tenant with the built-in declaration and a session of one hour.
pub(crate) fn flexopus() -> Policy {
    policy(Declaration::flexopus())
}

/// A tenant with a session of one hour.
pub(crate) fn policy(declaration: Declaration) -> Policy {
    Policy {
        declaration: Arc::new(declaration),
        session: SessionDuration::try_from(3600).unwrap(),
        mode: Mode::Enforce,
        evict: EvictScope::Host,
        seal: false,
        agreement: AgreementMode::Off,
        guard: GuardMode::Off,
    }
}

/// Declares `name` with the smallest declaration; never renewed.
pub(crate) fn declared(name: &str) -> DeclaredCookie {
    DeclaredCookie {
        name: name.parse().unwrap(),
        lifetime: Lifetime::Session,
        renew_on: RenewOn { methods: Vec::new(), paths: Vec::new() },
        inject: Inject::Off,
        http_only: false,
        same_site: SameSite::Lax,
        path: "/".parse().unwrap(),
        domain: None,
        purpose: Vec::new(),
        without: Vec::new(),
    }
}

/// The built-in declaration, one that uses every feature of a declaration, or an empty one.
pub(crate) fn any_policy() -> impl Strategy<Value = Policy> {
    let everything = || {
        let on_all =
            RenewOn { methods: Vec::new(), paths: vec![PathPattern::Prefix(String::new())] };
        let with = |name: &str, inject| DeclaredCookie {
            renew_on: on_all.clone(),
            inject,
            ..declared(name)
        };
        let wide = DeclaredCookie {
            domain: Some("flexopus.example".parse().unwrap()),
            path: "/app".parse().unwrap(),
            same_site: SameSite::None,
            http_only: true,
            ..with("a", Inject::Random)
        };
        let three = [with("__Host-b", Inject::Value("1".parse().unwrap())), declared("XSRF-TOKEN")];
        let all = [wide].into_iter().chain(three).chain([with("flexopus_session", Inject::Renew)]);
        policy(Declaration::new(all.collect()).unwrap())
    };
    let scopes = [EvictScope::Off, EvictScope::Host, EvictScope::Domain];
    let policies = prop_oneof![
        4 => Just(flexopus()),
        4 => Just(everything()),
        1 => Just(policy(Declaration::new(Vec::new()).unwrap())),
    ];
    (policies, prop::sample::select(scopes.to_vec()), 60..=34_560_000u64).prop_map(
        |(policy, evict, session)| Policy {
            evict,
            session: SessionDuration::try_from(session).unwrap(),
            ..policy
        },
    )
}

/// Bytes that resemble a field: names, values and separators in any order.
pub(crate) fn any_field() -> impl Strategy<Value = Vec<u8>> {
    let pieces = [
        "flexopus_session",
        "XSRF-TOKEN",
        "visitedMapBuilder",
        "a",
        "__Host-b",
        "_ga",
        "flexopus",
        "_session",
        "session",
        "=",
        "=",
        "=",
        "=",
        ";",
        ";",
        ";",
        "; ",
        ", ",
        ",",
        " ",
        "\t",
        "\"",
        "\\",
        ".",
        "[",
        "]",
        "%5F",
        "$",
        "\0",
        "\n",
        "\r\n",
        "\u{7f}",
        "ä",
        "1",
        "abc",
        "eyJpdiI6",
        "Max-Age=0",
        "max-age=60",
        "Max-Age=-1",
        "expires=",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Expires=Fri, 31 Dec 9999 23:59:59 GMT",
        "Path=/",
        "Domain=x.example",
        "SameSite=Strict",
        "SameSite=None",
        "Secure",
        "HttpOnly",
        "Partitioned",
    ];
    let piece = prop_oneof![
        12 => prop::sample::select(pieces.to_vec()).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
        1 => (4080..4100usize).prop_map(|length| vec![b'v'; length]),
    ];
    let near = prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat());
    prop_oneof![4 => near, 2 => well_formed_pairs(), 1 => prop::collection::vec(any::<u8>(), 0..64)]
}

/// A well-formed `Cookie` field of declared and undeclared names.
pub(crate) fn well_formed_pairs() -> impl Strategy<Value = Vec<u8>> {
    let names =
        ["flexopus_session", "XSRF-TOKEN", "visitedMapBuilder", "_ga", "a", "__Host-b", "x"];
    let pair = (prop::sample::select(names.to_vec()), "[!#-+./0-9:<-@A-Z^_`a-z{|}~-]{0,12}");
    prop::collection::vec(pair, 0..8).prop_map(|pairs| {
        let mut field = String::new();
        for (name, value) in pairs {
            let separator = if field.is_empty() { "" } else { "; " };
            write!(field, "{separator}{name}={value}").unwrap();
        }
        field.into_bytes()
    })
}

/// Any exchange, odd ones more often than usual ones.
pub(crate) fn any_exchange() -> impl Strategy<Value = Exchange> {
    let paths = ["/", "/api", "/api/v1/me", "/map-builder/3", "/a/b/c/d", "/a;b", "*", "", "/ü"];
    let hosts = ["acme.flexopus.example", "a.b.co.uk", "localhost", "192.0.2.1", "[::1]", ""];
    let request = (
        prop::sample::select(vec!["GET", "POST", "HEAD", "OPTIONS"]),
        prop::sample::select(paths.to_vec()),
        prop::sample::select(hosts.to_vec()),
        any::<bool>(),
        prop::collection::vec(any_field(), 0..4),
    );
    let response = (
        prop::sample::select(vec![101, 200, 204, 302, 304, 401, 419, 500]),
        prop_oneof![Just(DATE_UNIX_S), any::<u64>()],
        prop::collection::vec(any_field(), 0..4),
    );
    (any_policy(), request, response).prop_map(|(policy, request, response)| {
        let (method, path, host, accepts_html, cookie) = request;
        let (status, date_unix_s, set_cookie) = response;
        Exchange {
            policy,
            method: method.to_owned(),
            path: path.to_owned(),
            host: host.to_owned(),
            accepts_html,
            cookie,
            status,
            date_unix_s,
            set_cookie,
            sealing: None,
        }
    })
}
