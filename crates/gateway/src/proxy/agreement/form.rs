//! The forms of the gateway's own pages: they agree, decline and withdraw (G7). A form works only if it was sent from a
//! page of the same origin, and its answer redirects to the same origin.

use http::{HeaderMap, HeaderValue, Response, Uri, header};

use super::{
    super::{body::Body, rejection::Rejection},
    action::AgreementAction,
    endpoint::AgreementEndpoint,
    page::{see_other, with_cookies},
};
use crumbgate_audit::AgreementEvent;
use crumbgate_base::language::Language;
use crumbgate_pages::page::{PageKind, settings::PageRoute};
use crumbgate_policy::{AgreementMode, JudgedRequest, Resources};

/// Rejects a form that was not sent from a page of the origin that it goes to.
///
/// # Errors
///
/// [`Rejection::CrossSite`].
pub fn check_origin(fields: &HeaderMap, authority: &HeaderValue) -> Result<(), Rejection> {
    if is_same_origin(fields, authority) { Ok(()) } else { Err(Rejection::CrossSite) }
}

/// Carries out the action of a form that comes from the same origin, and redirects.
pub(super) fn act(
    endpoint: &AgreementEndpoint<'_>,
    action: AgreementAction,
    (uri, fields): (&Uri, &HeaderMap),
    judged: &JudgedRequest<'_>,
    resources: &mut Resources<'_>,
) -> Result<Response<Body>, Rejection> {
    let &AgreementEndpoint { path, pages, recorder, authority, .. } = endpoint;
    check_origin(fields, authority)?;
    let page = stamp(uri).and_then(|stamp| pages.by_stamp(stamp));
    match action {
        AgreementAction::Agree | AgreementAction::Decline
            if recorder.tenant().policy.agreement == AgreementMode::Off =>
        {
            Ok(see_other(path.as_str()))
        }
        AgreementAction::Agree => {
            let back = way_back(fields, authority, path.as_str());
            // A page that has changed since is shown again: nobody agrees to what they have not seen.
            let Some(page) = page else { return Ok(see_other(back)) };
            let Some(field) = judged.agree(endpoint.response_facts(), resources) else {
                return Ok(see_other(back));
            };
            endpoint.count(AgreementEvent::Agreed, page);
            Ok(with_cookies(see_other(back), [field]))
        }
        AgreementAction::Decline => {
            let Some(page) = page else { return Ok(see_other(path.as_str())) };
            endpoint.count(AgreementEvent::Declined, page);
            Ok(see_other(&path.of(PageRoute::Declined)))
        }
        AgreementAction::Withdraw => {
            // A withdrawal is valid even if the page has changed.
            let current = || pages.get(PageKind::Cookies, Language::preferred(fields));
            let record = &mut recorder.record_at(endpoint.received.unix_s);
            let set_cookies = judged.withdraw(endpoint.response_facts(), resources, record);
            endpoint.count(AgreementEvent::Withdrawn, page.unwrap_or_else(current));
            Ok(with_cookies(see_other(&path.of(PageRoute::Withdrawn)), set_cookies))
        }
    }
}

/// Returns the stamp of the page that has the form: `?page=STAMP`.
fn stamp(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|parameter| parameter.strip_prefix("page="))
}

/// Returns true if a request comes from a page of its own origin, according to `Sec-Fetch-Site`, or, without that field,
/// to `Origin` (RFC 6454, section 7). Every browser that the gateway supports sends one of them.
pub(in super::super) fn is_same_origin(fields: &HeaderMap, authority: &HeaderValue) -> bool {
    let mut sites = fields.get_all("sec-fetch-site").iter();
    match (sites.next(), sites.next()) {
        (Some(site), None) => site.as_bytes() == b"same-origin",
        (Some(_), Some(_)) => false,
        (None, _) => {
            let mut origins = fields.get_all(header::ORIGIN).iter();
            let (origin, other) = (origins.next(), origins.next());
            let host = origin.and_then(|origin| origin.as_bytes().strip_prefix(b"https://"));
            other.is_none() && host.is_some_and(|host| is_authority(host, authority))
        }
    }
}

/// Returns the path and query of the page that the form was on, according to `Referer` (RFC 9110, section 10.1.3). `/` if
/// it names none, another origin, or one of the gateway's own pages below `base`.
fn way_back<'f>(fields: &'f HeaderMap, authority: &HeaderValue, base: &str) -> &'f str {
    let referer = fields.get(header::REFERER).and_then(|referer| referer.to_str().ok());
    let path = referer.and_then(|referer| path_of(referer, authority));
    path.filter(|path| is_safe(path) && !is_below(path, base)).unwrap_or("/")
}

