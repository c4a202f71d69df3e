//! Extends the `Content-Security-Policy` of a page so that the guard's script runs (Content Security Policy Level 3).
//!
//! The script is inline. A policy that would block it gets the hash of the script, and one that would block its report gets
//! the address of the report. Nothing else that a policy allows or forbids changes:
//!
//! - The hash goes to `script-src-elem` only. If a policy has no such directive, it gets one, with the sources of the
//!   directive that browsers use in its place. There, a hash would also change what event handlers, workers or styles may
//!   do.
//! - A directive whose `'unsafe-inline'` is in force stays as it is. It allows the script, and a hash would put
//!   `'unsafe-inline'` out of force, which would block the page's own scripts.
//! - What browsers differ about stays as it is: a directive with a byte outside of ASCII, and `'unsafe-inline'` beside a hash
//!   that is not well-formed.
//! - A policy in a `<meta>` element needs no change: browsers enforce it from that element on, and the script is before it.

use http::{HeaderMap, HeaderName, HeaderValue, header, header::Entry};

use crate::csp::{Directive, OWN_ORIGIN, Policy, policies};

/// The sources that a page with the guard's script must allow.
#[derive(Clone, Copy, Debug)]
pub struct GuardSources<'a> {
    /// The hash of the script, as a source: `'sha256-…'`.
    pub script: &'a str,
    /// The authority of the page. The script reports to it.
    pub authority: &'a str,
    /// The path to which the script reports.
    pub path: &'a str,
}

/// Extends all policies of a response, those included that are only reported.
///
/// A field that needs no change keeps its bytes.
pub fn allow_guard(response: &mut HeaderMap, sources: GuardSources<'_>) {
    for name in &FIELDS {
        if !response.contains_key(name) {
            continue;
        }
        let Entry::Occupied(mut fields) = response.entry(name) else { continue };
        let report = format!("https://{}{}", sources.authority, sources.path);
        for field in fields.iter_mut() {
            let extended = extend(field.as_bytes(), sources.script, &report);
            if let Some(Ok(extended)) = extended.map(HeaderValue::try_from) {
                *field = extended;
            }
        }
    }
}

const FIELDS: [HeaderName; 2] =
    [header::CONTENT_SECURITY_POLICY, header::CONTENT_SECURITY_POLICY_REPORT_ONLY];

/// Returns the field with all its policies extended, or `None` if it needs no change.
fn extend(field: &[u8], script: &str, report: &str) -> Option<Vec<u8>> {
    let mut extended = Vec::new();
    let mut is_changed = false;
    for (index, policy) in policies(field).enumerate() {
        if index > 0 {
            extended.push(b',');
        }
        let additions = [add_script(policy, script), add_report(policy, report)];
        is_changed |= additions.iter().any(Option::is_some);
        write(policy, &additions, &mut extended);
    }
    is_changed.then_some(extended)
}

/// A source for a directive that does not allow it yet.
struct Addition<'a> {
    /// The name of the directive that gets the source.
    name: &'static str,
    /// The directive that is in force: the one of that name, or the one that browsers use in its place.
    in_force: Directive<'a>,
    source: &'a str,
}

impl Addition<'_> {
    /// Returns the position of the directive in the policy, or `None` if the policy has none of that name.
    fn position(&self) -> Option<usize> {
        let is_own = self.in_force.name.eq_ignore_ascii_case(self.name.as_bytes());
        is_own.then_some(self.in_force.position)
    }

    /// Writes the directive with its sources and the new one. `'none'` would mean nothing beside it.
    fn write(&self, policy: &mut Vec<u8>) {
        policy.extend_from_slice(self.name.as_bytes());
        let sources = self.in_force.words().filter(|word| !word.eq_ignore_ascii_case(b"'none'"));
        for source in sources.chain([self.source.as_bytes()]) {
            policy.push(b' ');
            policy.extend_from_slice(source);
        }
    }
}

/// Writes the policy with these additions. A directive that it does not have yet comes last.
fn write(policy: Policy<'_>, additions: &[Option<Addition<'_>>], extended: &mut Vec<u8>) {
    let (text, space) = policy.0.split_at(policy.0.trim_ascii_end().len());
    for (position, part) in Policy(text).parts().enumerate() {
        if position > 0 {
            extended.push(b';');
        }
        let here = |addition: &&Addition<'_>| addition.position() == Some(position);
        match additions.iter().flatten().find(here) {
            Some(addition) => {
                let indent = part.len() - part.trim_ascii_start().len();
                extended.extend_from_slice(&part[..indent]);
                addition.write(extended);
            }
            None => extended.extend_from_slice(part),
        }
    }
    let is_new = |addition: &&Addition<'_>| addition.position().is_none();
    for addition in additions.iter().flatten().filter(is_new) {
        if !extended.ends_with(b";") {
            extended.push(b';');
        }
        extended.push(b' ');
        addition.write(extended);
    }
    extended.extend_from_slice(space);
}

