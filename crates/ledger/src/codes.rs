//! The closed sets of the ledger. The file stores a member as its number, lines and reports contain its word.
//!
//! Numbers and words are part of the format: a new member gets the next number, and no number is ever reused. They are
//! defined beside each enum; the trait only lets generic code read them back.

use super::entry::EventKind;
use crumbgate_audit::{AgreementEvent, GuardEvent};
use crumbgate_policy::{
    GuardMode, Mode,
    requested::RequestedLifetime,
    verdict::{Action, Direction},
};

/// A closed set whose members have a number and a word.
pub trait Coded: Copy + Eq + 'static {
    /// Every member.
    const MEMBERS: &'static [Self];

    /// Returns the number in the file.
    fn number(self) -> i64;

    /// Returns the word in lines and reports. Members that differ only in a reason share one.
    fn text(self) -> &'static str;

    /// Returns the member with this number; `None` if this version does not know it.
    fn of_code(code: i64) -> Option<Self> {
        Self::MEMBERS.iter().copied().find(|member| member.number() == code)
    }

    /// Returns the first member with this word.
    fn of_word(word: &str) -> Option<Self> {
        Self::MEMBERS.iter().copied().find(|member| member.text() == word)
    }
}

macro_rules! coded {
    ($($set:ident),*) => {
        $(impl Coded for $set {
            const MEMBERS: &'static [Self] = &Self::ALL;

            fn number(self) -> i64 {
                self.code()
            }

            fn text(self) -> &'static str {
                self.word()
            }
        })*
    };
}

coded!(
    Action,
    AgreementEvent,
    Direction,
    EventKind,
    GuardEvent,
    GuardMode,
    Mode,
    RequestedLifetime
);

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_numbers_lead_back<T: Coded + std::fmt::Debug>() {
        for member in T::MEMBERS {
            assert_eq!(T::of_code(member.number()), Some(*member));
        }
        assert_eq!(T::of_code(0), None);
    }

    #[test]
    fn every_member_has_its_own_number() {
        assert_numbers_lead_back::<Mode>();
        assert_numbers_lead_back::<Direction>();
        assert_numbers_lead_back::<RequestedLifetime>();
        assert_numbers_lead_back::<AgreementEvent>();
        assert_numbers_lead_back::<EventKind>();
        assert_numbers_lead_back::<GuardEvent>();
        assert_numbers_lead_back::<GuardMode>();
        assert_numbers_lead_back::<Action>();
        assert_eq!(RequestedLifetime::of_word(">1y"), Some(RequestedLifetime::Longer));
    }
}
