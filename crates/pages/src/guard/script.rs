//! The guard's script: a constant text for each mode, path of reports and set of names (W2).
//!
//! `guard.js` and `worker.js` are its source. Each is a function; the text that a page gets is the minified function and a
//! call with the arguments. `tests/browser/minify.js` writes the minified files, and a test compares them with the source.

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;

use crate::page::settings::{PagePath, PageRoute};
use crumbgate_base::text::hex;
use crumbgate_policy::{AgreementMode, GuardMode, Mode, Policy, declaration::DeclaredCookie};

/// The guard's script with its arguments, in every form that a response needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GuardScript {
    /// The script element.
    pub html: Bytes,
    /// The source expression that allows the script in a `Content-Security-Policy`: `'sha256-…'` with the quotes.
    pub csp_source: Box<str>,
    /// The first 16 hexadecimal digits of a SHA-256 of both texts, for the page and for service workers.
    pub tag: Box<str>,
    /// The text in front of each script of a service worker: one line without its end.
    pub worker_prefix: Bytes,
    arguments: Box<str>,
}

impl GuardScript {
    /// Makes the script of a tenant's pages for a person who has agreed, or has not (W2). `None` if the guard is off.
    ///
    /// In `mode = "report"`, [`GuardMode::Enforce`] acts as [`GuardMode::Watch`].
    pub fn of(policy: &Policy, has_agreed: bool, path: &PagePath) -> Option<Self> {
        let mode = match (policy.mode, policy.guard) {
            (Mode::Report, GuardMode::Enforce) => GuardMode::Watch,
            (Mode::Enforce | Mode::Report, guard) => guard,
        };
        let are_held_back = policy.agreement == AgreementMode::Required && !has_agreed;
        let may_be_set = |cookie: &&DeclaredCookie| !are_held_back && !cookie.http_only;
        let cookies = policy.declaration.cookies().iter().filter(may_be_set);
        Self::new(mode, cookies.map(|cookie| cookie.name.as_str()), &path.of(PageRoute::Seen))
    }

    /// Makes the script.
    ///
    /// `names` are the cookies that scripts may set, and `beacon` is the path to which browsers report others. `None` if the
    /// mode is [`GuardMode::Off`].
    pub fn new<'a>(
        mode: GuardMode,
        names: impl IntoIterator<Item = &'a str>,
        beacon: &str,
    ) -> Option<Self> {
        let enforces = match mode {
            GuardMode::Enforce => true,
            GuardMode::Off => return None,
            GuardMode::Watch => false,
        };
        let names: Vec<_> = names.into_iter().map(literal).collect();
        let arguments = format!("[{}],{},{enforces}", names.join(","), literal(beacon));
        let text = call(MINIFIED, &arguments);
        let hash = digest(&SHA256, text.as_bytes());
        let worker = format!("{};", call(MINIFIED_WORKER, &arguments));
        let mut tag = hex(digest(&SHA256, format!("{text}\n{worker}").as_bytes()).as_ref());
        tag.truncate(TAG_DIGITS);
        Some(Self {
            html: format!("<script>{text}</script>").into(),
            csp_source: format!("'sha256-{}'", STANDARD.encode(hash)).into(),
            tag: tag.into(),
            worker_prefix: worker.into(),
            arguments: arguments.into(),
        })
    }

    /// Returns the readable form of the page's script, with the same arguments.
    pub fn source(&self) -> String {
        format!("{}\n", call(SOURCE, &self.arguments))
    }

    /// Returns the readable form of the service workers' script, with the same arguments.
    pub fn worker_source(&self) -> String {
        format!("{};\n", call(WORKER_SOURCE, &self.arguments))
    }
}

fn call(function: &str, arguments: &str) -> String {
    format!("({})({arguments})", function.trim_end())
}

/// A string literal of JavaScript that is safe in a script element, and the same in every charset that contains ASCII.
fn literal(text: &str) -> String {
    let mut literal = String::from('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) => {
                literal.push(char::from(byte));
            }
            _ => literal.push_str(&format!("\\u{unit:04x}")),
        }
    }
    literal.push('"');
    literal
}

const TAG_DIGITS: usize = 16;
const SOURCE: &str = include_str!("guard.js");
const WORKER_SOURCE: &str = include_str!("worker.js");
const MINIFIED: &str = include_str!("guard.min.js");
const MINIFIED_WORKER: &str = include_str!("worker.min.js");

#[cfg(test)]
mod tests {
    use super::*;
    use crumbgate_policy::declaration::Declaration;

    const BEACON: &str = "/.well-known/cookies/seen";

    fn script(mode: GuardMode, names: &[&str]) -> GuardScript {
        GuardScript::new(mode, names.iter().copied(), BEACON).unwrap()
    }

    fn text(script: &GuardScript) -> &str {
        let html = std::str::from_utf8(&script.html).unwrap();
        html.strip_prefix("<script>").unwrap().strip_suffix("</script>").unwrap()
    }

