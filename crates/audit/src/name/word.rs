//! Which letters and digits read like a word, and which may be somebody's identifier.

use super::known;

/// What may stay of a run of letters and digits: all of it, its beginning, or nothing. The rest is an identifier.
///
/// A beginning stays of `user42`, and of `SSESS` with a hash behind it.
pub(super) fn readable(run: &[u8]) -> &[u8] {
    if stays(run) || known::is_word(run) {
        return run;
    }
    let stem = if is_hex_identifier(run) { &[] } else { stem(run) };
    if stem.len() >= MIN_STEM && stays(stem) { stem } else { &[] }
}

/// Whether all of a run stays that is no known word.
pub(super) fn stays(run: &[u8]) -> bool {
    run.iter().all(u8::is_ascii_alphabetic) && !is_hex_identifier(run) && is_word(run)
}

/// What stands before the number, or else before the hash, at the end.
fn stem(run: &[u8]) -> &[u8] {
    let before = |is_part: fn(&u8) -> bool| {
        let length = run.iter().rposition(|byte| !is_part(byte)).map_or(0, |last| last + 1);
        run.split_at(length)
    };
    let (stem, hash) = before(u8::is_ascii_hexdigit);
    if hash.len() >= MIN_HASH { stem } else { before(u8::is_ascii_digit).0 }
}

fn is_hex_identifier(run: &[u8]) -> bool {
    run.len() >= MIN_HEX && run.iter().all(u8::is_ascii_hexdigit)
}

/// Whether letters follow each other as they do in words, judged by how many pairs of neighbours are rare in English
/// and German. Capitals that begin a word inside (`sessionUser`) cost half a rare pair: random letters have many.
fn is_word(letters: &[u8]) -> bool {
    if letters.len() <= ALWAYS_WORD {
        return true;
    }
    if letters.len() > MAX_WORD {
        return false;
    }
    let mut half_rare = 0;
    for (first, second) in letters.iter().zip(&letters[1..]) {
        if first.is_ascii_lowercase() && second.is_ascii_uppercase() {
            half_rare += 1;
        } else if COMMON[place(*first)] & 1 << place(*second) == 0 {
            half_rare += 2;
        }
    }
    let pairs = letters.len() - 1;
    // Short words are often abbreviations: of theirs a third may be rare, of others a quarter.
    let tolerated = if letters.len() <= ABBREVIATION { 3 } else { 4 };
    half_rare * tolerated < pairs * 2
}

/// From 0 for an `a`, without case.
const fn place(letter: u8) -> usize {
    (letter | 0x20).saturating_sub(b'a') as usize
}

/// Each letter's common followers, as bits.
const COMMON: [u32; 26] = {
    let mut rows = [0; 26];
    let mut first = 0;
    while first < rows.len() {
        let followers = FOLLOWERS[first].as_bytes();
        let mut at = 0;
        while at < followers.len() {
            rows[first] |= 1 << place(followers[at]);
            at += 1;
        }
        first += 1;
    }
    rows
};

/// What commonly follows `a`, `b`, `c` …
const FOLLOWERS: [&str; 26] = [
    "bcdfghiklmnprstuvwxyz",
    "aeijlorsuy",
    "acehikloprstuy",
    "adegilmorsuy",
    "abcdefghiklmnopqrstuvwxyz",
    "aefilortuy",
    "aeghilnorstu",
    "aeilmnoprtuy",
    "abcdefghklmnoprstvxz",
    "aeou",
    "abeilnorstu",
    "abdefiklmopstuy",
    "abeilmopsuy",
    "acdefghiklnostuvyz",
    "abcdfghiklmnoprstuvwxyz",
    "aefhiloprstuy",
    "u",
    "abcdefghiklmnoprstuvwyz",
    "acehiklmnopqrstuwy",
    "acefhilmorstuwyz",
    "abcdefgilmnprstuz",
    "aeioy",
    "aeilnors",
    "aceipty",
    "abceilmnoprst",
    "aeiouwz",
];

/// Fewer letters than this before a number are part of the number (`AB1234`).
const MIN_STEM: usize = 3;

/// Hexadecimal digits: from so many on they are no word (`decade` is a loss), and from so many on a hash.
const MIN_HEX: usize = 6;
const MIN_HASH: usize = 16;

/// Letters: up to so many tell little even where they are random, and no word is longer than the other.
const ALWAYS_WORD: usize = 4;
const ABBREVIATION: usize = 6;
const MAX_WORD: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_like_a_word_stays() {
        let words = "session analytics checkbox cookielawinfo personalization warenkorb einstellungen \
                     OptanonAlertBoxClosed hjIncludedInSessionSample MicrosoftApplicationsTelemetryDeviceId \
                     CraftSessionId phpMyAdmin rememberme jsEnabled django uetsid CONSENT AWSALBCORS \
                     hjTLDTest Buchungsansicht Sprache zeitzone kalenderwoche schreibtisch parkplatz";
        for word in words.split_whitespace() {
            assert_eq!(readable(word.as_bytes()), word.as_bytes(), "{word}");
        }
    }

    #[test]
    fn a3_what_may_be_an_identifier_does_not() {
        let identifiers = "deadbeef FACADE xkqwzjab qvnwtrkzpl aBxKqZ QRTBSADJGMFPLKHF ZxqWvbNmKjHg \
                           tgmnwcvbpqzxkj 1 a1 G1ABC2 4f2 ab12 AB1234 2P 3rdparty abc123 kqxzwv7 a1b2c3d4e5";
        for identifier in identifiers.split_whitespace() {
            assert_eq!(readable(identifier.as_bytes()), b"", "{identifier}");
        }
        assert_eq!(readable(&[b'a'; MAX_WORD + 1]), b"");
    }

    #[test]
    fn a3_a_word_stays_of_what_ends_in_a_number_or_a_hash() {
        let cases = [
            ("user42", "user"),
            ("INFO1", "INFO1"),
            ("INFO2", "INFO"),
            ("SSESSd41d8cd98f00b204e9800998ecf8427e", "SSESS"),
            ("cached41d8cd98f00b204e9800998ecf8427e", "cach"),
            ("user42x", ""),
        ];
        for (run, stem) in cases {
            assert_eq!(readable(run.as_bytes()), stem.as_bytes(), "{run}");
        }
    }
}
