//! The gateway's own pages: the cookie page, the question whether a person agrees, and the answers to it.
//!
//! Every page is rendered from a [`Subject`], which is the declaration in force and the settings of the tenant. So a page is
//! always correct, and it is the same for everybody: it does not depend on the client or the requested address.
//!
//! - [`settings`]: the settings of the operator, and the paths of the pages.
//! - `subject`: the input of the pages; `pages`: all of them, rendered.
//! - `words`: every text in each language; `lifetime`: lifetimes of cookies; `browsers`: help pages of common browsers.
//! - `sheet`: the content of a page in one language; `html`, `banner`, `json`, [`text`]: its output formats.

mod banner;
mod browsers;
mod html;
mod json;
mod lifetime;
mod pages;
pub mod settings;
mod sheet;
mod subject;
#[cfg(test)]
mod tests;
pub mod text;
mod words;

pub use html::content_security_policy;
pub use pages::{HashedDocument, Page, PageKind, Pages, banner_style};
pub use subject::{Since, Subject};
