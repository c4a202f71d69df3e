//! The harness of every test: [`App`] behind, [`Running`] in the middle, [`Browser`] or [`Raw`] in front.
//!
//! ```ignore
//! both_versions!(s4_a_deletion_stays_a_deletion, |http| {
//!     let app = App::answering(&[("/logout", "HTTP/1.1 200 OK\r\nset-cookie: flexopus_session=; Max-Age=0\r\n…")]);
//!     let gateway = Setup::before(&app).start();
//!     let browser = gateway.browser(http);
//!     let response = browser.get("/logout").await;
//! });
//! ```

mod admin;
mod app;
mod browser;
mod exposed;
pub(crate) mod frames;
mod gateway;
mod holding;
mod kept;
mod load;
mod program;
mod promql;
mod raw;
mod shared_cache;
mod streaming;
mod terminal;

pub(crate) use crumbgate_testkit::ledger::signed as ledger;

pub(crate) use admin::{Operator, Reply};
pub(crate) use app::{App, Received, ok, read_request};
pub(crate) use browser::{Answer, Browser, Http};
pub(crate) use exposed::Exposed;
pub(crate) use gateway::{Running, Setup, client_config, tls_to};
pub(crate) use holding::{Holding, on_each_worker, spawn};
pub(crate) use kept::{Guard, Kept, Verdicts};
pub(crate) use load::Load;
pub(crate) use program::{Finished, Program, Site, json_lines, without_variables};
pub(crate) use promql::{Selector, Vocabulary, grouped_by};
pub(crate) use raw::Raw;
pub(crate) use shared_cache::SharedCache;
pub(crate) use streaming::{Feed, Streaming, count, head_of, next_part};

/// The host of the tenant that a [`Setup`] has unless the test says otherwise.
pub(crate) const ACME: &str = "acme.example";

/// The time of a gateway's clock in these tests: 2026-11-23 10:00:00 UTC.
pub(crate) const NOW_UNIX_S: u64 = 1_795_428_000;

/// No condition of a test is waited for longer than this.
pub(crate) const CONDITION_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(20);

/// Makes of one body two tests: `name::http1` and `name::http2`.
macro_rules! both_versions {
    ($name:ident, |$http:ident| $body:block) => {
        mod $name {
            #[allow(unused_imports, reason = "not every test needs all of its file's imports")]
            use super::*;

            async fn test($http: crate::harness::Http) $body

            #[tokio::test]
            async fn http1() {
                crate::harness::in_time(test(crate::harness::Http::One)).await;
            }

            #[tokio::test]
            async fn http2() {
                crate::harness::in_time(test(crate::harness::Http::Two)).await;
            }
        }
    };
}
pub(crate) use both_versions;

/// A request to this path of [`ACME`], as this version of HTTP has it.
pub(crate) fn request(http: Http, method: http::Method, path: &str) -> http::request::Builder {
    let request = http::Request::builder().method(method);
    match http {
        Http::One => request.uri(path).header("host", ACME),
        Http::Two => request.uri(format!("https://{ACME}{path}")),
    }
}

/// Runs a test's body, and fails it when it hangs.
pub(crate) async fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::time::timeout(3 * CONDITION_TIMEOUT, test).await.expect("the test hangs")
}

/// Waits until `condition` holds; looks often, and fails after [`CONDITION_TIMEOUT`].
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + CONDITION_TIMEOUT;
    while !condition() {
        assert!(tokio::time::Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
