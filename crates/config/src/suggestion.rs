//! The known word that is closest to a misspelled one.

/// Returns the candidate that was probably meant: at most one error for every three letters.
pub(super) fn suggestion<'k>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    let distance = |word: &str| strsim::damerau_levenshtein(&wrong.to_lowercase(), word);
    let near = candidates.into_iter().map(|word| (distance(&word.to_lowercase()), word)).min()?;
    (near.0 <= (wrong.chars().count() / 3).max(1)).then_some(near.1)
}
