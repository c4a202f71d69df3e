//! A model of browsers that enforce the `Content-Security-Policy` of a page.
//!
//! It follows the algorithms of Content Security Policy Level 3 step by step, as of April 2026, and shares no code with the
//! gateway: tests compare what a page may do before and after the gateway has changed its policies.

use std::collections::HashMap;

/// Asserts that a policy that became another one allows one more script and one more address, and nothing else, in each
/// browser. `hash` is that of the script, such as `sha256-…`, and `report` is an address of `origin`.
///
/// If browsers differ about the policy, the script may stay blocked.
pub fn assert_allows_also(origin: &str, before: &[u8], after: &[u8], hash: &str, report: &str) {
    let attempts = attempts();
    let results = |browser: &Browser| -> Vec<bool> {
        attempts.iter().map(|attempt| browser.allows(*attempt)).collect()
    };
    let before_in = Reading::ALL.map(|reading| results(&Browser::open(reading, origin, before)));
    let is_plain = before.is_ascii() && before_in[0] == before_in[1];
    for (reading, was) in Reading::ALL.into_iter().zip(before_in) {
        let browser = Browser::open(reading, origin, after);
        for ((attempt, was), is) in attempts.iter().zip(was).zip(results(&browser)) {
            assert_eq!(was, is, "{attempt:?} in {reading:?}");
        }
        let script = Attempt::InlineScript { hash, nonce: "", is_in_html: true };
        let connection = Attempt::Fetch { kind: "connect-src", url: report };
        assert!(!is_plain || browser.allows(script), "the script is blocked in {reading:?}");
        assert!(!is_plain || browser.allows(connection), "the report is blocked in {reading:?}");
    }
}

/// Returns attempts of each kind, with hashes, nonces and addresses of others.
fn attempts() -> Vec<Attempt<'static>> {
    let mut attempts = vec![Attempt::Eval, Attempt::WebAssembly];
    for hash in ["sha256-b3du", "sha256-b3/u", "sha384-b3du", "sha512-b3/u", "sha256-bm8="] {
        attempts.push(Attempt::EventHandler { hash });
        attempts.push(Attempt::JavascriptUrl { hash });
        attempts.push(Attempt::StyleAttribute { hash });
        for nonce in NONCES {
            attempts.push(Attempt::InlineStyle { hash, nonce });
            for is_in_html in [false, true] {
                attempts.push(Attempt::InlineScript { hash, nonce, is_in_html });
            }
        }
    }
    for url in URLS {
        attempts.extend(KINDS.map(|kind| Attempt::Fetch { kind, url }));
        for (nonce, integrity) in NONCES.into_iter().flat_map(|n| [(n, ""), (n, "sha256-b3du")]) {
            for is_in_html in [false, true] {
                attempts.push(Attempt::Script { url, nonce, integrity, is_in_html });
            }
        }
    }
    attempts
}

const NONCES: [&str; 3] = ["", "n0nce", "another"];

const KINDS: [&str; 6] =
    ["connect-src", "frame-src", "img-src", "script-src-elem", "style-src-elem", "worker-src"];

const URLS: [&str; 7] = [
    "https://acme.example/",
    "https://acme.example/.well-known/cookies/",
    "https://acme.example:8443/script.js",
    "https://cdn.example/lib/script.js",
    "http://acme.example/",
    "wss://acme.example/.well-known/cookies/seen",
    "data:",
];

/// A page with one policy.
struct Browser {
    policy: SecurityPolicy,
    origin: Url,
}

/// The ways in which browsers read a policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Reading {
    /// As Chromium 156 does. A directive counts as the first of its name even if it is ignored because it is not ASCII. A hash that is
    /// not Base64 is ignored, and `sha-256` is a hash.
    Chromium,
    /// As the specification says, and as Firefox 153 does.
    Specification,
}

impl Reading {
    const ALL: [Self; 2] = [Self::Chromium, Self::Specification];
}

/// The directives of a policy, by name in lower case.
type SecurityPolicy = HashMap<String, Vec<String>>;

