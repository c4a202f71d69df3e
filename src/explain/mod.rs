//! Explains what the gateway does with cookies, and why: the answer of `crumbgate explain`.
//!
//! Nothing here decides. An exchange that somebody typed or pasted ([`question`], [`transcript`]) becomes a head of HTTP
//! (`head.rs`), and goes through the admission and the judging of the data path (`judge.rs`). The result is described in
//! words, with the rule's number (`rule.rs`, `refusal.rs`), and written for people ([`text`]) or programs ([`json`]). No
//! I/O: the time, too, is passed in.

mod gather;
mod head;
pub mod json;
mod judge;
pub mod question;
mod refusal;
mod rule;
mod settings;
pub mod text;
pub mod transcript;

use std::{cell::RefCell, sync::Arc};

use crumbgate_audit::tenants::{Tenant, TenantTable, host_of_authority};
use crumbgate_base::clock::Now;
use crumbgate_config::Config;
use crumbgate_gateway::proxy::{admission, rejection::Rejection};
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
    superseded::Superseded,
    verdict::Direction,
};
use http::StatusCode;
use judge::{Answer, Case};
use transcript::{Exchange, Request};

pub use refusal::Refusal;
pub use rule::{Fate, Rule};
pub use settings::Settings;

/// Explains exchanges, one after the other, as one gateway would carry them: it remembers superseded values (N4).
#[derive(Debug)]
pub struct Explainer {
    tenants: Arc<TenantTable>,
    settings: Settings,
    now: Now,
    /// One memory for each mode, so that the same exchange can be judged in both.
    enforcing: Superseded,
    reporting: Superseded,
}

/// The explanation of one exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The status that the application answers with.
    pub status: u16,
    /// The host and the tenant; `None` if the gateway rejects the request before it knows them.
    pub admitted: Option<(String, Arc<Tenant>)>,
    /// The answer of the gateway itself; `None` if the application's answer passes.
    pub refusal: Option<Refusal>,
    /// Every cookie, those of the request first.
    pub cookies: Vec<Cookie>,
    /// Remarks on the exchange as a whole.
    pub remarks: Vec<Remark>,
    /// The headers that leave.
    pub leaves: Leaving,
    /// The headers that would leave if the tenant enforced; `None` if it does.
    pub enforced: Option<Leaving>,
}

/// The fate of one cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cookie {
    /// Its direction.
    pub direction: Direction,
    /// Its name, raw bytes from outside; empty if it has none.
    pub name: Vec<u8>,
    /// Its fate.
    pub fate: Fate,
    /// The rules that decide it.
    pub rules: Vec<Rule>,
    /// The reason, in words.
    pub reason: String,
}

/// A remark on the exchange as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// The rule that it follows from; `None` if it is about the question.
    pub rule: Option<Rule>,
    /// The text.
    pub words: String,
}

/// The bytes that leave.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Leaving {
    /// To the application.
    pub upstream: Upstream,
    /// To the browser: the value of each `Set-Cookie` field.
    pub downstream: Vec<Vec<u8>>,
}

/// The `Cookie` field that goes upstream.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Upstream {
    /// The request has none.
    Absent,
    /// The request does not reach the application.
    Refused,
    /// The request has one, and none goes upstream.
    Removed,
    /// One with this value.
    Replaced(Vec<u8>),
    /// The one of the request.
    Untouched(Vec<u8>),
}

impl Explainer {
    /// Makes an explainer of a configuration, at this time.
    pub fn new(config: Config, now: Now) -> Self {
        let settings = Settings::of(&config);
        let tenants = TenantTable::new(config.tenants, config.default_tenant);
        Self::serving(Arc::new(tenants), settings, now)
    }

    /// Makes an explainer for every host, with the built-in declaration and every default.
    pub fn built_in(now: Now) -> Self {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::default(),
            evict: EvictScope::default(),
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        let tenant = Tenant { name: Tenant::DEFAULT_NAME.into(), policy, upstream: 0 };
        let tenants = Arc::new(TenantTable::new([], Some(tenant)));
        Self::serving(tenants, Settings::default(), now)
    }

    /// Makes an explainer for the tenants of a running gateway, as they are at the time of each question.
    pub fn serving(tenants: Arc<TenantTable>, settings: Settings, now: Now) -> Self {
        let memory = || Superseded::new(MEMORY, 7);
        Self { tenants, settings, now, enforcing: memory(), reporting: memory() }
    }

    /// Returns the names of the tenants, in alphabetical order, without the default one.
    pub fn tenants(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> =
            self.tenants.iter().map(|tenant| Arc::clone(&tenant.name)).collect();
        names.sort_unstable();
        names
    }

