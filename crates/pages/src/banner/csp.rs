//! Decides if a `Content-Security-Policy` allows a banner with a style sheet and a form of the page's own origin (Content
//! Security Policy Level 3).

/// Returns true if all policies of these fields allow a banner. A field can hold several policies, separated by commas.
///
/// A source that names the page's own host is not recognised as its origin. In doubt there is no banner.
pub(super) fn allows_banner<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> bool {
    let policies = fields.into_iter().flat_map(|field| field.split(|byte| *byte == b','));
    policies.map(SecurityPolicy::read).all(|policy| policy.allows_banner())
}

/// The directives of one policy that concern a banner. The first directive of each name counts (section 2.2.1).
#[derive(Debug, Default)]
struct SecurityPolicy<'f> {
    default_sources: Option<&'f [u8]>,
    form_targets: Option<&'f [u8]>,
    sandbox: Option<&'f [u8]>,
    styles: Option<&'f [u8]>,
    style_elements: Option<&'f [u8]>,
}

impl<'f> SecurityPolicy<'f> {
    fn read(text: &'f [u8]) -> Self {
        let mut policy = Self::default();
        for directive in text.split(|byte| *byte == b';') {
            let directive = directive.trim_ascii();
            let end = directive.iter().position(u8::is_ascii_whitespace);
            let (name, value) = directive.split_at(end.unwrap_or(directive.len()));
            let directive = match &*name.to_ascii_lowercase() {
                b"default-src" => &mut policy.default_sources,
                b"form-action" => &mut policy.form_targets,
                b"sandbox" => &mut policy.sandbox,
                b"style-src" => &mut policy.styles,
                b"style-src-elem" => &mut policy.style_elements,
                _ => continue,
            };
            directive.get_or_insert(value);
        }
        policy
    }

    fn allows_banner(&self) -> bool {
        let styles = self.style_elements.or(self.styles).or(self.default_sources);
        let has_own = |sources| words(sources).any(|source| is_one_of(source, &OWN_ORIGIN));
        let allows = |flag: &[u8]| {
            self.sandbox
                .is_none_or(|flags| words(flags).any(|word| word.eq_ignore_ascii_case(flag)))
        };
        // A sandboxed page without its origin would send the form with `Origin: null`.
        styles.is_none_or(has_own)
            && self.form_targets.is_none_or(has_own)
            && allows(b"allow-forms")
            && allows(b"allow-same-origin")
    }
}

/// The sources that include the own origin of every https page: `http:` and `*` match the secure scheme too (section
/// 6.7.2.8).
const OWN_ORIGIN: [&[u8]; 4] = [b"'self'", b"*", b"http:", b"https:"];

fn is_one_of(word: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|other| word.eq_ignore_ascii_case(other))
}

fn words(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_allows_a_banner_if_it_allows_the_style_sheet_and_the_form() {
        let cases: [(&[&str], bool); 32] = [
            (&[], true),
            (&[""], true),
            (&["script-src 'none'"], true),
            (&["default-src 'self'"], true),
            (&["DEFAULT-SRC\t'SELF'  https://a.example"], true),
            (&["default-src https:; object-src 'none'"], true),
            (&["default-src *"], true),
            (&["default-src http:"], true),
            (&["default-src 'none'"], false),
            (&["default-src"], false),
            (&["default-src https://acme.example"], false),
            (&["default-src 'none'; style-src 'self'"], true),
            (&["default-src 'self'; style-src 'none'"], false),
            (&["default-src 'self'; style-src 'nonce-abc' 'unsafe-inline'"], false),
            (&["style-src 'none'; style-src-elem 'self'"], true),
            (&["style-src 'self'; style-src-elem 'none'"], false),
            (&["style-src 'self'; style-src-attr 'none'"], true),
            (&["style-src 'none'; style-src 'self'"], false),
            (&["style-src 'self'; style-src 'none'"], true),
            (&["form-action 'self'"], true),
            (&["form-action 'none'"], false),
            (&["form-action"], false),
            (&["default-src 'self'; form-action https://a.example"], false),
            (&["sandbox"], false),
            (&["sandbox allow-forms"], false),
            (&["sandbox allow-same-origin allow-scripts"], false),
            (&["sandbox Allow-Forms allow-same-origin"], true),
            (&["default-src 'self'", "style-src 'none'"], false),
            (&["default-src 'self', style-src 'none'"], false),
            (&["default-src 'self', style-src 'self'"], true),
            (&["upgrade-insecure-requests;;; ; style-src 'self' ;"], true),
            (&["style-srcs 'none'; x style-src 'none'"], true),
        ];
        for (fields, expected) in cases {
            assert_eq!(
                allows_banner(fields.iter().map(|field| field.as_bytes())),
                expected,
                "{fields:?}"
            );
        }
    }
}
