//! The pages as HTML. A page loads nothing, runs no script, and can be used with the keyboard alone.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use crumbgate_base::format::iso_day;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    browsers::Browser,
    settings::{PagePath, PageRoute},
    sheet::{CookieRow, Sheet, Translated},
    subject::Since,
};

const STYLE: &str = include_str!("page.css");

/// Returns the `Content-Security-Policy` of every page: it allows the style and the forms of the page, and nothing else.
pub fn content_security_policy() -> &'static str {
    static POLICY: LazyLock<String> = LazyLock::new(|| {
        let style = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
        format!(
            "default-src 'none'; style-src 'sha256-{style}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
    });
    &POLICY
}

/// Renders the cookie page.
pub(super) fn cookies(sheet: &Sheet<'_>, stamp: &str) -> String {
    let words = sheet.words;
    let path = sheet.subject.settings.path.as_ref();
    let main = html! {
        h1 { (words.title) }
        p.lead { (sheet.lead()) }
        @if !sheet.rows.is_empty() { (table(sheet, &CookieColumn::ALL)) }
        p { (sheet.others()) }
        @if let Some(sealed) = sheet.sealed() {
            h2 { (words.sealed_title) }
            p { (sealed) }
        }
        @if let Some(agreement) = sheet.agreement() {
            h2 { (words.agreement_title) }
            @for text in agreement { p { (text) } }
            @if let Some(path) = path { (button(path, PageRoute::Agree, stamp, words.agree)) }
        }
        @if let Some(withdrawal) = sheet.withdrawal() {
            h2 #withdraw { (words.withdraw_title.of(sheet.subject.agreement)) }
            @if let Some(by_button) = withdrawal.by_button { p { (by_button) } }
            @if let Some(path) = path {
                (button(path, PageRoute::Withdraw, stamp, words.withdraw.of(sheet.subject.agreement)))
            }
            p { (withdrawal.yourself) }
            p { (words.browser_help) }
            ul.links {
                @for browser in Browser::ALL {
                    li { a href=(browser.help()) rel="noreferrer" { ((words.browser)(browser)) } }
                }
            }
        }
        p.version { (version(sheet)) }
    };
    page(sheet, words.title, &main)
}

/// Renders the question that is shown instead of the application.
pub(super) fn interstitial(sheet: &Sheet<'_>, stamp: &str) -> String {
    let words = sheet.words;
    let settings = sheet.subject.settings;
    let operator = settings.operator.as_ref().map(super::settings::Name::as_str);
    let main = html! {
        h1 { (words.question_title) }
        p.lead { ((words.question)(operator, sheet.rows.len())) }
        (table(sheet, &[CookieColumn::Name, CookieColumn::Duration, CookieColumn::Purpose]))
        p { (words.question_then) }
        @if let Some(path) = &settings.path {
            div.answers {
                (button(path, PageRoute::Agree, stamp, words.agree))
                (button(path, PageRoute::Decline, stamp, words.decline))
            }
            p { a href=(path) { (words.more) } }
        }
    };
    page(sheet, words.question_title, &main)
}

/// Renders the page after a refusal.
pub(super) fn declined(sheet: &Sheet<'_>) -> String {
    let words = sheet.words;
    let then = words.declined_then.of(sheet.subject.agreement);
    outcome(sheet, words.declined_title, words.declined_lead, then)
}

/// Renders the page after a withdrawal.
pub(super) fn withdrawn(sheet: &Sheet<'_>) -> String {
    let words = sheet.words;
    let agreement = sheet.subject.agreement;
    let (title, then) = (words.withdrawn_title.of(agreement), words.withdraw_then.of(agreement));
    outcome(sheet, title, words.withdrawn_lead, then)
}