/// Something that a page tries.
#[derive(Clone, Copy, Debug)]
enum Attempt<'a> {
    /// An event handler in an attribute. `hash` is that of its text, such as `sha256-…`.
    EventHandler { hash: &'a str },
    /// Compiles a string, as `eval` does.
    Eval,
    /// Loads something that the directive `kind` decides about first, such as `img-src`.
    Fetch { kind: &'a str, url: &'a str },
    /// A `<script>` with a text.
    InlineScript { hash: &'a str, nonce: &'a str, is_in_html: bool },
    /// A `<style>` with a text.
    InlineStyle { hash: &'a str, nonce: &'a str },
    /// Opens a `javascript:` address.
    JavascriptUrl { hash: &'a str },
    /// A `<script>` with an address. `integrity` is empty or one hash.
    Script { url: &'a str, nonce: &'a str, integrity: &'a str, is_in_html: bool },
    /// A `style` attribute.
    StyleAttribute { hash: &'a str },
    /// Compiles WebAssembly.
    WebAssembly,
}

impl Browser {
    fn open(reading: Reading, origin: &str, policy: &[u8]) -> Self {
        // Isomorphic decoding: each byte is one character.
        let text: String = policy.iter().copied().map(char::from).collect();
        Self { policy: parse(reading, &text), origin: Url::parse(origin) }
    }

    fn allows(&self, attempt: Attempt<'_>) -> bool {
        let policy = &self.policy;
        let url_matches =
            |list: &[String], url: &str| self.url_matches_list(&Url::parse(url), list);
        match attempt {
            Attempt::EventHandler { hash } => in_force(policy, "script-src-attr")
                .is_none_or(|list| element_matches(list, Inline::ScriptAttribute, "", hash, true)),
            Attempt::Eval => {
                let list = policy.get("script-src").or_else(|| policy.get("default-src"));
                list.is_none_or(|list| has(list, "'unsafe-eval'"))
            }
            Attempt::Fetch { kind, url } => {
                in_force(policy, kind).is_none_or(|list| url_matches(list, url))
            }
            Attempt::InlineScript { hash, nonce, is_in_html } => {
                in_force(policy, "script-src-elem").is_none_or(|list| {
                    element_matches(list, Inline::Script, nonce, hash, is_in_html)
                })
            }
            Attempt::InlineStyle { hash, nonce } => in_force(policy, "style-src-elem")
                .is_none_or(|list| element_matches(list, Inline::Style, nonce, hash, true)),
            Attempt::JavascriptUrl { hash } => in_force(policy, "script-src-elem")
                .is_none_or(|list| element_matches(list, Inline::Navigation, "", hash, true)),
            Attempt::Script { url, nonce, integrity, is_in_html } => {
                // Section 6.7.1.1.
                in_force(policy, "script-src-elem").is_none_or(|list| {
                    nonce_matches(list, nonce)
                        || integrity_matches(list, integrity)
                        || if has(list, "'strict-dynamic'") {
                            !is_in_html
                        } else {
                            url_matches(list, url)
                        }
                })
            }
            Attempt::StyleAttribute { hash } => in_force(policy, "style-src-attr")
                .is_none_or(|list| element_matches(list, Inline::StyleAttribute, "", hash, true)),
            Attempt::WebAssembly => {
                let list = policy.get("script-src").or_else(|| policy.get("default-src"));
                list.is_none_or(|list| {
                    has(list, "'unsafe-eval'") || has(list, "'wasm-unsafe-eval'")
                })
            }
        }
    }

    /// Section 6.7.2.7.
    fn url_matches_list(&self, url: &Url, list: &[String]) -> bool {
        if let [only] = list
            && only.eq_ignore_ascii_case("'none'")
        {
            return false;
        }
        list.iter().any(|expression| self.url_matches(url, expression))
    }

    /// Section 6.7.2.8.
    fn url_matches(&self, url: &Url, expression: &str) -> bool {
        if expression == "*" {
            return ["http", "https"].contains(&&*url.scheme) || url.scheme == self.origin.scheme;
        }
        if expression.eq_ignore_ascii_case("'self'") {
            return url.host == self.origin.host
                && (url.port == self.origin.port)
                && (url.scheme == self.origin.scheme || ["https", "wss"].contains(&&*url.scheme));
        }
        if let Some(scheme) = expression.strip_suffix(':').filter(|text| is_scheme(text)) {
            return scheme_matches(scheme, &url.scheme);
        }
        let Some(source) = HostSource::parse(expression) else { return false };
        let scheme = source.scheme.unwrap_or(&self.origin.scheme);
        scheme_matches(scheme, &url.scheme)
            && host_matches(source.host, &url.host)
            && source.port.map_or(url.port.is_none(), |port| port_matches(port, url))
            && (source.path.is_empty() || path_matches(source.path, &url.path))
    }
}

/// Section 2.2.1.
fn parse(reading: Reading, text: &str) -> SecurityPolicy {
    let mut policy = SecurityPolicy::new();
    for token in text.split(';') {
        let token = token.trim_matches(is_space);
        if reading == Reading::Specification && !token.is_ascii() {
            continue;
        }
        let mut words = token.split(is_space).filter(|word| !word.is_empty()).map(str::to_owned);
        let Some(name) = words.next() else { continue };
        policy.entry(name.to_ascii_lowercase()).or_insert_with(|| words.collect());
    }
    policy.retain(|_, words| words.iter().all(|word| word.is_ascii()));
    if reading == Reading::Chromium {
        policy.values_mut().flatten().for_each(read_hash_as_chromium);
    }
    policy
}

/// Changes a hash to one that means the same by the specification.
fn read_hash_as_chromium(source: &mut String) {
    let lower = source.to_ascii_lowercase();
    for (algorithm, other) in
        [("'sha256-", "'sha-256-"), ("'sha384-", "'sha-384-"), ("'sha512-", "'sha-512-")]
    {
        if lower.starts_with(other) {
            *source = format!("{algorithm}{}", &source[other.len()..]);
        }
    }
    let is_decoded = |(_, value): (String, String)| value.trim_end_matches('=').len() % 4 != 1;
    if !hash_source(source).is_none_or(is_decoded) {
        *source = "'invalid'".to_owned();
    }
}

fn is_space(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\u{c}' | '\r' | ' ')
}

/// Returns the value of the directive that decides: the first one in the fallback list that the policy has (section 6.8.3).
fn in_force<'p>(policy: &'p SecurityPolicy, kind: &str) -> Option<&'p Vec<String>> {
    let fallbacks: &[&str] = match kind {
        "script-src-elem" | "script-src-attr" => &["script-src", "default-src"],
        "style-src-elem" | "style-src-attr" => &["style-src", "default-src"],
        "worker-src" => &["child-src", "script-src", "default-src"],
        "frame-src" => &["child-src", "default-src"],
        _ => &["default-src"],
    };
    policy.get(kind).or_else(|| fallbacks.iter().find_map(|name| policy.get(*name)))
}

/// The type of an inline check.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Inline {
    Navigation,
    Script,
    ScriptAttribute,
    Style,
    StyleAttribute,
}

