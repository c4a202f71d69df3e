//! Canaries: random texts that are sent in places from which nothing may be kept, and the search for their traces.

use std::io::{self, Read};

use aho_corasick::{AhoCorasick, Match};
use aws_lc_rs::digest::{self, digest};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};
use crumbgate_base::text::hex;
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};

/// A text that must never be found again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Canary {
    /// The place in which it is sent, such as "the path".
    pub(super) place: &'static str,
    pub(super) text: String,
}

/// A canary that was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Hit {
    /// The place in which the canary was sent.
    pub(super) place: &'static str,
    /// The encoding in which it was found.
    pub(super) form: &'static str,
    /// The offset in bytes.
    pub(super) offset: u64,
}

/// Searches for canaries in all encodings at once.
pub(super) struct Searcher {
    forms: Vec<(&'static str, &'static str)>,
    automaton: AhoCorasick,
}

impl Searcher {
    /// Makes a searcher for these encodings: plain, hexadecimal, base64 (each alignment, both alphabets), percent-encoded,
    /// and SHA-1, SHA-2 and SHA-3 digests, as bytes, in hexadecimal, in base64, and truncated.
    pub(super) fn new(canaries: &[Canary]) -> io::Result<Self> {
        let (mut forms, mut patterns) = (Vec::new(), Vec::new());
        for canary in canaries {
            for (form, pattern) in spellings(canary.text.as_bytes()) {
                forms.push((canary.place, form));
                patterns.push(pattern);
            }
        }
        // Ignoring case finds digests in capitals. The additional false positives are negligible.
        let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(patterns);
        Ok(Self { forms, automaton: automaton.map_err(io::Error::other)? })
    }

    /// Returns the first canary in a text.
    pub(super) fn find(&self, text: &[u8]) -> Option<Hit> {
        self.automaton.find(text).map(|found| self.hit(&found))
    }

    /// Returns the first canary in a stream.
    pub(super) fn search(&self, stream: impl Read) -> io::Result<Option<Hit>> {
        let Some(found) = self.automaton.stream_find_iter(stream).next() else { return Ok(None) };
        Ok(Some(self.hit(&found?)))
    }

    fn hit(&self, found: &Match) -> Hit {
        let (place, form) = self.forms.get(found.pattern().as_usize()).copied().unwrap_or_default();
        Hit { place, form, offset: found.start() as u64 }
    }
}

/// Every encoding of a text, with its name.
fn spellings(text: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut spellings = vec![
        ("plain", text.to_vec()),
        ("hexadecimal", hex(text).into_bytes()),
        ("percent-encoded", percent_encode(text, NON_ALPHANUMERIC).to_string().into_bytes()),
        (
            "percent-encoded",
            text.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect(),
        ),
    ];
    for before in 0..3 {
        // Within a longer text, its base64 has one of three alignments, and its ends depend on the surrounding bytes.
        let padded = [&vec![0; before], text].concat();
        for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
            let inner = (before * 8).div_ceil(6)..padded.len() * 8 / 6;
            let inner = encoded.as_bytes().get(inner).unwrap_or_default();
            spellings.push(("base64", inner.to_vec()));
        }
    }
    let algorithms = [
        &digest::SHA1_FOR_LEGACY_USE_ONLY,
        &digest::SHA256,
        &digest::SHA384,
        &digest::SHA512,
        &digest::SHA3_256,
    ];
    for algorithm in algorithms {
        let hash = digest(algorithm, text);
        let hash = hash.as_ref();
        spellings.push(("hashed", hash.to_vec()));
        spellings.push(("hashed, hexadecimal", hex(hash).into_bytes()));
        spellings.push(("hashed, base64", STANDARD.encode(hash).into_bytes()));
        spellings.push(("hashed, base64", URL_SAFE_NO_PAD.encode(hash).into_bytes()));
        // A digest that was truncated to half its length still identifies a person.
        spellings.push(("hashed and cut", hex(hash.get(..CUT_BYTES).unwrap_or(hash)).into_bytes()));
    }
    spellings
}

/// Shorter pieces of a digest could occur by chance.
const CUT_BYTES: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(text: &str) -> Canary {
        Canary { place: "here", text: text.to_owned() }
    }

    fn searcher(text: &str) -> Searcher {
        Searcher::new(&[canary("other7cage"), canary(text)]).unwrap()
    }

    #[test]
    fn every_encoding_is_found_at_every_offset() {
        let text = "c4n4ry/2001:db8::7";
        let searcher = searcher(text);
        let search = |within: &[u8]| searcher.search(within).unwrap();
        for (form, spelling) in spellings(text.as_bytes()) {
            for before in 0..4 {
                let within = [&vec![b'-'; before][..], &spelling, b"-"].concat();
                let hit = search(&within).unwrap_or_else(|| panic!("{form}"));
                assert_eq!((hit.place, hit.offset), ("here", before as u64), "{form}");
            }
        }
        let encoded = STANDARD.encode(format!("{{\"before\":\"{text}\",\"after\":1}}"));
        assert_eq!(search(encoded.as_bytes()).unwrap().form, "base64");
        assert_eq!(search(text.to_uppercase().as_bytes()).unwrap().form, "plain");
    }

    #[test]
    fn similar_texts_are_not_found() {
        let searcher = searcher("c4n4ry");
        assert_eq!(searcher.search(&b"canary c4n4r C4N4R4 5"[..]).unwrap(), None);
    }
}