/// Returns the addition of the script's hash, if the policy blocks the script.
fn add_script<'a>(policy: Policy<'a>, script: &'a str) -> Option<Addition<'a>> {
    let in_force = policy.find_first(&[SCRIPTS, "script-src", "default-src"])?;
    let is_allowed = allows_all_inline(in_force) || in_force.has(script);
    (!is_allowed && in_force.is_ascii()).then_some(Addition {
        name: SCRIPTS,
        in_force,
        source: script,
    })
}

/// Returns the addition of the report's address, if the policy may block the report.
fn add_report<'a>(policy: Policy<'a>, report: &'a str) -> Option<Addition<'a>> {
    let in_force = policy.find_first(&[CONNECTIONS, "default-src"])?;
    let is_allowed = in_force.has_one_of(&OWN_ORIGIN) || in_force.has(report);
    (!is_allowed && in_force.is_ascii()).then_some(Addition {
        name: CONNECTIONS,
        in_force,
        source: report,
    })
}

/// Decides about inline scripts, and about scripts with an address.
const SCRIPTS: &str = "script-src-elem";

/// Decides about `sendBeacon`, `fetch` and their like.
const CONNECTIONS: &str = "connect-src";

/// Returns true if `'unsafe-inline'` is in force: a nonce, a hash or `'strict-dynamic'` puts it out of force (section
/// 6.7.3.2).
fn allows_all_inline(directive: Directive<'_>) -> bool {
    directive.has_one_of(&["'unsafe-inline'"])
        && !directive.has_one_of(&["'strict-dynamic'"])
        && !directive.words().any(is_nonce_or_hash)
}

/// Returns true for `'nonce-…'`, `'sha256-…'` and their like (section 2.3.1). A source that not every browser reads as such
/// is none of them.
fn is_nonce_or_hash(source: &[u8]) -> bool {
    let quoted = source.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'"));
    let mut parts = quoted.unwrap_or_default().splitn(2, |byte| *byte == b'-');
    let (kind, value) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is = |known: &str| kind.eq_ignore_ascii_case(known.as_bytes());
    let value = value.strip_suffix(b"=").unwrap_or(value);
    let value = value.strip_suffix(b"=").unwrap_or(value);
    let is_digit = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let is_value = !value.is_empty() && value.iter().all(is_digit);
    // Chromium decodes the hash. One digit alone, behind groups of four, is no byte.
    let is_decoded = value.len() % 4 != 1;
    is_value && (is("nonce") || is_decoded && ["sha256", "sha384", "sha512"].into_iter().any(is))
}

#[cfg(test)]
mod tests {
    use crumbgate_testkit::csp::assert_allows_also;
    use proptest::prelude::*;

    use super::*;

    const HASH: &str = "sha256-Z3VhcmQ=";
    const HOST: &str = "acme.example";
    const PATH: &str = "/.well-known/cookies/seen";
    const REPORT: &str = "https://acme.example/.well-known/cookies/seen";

    /// Returns fields of these texts after the guard has extended them.
    fn guarded(name: &HeaderName, texts: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let script = format!("'{HASH}'");
        let mut fields = HeaderMap::new();
        for text in texts {
            fields.append(name, HeaderValue::from_bytes(text).unwrap());
        }
        allow_guard(&mut fields, GuardSources { script: &script, authority: HOST, path: PATH });
        fields.get_all(name).into_iter().map(|value| value.as_bytes().to_vec()).collect()
    }

