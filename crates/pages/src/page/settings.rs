//! What an operator decides of the pages, and where each of them is.

use std::{fmt, str::FromStr};

use http::{Uri, uri::Scheme};

/// `[page]`: whose pages they are, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settings {
    /// The address of the cookie page; none: no page is served.
    pub path: Option<PagePath>,
    /// Who is responsible for the site.
    pub operator: Option<Name>,
    /// Where that is said in full.
    pub link: Option<Link>,
    /// What stands in the place of a logo.
    pub logo: Option<Name>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { path: Some(PagePath::well_known()), operator: None, link: None, logo: None }
    }
}

/// The path of the cookie page; whatever else the gateway serves of its own is below it.
///
/// Letters, digits, `-`, `.`, `_`, `~` and slashes, with no empty part: there is one way to write it, and it means the
/// same in an attribute, a field and a target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PagePath(Box<str>);

/// What is served at a page's path, or below it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place {
    /// Takes an agreement.
    Agree,
    /// The style of the banner.
    BannerStyle,
    /// The cookie page.
    Cookies,
    /// Takes a refusal.
    Decline,
    /// What follows of a refusal.
    Declined,
    /// Takes a withdrawal.
    Withdraw,
    /// What follows of a withdrawal.
    Withdrawn,
}

impl Place {
    const ALL: [Self; 7] = [
        Self::Agree,
        Self::BannerStyle,
        Self::Cookies,
        Self::Decline,
        Self::Declined,
        Self::Withdraw,
        Self::Withdrawn,
    ];

    fn below(self) -> &'static str {
        match self {
            Self::Agree => "/agree",
            Self::BannerStyle => "/banner.css",
            Self::Cookies => "",
            Self::Decline => "/decline",
            Self::Declined => "/declined",
            Self::Withdraw => "/withdraw",
            Self::Withdrawn => "/withdrawn",
        }
    }
}

impl PagePath {
    /// Where pages are unless an operator says otherwise (RFC 8615).
    pub fn well_known() -> Self {
        Self("/.well-known/cookies".into())
    }

    /// The path of the cookie page itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a request to `path` (without its query) is for, byte for byte; none: it is not the gateway's own.
    pub fn place(&self, path: &str) -> Option<Place> {
        let below = path.strip_prefix(&*self.0)?;
        Place::ALL.into_iter().find(|place| place.below() == below)
    }

    /// The path of a place.
    pub fn of(&self, place: Place) -> String {
        format!("{}{}", self.0, place.below())
    }
}

impl fmt::Display for PagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PagePath {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_part = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
        };
        let parts = text.strip_prefix('/').filter(|_| text.len() <= MAX_BYTES);
        match parts.is_some_and(|parts| parts.split('/').all(is_part)) {
            true => Ok(Self(text.into())),
            false => Err(SettingError::Path { found: shown(text) }),
        }
    }
}

/// A name in words: one line of visible text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(Box<str>);

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let is_line = text.trim() == text && !text.chars().any(char::is_control);
        if text.is_empty() || text.len() > MAX_BYTES || !is_line {
            return Err(SettingError::Name { found: shown(text) });
        }
        Ok(Self(text.into()))
    }
}

/// An address of the web, `http` or `https`, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link(Box<str>);

impl Link {
    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Link {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        let error = || SettingError::Link { found: shown(text) };
        // The type itself lets more through than an address has.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte);
        if text.len() > MAX_LINK_BYTES || !text.bytes().all(is_plain) {
            return Err(error());
        }
        let uri: Uri = text.parse().map_err(|_| error())?;
        let is_web = [Some(&Scheme::HTTP), Some(&Scheme::HTTPS)].contains(&uri.scheme());
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        if !is_web || authority.contains('@') || uri.host().is_none_or(str::is_empty) {
            return Err(error());
        }
        Ok(Self(text.into()))
    }
}

/// What a setting can't be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SettingError {
    /// No address of the web.
    #[error("found {found:?}, expected an address that begins with https:// or http://")]
    Link {
        /// What stands there.
        found: String,
    },
    /// No name.
    #[error(
        "found {found:?}, expected a line of text, of {MAX_BYTES} bytes at most and without spaces around it"
    )]
    Name {
        /// What stands there.
        found: String,
    },
    /// No path.
    #[error(
        "found {found:?}, expected a path such as \"/.well-known/cookies\": letters, digits, \"-\", \".\", \"_\" and \
         \"~\" between slashes"
    )]
    Path {
        /// What stands there.
        found: String,
    },
}

const MAX_BYTES: usize = 200;
const MAX_LINK_BYTES: usize = 2_000;

/// The beginning of what is wrong.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_found_byte_for_byte_and_everything_else_is_the_applications() {
        let path = PagePath::well_known();
        for place in Place::ALL {
            assert_eq!(path.place(&path.of(place)), Some(place));
        }
        for other in [
            "/",
            "",
            "/.well-known",
            "/.well-known/cookies/",
            "/.well-known/cookies/agreed",
            "/.well-known/cookiesagree",
            "/.well-known/Cookies",
            "/.well-known/%63ookies",
            "/x/.well-known/cookies",
        ] {
            assert_eq!(path.place(other), None, "{other}");
        }
    }

    #[test]
    fn a_path_has_one_way_to_be_written() {
        for good in ["/cookies", "/.well-known/cookies", "/a/b-c_d~e.f/1"] {
            assert_eq!(good.parse::<PagePath>().unwrap().as_str(), good);
        }
        for bad in
            ["", "/", "cookies", "/a/", "//a", "/a//b", "/a/../b", "/./a", "/a b", "/a?b", "/a%20"]
        {
            assert!(bad.parse::<PagePath>().is_err(), "{bad}");
        }
        assert!(format!("/{}", "a".repeat(199)).parse::<PagePath>().is_ok());
        assert!(format!("/{}", "a".repeat(200)).parse::<PagePath>().is_err());
    }

    #[test]
    fn a_link_leads_to_the_web() {
        for good in [
            "https://flexopus.example",
            "http://[::1]:8080/a?b=c#d",
            "HTTPS://acme.example/privacy/%C3%BC",
        ] {
            assert_eq!(good.parse::<Link>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "acme.example",
            "//acme.example",
            "/privacy",
            "javascript:alert(1)",
            "mailto:a@acme.example",
            "https://",
            "https://a@acme.example",
            "https://acme.example/\"onclick=",
            "https://acme.example/a b",
            "https://\u{e4}.example",
            "data:text/html,x",
        ] {
            assert!(bad.parse::<Link>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_is_a_line_of_text() {
        assert_eq!("Köln & Söhne".parse::<Name>().unwrap().as_str(), "Köln & Söhne");
        for bad in ["", " a", "a\n", "a\tb", "a\u{1b}[2J", &"a".repeat(201)] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }
}
