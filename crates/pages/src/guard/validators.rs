//! Marks the entity tags of pages that carry the guard's script (RFC 9110, sections 8.8 and 13).
//!
//! A browser that stores such a page stores the script with it. The tag of the page therefore names both the application's
//! page and the script: `"abc"` becomes `W/"abc.crumbgate-0123456789abcdef"`, and `W/"abc"` becomes
//! `W/"abc.crumbgate-w-0123456789abcdef"`. The application receives its own tag, byte for byte, but only if the mark is that
//! of the current script. Every other page is sent again.
//!
//! - A marked tag is weak: a page that is compressed again does not always have the same bytes (section 8.8.1).
//! - A page with the script has no `Last-Modified`, because a date can't name the script.
//! - A tag that is not well-formed is removed.

use crumbgate_policy::accepts_html;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::document::{SEC_FETCH_DEST, remove_fields_of_the_exact_page};

/// The stored page that a 304 to a request would confirm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StoredPage {
    /// A page with the current script. The 304 needs the fields of such a page.
    Guarded,
    /// Another page, or no page. A 304 stays as it is.
    Other,
}

/// Changes the conditions of a request for which `script` is the mark of the current script. Returns the stored page that a
/// 304 would confirm.
///
/// A request that reads (`GET`, `HEAD`):
///
/// - If it has tags with the mark, only they remain, without the mark.
/// - If not, and it has tags with another mark or may be for a page ([`may_be_page`]), its conditions are removed: the
///   browser has no page with the current script.
/// - A request for a page also loses its range, because a part of a page can't carry the script.
/// - All others keep their conditions. A stored image is still confirmed by a 304.
///
/// In `If-Match`, and in all conditions of other methods, every tag loses its mark: what these requests change has no script.
pub fn prepare_conditions(request: &mut HeaderMap, method: &Method, script: &str) -> StoredPage {
    unmark_all(request, header::IF_MATCH);
    if !matches!(*method, Method::GET | Method::HEAD) {
        unmark_all(request, header::IF_NONE_MATCH);
        return StoredPage::Other;
    }
    let is_for_page = may_be_page(request);
    if is_for_page {
        request.remove(header::IF_RANGE);
        request.remove(header::RANGE);
    }
    let tags = read_tags(request, &header::IF_NONE_MATCH);
    let marked: Vec<_> = tags.iter().filter_map(|tag| tag.unmark()).collect();
    let current = marked.iter().filter(|(_, mark)| *mark == script.as_bytes());
    if let Some(list) = write_tags(current.map(|(tag, _)| *tag)) {
        request.insert(header::IF_NONE_MATCH, list);
        request.remove(header::IF_MODIFIED_SINCE);
        return StoredPage::Guarded;
    }
    if is_for_page || !marked.is_empty() {
        request.remove(header::IF_NONE_MATCH);
        request.remove(header::IF_MODIFIED_SINCE);
    }
    StoredPage::Other
}

/// Returns true if the response to a request is likely to be a page: a browser says so, or HTML is accepted.
///
/// Scripts of a page that `fetch` anything accept `*/*`, and browsers without `Sec-Fetch-Dest` name `text/html` if they open a page.
pub fn may_be_page(request: &HeaderMap) -> bool {
    match request.get(SEC_FETCH_DEST).map(HeaderValue::as_bytes) {
        None | Some(b"empty") => {
            accepts_html(request.get_all(header::ACCEPT).into_iter().map(HeaderValue::as_bytes))
        }
        Some(destination) => PAGES.contains(&destination),
    }
}

/// Changes the fields that describe a page, after it got the script with this mark: in its own response, and in a 304 that
/// confirms it ([`StoredPage::Guarded`]).
pub fn mark_page(response: &mut HeaderMap, script: &str) {
    remove_fields_of_the_exact_page(response);
    let tags = read_tags(response, &header::ETAG);
    let marked = match *tags {
        [tag] => HeaderValue::try_from(tag.mark(script)).ok(),
        _ => None,
    };
    match marked {
        Some(tag) => drop(response.insert(header::ETAG, tag)),
        None => drop(response.remove(header::ETAG)),
    }
}

const PAGES: [&[u8]; 6] = [b"document", b"embed", b"fencedframe", b"frame", b"iframe", b"object"];

