//! Wrapping, padding and styles of lines.

use crate::{layout::Line, visible::visible};

pub(super) const BOLD: &str = "1";
pub(super) const FAINT: &str = "2";
pub(super) const YELLOW: &str = "33";

/// The space between two columns.
pub(super) const GAP: usize = 2;
pub(super) const INDENT: usize = 2;
pub(super) const MAX_TITLE_WIDTH: usize = 40;

pub(super) fn style(line: &Line) -> &'static str {
    match line {
        Line::Code(_) | Line::Moment(_) | Line::Period(..) | Line::Plain(_) => "",
        Line::Quiet(_) => FAINT,
        Line::Strong(_) => YELLOW,
    }
}

pub(super) fn shown(line: &Line) -> String {
    visible(&line.text()).into_owned()
}

pub(super) fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

/// Wraps a text at spaces into lines of at most `width` characters. A longer word gets its own line.
pub(super) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}