fn outcome(sheet: &Sheet<'_>, title: &str, lead: &str, then: &str) -> String {
    let words = sheet.words;
    let main = html! {
        h1 { (title) }
        p.lead { (lead) }
        p { (then) }
        ul.links {
            li { a href="/" { (words.open_site) } }
            @if let Some(path) = &sheet.subject.settings.path { li { a href=(path) { (words.title) } } }
        }
    };
    page(sheet, title, &main)
}

/// Renders a whole page around its main part.
fn page(sheet: &Sheet<'_>, title: &str, main: &Markup) -> String {
    let words = sheet.words;
    let settings = sheet.subject.settings;
    let (logo, operator) = (settings.logo.as_ref(), settings.operator.as_ref());
    let link = settings.link.as_ref();
    let page = html! {
        (DOCTYPE)
        html lang=(words.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                @if let Some(logo) = logo.or(operator) { header { p.logo { (logo.as_str()) } } }
                main { (main) }
                @if operator.is_some() || link.is_some() {
                    footer {
                        p {
                            (words.operator) ": "
                            @let name = operator.map(|name| name.as_str());
                            @match link {
                                Some(link) => a href=(link.as_str()) { (name.unwrap_or(link.as_str())) },
                                None => (name.unwrap_or_default()),
                            }
                        }
                    }
                }
            }
        }
    };
    page.into_string() + "\n"
}

/// A column of the table of cookies.
#[derive(Clone, Copy)]
enum CookieColumn {
    Category,
    Duration,
    Name,
    Purpose,
    Without,
}

impl CookieColumn {
    const ALL: [Self; 5] =
        [Self::Name, Self::Category, Self::Duration, Self::Purpose, Self::Without];

    fn title(self, sheet: &Sheet<'_>) -> &'static str {
        match self {
            Self::Category => sheet.words.category,
            Self::Duration => sheet.words.duration,
            Self::Name => sheet.words.name,
            Self::Purpose => sheet.words.purpose,
            Self::Without => sheet.words.without,
        }
    }

    fn cell(self, row: &CookieRow<'_>, sheet: &Sheet<'_>) -> Markup {
        match self {
            Self::Category => html! { (sheet.words.necessary) },
            Self::Duration => html! { (row.duration) },
            Self::Name => html! { code { (row.name) } },
            Self::Purpose => translated(&row.purpose),
            Self::Without => translated(&row.without),
        }
    }
}

/// Renders the table of the declared cookies. Its elements repeat their implicit roles, because on narrow screens the style
/// displays them as blocks, and some browsers then no longer expose a table.
fn table(sheet: &Sheet<'_>, columns: &[CookieColumn]) -> Markup {
    let [first, others @ ..] = columns else { return Markup::default() };
    html! {
        table role="table" {
            caption { (sheet.words.caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for column in columns { th scope="col" role="columnheader" { (column.title(sheet)) } }
                }
            }
            tbody role="rowgroup" {
                @for row in &sheet.rows {
                    tr role="row" {
                        th scope="row" role="rowheader" { (first.cell(row, sheet)) }
                        @for column in others {
                            td role="cell" data-title=(column.title(sheet)) { (column.cell(row, sheet)) }
                        }
                    }
                }
            }
        }
    }
}

fn translated(text: &Translated<'_>) -> Markup {
    html! {
        @match text.language {
            Some(tag) => span lang=(tag) { (text.text) },
            None => (text.text),
        }
    }
}

fn button(path: &PagePath, place: PageRoute, stamp: &str, text: &str) -> Markup {
    html! {
        form method="post" action={ (path.of(place)) "?page=" (stamp) } {
            button type="submit" { (text) }
        }
    }
}

fn version(sheet: &Sheet<'_>) -> Markup {
    let (words, subject) = (sheet.words, sheet.subject);
    html! {
        (words.version) " " code { (sheet.version()) }
        @match subject.since {
            Since::At(since) => {
                " " (words.version_of) " " time datetime=(iso_day(since)) { (words.language.day(since)) }
            }
            Since::NotYet => { ", " (words.not_in_force) }
            Since::Unknown => {}
        }
    }
}
