//! Events of the guard, as the ledger counts them (A7).

use super::guard::{GuardOutcome, ScriptedKind};

/// An event of the guard. These events are outside the balanced totals of cookies and agreements.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GuardEvent {
    /// The gateway put the guard's script into a page, or could not.
    Page(GuardOutcome),
    /// A browser reported a name that a script tried to set. Anybody can post a name.
    Reported(ScriptedKind),
}

impl GuardEvent {
    /// All events: those of pages, then those that browsers report.
    pub const ALL: [Self; GuardOutcome::ALL.len() + ScriptedKind::ALL.len()] = {
        let mut all =
            [Self::Page(GuardOutcome::Guarded); GuardOutcome::ALL.len() + ScriptedKind::ALL.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = match index.checked_sub(GuardOutcome::ALL.len()) {
                None => Self::Page(GuardOutcome::ALL[index]),
                Some(kind) => Self::Reported(ScriptedKind::ALL[kind]),
            };
            index += 1;
        }
        all
    };

    /// Returns the word in ledger lines. The words of outcomes and of kinds differ.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Page(outcome) => outcome.word(),
            Self::Reported(kind) => kind.word(),
        }
    }

    /// Returns the word for the source of the event: the gateway's own observation, or a browser's report.
    pub const fn source(self) -> &'static str {
        match self {
            Self::Page(_) => "gateway",
            Self::Reported(_) => "browser",
        }
    }

    /// Returns the number in stored ledgers, which never changes.
    pub const fn code(self) -> i64 {
        match self {
            Self::Page(GuardOutcome::Broken) => 1,
            Self::Page(GuardOutcome::Compressed) => 2,
            Self::Page(GuardOutcome::Encoding) => 3,
            Self::Page(GuardOutcome::Forbidden) => 4,
            Self::Page(GuardOutcome::Guarded) => 5,
            Self::Page(GuardOutcome::Partial) => 6,
            Self::Page(GuardOutcome::TooLarge) => 7,
            Self::Reported(ScriptedKind::Cookie) => 101,
            Self::Reported(ScriptedKind::IndexedDb) => 102,
            Self::Reported(ScriptedKind::LocalStorage) => 103,
            Self::Reported(ScriptedKind::SessionStorage) => 104,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_event_has_its_own_word_and_number() {
        let words: HashSet<_> = GuardEvent::ALL.map(GuardEvent::word).into();
        let codes: HashSet<_> = GuardEvent::ALL.map(GuardEvent::code).into();
        assert_eq!((words.len(), codes.len()), (GuardEvent::ALL.len(), GuardEvent::ALL.len()));
    }
}
