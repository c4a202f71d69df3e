//! What would become of these cookies, and why: the answer of `crumbgate explain`.
//!
//! Nothing here decides. An exchange that somebody typed or pasted ([`question`], [`transcript`]) goes through the policy as
//! it would on the data path; what comes of it is put into words, with the rule's number (`rule.rs`), and written for people
//! ([`text`]) or programs ([`json`]). No I/O: the time, too, is handed in.

mod admit;
mod gather;
pub mod json;
mod judge;
pub mod question;
mod rule;
pub mod text;
pub mod transcript;

use std::sync::Arc;

use crumbgate_audit::tenants::{Tenant, TenantTable, host_of_authority};
use crumbgate_base::clock::Now;
use crumbgate_config::{Config, Limits};
use crumbgate_policy::{
    AgreementMode, EvictScope, Mode, Policy,
    declaration::{Declaration, SessionDuration},
    superseded::Superseded,
    verdict::Direction,
};
use judge::{Admitted, Answer, Judged};
use transcript::{Exchange, Response};

pub use rule::{Fate, Rule};

/// Explains exchanges, one after the other, as one gateway would meet them: it remembers what was superseded (N4).
#[derive(Debug)]
pub struct Explainer {
    tenants: Arc<TenantTable>,
    limits: Arc<Limits>,
    now: Now,
    /// One memory for each mode, so that the same exchange can be judged in both.
    enforcing: Superseded,
    reporting: Superseded,
}

/// What becomes of one exchange.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Explanation {
    /// The request's method.
    pub method: String,
    /// The request's path.
    pub path: String,
    /// The status that the application answers with.
    pub status: u16,
    /// Host and tenant; none where the gateway refuses the request before it knows them.
    pub admitted: Option<(String, Arc<Tenant>)>,
    /// Why the gateway answers itself; none where the application's answer passes.
    pub refusal: Option<Refusal>,
    /// Every cookie, those of the request first.
    pub cookies: Vec<Cookie>,
    /// What there is to say of the exchange as a whole.
    pub remarks: Vec<Remark>,
    /// What leaves.
    pub leaves: Leaving,
    /// What would leave if the tenant enforced; none where it does.
    pub enforced: Option<Leaving>,
}

/// What becomes of one cookie.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cookie {
    /// Which way it goes.
    pub direction: Direction,
    /// Its name, raw bytes from outside; empty where it has none.
    pub name: Vec<u8>,
    /// What becomes of it.
    pub fate: Fate,
    /// The rules that say so.
    pub rules: Vec<Rule>,
    /// Why, in words.
    pub reason: String,
}

/// An answer that the gateway gives in the application's place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// Its status.
    pub status: u16,
    /// The rule; none where HTTP itself refuses.
    pub rule: Option<Rule>,
    /// Why, in words.
    pub reason: String,
}

/// Something about the exchange as a whole.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Remark {
    /// The rule that it follows from; none where it is about what was asked.
    pub rule: Option<Rule>,
    /// In words.
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
    /// None came, and none goes.
    Absent,
    /// The application is not asked.
    Refused,
    /// One came, and none goes.
    Removed,
    /// One with this value.
    Replaced(Vec<u8>),
    /// The one that came.
    Untouched(Vec<u8>),
}

impl Explainer {
    /// For the tenants and limits of `config`, at this time.
    pub fn new(config: Config, now: Now) -> Self {
        let tenants = TenantTable::new(config.tenants, config.default_tenant);
        Self::serving(Arc::new(tenants), config.limits, now)
    }

