//! Describes verdicts: the fate of each cookie, and remarks on the exchange.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode;

use super::{
    Cookie, Explanation, Remark,
    judge::{Judged, PLACEHOLDER, Reached},
    rule::{Around, CookieOutcome, Rule, words_for_no_eviction},
    transcript::{Exchange, Fields},
};
use crumbgate_policy::{
    AgreementMode, Mode, Policy,
    declaration::{Declaration, DeclaredCookie, Inject},
    is_token,
    verdict::{Action, Direction, Reason},
};

/// Returns the fate of each cookie of the request and of the response, and of those that the response does not change.
pub(super) fn cookies(policy: &Policy, judged: &Judged, about: &Explanation) -> Vec<Cookie> {
    let declaration = &policy.declaration;
    let passing = judged.verdicts.iter().filter(|reached| passes(reached));
    let fields = count(passing.map(|reached| reached.name.as_slice()));
    let names =
        judged.downstream.iter().filter_map(|field| field.split(|byte| *byte == b'=').next());
    let deletions = count(names);
    let of = |counts: &HashMap<&[u8], usize>, reached: &Reached| {
        counts.get(reached.name.as_slice()).copied().unwrap_or(0)
    };
    let mut cookies = Vec::new();
    let mut leaving = judged.downstream.iter();
    for reached in &judged.verdicts {
        let leaves = if passes(reached) { leaving.next() } else { None };
        let around = Around {
            declared: like(declaration, &reached.name),
            leaves: leaves.map(Vec::as_slice),
            fields: of(&fields, reached),
            deletions: of(&deletions, reached),
            withdraws: judged.withdraws,
            freshens: about.status == 304 || about.method == "HEAD",
        };
        let outcome = CookieOutcome::on(&reached.verdict(), around);
        cookies.push(Cookie::with_outcome(reached.direction, &reached.name, outcome));
    }
    let asked = (about.method.as_str(), about.path.as_str());
    for (name, reason) in &judged.declined {
        let declared = declaration.cookies().iter().find(|cookie| cookie.name.as_str() == name);
        cookies.extend(declared.map(|cookie| {
            let outcome = CookieOutcome::on_declined(cookie, *reason, asked, about.status);
            Cookie::with_outcome(Direction::Response, name.as_bytes(), outcome)
        }));
    }
    if judged.not_evicted.is_none() && judged.evicts {
        for name in left(judged) {
            let outcome = CookieOutcome::on_left(is_token(name));
            cookies.push(Cookie::with_outcome(Direction::Response, name, outcome));
        }
    }
    cookies
}

impl Cookie {
    fn with_outcome(direction: Direction, name: &[u8], outcome: CookieOutcome) -> Self {
        let CookieOutcome { fate, rules, reason } = outcome;
        Self { direction, name: name.to_vec(), fate, rules, reason }
    }
}

/// Returns true if a field of the response passes.
fn passes(reached: &Reached) -> bool {
    reached.direction == Direction::Response
        && matches!(reached.action, Action::Keep | Action::Rewrite)
}

/// Returns the declared cookie of this name, or of a similar one: PHP makes one name of many (R2).
fn like<'d>(declaration: &'d Declaration, name: &[u8]) -> Option<&'d DeclaredCookie> {
    let cookies = declaration.cookies();
    let exact = cookies.iter().find(|cookie| cookie.name.as_bytes() == name);
    let folded = fold(name);
    exact.or_else(|| cookies.iter().find(|cookie| fold(cookie.name.as_bytes()) == folded))
}

fn fold(name: &[u8]) -> Vec<u8> {
    let fold = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => byte.to_ascii_lowercase(),
        _ => b'_',
    };
    let mut folded: Vec<u8> = percent_decode(name).map(fold).collect();
    folded.truncate(folded.iter().rposition(|byte| *byte != b'_').map_or(0, |last| last + 1));
    folded
}

/// Counts how often each name occurs.
fn count<'n>(names: impl Iterator<Item = &'n [u8]>) -> HashMap<&'n [u8], usize> {
    let mut counts = HashMap::new();
    for name in names {
        *counts.entry(name).or_default() += 1;
    }
    counts
}

/// Returns the undeclared names of the request that the response does not evict, each once, in order.
fn left(judged: &Judged) -> Vec<&[u8]> {
    let of = |direction, action| {
        let is_of =
            move |reached: &&Reached| reached.direction == direction && reached.action == action;
        judged.verdicts.iter().filter(is_of).map(|reached| reached.name.as_slice())
    };
    let mut met: HashSet<_> = of(Direction::Response, Action::Evict).collect();
    let undeclared = of(Direction::Request, Action::Strip(Reason::Undeclared));
    undeclared.filter(|name| met.insert(name)).collect()
}

/// Returns remarks on the assumptions about a missing part, and on fields that the gateway drops without a verdict.
pub(super) fn assumptions(exchange: &Exchange) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |rule, words: String| remarks.push(Remark { rule, words });
    let has = |fields: &Fields, name| fields.values(name).next().is_some();
    match &exchange.request {
        None => remark(None, "no request was given: taken for GET / without cookies".to_owned()),
        Some(request) => {
            let cookie_fields = request.fields.values("cookie").count();
            if cookie_fields > 1 {
                let words = format!("the {cookie_fields} Cookie fields are read as one");
                remark(Some(Rule::R1), words);
            }
            if has(&request.fields, "cookie2") {
                remark(Some(Rule::R7), "Cookie2 is removed".to_owned());
            }
        }
    }
    for interim in &exchange.interim {
        let words =
            format!("the interim answer {} is dropped, with all its fields", interim.status);
        remark(Some(Rule::S5), words);
    }
    match &exchange.response {
        None => {
            remark(None, "no answer was given: taken for a 200 that sets no cookie".to_owned());
        }
        Some(response) if has(&response.fields, "set-cookie2") => {
            remark(Some(Rule::S6), "Set-Cookie2 is removed".to_owned());
        }
        Some(_) => {}
    }
    remarks
}

/// Returns remarks on the verdicts. `is_agreed` is true if the person counts as one who has agreed.
pub(super) fn remarks(policy: &Policy, judged: &Judged, is_agreed: bool) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut remark = |rule, words: String| remarks.push(Remark { rule: Some(rule), words });
    if policy.mode == Mode::Report {
        remark(Rule::T4, "report mode: verdicts are counted, and no cookie is changed".to_owned());
    }
    if policy.mode == Mode::Enforce && policy.seals() {
        let words = "the tenant seals its session cookie; an explanation has no keys, and shows what the application has";
        remark(Rule::G2, words.to_owned());
    }
    let is_required = policy.mode == Mode::Enforce && policy.agreement == AgreementMode::Required;
    if is_required && is_agreed {
        let words =
            "as for a person who has agreed: before that no declared cookie goes either way";
        remark(Rule::G6, words.to_owned());
    }
    if let Some(reason) = judged.not_evicted.filter(|_| left(judged).into_iter().any(is_token)) {
        remark(Rule::E1, words_for_no_eviction(reason).to_owned());
    }
    if judged.made_private {
        let words = "the answer sets a cookie, so it leaves private: no shared cache may store it";
        remark(Rule::S9, words.to_owned());
    }
    let is_random = |reached: &Reached| {
        reached.action == Action::Inject
            && like(&policy.declaration, &reached.name).is_some_and(|c| c.inject == Inject::Random)
    };
    if judged.verdicts.iter().any(is_random) {
        let words = format!("{PLACEHOLDER} stands for what it says: the gateway draws them anew");
        remark(Rule::N2, words);
    }
    remarks
}
