//! A small chart of the last 15 minutes, with a text alternative for screen readers.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::{rate::POINTS, words::Words};

/// Draws these values, the newest last. `None` is a gap. `format` formats a value for the text alternative.
pub(super) fn sparkline(
    values: &[Option<u64>],
    what: &str,
    format: &dyn Fn(u64) -> String,
    words: &Words,
) -> Markup {
    let highest = values.iter().flatten().max().copied();
    let last = values.iter().rev().find_map(|value| *value);
    let label = match highest.zip(last) {
        Some((highest, last)) => (words.picture)(what, &format(highest), &format(last)),
        None => (words.picture_empty)(what),
    };
    let lines = lines(values, highest.unwrap_or(0).max(1));
    html! {
        svg.spark viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img" aria-label=(label) {
            path.ground d={ "M0 " (BASE) "H" (WIDTH) } {}
            @for line in &lines {
                path.area d={ (line.path) "V" (BASE) "H" (line.begin) "Z" } {}
                path.line d=(line.path) {}
            }
        }
    }
}

/// A part of the chart without gaps.
struct Line {
    begin: usize,
    path: String,
}

fn lines(values: &[Option<u64>], highest: u64) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut is_open = false;
    for (index, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_open = false;
            continue;
        };
        let (left, right) = (index * STEP, (index + 1) * STEP);
        let rise = u128::from(*value) * u128::from(BASE - TOP) / u128::from(highest);
        let y = u128::from(BASE).saturating_sub(rise);
        if !is_open {
            lines.push(Line { begin: left, path: format!("M{left} {y}") });
            is_open = true;
        }
        if let Some(line) = lines.last_mut() {
            // Writing to a `String` can't fail.
            let _ = write!(line.path, "L{right} {y}");
        }
    }
    lines
}

const STEP: usize = 2;
const WIDTH: usize = POINTS * STEP;
const HEIGHT: u32 = 64;
/// The height of zero: above the lower edge, so that the line is not cut.
const BASE: u32 = 62;
/// The height of the highest value: below the upper edge, so that the line is not cut.
const TOP: u32 = 4;

#[cfg(test)]
mod tests {
    use super::{super::words::words, *};
    use crumbgate_base::language::Language;

    #[test]
    fn gaps_stay_open_and_the_text_names_the_highest_and_last_value() {
        let values = [Some(0), Some(30), None, Some(60)];
        let format = |value: u64| value.to_string();
        let drawn = sparkline(&values, "Requests", &format, words(Language::En)).into_string();
        assert_eq!(drawn.matches("class=\"line\"").count(), 2);
        assert!(drawn.contains("d=\"M0 62L2 62L4 33\""), "{drawn}");
        assert!(drawn.contains("d=\"M6 4L8 4V62H6Z\""), "{drawn}");
        assert!(drawn.contains("maximum 60, now 60"), "{drawn}");
        let empty = sparkline(&[None; 3], "Requests", &format, words(Language::En)).into_string();
        assert!(empty.contains("no data yet") && !empty.contains("class=\"line\""), "{empty}");
    }
}
