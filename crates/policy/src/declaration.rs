//! The declaration of the cookies that the operator has published, with their attributes (D).
//!
//! Each value is checked when it is made (`value.rs`), so no other code checks it again: a name is a token, a path can't
//! end a field, and a field that is built from a declaration is always a valid `Set-Cookie`.

use alloc::{borrow::ToOwned, string::String, vec, vec::Vec};
use core::str::FromStr;

use crate::syntax::has_host_prefix;

pub use crate::value::{
    CookieDomain, CookieName, CookiePath, InjectedValue, ParseError, PathPattern, SessionDuration,
};

/// The published cookies: at most [`Declaration::MAX_COOKIES`], each name once.
///
/// A declaration may be empty: then every cookie is undeclared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declaration {
    cookies: Vec<DeclaredCookie>,
    /// For each length of a name in bytes: the bits of the cookies whose names have this length.
    by_length: Vec<u64>,
}

/// One published cookie and its attributes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeclaredCookie {
    /// The name: a token (RFC 9110, section 5.6.2), compared byte for byte (R2).
    pub name: CookieName,
    /// The time that it is kept after each use.
    pub lifetime: Lifetime,
    /// The requests that renew it (D3).
    pub renew_on: RenewOn,
    /// The effect of a renewing request (N2).
    pub inject: Inject,
    /// Adds `HttpOnly`, so that scripts can't read it.
    pub http_only: bool,
    /// The `SameSite` attribute, unless the upstream's is stricter (S3).
    pub same_site: SameSite,
    /// The `Path` attribute.
    pub path: CookiePath,
    /// The `Domain` attribute; `None` makes the cookie host-only.
    pub domain: Option<CookieDomain>,
    /// The purpose, as it is shown to people: pairs of language tag and text, in the order of the file.
    pub purpose: Vec<(String, String)>,
    /// The things that do not work without the cookie, in the same form as the purpose.
    pub without: Vec<(String, String)>,
}

/// The lifetime of a declared cookie.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lifetime {
    /// The same lifetime for every tenant.
    Fixed(SessionDuration),
    /// The tenant's session duration (D1).
    Session,
}

/// The requests that renew a cookie (D3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewOn {
    /// Methods, in capitals. An empty list means every method except `OPTIONS` (N3).
    pub methods: Vec<String>,
    /// Path patterns, at least one of which must match.
    pub paths: Vec<PathPattern>,
}

/// The effect of a renewing request on a cookie (N1, N2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Inject {
    /// Neither renewed nor injected.
    Off,
    /// Renewed; set to 256 random bits in base64url if the browser has none.
    Random,
    /// Renewed if the browser has it.
    Renew,
    /// Renewed; set to this value if the browser has none.
    Value(InjectedValue),
}

/// The values of `SameSite`, strictest last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SameSite {
    /// `SameSite=None`
    None,
    /// `SameSite=Lax`
    Lax,
    /// `SameSite=Strict`
    Strict,
}

impl SameSite {
    /// Every value, in the order of strictness.
    pub const ALL: [Self; 3] = [Self::None, Self::Lax, Self::Strict];

    /// Returns the word in the configuration and in the published declaration.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Lax => "lax",
            Self::None => "none",
            Self::Strict => "strict",
        }
    }
}

impl Declaration {
    /// The largest number of cookies: each has one bit of a `u64`.
    pub const MAX_COOKIES: usize = 64;

    /// Makes a declaration of these cookies, in this order.
    ///
    /// # Errors
    ///
    /// Fails if there are too many cookies, if a name occurs twice, or if browsers would reject a cookie.
    pub fn new(cookies: Vec<DeclaredCookie>) -> Result<Self, DeclarationError> {
        if cookies.len() > Self::MAX_COOKIES {
            return Err(DeclarationError::TooMany { found: cookies.len() });
        }
        let mut by_length: Vec<u64> = Vec::new();
        for (bit, cookie) in bits().zip(&cookies) {
            cookie.check()?;
            if cookies.iter().filter(|other| other.name == cookie.name).count() > 1 {
                return Err(DeclarationError::Twice { name: cookie.name.clone() });
            }
            let length = cookie.name.as_bytes().len();
            if by_length.len() <= length {
                by_length.resize(length.saturating_add(1), 0);
            }
            if let Some(same_length) = by_length.get_mut(length) {
                *same_length |= bit;
            }
        }
        Ok(Self { cookies, by_length })
    }

