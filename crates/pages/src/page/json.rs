//! What the cookie page says, for programs.

use serde::Serialize;

use super::{Since, settings, sheet::Said, sheet::Sheet, spoken};

#[derive(Serialize)]
struct Told<'s> {
    /// SHA-256 of the declaration.
    version: &'s str,
    /// The day on which it was first in force; null: it was not yet, or nobody has kept that.
    since: Option<String>,
    language: &'static str,
    operator: Option<&'s str>,
    link: Option<&'s str>,
    agreement: &'static str,
    /// The name of the sealed cookie.
    sealed: Option<&'s str>,
    /// The cookie page.
    page: Option<&'s str>,
    cookies: Vec<Cookie<'s>>,
    others: &'static str,
    withdrawal: Option<String>,
}

#[derive(Serialize)]
struct Cookie<'s> {
    name: &'s str,
    category: &'static str,
    duration: &'s str,
    duration_s: u32,
    purpose: &'s Said<'s>,
    without: &'s Said<'s>,
}

/// The text of the document.
pub(super) fn of(sheet: &Sheet<'_>) -> String {
    let (subject, words) = (sheet.subject, sheet.words);
    let settings = subject.settings;
    let cookies = sheet.rows.iter().map(|row| Cookie {
        name: row.name,
        category: words.necessary,
        duration: &row.duration,
        duration_s: row.duration_s,
        purpose: &row.purpose,
        without: &row.without,
    });
    let told = Told {
        version: subject.version,
        since: match subject.since {
            Since::At(unix_s) => Some(spoken::iso_day(unix_s)),
            Since::NotYet | Since::Unknown => None,
        },
        language: words.language.tag(),
        operator: settings.operator.as_ref().map(settings::Name::as_str),
        link: settings.link.as_ref().map(settings::Link::as_str),
        agreement: subject.agreement.word(),
        sealed: subject.sealed,
        page: settings.path.as_ref().map(settings::PagePath::as_str),
        cookies: cookies.collect(),
        others: sheet.others(),
        withdrawal: sheet.withdrawal_elsewhere(),
    };
    let json = serde_json::to_string_pretty(&told).expect("texts and numbers have a form in JSON");
    json + "\n"
}
