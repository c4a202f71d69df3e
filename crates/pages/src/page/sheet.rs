//! The content of a page in one language, for every output format.

use serde::Serialize;

use super::{lifetime::lifetime, settings::PagePath, subject::Subject, words::Words};
use crumbgate_base::language::Language;
use crumbgate_policy::{AgreementMode, declaration::DeclaredCookie};

/// The content of a page in one language.
pub(super) struct Sheet<'s> {
    pub(super) subject: &'s Subject<'s>,
    pub(super) words: &'static Words,
    pub(super) rows: Vec<CookieRow<'s>>,
}

/// The content about one cookie.
pub(super) struct CookieRow<'s> {
    pub(super) name: &'s str,
    pub(super) duration_s: u32,
    pub(super) duration: String,
    pub(super) purpose: Translated<'s>,
    pub(super) without: Translated<'s>,
}

/// A text of the declaration, or a default text.
#[derive(Serialize)]
pub(super) struct Translated<'s> {
    pub(super) text: &'s str,
    /// The language of the text, if it differs from that of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<&'s str>,
}

/// The ways to withdraw.
pub(super) struct Withdrawal {
    /// The button, if a page is served.
    pub(super) by_button: Option<String>,
    /// The settings of the browser.
    pub(super) yourself: &'static str,
}

impl<'s> Sheet<'s> {
    pub(super) fn new(subject: &'s Subject<'s>, language: Language) -> Self {
        let words = Words::of(language);
        let row = |cookie: &'s DeclaredCookie| CookieRow {
            name: cookie.name.as_str(),
            duration_s: lifetime(cookie, subject.session).seconds(),
            duration: words.lifetime(cookie, subject.session),
            purpose: translated(&cookie.purpose, language, words.purpose_default),
            without: translated(&cookie.without, language, words.without_default),
        };
        Self { subject, words, rows: subject.declaration.cookies().iter().map(row).collect() }
    }

    /// Returns the number of cookies and their category.
    pub(super) fn lead(&self) -> String {
        (self.words.lead)(self.rows.len())
    }

    /// Returns the treatment of other cookies: on the way, by scripts, and in the browser.
    pub(super) fn others(&self) -> String {
        let on_the_way = if self.rows.is_empty() { self.words.all } else { self.words.others };
        let scripts = self.words.scripts.of(self.subject.guard);
        let in_the_browser = self.words.evicted.of(self.subject.evict);
        [on_the_way, scripts, in_the_browser].join(" ")
    }

    /// Returns the protection of the sealed cookie; `None` if no cookie is sealed.
    pub(super) fn sealed(&self) -> Option<String> {
        let name = self.subject.sealed?;
        Some((self.words.sealed)(name, &self.words.duration(self.subject.session)))
    }

    /// Returns the paragraphs about the agreement; `None` if people are not asked.
    pub(super) fn agreement(&self) -> Option<Vec<String>> {
        let agreement = self.subject.agreement;
        let kept = self.subject.sealed.map(|name| (self.words.agreement_kept)(name));
        let asked = self.words.agreement.of(agreement).to_owned();
        (agreement != AgreementMode::Off).then(|| [asked].into_iter().chain(kept).collect())
    }

    /// Returns the ways to withdraw, for a text beside the button.
    pub(super) fn withdrawal(&self) -> Option<Withdrawal> {
        self.withdrawal_by(None)
    }

    /// Returns the ways to withdraw, for a text without the button.
    pub(super) fn withdrawal_elsewhere(&self) -> Option<String> {
        let page = self.subject.settings.path.as_ref().map(PagePath::as_str);
        let Withdrawal { by_button, yourself } = self.withdrawal_by(page)?;
        let parts: Vec<_> = by_button.as_deref().into_iter().chain([yourself]).collect();
        Some(parts.join(" "))
    }

    fn withdrawal_by(&self, page: Option<&str>) -> Option<Withdrawal> {
        let Words { withdraw_lead, withdraw_then, withdraw_yourself, .. } = self.words;
        let then = withdraw_then.of(self.subject.agreement);
        let is_served = self.subject.settings.path.is_some();
        let by_button = is_served.then(|| format!("{} {then}", withdraw_lead(page)));
        (!self.rows.is_empty()).then_some(Withdrawal { by_button, yourself: withdraw_yourself })
    }

    /// Returns the beginning of the version, which is enough for a comparison by people.
    pub(super) fn version(&self) -> &'s str {
        self.subject.version.get(..VERSION_DIGITS).unwrap_or(self.subject.version)
    }
}

/// The number of hexadecimal digits of a version that are shown, of 64.
const VERSION_DIGITS: usize = 12;

/// Returns the text in this language, or else the first text, or else a default that is true of every cookie.
fn translated<'s>(
    texts: &'s [(String, String)],
    language: Language,
    default: &'static str,
) -> Translated<'s> {
    let is = |tag: &str, wanted: &str| tag.eq_ignore_ascii_case(wanted);
    let exact = texts.iter().find(|(tag, _)| is(tag, language.tag()));
    let primary = |tag: &str| is(tag.split('-').next().unwrap_or_default(), language.tag());
    if let Some((_, text)) = exact.or_else(|| texts.iter().find(|(tag, _)| primary(tag))) {
        return Translated { text, language: None };
    }
    match texts.first() {
        Some((tag, text)) => Translated { text, language: Some(tag) },
        None => Translated { text: default, language: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_missing_in_one_language_is_shown_in_another_with_its_tag() {
        let texts = |tags: &[&str]| -> Vec<_> {
            tags.iter().map(|tag| ((*tag).to_owned(), format!("in {tag}"))).collect()
        };
        for (tags, text, tag) in [
            (&["fr", "de", "en"][..], "in de", None),
            (&["DE-at", "en"], "in DE-at", None),
            (&["de-AT", "de"], "in de", None),
            (&["fr", "en"], "in fr", Some("fr")),
            (&[], "none", None),
        ] {
            let texts = texts(tags);
            let shown = translated(&texts, Language::De, "none");
            assert_eq!((shown.text, shown.language), (text, tag));
        }
    }
}
