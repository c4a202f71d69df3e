//! The declaration as a knowledge base of the EDPB Website Auditing Tool: an auditor who visits the
//! site with that tool sees the declaration of each declared cookie beside it.
//!
//! The form is that of the tool's own import and export
//! (`src/app/services/knowledge-base.service.ts` in its sources, with `KnowledgeBase` and
//! `CookieKnowledge` of `src/app/models`, and the example `src/assets/example/Base_cookie.json`):
//! one object, or a list of them, with `category: "cookie"` and a list of `knowledges`. The tool
//! finds a cookie by its exact name where `domain` is `*`, else by exact name and exact domain.

use serde_json::{Value, json};

use super::super::entry::DeclarationRecord;
use crumbgate_base::text::rfc3339;

/// Returns the knowledge base of a declaration for the cookies of `domain`, or of any domain for
/// `*`.
pub(crate) fn knowledge_base(declaration: &DeclarationRecord, domain: &str) -> Value {
    let since = rfc3339(declaration.since_unix_s);
    let declared: Value = serde_json::from_str(&declaration.json).unwrap_or_default();
    let cookies = declared["cookies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let knowledges: Vec<_> = cookies
        .iter()
        .map(|cookie| {
            json!({
                "kind": "cookie",
                "domain": domain,
                "name": cookie["name"],
                // Every declared cookie is technically necessary (D4).
                "category": "Technical",
                "source": "Open (controller)",
                "controller": "",
                "date": day(&since),
                "policy": "",
                "reference": format!("Crumbgate declaration {}", declaration.hash),
                "comment": comment(cookie),
            })
        })
        .collect();
    json!({
        "name": format!("Declared cookies, as Crumbgate enforces them since {since}"),
        "author": "Crumbgate",
        "category": "cookie",
        "trustLevel": "informative",
        "used": true,
        "knowledges": knowledges,
    })
}

/// A day in the tool's form: `25/09/2021`.
fn day(moment: &str) -> String {
    let mut parts = moment.split(['-', 'T']);
    let (year, month, day) = (parts.next(), parts.next(), parts.next());
    [day, month, year].map(Option::unwrap_or_default).join("/")
}

fn comment(cookie: &Value) -> String {
    let lifetime = match &cookie["lifetime"] {
        Value::Number(seconds) => format!("kept for {seconds} s after each use"),
        Value::String(word) if word == "session" => {
            "kept for the tenant's session duration after each use".to_owned()
        }
        _ => String::new(),
    };
    let purposes = cookie["purpose"].as_object().into_iter().flatten();
    let purposes = purposes.filter_map(|(tag, text)| Some(format!("{tag}: {}", text.as_str()?)));
    purposes.chain([lifetime]).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::{super::super::declaration, *};
    use crumbgate_policy::declaration::Declaration;

    #[test]
    fn the_declaration_has_the_form_that_the_tool_imports() {
        let record = declaration::record(&Declaration::flexopus(), 1_795_428_000);
        let base = knowledge_base(&record, "*");
        assert_eq!(base["category"], "cookie");
        let knowledges = base["knowledges"].as_array().unwrap();
        let names: Vec<_> =
            knowledges.iter().map(|cookie| cookie["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"]);
        for cookie in knowledges {
            // The fields of the tool's `CookieKnowledge`, except those that the tool itself sets.
            for field in [
                "kind",
                "domain",
                "name",
                "category",
                "source",
                "controller",
                "date",
                "policy",
                "reference",
                "comment",
            ] {
                assert!(cookie[field].is_string(), "{field} in {cookie}");
            }
        }
        assert_eq!(knowledges[0]["date"], "23/11/2026");
        let comment = knowledges[2]["comment"].as_str().unwrap();
        assert!(comment.ends_with("kept for 1814400 s after each use"), "{comment}");
    }
}
