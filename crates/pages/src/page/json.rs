//! The content of the cookie page as JSON.

use crumbgate_base::format::iso_day;
use serde::Serialize;

use super::{
    browsers::Browser,
    settings,
    sheet::{Sheet, Translated},
    subject::Since,
};

#[derive(Serialize)]
struct CookiePage<'s> {
    /// The SHA-256 of the declaration.
    version: &'s str,
    /// The day from which the declaration is in force; null if it is not in force yet, or if the day was not recorded.
    since: Option<String>,
    language: &'static str,
    operator: Option<&'s str>,
    link: Option<&'s str>,
    agreement: &'static str,
    /// The name of the sealed cookie.
    sealed: Option<&'s str>,
    /// The path of the cookie page.
    page: Option<&'s str>,
    cookies: Vec<Cookie<'s>>,
    others: String,
    withdrawal: Option<String>,
    /// The help pages of common browsers about cookies.
    help: Vec<Help>,
}

#[derive(Serialize)]
struct Help {
    browser: &'static str,
    url: &'static str,
}

#[derive(Serialize)]
struct Cookie<'s> {
    name: &'s str,
    category: &'static str,
    duration: &'s str,
    duration_s: u32,
    purpose: &'s Translated<'s>,
    without: &'s Translated<'s>,
}

/// Writes the document.
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
    let help = Browser::ALL
        .into_iter()
        .map(|browser| Help { browser: (words.browser)(browser), url: browser.help() });
    let page = CookiePage {
        version: subject.version,
        since: match subject.since {
            Since::At(unix_s) => Some(iso_day(unix_s)),
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
        help: help.collect(),
    };
    let json = serde_json::to_string_pretty(&page).expect("texts and numbers have a form in JSON");
    json + "\n"
}
