//! Distinguishes words from possible identifiers in a run of letters and digits.

use super::known;

/// The part of a run that may be kept: all of it, its beginning, or nothing. The rest is an identifier.
///
/// The beginning is kept of `user42`, and of `SSESS` followed by a hash.
pub(super) fn readable(run: &[u8]) -> &[u8] {
    if stays(run) || known::is_word(run) {
        return run;
    }
    let stem = if is_hex_identifier(run) { &[] } else { stem(run) };
    if stem.len() >= MIN_STEM && stays(stem) { stem } else { &[] }
}

/// Returns `true` if all of a run that is no known word may be kept.
pub(super) fn stays(run: &[u8]) -> bool {
    run.iter().all(u8::is_ascii_alphabetic) && !is_hex_identifier(run) && is_word(run)
}

/// The part before the hash at the end, or else before the number at the end.
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

/// Returns `true` if the letters look like a word: few pairs of neighbours are rare in English and German. A capital
/// inside (`sessionUser`) counts as half a rare pair, because random letters have many.
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
    // Short words are often abbreviations: a third of their pairs may be rare, otherwise a quarter.
    let tolerated = if letters.len() <= ABBREVIATION { 3 } else { 4 };
    half_rare * tolerated < pairs * 2
}

/// The index in the alphabet, from 0, ignoring case.
const fn place(letter: u8) -> usize {
    (letter | 0x20).saturating_sub(b'a') as usize
}

/// The common followers of each letter, as bits.
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

/// The common followers of `a`, `b`, `c` and so on.
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

/// Fewer letters than this before a number belong to the number (`AB1234`).
const MIN_STEM: usize = 3;

/// Numbers of hexadecimal digits from which a run is no word (this loses `decade`), and from which it is a hash.
const MIN_HEX: usize = 6;
const MIN_HASH: usize = 16;

/// Numbers of letters up to which a run always counts as a word, counts as an abbreviation, and can be a word at all.
const ALWAYS_WORD: usize = 4;
const ABBREVIATION: usize = 6;
const MAX_WORD: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_that_look_like_a_word_stay() {
        let words = "session analytics checkbox cookielawinfo personalization warenkorb einstellungen \
                     OptanonAlertBoxClosed hjIncludedInSessionSample MicrosoftApplicationsTelemetryDeviceId \
                     CraftSessionId phpMyAdmin rememberme jsEnabled django uetsid CONSENT AWSALBCORS \
                     hjTLDTest Buchungsansicht Sprache zeitzone kalenderwoche schreibtisch parkplatz";
        for word in words.split_whitespace() {
            assert_eq!(readable(word.as_bytes()), word.as_bytes(), "{word}");
        }
    }

    #[test]
    fn a3_runs_that_may_be_an_identifier_are_replaced() {
        let identifiers = "deadbeef FACADE xkqwzjab qvnwtrkzpl aBxKqZ QRTBSADJGMFPLKHF ZxqWvbNmKjHg \
                           tgmnwcvbpqzxkj 1 a1 G1ABC2 4f2 ab12 AB1234 2P 3rdparty abc123 kqxzwv7 a1b2c3d4e5";
        for identifier in identifiers.split_whitespace() {
            assert_eq!(readable(identifier.as_bytes()), b"", "{identifier}");
        }
        assert_eq!(readable(&[b'a'; MAX_WORD + 1]), b"");
    }

    #[test]
    fn a3_the_word_before_a_number_or_a_hash_stays() {
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
