//! Parts that the other crates of the gateway share: the clock, the languages that people read, and helpers for text.

pub mod clock;
pub mod error;
pub mod language;
pub mod text;
