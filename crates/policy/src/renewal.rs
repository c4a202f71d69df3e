//! Renews declared cookies that the browser sent, and injects those that it lacks (rules N1 to N6).
//!
//! A renewal never contradicts the application: there is none if the application has set the cookie itself (N1), if it
//! has rejected the request (N3), or if it has replaced or deleted the value, in this exchange or in another (N4).

use alloc::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{
    declaration::{DeclaredCookie, Inject},
    exchange::{RequestFacts, Resources, ResponseFacts, freshens},
    limits::fits,
    seal::Holder,
    superseded::ValueKey,
    verdict::{Action, NotRenewed},
};

/// The renewal or injection of one declared cookie.
pub(crate) struct Renewal<'a> {
    /// The application's value; `None` if the cookie holds only an agreement (G2).
    pub(crate) value: Option<Cow<'a, [u8]>>,
    /// Either `Renew` or `Inject`.
    pub(crate) action: Action,
}

impl<'a> Renewal<'a> {
    /// Decides how `cookie` is renewed if the browser sent this value (N1, N2), or returns the reason why it is not.
    ///
    /// A superseded value is neither renewed nor replaced by an injected one (N4). A value that is too large for
    /// browsers is not renewed.
    pub(crate) fn of(
        cookie: &'a DeclaredCookie,
        sent: Option<&'a [u8]>,
        resources: &mut Resources<'_>,
        uptime_s: u32,
    ) -> Result<Self, NotRenewed> {
        let inject = |value| Ok(Self { value: Some(value), action: Action::Inject });
        match (&cookie.inject, sent) {
            (Inject::Off, _) => Err(NotRenewed::Off),
            (Inject::Renew, None) => Err(NotRenewed::Absent),
            (Inject::Random | Inject::Renew | Inject::Value(_), Some(sent)) => {
                let name = cookie.name.as_bytes();
                if !fits(name, sent) {
                    return Err(NotRenewed::Oversize);
                }
                if resources.superseded.holds(resources.key(name, sent), uptime_s) {
                    return Err(NotRenewed::Superseded);
                }
                Ok(Self { value: Some(Cow::Borrowed(sent)), action: Action::Renew })
            }
            (Inject::Random, None) => {
                inject(Cow::Owned(URL_SAFE_NO_PAD.encode((resources.random)()).into_bytes()))
            }
            (Inject::Value(value), None) => inject(Cow::Borrowed(value.as_bytes())),
        }
    }
}

/// An event of the holder of a sealed cookie, remembered for five minutes for the sake of late responses (G7).
#[derive(Clone, Copy)]
pub(crate) enum HolderEvent {
    /// The person has agreed.
    Agreed,
    /// A session has replaced a cookie that held only an agreement.
    Replaced,
    /// The person has withdrawn the agreement.
    Withdrawn,
}

impl Renewal<'_> {
    /// The renewal of a cookie that holds only an agreement.
    pub(crate) const AGREEMENT: Self = Self { value: None, action: Action::Renew };
}

/// Checks that a response may renew cookies at all (N3).
pub(crate) fn is_open_to(
    request: RequestFacts<'_>,
    response: ResponseFacts,
) -> Result<(), NotRenewed> {
    if !(200..400).contains(&response.status) {
        return Err(NotRenewed::Status);
    }
    if freshens(request, response) {
        return Err(NotRenewed::Freshening);
    }
    if request.method == "OPTIONS" {
        return Err(NotRenewed::Options);
    }
    Ok(())
}

/// Remembers the application's change of `cookie` (N4): the value that it has set is valid, and the value that the browser
/// sent is superseded if it is a different one, or if the cookie was deleted (`set` is `None`).
///
/// Nothing is remembered for a cookie that is never renewed. The fields of one response are remembered in order, so the
/// last one counts, as in a browser (S7).
pub(crate) fn remember(
    cookie: &DeclaredCookie,
    sent: Option<&[u8]>,
    set: Option<&[u8]>,
    resources: &Resources<'_>,
    uptime_s: u32,
) {
    if cookie.inject == Inject::Off {
        return;
    }
    let name = cookie.name.as_bytes();
    if let Some(set) = set {
        resources.superseded.forget(resources.key(name, set));
    }
    if let Some(sent) = sent.filter(|sent| set != Some(sent)) {
        resources.superseded.remember(resources.key(name, sent), uptime_s);
    }
}

