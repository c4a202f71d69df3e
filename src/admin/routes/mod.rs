//! The routes and their OpenAPI document. The document lists every route except those of the dashboard.

#![expect(unused_qualifications, reason = "the macros that document the routes write whole paths")]

mod alive;
mod app;
mod audit;
mod operation;
mod tenants;

use axum::{Router, extract::DefaultBodyLimit};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Components,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::dashboard;
use app::App;
use crumbgate_base::clock::Clock;
use crumbgate_gateway::gateway::Control;

/// Makes the router with every route.
pub(super) fn router(control: &Control, clock: &Clock) -> Router {
    let (router, document) = documented().split_for_parts();
    let router = router.merge(dashboard::routes());
    let router = router.fallback(alive::not_found).method_not_allowed_fallback(alive::wrong_method);
    let app = App::new(control, clock, text(&document).into());
    // `serve` has read the body and checked its size.
    router.layer(DefaultBodyLimit::disable()).with_state(app)
}

fn text(document: &utoipa::openapi::OpenApi) -> String {
    // Every value in the document can be written as JSON.
    document.to_pretty_json().unwrap_or_default()
}

fn documented() -> OpenApiRouter<App> {
    OpenApiRouter::with_openapi(Document::openapi())
        .routes(routes!(alive::healthz))
        .routes(routes!(alive::readyz))
        .routes(routes!(alive::metrics))
        .routes(routes!(alive::openapi))
        .routes(routes!(tenants::list))
        .routes(routes!(tenants::show, tenants::set, tenants::remove))
        .routes(routes!(tenants::change))
        .routes(routes!(operation::declaration))
        .routes(routes!(audit::report))
        .routes(routes!(audit::status))
        .routes(routes!(operation::explain))
        .routes(routes!(operation::reload))
        .routes(routes!(operation::status))
        .routes(routes!(operation::config))
        .routes(routes!(operation::upstreams))
}

/// The API of a running Crumbgate. The keys of a tenant are those of `config.toml`. Errors are problem documents
/// (RFC 9457) that name the key. Without `admin.token_file` no token is needed, and the Authorization header is ignored.
#[derive(OpenApi)]
#[openapi(info(title = "Crumbgate"), modifiers(&Bearer))]
struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token of `admin.token_file`: of an operator or an auditor."))
            .build();
        let components = document.components.get_or_insert_with(Components::new);
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        let no_scopes: [&str; 0] = [];
        document.security = Some(vec![SecurityRequirement::new("token", no_scopes)]);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crumbgate_config::known_keys;

    fn document() -> String {
        text(&documented().split_for_parts().1)
    }

    #[test]
    fn the_schema_of_a_tenant_has_exactly_the_keys_of_the_file() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let schema = &document["components"]["schemas"]["TenantKeys"];
        assert_eq!(schema["additionalProperties"], false);
        let documented: Vec<_> =
            schema["properties"].as_object().unwrap().keys().cloned().collect();
        let mut known: Vec<_> =
            known_keys().iter().filter_map(|key| key.strip_prefix("tenants.*.")).collect();
        known.sort_unstable();
        assert_eq!(documented, known);
    }

    #[test]
    fn every_operation_is_documented_with_its_errors() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        assert!(paths.len() >= 13, "{paths:?}");
        for (path, operations) in paths {
            for (method, operation) in operations.as_object().unwrap() {
                let is_health_check = ["/healthz", "/readyz"].contains(&path.as_str());
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.contains_key("default"), "{method} {path}");
                assert!(operation["summary"].is_string(), "{method} {path}");
                let is_open = operation["security"] == serde_json::json!([{}]);
                assert_eq!(is_open, is_health_check, "{method} {path}");
            }
        }
    }
}
