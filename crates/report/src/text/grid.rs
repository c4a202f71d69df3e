//! Tables with columns side by side.

use super::lines::{GAP, padded, shown, style, wrapped};
use crate::layout::{Column, Table};

/// The lines of a table.
pub(super) struct Grid {
    pub(super) headings: Vec<String>,
    /// Text and style, by line and column.
    pub(super) lines: Vec<Vec<(String, &'static str)>>,
}

impl Grid {
    /// Lays out a table. `None`: `room` is not enough, even if the widest column is wrapped.
    pub(super) fn of(table: &Table, room: usize) -> Option<Self> {
        let widths = widths(table, room)?;
        let titles: Vec<_> = table.columns.iter().zip(&widths).collect();
        let titles: Vec<_> =
            titles.iter().map(|(column, width)| wrapped(column.title, **width)).collect();
        let height = titles.iter().map(Vec::len).max().unwrap_or(0);
        let aligned = |(index, text): (usize, &str)| {
            let column = table.columns.get(index);
            aligned(text, widths.get(index).copied().unwrap_or(0), column)
        };
        let heading = |line: usize| {
            // Titles are aligned at the bottom.
            let part = |title: &Vec<String>| {
                let above = height - title.len();
                line.checked_sub(above)
                    .and_then(|line| title.get(line))
                    .cloned()
                    .unwrap_or_default()
            };
            let parts: Vec<_> = titles.iter().map(part).collect();
            let parts = parts.iter().map(String::as_str).enumerate().map(aligned);
            parts.collect::<Vec<_>>().join(&" ".repeat(GAP))
        };
        let mut lines = Vec::new();
        for row in &table.rows {
            let cells: Vec<Vec<_>> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| {
                    let broken = |line| {
                        wrapped(&shown(line), *width).into_iter().map(|text| (text, style(line)))
                    };
                    cell.lines.iter().flat_map(broken).collect()
                })
                .collect();
            for line in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
                let parts = cells.iter().enumerate().map(|(index, cell)| {
                    let (text, style) =
                        cell.get(line).map_or(("", ""), |(text, style)| (&**text, *style));
                    (aligned((index, text)), style)
                });
                lines.push(parts.collect());
            }
        }
        Some(Self { headings: (0..height).map(heading).collect(), lines })
    }
}

/// The widths of the columns. The widest text column is narrowed where the table is too wide.
fn widths(table: &Table, room: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<_> = (0..table.columns.len()).map(|index| natural(table, index)).collect();
    let sum = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    let excess = sum.saturating_sub(room);
    if excess == 0 {
        return Some(widths);
    }
    let texts = table.columns.iter().enumerate().filter(|(_, column)| !column.is_number);
    let (widest, _) = texts.max_by_key(|(index, _)| widths.get(*index))?;
    let narrowed = widths.get(widest)?.checked_sub(excess)?;
    if narrowed < MIN_WIDTH.max(longest_word(table, widest)) {
        return None;
    }
    *widths.get_mut(widest)? = narrowed;
    Some(widths)
}

const MIN_WIDTH: usize = 24;

/// The width of the longest line of a column, or of the longest word of its title.
fn natural(table: &Table, index: usize) -> usize {
    let length = |text: &str| text.chars().count();
    let lines = lines(table, index).map(|line| length(&line)).max().unwrap_or(0);
    let title = table.columns.get(index).map_or("", |column| column.title);
    title.split(' ').map(length).max().unwrap_or(0).max(lines)
}

fn longest_word(table: &Table, index: usize) -> usize {
    let longest = |line: String| line.split(' ').map(|word| word.chars().count()).max();
    lines(table, index).filter_map(longest).max().unwrap_or(0)
}

fn lines(table: &Table, index: usize) -> impl Iterator<Item = String> {
    let cells = table.rows.iter().filter_map(move |row| row.get(index));
    cells.flat_map(|cell| &cell.lines).map(shown)
}

fn aligned(text: &str, width: usize, column: Option<&Column>) -> String {
    if column.is_some_and(|column| column.is_number) {
        let missing = width.saturating_sub(text.chars().count());
        format!("{}{text}", " ".repeat(missing))
    } else {
        padded(text, width)
    }
}
