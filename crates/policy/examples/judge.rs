//! Prints the verdicts on a `Cookie` field, by the declaration of Flexopus:
//! `cargo run -p crumbgate-policy --example judge -- "_ga=1; flexopus_session=s"`.

#![expect(clippy::print_stdout, reason = "this program prints")]

use std::sync::Arc;

use crumbgate_policy::{Policy, RequestFacts, declaration::Declaration, verdict::Reason};

fn main() {
    let field = std::env::args().nth(1).unwrap_or_else(|| "_ga=1; flexopus_session=s".to_owned());
    let policy = Policy::new(Arc::new(Declaration::flexopus()));
    let (method, path, host) = ("GET", "/", "acme.example");
    let request = RequestFacts { method, path, host, accepts_html: true, seal: None };
    let (outcome, _) = policy.judge_request(request, [field.as_bytes()], &mut |verdict| {
        let (action, reason) = (verdict.action.word(), verdict.action.reason().map(Reason::word));
        println!("{action} {}: {}", reason.unwrap_or("declared"), verdict.name.escape_ascii());
    });
    println!("The Cookie field that goes upstream: {outcome:?}");
}
