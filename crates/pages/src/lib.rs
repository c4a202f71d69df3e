//! The pages that people see: the cookie page with its questions, and the banner on pages of the application.

pub mod banner;
pub mod page;
