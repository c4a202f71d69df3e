//! The documents, the layers of the sources, their words, and the files of the package.

mod documents;
mod layering;
mod package;
mod reference;
mod words;
