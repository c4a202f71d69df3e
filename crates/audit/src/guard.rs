//! The guard against cookies that scripts set: the results of guarding pages, and the kinds of entries that browsers report.
//!
//! No type here identifies a person: there are closed sets alone.

/// The result of the attempt to put the guard's script into a page.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum GuardOutcome {
    /// The exchange ended before the script's position was reached.
    Broken,
    /// The page has a content coding that the gateway does not read.
    Compressed,
    /// The page has a charset or a syntax that the scanner does not read, such as UTF-16 or XHTML.
    Encoding,
    /// The page forbids changes (`no-transform`).
    Forbidden,
    /// The script was sent with the page.
    Guarded,
    /// The response is a part of a page (206).
    Partial,
    /// The script's position is not within the first `limits.banner_bytes`.
    TooLarge,
}

impl GuardOutcome {
    /// All results, in the order of their words.
    pub const ALL: [Self; 7] = [
        Self::Broken,
        Self::Compressed,
        Self::Encoding,
        Self::Forbidden,
        Self::Guarded,
        Self::Partial,
        Self::TooLarge,
    ];

    /// Returns the word in metrics, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Compressed => "compressed",
            Self::Encoding => "encoding",
            Self::Forbidden => "forbidden",
            Self::Guarded => "guarded",
            Self::Partial => "partial",
            Self::TooLarge => "too_large",
        }
    }
}

/// The kind of an entry that a script of a page has set, as a browser reported it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ScriptedKind {
    /// A cookie that the declaration does not contain.
    Cookie,
    /// A database of IndexedDB.
    IndexedDb,
    /// A key of `localStorage`.
    LocalStorage,
    /// A key of `sessionStorage`.
    SessionStorage,
}

impl ScriptedKind {
    /// All kinds, in the order of their words.
    pub const ALL: [Self; 4] =
        [Self::Cookie, Self::IndexedDb, Self::LocalStorage, Self::SessionStorage];

    /// Returns the word in metrics, the ledger and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cookie => "cookie",
            Self::IndexedDb => "indexed_db",
            Self::LocalStorage => "local_storage",
            Self::SessionStorage => "session_storage",
        }
    }

    /// Returns the letter that begins a line of this kind in a browser's report.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Cookie => b'c',
            Self::IndexedDb => b'i',
            Self::LocalStorage => b'l',
            Self::SessionStorage => b's',
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_in_the_order_of_their_words_and_each_kind_has_its_own_letter() {
        assert!(GuardOutcome::ALL.map(GuardOutcome::word).is_sorted_by(|a, b| a < b));
        assert!(ScriptedKind::ALL.map(ScriptedKind::word).is_sorted_by(|a, b| a < b));
        for (index, outcome) in GuardOutcome::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index, "{outcome:?}");
        }
        let letters = ScriptedKind::ALL.map(ScriptedKind::letter);
        assert_eq!(letters.into_iter().collect::<std::collections::HashSet<_>>().len(), 4);
    }
}
