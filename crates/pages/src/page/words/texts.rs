//! The texts of the pages, as a struct that every language fills: a missing text does not compile.

use crate::page::browsers::Browser;
use crumbgate_base::language::Language;
use crumbgate_policy::{AgreementMode, EvictScope, GuardMode};

/// The texts of the pages in one language. A text with a number or a name in it is a function.
pub(in crate::page) struct Words {
    pub(in crate::page) language: Language,
    /// The duration of a cookie that each use renews.
    pub(in crate::page) after_use: fn(&str) -> String,
    /// The duration of a cookie that nothing renews.
    pub(in crate::page) after_set: fn(&str) -> String,

    pub(in crate::page) title: &'static str,
    pub(in crate::page) lead: fn(usize) -> String,
    /// The treatment of cookies that are not declared, on the way between the browser and the servers.
    pub(in crate::page) others: &'static str,
    /// The same if no cookie is declared.
    pub(in crate::page) all: &'static str,
    pub(in crate::page) scripts: ByGuard,
    pub(in crate::page) evicted: ByEvict,

    pub(in crate::page) caption: &'static str,
    pub(in crate::page) name: &'static str,
    pub(in crate::page) category: &'static str,
    /// The only category (D4).
    pub(in crate::page) necessary: &'static str,
    pub(in crate::page) duration: &'static str,
    pub(in crate::page) purpose: &'static str,
    pub(in crate::page) without: &'static str,
    pub(in crate::page) purpose_default: &'static str,
    pub(in crate::page) without_default: &'static str,

    pub(in crate::page) version: &'static str,
    /// The word between the version and the day from which it is in force.
    pub(in crate::page) version_of: &'static str,
    pub(in crate::page) not_in_force: &'static str,
    pub(in crate::page) operator: &'static str,

    pub(in crate::page) sealed_title: &'static str,
    /// The protection of the sealed cookie, from its name and its duration.
    pub(in crate::page) sealed: fn(&str, &str) -> String,
    pub(in crate::page) agreement_title: &'static str,
    pub(in crate::page) agreement: ByAgreement,
    /// The place of the agreement, from the name of the sealed cookie.
    pub(in crate::page) agreement_kept: fn(&str) -> String,
    pub(in crate::page) agree: &'static str,
    pub(in crate::page) decline: &'static str,
    pub(in crate::page) withdraw_title: ByAgreement,
    /// The effect of the button, from the path of its page if the text is shown elsewhere.
    pub(in crate::page) withdraw_lead: fn(Option<&str>) -> String,
    pub(in crate::page) withdraw_then: ByAgreement,
    pub(in crate::page) withdraw: ByAgreement,
    pub(in crate::page) withdraw_yourself: &'static str,
    pub(in crate::page) browser_help: &'static str,
    pub(in crate::page) browser: fn(Browser) -> &'static str,

    pub(in crate::page) question_title: &'static str,
    /// The question, from the name of the operator and the number of cookies.
    pub(in crate::page) question: fn(Option<&str>, usize) -> String,
    pub(in crate::page) question_then: &'static str,
    pub(in crate::page) more: &'static str,

    pub(in crate::page) banner_label: &'static str,
    pub(in crate::page) banner_more: &'static str,

    pub(in crate::page) declined_title: &'static str,
    pub(in crate::page) declined_lead: &'static str,
    pub(in crate::page) declined_then: ByAgreement,
    pub(in crate::page) withdrawn_title: ByAgreement,
    pub(in crate::page) withdrawn_lead: &'static str,
    pub(in crate::page) open_site: &'static str,
}

/// A text that depends on the way people are asked.
pub(in crate::page) struct ByAgreement {
    pub(in crate::page) notice: &'static str,
    pub(in crate::page) off: &'static str,
    pub(in crate::page) required: &'static str,
}

impl ByAgreement {
    /// Makes a text that is the same for `notice` and `required`.
    pub(super) const fn asked_or_off(asked: &'static str, off: &'static str) -> Self {
        Self { notice: asked, off, required: asked }
    }

    pub(in crate::page) fn of(&self, agreement: AgreementMode) -> &'static str {
        match agreement {
            AgreementMode::Notice => self.notice,
            AgreementMode::Off => self.off,
            AgreementMode::Required => self.required,
        }
    }
}

/// A text about the cookies that scripts set.
pub(in crate::page) struct ByGuard {
    pub(in crate::page) allowed: &'static str,
    pub(in crate::page) prevented: &'static str,
}

impl ByGuard {
    pub(in crate::page) fn of(&self, guard: GuardMode) -> &'static str {
        match guard {
            GuardMode::Enforce => self.prevented,
            GuardMode::Off | GuardMode::Watch => self.allowed,
        }
    }
}

/// A text about the cookies that the browser has already.
pub(in crate::page) struct ByEvict {
    pub(in crate::page) domain: &'static str,
    pub(in crate::page) host: &'static str,
    pub(in crate::page) off: &'static str,
}

impl ByEvict {
    pub(in crate::page) fn of(&self, evict: EvictScope) -> &'static str {
        match evict {
            EvictScope::Domain => self.domain,
            EvictScope::Host => self.host,
            EvictScope::Off => self.off,
        }
    }
}
