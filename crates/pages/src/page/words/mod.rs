//! Every text of the pages, in each language: a text that one language lacks does not compile.

mod de;
mod en;

use crumbgate_base::language::Language;
use crumbgate_policy::Agreement;

/// The texts of the pages in one language. Functions are for what has a number or a name in it.
pub(super) struct Words {
    pub(super) language: Language,
    /// Weeks, days, hours, minutes, seconds: of one and of several.
    pub(super) units: [[&'static str; 2]; 5],
    pub(super) and: &'static str,
    /// A cookie lives so long, and each use begins that anew.
    pub(super) after_use: fn(&str) -> String,
    /// A cookie lives so long, whatever happens.
    pub(super) after_set: fn(&str) -> String,
    pub(super) months: [&'static str; 12],
    /// Of day, month and year.
    pub(super) date: fn(u8, &str, i32) -> String,

    pub(super) title: &'static str,
    pub(super) lead: fn(usize) -> String,
    pub(super) others: &'static str,
    pub(super) all: &'static str,

    pub(super) caption: &'static str,
    pub(super) name: &'static str,
    pub(super) category: &'static str,
    /// The one category there is (D4).
    pub(super) necessary: &'static str,
    pub(super) duration: &'static str,
    pub(super) purpose: &'static str,
    pub(super) without: &'static str,
    pub(super) purpose_unsaid: &'static str,
    pub(super) without_unsaid: &'static str,

    pub(super) version: &'static str,
    /// Between the version and the day on which it was first in force.
    pub(super) version_of: &'static str,
    pub(super) not_in_force: &'static str,
    pub(super) operator: &'static str,

    pub(super) sealed_title: &'static str,
    /// Of the sealed cookie's name, and how long it lives.
    pub(super) sealed: fn(&str, &str) -> String,
    pub(super) agreement_title: &'static str,
    pub(super) agreement: ByAgreement,
    /// Of the sealed cookie's name.
    pub(super) agreement_kept: fn(&str) -> String,
    pub(super) agree: &'static str,
    pub(super) decline: &'static str,
    pub(super) withdraw_title: ByAgreement,
    /// What the button does; and where it is, for who reads this elsewhere.
    pub(super) withdraw_lead: fn(Option<&str>) -> String,
    pub(super) withdraw_then: ByAgreement,
    pub(super) withdraw: ByAgreement,
    pub(super) withdraw_yourself: &'static str,

    pub(super) question_title: &'static str,
    /// Who asks, and for how many cookies.
    pub(super) question: fn(Option<&str>, usize) -> String,
    pub(super) question_then: &'static str,
    pub(super) more: &'static str,

    pub(super) banner_label: &'static str,
    pub(super) banner_more: &'static str,

    pub(super) declined_title: &'static str,
    pub(super) declined_lead: &'static str,
    pub(super) declined_then: ByAgreement,
    pub(super) withdrawn_title: ByAgreement,
    pub(super) withdrawn_lead: &'static str,
    pub(super) open_site: &'static str,
}

impl Words {
    /// Returns the texts in this language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::De => &de::WORDS,
            Language::En => &en::WORDS,
        }
    }
}

/// A text that depends on whether people are asked.
pub(super) struct ByAgreement {
    pub(super) notice: &'static str,
    pub(super) off: &'static str,
    pub(super) required: &'static str,
}

impl ByAgreement {
    /// The same whenever people are asked.
    const fn asked_or_off(asked: &'static str, off: &'static str) -> Self {
        Self { notice: asked, off, required: asked }
    }

    pub(super) fn of(&self, agreement: Agreement) -> &'static str {
        match agreement {
            Agreement::Notice => self.notice,
            Agreement::Off => self.off,
            Agreement::Required => self.required,
        }
    }
}