    /// The declaration that Flexopus publishes. It applies if the configuration declares nothing.
    pub fn flexopus() -> Self {
        let published = |name: &str, purpose: [&str; 2], without: [&str; 2]| DeclaredCookie {
            name: literal(name),
            lifetime: Lifetime::Session,
            renew_on: RenewOn { methods: Vec::new(), paths: vec![literal("/api/*")] },
            inject: Inject::Renew,
            http_only: false,
            same_site: SameSite::Lax,
            path: literal("/"),
            domain: None,
            purpose: in_both_languages(purpose),
            without: in_both_languages(without),
        };
        let token = published(
            "XSRF-TOKEN",
            [
                "Required for the authentication process.",
                "Erforderlich für den Authentifizierungsprozess.",
            ],
            [
                "Logging in and every change, such as a booking, are refused.",
                "Das Anmelden und jede Änderung, etwa eine Buchung, werden abgelehnt.",
            ],
        );
        let session = DeclaredCookie {
            http_only: true,
            ..published(
                "flexopus_session",
                [
                    "Required for the user to remain logged in.",
                    "Erforderlich, damit der Benutzer eingeloggt bleibt.",
                ],
                [
                    "The user can't log in or remain logged in.",
                    "Der Benutzer kann sich nicht anmelden und bleibt nicht eingeloggt.",
                ],
            )
        };
        let map_builder = DeclaredCookie {
            lifetime: Lifetime::Fixed(literal("3w")),
            renew_on: RenewOn {
                methods: vec!["GET".to_owned()],
                paths: vec![literal("/map-builder/*")],
            },
            inject: Inject::Value(literal("1")),
            ..published(
                "visitedMapBuilder",
                [
                    "Required for the user friendliness of the map editor.",
                    "Erforderlich für die Benutzerfreundlichkeit des Karteneditors.",
                ],
                [
                    "The map editor does not remember that it was opened before. Everything else works.",
                    "Der Karteneditor merkt sich nicht, dass er schon geöffnet wurde. Alles andere funktioniert.",
                ],
            )
        };
        Self::new(vec![token, session, map_builder]).expect("three cookies of different names")
    }

    /// Returns the cookies in the order in which they were declared.
    pub fn cookies(&self) -> &[DeclaredCookie] {
        &self.cookies
    }

    /// Finds the declared cookie of exactly this name (R2), with its bit.
    pub(crate) fn find(&self, name: &[u8]) -> Option<(u64, &DeclaredCookie)> {
        let mut same_length = *self.by_length.get(name.len())?;
        while same_length != 0 {
            let index = same_length.trailing_zeros();
            let cookie = self.cookies.get(index as usize)?;
            if cookie.name.as_bytes() == name {
                return Some((1u64.wrapping_shl(index), cookie));
            }
            same_length &= same_length.wrapping_sub(1);
        }
        None
    }

    /// Returns each cookie with its bit, in the order in which they were declared.
    pub(crate) fn with_bits(&self) -> impl Iterator<Item = (u64, &DeclaredCookie)> {
        bits().zip(&self.cookies)
    }
}

/// Tags a text of the built-in declaration, English first.
fn in_both_languages([en, de]: [&str; 2]) -> Vec<(String, String)> {
    vec![("en".to_owned(), en.to_owned()), ("de".to_owned(), de.to_owned())]
}

/// Parses a value of the built-in declaration.
fn literal<T: FromStr<Err = ParseError>>(text: &str) -> T {
    text.parse().expect("the built-in declaration is well-formed: a test reads the whole of it")
}

/// Returns all 64 bits, lowest first.
fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|index| 1u64.wrapping_shl(index))
}

impl DeclaredCookie {
    /// Returns the lifetime for a tenant with this session duration.
    pub(crate) fn lifetime(&self, session: SessionDuration) -> SessionDuration {
        match self.lifetime {
            Lifetime::Fixed(duration) => duration,
            Lifetime::Session => session,
        }
    }

    /// Checks the rules that concern several values of the cookie together.
    fn check(&self) -> Result<(), DeclarationError> {
        let name = || self.name.clone();
        let is_root = self.domain.is_none() && self.path.as_str() == "/";
        if has_host_prefix(self.name.as_bytes()) && !is_root {
            return Err(DeclarationError::HostPrefix { name: name() });
        }
        let is_capital = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
        let is_method =
            |method: &&String| !method.is_empty() && method.bytes().all(|b| is_capital(&b));
        if let Some(method) = self.renew_on.methods.iter().find(|method| !is_method(method)) {
            return Err(DeclarationError::Method { name: name(), found: method.clone() });
        }
        Ok(())
    }
}

impl RenewOn {
    /// Returns true if a request with this method and path renews the cookie.
    pub(crate) fn matches(&self, method: &str, path: &str) -> bool {
        let mut methods = self.methods.iter();
        (self.methods.is_empty() || methods.any(|m| m == method))
            && self.paths.iter().any(|pattern| pattern.matches(path))
    }
}