    /// Returns the host of the only tenant; `None` if there are several.
    pub fn only_host(&self) -> Option<String> {
        match (self.tenants().as_slice(), self.tenants.default_tenant()) {
            ([name], None) => host_of_tenant(name),
            ([], Some(_)) => Some(ANY_HOST.to_owned()),
            _ => None,
        }
    }

    /// Explains this exchange, at `host` if that is given, whatever host it names itself. A missing request is `GET /`,
    /// for a 101 that of a WebSocket; a missing response is 200.
    pub fn explain(&self, host: Option<&str>, exchange: &Exchange) -> Explanation {
        let response = exchange.response.clone().unwrap_or_default();
        let assumed = || Request::assumed(response.status);
        let mut pasted = exchange.request.clone().unwrap_or_else(assumed);
        if let Some(host) = host {
            pasted.name_host(host);
        }
        let mut explanation = Explanation {
            method: pasted.method.clone(),
            path: head::path(&pasted.target).into_owned(),
            status: response.status,
            admitted: None,
            refusal: None,
            cookies: Vec::new(),
            remarks: gather::assumptions(exchange),
            leaves: Leaving { upstream: Upstream::Refused, downstream: Vec::new() },
            enforced: None,
        };
        let request = match head::request(&pasted) {
            Ok(request) => request,
            Err(refusal) => return Explanation { refusal: Some(refusal), ..explanation },
        };
        let unknown_host = RefCell::<String>::default();
        let find = |host: &str| {
            let found = self.tenants.find(host);
            if found.is_none() {
                unknown_host.replace(host.to_owned());
            }
            found
        };
        let admitted = match admission::admit(&request, None, find) {
            Ok(admitted) => admitted,
            Err(rejection) => {
                let mut refusal = Refusal::of(&rejection);
                if let Rejection::Misdirected(_) = rejection {
                    refusal.reason.push_str(&format!(
                        " ({}); to explain it as another tenant's, write --tenant",
                        unknown_host.borrow()
                    ));
                }
                return Explanation { refusal: Some(refusal), ..explanation };
            }
        };
        explanation.admitted = Some((admitted.host().to_owned(), Arc::clone(&admitted.tenant)));
        let fields = head::fields(&response.fields);
        let status = StatusCode::from_u16(response.status).unwrap_or_default();
        let answer = match fields {
            Ok(fields) => Answer::Response { status, fields, trailers: &response.trailers },
            Err(unwritable) => Answer::Unwritable(unwritable.refusal(502, " of the answer")),
        };
        let sealing = self.settings.sealing(&admitted.cookies).filter(|_| !exchange.agreed);
        let case = Case {
            settings: &self.settings,
            admitted: &admitted,
            request: &request,
            answer: &answer,
            sealing,
            now: self.now,
        };
        self.judge(&case, explanation)
    }

    /// Judges an admitted exchange, and describes the result.
    fn judge(&self, case: &Case<'_>, mut explanation: Explanation) -> Explanation {
        let policy = &case.admitted.tenant.policy;
        let mode = policy.mode;
        // The verdicts are the same in both modes. The bytes in the descriptions are those of enforcing.
        let enforced = case.judge(Mode::Enforce, mode, &self.enforcing);
        explanation.refusal.clone_from(&enforced.refusal);
        explanation.cookies = gather::cookies(policy, &enforced, &explanation);
        explanation.remarks.extend(gather::remarks(policy, &enforced, case.sealing.is_none()));
        let enforced = Leaving { upstream: enforced.upstream, downstream: enforced.downstream };
        match mode {
            Mode::Enforce => explanation.leaves = enforced,
            Mode::Report => {
                let reported = case.judge(Mode::Report, Mode::Report, &self.reporting);
                explanation.leaves =
                    Leaving { upstream: reported.upstream, downstream: reported.downstream };
                explanation.enforced = Some(enforced);
                let refusal = case.refusal_if_enforced();
                let is_another = refusal != explanation.refusal;
                explanation.remarks.extend(
                    refusal.filter(|_| is_another).map(|refusal| Remark::of_enforcing(&refusal)),
                );
            }
        }
        explanation
    }
}

/// The number of superseded values that are remembered. A transcript has few exchanges.
const MEMORY: usize = 4096;

/// A host for the default tenant, which serves any.
const ANY_HOST: &str = "localhost";

/// Returns a host of a tenant: its own, or one below its `*.suffix`. `None` if the text is no host.
pub fn host_of_tenant(name: &str) -> Option<String> {
    let host = match name.strip_prefix("*.") {
        Some(suffix) => format!("www.{suffix}"),
        None => name.to_owned(),
    };
    host_of_authority(&host).map(std::borrow::Cow::into_owned)
}

impl Remark {
    fn of_enforcing(refusal: &Refusal) -> Self {
        let words = format!("enforcing would answer {}: {}", refusal.status, refusal.reason);
        Self { rule: refusal.rule, words }
    }
}

#[cfg(test)]
mod tests;
