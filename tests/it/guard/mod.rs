//! The guard in the application's documents (W1 to W6), and in the scripts of service workers (W3).

mod caches;
mod codings;
mod documents;
mod workers;

use crumbgate_pages::guard::GuardScript;
use crumbgate_policy::{GuardMode, declaration::Declaration};
use http::{Method, request::Builder};

use crate::harness::{ACME, App, Exposed, Http, Running, Setup, request};

const HTML: &str = "content-type: text/html; charset=utf-8";
const BEFORE: &str = "<!DOCTYPE html>\n<!-- <head> --><html lang=de><head data-a='>'>";
const BEHIND: &str = "<meta charset=utf-8><script>1</script></head><body><main>Desks</main>";

/// A gateway before this application whose tenant has these keys.
fn guarded(app: &App, keys: &str) -> Setup {
    Setup::before(app).tenant(ACME, keys)
}

/// The script of a gateway with the built-in declaration.
fn script(mode: GuardMode) -> GuardScript {
    let declaration = Declaration::flexopus();
    let cookies = declaration.cookies().iter().filter(|cookie| !cookie.http_only);
    script_with(mode, cookies.map(|cookie| cookie.name.as_str()))
}

/// The script that lets scripts set these names.
fn script_with<'a>(mode: GuardMode, names: impl IntoIterator<Item = &'a str>) -> GuardScript {
    GuardScript::new(mode, names, "/.well-known/cookies/seen").unwrap()
}

fn html(script: &GuardScript) -> &str {
    std::str::from_utf8(&script.html).unwrap()
}

fn page() -> String {
    [BEFORE, BEHIND].concat()
}

/// The page with the script of this mode.
fn guarded_page(mode: GuardMode) -> String {
    [BEFORE, html(&script(mode)), BEHIND].concat()
}

/// The request of a browser when a person opens a page.
fn navigation(http: Http, path: &str) -> Builder {
    request(http, Method::GET, path)
        .header("accept", "text/html,application/xhtml+xml")
        .header("accept-encoding", "gzip, deflate, br, zstd")
        .header("sec-fetch-dest", "document")
}

/// The number of documents with this outcome.
fn outcomes(gateway: &Running, outcome: &str) -> f64 {
    Exposed::by(gateway).get(&format!("crumbgate_guards_total{{outcome=\"{outcome}\"}}"))
}

fn guards(gateway: &Running) -> f64 {
    Exposed::by(gateway).sum("crumbgate_guards_total")
}
