//! Random texts for ids and tokens.

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

/// Returns 256 random bits in base64url.
pub(super) fn random_text() -> String {
    let mut bits = [0; 32];
    rand::fill(&mut bits).expect("aws-lc-rs has its own generator, seeded by the system");
    URL_SAFE_NO_PAD.encode(bits)
}