/// Section 6.7.3.3.
fn element_matches(
    list: &[String],
    kind: Inline,
    nonce: &str,
    hash: &str,
    is_in_html: bool,
) -> bool {
    if allows_all_inline(list, kind) {
        return true;
    }
    let is_element = matches!(kind, Inline::Script | Inline::Style);
    if is_element && nonce_matches(list, nonce) {
        return true;
    }
    if !is_element && !has(list, "'unsafe-hashes'") {
        return false;
    }
    (kind == Inline::Script && !is_in_html && has(list, "'strict-dynamic'"))
        || list.iter().filter_map(|source| hash_source(source)).any(|found| found == parts(hash))
}

/// Section 6.7.3.2.
fn allows_all_inline(list: &[String], kind: Inline) -> bool {
    let is_script = matches!(kind, Inline::Navigation | Inline::Script | Inline::ScriptAttribute);
    let mut allows = false;
    for source in list {
        if nonce_source(source).is_some() || hash_source(source).is_some() {
            return false;
        }
        if is_script && source.eq_ignore_ascii_case("'strict-dynamic'") {
            return false;
        }
        allows |= source.eq_ignore_ascii_case("'unsafe-inline'");
    }
    allows
}

/// Section 6.7.2.3.
fn nonce_matches(list: &[String], nonce: &str) -> bool {
    !nonce.is_empty() && list.iter().any(|source| nonce_source(source) == Some(nonce))
}

