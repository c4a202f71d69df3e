//! Decodes a coded page part by part. Each step has bounded output, so a small page that becomes a huge one costs no memory.

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};
use flate2::{Decompress, FlushDecompress, Status};

use crumbgate_pages::document::Coding;

/// The decoder of one page.
pub(super) enum Decoder {
    Brotli(Box<BrotliDecoder>),
    Gzip(Decompress),
}

/// The decoder of brotli, without the large windows that browsers do not read either.
type BrotliDecoder = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// The page is not in its coding.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Undecodable;

/// The result of one step.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Step {
    /// The number of bytes that were read.
    pub(super) read: usize,
    /// The number of bytes that were written.
    pub(super) written: usize,
    /// True if the page is complete.
    pub(super) is_complete: bool,
}

impl Decoder {
    /// Makes the decoder of a coding; `None` for a page that is not coded.
    pub(super) fn new(coding: Coding) -> Option<Self> {
        match coding {
            Coding::Brotli => {
                let allocate = StandardAlloc::default;
                let state = BrotliDecoder::new_strict(allocate(), allocate(), allocate());
                Some(Self::Brotli(Box::new(state)))
            }
            Coding::Gzip => Some(Self::Gzip(Decompress::new_gzip(WINDOW_BITS))),
            Coding::Identity => None,
        }
    }

    /// Decodes as much of `input` as fits into `output`.
    pub(super) fn decode(&mut self, input: &[u8], output: &mut [u8]) -> Result<Step, Undecodable> {
        match self {
            Self::Brotli(state) => {
                let (mut left, mut room, mut total) = (input.len(), output.len(), 0);
                let (mut read, mut written) = (0, 0);
                let result = BrotliDecompressStream(
                    &mut left,
                    &mut read,
                    input,
                    &mut room,
                    &mut written,
                    output,
                    &mut total,
                    state,
                );
                match result {
                    BrotliResult::ResultFailure => Err(Undecodable),
                    BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {
                        Ok(Step { read, written, is_complete: false })
                    }
                    BrotliResult::ResultSuccess => Ok(Step { read, written, is_complete: true }),
                }
            }
            Self::Gzip(state) => {
                let (read, written) = (state.total_in(), state.total_out());
                let status = state.decompress(input, output, FlushDecompress::None);
                let step = |is_complete| Step {
                    read: difference(state.total_in(), read),
                    written: difference(state.total_out(), written),
                    is_complete,
                };
                match status {
                    Ok(Status::BufError | Status::Ok) => Ok(step(false)),
                    Ok(Status::StreamEnd) => Ok(step(true)),
                    Err(_) => Err(Undecodable),
                }
            }
        }
    }
}

/// Returns the growth of a total during one step. It is not larger than a buffer.
fn difference(after: u64, before: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or_default()
}

/// The largest window of gzip, so that every page can be decoded.
const WINDOW_BITS: u8 = 15;
