//! What people are shown: the cookie page, the question whether they agree, and what follows of their answers.
//!
//! Everything is rendered from a [`Subject`], that is from the declaration in force and the tenant's own settings: so it
//! is always true, and the same for everybody. Nothing depends on who asks, for which address.
//!
//! - [`settings`]: what an operator decides; and where each page is.
//! - `words`: every text, by language; `spoken`: durations and days.
//! - `sheet`: what there is to say; `html`, `banner`, `json`, [`text`]: the forms that it is said in.

mod banner;
mod html;
mod json;
pub mod settings;
mod sheet;
mod spoken;
#[cfg(test)]
mod tests;
pub mod text;
mod words;

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;

use crumbgate_audit::ShownPage;
use crumbgate_base::language::Language;
use crumbgate_policy::{
    Agreement,
    declaration::{Declaration, SessionDuration},
};
use settings::Settings;
use sheet::Sheet;

pub use html::content_security_policy;

/// What the pages are about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'s> {
    /// What the operator has published.
    pub declaration: &'s Declaration,
    /// Its version: the SHA-256 that evidence names it by, in hexadecimal digits.
    pub version: &'s str,
    /// When it was first in force.
    pub since: Since,
    /// The tenant's session duration (D1).
    pub session: SessionDuration,
    /// Whether people are asked (G6).
    pub agreement: Agreement,
    /// The name of the cookie that is sealed; none: the tenant seals none (G1).
    pub sealed: Option<&'s str>,
    /// What the operator decides of the pages.
    pub settings: &'s Settings,
}

/// When a declaration was first in force.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Since {
    /// At this moment, in seconds since the Unix epoch.
    At(u64),
    /// It was not yet.
    NotYet,
    /// Nobody has kept that.
    Unknown,
}

/// The style of the banner, for every page and tenant.
pub fn banner_style() -> &'static Document {
    static STYLE: LazyLock<Document> = LazyLock::new(|| Document::new(banner::STYLE));
    &STYLE
}

/// Which page it is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Kind {
    /// A part of a page: the notice that stands above the application's own.
    Banner,
    /// The cookie page.
    Cookies,
    /// What follows of a refusal.
    Declined,
    /// The question, in the application's place.
    Interstitial,
    /// What follows of a withdrawal.
    Withdrawn,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Banner, Self::Cookies, Self::Declined, Self::Interstitial, Self::Withdrawn];
}

/// A page as it is shown, byte for byte.
#[derive(Debug)]
pub struct Page {
    /// Which one.
    pub kind: Kind,
    /// Its language.
    pub language: Language,
    /// What is sent.
    pub html: Bytes,
    /// The same as evidence keeps it.
    pub shown: Arc<ShownPage>,
    /// What its buttons say they were on: the first 16 hexadecimal digits of the SHA-256 of the page with an empty stamp
    /// and without a date.
    /// None: it has no button.
    pub stamp: Option<Arc<str>>,
}

/// Something that is sent as it is, and what it is known by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// What is sent.
    pub bytes: Bytes,
    /// Its SHA-256, in hexadecimal digits.
    pub hash: Arc<str>,
}

/// Every page about one subject, in every language.
#[derive(Debug)]
pub struct Pages {
    pages: Vec<Arc<Page>>,
    json: Vec<(Language, Document)>,
}

impl Pages {
    /// Renders all of them.
    pub fn new(subject: &Subject<'_>) -> Self {
        let sheets = Language::ALL.map(|language| (language, Sheet::new(subject, language)));
        // What people agree to is the same on all gateways, whenever each began to say so.
        let undated = Subject { since: Since::Unknown, ..*subject };
        let of_sheet = |(language, sheet): &(Language, Sheet<'_>)| {
            let undated = Sheet::new(&undated, *language);
            Kind::ALL.map(|kind| Arc::new(Page::new(kind, *language, sheet, &undated)))
        };
        let json =
            |(language, sheet): &(Language, Sheet<'_>)| (*language, Document::new(json::of(sheet)));
        Self {
            pages: sheets.iter().flat_map(of_sheet).collect(),
            json: sheets.iter().map(json).collect(),
        }
    }

    /// A page.
    pub fn get(&self, kind: Kind, language: Language) -> &Arc<Page> {
        let is_it = |page: &&Arc<Page>| page.kind == kind && page.language == language;
        self.pages.iter().find(is_it).expect("every kind was rendered in every language")
    }

    /// The page whose buttons say this; none: no page of this subject says so.
    pub fn by_stamp(&self, stamp: &str) -> Option<&Arc<Page>> {
        self.pages.iter().find(|page| page.stamp.as_deref() == Some(stamp))
    }

    /// What the cookie page says, for programs.
    pub fn json(&self, language: Language) -> &Document {
        let is_it = |(of, _): &&(Language, Document)| *of == language;
        &self.json.iter().find(is_it).expect("it was rendered in every language").1
    }
}

impl Page {
    fn new(kind: Kind, language: Language, sheet: &Sheet<'_>, undated: &Sheet<'_>) -> Self {
        let render = |sheet: &Sheet<'_>, stamp: &str| match kind {
            Kind::Banner => banner::fragment(sheet, stamp),
            Kind::Cookies => html::cookies(sheet, stamp),
            Kind::Declined => html::declined(sheet),
            Kind::Interstitial => html::interstitial(sheet, stamp),
            Kind::Withdrawn => html::withdrawn(sheet),
        };
        let mut stamp = sha256_hex(render(undated, "").as_bytes());
        stamp.truncate(STAMP_DIGITS);
        let stamped = render(sheet, &stamp);
        let stamp = (stamped != render(sheet, "")).then(|| stamp.into());
        let shown = Arc::new(ShownPage::new(stamped));
        let html = Bytes::copy_from_slice(shown.html().as_bytes());
        Self { kind, language, html, shown, stamp }
    }

    /// SHA-256 of what is sent, in hexadecimal digits.
    pub fn hash(&self) -> &str {
        self.shown.hash()
    }
}

impl Document {
    /// A document of this text.
    pub fn new(text: impl Into<Bytes>) -> Self {
        let bytes = text.into();
        let hash = sha256_hex(&bytes).into();
        Self { bytes, hash }
    }
}

const STAMP_DIGITS: usize = 16;

fn sha256_hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
