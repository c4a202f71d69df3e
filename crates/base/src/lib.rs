//! Parts that the other crates of the gateway share: the clock, languages and the formats of numbers in them, and helpers
//! for text.

pub mod clock;
pub mod error;
pub mod format;
pub mod language;
pub mod lock;
pub mod text;
