//! The keys of a configuration, derived from the code that reads them.

use std::{
    collections::BTreeSet,
    sync::{Arc, OnceLock},
};

use toml::de::DeTable;

use super::{environment::Variables, problem::Source, reader::DocumentReader, sections};

/// Returns every key of the configuration, with `*` for a name that the operator chooses and `[]` for the elements of an
/// array: `upstreams.*.servers`, `cookies[].name`.
///
/// These are the keys that `sections` requests from a document that contains every optional table once.
pub fn known_keys() -> &'static BTreeSet<String> {
    static KEYS: OnceLock<BTreeSet<String>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let source = Arc::new(Source::new("", ONE_OF_EVERYTHING));
        let document = DeTable::parse(ONE_OF_EVERYTHING).map(toml::Spanned::into_inner);
        let document = document.unwrap_or_default();
        let reader = DocumentReader::recording(source, Variables::default(), known_keys);
        let _ = sections::read(&reader, &document);
        let (_, record) = reader.finish();
        record.keys
    })
}

/// One of each table that can be absent or repeated.
const ONE_OF_EVERYTHING: &str = r#"
    tls.certificates = [{ chain = "a", key = "a" }]
    upstreams.app = { servers = ["http://a"], health = {} }
    tenants.a = {}
    cookies = [{ name = "a", inject = { value = "1" }, purpose = { en = "a" }, without = { en = "a" } }]
    state = {}
    audit = {}
    seal = {}
    agreement = {}
    page = {}
    traces = {}
    admin = { certificate = { chain = "a", key = "a" } }
"#;
