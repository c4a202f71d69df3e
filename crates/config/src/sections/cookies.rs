//! Reads `[[cookies]]`: the whole declaration. Without it, the declaration that Flexopus publishes is used (D).

use crate::{
    reader::{Node, TableReader},
    record::ValueOrigin,
    written::{Choice, Written, quoted},
};
use crumbgate_policy::declaration::{
    CookieDomain, CookieName, CookiePath, Declaration, DeclaredCookie, Inject, InjectedValue,
    Lifetime, PathPattern, RenewOn, SameSite, SessionDuration,
};

pub(super) fn read(root: &TableReader<'_>) -> Declaration {
    let Some(node) = root.value("cookies") else {
        let declaration = Declaration::flexopus();
        for (index, cookie) in declaration.cookies().iter().enumerate() {
            root.default_element("cookies", index, |table| record_default(table, cookie));
        }
        return declaration;
    };
    let cookies = read_cookies(&node).unwrap_or_default();
    if node.is_empty_array() {
        node.warn(
            "declares no cookie: every cookie is stripped",
            "remove the key to use the default",
        );
        root.record("cookies", || "[]".to_owned(), || node.origin());
    }
    // Each cookie was checked with those before it.
    Declaration::new(cookies).unwrap_or_else(|_| Declaration::flexopus())
}

fn read_cookies(node: &Node<'_>) -> Option<Vec<DeclaredCookie>> {
    let mut cookies = Vec::new();
    for element in node.elements()? {
        let Some(cookie) = read_cookie(&element) else { continue };
        cookies.push(cookie);
        if let Err(error) = Declaration::new(cookies.clone()) {
            let _: Option<()> = element.error(error.to_string(), "change or remove it");
            cookies.pop();
        }
    }
    Some(cookies)
}

fn read_cookie(node: &Node<'_>) -> Option<DeclaredCookie> {
    let table = node.fixed_section()?;
    let name = table.required("name", "write name = \"flexopus_session\"", |node| {
        node.parsed::<CookieName>("write the name as the application sets it")
    });
    let lifetime = table.get("lifetime", Lifetime::Session, read_lifetime);
    let (renew_on, has_path) = read_renew_on(&table);
    let inject = table.get("inject", Inject::Renew, |node| {
        let inject = read_inject(&node)?;
        if inject != Inject::Off && !has_path {
            node.warn(
                "has no effect: no request renews this cookie",
                "write renew_on = { paths = [\"/api/*\"] }",
            );
        }
        Some(inject)
    });
    let http_only = table.get("http_only", true, |node| node.boolean());
    let same_site = table.get("same_site", SameSite::Lax, |node| node.choice());
    let path = read_path(&table);
    let domain = table.optional("domain", |node| {
        node.parsed::<CookieDomain>("remove the key for a cookie that only its host receives")
    });
    let purpose = read_texts(&table, "purpose");
    let without = read_texts(&table, "without");
    // Every key was requested, so an error may end the reading from here.
    let (name, path) = (name?, path?);
    Some(DeclaredCookie {
        name,
        lifetime,
        renew_on,
        inject,
        http_only,
        same_site,
        path,
        domain,
        purpose,
        without,
    })
}

fn record_default(table: &TableReader<'_>, cookie: &DeclaredCookie) {
    let record =
        |key: &str, written: String| table.record(key, || written, || ValueOrigin::Default);
    record("name", cookie.name.written());
    record("lifetime", cookie.lifetime.written());
    record("inject", cookie.inject.written());
    record("http_only", cookie.http_only.written());
    record("same_site", cookie.same_site.written());
    record("path", cookie.path.written());
    if let Some(domain) = &cookie.domain {
        record("domain", domain.written());
    }
    let renew_on = table.inner("renew_on");
    renew_on.record("methods", || cookie.renew_on.methods.written(), || ValueOrigin::Default);
    renew_on.record("paths", || cookie.renew_on.paths.written(), || ValueOrigin::Default);
    for (key, texts) in [("purpose", &cookie.purpose), ("without", &cookie.without)] {
        let table = table.inner(key);
        for (language, text) in texts {
            table.record(language, || text.written(), || ValueOrigin::Default);
        }
    }
}

