//! Decides which responses are pages that can be changed.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::{codings::Coding, csp, outcome::BannerOutcome};
use crumbgate_audit::GuardOutcome;

/// The reason why a response is not a page that can be changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Obstacle {
    /// The page has a content coding that the gateway does not read, or several.
    Compressed,
    /// The page has a charset that does not contain ASCII, or is XHTML.
    Encoding,
    /// The page forbids changes (`no-transform`).
    Forbidden,
    /// The response is not a page.
    NoPage,
    /// The response is a part of a page (206).
    Part,
    /// The response is a document in another syntax, which can contain scripts: SVG or XML.
    Xml,
}

impl Obstacle {
    /// Returns the outcome for the guard; `None` if the response can't contain scripts.
    pub fn guard_outcome(self) -> Option<GuardOutcome> {
        match self {
            Self::Compressed => Some(GuardOutcome::Compressed),
            Self::Encoding | Self::Xml => Some(GuardOutcome::Encoding),
            Self::Forbidden => Some(GuardOutcome::Forbidden),
            Self::NoPage => None,
            Self::Part => Some(GuardOutcome::Partial),
        }
    }
}

impl From<Obstacle> for BannerOutcome {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::Compressed => Self::Compressed,
            Obstacle::Encoding => Self::Encoding,
            Obstacle::Forbidden => Self::Forbidden,
            Obstacle::NoPage | Obstacle::Part | Obstacle::Xml => Self::NoPage,
        }
    }
}

/// Checks that a response is a page that can be changed. Returns its content coding.
///
/// # Errors
///
/// Returns the first obstacle: [`Obstacle::NoPage`], [`Obstacle::Part`], one of the syntax or charset,
/// [`Obstacle::Compressed`] or [`Obstacle::Forbidden`], in this order.
pub fn may_change(status: StatusCode, response: &HeaderMap) -> Result<Coding, Obstacle> {
    let kind =
        if is_shown(status, response) { ContentKind::of(response) } else { ContentKind::Other };
    let is_part =
        status == StatusCode::PARTIAL_CONTENT || response.contains_key(header::CONTENT_RANGE);
    match kind {
        ContentKind::Other => Err(Obstacle::NoPage),
        ContentKind::Html | ContentKind::Unread | ContentKind::Xml if is_part => {
            Err(Obstacle::Part)
        }
        ContentKind::Unread => Err(Obstacle::Encoding),
        ContentKind::Xml => Err(Obstacle::Xml),
        ContentKind::Html => match Coding::of(response) {
            None => Err(Obstacle::Compressed),
            Some(_) if forbids_changes(response) => Err(Obstacle::Forbidden),
            Some(coding) => Ok(coding),
        },
    }
}

/// Returns true if a response is a page or a part of one, by its `Content-Type`. Such a response is private where pages depend
/// on whether a person has agreed (G9), also if it can't be changed.
pub fn is_page(response: &HeaderMap) -> bool {
    let mut types = values(response, &header::CONTENT_TYPE).map(essence);
    types.any(|essence| [HTML, XHTML].iter().any(|page| essence.eq_ignore_ascii_case(page)))
}

/// Returns a media type without its parameters.
fn essence(content_type: &[u8]) -> &[u8] {
    content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

/// Returns the content coding of a response that is a whole script of JavaScript and can be changed; `None` for any other.
pub fn may_change_script(status: StatusCode, response: &HeaderMap) -> Option<Coding> {
    let mut types = values(response, &header::CONTENT_TYPE);
    let (text, None) = (types.next()?, types.next()) else { return None };
    let essence = essence(text);
    let is_script = JAVASCRIPT.iter().any(|script| essence.eq_ignore_ascii_case(script));
    let is_whole = status == StatusCode::OK && !response.contains_key(header::CONTENT_RANGE);
    let may_change = is_script && is_whole && !forbids_changes(response);
    Coding::of(response).filter(|_| may_change)
}

/// Checks that a response is a page that may carry a banner.
///
/// # Errors
///
/// Returns the outcome of the first obstacle. The last one is that its security policy would block the banner's style sheet
/// or form ([`BannerOutcome::Forbidden`]).
pub fn may_carry(status: StatusCode, response: &HeaderMap) -> Result<(), BannerOutcome> {
    may_change(status, response)?;
    if csp::allows_banner(values(response, &header::CONTENT_SECURITY_POLICY)) {
        Ok(())
    } else {
        Err(BannerOutcome::Forbidden)
    }
}

/// Returns true if browsers show the response. Error pages are pages too, and so are redirects that lead nowhere.
fn is_shown(status: StatusCode, response: &HeaderMap) -> bool {
    let has_page = match status {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => false,
        _ => !status.is_redirection() || !response.contains_key(header::LOCATION),
    };
    has_page && !is_download(response)
}

/// Returns true if browsers save the response instead of showing it: for every disposition except `inline` (RFC 6266,
/// section 4.2). One without a type, such as `filename=a.html`, is ignored, as browsers do.
fn is_download(response: &HeaderMap) -> bool {
    values(response, &header::CONTENT_DISPOSITION).any(|value| {
        let kind = value.split(|byte| *byte == b';').next().unwrap_or_default();
        let kind = kind.trim_ascii();
        !kind.is_empty() && !kind.contains(&b'=') && !kind.eq_ignore_ascii_case(b"inline")
    })
}

/// The kind of a response, by its `Content-Type`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ContentKind {
    /// An HTML page whose charset contains ASCII.
    Html,
    /// Another type, or not exactly one `Content-Type`.
    Other,
    /// A page with another charset, or XHTML.
    Unread,
    /// A document in a syntax other than HTML, in which scripts run too.
    Xml,
}

