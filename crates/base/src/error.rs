//! Errors as text.

use std::error::Error;

/// The error and all of its causes in one line, separated by `: `.
pub fn with_causes(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        line.push_str(": ");
        line.push_str(&error.to_string());
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the file can't be read")]
    struct Outer(#[source] io::Error);

    #[test]
    fn causes_follow_the_error_in_one_line() {
        let error = Outer(io::Error::other("the disk is gone"));
        assert_eq!(with_causes(&error), "the file can't be read: the disk is gone");
    }
}
