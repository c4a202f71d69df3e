//! The closed sets of the ledger: the number under which SQLite keeps each member, and the word that people read.
//!
//! Numbers and words are part of the format: a new member gets the next number, and none is ever given anew.

use super::entry::{AgreementEvent, EventKind};
use crate::policy::{
    Mode,
    asked::AskedLifetime,
    verdict::{Action, Direction, Reason},
};

/// A member of a closed set.
pub trait Coded: Copy + Eq + 'static {
    /// Every member, with its number in the file and its word in lines and reports.
    const ALL: &'static [(i64, Self, &'static str)];

    /// The number that SQLite keeps.
    fn code(self) -> i64 {
        Self::entry(self).0
    }

    /// The word that people read.
    fn word(self) -> &'static str {
        Self::entry(self).2
    }

    /// The member of a number; none where the file has one that this version does not know.
    fn of_code(code: i64) -> Option<Self> {
        Self::ALL.iter().find(|(known, ..)| *known == code).map(|(_, member, _)| *member)
    }

    /// The member of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(.., known)| *known == word).map(|(_, member, _)| *member)
    }

    /// The row of a member.
    fn entry(self) -> &'static (i64, Self, &'static str) {
        let row = Self::ALL.iter().find(|(_, member, _)| *member == self);
        row.expect("a test asks for each member of each set")
    }
}

impl Coded for Mode {
    const ALL: &'static [(i64, Self, &'static str)] =
        &[(1, Self::Enforce, "enforce"), (2, Self::Report, "report")];
}

impl Coded for Direction {
    const ALL: &'static [(i64, Self, &'static str)] =
        &[(1, Self::Request, "request"), (2, Self::Response, "response")];
}

impl Coded for AskedLifetime {
    const ALL: &'static [(i64, Self, &'static str)] = &[
        (1, Self::BrowserSession, "browser session"),
        (2, Self::Deletion, "deletion"),
        (3, Self::Hour, "<=1h"),
        (4, Self::Day, "<=1d"),
        (5, Self::Week, "<=1w"),
        (6, Self::Month, "<=1month"),
        (7, Self::Year, "<=1y"),
        (8, Self::Longer, ">1y"),
    ];
}

/// An action with its reason is one number; the word is the action's, see [`reason_word`] for the other.
impl Coded for Action {
    const ALL: &'static [(i64, Self, &'static str)] = &[
        (1, Self::Evict, "evict"),
        (2, Self::Inject, "inject"),
        (3, Self::Keep, "keep"),
        (4, Self::Renew, "renew"),
        (5, Self::Rewrite, "rewrite"),
        (6, Self::Strip(Reason::Duplicate), "strip"),
        (7, Self::Strip(Reason::Malformed), "strip"),
        (8, Self::Strip(Reason::Misplaced), "strip"),
        (9, Self::Strip(Reason::Nameless), "strip"),
        (10, Self::Strip(Reason::Oversize), "strip"),
        (11, Self::Strip(Reason::Undeclared), "strip"),
        (12, Self::Strip(Reason::BeforeAgreement), "strip"),
        (13, Self::Strip(Reason::Expired), "strip"),
        (14, Self::Strip(Reason::Foreign), "strip"),
        (15, Self::Strip(Reason::Forged), "strip"),
    ];
}

impl Coded for AgreementEvent {
    const ALL: &'static [(i64, Self, &'static str)] = &[
        (1, Self::Agreed, Self::Agreed.word()),
        (2, Self::Declined, Self::Declined.word()),
        (3, Self::Shown, Self::Shown.word()),
        (4, Self::Withdrawn, Self::Withdrawn.word()),
    ];
}

impl Coded for EventKind {
    const ALL: &'static [(i64, Self, &'static str)] = &[
        (1, Self::Configuration, "configuration"),
        (2, Self::Damage, "damage"),
        (3, Self::Declaration, "declaration"),
        (4, Self::Key, "key"),
        (5, Self::Loss, "loss"),
        (6, Self::Prune, "prune"),
        (7, Self::Start, "start"),
        (8, Self::Stop, "stop"),
        (9, Self::UncleanStop, "unclean stop"),
        (10, Self::Clock, "clock"),
        (11, Self::Tenant, "tenant"),
    ];
}

/// Why a cookie was stripped; none where it was not.
pub fn reason_word(action: Action) -> Option<&'static str> {
    let Action::Strip(reason) = action else { return None };
    Some(match reason {
        Reason::BeforeAgreement => "before_agreement",
        Reason::Duplicate => "duplicate",
        Reason::Expired => "expired",
        Reason::Foreign => "foreign",
        Reason::Forged => "forged",
        Reason::Malformed => "malformed",
        Reason::Misplaced => "misplaced",
        Reason::Nameless => "nameless",
        Reason::Oversize => "oversize",
        Reason::Undeclared => "undeclared",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_numbers_lead_back<T: Coded + std::fmt::Debug>(members: &[T]) {
        for member in members {
            assert_eq!(T::of_code(member.code()), Some(*member));
        }
        assert_eq!(T::ALL.len(), members.len());
        assert_eq!(T::of_code(0), None);
    }

    #[test]
    fn every_member_has_its_own_number() {
        assert_numbers_lead_back(&[Mode::Enforce, Mode::Report]);
        assert_numbers_lead_back(&[Direction::Request, Direction::Response]);
        assert_numbers_lead_back(&AskedLifetime::ALL);
        assert_numbers_lead_back(&AgreementEvent::ALL);
        assert_numbers_lead_back(&[
            EventKind::Clock,
            EventKind::Configuration,
            EventKind::Damage,
            EventKind::Declaration,
            EventKind::Key,
            EventKind::Loss,
            EventKind::Prune,
            EventKind::Start,
            EventKind::Stop,
            EventKind::Tenant,
            EventKind::UncleanStop,
        ]);
        let reasons = [
            Reason::BeforeAgreement,
            Reason::Duplicate,
            Reason::Expired,
            Reason::Foreign,
            Reason::Forged,
            Reason::Malformed,
            Reason::Misplaced,
            Reason::Nameless,
            Reason::Oversize,
            Reason::Undeclared,
        ];
        let others = [Action::Evict, Action::Inject, Action::Keep, Action::Renew, Action::Rewrite];
        let actions: Vec<_> = reasons.map(Action::Strip).into_iter().chain(others).collect();
        assert_numbers_lead_back(&actions);
        assert_eq!(AskedLifetime::of_word(">1y"), Some(AskedLifetime::Longer));
    }
}
