//! The cookies that the application sets: three declared ones, and undeclared trackers.

use cookie::{Cookie, SameSite};
use http::{HeaderMap, header::COOKIE};
use time::{Duration, OffsetDateTime};

use crumbgate_base::clock::Now;

use super::{
    random::random_text,
    session::{LIFETIME_S, Session},
};

/// The names of all trackers: first those set by `Set-Cookie`, then those set by script.
///
/// One more tracker has no name (`Set-Cookie: =…`), and is not in this list.
pub const TRACKERS: &[&str] = &names();

/// Each tracker's name, and the text after its `=`. `{random}` and `{host}` are replaced.
pub(super) const BY_HEADER: [(&str, &str); 12] = [
    ("_ga", "GA1.1.{random}.1763900000; Path=/; Max-Age=63072000"),
    ("_gid", "GA1.1.{random}; Path=/; Max-Age=86400; SameSite=Lax"),
    ("_fbp", "fb.1.1763900000000.{random}; path=/; max-age=7776000; samesite=lax"),
    ("laravel_debug", "1; path=/"),
    ("remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d", REMEMBER_ME),
    ("_hjSessionUser_123", "eyJpZCI6IjEyMyJ9; Path=/; Max-Age=31536000; SameSite=None; Secure"),
    ("intercom-device-id", "{random}; Domain={host}; Path=/; Max-Age=23328000"),
    ("_cfuvid", "{random}; Path=/; HttpOnly; Secure; SameSite=None; Partitioned"),
    ("legacy_prefs", "\"theme=dark, lang=de\"; Version=\"1\"; Path=\"/\""),
    // PHP reads this name as `flexopus_session`.
    ("flexopus.session", "{random}; Path=/"),
    ("optimizelyEndUserId", "oeu{random}; Path=/; Expires=Sun, 31-Dec-2034 23:59:59 GMT"),
    ("editor_heatmap", "{random}; Path=/map-builder; Max-Age=31536000"),
];

const REMEMBER_ME: &str = "eyJpdiI6IjEifQ%3D%3D; expires=Sun, 31-Dec-2034 23:59:59 GMT; \
                           Max-Age=157680000; path=/; httponly; samesite=lax";

/// The trackers that the pages' script sets, in the same form.
pub(super) const BY_SCRIPT: [(&str, &str); 8] = [
    ("_ga_G1ABC2", "GS1.1.{random}.1.1; path=/; max-age=63072000"),
    ("_gcl_au", "1.1.{random}; path=/; max-age=7776000"),
    ("_pk_id.1.abcd", "{random}.1763900000; path=/; max-age=33955200"),
    ("_pk_ses.1.abcd", "1; path=/; max-age=1800"),
    ("ajs_anonymous_id", "{random}; path=/; max-age=31536000; samesite=lax"),
    ("_clck", "{random}; path=/"),
    ("hubspotutk", "{random}; domain={host}; path=/; max-age=15552000"),
    ("heatmap_trail", "{random}; path=/map-builder; max-age=31536000"),
];

const fn names() -> [&'static str; BY_HEADER.len() + BY_SCRIPT.len()] {
    let mut names = [""; BY_HEADER.len() + BY_SCRIPT.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = if index < BY_HEADER.len() {
            BY_HEADER[index].0
        } else {
            BY_SCRIPT[index - BY_HEADER.len()].0
        };
        index += 1;
    }
    names
}

/// The `Set-Cookie` fields of the trackers, for a page of `host`.
pub(super) fn trackers(host: &str) -> Vec<String> {
    let fill = |(name, rest): &(&str, &str)| {
        let id = &random_text()[..16];
        format!("{name}={rest}").replace("{random}", id).replace("{host}", host)
    };
    BY_HEADER.iter().chain(&[("", "{random}; Path=/")]).map(fill).collect()
}

/// The `Set-Cookie` fields of a session, with Laravel's lifetime. They lack `Secure`, like those of an application that
/// does not know that it is behind a TLS proxy.
pub(super) fn session_cookies(session: &Session, now: Now) -> [String; 2] {
    let lifetime = Duration::seconds(i64::from(LIFETIME_S));
    let token = declared("XSRF-TOKEN", &session.token, lifetime, now);
    let id = declared("flexopus_session", &session.id, lifetime, now).http_only(true);
    [token.to_string(), id.to_string()]
}

/// The `Set-Cookie` field of the map editor.
pub(super) fn map_editor_cookie(now: Now) -> String {
    declared("visitedMapBuilder", "1", Duration::days(365), now).to_string()
}

fn declared<'c>(
    name: &'c str,
    value: &'c str,
    lifetime: Duration,
    now: Now,
) -> cookie::CookieBuilder<'c> {
    let unix_s = i64::try_from(now.unix_s).unwrap_or(i64::MAX);
    let now = OffsetDateTime::from_unix_timestamp(unix_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    Cookie::build((name, value))
        .expires(now.saturating_add(lifetime))
        .max_age(lifetime)
        .path("/")
        .same_site(SameSite::Lax)
}

/// The `Set-Cookie` fields that end a session, as Laravel writes them, with a date in the old format.
pub(super) const END_OF_SESSION: [&str; 2] = [
    "XSRF-TOKEN=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; samesite=lax",
    "flexopus_session=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0; path=/; httponly; \
     samesite=lax",
];

/// The pairs of the request's `Cookie` fields as they arrived, including malformed ones.
pub(super) fn received(fields: &HeaderMap) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for field in fields.get_all(COOKIE) {
        let text = String::from_utf8_lossy(field.as_bytes());
        pairs.extend(text.split(';').map(str::trim).filter(|part| !part.is_empty()).map(read_pair));
    }
    pairs
}

fn read_pair(pair: &str) -> (String, String) {
    let (name, value) = pair.split_once('=').unwrap_or(("", pair));
    (name.to_owned(), value.to_owned())
}
