//! What the gateway answers itself, before the application is asked: the same conditions as in `proxy/admission.rs`.

use std::{borrow::Cow, sync::Arc};

use http::{HeaderValue, Uri, uri::Authority};

use super::{
    Refusal, Rule,
    transcript::{Fields, Request},
};
use crumbgate_audit::tenants::{Tenant, TenantTable, host_of_authority};
use crumbgate_config::Limits;
use crumbgate_policy::{self as policy, Mode};

/// The host and the tenant of a request (T1, T2).
pub(super) fn admit(
    tenants: &TenantTable,
    request: &Request,
) -> Result<(String, Arc<Tenant>), Refusal> {
    if let Some(name) = unwritable(&request.fields) {
        let reason = format!("HTTP allows no control byte in a field, and {name} has one");
        return Err(Refusal { status: 400, rule: None, reason });
    }
    let host = host(request).map_err(|reason| Refusal {
        status: 400,
        rule: Some(Rule::T2),
        reason: reason.to_owned(),
    })?;
    let tenant = tenants.find(&host).ok_or_else(|| Refusal {
        status: 421,
        rule: Some(Rule::T1),
        reason: format!(
            "no tenant has the host {host}; to explain it as another's, write --tenant"
        ),
    })?;
    Ok((host, tenant))
}

/// The field that no HTTP message can hold, if there is one.
pub(super) fn unwritable(fields: &Fields) -> Option<&str> {
    let mut fields = fields.iter();
    fields.find(|(_, value)| HeaderValue::from_bytes(value).is_err()).map(|(name, _)| name)
}

/// The host that a request is for: of its target, or of its `Host` field.
fn host(request: &Request) -> Result<String, &'static str> {
    let mut hosts = request.fields.values("host");
    let (host, other) = (hosts.next(), hosts.next());
    if other.is_some() {
        return Err("there are several Host fields");
    }
    let target = request.authority_of_target();
    let authority = match (target.as_ref().map(Authority::as_str), host) {
        (Some(target), Some(host)) if !host.eq_ignore_ascii_case(target.as_bytes()) => {
            return Err("the Host field and the target name different hosts");
        }
        (Some(target), _) => Some(target),
        (None, Some(host)) => std::str::from_utf8(host).ok(),
        (None, None) => return Err("there is no Host field"),
    };
    let host = authority.and_then(host_of_authority).map(Cow::into_owned);
    host.ok_or("the host is malformed")
}

/// The path of a target, without its query.
pub(super) fn path(target: &str) -> Cow<'_, str> {
    match target.parse::<Uri>() {
        Ok(uri) => Cow::Owned(uri.path().to_owned()),
        Err(_) => Cow::Borrowed(target.split(['?', '#']).next().unwrap_or_default()),
    }
}

/// Why a head is too large in this mode; none where it is not (R8).
pub(super) fn too_large(limits: &Limits, mode: Mode, request: &Request) -> Option<Refusal> {
    let fields = &request.fields;
    let line = request.method.len() + request.target.len() + " HTTP/1.1\r\n ".len();
    let lengths = fields.iter().map(|(name, value)| name.len() + value.len() + ": \r\n".len());
    let crumbs = fields.values("cookie").count();
    let cookie_bytes = policy::cookie_bytes(fields.values("cookie"));
    let sizes = [
        ("the head has", line + lengths.sum::<usize>(), "bytes", limits.head_bytes),
        (
            "the head has",
            fields.iter().count() - crumbs.saturating_sub(1),
            "fields",
            limits.head_fields,
        ),
        ("the Cookie fields have", cookie_bytes, "bytes", limits.cookie_bytes),
    ];
    // Cookies alone lock nobody out where they are only counted (T4).
    let counts = if mode == Mode::Enforce { 3 } else { 2 };
    let (what, got, unit, limit) =
        sizes.into_iter().take(counts).find(|(_, got, _, limit)| got > limit)?;
    let reason = format!("{what} {got} {unit}, more than {limit}");
    Some(Refusal { status: 431, rule: Some(Rule::R8), reason })
}