/// Section 6.7.2.4.
fn integrity_matches(list: &[String], integrity: &str) -> bool {
    !integrity.is_empty()
        && list
            .iter()
            .filter_map(|source| hash_source(source))
            .any(|found| found == parts(integrity))
}

/// Returns the value of a nonce source (section 2.3.1).
fn nonce_source(source: &str) -> Option<&str> {
    let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let (kind, value) = inner.split_once('-')?;
    (kind.eq_ignore_ascii_case("nonce") && is_base64(value)).then_some(value)
}

/// Returns the algorithm and the digest of a hash source, in the usual alphabet (section 2.3.1).
fn hash_source(source: &str) -> Option<(String, String)> {
    let inner = source.strip_prefix('\'')?.strip_suffix('\'')?;
    let (algorithm, value) = parts(inner);
    (["sha256", "sha384", "sha512"].contains(&&*algorithm) && is_base64(&value))
        .then_some((algorithm, value))
}

/// Splits `sha256-…`.
fn parts(hash: &str) -> (String, String) {
    let (algorithm, value) = hash.split_once('-').unwrap_or((hash, ""));
    (algorithm.to_ascii_lowercase(), value.replace('-', "+").replace('_', "/"))
}

fn is_base64(value: &str) -> bool {
    let digits = value.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
    value.len() - digits.len() <= 2 && !digits.is_empty() && digits.bytes().all(is_digit)
}

fn has(list: &[String], keyword: &str) -> bool {
    list.iter().any(|source| source.eq_ignore_ascii_case(keyword))
}

/// An address of the web.
#[derive(Clone, Debug)]
struct Url {
    scheme: String,
    host: String,
    /// `None` for the default port of the scheme.
    port: Option<String>,
    path: String,
}

impl Url {
    /// Reads an address of the form `scheme://host[:port][/path]`.
    fn parse(text: &str) -> Self {
        let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
        let default = default_port(scheme);
        let port = Some(port).filter(|port| !port.is_empty() && *port != default);
        Self {
            scheme: scheme.to_ascii_lowercase(),
            host: host.to_ascii_lowercase(),
            port: port.map(str::to_owned),
            path: if path.is_empty() { "/".to_owned() } else { path.to_owned() },
        }
    }
}

fn default_port(scheme: &str) -> &'static str {
    match scheme {
        "http" | "ws" => "80",
        "https" | "wss" => "443",
        _ => "",
    }
}

/// The parts of a host source (section 2.3.1).
struct HostSource<'s> {
    scheme: Option<&'s str>,
    host: &'s str,
    port: Option<&'s str>,
    path: &'s str,
}

impl<'s> HostSource<'s> {
    fn parse(text: &'s str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (Some(scheme), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        let is_label = |label: &str| {
            !label.is_empty()
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let labels = host.strip_prefix("*.").unwrap_or(host);
        let is_host =
            host == "*" || labels.strip_suffix('.').unwrap_or(labels).split('.').all(is_label);
        let is_port = port.is_none_or(|port| {
            port == "*" || (!port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
        });
        (is_host && is_port).then_some(Self { scheme, host, port, path })
    }
}

fn is_scheme(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    text.starts_with(|first: char| first.is_ascii_alphabetic()) && text.bytes().all(is_part)
}

/// Section 6.7.2.9.
fn scheme_matches(pattern: &str, scheme: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    pattern == scheme
        || match &*pattern {
            "http" => scheme == "https",
            "ws" => ["wss", "http", "https"].contains(&scheme),
            "wss" => scheme == "https",
            _ => false,
        }
}

/// Section 6.7.2.10.
fn host_matches(pattern: &str, host: &str) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) => host.ends_with(suffix),
        None => pattern == host,
    }
}

/// Section 6.7.2.11, for a source with a port.
fn port_matches(port: &str, url: &Url) -> bool {
    port == "*" || port == url.port.as_deref().unwrap_or(default_port(&url.scheme))
}

/// Section 6.7.2.12, without percent-encoding.
fn path_matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('/') {
        Some("") => true,
        Some(folder) => path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')),
        None => pattern == path,
    }
}
