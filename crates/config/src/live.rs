//! Tenants that are set at run time: the same keys as in the file, read by the same rules.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{
    environment::Variables,
    keys::known_keys,
    parse::{alone, parse},
    problem::{Place, Problem, Problems, Source},
    reader::DocumentReader,
    sections,
    values::Config,
};
use crumbgate_audit::tenants::Tenant;

/// The keys of one tenant as a JSON object, with the keys and values of `[tenants."host"]`. They are not checked yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TenantKeys(Map<String, Value>);

impl TenantKeys {
    /// Keeps the keys unchecked; [`Config::tenant`] checks them.
    pub fn new(keys: Map<String, Value>) -> Self {
        Self(keys)
    }

    /// Reads stored keys; `None` if the text is not a JSON object.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok().map(Self)
    }

    /// Returns the JSON object.
    pub fn object(&self) -> &Map<String, Value> {
        &self.0
    }
}

impl fmt::Display for TenantKeys {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", Value::Object(self.0.clone()))
    }
}

impl Config {
    /// Returns the name of the tenant of a host, in the form in which requests are looked up.
    ///
    /// # Errors
    ///
    /// The problems of the host.
    pub fn tenant_name(&self, host: &str) -> Result<Arc<str>, Problems> {
        // An existing upstream, because the name does not depend on the default upstream.
        let upstream = self.upstreams.first().map(|upstream| upstream.name.as_str().into());
        let keys = upstream.map(|upstream| ("upstream".to_owned(), upstream));
        self.tenant(host, &TenantKeys(keys.into_iter().collect())).map(|tenant| tenant.name)
    }

    /// Makes the tenant of a host from these keys and the values of `[defaults]`.
    ///
    /// # Errors
    ///
    /// The problems of a tenant with these keys in the file. Each problem names its key; its place is in a generated text.
    pub fn tenant(&self, host: &str, keys: &TenantKeys) -> Result<Tenant, Problems> {
        let source = Arc::new(Source::new("tenant", as_toml(host, keys)?));
        let document = parse(&source)?;
        let reader = DocumentReader::new(Arc::clone(&source), Variables::default(), known_keys);
        let tenant = sections::read_tenant(&reader, &document, self);
        drop(document);
        let (problems, _) = reader.finish();
        match tenant {
            Some(tenant) if problems.errors() == 0 => Ok(tenant),
            Some(_) | None => Err(problems),
        }
    }
}

/// Writes a document with this one tenant.
fn as_toml(host: &str, keys: &TenantKeys) -> Result<String, Problems> {
    let mut tenant = toml::Table::new();
    for (key, value) in &keys.0 {
        let refused = |found: String| {
            let key = format!("tenants.{}.{key}", toml::Value::String(host.to_owned()));
            let message = format!("found {found}, expected a value as in config.toml");
            let problem = Problem::error(Place::File("tenant".into()), key, message);
            alone(problem.help("remove the key to use the default".to_owned()))
        };
        if value.is_null() {
            return Err(refused("null".to_owned()));
        }
        let value = toml::Value::try_from(value).map_err(|_| refused(value.to_string()))?;
        tenant.insert(key.clone(), value);
    }
    let tenants = toml::Table::from_iter([(host.to_owned(), tenant.into())]);
    Ok(toml::Table::from_iter([("tenants".to_owned(), tenants.into())]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
        server = { https = [], http = ["127.0.0.1:0"] }
        upstreams.app.servers = ["http://127.0.0.1:1"]
        upstreams.other.servers = ["http://127.0.0.1:2"]
        defaults.session = "2h"
        tenants."acme.example" = {}
        "#;

    fn config() -> Config {
        Config::read(Source::new("config.toml", TEXT), []).unwrap().config
    }

    fn tenant(host: &str, keys: &str) -> Result<Tenant, String> {
        let keys = TenantKeys::parse(keys).unwrap();
        config().tenant(host, &keys).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_tenant_set_at_run_time_has_its_own_keys_and_the_defaults() {
        let found = tenant("Globex.Example", r#"{"upstream": "other"}"#).unwrap();
        assert_eq!((&*found.name, found.upstream), ("globex.example", 1));
        assert_eq!(found.policy.session.seconds(), 7_200);
        let found = tenant("*.globex.example", r#"{"session": 1200, "mode": "report"}"#).unwrap();
        assert_eq!((&*found.name, found.upstream), ("*.globex.example", 0));
        assert_eq!(found.policy.session.seconds(), 1_200);
    }

    #[test]
    fn a_tenant_set_at_run_time_seals_if_there_are_keys_and_a_cookie_for_them() {
        let asks = TenantKeys::parse(r#"{"agreement": "required"}"#).unwrap();
        let error = config().tenant("a.example", &asks).unwrap_err().to_string();
        assert!(error.contains("keys = \"state/seal.keys\" in [seal]"), "{error}");
        let with_keys = format!("{TEXT}seal.keys = \"seal.keys\"\n");
        let config = Config::read(Source::new("config.toml", &*with_keys), []).unwrap().config;
        assert!(config.tenant("a.example", &asks).is_ok());
        let read_by_scripts = "cookies = [{ name = \"a\", http_only = false }]";
        let problems = Config::read(Source::new("config.toml", with_keys + read_by_scripts), []);
        assert!(problems.unwrap_err().to_string().contains("seal.cookie: is missing"));
    }

    #[test]
    fn errors_of_a_tenant_set_at_run_time_are_those_of_the_file() {
        for (host, keys, expected) in [
            ("a.example", r#"{"session": "2 parsecs"}"#, "tenants.\"a.example\".session: \"2"),
            ("a.example", r#"{"sesion": "2h"}"#, "session"),
            ("a.example", r#"{"session": null}"#, "tenants.\"a.example\".session: found null"),
            ("a.example", r#"{"session": 18446744073709551615}"#, "found 18446744073709551615"),
            ("a.example", r#"{"session": {"a": [1]}}"#, "tenants.\"a.example\".session"),
            ("a.example", r#"{"upstream": "ap"}"#, "did you mean \"app\"?"),
            ("https://a.example", "{}", "expected only a host"),
            ("a.example:8443", "{}", "expected a host without a port"),
            ("", "{}", "expected a host"),
            ("a\nb", "{}", "expected a host"),
            ("(default)", "{}", "expected a host"),
        ] {
            let error = tenant(host, keys).unwrap_err();
            assert!(error.contains(expected), "{host:?} {keys}: {error}");
        }
    }
}
