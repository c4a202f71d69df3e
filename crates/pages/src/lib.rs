//! The pages that people see: the cookie page with its questions, and the banner and the guard on pages of the application.

mod csp;
pub mod document;
pub mod guard;
pub mod page;
