//! The report as one self-contained HTML file, for browsers, screen readers and printing.
//!
//! The file contains its style and script, and a Content Security Policy that allows only these: a report that is mailed to
//! an authority must not load, send or run anything else.

mod timeline;

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    layout::{Cell, Line, Part, Section, Table},
    report::Report,
    sections,
    visible::visible,
    words::{Words, words},
};
use crumbgate_base::{
    format::{minute, second},
    language::Language,
    text::rfc3339,
};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Report {
    /// The report as an HTML file. It declares its language for screen readers.
    pub fn html(&self, language: Language) -> String {
        let words = words(language);
        let head = sections::head(self, words);
        let sections = sections::sections(self, words);
        let title = match &self.tenant {
            Some(tenant) => format!("{}: {}", words.title, visible(tenant)),
            None => words.title.to_owned(),
        };
        let page = html! {
            (DOCTYPE)
            html lang=(words.language.tag()) {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(content_security_policy());
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="referrer" content="no-referrer";
                    meta name="robots" content="noindex";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#report" { (words.skip) }
                    header {
                        h1 { (words.title) }
                        (facts(&head))
                        p { (words.shows) }
                        h2 { (words.cannot) }
                        ul { @for limit in words.limits { li { (limit) } } }
                    }
                    nav aria-label=(words.contents) {
                        ol { @for section in &sections { li { a href={ "#" (section.id) } { (section.title) } } } }
                        p.hint hidden { (words.sorts) }
                    }
                    main #report tabindex="-1" {
                        @for section in &sections { (self.section(section, words)) }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string() + "\n"
    }

    fn section(&self, section: &Section, words: &Words) -> Markup {
        html! {
            section #(section.id) aria-labelledby={ "title-" (section.id) } {
                h2 id={ "title-" (section.id) } { (section.title) }
                @if !section.lead.is_empty() { p { (section.lead) } }
                @for (index, part) in section.parts.iter().enumerate() {
                    @let id = format!("{}-{index}", section.id);
                    @match part {
                        Part::Facts(list) => (facts(list)),
                        Part::Note(note) => p.note { (note) },
                        Part::Table(part) => (table(part, &id, part.caption == section.title, words)),
                        Part::Timeline(numbers) => {
                            (timeline::picture(self, words))
                            details {
                                summary { (words.timeline_numbers) }
                                (table(numbers, &id, true, words))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn facts(facts: &[(&'static str, Cell)]) -> Markup {
    html! {
        dl {
            @for (title, fact) in facts { div { dt { (title) } dd { (lines(fact)) } } }
        }
    }
}

/// A sortable table, which scrolls where it is too wide. `again`: the caption repeats the title above, and is only for
/// screen readers.
fn table(table: &Table, id: &str, again: bool, words: &Words) -> Markup {
    html! {
        div.table.wide[table.is_wide] role="group" aria-labelledby={ "caption-" (id) } tabindex="0" {
            table {
                caption.again[again] id={ "caption-" (id) } { (table.caption) }
                thead {
                    tr {
                        @for column in &table.columns {
                            th scope="col" .number[column.is_number] { (column.title) }
                        }
                    }
                }
                tbody {
                    @for row in &table.rows {
                        tr {
                            @for (index, (cell, column)) in row.iter().zip(&table.columns).enumerate() {
                                @if index == 0 {
                                    th scope="row" data-order=[cell.order] { (lines(cell)) }
                                } @else {
                                    td .number[column.is_number] data-order=[cell.order] { (lines(cell)) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if table.left_out > 0 {
            p.note { ((words.rows_left_out)(&words.language.number(table.left_out as u64))) }
        }
    }
}

fn lines(cell: &Cell) -> Markup {
    html! {
        @if let [only] = &*cell.lines {
            (line(only))
        } @else {
            @for part in &cell.lines { div { (line(part)) } }
        }
    }
}

fn line(line: &Line) -> Markup {
    html! {
        @match line {
            Line::Code(text) => code { (visible(text)) },
            Line::Moment(unix_s) => (moment(*unix_s)),
            Line::Period(period, to) => {
                (moment(period.since_unix_s)) " " (to) " " (moment(period.until_unix_s))
            }
            Line::Plain(text) => (visible(text)),
            Line::Quiet(text) => span.quiet { (visible(text)) },
            Line::Strong(text) => strong { (visible(text)) },
        }
    }
}

fn moment(unix_s: u64) -> Markup {
    html! {
        time datetime=(rfc3339(unix_s)) title={ (second(unix_s)) " UTC" } { (minute(unix_s)) }
    }
}

/// A policy that allows only this file's own style and script, by their hashes.
fn content_security_policy() -> String {
    let hash = |text: &str| {
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        format!("'sha256-{}'", STANDARD.encode(digest))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
