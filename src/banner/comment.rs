//! A comment, behind its `<!--` (HTML Standard, sections 13.2.5.43 to 13.2.5.52).

/// How far a comment is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comment {
    /// Behind `--!`.
    Bang,
    /// Right behind `<!--`.
    Begin,
    /// Right behind `<!--`, and a dash.
    BeginDash,
    /// Behind one dash.
    Dash,
    /// Behind two dashes at least.
    Dashes,
    /// Behind anything else.
    Text,
}

impl Comment {
    /// Takes the comment's next byte; says whether the comment ends with it.
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
    fn a_comment_ends_where_a_browser_says() {
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
