//! The scripts of service workers, which get the guard in front of their code (W3).

use crumbgate_policy::GuardMode;
use http::{Method, request::Builder};

use super::{guarded, guards, script};
use crate::harness::{App, Http, both_versions, ok, request};

const SCRIPT: &str = "content-type: text/javascript; charset=utf-8";

/// The requests by which browsers fetch the scripts of a service worker.
fn requests(http: Http) -> [Builder; 3] {
    [
        ("service-worker", "script"),
        ("sec-fetch-dest", "serviceworker"),
        ("sec-fetch-dest", "worker"),
    ]
    .map(|(name, value)| request(http, Method::GET, "/sw.js").header(name, value))
}

both_versions!(w3_the_guard_is_in_front_of_the_code_of_a_service_worker, |http| {
    for (before, code) in [
        ("", "import './a.js'; self.a = 1"),
        ("/* a licence */\n// of use\n", "addEventListener('fetch', a)"),
        ("// a\n", "'use strict'; self.a = 1"),
    ] {
        let body = [before, code].concat();
        let app = App::replying(move |_| ok(&[SCRIPT, "etag: \"v1\""], &body)).await;
        let gateway = guarded(&app, "guard = \"enforce\"").start();
        for asked in requests(http) {
            let answer =
                gateway.browser(http).send(asked.header("if-none-match", "\"v1\""), "").await;
            assert_eq!(app.last().field("if-none-match"), None, "the stored script has no guard");
            let guard = script(GuardMode::Enforce).worker_prefix;
            let guard = std::str::from_utf8(&guard).unwrap();
            let strict = if code.starts_with('\'') { "\"use strict\";" } else { "" };
            assert_eq!(answer.text(), [before, strict, guard, code].concat());
            assert_ne!(answer.field("etag"), Some("\"v1\""));
            assert_eq!(answer.field("content-length"), None);
        }
        assert_eq!(guards(&gateway), 0., "a script is no document");
    }
});

both_versions!(w3_what_is_no_script_of_a_service_worker_is_unchanged, |http| {
    let app = App::replying(|asked| {
        let kind = if asked.target() == "/sw.js" { "content-type: text/plain" } else { SCRIPT };
        ok(&[kind, "etag: \"v1\""], "self.a = 1")
    })
    .await;
    let gateway = guarded(&app, "guard = \"enforce\"").start();
    let page_script = request(http, Method::GET, "/app.js").header("sec-fetch-dest", "script");
    for asked in requests(http).into_iter().chain([page_script]) {
        let answer = gateway.browser(http).send(asked, "").await;
        assert_eq!((answer.text().as_str(), answer.field("etag")), ("self.a = 1", Some("\"v1\"")));
    }
});
