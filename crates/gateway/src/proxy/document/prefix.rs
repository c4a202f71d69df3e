//! Puts the guard in front of the code of a service worker's script that passes.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::insertion::{Content, Piece};
use crumbgate_pages::document::Prologue;

/// The insertion of the guard into one script.
pub(crate) struct Prefix {
    prologue: Prologue,
    /// Empty once it is inserted.
    text: Bytes,
    /// Scanned bytes that may belong behind the text.
    held: Bytes,
    /// The number of bytes of the script before `held`.
    passed: usize,
}

impl Prefix {
    /// Makes the insertion of a text.
    pub(crate) fn new(text: Bytes) -> Self {
        Self { prologue: Prologue::new(), text, held: Bytes::new(), passed: 0 }
    }

    /// Adds the pieces to `pieces` that a part of the script makes leave.
    pub(super) fn pass(&mut self, part: &[u8], pieces: &mut VecDeque<Piece>) {
        self.prologue.scan(part);
        let mut script = BytesMut::from(&*self.held);
        script.extend_from_slice(part);
        self.release(script.freeze(), pieces);
    }

    /// Ends the script, and adds its last pieces to `pieces`.
    pub(super) fn end(&mut self, pieces: &mut VecDeque<Piece>) {
        self.prologue.end();
        let held = std::mem::take(&mut self.held);
        self.release(held, pieces);
    }

    /// Returns true if the text is inserted.
    pub(super) fn is_over(&self) -> bool {
        self.text.is_empty()
    }

    fn release(&mut self, mut script: Bytes, pieces: &mut VecDeque<Piece>) {
        if let Some((at, is_strict)) = self.prologue.code()
            && !self.text.is_empty()
        {
            self.leave(script.split_to(at - self.passed), pieces);
            if is_strict {
                // The script's own directive counts no more behind the text.
                let bytes = Bytes::from_static(b"\"use strict\";");
                pieces.push_back(Piece { content: Content::Guard, bytes });
            }
            let bytes = std::mem::take(&mut self.text);
            pieces.push_back(Piece { content: Content::Guard, bytes });
        }
        let settled = match self.text.is_empty() {
            true => script.len(),
            false => self.prologue.settled() - self.passed,
        };
        self.leave(script.split_to(settled), pieces);
        self.held = script;
    }

    fn leave(&mut self, bytes: Bytes, pieces: &mut VecDeque<Piece>) {
        self.passed += bytes.len();
        if !bytes.is_empty() {
            pieces.push_back(Piece { content: Content::Page, bytes });
        }
    }
}
