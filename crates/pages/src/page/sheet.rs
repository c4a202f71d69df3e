//! What there is to say of a declaration in one language: every form in which it is shown says the same.

use serde::Serialize;

use super::{Subject, settings::PagePath, spoken, words::Words};
use crumbgate_base::language::Language;
use crumbgate_policy::{Agreement, declaration::DeclaredCookie};

/// What is said, before it has a form.
pub(super) struct Sheet<'s> {
    pub(super) subject: &'s Subject<'s>,
    pub(super) words: &'static Words,
    pub(super) rows: Vec<Row<'s>>,
}

/// What is said of one cookie.
pub(super) struct Row<'s> {
    pub(super) name: &'s str,
    pub(super) duration_s: u32,
    pub(super) duration: String,
    pub(super) purpose: Said<'s>,
    pub(super) without: Said<'s>,
}

/// A text of the declaration, or one that stands in for it.
#[derive(Serialize)]
pub(super) struct Said<'s> {
    pub(super) text: &'s str,
    /// Its language, where it is not the sheet's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) language: Option<&'s str>,
}

/// How to withdraw.
pub(super) struct Withdrawal {
    /// By the button of the page, where one is served.
    pub(super) by_button: Option<String>,
    /// By what every browser has.
    pub(super) yourself: &'static str,
}

impl<'s> Sheet<'s> {
    pub(super) fn new(subject: &'s Subject<'s>, language: Language) -> Self {
        let words = Words::of(language);
        let row = |cookie: &'s DeclaredCookie| Row {
            name: cookie.name.as_str(),
            duration_s: spoken::lifetime(cookie, subject.session).seconds(),
            duration: words.kept(cookie, subject.session),
            purpose: said(&cookie.purpose, language, words.purpose_unsaid),
            without: said(&cookie.without, language, words.without_unsaid),
        };
        Self { subject, words, rows: subject.declaration.cookies().iter().map(row).collect() }
    }

    /// How many cookies there are, of which kind.
    pub(super) fn lead(&self) -> String {
        (self.words.lead)(self.rows.len())
    }

    /// What becomes of others.
    pub(super) fn others(&self) -> &'static str {
        if self.rows.is_empty() { self.words.all } else { self.words.others }
    }

    /// What holds of the sealed cookie's value, where one is sealed.
    pub(super) fn sealed(&self) -> Option<String> {
        let name = self.subject.sealed?;
        Some((self.words.sealed)(name, &self.words.exactly(self.subject.session)))
    }

    /// What an agreement is, where one is asked for.
    pub(super) fn agreement(&self) -> Option<Vec<String>> {
        let agreement = self.subject.agreement;
        let kept = self.subject.sealed.map(|name| (self.words.agreement_kept)(name));
        let asked = self.words.agreement.of(agreement).to_owned();
        (agreement != Agreement::Off).then(|| [asked].into_iter().chain(kept).collect())
    }

    /// How to withdraw, for who reads it beside the button.
    pub(super) fn withdrawal(&self) -> Option<Withdrawal> {
        self.withdrawal_by(None)
    }

    /// The same for who reads it elsewhere.
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

    /// The version, as people compare it.
    pub(super) fn version(&self) -> &'s str {
        self.subject.version.get(..VERSION_DIGITS).unwrap_or(self.subject.version)
    }
}

/// Of the 64 hexadecimal digits of a version.
const VERSION_DIGITS: usize = 12;

/// The text in this language, or else the first, or else a text that says what holds of every cookie.
fn said<'s>(texts: &'s [(String, String)], language: Language, unsaid: &'static str) -> Said<'s> {
    let is = |tag: &str, wanted: &str| tag.eq_ignore_ascii_case(wanted);
    let exact = texts.iter().find(|(tag, _)| is(tag, language.tag()));
    let primary = |tag: &str| is(tag.split('-').next().unwrap_or_default(), language.tag());
    if let Some((_, text)) = exact.or_else(|| texts.iter().find(|(tag, _)| primary(tag))) {
        return Said { text, language: None };
    }
    match texts.first() {
        Some((tag, text)) => Said { text, language: Some(tag) },
        None => Said { text: unsaid, language: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_a_language_lacks_is_told_in_another_which_is_named() {
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
            let said = said(&texts, Language::De, "none");
            assert_eq!((said.text, said.language), (text, tag));
        }
    }
}
