//! A question: cookies, named one by one or in a transcript.

use super::{
    Explainer, Explanation, host_of_tenant,
    transcript::{self, Exchange, Fields, Request, Response},
};
use crumbgate_policy as policy;

/// A question. Its other values override those of the transcript, in each exchange.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Question {
    /// The tenant of the request: a host, or a tenant's name.
    pub tenant: Option<String>,
    /// The request's method, a token.
    pub method: Option<String>,
    /// The request's target: a path that begins with a slash.
    pub path: Option<String>,
    /// True if the request accepts `text/html`.
    pub navigation: bool,
    /// True if the person counts as one who has agreed to the use of cookies.
    pub agreed: bool,
    /// `Cookie` fields of the request, with their name or without.
    pub cookie: Vec<Vec<u8>>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// `Set-Cookie` fields of the answer, likewise.
    pub set_cookie: Vec<Vec<u8>>,
    /// `Cache-Control` fields of the answer, likewise.
    pub cache_control: Vec<Vec<u8>>,
    /// The output of `curl -v`, or heads of HTTP messages.
    pub transcript: Option<Vec<u8>>,
}

/// The reason that a question can't be answered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unclear {
    /// The tenant is no host.
    #[error("{name:?} is no host")]
    NoHost {
        /// The text.
        name: String,
    },
    /// There is no tenant at all.
    #[error("there is no tenant, so nobody would be served")]
    NoTenant,
    /// It names no cookie, method, path or status, and has no transcript.
    #[error("there is nothing to explain")]
    Nothing,
    /// No line of the transcript begins an HTTP message.
    #[error("the transcript has no head of an HTTP message")]
    NoMessage,
    /// The tenant is not given, and there are several.
    #[error("nothing says whose request it is")]
    Whose {
        /// Hosts that are possible; a few of them.
        hosts: Vec<String>,
        /// The number of other tenants.
        others: usize,
    },
}

impl Question {
    /// Explains each exchange of the question.
    ///
    /// # Errors
    ///
    /// The reason that the question is not clear.
    pub fn answer(&self, explainer: &Explainer) -> Result<Vec<Explanation>, Unclear> {
        let exchanges = self.exchanges(explainer)?;
        let explain = |(host, exchange): &(Option<String>, Exchange)| {
            explainer.explain(host.as_deref(), exchange)
        };
        Ok(exchanges.iter().map(explain).collect())
    }

    /// Returns the exchanges, each with its host if it does not name one itself, or if the question names one.
    fn exchanges(&self, explainer: &Explainer) -> Result<Vec<(Option<String>, Exchange)>, Unclear> {
        let exchanges = match &self.transcript {
            Some(transcript) => transcript::read(transcript),
            None if self.has_request() || self.has_response() => {
                let response = self.status.map_or_else(Response::default, Response::of_status);
                vec![Exchange {
                    request: Some(Request::assumed(response.status)),
                    response: Some(response),
                    ..Exchange::default()
                }]
            }
            None => return Err(Unclear::Nothing),
        };
        if exchanges.is_empty() {
            return Err(Unclear::NoMessage);
        }
        let with_host = |mut exchange| {
            self.overrule(&mut exchange);
            Ok((self.host(&exchange, explainer)?, exchange))
        };
        exchanges.into_iter().map(with_host).collect()
    }

    fn has_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.navigation || !self.cookie.is_empty()
    }

    fn has_response(&self) -> bool {
        self.status.is_some() || !self.set_cookie.is_empty() || !self.cache_control.is_empty()
    }

    /// Overrides the values of an exchange by those of the question.
    fn overrule(&self, exchange: &mut Exchange) {
        exchange.agreed = self.agreed;
        if self.has_request() {
            let status = exchange.response.as_ref().map_or(200, |response| response.status);
            let request = exchange.request.get_or_insert_with(|| Request::assumed(status));
            if let Some(method) = &self.method {
                request.method.clone_from(method);
            }
            if let Some(path) = &self.path {
                request.target.clone_from(path);
            }
            if self.navigation {
                request.fields.replace("accept", [b"text/html".to_vec()]);
            }
            overrule(&mut request.fields, "cookie", &self.cookie);
        }
        if self.has_response() {
            let response = exchange.response.get_or_insert_default();
            response.status = self.status.unwrap_or(response.status);
            overrule(&mut response.fields, "set-cookie", &self.set_cookie);
            overrule(&mut response.fields, "cache-control", &self.cache_control);
        }
    }

    /// Returns the host of an exchange: that of the question, its own (`None`), or that of the only tenant.
    fn host(&self, exchange: &Exchange, explainer: &Explainer) -> Result<Option<String>, Unclear> {
        if let Some(name) = &self.tenant {
            let refused = || Unclear::NoHost { name: name.clone() };
            return host_of_tenant(name).ok_or_else(refused).map(Some);
        }
        if exchange.request.as_ref().is_some_and(Request::names_host) {
            return Ok(None);
        }
        explainer.only_host().ok_or_else(|| whose(explainer)).map(Some)
    }
}

/// Replaces all fields of this name by these values, unless there are none.
fn overrule(fields: &mut Fields, name: &str, values: &[Vec<u8>]) {
    if !values.is_empty() {
        fields.replace(name, values.iter().map(|value| value_of(name, value).to_vec()));
    }
}

/// Returns the value of a field that was pasted with its name or without.
fn value_of<'v>(name: &str, value: &'v [u8]) -> &'v [u8] {
    let with_name = value.split_at_checked(name.len()).and_then(|(start, rest)| {
        rest.strip_prefix(b":").filter(|_| start.eq_ignore_ascii_case(name.as_bytes()))
    });
    policy::trim(with_name.unwrap_or(value))
}

/// Makes the error for a missing tenant.
fn whose(explainer: &Explainer) -> Unclear {
    let tenants = explainer.tenants();
    let (named, others) = tenants.split_at(tenants.len().min(NAMED_TENANTS));
    let hosts: Vec<_> = named.iter().filter_map(|name| host_of_tenant(name)).collect();
    if hosts.is_empty() {
        return Unclear::NoTenant;
    }
    Unclear::Whose { hosts, others: others.len() }
}

const NAMED_TENANTS: usize = 5;
