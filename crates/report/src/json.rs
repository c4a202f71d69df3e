//! The report as JSON, for programs. `docs/reference/report.md` lists its fields.

use serde::Serialize;

use super::{Report, visible::acts};
use crumbgate_base::language::Language;

/// What the JSON is called: a change that a reader must know of gives it another number.
const FORMAT: &str = "crumbgate-report/1";

impl Report {
    /// The report as JSON, indented. Names of fields and of members of closed sets are English; `language` is that of
    /// what is said about names.
    ///
    /// Characters that a terminal would act upon are escaped: `cat` may show it.
    ///
    /// # Errors
    ///
    /// Never, as far as it is known: nothing in a report has no JSON.
    pub fn json(&self, language: Language) -> Result<String, serde_json::Error> {
        let language = language.tag();
        let document = Document { format: FORMAT, language, report: self };
        let json = serde_json::to_string_pretty(&document)?;
        let mut escaped = String::with_capacity(json.len() + 1);
        for character in json.chars() {
            // Line feeds are the indentation's: in texts they are escaped already.
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
