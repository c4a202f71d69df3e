//! A builder of one exchange, for the tests of the policy.

use std::sync::Arc;

use crate::{
    AgreementMode, CookieField, EvictScope, GuardMode, JudgedRequest, Mode, OutgoingSetCookie,
    Policy, RequestFacts, Resources, ResponseFacts, SetCookieFields,
    declaration::{Declaration, DeclaredCookie, SessionDuration},
    sealing::{AgreementChallenge, AgreementState, SealFacts, Sealing},
    superseded::Superseded,
    verdict::{Action, NotEvicted, NotRenewed, Verdict},
};

/// 2026-11-23 12:00:00.
pub(crate) const DATE_UNIX_S: u64 = 1_795_435_200;

/// The attributes of a session of one hour that is set at [`DATE_UNIX_S`].
pub(crate) const LIVING: &str =
    "Max-Age=3600; Expires=Mon, 23 Nov 2026 13:00:00 GMT; Path=/; Secure";

/// The attributes of a deleted cookie.
pub(crate) const DELETED: &str = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure";

/// A request to `acme.flexopus.example`, its response, and the state of the gateway.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) policy: Policy,
    pub(crate) superseded: Arc<Superseded>,
    pub(crate) host: &'static str,
    pub(crate) uptime_s: u32,
    pub(crate) tenant: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) accepts_html: bool,
    pub(crate) seal: Option<Sealing>,
    pub(crate) fields: Vec<String>,
    pub(crate) status: u16,
}

/// The result of an exchange.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) upstream: CookieField,
    pub(crate) outcome: SetCookieFields,
    /// All fields that leave, kept ones too.
    pub(crate) fields: Vec<String>,
    pub(crate) verdicts: Vec<(String, Action)>,
    /// The declared cookies that are neither renewed nor injected.
    pub(crate) declined: Vec<(String, NotRenewed)>,
}

impl Exchange {
    pub(crate) fn of(method: &'static str, path: &'static str) -> Self {
        let policy = Policy {
            declaration: Arc::new(Declaration::flexopus()),
            session: SessionDuration::try_from(3600).unwrap(),
            mode: Mode::Enforce,
            evict: EvictScope::Host,
            seal: false,
            agreement: AgreementMode::Off,
            guard: GuardMode::Off,
        };
        Self {
            policy,
            superseded: Arc::new(Superseded::new(64, 7)),
            host: "acme.flexopus.example",
            uptime_s: 0,
            tenant: "acme.flexopus.example",
            method,
            path,
            accepts_html: false,
            seal: None,
            fields: Vec::new(),
            status: 200,
        }
    }

    pub(crate) fn html(self) -> Self {
        self.with_html(true)
    }

    pub(crate) fn with_html(self, accepts_html: bool) -> Self {
        Self { accepts_html, ..self }
    }

