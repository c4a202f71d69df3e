//! Reads the policies of a `Content-Security-Policy` (Content Security Policy Level 3, section 2.2).

/// Returns the policies of one field. Browsers enforce each by itself.
pub(crate) fn policies(field: &[u8]) -> impl Iterator<Item = Policy<'_>> {
    field.split(|byte| *byte == b',').map(Policy)
}

/// The text of one policy: directives, separated by semicolons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'f>(pub(crate) &'f [u8]);

impl<'f> Policy<'f> {
    /// Returns the texts between the semicolons. Some can be empty.
    pub(crate) fn parts(self) -> impl Iterator<Item = &'f [u8]> {
        self.0.split(|byte| *byte == b';')
    }

    /// Returns the directive of this name, which is in lower case. The first one counts.
    pub(crate) fn find(self, wanted: &str) -> Option<Directive<'f>> {
        self.parts().enumerate().find_map(|(position, part)| {
            let part = part.trim_ascii();
            let end = part.iter().position(u8::is_ascii_whitespace).unwrap_or(part.len());
            let (name, value) = part.split_at(end);
            let is_wanted = name.eq_ignore_ascii_case(wanted.as_bytes());
            is_wanted.then_some(Directive { position, name, value })
        })
    }

    /// Returns the directive of the first of these names that the policy has.
    pub(crate) fn find_first(self, names: &[&str]) -> Option<Directive<'f>> {
        names.iter().find_map(|name| self.find(name))
    }
}

/// One directive of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Directive<'f> {
    /// The number of semicolons before it.
    pub(crate) position: usize,
    /// The name, as it is written.
    pub(crate) name: &'f [u8],
    value: &'f [u8],
}

impl<'f> Directive<'f> {
    /// Returns true if all bytes of the value are ASCII, as they should be.
    pub(crate) fn is_ascii(self) -> bool {
        self.value.is_ascii()
    }

    /// Returns the words of the value.
    pub(crate) fn words(self) -> impl Iterator<Item = &'f [u8]> {
        self.value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
    }

    /// Returns true if the value has this word as it is written here.
    pub(crate) fn has(self, word: &str) -> bool {
        self.words().any(|found| found == word.as_bytes())
    }

    /// Returns true if the value has one of these words, in any case.
    pub(crate) fn has_one_of(self, words: &[&str]) -> bool {
        let is_one =
            |word: &[u8]| words.iter().any(|one| word.eq_ignore_ascii_case(one.as_bytes()));
        self.words().any(is_one)
    }
}

/// The sources that include the own origin of every https page: `http:` and `*` match the secure scheme too (section
/// 6.7.2.8).
pub(crate) const OWN_ORIGIN: [&str; 4] = ["'self'", "*", "http:", "https:"];