    #[test]
    fn w2_each_mode_and_each_set_of_names_has_its_own_script() {
        assert_eq!(GuardScript::new(GuardMode::Off, [], BEACON), None);
        let scripts = [
            script(GuardMode::Enforce, &["XSRF-TOKEN"]),
            script(GuardMode::Enforce, &[]),
            script(GuardMode::Watch, &["XSRF-TOKEN"]),
            script(GuardMode::Watch, &[]),
        ];
        for (index, script) in scripts.iter().enumerate() {
            for other in &scripts[..index] {
                assert_ne!(script.tag, other.tag);
                assert_ne!(script.csp_source, other.csp_source);
                assert_ne!(script.worker_prefix, other.worker_prefix);
            }
        }
        let ends = r#"(["XSRF-TOKEN"],"/.well-known/cookies/seen",true)"#;
        assert!(text(&scripts[0]).ends_with(ends));
        assert!(scripts[0].worker_prefix.ends_with(format!("{ends};").as_bytes()));
        assert!(scripts[0].source().ends_with(&format!("{ends}\n")));
        assert!(scripts[0].worker_source().ends_with(&format!("{ends};\n")));
        let ends = r#"([],"/.well-known/cookies/seen",false)"#;
        assert!(text(&scripts[3]).ends_with(ends));
    }

    #[test]
    fn w2_the_names_are_those_that_scripts_may_set_and_none_before_a_required_agreement() {
        let policy = Policy {
            guard: GuardMode::Enforce,
            agreement: AgreementMode::Required,
            ..Policy::new(Declaration::flexopus().into())
        };
        let path = PagePath::well_known();
        let of = |policy: &Policy, has_agreed| GuardScript::of(policy, has_agreed, &path);
        let names = ["XSRF-TOKEN", "visitedMapBuilder"];
        let all = GuardScript::new(GuardMode::Enforce, names, BEACON);
        assert_eq!(of(&policy, true), all);
        assert_eq!(of(&policy, false), GuardScript::new(GuardMode::Enforce, [], BEACON));
        let notice = Policy { agreement: AgreementMode::Notice, ..policy.clone() };
        assert_eq!(of(&notice, false), all);
        let report = Policy { mode: Mode::Report, ..policy.clone() };
        assert_eq!(of(&report, true), GuardScript::new(GuardMode::Watch, names, BEACON));
        let off = Policy { guard: GuardMode::Off, ..policy };
        assert_eq!(of(&off, true), None);
    }

    #[test]
    fn the_source_expression_is_the_hash_of_the_text_between_the_tags() {
        let script = script(GuardMode::Enforce, &["XSRF-TOKEN"]);
        let hash = digest(&SHA256, text(&script).as_bytes());
        assert_eq!(*script.csp_source, format!("'sha256-{}'", STANDARD.encode(hash)));
        let both = [text(&script).as_bytes(), b"\n", &script.worker_prefix].concat();
        assert_eq!(*script.tag, hex(digest(&SHA256, &both).as_ref())[..16]);
        // CSP3, section 6.7.3.3.
        let hash = digest(&SHA256, b"alert('Hello, world.');");
        assert_eq!(STANDARD.encode(hash), "qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn no_name_ends_the_script_or_its_string() {
        let script = script(
            GuardMode::Watch,
            &[
                "</script><script>",
                "<!--",
                "\"+alert()+\"",
                "\\",
                "\u{2028}\u{e4}\u{1f36a}\n'$|!#%&*+^`",
            ],
        );
        let text = text(&script);
        assert!(text.is_ascii() && !text.contains('<'), "{text}");
        let arguments = text.rsplit_once(")(").unwrap().1.strip_suffix(')').unwrap();
        let arguments: serde_json::Value = serde_json::from_str(&format!("[{arguments}]")).unwrap();
        assert_eq!(
            arguments,
            serde_json::json!([
                [
                    "</script><script>",
                    "<!--",
                    "\"+alert()+\"",
                    "\\",
                    "\u{2028}\u{e4}\u{1f36a}\n'$|!#%&*+^`"
                ],
                BEACON,
                false
            ])
        );
    }

    #[test]
    fn the_script_fits_into_any_page_and_is_one_line_of_at_most_2560_bytes() {
        let declaration = Declaration::flexopus();
        let may_be_set = declaration.cookies().iter().filter(|cookie| !cookie.http_only);
        let names: Vec<_> = may_be_set.map(|cookie| cookie.name.as_str()).collect();
        for mode in [GuardMode::Enforce, GuardMode::Watch] {
            let script = script(mode, &names);
            let text = text(&script);
            assert!(text.is_ascii() && !text.contains(['<', '\n', '\r']), "{text}");
            assert!(script.html.len() <= 2_560, "{} bytes", script.html.len());
            assert!(script.worker_prefix.is_ascii() && !script.worker_prefix.contains(&b'\n'));
            assert!(script.worker_prefix.len() <= 640, "{} bytes", script.worker_prefix.len());
        }
    }
}