    pub(crate) fn sends(mut self, field: &str) -> Self {
        self.fields.push(field.to_owned());
        self
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn report(self) -> Self {
        Self { policy: Policy { mode: Mode::Report, ..self.policy }, ..self }
    }

    /// Judges the request alone.
    pub(crate) fn upstream(&self) -> (CookieField, Vec<(String, Action)>) {
        let mut verdicts = Vec::new();
        let (outcome, _) = self.judge(&mut |verdict| verdicts.push(owned(verdict)));
        (outcome, verdicts)
    }

    /// Judges the whole exchange, with these `Set-Cookie` fields of the application.
    pub(crate) fn answers(&self, set_cookie: &[&str]) -> Answer {
        let (mut verdicts, mut declined) = (Vec::new(), Vec::new());
        let mut record = |verdict: Verdict<'_>| verdicts.push(owned(verdict));
        let mut decline = |cookie: &DeclaredCookie, reason| {
            declined.push((cookie.name.to_string(), reason));
        };
        let (upstream, judged) = self.judge(&mut record);
        let response = self.response();
        let resources = Resources {
            tenant: self.tenant,
            superseded: &self.superseded,
            random: &mut || [0xfb; 32],
        };
        let fields = set_cookie.iter().map(|field| field.as_bytes());
        let outcome =
            judged.explain_response(response, fields, resources, &mut record, &mut decline);
        let text = |field: &OutgoingSetCookie| match field {
            OutgoingSetCookie::Built(bytes) => String::from_utf8(bytes.clone()).unwrap(),
            OutgoingSetCookie::Kept(index) => set_cookie.get(*index).unwrap().to_string(),
        };
        let fields = match &outcome {
            SetCookieFields::Replaced(fields) => fields.iter().map(text).collect(),
            SetCookieFields::Untouched => set_cookie.iter().map(ToString::to_string).collect(),
        };
        Answer { upstream, outcome, fields, verdicts, declined }
    }

    /// Returns the evictions of a response that the gateway makes itself, and their verdicts.
    pub(crate) fn evictions(&self) -> (Vec<Vec<u8>>, Vec<Action>) {
        let (_, judged) = self.judge(&mut |_| ());
        let mut verdicts = Vec::new();
        let fields = judged.evictions(DATE_UNIX_S, &mut |verdict| verdicts.push(verdict.action));
        (fields, verdicts)
    }

    /// Returns the reason why nothing is evicted.
    pub(crate) fn declines_eviction(&self, response: Option<ResponseFacts>) -> Option<NotEvicted> {
        self.judge(&mut |_| ()).1.declines_eviction(response)
    }

    /// Returns the state of the agreement, and the answer that replaces the application's.
    pub(crate) fn agreement_state(
        &self,
        is_upgrade: bool,
    ) -> (AgreementState, Option<AgreementChallenge>) {
        let (_, judged) = self.judge(&mut |_| ());
        (judged.agreement_state(), judged.challenge(is_upgrade))
    }

    /// Returns the field that stores an agreement.
    pub(crate) fn agrees(&self) -> Option<String> {
        let (_, judged) = self.judge(&mut |_| ());
        let (tenant, superseded) = (self.tenant, &*self.superseded);
        let mut resources = Resources { tenant, superseded, random: &mut || [3; 32] };
        let field = judged.agree(self.response(), &mut resources)?;
        Some(String::from_utf8(field).unwrap())
    }

    /// Returns the fields that withdraw an agreement, and the names that they evict.
    pub(crate) fn withdraws(&self) -> (Vec<String>, Vec<String>) {
        let (_, judged) = self.judge(&mut |_| ());
        let (tenant, superseded) = (self.tenant, &*self.superseded);
        let resources = Resources { tenant, superseded, random: &mut || [0; 32] };
        let mut evicted = Vec::new();
        let mut record = |verdict: Verdict<'_>| {
            assert_eq!(verdict.action, Action::Evict);
            evicted.push(owned(verdict).0);
        };
        let fields = judged.withdraw(self.response(), &resources, &mut record);
        (fields.into_iter().map(|field| String::from_utf8(field).unwrap()).collect(), evicted)
    }

    /// Returns the facts about the response.
    fn response(&self) -> ResponseFacts {
        ResponseFacts {
            status: self.status,
            date_unix_s: DATE_UNIX_S,
            now_unix_s: DATE_UNIX_S,
            uptime_s: self.uptime_s,
        }
    }

    fn judge(&self, record: &mut impl FnMut(Verdict<'_>)) -> (CookieField, JudgedRequest<'_>) {
        let request = RequestFacts {
            method: self.method,
            path: self.path,
            host: self.host,
            accepts_html: self.accepts_html,
            seal: self.seal.as_ref().map(|sealing| SealFacts {
                sealing,
                tenant: self.tenant,
                now_unix_s: DATE_UNIX_S,
            }),
        };
        self.policy.judge_request(request, self.fields.iter().map(String::as_bytes), record)
    }
}

impl Answer {
    /// Returns the names of the fields that leave.
    pub(crate) fn names(&self) -> Vec<&str> {
        self.fields.iter().filter_map(|field| field.split('=').next()).collect()
    }

    /// Returns the verdicts on fields that were added to those of the application.
    pub(crate) fn added(&self) -> Vec<(&str, Action)> {
        let is_added = |action| matches!(action, Action::Evict | Action::Inject | Action::Renew);
        let verdicts = self.verdicts.iter().map(|(name, action)| (name.as_str(), *action));
        verdicts.filter(|(_, action)| is_added(*action)).collect()
    }
}

fn owned(verdict: Verdict<'_>) -> (String, Action) {
    (String::from_utf8_lossy(verdict.name).into_owned(), verdict.action)
}
