//! The changes to one body.

use std::collections::VecDeque;

use bytes::Bytes;

use super::{
    insertion::{Content, Insertion, Piece},
    prefix::Prefix,
};

/// The changes to one body.
pub(crate) enum Changes {
    Document(Insertion),
    WorkerScript(Prefix),
}

impl Changes {
    /// Ends a body that has no bytes.
    pub(crate) fn end_empty(mut self) {
        self.end(&mut VecDeque::new());
    }

    /// Adds the pieces to `pieces` that a part of the body makes leave.
    pub(super) fn pass(&mut self, part: Bytes, pieces: &mut VecDeque<Piece>) {
        match self {
            Self::Document(insertion) => insertion.pass(part, pieces),
            Self::WorkerScript(prefix) => prefix.pass(&part, pieces),
        }
    }

    /// Ends the body, and adds its last pieces to `pieces`.
    pub(super) fn end(&mut self, pieces: &mut VecDeque<Piece>) {
        match self {
            Self::Document(insertion) => insertion.end(pieces),
            Self::WorkerScript(prefix) => prefix.end(pieces),
        }
    }

    /// Reports that a piece of this content was sent.
    pub(super) fn sent(&mut self, content: Content) {
        match self {
            Self::Document(insertion) => insertion.sent(content),
            Self::WorkerScript(_) => {}
        }
    }

    /// Returns true if nothing is left to be changed.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Document(insertion) => insertion.is_over(),
            Self::WorkerScript(prefix) => prefix.is_over(),
        }
    }
}
