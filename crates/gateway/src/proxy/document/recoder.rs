//! Decodes a coded page, and encodes the changed page in gzip.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{
    changes::Changes,
    decoder::{Decoder, Undecodable},
    encoder::Encoder,
    insertion::{Content, Contents, Piece},
};
use crate::metrics::WorkerMetrics;
use crumbgate_pages::document::Coding;

/// The decoder and the encoder of one page.
pub(super) struct Recoder {
    decoder: Decoder,
    encoder: Encoder,
    /// The coded bytes that are to be decoded.
    input: Bytes,
    /// True if the decoder may have more output without any input.
    has_more: bool,
    is_complete: bool,
    /// True if the page has no bytes, not even those of its coding.
    is_empty: bool,
    /// The number of steps since the last part left.
    steps: usize,
    /// The contents that were encoded since the last part left.
    encoded: Contents,
    metrics: Arc<WorkerMetrics>,
}

impl Recoder {
    /// Makes the recoder of a page in this coding; `None` if it is not coded.
    pub(super) fn new(coding: Coding, metrics: &Arc<WorkerMetrics>) -> Option<Self> {
        Some(Self {
            decoder: Decoder::new(coding)?,
            encoder: Encoder::new(),
            input: Bytes::new(),
            has_more: false,
            is_complete: false,
            is_empty: true,
            steps: 0,
            encoded: Contents::new(),
            metrics: Arc::clone(metrics),
        })
    }

    /// Takes the next coded part of the page. All of the one before was decoded. Bytes behind the page's end are ignored, as
    /// browsers do.
    pub(super) fn pass(&mut self, part: Bytes) {
        self.is_empty &= part.is_empty();
        self.input = part;
    }

    /// Returns true if more can be decoded without another part.
    pub(super) fn can_decode(&self) -> bool {
        !self.is_complete && (self.has_more || !self.input.is_empty())
    }

    /// Decodes a bounded number of bytes, and encodes what the changes make of them.
    pub(super) fn step(
        &mut self,
        changes: &mut Changes,
        pieces: &mut VecDeque<Piece>,
    ) -> Result<(), Undecodable> {
        let mut plain = vec![0; STEP_BYTES];
        let step = self.decoder.decode(&self.input, &mut plain)?;
        let is_stuck = step.read == 0 && step.written == 0 && !self.input.is_empty();
        if is_stuck && !step.is_complete {
            return Err(Undecodable);
        }
        self.metrics.count_recoded_received(step.read);
        self.steps += 1;
        self.input = self.input.split_off(step.read);
        self.has_more = step.written == STEP_BYTES;
        self.is_complete = step.is_complete;
        plain.truncate(step.written);
        if changes.is_over() {
            return self.encode(&plain, Content::Page);
        }
        changes.pass(plain.into(), pieces);
        self.encode_all(pieces)
    }

    /// Ends the page, and returns its last bytes. The coded page must be complete.
    pub(super) fn finish(
        mut self,
        changes: &mut Changes,
        pieces: &mut VecDeque<Piece>,
    ) -> Result<(Bytes, Contents), Undecodable> {
        if self.is_empty {
            changes.end(pieces);
            return Ok((Bytes::new(), Contents::new()));
        }
        if !self.is_complete {
            return Err(Undecodable);
        }
        changes.end(pieces);
        self.encode_all(pieces)?;
        let last = self.encoder.finish().map_err(|_| Undecodable)?;
        self.metrics.count_recoded_sent(last.len());
        Ok((last.into(), self.encoded))
    }

    /// Returns true if what was encoded must leave before more is decoded.
    pub(super) fn is_full(&self) -> bool {
        self.steps >= MAX_STEPS
    }

    /// Returns all that was encoded since the last part left; `None` if nothing was.
    pub(super) fn flush(&mut self) -> Result<Option<(Bytes, Contents)>, Undecodable> {
        if self.encoded.is_empty() {
            return Ok(None);
        }
        self.encoder.flush().map_err(|_| Undecodable)?;
        self.steps = 0;
        let part = self.encoder.take();
        self.metrics.count_recoded_sent(part.len());
        Ok(Some((part.into(), std::mem::take(&mut self.encoded))))
    }

    fn encode_all(&mut self, pieces: &mut VecDeque<Piece>) -> Result<(), Undecodable> {
        pieces.drain(..).try_for_each(|piece| self.encode(&piece.bytes, piece.content))
    }

    fn encode(&mut self, bytes: &[u8], content: Content) -> Result<(), Undecodable> {
        if bytes.is_empty() {
            return Ok(());
        }
        if !self.encoded.contains(&content) {
            self.encoded.push(content);
        }
        self.encoder.encode(bytes).map_err(|_| Undecodable)
    }
}

/// The most bytes that one step decodes.
const STEP_BYTES: usize = 32_768;

/// The most steps before what was encoded leaves, so that a small page that becomes a huge one takes no memory.
const MAX_STEPS: usize = 8;
