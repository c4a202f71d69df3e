//! The notice that stands above the application's own page: a part of somebody else's document.
//!
//! It is plain ASCII, so that it says the same in whatever encoding the page has; it has no style and no script of its
//! own, which the page's Content Security Policy may forbid; and no name in it can be one of the page's.

use maud::html;

use super::{
    settings::{PagePath, Place},
    sheet::Sheet,
};

/// The style, for every page and tenant.
pub(super) const STYLE: &str = include_str!("banner.css");

/// The notice. Empty where no page is served that it could lead to.
pub(super) fn fragment(sheet: &Sheet<'_>, stamp: &str) -> String {
    match &sheet.subject.settings.path {
        Some(path) => ascii(&notice(sheet, path, stamp)),
        None => String::new(),
    }
}

fn notice(sheet: &Sheet<'_>, path: &PagePath, stamp: &str) -> String {
    let words = sheet.words;
    let notice = html! {
        link rel="stylesheet" href=(path.of(Place::BannerStyle));
        section.crumbgate-banner lang=(words.language.tag()) aria-label=(words.banner_label) {
            p.crumbgate-banner-text {
                (sheet.lead()) " "
                a.crumbgate-banner-link href=(path) { (words.banner_more) }
            }
            form.crumbgate-banner-form method="post" action={ (path.of(Place::Agree)) "?page=" (stamp) } {
                button.crumbgate-banner-button type="submit" { (words.agree) }
            }
        }
    };
    notice.into_string()
}

/// The same with a reference in the place of each character that is no ASCII.
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
