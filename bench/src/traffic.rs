//! The traffic of browsers and the application: the cookies, fields and bodies of every load.
//!
//! Values are made of a fixed sequence, so that each run sends the same bytes.

use std::fmt::Write as _;

use crate::clients::{self, paths};

/// The domain whose hosts are the tenants.
pub const DOMAIN: &str = "bench.example";

/// The host that is asked: one tenant of many.
pub const HOST: &str = "t42.bench.example";

/// The cookies of the declaration that have a tenant's lifetime or, the last, one of its own.
pub const DECLARED: [&str; 3] = ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"];

/// The most undeclared cookies of a load.
pub const UNDECLARED_MAX: usize = 8;

/// The number of the page's eight fields that set an undeclared cookie.
pub const PAGE_UNDECLARED: usize = 5;

/// Bytes of the page.
pub const PAGE_BYTES: usize = 8192;

/// The application's answer under one path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The path under which it is.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// The `Set-Cookie` fields.
    pub set_cookies: Vec<String>,
    /// The body.
    pub body: String,
}

/// A request of a load: `GET`, with everything that a browser sends along.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The path.
    pub path: String,
    /// Its fields, without `Host`.
    pub fields: Vec<(&'static str, String)>,
}

impl Request {
    /// As the clients want it, for [`HOST`].
    pub fn to_client(&self) -> clients::Request {
        let fields = self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone()));
        clients::Request {
            method: "GET".into(),
            path: self.path.clone(),
            headers: fields.collect(),
        }
    }
}

/// Small JSON of an API with so many undeclared cookies each way. The application sets the declared ones, too.
pub fn json(undeclared: usize) -> Request {
    request(json_path(undeclared), "application/json", undeclared)
}

/// Small JSON of an API where the application sets no cookie at all: the gateway renews the session and its token.
///
/// It comes from another browser: what the application has replaced in one answer is not renewed in the next.
pub fn renewal() -> Request {
    let mut renewal = without_cookies(json(0));
    renewal.path = RENEWAL_PATH.into();
    renewal.fields.push(("cookie", cookies_of_browser(2, PAGE_UNDECLARED)));
    renewal
}

/// A page of 8 KiB: 8 `Set-Cookie` fields, of which 5 are undeclared, and as many undeclared cookies sent.
///
/// It is fetched by a script, so nothing is evicted: no peer evicts.
pub fn page() -> Request {
    request(PAGE_PATH.into(), "*/*", PAGE_UNDECLARED)
}

/// The same page, as a browser navigates to it: the gateway also evicts what it should not have.
pub fn navigation() -> Request {
    let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    request(PAGE_PATH.into(), accept, PAGE_UNDECLARED)
}

/// A few bytes that are no API's, with cookies.
pub fn tiny() -> Request {
    request(paths::TINY.into(), "*/*", PAGE_UNDECLARED)
}

/// The same request without cookies.
pub fn without_cookies(mut request: Request) -> Request {
    request.fields.retain(|(name, _)| *name != "cookie");
    request
}

/// All that the application answers.
pub fn answers() -> Vec<Answer> {
    let json_body = concat!(
        r#"{"data":{"id":4217,"resource":"desk-3.14","floor":"3","from":"2026-11-26T08:00:00Z","#,
        r#""to":"2026-11-26T17:00:00Z","user":{"id":88,"name":"A. Example"},"status":"booked"}}"#
    );
    let json = |path: String, set_cookies| Answer {
        path,
        content_type: "application/json",
        set_cookies,
        body: json_body.into(),
    };
    let mut answers: Vec<_> = [0, 1, UNDECLARED_MAX]
        .into_iter()
        .map(|undeclared| json(json_path(undeclared), set_cookies(undeclared)))
        .collect();
    answers.push(json(RENEWAL_PATH.into(), Vec::new()));
    answers.push(Answer {
        path: PAGE_PATH.into(),
        content_type: "text/html; charset=utf-8",
        set_cookies: set_cookies(PAGE_UNDECLARED),
        body: page_body(),
    });
    answers.push(Answer {
        path: paths::TINY.into(),
        content_type: "text/plain",
        set_cookies: Vec::new(),
        body: "ok\n".into(),
    });
    answers
}

/// The `Cookie` field with all declared cookies and so many undeclared ones, in a browser's order: by age.
pub fn cookie_field(undeclared: usize) -> String {
    cookies_of_browser(1, undeclared)
}

