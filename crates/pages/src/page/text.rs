//! The cookie page as plain text for a terminal, and the declaration as a Markdown table.

use super::{
    browsers::Browser,
    sheet::{CookieRow, Sheet},
    subject::{Since, Subject},
};
use crumbgate_base::language::Language;

/// Writes the cookie page in lines of at most `width` characters. Only a word, a name or an address can be longer.
pub fn text(subject: &Subject<'_>, language: Language, width: usize) -> String {
    let sheet = Sheet::new(subject, language);
    let words = sheet.words;
    let mut text = TextWriter { text: String::new(), width };
    text.line(words.title);
    text.paragraph(&sheet.lead());
    let titles = [words.category, words.duration, words.purpose, words.without];
    let room = titles.iter().map(|title| title.chars().count()).max().unwrap_or(0);
    for CookieRow { name, duration, purpose, without, .. } in &sheet.rows {
        text.line(name);
        let facts = [words.necessary, duration, purpose.text, without.text];
        for (title, fact) in titles.iter().zip(facts) {
            text.fact(title, room, fact);
        }
        text.text.push('\n');
    }
    text.paragraph(&sheet.others());
    if let Some(sealed) = sheet.sealed() {
        text.section(words.sealed_title, &sealed);
    }
    if let Some(agreement) = sheet.agreement() {
        text.section(words.agreement_title, &agreement.join(" "));
    }
    if let Some(withdrawal) = sheet.withdrawal_elsewhere() {
        text.section(words.withdraw_title.of(subject.agreement), &withdrawal);
        text.wrapped("", words.browser_help);
        for browser in Browser::ALL {
            text.wrapped("  ", &format!("{}: {}", (words.browser)(browser), browser.help()));
        }
        text.text.push('\n');
    }
    let settings = subject.settings;
    let operator = settings.operator.as_ref().map(|operator| operator.as_str());
    let link = settings.link.as_ref().map(|link| link.as_str());
    if operator.is_some() || link.is_some() {
        let named: Vec<_> = operator.into_iter().chain(link).collect();
        text.wrapped("", &format!("{}: {}", words.operator, named.join(", ")));
    }
    let since = match subject.since {
        Since::At(since) => format!(" {} {}", words.version_of, words.language.day(since)),
        Since::NotYet => format!(", {}", words.not_in_force),
        Since::Unknown => String::new(),
    };
    text.wrapped("", &format!("{} {}{since}", words.version, sheet.version()));
    text.text
}

/// A text that is written line by line.
struct TextWriter {
    text: String,
    width: usize,
}

impl TextWriter {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn paragraph(&mut self, text: &str) {
        self.wrapped("", text);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str, text: &str) {
        self.line(title);
        self.paragraph(text);
    }

    /// Writes a title and a text beside it, or below it if the width is small.
    fn fact(&mut self, title: &str, room: usize, fact: &str) {
        if self.width < room + NARROWEST {
            self.wrapped("  ", &format!("{title}: {fact}"));
            return;
        }
        let before = self.text.len();
        self.wrapped(&" ".repeat(room + 4), fact);
        let missing = " ".repeat(room - title.chars().count());
        let indent = before + room + 4;
        self.text
            .replace_range(before..indent.min(self.text.len()), &format!("  {title}{missing}  "));
    }

    /// Writes lines that begin with `indent`, broken at white space.
    fn wrapped(&mut self, indent: &str, text: &str) {
        let text = one_line(text);
        let mut column = 0;
        for word in text.split(' ') {
            let length = word.chars().count();
            let fits = column > 0 && column + 1 + length <= self.width;
            if column > 0 {
                self.text.push_str(if fits { " " } else { "\n" });
            }
            if !fits {
                self.text.push_str(indent);
            }
            self.text.push_str(word);
            column = if fits { column + 1 } else { indent.len() } + length;
        }
        self.text.push('\n');
    }
}

/// The minimum number of columns of a text beside a title.
const NARROWEST: usize = 34;

/// Writes the declaration as a table in Markdown.
pub fn table(subject: &Subject<'_>, language: Language) -> String {
    let sheet = Sheet::new(subject, language);
    let words = sheet.words;
    let titles = [words.name, words.category, words.duration, words.purpose, words.without];
    let mut table = row(&titles.map(markdown));
    table.push_str(&row(&titles.map(|_| "---".to_owned())));
    for CookieRow { name, duration, purpose, without, .. } in &sheet.rows {
        let cells = [name, words.necessary, duration, purpose.text, without.text];
        table.push_str(&row(&cells.map(markdown)));
    }
    table
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Escapes a text for a cell of a table.
fn markdown(text: &str) -> String {
    let text = one_line(text);
    let mut escaped = String::with_capacity(text.len());
    let mut before = ' ';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // An underscore within a word needs no escape.
        let is_inner = character == '_'
            && before.is_alphanumeric()
            && characters.peek().is_some_and(|after| after.is_alphanumeric());
        if "\\`*_|<>[]&~#".contains(character) && !is_inner {
            escaped.push('\\');
        }
        escaped.push(character);
        before = character;
    }
    escaped
}

/// Removes line breaks and control characters.
fn one_line(text: &str) -> String {
    let visible = |character: char| if character.is_control() { ' ' } else { character };
    let visible: String = text.chars().map(visible).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}
