//! The rewrite of one page's body: parts of the page go in as they arrive, and parts of the changed page come out.

use std::collections::VecDeque;

use bytes::Bytes;
use http_body::Frame;

use super::insertion::{Content, Insertion, Piece};

/// The rewrite of one page.
pub(crate) struct Rewrite {
    insertion: Insertion,
    /// The pieces that wait to be sent.
    pieces: VecDeque<Piece>,
    /// The content of the piece that was returned last. It is sent once the next one is requested.
    leaving: Content,
    /// True once the page has ended.
    has_ended: bool,
    /// The trailers of the page.
    trailers: Option<Frame<Bytes>>,
}

impl Rewrite {
    pub(crate) fn new(insertion: Insertion) -> Self {
        let pieces = VecDeque::new();
        Self { insertion, pieces, leaving: Content::Page, has_ended: false, trailers: None }
    }

    /// Takes the next part of the page.
    pub(crate) fn pass(&mut self, part: Bytes) {
        self.insertion.pass(part, &mut self.pieces);
    }

    /// Ends the page. The trailers are sent last.
    pub(crate) fn end(&mut self, trailers: Option<Frame<Bytes>>) {
        self.has_ended = true;
        self.trailers = trailers;
        self.insertion.end(&mut self.pieces);
    }

    /// Returns the next part of the changed page. `None` if it needs more of the page, or the page is over.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        self.insertion.sent(self.leaving);
        let piece = self.pieces.pop_front()?;
        self.leaving = piece.content;
        Some(piece.bytes)
    }

    /// Returns true if no more of the page needs to be passed.
    pub(crate) fn is_over(&self) -> bool {
        self.pieces.is_empty() && self.insertion.is_over() && self.trailers.is_none()
    }

    /// Returns true once the page has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns the trailers of the page, after its last part.
    pub(crate) fn take_trailers(&mut self) -> Option<Frame<Bytes>> {
        self.trailers.take()
    }
}
