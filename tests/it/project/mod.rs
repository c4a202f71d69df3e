//! The documents, the layers of the sources, and the files of the package.

mod documents;
mod layering;
mod package;
mod reference;
