//! The banner: a notice that is inserted into the pages of the application.
//!
//! It is plain ASCII, so that it is correct in every encoding that a page may have. It contains no style and no script,
//! which the Content Security Policy of the page may forbid. Its names cannot conflict with those of the page.

use maud::html;

use super::{
    settings::{PagePath, PageRoute},
    sheet::Sheet,
};

/// The style sheet, which is the same for every page and tenant.
pub(super) const STYLE: &str = include_str!("banner.css");

/// Renders the notice. It is empty if no page is served to which it could link.
pub(super) fn fragment(sheet: &Sheet<'_>, stamp: &str) -> String {
    match &sheet.subject.settings.path {
        Some(path) => ascii(&notice(sheet, path, stamp)),
        None => String::new(),
    }
}

fn notice(sheet: &Sheet<'_>, path: &PagePath, stamp: &str) -> String {
    let words = sheet.words;
    let notice = html! {
        link rel="stylesheet" href=(path.of(PageRoute::BannerStyle));
        section.crumbgate-banner lang=(words.language.tag()) aria-label=(words.banner_label) {
            p.crumbgate-banner-text {
                (sheet.lead()) " "
                a.crumbgate-banner-link href=(path) { (words.banner_more) }
            }
            form.crumbgate-banner-form method="post" action={ (path.of(PageRoute::Agree)) "?page=" (stamp) } {
                button.crumbgate-banner-button type="submit" { (words.agree) }
            }
        }
    };
    notice.into_string()
}

/// Replaces each character that is not ASCII by a character reference.
fn ascii(html: &str) -> String {
    let mut plain = String::with_capacity(html.len());
    for character in html.chars() {
        if character.is_ascii() {
            plain.push(character);
        } else {
            plain.push_str(&format!("&#{};", u32::from(character)));
        }
    }
    plain
}