/// Removes every mark from the tags of a field.
fn unmark_all(request: &mut HeaderMap, name: HeaderName) {
    let tags = read_tags(request, &name);
    if !tags.iter().any(|tag| tag.unmark().is_some()) {
        return;
    }
    let unmarked = tags.iter().map(|tag| tag.unmark().map_or(*tag, |(unmarked, _)| unmarked));
    if let Some(list) = write_tags(unmarked) {
        request.insert(name, list);
    }
}

/// Returns the entity tags of a field. A field that is not a list of tags, such as `*`, has none.
fn read_tags<'f>(fields: &'f HeaderMap, name: &HeaderName) -> Vec<EntityTag<'f>> {
    let mut tags = Vec::new();
    for value in fields.get_all(name) {
        if read_list(value.as_bytes(), &mut tags).is_none() {
            return Vec::new();
        }
    }
    tags
}

/// Reads the tags of one value. Returns `None` if it is not well-formed. A list can have empty elements (section 5.6.1.2).
fn read_list<'f>(mut text: &'f [u8], tags: &mut Vec<EntityTag<'f>>) -> Option<()> {
    while let Some(start) = text.iter().position(|byte| !b", \t".contains(byte)) {
        let (tag, behind) = EntityTag::read(&text[start..])?;
        if !matches!(behind.trim_ascii_start(), [] | [b',', ..]) {
            return None;
        }
        tags.push(tag);
        text = behind;
    }
    Some(())
}

/// Returns the value of a field with these tags, or `None` without any.
fn write_tags<'f>(tags: impl Iterator<Item = EntityTag<'f>>) -> Option<HeaderValue> {
    let mut list = Vec::new();
    for tag in tags {
        if !list.is_empty() {
            list.extend_from_slice(b", ");
        }
        tag.write(&mut list);
    }
    HeaderValue::try_from(list).ok().filter(|list| !list.is_empty())
}

/// An entity tag (section 8.8.3). Spaces are allowed in it, because applications write them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct EntityTag<'f> {
    is_weak: bool,
    /// The bytes between the quotation marks.
    text: &'f [u8],
}

impl<'f> EntityTag<'f> {
    /// Reads the tag at the beginning, and returns it with the bytes behind it.
    fn read(field: &'f [u8]) -> Option<(Self, &'f [u8])> {
        let weak = field.strip_prefix(b"W/");
        let text = weak.unwrap_or(field).strip_prefix(b"\"")?;
        let (text, behind) = text.split_at(text.iter().position(|byte| *byte == b'"')?);
        Some((Self { is_weak: weak.is_some(), text }, &behind[1..]))
    }

    fn write(self, list: &mut Vec<u8>) {
        list.extend_from_slice(if self.is_weak { b"W/\"" } else { b"\"" });
        list.extend_from_slice(self.text);
        list.push(b'"');
    }

    /// Returns the tag of the page after it got the script with this mark.
    fn mark(self, script: &str) -> Vec<u8> {
        let separator = if self.is_weak { FROM_WEAK } else { FROM_STRONG };
        [b"W/\"", self.text, separator, script.as_bytes(), b"\""].concat()
    }

    /// Returns the tag without its mark, and the mark. Returns `None` if it has none.
    fn unmark(self) -> Option<(Self, &'f [u8])> {
        let length = self.text.len().checked_sub(MARK_BYTES)?;
        let (text, mark) = self.text.split_at(length);
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !mark.iter().all(is_hex) {
            return None;
        }
        match text.strip_suffix(FROM_WEAK) {
            Some(text) => Some((Self { is_weak: true, text }, mark)),
            None => Some((Self { is_weak: false, text: text.strip_suffix(FROM_STRONG)? }, mark)),
        }
    }
}

/// The length of a mark: hexadecimal digits of the script's hash.
const MARK_BYTES: usize = 16;

/// Stands before the mark in a tag that was strong.
const FROM_STRONG: &[u8] = b".crumbgate-";