    /// For every host, by the built-in declaration with its defaults.
    pub fn built_in(now: Now) -> Self {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::ONE_WEEK,
            mode: Mode::default(),
            evict: EvictScope::default(),
            seal: false,
            agreement: AgreementMode::Off,
        };
        let tenant = Tenant { name: Tenant::DEFAULT_NAME.into(), policy, upstream: 0 };
        let tenants = Arc::new(TenantTable::new([], Some(tenant)));
        Self::serving(tenants, Arc::new(Limits::DEFAULT), now)
    }

    /// For the tenants of a gateway, as they are at the moment of each question.
    pub fn serving(tenants: Arc<TenantTable>, limits: Arc<Limits>, now: Now) -> Self {
        let memory = || Superseded::new(MEMORY, 7);
        Self { tenants, limits, now, enforcing: memory(), reporting: memory() }
    }

    /// The names of the tenants, in alphabetical order, without the default one.
    pub fn tenants(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> =
            self.tenants.iter().map(|tenant| Arc::clone(&tenant.name)).collect();
        names.sort_unstable();
        names
    }

    /// The host of the only tenant; none where there are several.
    pub fn only_host(&self) -> Option<String> {
        match (self.tenants().as_slice(), self.tenants.default_tenant()) {
            ([name], None) => host_of_tenant(name),
            ([], Some(_)) => Some(ANY_HOST.to_owned()),
            _ => None,
        }
    }

    /// What becomes of this exchange, at `host` where that is given, whatever host it names itself. Where it has no
    /// request, that is `GET /`; where it has no response, that is 200.
    pub fn explain(&self, host: Option<&str>, exchange: &Exchange) -> Explanation {
        let mut request = exchange.request.clone().unwrap_or_default();
        if let Some(host) = host {
            request.name_host(host);
        }
        let response = exchange.response.clone().unwrap_or_default();
        let mut explanation = Explanation {
            method: request.method.clone(),
            path: admit::path(&request.target).into_owned(),
            status: response.status,
            admitted: None,
            refusal: None,
            cookies: Vec::new(),
            remarks: gather::assumptions(exchange),
            leaves: Leaving { upstream: Upstream::Refused, downstream: Vec::new() },
            enforced: None,
        };
        let (host, tenant) = match admit::admit(&self.tenants, &request) {
            Ok(admitted) => explanation.admitted.insert(admitted).clone(),
            Err(refusal) => {
                explanation.refusal = Some(refusal);
                return explanation;
            }
        };
        let mode = tenant.policy.mode;
        let path = explanation.path.clone();
        let admitted = Admitted {
            tenant: &tenant,
            host: &host,
            path: &path,
            request: &request,
            now: self.now,
        };
        explanation.refusal = admit::too_large(&self.limits, mode, &request);
        let answer = match &explanation.refusal {
            Some(_) => Answer::Own,
            None => self.answer(&response, &mut explanation.refusal),
        };
        // The verdicts are the same in both modes; the bytes that they are read from are those of enforcing.
        let enforced = admitted.judge(Mode::Enforce, &self.enforcing, answer);
        explanation.cookies = gather::cookies(&tenant.policy, &enforced, &explanation);
        explanation.remarks.extend(gather::remarks(&tenant.policy, &enforced));
        match mode {
            Mode::Enforce => explanation.leaves = leaving(enforced, answer),
            Mode::Report => {
                let reported = admitted.judge(Mode::Report, &self.reporting, answer);
                explanation.leaves = leaving(reported, answer);
                explanation.enforced = Some(leaving(enforced, answer));
                let refusal = admit::too_large(&self.limits, Mode::Enforce, &request);
                let is_another = refusal != explanation.refusal;
                explanation.remarks.extend(
                    refusal.filter(|_| is_another).map(|refusal| Remark::of_enforcing(&refusal)),
                );
            }
        }
        explanation
    }

    /// The application's answer, as far as HTTP allows it.
    fn answer<'r>(&self, response: &'r Response, refusal: &mut Option<Refusal>) -> Answer<'r> {
        let Some(name) = admit::unwritable(&response.fields) else {
            return Answer::Response(response);
        };
        let reason =
            format!("HTTP allows no control byte in a field, and {name} of the answer has one");
        *refusal = Some(Refusal { status: 502, rule: None, reason });
        Answer::Broken
    }
}

/// How many superseded values are remembered: a transcript has few exchanges.
const MEMORY: usize = 4096;

/// A host for the default tenant, which serves any.
const ANY_HOST: &str = "localhost";

/// The host that a tenant is explained for: its own, or one below its `*.suffix`. None for what names no tenant.
pub fn host_of_tenant(name: &str) -> Option<String> {
    let host = match name.strip_prefix("*.") {
        Some(suffix) => format!("www.{suffix}"),
        None => name.to_owned(),
    };
    host_of_authority(&host).map(std::borrow::Cow::into_owned)
}

fn leaving(judged: Judged, answer: Answer<'_>) -> Leaving {
    let upstream = match answer {
        Answer::Own => Upstream::Refused,
        Answer::Broken | Answer::Response(_) => judged.upstream,
    };
    Leaving { upstream, downstream: judged.downstream }
}

impl Remark {
    fn of_enforcing(refusal: &Refusal) -> Self {
        let words = format!("enforcing would answer {}: {}", refusal.status, refusal.reason);
        Self { rule: refusal.rule, words }
    }
}

#[cfg(test)]
mod tests;
