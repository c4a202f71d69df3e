//! What the operator has published: the cookies that may exist, and how (D).
//!
//! Everything here is checked when it is made (the single values in `value.rs`), so nothing behind it checks again: a
//! name is a token, a path can't end a field, and what is built from a declaration is always a valid `Set-Cookie`.

use std::str::FromStr;

use super::syntax::has_host_prefix;

pub use super::value::{
    CookieDomain, CookieName, CookiePath, InjectedValue, ParseError, PathPattern, SessionDuration,
};

/// The whole declaration: at most [`Declaration::MAX_COOKIES`] cookies, no name twice.
///
/// An empty one is legal: every cookie is undeclared.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Declaration {
    cookies: Vec<DeclaredCookie>,
    /// At each length of a name: the bits of the cookies whose names have it.
    by_length: Vec<u64>,
}

/// One published cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeclaredCookie {
    /// The name: a token (RFC 9110, section 5.6.2), compared byte for byte (R2).
    pub name: CookieName,
    /// How long it is kept after each use.
    pub lifetime: Lifetime,
    /// Which requests renew it (D3).
    pub renew_on: RenewOn,
    /// What renewal does (N2).
    pub inject: Inject,
    /// Whether scripts are kept from it.
    pub http_only: bool,
    /// Its `SameSite`, unless the upstream's is stricter (S3).
    pub same_site: SameSite,
    /// Its `Path`.
    pub path: CookiePath,
    /// Its `Domain`; none makes it host-only.
    pub domain: Option<CookieDomain>,
    /// What it is for, in words shown to people: language tag and text, in the order written.
    pub purpose: Vec<(String, String)>,
    /// What does not work without it, likewise.
    pub without: Vec<(String, String)>,
}

/// How long a declared cookie is kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Lifetime {
    /// The same for every tenant.
    Fixed(SessionDuration),
    /// The tenant's session duration (D1).
    Session,
}

/// Which requests renew a cookie (D3).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenewOn {
    /// Methods, in capitals; empty: every method (but `OPTIONS`, N3).
    pub methods: Vec<String>,
    /// Paths; one of them must match.
    pub paths: Vec<PathPattern>,
}

/// What a renewing request does to a cookie (N1, N2).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Inject {
    /// Never renewed nor injected.
    Off,
    /// Renewed; where the browser has none, set to 256 random bits in base64url.
    Random,
    /// Renewed where the browser has it.
    Renew,
    /// Renewed; where the browser has none, set to this value.
    Value(InjectedValue),
}

/// `SameSite`, strictest last.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SameSite {
    /// `SameSite=None`
    None,
    /// `SameSite=Lax`
    Lax,
    /// `SameSite=Strict`
    Strict,
}

impl Declaration {
    /// How many cookies a declaration may hold: one bit of a `u64` each.
    pub const MAX_COOKIES: usize = 64;

    /// A declaration of these cookies, in this order.
    ///
    /// # Errors
    ///
    /// Where there are too many, a name comes twice, or a cookie says what no browser would accept.
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

    /// The cookies that Flexopus publishes: what is declared where `config.toml` declares nothing.
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

    /// The cookies, in the order declared.
    pub fn cookies(&self) -> &[DeclaredCookie] {
        &self.cookies
    }

    /// The declared cookie of exactly this name (R2), and its bit.
    pub(super) fn find(&self, name: &[u8]) -> Option<(u64, &DeclaredCookie)> {
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

    /// Each cookie with its bit, in the order declared.
    pub(super) fn with_bits(&self) -> impl Iterator<Item = (u64, &DeclaredCookie)> {
        bits().zip(&self.cookies)
    }
}

/// A text of the built-in declaration, English first.
fn in_both_languages([en, de]: [&str; 2]) -> Vec<(String, String)> {
    vec![("en".to_owned(), en.to_owned()), ("de".to_owned(), de.to_owned())]
}

/// A value of the built-in declaration.
fn literal<T: FromStr<Err = ParseError>>(text: &str) -> T {
    text.parse().expect("the built-in declaration is well-formed: a test reads the whole of it")
}

/// One bit after the other, lowest first.
fn bits() -> impl Iterator<Item = u64> {
    (0..u64::BITS).map(|index| 1u64.wrapping_shl(index))
}

impl DeclaredCookie {
    /// How long it lives, for a tenant with this session duration.
    pub(super) fn lifetime(&self, session: SessionDuration) -> SessionDuration {
        match self.lifetime {
            Lifetime::Fixed(duration) => duration,
            Lifetime::Session => session,
        }
    }

    /// What no single key can know of itself.
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
    /// Whether a request with this method and path renews.
    pub(super) fn matches(&self, method: &str, path: &str) -> bool {
        let mut methods = self.methods.iter();
        (self.methods.is_empty() || methods.any(|m| m == method))
            && self.paths.iter().any(|pattern| pattern.matches(path))
    }
}

/// Why cookies make no declaration.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DeclarationError {
    /// A `__Host-` cookie that browsers would refuse.
    #[error(
        "the cookie {name} has a domain or a path other than \"/\", and browsers refuse a cookie \
         of that prefix then: leave both out, or rename the cookie"
    )]
    HostPrefix {
        /// Its name.
        name: CookieName,
    },
    /// A renewing method that no request has.
    #[error(
        "the cookie {name} is renewed on {found:?}, which is no method: expected one such as GET, in capitals"
    )]
    Method {
        /// The cookie's name.
        name: CookieName,
        /// What stands there.
        found: String,
    },
    /// More than [`Declaration::MAX_COOKIES`].
    #[error("{found} cookies are declared, more than {max}", max = Declaration::MAX_COOKIES)]
    TooMany {
        /// How many there are.
        found: usize,
    },
    /// One name for two cookies.
    #[error("the cookie {name} is declared twice: a name can have one entry only")]
    Twice {
        /// That name.
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
    fn r2_a_name_is_found_byte_for_byte_among_the_most_that_may_be_declared() {
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
    fn d_a_declaration_that_no_browser_would_accept_is_refused() {
        let refused = |cookies| Declaration::new(cookies).unwrap_err().to_string();
        let many = (0..65).map(|n| cookie(&format!("c{n}"))).collect();
        assert_eq!(refused(many), "65 cookies are declared, more than 64");
        assert_eq!(
            refused(vec![cookie("a"), cookie("b"), cookie("a")]),
            "the cookie a is declared twice: a name can have one entry only"
        );
        let below = DeclaredCookie { path: "/a".parse().unwrap(), ..cookie("__Host-a") };
        let domain = Some("example.com".parse().unwrap());
        let wide = DeclaredCookie { domain, ..cookie("__hOST-a") };
        for cookie in [below, wide] {
            assert!(refused(vec![cookie]).contains("browsers refuse a cookie of that prefix"));
        }
        let mut lower_case = cookie("a");
        lower_case.renew_on.methods = vec!["get".to_owned()];
        assert!(refused(vec![lower_case]).contains("renewed on \"get\", which is no method"));
        assert!(Declaration::new(vec![cookie("__Host-a"), cookie("__Secure-b")]).is_ok());
        assert!(Declaration::new(Vec::new()).is_ok());
    }
}
