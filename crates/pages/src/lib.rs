//! The pages that people see: the cookie page with its questions, and the banner and the guard on pages of the application.

pub mod banner;
mod csp;
pub mod guard;
pub mod page;
