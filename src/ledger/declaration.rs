//! A declaration as JSON: what a version of it says, in one form.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value, json};

use super::{entry::DeclarationRecord, note::hex};
use crate::policy::declaration::{
    Declaration, DeclaredCookie, Inject, Lifetime, SameSite, SessionDuration,
};

/// The record of a declaration that rules from `since_unix_s` on. Its JSON has the keys of `[[cookies]]` in
/// `config.toml`, with every default written out; durations are numbers of seconds.
pub fn record(declaration: &Declaration, since_unix_s: u64) -> DeclarationRecord {
    let cookies: Vec<_> = declaration.cookies().iter().map(cookie).collect();
    let json = json!({ "cookies": cookies }).to_string();
    let hash = hex(digest(&SHA256, json.as_bytes()).as_ref());
    DeclarationRecord { hash, json, since_unix_s }
}

fn cookie(cookie: &DeclaredCookie) -> Value {
    let purpose: Map<_, _> =
        cookie.purpose.iter().map(|(tag, text)| (tag.clone(), text.as_str().into())).collect();
    json!({
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
        "same_site": match cookie.same_site {
            SameSite::Lax => "lax",
            SameSite::None => "none",
            SameSite::Strict => "strict",
        },
        "path": cookie.path.as_str(),
        "domain": cookie.domain.as_ref().map(ToString::to_string),
        "purpose": purpose,
    })
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
}
