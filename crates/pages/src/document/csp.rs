//! Decides if a `Content-Security-Policy` allows a banner with a style sheet and a form of the page's own origin (Content
//! Security Policy Level 3).

use crate::csp::{OWN_ORIGIN, Policy, policies};

/// Returns true if all policies of these fields allow a banner. A field can hold several policies, separated by commas.
///
/// A source that names the page's own host is not recognised as its origin. In doubt there is no banner.
pub(super) fn allows_banner<'f>(fields: impl IntoIterator<Item = &'f [u8]>) -> bool {
    fields.into_iter().flat_map(policies).all(allows)
}

fn allows(policy: Policy<'_>) -> bool {
    let has_own = |names: &[&str]| {
        policy.find_first(names).is_none_or(|sources| sources.has_one_of(&OWN_ORIGIN))
    };
    let sandbox = policy.find("sandbox");
    let permits = |flag| sandbox.is_none_or(|flags| flags.has_one_of(&[flag]));
    // A sandboxed page without its origin would send the form with `Origin: null`.
    has_own(&["style-src-elem", "style-src", "default-src"])
        && has_own(&["form-action"])
        && permits("allow-forms")
        && permits("allow-same-origin")
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
