//! The report as JSON, for programs. `docs/reference/report.md` lists its fields.

use serde::Serialize;

use super::{report::Report, visible::acts};
use crumbgate_base::language::Language;

/// The name of the format. An incompatible change increases its number.
const FORMAT: &str = "crumbgate-report/1";

impl Report {
    /// The report as indented JSON. Names of fields and the words of closed sets are in English; `language` is that of the
    /// descriptions of cookies.
    ///
    /// Characters that a terminal would obey are escaped, so the JSON is safe to print.
    ///
    /// # Errors
    ///
    /// None are known, because every value of a report can be written as JSON.
    pub fn json(&self, language: Language) -> Result<String, serde_json::Error> {
        let language = language.tag();
        let document = Document { format: FORMAT, language, report: self };
        let json = serde_json::to_string_pretty(&document)?;
        let mut escaped = String::with_capacity(json.len() + 1);
        for character in json.chars() {
            // Line feeds are indentation. Those of strings are already escaped.
            if character != '\n' && acts(character) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    escaped.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                escaped.push(character);
            }
        }
        escaped.push('\n');
        Ok(escaped)
    }
}

#[derive(Serialize)]
struct Document<'r> {
    format: &'static str,
    language: &'static str,
    #[serde(flatten)]
    report: &'r Report,
}