/// The reason why a list of cookies is not a valid declaration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeclarationError {
    /// A `__Host-` cookie that browsers would reject.
    #[error(
        "the cookie {name} has a domain or a path other than \"/\", and browsers reject a cookie \
         with that prefix then: leave both out, or rename the cookie"
    )]
    HostPrefix {
        /// The cookie's name.
        name: CookieName,
    },
    /// A renewing method that is not a valid method.
    #[error(
        "the cookie {name} is renewed on {found:?}, which is not a method: expected a method such as GET, in capitals"
    )]
    Method {
        /// The cookie's name.
        name: CookieName,
        /// The text that was found.
        found: String,
    },
    /// More cookies than [`Declaration::MAX_COOKIES`].
    #[error("{found} cookies are declared, more than {max}", max = Declaration::MAX_COOKIES)]
    TooMany {
        /// The number of cookies.
        found: usize,
    },
    /// Two cookies with the same name.
    #[error("the cookie {name} is declared twice: each name can have only one entry")]
    Twice {
        /// The name.
        name: CookieName,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(name: &str) -> DeclaredCookie {
        let published = Declaration::flexopus().cookies.into_iter().next().unwrap();
        DeclaredCookie { name: name.parse().unwrap(), ..published }
    }

    #[test]
    fn d_the_built_in_declaration_is_the_published_table() {
        let declaration = Declaration::flexopus();
        let rows: Vec<_> = declaration
            .cookies()
            .iter()
            .map(|c| (c.name.as_str(), c.lifetime, c.http_only, c.inject.clone()))
            .collect();
        let three_weeks = Lifetime::Fixed("3w".parse().unwrap());
        assert_eq!(
            rows,
            [
                ("XSRF-TOKEN", Lifetime::Session, false, Inject::Renew),
                ("flexopus_session", Lifetime::Session, true, Inject::Renew),
                ("visitedMapBuilder", three_weeks, false, Inject::Value("1".parse().unwrap())),
            ]
        );
        for cookie in declaration.cookies() {
            for texts in [&cookie.purpose, &cookie.without] {
                let languages: Vec<_> = texts.iter().map(|(tag, _)| tag.as_str()).collect();
                assert_eq!(languages, ["en", "de"]);
            }
        }
    }

    #[test]
    fn d3_renewal_paths_and_methods() {
        let declaration = Declaration::flexopus();
        let renews = |name: &[u8], method, path| {
            declaration.find(name).unwrap().1.renew_on.matches(method, path)
        };
        for (path, expected) in [
            ("/api", true),
            ("/api/", true),
            ("/api/v1/bookings", true),
            ("/apis", false),
            ("/API/v1", false),
            ("/", false),
            ("/v1/api/", false),
        ] {
            assert_eq!(renews(b"flexopus_session", "POST", path), expected, "{path}");
        }
        assert!(renews(b"visitedMapBuilder", "GET", "/map-builder"));
        assert!(renews(b"visitedMapBuilder", "GET", "/map-builder/7"));
        assert!(!renews(b"visitedMapBuilder", "POST", "/map-builder/7"));
        assert!(!renews(b"visitedMapBuilder", "get", "/map-builder/7"));
        assert!(!renews(b"visitedMapBuilder", "GET", "/map-builders"));
    }

    #[test]
    fn r2_a_name_is_found_byte_for_byte_in_the_largest_declaration() {
        let names: Vec<String> = (0..64).map(|n| format!("cookie-{n}")).collect();
        let declaration =
            Declaration::new(names.iter().map(|name| cookie(name)).collect()).unwrap();
        for (index, name) in names.iter().enumerate() {
            let (bit, found) = declaration.find(name.as_bytes()).unwrap();
            assert_eq!((bit, found.name.as_str()), (1 << index, name.as_str()));
        }
        for other in ["", "cookie", "cookie-64", "Cookie-1", "cookie-1 ", "cookie-111"] {
            assert!(declaration.find(other.as_bytes()).is_none(), "{other}");
        }
    }

    #[test]
    fn d_a_declaration_that_browsers_would_reject_is_an_error() {
        let refused = |cookies| Declaration::new(cookies).unwrap_err().to_string();
        let many = (0..65).map(|n| cookie(&format!("c{n}"))).collect();
        assert_eq!(refused(many), "65 cookies are declared, more than 64");
        assert_eq!(
            refused(vec![cookie("a"), cookie("b"), cookie("a")]),
            "the cookie a is declared twice: each name can have only one entry"
        );
        let below = DeclaredCookie { path: "/a".parse().unwrap(), ..cookie("__Host-a") };
        let domain = Some("example.com".parse().unwrap());
        let wide = DeclaredCookie { domain, ..cookie("__hOST-a") };
        for cookie in [below, wide] {
            assert!(refused(vec![cookie]).contains("browsers reject a cookie with that prefix"));
        }
        let mut lower_case = cookie("a");
        lower_case.renew_on.methods = vec!["get".to_owned()];
        assert!(refused(vec![lower_case]).contains("renewed on \"get\", which is not a method"));
        assert!(Declaration::new(vec![cookie("__Host-a"), cookie("__Secure-b")]).is_ok());
        assert!(Declaration::new(Vec::new()).is_ok());
    }
}
