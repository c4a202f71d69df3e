//! The languages that people are shown things in.

/// A language of reports.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Language {
    /// German.
    De,
    /// English.
    #[default]
    En,
}
