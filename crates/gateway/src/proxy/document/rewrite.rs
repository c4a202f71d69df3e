//! The rewrite of one page's body: parts of the page go in as they arrive, and parts of the changed page come out.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use http_body::Frame;
use smallvec::smallvec;

use super::{
    changes::Changes,
    decoder::Undecodable,
    insertion::{Contents, Piece},
    recoder::Recoder,
};
use crate::metrics::WorkerMetrics;
use crumbgate_pages::document::Coding;

/// The rewrite of one page.
pub(crate) struct Rewrite {
    changes: Changes,
    /// Decodes and encodes the page, up to its end. `None` if it is not coded.
    recoder: Option<Box<Recoder>>,
    /// The pieces that wait to be sent.
    pieces: VecDeque<Piece>,
    /// The contents of the part that was returned last. They are sent once the next one is requested.
    leaving: Contents,
    /// True once the page has ended.
    has_ended: bool,
    is_broken: bool,
    /// True after a part that was as large as one may be: other exchanges of the worker come first.
    yields: bool,
    /// The trailers of the page.
    trailers: Option<Frame<Bytes>>,
}

impl Rewrite {
    /// Makes the rewrite of a page in this coding, which it keeps.
    pub(crate) fn new(changes: Changes, coding: Coding, metrics: &Arc<WorkerMetrics>) -> Self {
        Self {
            changes,
            recoder: Recoder::new(coding, metrics).map(Box::new),
            pieces: VecDeque::new(),
            leaving: Contents::new(),
            has_ended: false,
            is_broken: false,
            yields: false,
            trailers: None,
        }
    }

    /// Takes the next part of the page, after [`Self::next`] has returned `None`.
    pub(crate) fn pass(&mut self, part: Bytes) {
        match &mut self.recoder {
            Some(recoder) => recoder.pass(part),
            None => self.changes.pass(part, &mut self.pieces),
        }
    }

    /// Ends the page. The trailers are sent last.
    pub(crate) fn end(&mut self, trailers: Option<Frame<Bytes>>) {
        self.has_ended = true;
        self.trailers = trailers;
        if self.recoder.is_none() {
            self.changes.end(&mut self.pieces);
        }
    }

    /// Returns the next part of the changed page. `None` if it needs more of the page, or the page is over.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        for content in self.leaving.drain(..) {
            self.changes.sent(content);
        }
        if self.recoder.is_some() {
            let recoded = self.recode();
            return self.leave(recoded);
        }
        let piece = self.pieces.pop_front()?;
        self.leaving = smallvec![piece.content];
        Some(piece.bytes)
    }

    /// Returns the parts of a coded page that wait for more of the page. `None` if no part does.
    pub(crate) fn flush(&mut self) -> Option<Bytes> {
        let flushed = self.recoder.as_mut()?.flush();
        self.leave(flushed)
    }

    /// Returns true if no more of the page needs to be passed.
    pub(crate) fn is_over(&self) -> bool {
        let has_left = self.pieces.is_empty() && self.recoder.is_none() && self.trailers.is_none();
        has_left && !self.is_broken && self.changes.is_over()
    }

    /// Returns true if the page is damaged: the rest of it can't be decoded.
    pub(crate) fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// Returns true, once, after each part that was as large as one may be. The caller then lets other exchanges go first.
    pub(crate) fn yields(&mut self) -> bool {
        std::mem::take(&mut self.yields)
    }

    /// Returns true once the page has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Returns the trailers of the page, after its last part.
    pub(crate) fn take_trailers(&mut self) -> Option<Frame<Bytes>> {
        self.trailers.take()
    }

    /// Decodes all that was passed, as far as it has room, and encodes it again.
    fn recode(&mut self) -> Result<Option<(Bytes, Contents)>, Undecodable> {
        let Some(recoder) = &mut self.recoder else { return Ok(None) };
        while recoder.can_decode() {
            if recoder.is_full()
                && let Some(part) = recoder.flush()?
            {
                self.yields = true;
                return Ok(Some(part));
            }
            recoder.step(&mut self.changes, &mut self.pieces)?;
        }
        match self.recoder.take_if(|_| self.has_ended) {
            Some(recoder) => recoder.finish(&mut self.changes, &mut self.pieces).map(Some),
            None => Ok(None),
        }
    }

    fn leave(&mut self, part: Result<Option<(Bytes, Contents)>, Undecodable>) -> Option<Bytes> {
        let Ok(part) = part else {
            (self.is_broken, self.recoder) = (true, None);
            return None;
        };
        let (bytes, contents) = part?;
        self.leaving = contents;
        Some(bytes)
    }
}
