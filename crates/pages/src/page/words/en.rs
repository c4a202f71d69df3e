//! English.

use super::texts::{ByAgreement, ByEvict, ByGuard, Words};
use crate::page::browsers::Browser;
use crumbgate_base::language::Language;

pub(super) const WORDS: Words = Words {
    language: Language::En,
    after_use: |duration| format!("{duration} after the last use"),
    after_set: |duration| format!("{duration} after it is set"),

    title: "Cookies on this site",
    lead: |count| match count {
        0 => "This site uses no cookies.".to_owned(),
        1 => "This site uses one cookie. It is technically necessary.".to_owned(),
        _ => format!("This site uses {count} cookies. All of them are technically necessary."),
    },
    others: "Every other cookie is removed on its way between your browser and the servers of this site, in both \
             directions and whatever its purpose.",
    all: "Every cookie is removed on its way between your browser and the servers of this site, in both directions and \
          whatever its purpose.",
    scripts: ByGuard {
        allowed: "Scripts of this site can still set such cookies in your browser.",
        prevented: "Scripts of this site are kept from setting such cookies.",
    },
    evicted: ByEvict {
        domain: "As a rule, those that your browser sends are deleted by the next pages that you open.",
        host: "As a rule, those that your browser sends are deleted by the next pages that you open. Cookies of the whole \
               domain, which other sites may use, stay.",
        off: "Those that your browser has stay there until they end.",
    },

    caption: "The cookies, their duration and their purpose",
    name: "Name",
    category: "Category",
    necessary: "technically necessary",
    duration: "Duration",
    purpose: "Purpose",
    without: "Without it",
    purpose_default: "Required for the operation of this site.",
    without_default: "The site is limited: the function that needs this cookie does not work.",

    version: "Version",
    version_of: "of",
    not_in_force: "not yet in force",
    operator: "Operator",

    sealed_title: "Protection",
    sealed: |name, duration| {
        format!(
            "The value of {name} is encrypted, unless it is too large for that. It is accepted only on this site, and no \
             longer after {duration} without use."
        )
    },
    agreement_title: "Your agreement",
    agreement: ByAgreement {
        notice: "You are asked to agree to the use of these cookies. Until you do, the pages of this site show a notice.",
        off: "",
        required: "You can use this site if you agree to the use of these cookies. Before you agree, none of them is set, \
                   and none reaches the site.",
    },
    agreement_kept: |name| {
        format!("Your agreement is stored, encrypted, in {name} itself, and ends with that cookie.")
    },
    agree: "I agree",
    decline: "I decline",
    withdraw_title: ByAgreement::asked_or_off(
        "How to withdraw your agreement",
        "How to delete the cookies",
    ),
    withdraw_lead: |page| {
        let button = match page {
            Some(page) => format!("The button on the page {page} of this site"),
            None => "The button".to_owned(),
        };
        format!(
            "{button} deletes the cookies of this site from this browser at once, and every other cookie that the browser \
             sends with it. These can include cookies that other sites of the same domain use. If you are logged in, you \
             will be logged out."
        )
    },
    withdraw_then: ByAgreement {
        notice: "If you continue to use the site, its cookies are set again, and the notice is shown.",
        off: "If you continue to use the site, its cookies are set again.",
        required: "If you want to use the site again, you are asked again before any cookie is set.",
    },
    withdraw: ByAgreement::asked_or_off("Withdraw, and delete the cookies", "Delete the cookies"),
    withdraw_yourself: "You can also delete cookies at any time in the settings of your browser.",
    browser_help: "The help pages of the most popular browsers describe how to delete or block cookies:",
    browser: |browser| match browser {
        Browser::Chrome => "Chrome",
        Browser::ChromeAndroid => "Chrome on Android",
        Browser::Edge => "Edge",
        Browser::Firefox => "Firefox",
        Browser::Opera => "Opera",
        Browser::SafariIos => "Safari on iPhone and iPad",
        Browser::SafariMac => "Safari on Mac",
    },

    question_title: "This site needs your agreement",
    question: |operator, count| {
        let cookies = if count == 1 { "one cookie".to_owned() } else { format!("{count} cookies") };
        let necessary = if count == 1 { "It is" } else { "They are" };
        match operator {
            Some(operator) => format!(
                "{operator} asks you to agree to the use of {cookies} before you use this site. {necessary} technically \
                 necessary."
            ),
            None => format!(
                "Before you use this site, please agree to the use of {cookies}. {necessary} technically necessary."
            ),
        }
    },
    question_then: "Before you agree, none of them is set, and you can\u{2019}t use the site. You can withdraw your \
                    agreement at any time.",
    more: "More about these cookies, and how to withdraw your agreement",

    banner_label: "Notice about cookies",
    banner_more: "What they are for",

    declined_title: "You have declined",
    declined_lead: "Your answer is not stored anywhere: no cookie was set for it.",
    declined_then: ByAgreement {
        notice: "You can use the site anyway. It shows its notice until you agree.",
        off: "This site does not ask for your agreement: its cookies are technically necessary.",
        required: "You can\u{2019}t use the site without its cookies. If you change your mind, open it again: you will be \
                   asked again.",
    },
    withdrawn_title: ByAgreement::asked_or_off(
        "You have withdrawn your agreement",
        "The cookies are deleted",
    ),
    withdrawn_lead: "The cookies of this site are deleted from this browser, and every other cookie that it sent with your \
                     withdrawal. If you were logged in, you are logged out now.",
    open_site: "Open the site",
};
