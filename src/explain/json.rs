//! Explanations for programs: one JSON object with a list of exchanges.
//!
//! Names and values are strings where they are UTF-8, and `{"base64": "…"}` where they are not: no byte is lost.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{Cookie, Explanation, Fate, Leaving, Refusal, Remark, Rule, Upstream};
use crumbgate_gateway::metrics::RejectionReason;

/// Returns the whole document. `configuration` is the file that was used; `None` for the built-in declaration.
pub fn render(configuration: Option<&str>, explanations: &[Explanation]) -> String {
    let exchanges = explanations.iter().map(Exchange::of).collect();
    let document = Document { configuration, exchanges };
    // Strings for keys and no type that can fail: there is always a text.
    serde_json::to_string_pretty(&document).unwrap_or_default() + "\n"
}

#[derive(Serialize)]
struct Document<'e> {
    configuration: Option<&'e str>,
    exchanges: Vec<Exchange<'e>>,
}

#[derive(Serialize)]
struct Exchange<'e> {
    method: &'e str,
    path: &'e str,
    host: Option<&'e str>,
    tenant: Option<&'e str>,
    mode: Option<&'static str>,
    /// The status of the answer to the browser.
    status: u16,
    refusal: Option<Refused<'e>>,
    cookies: Vec<Judged<'e>>,
    remarks: Vec<Remarked<'e>>,
    leaves: Leaves<'e>,
    /// In report mode: what would leave if the tenant enforced.
    enforced: Option<Leaves<'e>>,
}

#[derive(Serialize)]
struct Refused<'e> {
    rule: Option<Rule>,
    reason: &'e str,
    /// The value of the label `reason` of `crumbgate_rejections_total`; null if no rejection is counted.
    rejection: Option<&'static str>,
}

#[derive(Serialize)]
struct Judged<'e> {
    direction: &'static str,
    name: Bytes<'e>,
    fate: Fate,
    rules: &'e [Rule],
    reason: &'e str,
}

#[derive(Serialize)]
struct Remarked<'e> {
    rule: Option<Rule>,
    words: &'e str,
}

#[derive(Serialize)]
struct Leaves<'e> {
    /// The fate of the `Cookie` field.
    upstream: &'static str,
    /// The value of the field that goes upstream; null if none does.
    cookie: Option<Bytes<'e>>,
    /// The value of each `Set-Cookie` field that goes downstream.
    set_cookie: Vec<Bytes<'e>>,
}

impl<'e> Exchange<'e> {
    fn of(explanation: &'e Explanation) -> Self {
        let tenant = explanation.admitted.as_ref().map(|(_, tenant)| tenant);
        let refusal = explanation.refusal.as_ref();
        let refused = |Refusal { rule, reason, rejection, .. }: &'e Refusal| Refused {
            rule: *rule,
            reason,
            rejection: rejection.map(RejectionReason::word),
        };
        let judged = |cookie: &'e Cookie| Judged {
            direction: cookie.direction.word(),
            name: Bytes(&cookie.name),
            fate: cookie.fate,
            rules: &cookie.rules,
            reason: &cookie.reason,
        };
        let remarked = |Remark { rule, words }: &'e Remark| Remarked { rule: *rule, words };
        Self {
            method: &explanation.method,
            path: &explanation.path,
            host: explanation.admitted.as_ref().map(|(host, _)| host.as_str()),
            tenant: tenant.map(|tenant| &*tenant.name),
            mode: tenant.map(|tenant| tenant.policy.mode.word()),
            status: refusal.map_or(explanation.status, |refusal| refusal.status),
            refusal: refusal.map(refused),
            cookies: explanation.cookies.iter().map(judged).collect(),
            remarks: explanation.remarks.iter().map(remarked).collect(),
            leaves: Leaves::of(&explanation.leaves),
            enforced: explanation.enforced.as_ref().map(Leaves::of),
        }
    }
}

impl<'e> Leaves<'e> {
    fn of(leaving: &'e Leaving) -> Self {
        let (upstream, cookie) = match &leaving.upstream {
            Upstream::Absent => ("absent", None),
            Upstream::Refused => ("refused", None),
            Upstream::Removed => ("removed", None),
            Upstream::Replaced(field) => ("replaced", Some(Bytes(field))),
            Upstream::Untouched(field) => ("untouched", Some(Bytes(field))),
        };
        let set_cookie = leaving.downstream.iter().map(|field| Bytes(field)).collect();
        Self { upstream, cookie, set_cookie }
    }
}

/// Bytes from outside.
struct Bytes<'e>(&'e [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Ok(text) = std::str::from_utf8(self.0) {
            return serializer.serialize_str(text);
        }
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("base64", &STANDARD.encode(self.0))?;
        map.end()
    }
}