/// Returns the path and query of a URL of this origin.
fn path_of<'u>(url: &'u str, authority: &HeaderValue) -> Option<&'u str> {
    let rest = url.strip_prefix("https://")?;
    let (host, path) = rest.split_at_checked(rest.find('/')?)?;
    is_authority(host.as_bytes(), authority).then_some(path)
}

fn is_authority(host: &[u8], authority: &HeaderValue) -> bool {
    let without_port =
        |host: &[u8]| host.strip_suffix(b":443").unwrap_or(host).to_ascii_lowercase();
    without_port(host) == without_port(authority.as_bytes())
}

/// Returns true if every browser reads it as a path of the same origin. `//` begins a host, `\` counts as `/`, and
/// browsers remove tabs and line feeds before they look for either (URL standard, "basic URL parser").
fn is_safe(path: &str) -> bool {
    path.starts_with('/')
        && !path.starts_with("//")
        && path.len() <= MAX_BACK_BYTES
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
}

fn is_below(path: &str, base: &str) -> bool {
    let rest = path.strip_prefix(base);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
}

/// The longest address that an answer redirects to, in bytes.
const MAX_BACK_BYTES: usize = 8192;

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const BASE: &str = "/.well-known/cookies";

    fn authority() -> HeaderValue {
        HeaderValue::from_static("Acme.example:8443")
    }

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn a_form_says_which_page_it_was_on() {
        for (uri, expected) in [
            ("/agree?page=a1", Some("a1")),
            ("/agree?x=1&page=", Some("")),
            ("/agree?xpage=1", None),
            ("/agree", None),
        ] {
            assert_eq!(stamp(&Uri::from_static(uri)), expected, "{uri}");
        }
    }

    #[test]
    fn g7_a_form_of_another_site_does_not_count() {
        for (lines, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (&[("sec-fetch-site", "same-origin"), ("origin", "null")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://acme.example:8443")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "https://acme.example:8443")], true),
            (&[("origin", "https://acme.example")], false),
            (&[("origin", "http://acme.example:8443")], false),
            (&[("origin", "https://acme.example:8443.evil.example")], false),
            (&[("origin", "null")], false),
            (&[("origin", "https://acme.example:8443"), ("origin", "https://evil.example")], false),
            (&[], false),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in lines {
                map.append(*name, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(is_same_origin(&map, &authority()), expected, "{lines:?}");
        }
        let plain = HeaderValue::from_static("acme.example");
        assert!(is_same_origin(&fields(&[("origin", "https://acme.example:443")]), &plain));
    }

    #[test]
    fn the_way_back_leads_to_where_the_person_was() {
        for (referer, expected) in [
            ("https://acme.example:8443/bookings?day=1&x=%2F", "/bookings?day=1&x=%2F"),
            ("https://acme.example:8443/", "/"),
            ("https://acme.example:8443", "/"),
            ("https://acme.example:8443/.well-known/cookies", "/"),
            ("https://acme.example:8443/.well-known/cookies/declined", "/"),
            ("https://acme.example:8443/.well-known/cookies2", "/.well-known/cookies2"),
            ("https://evil.example/bookings", "/"),
            ("https://acme.example:8443@evil.example/bookings", "/"),
            ("http://acme.example:8443/bookings", "/"),
            ("https://acme.example:8443//evil.example", "/"),
            ("https://acme.example:8443/\\evil.example", "/"),
            ("https://acme.example:8443/a\tb", "/"),
            ("/bookings", "/"),
            ("", "/"),
        ] {
            let fields = fields(&[("referer", referer)]);
            assert_eq!(way_back(&fields, &authority(), BASE), expected, "{referer:?}");
        }
        assert_eq!(way_back(&HeaderMap::new(), &authority(), BASE), "/");
    }

    proptest! {
        #[test]
        fn the_way_back_never_leaves_the_origin(
            path in r"[/\\.:@?#a-z0-9%\t ]{0,12}",
            prefix in prop_oneof![Just("https://acme.example:8443"), Just("https://acme.example:8443/"), Just("")],
        ) {
            let here = Url::parse("https://acme.example:8443/.well-known/cookies/agree").unwrap();
            let referer = format!("{prefix}{path}");
            let fields = fields(&[("referer", &referer)]);
            let back = way_back(&fields, &authority(), BASE);
            let there = here.join(back).unwrap();
            prop_assert_eq!(there.origin(), here.origin(), "{} from {}", back, referer);
        }
    }
}
