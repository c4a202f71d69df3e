//! The settings of the operator for the pages, and the paths of the pages.

use std::{fmt, str::FromStr};

use http::{Uri, uri::Scheme};

/// `[page]`: the path of the cookie page, and the operator that it names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PageSettings {
    /// The path of the cookie page; `None` serves no page.
    pub path: Option<PagePath>,
    /// The name of the person or organization that is responsible for the site.
    pub operator: Option<Name>,
    /// The address of the imprint or a similar page.
    pub link: Option<Link>,
    /// The text at the top of the page, in the place of a logo.
    pub logo: Option<Name>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { path: Some(PagePath::well_known()), operator: None, link: None, logo: None }
    }
}

/// The path of the cookie page. The other pages of the gateway are below it.
///
/// It consists of letters, digits, `-`, `.`, `_`, `~` and slashes, without empty parts. So it has only one spelling, which
/// needs no escape in an attribute, a header or a request target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PagePath(Box<str>);

/// A resource at the path of the cookie page or below it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PageRoute {
    /// Accepts an agreement.
    Agree,
    /// The style sheet of the banner.
    BannerStyle,
    /// The cookie page.
    Cookies,
    /// Accepts a refusal.
    Decline,
    /// The page after a refusal.
    Declined,
    /// Accepts beacons: reports of names that scripts set.
    Seen,
    /// Accepts a withdrawal.
    Withdraw,
    /// The page after a withdrawal.
    Withdrawn,
}

impl PageRoute {
    const ALL: [Self; 8] = [
        Self::Agree,
        Self::BannerStyle,
        Self::Cookies,
        Self::Decline,
        Self::Declined,
        Self::Seen,
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
            Self::Seen => "/seen",
            Self::Withdraw => "/withdraw",
            Self::Withdrawn => "/withdrawn",
        }
    }
}

impl PagePath {
    /// Returns the default path (RFC 8615).
    pub fn well_known() -> Self {
        Self("/.well-known/cookies".into())
    }

    /// Returns the path of the cookie page.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the resource at `path`, which has no query and is compared byte for byte; `None` if the gateway serves nothing
    /// there.
    pub fn place(&self, path: &str) -> Option<PageRoute> {
        let below = path.strip_prefix(&*self.0)?;
        PageRoute::ALL.into_iter().find(|place| place.below() == below)
    }

    /// Returns the path of a resource.
    pub fn of(&self, place: PageRoute) -> String {
        format!("{}{}", self.0, place.below())
    }
}

impl fmt::Display for PagePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PagePath {
    type Err = PageSettingError;

    fn from_str(text: &str) -> Result<Self, PageSettingError> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
        let is_part = |part: &str| {
            !part.is_empty() && part != "." && part != ".." && part.bytes().all(is_plain)
        };
        let parts = text.strip_prefix('/').filter(|_| text.len() <= MAX_BYTES);
        match parts.is_some_and(|parts| parts.split('/').all(is_part)) {
            true => Ok(Self(text.into())),
            false => Err(PageSettingError::Path { found: shown(text) }),
        }
    }
}

/// A name: one line of visible text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(Box<str>);

impl Name {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = PageSettingError;

    fn from_str(text: &str) -> Result<Self, PageSettingError> {
        let is_line = text.trim() == text && !text.chars().any(char::is_control);
        if text.is_empty() || text.len() > MAX_BYTES || !is_line {
            return Err(PageSettingError::Name { found: shown(text) });
        }
        Ok(Self(text.into()))
    }
}

/// An `http` or `https` address, as it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Link(Box<str>);

impl Link {
    /// Returns the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Link {
    type Err = PageSettingError;

    fn from_str(text: &str) -> Result<Self, PageSettingError> {
        let error = || PageSettingError::Link { found: shown(text) };
        // The type itself accepts more bytes than an address may have.
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

/// The error for an invalid setting.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PageSettingError {
    /// The value is not an address of the web.
    #[error("found {found:?}, expected an address that begins with https:// or http://")]
    Link {
        /// The beginning of the value.
        found: String,
    },
    /// The value is not a name.
    #[error(
        "found {found:?}, expected a line of text of at most {MAX_BYTES} bytes, without spaces at its ends"
    )]
    Name {
        /// The beginning of the value.
        found: String,
    },
    /// The value is not a path.
    #[error(
        "found {found:?}, expected a path such as \"/.well-known/cookies\": letters, digits, \"-\", \".\", \"_\" and \
         \"~\" between slashes"
    )]
    Path {
        /// The beginning of the value.
        found: String,
    },
}

const MAX_BYTES: usize = 200;
const MAX_LINK_BYTES: usize = 2_000;

/// Returns the beginning of a text.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_compared_byte_for_byte_and_all_others_belong_to_the_application() {
        let path = PagePath::well_known();
        for place in PageRoute::ALL {
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
    fn a_path_has_only_one_spelling() {
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
    fn a_link_is_an_http_or_https_address() {
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