impl ContentKind {
    fn of(response: &HeaderMap) -> Self {
        let mut types = values(response, &header::CONTENT_TYPE);
        let (Some(text), None) = (types.next(), types.next()) else { return Self::Other };
        let mut parts = text.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let essence = parts.next().unwrap_or_default();
        if essence.eq_ignore_ascii_case(XHTML) {
            return Self::Unread;
        }
        if XML.iter().any(|xml| essence.eq_ignore_ascii_case(xml)) {
            return Self::Xml;
        }
        if !essence.eq_ignore_ascii_case(HTML) {
            return Self::Other;
        }
        // The first charset counts. Browsers guess if they do not know it.
        let charset = parts.find_map(|part| parameter(part, b"charset"));
        if charset.is_none_or(is_ascii_compatible) { Self::Html } else { Self::Unread }
    }
}

const HTML: &[u8] = b"text/html";
const XHTML: &[u8] = b"application/xhtml+xml";

/// The usual types of scripts (RFC 9239).
const JAVASCRIPT: [&[u8]; 16] = [
    b"application/ecmascript",
    b"application/javascript",
    b"application/x-ecmascript",
    b"application/x-javascript",
    b"text/ecmascript",
    b"text/javascript",
    b"text/javascript1.0",
    b"text/javascript1.1",
    b"text/javascript1.2",
    b"text/javascript1.3",
    b"text/javascript1.4",
    b"text/javascript1.5",
    b"text/jscript",
    b"text/livescript",
    b"text/x-ecmascript",
    b"text/x-javascript",
];

/// The types of documents in which scripts run, apart from HTML and XHTML.
const XML: [&[u8]; 3] = [b"application/xml", b"image/svg+xml", b"text/xml"];

/// Returns the value of a parameter of this name, without quotes.
fn parameter<'v>(part: &'v [u8], name: &[u8]) -> Option<&'v [u8]> {
    let (given, value) = part.split_at_checked(name.len())?;
    let value = value.strip_prefix(b"=").filter(|_| given.eq_ignore_ascii_case(name))?;
    let quoted = value.strip_prefix(b"\"");
    Some(quoted.map_or(value, |value| value.strip_suffix(b"\"").unwrap_or(value)))
}

/// Returns true if this charset encodes the characters of tags as ASCII does: all except UTF-16, ISO-2022 and some older
/// ones (Encoding Standard, section 4.2).
fn is_ascii_compatible(charset: &[u8]) -> bool {
    let charset = charset.trim_ascii().to_ascii_lowercase();
    ASCII_COMPATIBLE.iter().any(|beginning| charset.starts_with(beginning))
}

const ASCII_COMPATIBLE: [&[u8]; 19] = [
    b"ascii",
    b"big5",
    b"cp125",
    b"euc-",
    b"gb",
    b"iso-8859-",
    b"iso8859-",
    b"iso_8859-",
    b"koi8-",
    b"latin",
    b"macintosh",
    b"shift-jis",
    b"shift_jis",
    b"tis-620",
    b"us-ascii",
    b"utf-8",
    b"utf8",
    b"windows-125",
    b"windows-874",
];

/// Returns true if the response forbids changes (RFC 9111, section 5.2.2.6).
fn forbids_changes(response: &HeaderMap) -> bool {
    let mut directives = values(response, &header::CACHE_CONTROL)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii);
    directives.any(|directive| directive.eq_ignore_ascii_case(b"no-transform"))
}