impl Resources<'_> {
    fn key<'k>(&'k self, name: &'k [u8], value: &'k [u8]) -> ValueKey<'k> {
        ValueKey { tenant: self.tenant, name, value }
    }

    /// Returns the key of an event. Its name begins with `=`, which no cookie's name does.
    pub(crate) fn event_key<'k>(&'k self, event: HolderEvent, holder: &'k Holder) -> ValueKey<'k> {
        let name: &[u8] = match event {
            HolderEvent::Agreed => b"=agreed",
            HolderEvent::Replaced => b"=replaced",
            HolderEvent::Withdrawn => b"=withdrawn",
        };
        self.key(name, &holder.0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        declaration::Declaration,
        fixture::{Exchange, LIVING},
        verdict::Reason,
    };

    const SESSION: (&str, Action) = ("flexopus_session", Action::Renew);
    const TOKEN: (&str, Action) = ("XSRF-TOKEN", Action::Renew);

    fn api() -> Exchange {
        Exchange::of("POST", "/api/bookings").sends("flexopus_session=s; XSRF-TOKEN=t")
    }

    /// A declaration of `XSRF-TOKEN` alone, renewed by everything.
    fn declare(inject: Inject) -> Exchange {
        let mut exchange = Exchange::of("GET", "/");
        let published = Declaration::flexopus().cookies().first().unwrap().clone();
        let mut cookie = DeclaredCookie { inject, ..published };
        cookie.renew_on.paths = vec!["/*".parse().unwrap()];
        exchange.policy.declaration = Arc::new(Declaration::new(vec![cookie]).unwrap());
        exchange
    }

    #[test]
    fn n1_a_value_that_the_browser_sent_is_renewed_for_a_full_lifetime() {
        let answer = api().answers(&[]);
        assert_eq!(
            answer.fields,
            [
                format!("XSRF-TOKEN=t; {LIVING}; SameSite=Lax"),
                format!("flexopus_session=s; {LIVING}; HttpOnly; SameSite=Lax"),
            ]
        );
        assert_eq!(answer.added(), [TOKEN, SESSION]);
        let elsewhere = Exchange::of("GET", "/dashboard").sends("flexopus_session=s");
        assert_eq!(elsewhere.answers(&[]).added(), []);
        assert_eq!(Exchange::of("GET", "/api/me").answers(&[]).added(), []);
    }

    #[test]
    fn n1_a_cookie_that_the_application_sets_is_not_renewed() {
        assert_eq!(api().answers(&["flexopus_session=new"]).added(), [TOKEN]);
        assert_eq!(api().answers(&["flexopus_session=; Max-Age=0"]).added(), [TOKEN]);
        let oversize = format!("flexopus_session={}", "v".repeat(4096));
        assert_eq!(api().answers(&[&oversize]).added(), [TOKEN]);
        assert_eq!(api().answers(&["flexopus_session=\u{1}", "XSRF-TOKEN=\u{1}"]).added(), []);
        assert_eq!(api().answers(&["flexopus_session", "_ga=1"]).added(), [TOKEN, SESSION]);
    }

    #[test]
    fn n1_values_that_browsers_would_not_store_are_not_renewed() {
        let field = format!("XSRF-TOKEN={}", "v".repeat(4087));
        let renewed =
            |field: &str| Exchange::of("GET", "/api/").sends(field).answers(&[]).added().len();
        assert_eq!((renewed(&field), renewed(field.strip_suffix('v').unwrap())), (0, 1));
    }

    #[test]
    fn n2_the_map_editor_cookie_is_injected_if_there_is_none() {
        let open = Exchange::of("GET", "/map-builder/3");
        let field = |value| {
            format!(
                "visitedMapBuilder={value}; Max-Age=1814400; Expires=Mon, 14 Dec 2026 12:00:00 GMT; Path=/; Secure; \
                 SameSite=Lax"
            )
        };
        let injected = open.answers(&[]);
        assert_eq!(injected.fields, [field("1")]);
        assert_eq!(injected.added(), [("visitedMapBuilder", Action::Inject)]);
        let malformed = open.clone().sends("visitedMapBuilder=a b");
        assert_eq!(malformed.answers(&[]).added(), [("visitedMapBuilder", Action::Inject)]);
        let renewed = open.sends("visitedMapBuilder=7").answers(&[]);
        assert_eq!(renewed.fields, [field("7")]);
        assert_eq!(renewed.added(), [("visitedMapBuilder", Action::Renew)]);
        assert_eq!(Exchange::of("POST", "/map-builder").answers(&[]).added(), []);
    }

    #[test]
    fn n2_each_way_of_injecting() {
        let random = "-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_v7-_s";
        for (inject, without, with) in [
            (Inject::Off, None, None),
            (Inject::Renew, None, Some("sent")),
            (Inject::Random, Some(random), Some("sent")),
            (Inject::Value("given".parse().unwrap()), Some("given"), Some("sent")),
        ] {
            let field = |value| format!("XSRF-TOKEN={value}; {LIVING}; SameSite=Lax");
            let exchange = declare(inject);
            assert_eq!(exchange.answers(&[]).fields, Vec::from_iter(without.map(field)));
            let sent = exchange.sends("XSRF-TOKEN=sent").answers(&[]);
            assert_eq!(sent.fields, Vec::from_iter(with.map(field)));
        }
    }

    #[test]
    fn n3_only_what_the_application_has_accepted_renews() {
        for (status, renews) in [
            (200, true),
            (204, true),
            (304, false),
            (399, true),
            (101, false),
            (199, false),
            (400, false),
            (401, false),
            (403, false),
            (419, false),
            (500, false),
        ] {
            assert_eq!(!api().status(status).answers(&[]).added().is_empty(), renews, "{status}");
        }
        for method in ["HEAD", "OPTIONS"] {
            let other = Exchange::of(method, "/api/").sends("flexopus_session=s");
            assert_eq!(other.answers(&[]).added(), [], "{method}");
        }
    }

    #[test]
    fn n4_a_value_that_was_replaced_or_deleted_is_not_renewed() {
        for by in ["flexopus_session=new", "flexopus_session=s; Max-Age=0"] {
            let slow = api();
            api_with(&slow, "/login").answers(&[by]);
            assert_eq!(slow.answers(&[]).added(), [TOKEN], "{by}");
        }
        let slow = api();
        api_with(&slow, "/login").answers(&["flexopus_session=s", "flexopus_session=\u{1}"]);
        assert_eq!(slow.answers(&[]).added(), [TOKEN, SESSION]);
    }

    /// Another exchange of the same browser and gateway.
    fn api_with(exchange: &Exchange, path: &'static str) -> Exchange {
        let superseded = Arc::clone(&exchange.superseded);
        let other = Exchange::of("POST", path).sends("flexopus_session=s; XSRF-TOKEN=t");
        Exchange { superseded, ..other }
    }

    #[test]
    fn n4_the_last_field_of_a_response_counts() {
        for (fields, dead) in [
            (["flexopus_session=; Max-Age=0", "flexopus_session=s"], false),
            (["flexopus_session=s", "flexopus_session=; Max-Age=0"], true),
            (["flexopus_session=other", "flexopus_session=s"], false),
        ] {
            let slow = api();
            api_with(&slow, "/login").answers(&fields);
            assert_eq!(slow.answers(&[]).added().contains(&SESSION), !dead, "{fields:?}");
        }
    }

    #[test]
    fn n4_a_value_that_the_application_sets_again_is_no_longer_superseded() {
        let browser = api();
        api_with(&browser, "/logout").answers(&["flexopus_session=; Max-Age=0"]);
        api_with(&browser, "/login").answers(&["flexopus_session=s"]);
        assert_eq!(browser.answers(&[]).added(), [TOKEN, SESSION]);
    }

    #[test]
    fn n4_is_forgotten_after_five_minutes_and_holds_within_one_tenant() {
        let browser = api();
        api_with(&browser, "/logout").answers(&["flexopus_session=; Max-Age=0"]);
        let at = |uptime_s| Exchange { uptime_s, ..browser.clone() }.answers(&[]).added().len();
        assert_eq!((at(0), at(299), at(300)), (1, 1, 2));
        let neighbour = Exchange { tenant: "other.flexopus.example", ..browser };
        assert_eq!(neighbour.answers(&[]).added(), [TOKEN, SESSION]);
    }

    #[test]
    fn n4_a_superseded_value_is_not_replaced_by_an_injected_one() {
        let slow = declare(Inject::Random).sends("XSRF-TOKEN=sent");
        slow.answers(&["XSRF-TOKEN=; Max-Age=0"]);
        assert_eq!(slow.answers(&[]).added(), []);
    }

    #[test]
    fn n4_of_duplicates_the_first_is_superseded() {
        let logout =
            Exchange::of("POST", "/logout").sends("flexopus_session=s; flexopus_session=r");
        logout.answers(&["flexopus_session=; Max-Age=0"]);
        assert_eq!(api_with(&logout, "/api/").answers(&[]).added(), [TOKEN]);
        let second = Exchange::of("GET", "/api/").sends("flexopus_session=r");
        let second = Exchange { superseded: Arc::clone(&logout.superseded), ..second };
        assert_eq!(second.answers(&[]).added(), [SESSION]);
    }

    #[test]
    fn n5_all_renewals_of_one_response_expire_at_the_same_instant() {
        let answer = api().answers(&["_ga=1"]);
        let expires = |field: &String| field.split("; ").nth(2).map(ToOwned::to_owned);
        let instants: Vec<_> = answer.fields.iter().filter_map(expires).collect();
        assert_eq!(instants, ["Expires=Mon, 23 Nov 2026 13:00:00 GMT"; 2]);
    }

    #[test]
    fn n6_duplicates_are_neither_renewed_nor_injected() {
        let field = "flexopus_session=s; flexopus_session=s; XSRF-TOKEN=t";
        let answer = Exchange::of("GET", "/api/").sends(field).answers(&[]);
        assert_eq!(answer.added(), [TOKEN]);
        assert!(
            answer
                .verdicts
                .contains(&("flexopus_session".to_owned(), Action::Strip(Reason::Duplicate)))
        );
        let malformed = "visitedMapBuilder=a b; visitedMapBuilder=1";
        assert_eq!(Exchange::of("GET", "/map-builder").sends(malformed).answers(&[]).added(), []);
    }

    #[test]
    fn n_a_cookie_that_is_not_renewed_has_a_reason() {
        let renewing = |exchange| Exchange { policy: declare(Inject::Renew).policy, ..exchange };
        let get = || Exchange::of("GET", "/").sends("XSRF-TOKEN=t");
        let superseded = renewing(get());
        superseded.answers(&["XSRF-TOKEN=; Max-Age=0"]);
        let huge = format!("XSRF-TOKEN={}", "v".repeat(4087));
        for (exchange, fields, expected) in [
            (renewing(get()), &[][..], None),
            (
                Exchange::of("GET", "/dashboard").sends("XSRF-TOKEN=t"),
                &[],
                Some(NotRenewed::Elsewhere),
            ),
            (renewing(Exchange::of("GET", "/")), &[], Some(NotRenewed::Absent)),
            (
                renewing(Exchange::of("GET", "/").sends("XSRF-TOKEN=a b")),
                &[],
                Some(NotRenewed::Absent),
            ),
            (renewing(get().sends("XSRF-TOKEN=u")), &[], Some(NotRenewed::Duplicated)),
            (declare(Inject::Off).sends("XSRF-TOKEN=t"), &[], Some(NotRenewed::Off)),
            (
                renewing(Exchange::of("OPTIONS", "/").sends("XSRF-TOKEN=t")),
                &[],
                Some(NotRenewed::Options),
            ),
            (renewing(Exchange::of("GET", "/").sends(&huge)), &[], Some(NotRenewed::Oversize)),
            (renewing(get()), &["XSRF-TOKEN=\u{1}"], Some(NotRenewed::SetByUpstream)),
            (renewing(get().status(401)), &["XSRF-TOKEN=n"], Some(NotRenewed::SetByUpstream)),
            (renewing(get().status(304)), &[], Some(NotRenewed::Freshening)),
            (
                renewing(Exchange::of("HEAD", "/").sends("XSRF-TOKEN=t")),
                &[],
                Some(NotRenewed::Freshening),
            ),
            (renewing(get().status(401)), &[], Some(NotRenewed::Status)),
            (superseded, &[], Some(NotRenewed::Superseded)),
        ] {
            let answer = exchange.answers(fields);
            let of_token = answer.declined.iter().find(|(name, _)| name == "XSRF-TOKEN");
            assert_eq!(of_token.map(|(_, reason)| *reason), expected, "{exchange:?}");
            assert_eq!(answer.added().is_empty(), expected.is_some());
            let others = exchange.policy.declaration.cookies().len();
            assert_eq!(answer.declined.len() + answer.added().len(), others, "each once");
        }
    }
}