    #[test]
    fn the_policies_of_the_table_become_what_it_lists() {
        let text = include_str!("policies.txt");
        let text = text.replace("{hash}", &format!("'{HASH}'")).replace("{report}", REPORT);
        let text = text.replace("{own256}", "'sha256-b3du'").replace("{own384}", "'sha384-b3du'");
        let text = text.replace("{own512}", "'sha512-b3du'").replace("{handler}", "'sha256-YQ=='");
        let mut cases = 0;
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let (name, policy) = match line.split_once(": ") {
                Some(("policy", policy)) => (&header::CONTENT_SECURITY_POLICY, policy),
                Some(("reported", policy)) => {
                    (&header::CONTENT_SECURITY_POLICY_REPORT_ONLY, policy)
                }
                _ => continue,
            };
            let becomes = lines.peek().and_then(|line| line.strip_prefix("becomes: "));
            let expected = becomes.unwrap_or(policy);
            let found = guarded(name, &[policy.as_bytes().to_vec()]);
            assert_eq!(String::from_utf8(found.concat()).unwrap(), expected, "{policy}");
            cases += 1;
        }
        assert!(cases > 60, "{cases}");
    }

    #[test]
    fn all_fields_of_both_names_are_extended_and_others_keep_their_bytes() {
        let fields = |list: &[(&'static str, &'static str)]| -> HeaderMap {
            let field = |(name, value): &(&'static str, &'static str)| {
                (HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            list.iter().map(field).collect()
        };
        let mut response = fields(&[
            ("content-security-policy", "script-src 'none'"),
            ("content-security-policy", "img-src 'none'"),
            ("content-security-policy", "connect-src 'none'"),
            ("content-security-policy-report-only", "script-src 'none'"),
            ("content-type", "text/html"),
        ]);
        let sources =
            GuardSources { script: "'sha256-YQ=='", authority: "a.example:8443", path: "/c/seen" };
        allow_guard(&mut response, sources);
        let expected = fields(&[
            ("content-security-policy", "script-src 'none'; script-src-elem 'sha256-YQ=='"),
            ("content-security-policy", "img-src 'none'"),
            ("content-security-policy", "connect-src https://a.example:8443/c/seen"),
            (
                "content-security-policy-report-only",
                "script-src 'none'; script-src-elem 'sha256-YQ=='",
            ),
            ("content-type", "text/html"),
        ]);
        assert_eq!(response, expected);
    }

    /// Words of policies, good and bad ones.
    const WORDS: [&str; 41] = [
        "'none'",
        "'NONE'",
        "'self'",
        "'Self'",
        "'unsafe-inline'",
        "'Unsafe-Inline'",
        "'unsafe-eval'",
        "'wasm-unsafe-eval'",
        "'unsafe-hashes'",
        "'strict-dynamic'",
        "'STRICT-dynamic'",
        "'report-sample'",
        "'nonce-n0nce'",
        "'NONCE-n0nce'",
        "'nonce-'",
        "'nonce-a!b'",
        "'nonce-a='",
        "'sha256-Z3VhcmQ='",
        "'sha256-b3du'",
        "'SHA384-b3du'",
        "'sha512-b3_u'",
        "'sha256-b3/u='",
        "'sha1-b3du'",
        "'sha-256-b3du'",
        "'sha256-a'",
        "'sha256-'",
        "*",
        "https:",
        "http:",
        "HTTPS:",
        "wss:",
        "data:",
        "acme.example",
        "https://acme.example",
        "https://*.example",
        "https://cdn.example/lib/",
        "https://acme.example/.well-known/cookies/",
        "*.example:*",
        "acme.example:443",
        "'",
        "é",
    ];

    /// Names of directives.
    const NAMES: [&str; 20] = [
        "default-src",
        "default-src",
        "script-src",
        "script-src",
        "script-src-elem",
        "script-src-attr",
        "style-src",
        "style-src-elem",
        "style-src-attr",
        "connect-src",
        "worker-src",
        "child-src",
        "img-src",
        "frame-src",
        "sandbox",
        "report-uri",
        "Script-Src",
        "SCRIPT-SRC-ELEM",
        "x",
        "script-srcs",
    ];

    /// Returns fields of directives with these names and words, with all the space that a policy may have.
    fn any_fields() -> impl Strategy<Value = Vec<Vec<u8>>> {
        let space = prop::sample::select(vec![" ", " ", " ", "  ", "\t"]);
        let words = prop::collection::vec((space, prop::sample::select(&WORDS[..])), 0..5);
        let separator =
            prop::sample::select(vec![";", ";", "; ", "; ", " ; ", ";;", ",", ", ", " ,"]);
        let directive = (prop::sample::select(&NAMES[..]), words, separator);
        let field = prop::collection::vec(directive, 0..5).prop_map(|directives| {
            let mut text = String::new();
            for (name, words, separator) in directives {
                text.push_str(name);
                words.iter().for_each(|(space, word)| text.extend([*space, *word]));
                text.push_str(separator);
            }
            text.into_bytes()
        });
        prop::collection::vec(field, 1..3)
    }

    /// Asserts that the guard's script runs and reports in a page with each of these policies, and that nothing else changes.
    fn check(fields: &[Vec<u8>]) {
        let extended = guarded(&header::CONTENT_SECURITY_POLICY, fields);
        assert_eq!(guarded(&header::CONTENT_SECURITY_POLICY, &extended), extended);
        assert_eq!(fields.len(), extended.len());
        for (before, after) in fields.iter().zip(&extended) {
            let (before, after) = (before.split(is_comma), after.split(is_comma));
            assert_eq!(before.clone().count(), after.clone().count());
            for (before, after) in before.zip(after) {
                assert_allows_also("https://acme.example", before, after, HASH, REPORT);
            }
        }
    }

    fn is_comma(byte: &u8) -> bool {
        *byte == b','
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn the_guard_runs_and_reports_and_a_page_may_do_all_else_that_it_could(fields in any_fields()) {
            check(&fields);
        }

        #[test]
        fn any_bytes_are_extended_without_a_change_to_what_else_a_page_may_do(
            text in "[ -~\t\u{a0}-\u{ff}]{0,80}",
        ) {
            let bytes = text.chars().map(|character| u8::try_from(character).unwrap()).collect();
            check(&[bytes]);
        }
    }
}
