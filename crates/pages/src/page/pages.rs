//! Every page of a subject, rendered and identified by its hash.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use super::{
    banner, html, json,
    sheet::Sheet,
    subject::{Since, Subject},
};
use crumbgate_audit::ShownPage;
use crumbgate_base::{language::Language, text::hex};

/// Returns the style sheet of the banner, which is the same for every page and tenant.
pub fn banner_style() -> &'static HashedDocument {
    static STYLE: LazyLock<HashedDocument> = LazyLock::new(|| HashedDocument::new(banner::STYLE));
    &STYLE
}

/// The kind of a page.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PageKind {
    /// A fragment: the notice that is inserted into the pages of the application.
    Banner,
    /// The cookie page.
    Cookies,
    /// The page after a refusal.
    Declined,
    /// The question, shown instead of the application.
    Interstitial,
    /// The page after a withdrawal.
    Withdrawn,
}

impl PageKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Banner, Self::Cookies, Self::Declined, Self::Interstitial, Self::Withdrawn];
}

/// A rendered page.
#[derive(Debug)]
pub struct Page {
    /// The kind.
    pub kind: PageKind,
    /// The language.
    pub language: Language,
    /// The bytes that are sent.
    pub html: Bytes,
    /// The page as the ledger keeps it.
    pub shown: Arc<ShownPage>,
    /// The identifier of the page that its buttons send: the first 16 hexadecimal digits of the SHA-256 of the page with an
    /// empty stamp and without a date. `None` if the page has no button.
    pub stamp: Option<Arc<str>>,
}

/// A document and its hash.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HashedDocument {
    /// The bytes that are sent.
    pub bytes: Bytes,
    /// The SHA-256 of the bytes, in hexadecimal digits.
    pub hash: Arc<str>,
}

/// Every page of one subject in every language.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Arc<Page>>,
    json: Vec<(Language, HashedDocument)>,
}

impl Pages {
    /// Renders every page.
    pub fn new(subject: &Subject<'_>) -> Self {
        let sheets = Language::ALL.map(|language| (language, Sheet::new(subject, language)));
        // The stamp does not depend on the date, so that it is the same on all gateways.
        let undated = Subject { since: Since::Unknown, ..*subject };
        let of_sheet = |(language, sheet): &(Language, Sheet<'_>)| {
            let undated = Sheet::new(&undated, *language);
            PageKind::ALL.map(|kind| Arc::new(Page::new(kind, *language, sheet, &undated)))
        };
        let json = |(language, sheet): &(Language, Sheet<'_>)| {
            (*language, HashedDocument::new(json::of(sheet)))
        };
        Self {
            pages: sheets.iter().flat_map(of_sheet).collect(),
            json: sheets.iter().map(json).collect(),
        }
    }

    /// Returns a page.
    pub fn get(&self, kind: PageKind, language: Language) -> &Arc<Page> {
        let matches = |page: &&Arc<Page>| page.kind == kind && page.language == language;
        self.pages.iter().find(matches).expect("every kind was rendered in every language")
    }

    /// Returns every page.
    #[cfg(test)]
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Page>> {
        self.pages.iter()
    }

    /// Returns the page whose buttons send this stamp; `None` if no page of this subject does.
    pub fn by_stamp(&self, stamp: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.stamp.as_deref() == Some(stamp))
    }

    /// Returns the content of the cookie page as JSON.
    pub fn json(&self, language: Language) -> &HashedDocument {
        let matches = |(of, _): &&(Language, HashedDocument)| *of == language;
        &self.json.iter().find(matches).expect("it was rendered in every language").1
    }
}

impl Page {
    fn new(kind: PageKind, language: Language, sheet: &Sheet<'_>, undated: &Sheet<'_>) -> Self {
        let render = |sheet: &Sheet<'_>, stamp: &str| match kind {
            PageKind::Banner => banner::fragment(sheet, stamp),
            PageKind::Cookies => html::cookies(sheet, stamp),
            PageKind::Declined => html::declined(sheet),
            PageKind::Interstitial => html::interstitial(sheet, stamp),
            PageKind::Withdrawn => html::withdrawn(sheet),
        };
        let mut stamp = sha256_hex(render(undated, "").as_bytes());
        stamp.truncate(STAMP_DIGITS);
        let stamped = render(sheet, &stamp);
        let stamp = (stamped != render(sheet, "")).then(|| stamp.into());
        let shown = Arc::new(ShownPage::new(stamped));
        let html = Bytes::copy_from_slice(shown.html().as_bytes());
        Self { kind, language, html, shown, stamp }
    }

    /// Returns the SHA-256 of the bytes, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        self.shown.hash()
    }
}

impl HashedDocument {
    /// Makes a document and computes its hash.
    pub fn new(text: impl Into<Bytes>) -> Self {
        let bytes = text.into();
        let hash = sha256_hex(&bytes).into();
        Self { bytes, hash }
    }
}

const STAMP_DIGITS: usize = 16;

pub(super) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}
