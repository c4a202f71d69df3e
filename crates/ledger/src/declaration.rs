//! A declaration as JSON, in one form.
//!
//! The form of a declaration that was hashed never changes: a key that was added later is absent
//! where a declaration does not use it.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::OptionalExtension;
use serde_json::{Value, json};

use super::{
    entry::DeclarationRecord,
    read::{ReadError, open},
    sqlite::unsigned,
};
use crumbgate_base::text::hex;
use crumbgate_policy::declaration::{
    Declaration, DeclaredCookie, Inject, Lifetime, SessionDuration,
};

/// Returns the record of a declaration that is in force from `since_unix_s` on. Its JSON has the
/// keys of `[[cookies]]` in `config.toml`, with every default written out; durations are numbers of
/// seconds.
pub fn record(declaration: &Declaration, since_unix_s: u64) -> DeclarationRecord {
    let cookies: Vec<_> = declaration.cookies().iter().map(cookie).collect();
    let json = json!({ "cookies": cookies }).to_string();
    let hash = hex(digest(&SHA256, json.as_bytes()).as_ref());
    DeclarationRecord { hash, json, since_unix_s }
}

/// Returns the moment at which a declaration first came into force, in seconds since the Unix
/// epoch. `None` where the ledger at `path` does not know the declaration, or does not exist. Waits
/// for the disk.
///
/// # Errors
///
/// Fails where the file exists and can't be read, or is not a state file.
pub fn since(path: &Path, hash: &str) -> Result<Option<u64>, ReadError> {
    let connection = match open(path) {
        Ok((connection, _)) => connection,
        Err(ReadError::Absent { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let sql = "SELECT since FROM declarations WHERE hash = ?1";
    let since = connection.query_row(sql, [hash], |row| unsigned(row, 0)).optional();
    since.map_err(|error| ReadError::Sqlite { path: path.to_owned(), error })
}

fn cookie(cookie: &DeclaredCookie) -> Value {
    let mut json = json!({
        "name": cookie.name.as_str(),
        "lifetime": match cookie.lifetime {
            Lifetime::Fixed(duration) => Value::from(SessionDuration::seconds(duration)),
            Lifetime::Session => "session".into(),
        },
        "renew_on": {
            "methods": cookie.renew_on.methods,
            "paths": cookie.renew_on.paths.iter().map(ToString::to_string).collect::<Vec<_>>(),
        },
        "inject": match &cookie.inject {
            Inject::Off => Value::from("off"),
            Inject::Random => "random".into(),
            Inject::Renew => "renew".into(),
            Inject::Value(value) => json!({ "value": String::from_utf8_lossy(value.as_bytes()) }),
        },
        "http_only": cookie.http_only,
        "same_site": cookie.same_site.word(),
        "path": cookie.path.as_str(),
        "domain": cookie.domain.as_ref().map(ToString::to_string),
        "purpose": by_language(&cookie.purpose),
    });
    if !cookie.without.is_empty() {
        json["without"] = by_language(&cookie.without);
    }
    json
}

fn by_language(texts: &[(String, String)]) -> Value {
    texts.iter().map(|(tag, text)| (tag.clone(), Value::from(text.as_str()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_declaration_has_one_form_and_one_hash() {
        let record = record(&Declaration::flexopus(), 7);
        let json: Value = serde_json::from_str(&record.json).unwrap();
        assert_eq!(json["cookies"][1]["name"], "flexopus_session");
        assert_eq!(json["cookies"][1]["lifetime"], "session");
        assert_eq!(json["cookies"][2]["lifetime"], 1_814_400);
        assert_eq!(json["cookies"][2]["inject"]["value"], "1");
        assert_eq!(json["cookies"][2]["renew_on"]["paths"][0], "/map-builder/*");
        assert_eq!(json["cookies"][0]["domain"], Value::Null);
        assert_eq!((record.hash.len(), record.since_unix_s), (64, 7));
        assert_eq!(record, super::record(&Declaration::flexopus(), 7));
    }

    #[test]
    fn a_declaration_without_the_keys_that_came_later_keeps_its_version() {
        let mut cookies = Declaration::flexopus().cookies().to_vec();
        for cookie in &mut cookies {
            cookie.without.clear();
        }
        let record = record(&Declaration::new(cookies).unwrap(), 7);
        assert!(!record.json.contains("without"));
        assert_eq!(record.hash, BEFORE_WITHOUT);
    }

    /// The declaration that Flexopus published before a declaration could have `without`.
    const BEFORE_WITHOUT: &str = "010451157a255ffed3c5a1f67d9b57e8babc5ecec2e7ae5309345c4b3e696c82";
}