fn values<'f>(fields: &'f HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
    fields.get_all(name).into_iter().map(HeaderValue::as_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, fields: &[(&'static str, &'static str)]) -> Result<(), BannerOutcome> {
        let field = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        may_carry(StatusCode::from_u16(status).unwrap(), &fields.iter().map(field).collect())
    }

    #[test]
    fn every_page_may_carry_a_banner_and_error_pages_too() {
        for status in [200, 201, 203, 226, 300, 302, 400, 403, 404, 419, 500, 503, 600] {
            assert_eq!(judge(status, &[("content-type", "text/html")]), Ok(()), "{status}");
        }
        for status in [204, 205, 206, 304] {
            let judged = judge(status, &[("content-type", "text/html")]);
            assert_eq!(judged, Err(BannerOutcome::NoPage), "{status}");
        }
        let redirect = [("content-type", "text/html"), ("location", "/")];
        assert_eq!(judge(302, &redirect), Err(BannerOutcome::NoPage));
    }

    #[test]
    fn a_page_is_html_in_a_supported_charset() {
        for (kind, expected) in [
            ("text/html", Ok(())),
            ("Text/HTML ; Charset=UTF-8", Ok(())),
            ("text/html;charset=\"iso-8859-15\"; charset=utf-16", Ok(())),
            ("text/html; x=y; charset=windows-1252", Ok(())),
            ("text/html; charset=Shift_JIS", Ok(())),
            ("text/html; charset=utf-16", Err(BannerOutcome::Encoding)),
            ("text/html; charset=UTF-16LE", Err(BannerOutcome::Encoding)),
            ("text/html; charset=utf-32", Err(BannerOutcome::Encoding)),
            ("text/html; charset=iso-2022-jp", Err(BannerOutcome::Encoding)),
            ("text/html; charset=", Err(BannerOutcome::Encoding)),
            ("text/html; charset=of-my-own", Err(BannerOutcome::Encoding)),
            ("application/xhtml+xml; charset=utf-8", Err(BannerOutcome::Encoding)),
            ("text/htm", Err(BannerOutcome::NoPage)),
            ("text/html5", Err(BannerOutcome::NoPage)),
            ("application/json", Err(BannerOutcome::NoPage)),
            ("", Err(BannerOutcome::NoPage)),
        ] {
            assert_eq!(judge(200, &[("content-type", kind)]), expected, "{kind}");
        }
        assert_eq!(judge(200, &[]), Err(BannerOutcome::NoPage));
        let twice = [("content-type", "text/html"), ("content-type", "text/html")];
        assert_eq!(judge(200, &twice), Err(BannerOutcome::NoPage));
    }

    #[test]
    fn g9_a_page_is_known_by_its_type_alone() {
        for (types, expected) in [
            (&["text/html"][..], true),
            (&["Text/HTML ; charset=utf-16"], true),
            (&["application/xhtml+xml"], true),
            (&["image/png", "text/html"], true),
            (&["text/html5"], false),
            (&["application/json"], false),
            (&[], false),
        ] {
            let field =
                |kind: &&'static str| (header::CONTENT_TYPE, HeaderValue::from_static(kind));
            assert_eq!(is_page(&types.iter().map(field).collect()), expected, "{types:?}");
        }
    }

    #[test]
    fn other_fields_of_the_head_count_too() {
        for (name, value, expected) in [
            ("content-encoding", "identity", Ok(())),
            ("content-encoding", "", Ok(())),
            ("content-encoding", "gzip", Ok(())),
            ("content-encoding", "identity, br", Ok(())),
            ("content-encoding", "zstd", Err(BannerOutcome::Compressed)),
            ("content-encoding", "gzip, br", Err(BannerOutcome::Compressed)),
            ("content-range", "bytes 0-9/10", Err(BannerOutcome::NoPage)),
            ("content-disposition", "inline; filename=a.html", Ok(())),
            ("content-disposition", "filename=a.html", Ok(())),
            ("content-disposition", "", Ok(())),
            ("content-disposition", "Attachment", Err(BannerOutcome::NoPage)),
            ("content-disposition", "attachment; filename=a.html", Err(BannerOutcome::NoPage)),
            ("cache-control", "no-cache, private", Ok(())),
            ("cache-control", "private, No-Transform", Err(BannerOutcome::Forbidden)),
            ("content-security-policy", "default-src 'self'", Ok(())),
            ("content-security-policy", "default-src 'none'", Err(BannerOutcome::Forbidden)),
            ("content-security-policy-report-only", "default-src 'none'", Ok(())),
        ] {
            let fields = [("content-type", "text/html"), (name, value)];
            assert_eq!(judge(200, &fields), expected, "{name}: {value}");
        }
    }

    #[test]
    fn a_document_that_can_not_be_guarded_has_a_cause() {
        let outcome = |status, kind: &'static str| {
            let fields =
                HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
            may_change(StatusCode::from_u16(status).unwrap(), &fields)
                .map_err(Obstacle::guard_outcome)
        };
        let causes = [
            (206, "text/html", Some(GuardOutcome::Partial)),
            (200, "application/xhtml+xml", Some(GuardOutcome::Encoding)),
            (200, "text/html; charset=utf-16", Some(GuardOutcome::Encoding)),
            (200, "image/svg+xml", Some(GuardOutcome::Encoding)),
            (200, "text/xml; charset=utf-8", Some(GuardOutcome::Encoding)),
            (206, "video/mp4", None),
            (200, "application/json", None),
            (304, "text/html", None),
        ];
        for (status, kind, cause) in causes {
            assert_eq!(outcome(status, kind), Err(cause), "{status} {kind}");
        }
        assert_eq!(outcome(404, "text/html"), Ok(Coding::Identity));
    }

    #[test]
    fn a_policy_in_a_second_field_counts() {
        let fields = [
            ("content-type", "text/html; charset=utf-8"),
            ("content-security-policy", "default-src 'self'"),
            ("content-security-policy", "form-action 'none'"),
        ];
        assert_eq!(judge(200, &fields), Err(BannerOutcome::Forbidden));
    }
}