/// Stands before the mark in a tag that was weak.
const FROM_WEAK: &[u8] = b".crumbgate-w-";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCRIPT: &str = "0123456789abcdef";
    const DATE: &str = "Mon, 23 Nov 2026 12:00:00 GMT";

    /// A tag with the mark of another script.
    const OLD: &str = "W/\"a.crumbgate-fedcba9876543210\"";

    fn fields(list: &[(&'static str, &str)]) -> HeaderMap {
        let field = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
        };
        list.iter().map(field).collect()
    }

    /// Returns the stored page and the fields of a `GET` after its conditions have been prepared.
    fn prepared(list: &[(&'static str, &str)]) -> (StoredPage, HeaderMap) {
        let mut request = fields(list);
        (prepare_conditions(&mut request, &Method::GET, SCRIPT), request)
    }

    #[test]
    fn the_tag_of_a_page_is_marked_and_what_describes_its_bytes_is_removed() {
        let cases = [
            ("\"a\"", "W/\"a.crumbgate-0123456789abcdef\""),
            ("W/\"a\"", "W/\"a.crumbgate-w-0123456789abcdef\""),
            ("\"\"", "W/\".crumbgate-0123456789abcdef\""),
            ("\"a, b\\\"", "W/\"a, b\\.crumbgate-0123456789abcdef\""),
            ("\"é\"", "W/\"é.crumbgate-0123456789abcdef\""),
        ];
        for (tag, marked) in cases {
            let mut response = fields(&[
                ("accept-ranges", "bytes"),
                ("cache-control", "max-age=60"),
                ("content-length", "9"),
                ("etag", tag),
                ("last-modified", DATE),
                ("repr-digest", "sha-256=:a:"),
            ]);
            mark_page(&mut response, SCRIPT);
            assert_eq!(
                response,
                fields(&[("cache-control", "max-age=60"), ("etag", marked)]),
                "{tag}"
            );
        }
    }

    #[test]
    fn a_tag_that_is_not_well_formed_is_removed() {
        for tag in ["a", "\"a", "a\"", "w/\"a\"", "\"a\" b", "\"a\", \"b\"", "*", ""] {
            let mut response = fields(&[("etag", tag)]);
            mark_page(&mut response, SCRIPT);
            assert_eq!(response, HeaderMap::new(), "{tag}");
        }
        let mut response = fields(&[("etag", "\"a\""), ("etag", "\"b\"")]);
        mark_page(&mut response, SCRIPT);
        assert_eq!(response, HeaderMap::new());
    }

    #[test]
    fn the_application_gets_its_own_tags_of_pages_with_the_current_script() {
        let cases = [
            ("W/\"a.crumbgate-0123456789abcdef\"", "\"a\""),
            ("W/\"a.crumbgate-w-0123456789abcdef\"", "W/\"a\""),
            ("\"a.crumbgate-0123456789abcdef\"", "\"a\""),
            (", \"b\",W/\"a, c.crumbgate-0123456789abcdef\" ,", "\"a, c\""),
            ("W/\"a.crumbgate-fedcba9876543210\", W/\"b.crumbgate-0123456789abcdef\"", "\"b\""),
            (
                "W/\"a.crumbgate-0123456789abcdef\", W/\"b.crumbgate-w-0123456789abcdef\"",
                "\"a\", W/\"b\"",
            ),
        ];
        for (tags, expected) in cases {
            for destination in ["document", "image", "empty"] {
                let (stored, request) = prepared(&[
                    ("if-modified-since", DATE),
                    ("if-none-match", tags),
                    ("sec-fetch-dest", destination),
                ]);
                assert_eq!(stored, StoredPage::Guarded, "{tags}");
                let expected = [("if-none-match", expected), ("sec-fetch-dest", destination)];
                assert_eq!(request, fields(&expected), "{tags}");
            }
        }
    }

    #[test]
    fn a_request_for_a_page_has_no_condition_without_the_mark_and_no_range() {
        for tags in
            ["\"a\"", OLD, "*", "a", "\"a.crumbgate-0123456789abcde\"", "\"0123456789abcdef\""]
        {
            let (stored, request) = prepared(&[
                ("if-modified-since", DATE),
                ("if-none-match", tags),
                ("if-range", tags),
                ("range", "bytes=0-9"),
                ("sec-fetch-dest", "document"),
            ]);
            assert_eq!(stored, StoredPage::Other, "{tags}");
            assert_eq!(request, fields(&[("sec-fetch-dest", "document")]), "{tags}");
        }
    }

    #[test]
    fn other_requests_keep_their_conditions_unless_they_are_of_a_page_with_another_script() {
        for tags in ["\"a\"", "*", "a", "W/\"a.crumbgate-\""] {
            let list = [
                ("if-modified-since", DATE),
                ("if-none-match", tags),
                ("if-range", tags),
                ("range", "bytes=0-9"),
                ("sec-fetch-dest", "image"),
            ];
            assert_eq!(prepared(&list), (StoredPage::Other, fields(&list)), "{tags}");
        }
        let list =
            [("if-modified-since", DATE), ("if-none-match", OLD), ("sec-fetch-dest", "image")];
        assert_eq!(prepared(&list), (StoredPage::Other, fields(&[("sec-fetch-dest", "image")])));
    }

    #[test]
    fn requests_that_change_something_name_the_page_without_any_script() {
        let list = [("if-match", OLD), ("if-none-match", OLD), ("if-unmodified-since", DATE)];
        for (method, expected) in [
            (Method::PUT, [("if-match", "\"a\""), ("if-none-match", "\"a\"")]),
            (Method::DELETE, [("if-match", "\"a\""), ("if-none-match", "\"a\"")]),
        ] {
            let mut request = fields(&list);
            assert_eq!(prepare_conditions(&mut request, &method, SCRIPT), StoredPage::Other);
            let [first, second] = expected;
            assert_eq!(
                request,
                fields(&[first, second, ("if-unmodified-since", DATE)]),
                "{method}"
            );
        }
        for untouched in ["*", "\"a\"  ,\"b\"", "a"] {
            let list = [("if-match", untouched), ("if-none-match", untouched)];
            let mut request = fields(&list);
            prepare_conditions(&mut request, &Method::PUT, SCRIPT);
            assert_eq!(request, fields(&list));
        }
    }

    #[test]
    fn a_request_may_be_for_a_page_if_its_destination_or_what_it_accepts_is_one() {
        let html = "text/html,application/xhtml+xml,*/*;q=0.8";
        for (list, expected) in [
            (&[("sec-fetch-dest", "document")][..], true),
            (&[("sec-fetch-dest", "iframe"), ("accept", "*/*")], true),
            (&[("sec-fetch-dest", "empty"), ("accept", "*/*")], false),
            (&[("sec-fetch-dest", "empty"), ("accept", html)], true),
            (&[("sec-fetch-dest", "image"), ("accept", html)], false),
            (&[("accept", html)], true),
            (&[("accept", "application/json")], false),
            (&[], false),
        ] {
            assert_eq!(may_be_page(&fields(list)), expected, "{list:?}");
        }
    }

    proptest! {
        #[test]
        fn a_tag_survives_the_way_to_the_browser_and_back(
            weak in any::<bool>(),
            text in "[!#-~\u{80}-\u{ff}]{0,40}(\\.crumbgate-(w-)?[0-9a-f]{16})?",
        ) {
            let tag = format!("{}\"{text}\"", if weak { "W/" } else { "" });
            let mut response = fields(&[("etag", &tag)]);
            mark_page(&mut response, SCRIPT);
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, response[header::ETAG].clone());
            let stored = prepare_conditions(&mut request, &Method::GET, SCRIPT);
            prop_assert_eq!(stored, StoredPage::Guarded);
            prop_assert_eq!(request, fields(&[("if-none-match", &tag)]));
        }

        #[test]
        fn no_list_of_tags_confirms_a_page_without_the_script(
            list in "([W/]{0,2}\"?[a\", .\\\\é-]{0,6}(\\.crumbgate-(w-)?(0123456789abcdef|fedcba9876543210))?\"?[ ,]{0,2}){0,4}",
        ) {
            let list = list.trim();
            let (stored, request) = prepared(&[("if-none-match", list), ("sec-fetch-dest", "iframe")]);
            let sent = request.get(header::IF_NONE_MATCH);
            prop_assert_eq!(stored == StoredPage::Guarded, sent.is_some());
            if let Some(sent) = sent {
                prop_assert!(list.contains(".crumbgate-0123456789abcdef\"") || list.contains(".crumbgate-w-0123456789abcdef\""));
                prop_assert!(!read_tags(&request, &header::IF_NONE_MATCH).is_empty(), "{sent:?}");
            }
        }
    }
}