fn read_path(table: &TableReader<'_>) -> Option<CookiePath> {
    let default = "/".parse().ok()?;
    Some(table.get("path", default, |node| node.parsed("write \"/\", which is the default")))
}

fn read_lifetime(node: Node<'_>) -> Option<Lifetime> {
    if node.as_text() == Some("session") {
        return Some(Lifetime::Session);
    }
    read_session_duration(node).map(Lifetime::Fixed)
}

/// Reads a tenant's session duration, or a fixed lifetime (D2).
pub(super) fn read_session_duration(node: Node<'_>) -> Option<SessionDuration> {
    match node.as_number() {
        Some(seconds) => SessionDuration::try_from(seconds)
            .map_err(|error| node.error::<()>(error.to_string(), SESSION_HELP))
            .ok(),
        None if node.as_text().is_none() => node.refuse("a duration", SESSION_HELP),
        None => node.parsed(SESSION_HELP),
    }
}

const SESSION_HELP: &str =
    "write a number of seconds, or a number with a unit: \"90s\", \"15m\", \"2h\", \"3d\", \"1w\"";

/// Reads the requests that renew the cookie. The flag is true if the file has a path for it, valid or not.
fn read_renew_on(table: &TableReader<'_>) -> (RenewOn, bool) {
    let table = table.inner("renew_on");
    let methods = table.list("methods", Vec::new(), |node| node.text().map(str::to_owned));
    let paths = table.list("paths", Vec::new(), |node| {
        node.parsed::<PathPattern>("write \"/login\", or \"/api/*\" for every path below /api")
    });
    let has_path = table.value("paths").is_some_and(|paths| !paths.is_empty_array());
    (RenewOn { methods, paths }, has_path)
}

fn read_inject(node: &Node<'_>) -> Option<Inject> {
    match node.as_text() {
        Some("off") => Some(Inject::Off),
        Some("random") => Some(Inject::Random),
        Some("renew") => Some(Inject::Renew),
        _ if node.is_table() => {
            let table = node.element()?;
            let help = "write inject = { value = \"1\" }";
            table
                .required("value", help, |node| node.parsed::<InjectedValue>(help))
                .map(Inject::Value)
        }
        _ => node.refuse(
            "\"renew\", \"random\", \"off\" or { value = \"…\" }",
            "write \"renew\" to renew the cookie of the browser without injecting a value",
        ),
    }
}

/// Reads texts for people, by language.
fn read_texts(table: &TableReader<'_>, key: &'static str) -> Vec<(String, String)> {
    let table = table.inner(key);
    let mut texts: Vec<_> = table.names().collect();
    texts.sort_by_key(Node::offset);
    let read = |node: &Node<'_>| {
        let is_tag_byte = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if node.name().is_empty() || !node.name().bytes().all(is_tag_byte) {
            return node.refuse_name(
                "a language tag",
                format!("write {key} = {{ en = \"…\", de = \"…\" }}"),
            );
        }
        let text = node.text()?.to_owned();
        table.record(node.name(), || text.written(), || node.origin());
        Some((node.name().to_owned(), text))
    };
    texts.iter().filter_map(read).collect()
}

impl Choice for SameSite {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Self::Lax.word(), Self::Lax),
        (Self::Strict.word(), Self::Strict),
        (Self::None.word(), Self::None),
    ];
}

impl Written for Lifetime {
    fn written(&self) -> String {
        match self {
            Self::Fixed(duration) => duration.written(),
            Self::Session => quoted("session"),
        }
    }
}

impl Written for Inject {
    fn written(&self) -> String {
        match self {
            Self::Off => quoted("off"),
            Self::Random => quoted("random"),
            Self::Renew => quoted("renew"),
            Self::Value(value) => format!("{{ value = {} }}", value.written()),
        }
    }
}

impl Written for SessionDuration {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

impl Written for CookieName {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

impl Written for CookiePath {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

impl Written for CookieDomain {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

impl Written for InjectedValue {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

impl Written for PathPattern {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}
