//! The report as text, for a terminal or a mail.

mod grid;

use grid::Grid;

use super::{
    Report,
    page::{Cell, Line, Part, Section, Table},
    sections,
    visible::visible,
    words::Words,
};
use crumbgate_base::language::Language;

impl Report {
    /// The report as text of at most 100 columns, as far as names are not longer. `is_colourful`: for a terminal.
    pub fn text(&self, language: Language, is_colourful: bool) -> String {
        let words = Words::of(language);
        let mut page = Page { text: String::new(), is_colourful };
        page.line(0, &page.styled(words.title, BOLD));
        page.facts(0, &sections::head(self, words));
        page.paragraph(0, words.shows);
        page.line(0, &page.styled(words.cannot, BOLD));
        for limit in words.limits {
            page.item(limit);
        }
        for section in sections::sections(self, words) {
            page.section(&section, words);
        }
        page.text.truncate(page.text.trim_end().len());
        page.text.push('\n');
        // Spaces that must not break have not broken.
        page.text.replace('\u{a0}', " ")
    }
}

/// How wide a text is.
const WIDTH: usize = 100;

const BOLD: &str = "1";
const FAINT: &str = "2";
const YELLOW: &str = "33";

struct Page {
    text: String,
    is_colourful: bool,
}

impl Page {
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

    /// A title, and all that its cell says beside it.
    fn fact(&mut self, indent: usize, width: usize, title: &str, cell: &Cell) {
        let width = width.min(WIDEST_TITLE);
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

    /// Rows that have no room side by side: each is a block of lines.
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

/// Columns between two columns.
const GAP: usize = 2;
const INDENT: usize = 2;
const WIDEST_TITLE: usize = 40;

fn style(line: &Line) -> &'static str {
    match line {
        Line::Code(_) | Line::Moment(_) | Line::Period(..) | Line::Plain(_) => "",
        Line::Quiet(_) => FAINT,
        Line::Strong(_) => YELLOW,
    }
}

fn shown(line: &Line) -> String {
    visible(&line.text()).into_owned()
}

fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    format!("{text}{}", " ".repeat(missing))
}

/// The text in lines of at most `width` characters, broken at spaces; a word that is longer has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
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
