//! The page around the panels. It contains no data where a token is required and the request has none.

use maud::{DOCTYPE, Markup, html};

use super::{
    assets::{CSS, ICON, JS, version},
    model::DashboardModel,
    panels,
    panels::panel,
    tenants,
    tenants::SearchResult,
    words::Words,
};
use crate::admin::tokens::Role;

/// The content of the page when it is loaded.
pub(super) struct Content {
    pub(super) model: DashboardModel,
    pub(super) found: SearchResult,
    pub(super) role: Role,
}

/// Renders the page; without content, the form for a token.
pub(super) fn page(content: Option<&Content>, words: &Words) -> Markup {
    html! {
        (DOCTYPE)
        html lang=(words.language.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title(content.map(|content| &content.model))) }
                link rel="icon" href=(ICON) type="image/svg+xml";
                link rel="stylesheet" href=(CSS);
                script src=(JS) defer {}
            }
            body data-version=(version()) data-lang=(words.language.tag()) {
                a.skip href="#dashboard" { (words.skip) }
                (head(content, words))
                main #dashboard tabindex="-1" {
                    noscript { p.notice { (words.without_script) } }
                    p.notice #trouble role="alert" hidden {}
                    @if content.is_none() { (token_form(words)) }
                    div #board hidden[content.is_none()] { (board(content, words)) }
                }
                p.again #announcement role="status" {}
                (edit_form(words))
                (confirmation(words))
            }
        }
    }
}

/// The title of the tab, with the number of alerts.
pub(super) fn title(model: Option<&DashboardModel>) -> String {
    match model.map_or(0, |model| model.alerts().len()) {
        0 => "Crumbgate".to_owned(),
        alerts => format!("({alerts}) Crumbgate"),
    }
}

fn head(content: Option<&Content>, words: &Words) -> Markup {
    let (tag, name) = words.other;
    let text = content.map(|content| &*content.found.text).filter(|text| !text.is_empty());
    let search = text.map(|text| {
        let text = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC);
        format!("&q={text}")
    });
    html! {
        header {
            h1 { (mark()) "Crumbgate" }
            p.link #link data-live=(words.live) data-paused=(words.paused) data-lost=(words.lost)
                data-detail=(words.lost_detail) data-refused=(words.refused) {
                (words.connecting)
            }
            nav {
                button.plain #forget type="button" hidden { (words.token_forget) }
                a href={ "/?lang=" (tag) @if let Some(search) = &search { (search) } } lang=(tag) hreflang=(tag) { (name) }
            }
        }
    }
}

/// The logo: a gate.
fn mark() -> Markup {
    html! {
        svg.gate viewBox="0 0 16 16" aria-hidden="true" focusable="false" {
            path d="M2 14V7a6 6 0 0 1 12 0v7M2 10h12M6 14V5M10 14V5" {}
        }
    }
}

fn token_form(words: &Words) -> Markup {
    html! {
        // The input has no name, so the browser never sends the token as a form field.
        form.token #token hidden {
            h2 { (words.token_title) }
            p { (words.token_explanation) }
            label for="token-text" { (words.token) }
            div.together {
                input #token-text type="password" autocomplete="off" spellcheck="false" required
                    aria-describedby="token-wrong";
                button type="submit" { (words.token_use) }
            }
            p.refusal #token-wrong role="alert" data-wrong=(words.token_wrong) {}
        }
    }
}

fn board(content: Option<&Content>, words: &Words) -> Markup {
    let slots = |places: &[&str]| {
        html! {
            @for place in places {
                div.slot data-slot=(place) {
                    @if let Some(content) = content { (panel(place, &content.model, words)) }
                }
            }
        }
    };
    html! {
        (slots(&panels::TOP))
        div.columns {
            div.column {
                (slots(&panels::MAIN))
                section.tenants aria-labelledby="title-tenants" {
                    h2 #title-tenants { (words.tenants) }
                    form.search #search method="get" action="/" role="search" {
                        input type="hidden" name="lang" value=(words.language.tag());
                        label.again for="search-text" { (words.search) }
                        input #search-text type="search" name="q" placeholder=(words.search) autocomplete="off"
                            autocapitalize="none" spellcheck="false" maxlength="255"
                            value=(content.map_or("", |content| &*content.found.text));
                        button type="submit" { (words.search_do) }
                    }
                    div #hosts {
                        @if let Some(content) = content {
                            (tenants::table(&content.found, content.role, words))
                        }
                    }
                }
            }
            div.column.side { (slots(&panels::SIDE)) }
        }
    }
}

/// The form in a tenant's row while it is edited.
fn edit_form(words: &Words) -> Markup {
    html! {
        template #editor {
            form.editor novalidate {
                label.again for="session-text" data-label=(words.new_session) { (words.session) }
                input #session-text type="text" autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-describedby="session-hint session-refusal";
                button type="submit" { (words.save) }
                button.plain.cancel type="button" { (words.cancel) }
                p.quiet #session-hint { (words.session_hint) }
                p.refusal #session-refusal role="alert" data-same=(words.same) {}
            }
        }
    }
}

fn confirmation(words: &Words) -> Markup {
    html! {
        dialog #confirm aria-labelledby="confirm-title" data-changed=(words.changed) {
            form method="dialog" {
                h2 #confirm-title { (words.confirm) }
                dl.difference {
                    div { dt { (words.host) } dd.host {} }
                    div { dt { (words.today) } dd.before {} }
                    div { dt { (words.then) } dd.after {} }
                }
                p { (words.confirm_effect) }
                p.refusal role="alert" {}
                div.together {
                    button.do type="submit" value="do" { (words.confirm_do) }
                    button.plain type="submit" value="cancel" { (words.cancel) }
                }
            }
        }
    }
}