fn cookies_of_browser(browser: u64, undeclared: usize) -> String {
    let [token, session, visited] = DECLARED;
    let mut pairs = vec![
        format!("{token}={}", sealed(browser * 10)),
        format!("{session}={}", sealed(browser * 10 + 1)),
        format!("{visited}=1"),
    ];
    for (index, pair) in undeclared_pairs().into_iter().take(undeclared).enumerate() {
        // One before, one behind: what stays is never one piece.
        pairs.insert((index * 2).min(pairs.len()), pair);
    }
    pairs.join("; ")
}

const RENEWAL_PATH: &str = "/api/renewal";
const PAGE_PATH: &str = "/page";

fn json_path(undeclared: usize) -> String {
    format!("/api/bookings/{undeclared}")
}

fn request(path: String, accept: &str, undeclared: usize) -> Request {
    let fields = vec![
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        ),
        ("accept", accept.into()),
        ("accept-language", "de,en-US;q=0.7,en;q=0.3".into()),
        ("accept-encoding", "gzip, deflate, br, zstd".into()),
        ("referer", format!("https://{HOST}/dashboard")),
        ("cookie", cookie_field(undeclared)),
    ];
    Request { path, fields }
}

/// Declared fields as Laravel writes them, among undeclared ones.
fn set_cookies(undeclared: usize) -> Vec<String> {
    let [token, session, visited] = DECLARED;
    let expires = "expires=Fri, 31 Dec 2038 12:00:00 GMT";
    let mut fields = vec![
        format!("{token}={}; {expires}; Max-Age=7200; path=/; samesite=lax", sealed(3)),
        format!("{session}={}; {expires}; Max-Age=7200; path=/; httponly; samesite=lax", sealed(4)),
        format!("{visited}=1; {expires}; Max-Age=31536000; path=/; samesite=lax"),
    ];
    let [year, quarter] = ["Path=/; Max-Age=63072000", "path=/; max-age=7776000; samesite=lax"];
    let attributes = [year, year, quarter, year, quarter, year, year, quarter];
    for (index, pair) in undeclared_pairs().into_iter().take(undeclared).enumerate() {
        let field = format!("{pair}; {}", attributes[index % attributes.len()]);
        fields.insert((index * 2).min(fields.len()), field);
    }
    fields
}

/// Cookies of analytics, advertising and support, as such vendors name and fill them.
fn undeclared_pairs() -> [String; UNDECLARED_MAX] {
    [
        "_ga=GA1.1.1297435208.1763900000".into(),
        "_gid=GA1.1.987654321.1763900000".into(),
        "_fbp=fb.1.1763900000000.1098765432".into(),
        format!("_hjSessionUser_2847361={}", text(5, 72)),
        "_ga_G1AB2CD3EF=GS1.1.1763900000.3.1.1763900123.60.0.0".into(),
        "intercom-id-xk2v9q1p=1b8f2c1e-7a5d-4f0c-9f57-2f4f7f0a9b1d".into(),
        "_clck=1abcdef%7C2%7Cfrk%7C0%7C1801".into(),
        "theme=dark".into(),
    ]
}

/// A value as long as those that Laravel seals: 340 bytes.
fn sealed(seed: u64) -> String {
    format!("eyJpdiI6{}%3D%3D", text(seed, 326))
}

fn page_body() -> String {
    let mut body = String::from("<!doctype html><html lang=\"en\"><title>Desks</title><body>\n");
    let end = "</body></html>\n";
    let mut row = 0;
    while body.len() + end.len() + 100 < PAGE_BYTES {
        row += 1;
        // Writing to a string can't fail.
        let _ = writeln!(body, "<p class=\"desk\">Desk {row}: {}</p>", text(row, 40));
    }
    let filling = PAGE_BYTES - body.len() - end.len();
    body.extend(std::iter::repeat_n(' ', filling));
    body + end
}

/// Letters and digits without a pattern, the same for each seed.
fn text(seed: u64, length: usize) -> String {
    const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(LETTERS[usize::from((state >> 56) as u8) % LETTERS.len()])
    };
    (0..length).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loads_have_the_sizes_that_are_claimed() {
        assert_eq!(sealed(1).len(), 340);
        assert_eq!(page_body().len(), PAGE_BYTES);
        assert!((1000..1200).contains(&cookie_field(8).len()), "{}", cookie_field(8).len());
        for answer in answers() {
            let body = answer.body.len();
            assert!([3, PAGE_BYTES].contains(&body) || (150..180).contains(&body), "{body}");
        }
    }

    #[test]
    fn so_many_cookies_are_undeclared_each_way() {
        for undeclared in [0, 1, 5, 8] {
            assert_eq!(cookie_field(undeclared).split("; ").count(), 3 + undeclared);
            assert_eq!(set_cookies(undeclared).len(), 3 + undeclared);
        }
    }
}
