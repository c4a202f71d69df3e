//! The tokenizer's states inside a comment, after its `<!--` (HTML Standard, sections 13.2.5.43 to 13.2.5.52).

/// The state of reading a comment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comment {
    /// After `--!`.
    Bang,
    /// Directly after `<!--`.
    Begin,
    /// Directly after `<!--` and a dash.
    BeginDash,
    /// After one dash.
    Dash,
    /// After at least two dashes.
    Dashes,
    /// After any other text.
    Text,
}

impl Comment {
    /// Reads the next byte. Returns true if the comment ends with it.
    pub(super) fn ends_with(&mut self, byte: u8) -> bool {
        *self = match (*self, byte) {
            (Self::Bang | Self::Begin | Self::BeginDash | Self::Dashes, b'>') => return true,
            (Self::Begin, b'-') => Self::BeginDash,
            (Self::BeginDash | Self::Dash | Self::Dashes, b'-') => Self::Dashes,
            (Self::Bang | Self::Text, b'-') => Self::Dash,
            (Self::Dashes, b'!') => Self::Bang,
            (_, _) => Self::Text,
        };
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_ends_where_it_ends_for_browsers() {
        for text in [
            ">",
            "->",
            "-->",
            "--->",
            " a > b -> c -->",
            "- -- ->-->",
            "a--!>",
            "a--!-->",
            "a--!b-->",
            "a-- >-->",
            "<!-- a -->",
            "a<!-->",
            "a<!->-->",
        ] {
            let mut comment = Comment::Begin;
            let end = format!("{text} -->").bytes().position(|byte| comment.ends_with(byte));
            assert_eq!(end, Some(text.len() - 1), "{text}");
        }
    }
}
