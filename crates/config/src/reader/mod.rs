//! Walks a TOML document, returns checked values, and collects every problem.
//!
//! A key exists because the code requests it: a written key that was never requested is unknown. So there is no list of
//! keys beside the code that reads them.

mod node;
mod path;
mod table;
mod typed;
mod walk;

pub(super) use node::Node;
pub(super) use table::TableReader;
pub(super) use walk::DocumentReader;
