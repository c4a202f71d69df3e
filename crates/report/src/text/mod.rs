//! The report as plain text, for terminals and mails.

mod grid;
mod lines;

use grid::Grid;
use lines::{BOLD, FAINT, GAP, INDENT, MAX_TITLE_WIDTH, YELLOW, padded, shown, wrapped};

use super::{
    layout::{Cell, Line, Part, Section, Table},
    report::Report,
    sections,
    words::{Words, words},
};
use crumbgate_base::language::Language;

impl Report {
    /// The report as text with lines of at most 100 columns, unless names are longer. `is_colourful` adds terminal colours.
    pub fn text(&self, language: Language, is_colourful: bool) -> String {
        let words = words(language);
        let mut writer = TextWriter { text: String::new(), is_colourful };
        writer.line(0, &writer.styled(words.title, BOLD));
        writer.facts(0, &sections::head(self, words));
        writer.paragraph(0, words.shows);
        writer.line(0, &writer.styled(words.cannot, BOLD));
        for limit in words.limits {
            writer.item(limit);
        }
        for section in sections::sections(self, words) {
            writer.section(&section, words);
        }
        writer.text.truncate(writer.text.trim_end().len());
        writer.text.push('\n');
        // No-break spaces have done their work.
        writer.text.replace('\u{a0}', " ")
    }
}

/// The width of lines, in columns.
const WIDTH: usize = 100;

struct TextWriter {
    text: String,
    is_colourful: bool,
}

impl TextWriter {
    fn section(&mut self, section: &Section, words: &Words) {
        self.text.truncate(self.text.trim_end_matches('\n').len());
        self.text.push_str("\n\n\n");
        self.line(0, &self.styled(section.title, BOLD));
        if !section.lead.is_empty() {
            self.paragraph(0, &section.lead);
        }
        for part in &section.parts {
            match part {
                Part::Facts(facts) => self.facts(INDENT, facts),
                Part::Note(note) => self.paragraph(INDENT, note),
                Part::Table(table) | Part::Timeline(table) => self.table(table, words),
            }
        }
    }

    fn line(&mut self, indent: usize, line: &str) {
        self.text.extend(std::iter::repeat_n(' ', indent));
        self.text.push_str(line);
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn paragraph(&mut self, indent: usize, text: &str) {
        for line in wrapped(text, WIDTH - indent) {
            self.line(indent, &line);
        }
        self.text.push('\n');
    }

    fn item(&mut self, text: &str) {
        for (index, line) in wrapped(text, WIDTH - INDENT).iter().enumerate() {
            let mark = if index == 0 { "- " } else { "  " };
            self.line(0, &format!("{mark}{line}"));
        }
    }

    fn facts(&mut self, indent: usize, facts: &[(&'static str, Cell)]) {
        let width = facts.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        for (title, cell) in facts {
            self.fact(indent, width, title, cell);
        }
        self.text.push('\n');
    }

    /// Writes a title with its cell to the right.
    fn fact(&mut self, indent: usize, width: usize, title: &str, cell: &Cell) {
        let width = width.min(MAX_TITLE_WIDTH);
        let beside = indent + width + GAP;
        let texts: Vec<_> = cell.lines.iter().map(shown).collect();
        let is_strong = cell.lines.iter().any(|line| matches!(line, Line::Strong(_)));
        let mut title = padded(title, width);
        if title.chars().count() > width {
            self.line(indent, &title);
            title = padded("", width);
        }
        for line in wrapped(&texts.join(", "), WIDTH.saturating_sub(beside)) {
            let line = if is_strong { self.styled(&line, YELLOW) } else { line };
            self.line(indent, &format!("{title}{}{line}", " ".repeat(GAP)));
            title = padded("", width);
        }
    }

    fn table(&mut self, table: &Table, words: &Words) {
        match Grid::of(table, WIDTH - INDENT) {
            Some(grid) => self.grid(&grid),
            None => self.records(table),
        }
        self.text.push('\n');
        if table.left_out > 0 {
            self.paragraph(
                INDENT,
                &(words.rows_left_out)(&words.language.number(table.left_out as u64)),
            );
        }
    }

    fn grid(&mut self, grid: &Grid) {
        for line in &grid.headings {
            self.line(INDENT, &self.styled(line.trim_end(), FAINT));
        }
        for line in &grid.lines {
            let cells = line.iter().map(|(text, style)| self.styled(text, style));
            self.line(INDENT, &cells.collect::<Vec<_>>().join(&" ".repeat(GAP)));
        }
    }

    /// Writes each row as a block of lines, for tables that are too wide.
    fn records(&mut self, table: &Table) {
        let titles = table.columns.iter().skip(1);
        let width = titles.map(|column| column.title.chars().count()).max().unwrap_or(0);
        for row in &table.rows {
            let Some((first, rest)) = row.split_first() else { continue };
            let name: Vec<_> = first.lines.iter().map(shown).collect();
            self.line(INDENT, &self.styled(&name.join(", "), BOLD));
            for (cell, column) in rest.iter().zip(table.columns.iter().skip(1)) {
                if cell.lines.iter().any(|line| !line.text().is_empty()) {
                    self.fact(2 * INDENT, width, column.title, cell);
                }
            }
        }
    }

    fn styled(&self, text: &str, style: &str) -> String {
        if self.is_colourful && !style.is_empty() && !text.trim().is_empty() {
            format!("\u{1b}[{style}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}
