use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use bytes::Bytes;
use cookie::Cookie;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{Application, HOSTS, TRACKERS};

type Answer = Response<Bytes>;

async fn ask(application: &Application, request: Request<Full<Bytes>>) -> Answer {
    let stream = tokio::net::TcpStream::connect(application.address()).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let exchange = async move {
        let (head, body) = sender.send_request(request).await.unwrap().into_parts();
        Response::from_parts(head, body.collect().await.unwrap().to_bytes())
    };
    let (answer, ended) = tokio::join!(exchange, connection);
    ended.unwrap();
    answer
}

/// A browser at one host, with a jar that knows names and values alone.
struct Visitor<'a> {
    application: &'a Application,
    host: &'a str,
    jar: BTreeMap<String, String>,
}

impl<'a> Visitor<'a> {
    fn at(application: &'a Application, host: &'a str) -> Self {
        Self { application, host, jar: BTreeMap::new() }
    }

    async fn send(&mut self, request: http::request::Builder, body: &str) -> Answer {
        let cookies: Vec<_> =
            self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request.header(header::HOST, self.host);
        if !cookies.is_empty() {
            request = request.header(header::COOKIE, cookies.join("; "));
        }
        let answer = ask(self.application, request.body(body.to_owned().into()).unwrap()).await;
        for cookie in set_cookies(&answer).iter().filter_map(|field| Cookie::parse(field).ok()) {
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                self.jar.remove(cookie.name());
            } else {
                self.jar.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        answer
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), "").await
    }

    async fn post(&mut self, path: &str, form: &str) -> Answer {
        let token = self.jar.get("XSRF-TOKEN").cloned().unwrap_or_default();
        self.send(Request::post(path).header("x-xsrf-token", token), form).await
    }

    async fn log_in(&mut self) {
        self.get("/login").await;
        assert_eq!(self.post("/login", "user=ada").await.status(), StatusCode::FOUND);
    }
}

fn set_cookies(answer: &Answer) -> Vec<String> {
    let fields = answer.headers().get_all(header::SET_COOKIE).iter();
    fields.map(|field| field.to_str().unwrap().to_owned()).collect()
}

fn content(answer: &Answer) -> &str {
    str::from_utf8(answer.body()).unwrap()
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/json");
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test]
async fn every_tracker_is_set_by_a_header_or_by_the_pages_script() {
    let application = Application::start().unwrap();
    let home = Visitor::at(&application, HOSTS[0]).get("/").await;
    assert_eq!(home.status(), StatusCode::OK);
    let fields = set_cookies(&home);
    let script = content(&home).split_once("id=\"trackers\">").unwrap().1;
    let by_script: Vec<String> =
        serde_json::from_str(script.split_once("</script>").unwrap().0).unwrap();
    assert!(TRACKERS.len() >= 12);
    for name in TRACKERS {
        let sets_it = |field: &String| field.starts_with(&format!("{name}="));
        let count = fields.iter().chain(&by_script).filter(|field| sets_it(field)).count();
        assert_eq!(count, 1, "{name}");
    }
    assert_eq!(fields.len() + by_script.len(), TRACKERS.len() + 2 + 1); // the session's, and the nameless
    assert!(fields.iter().any(|field| field.starts_with('=')));
    assert!(fields.iter().any(|field| field.contains("; Domain=acme.localhost;")));
    assert!(fields.iter().any(|field| field.ends_with("; Partitioned")));
    assert!(fields.iter().any(|field| field.starts_with("legacy_prefs=\"")));
}

#[tokio::test]
async fn the_session_has_laravels_lifetime_and_attributes() {
    let application = Application::start().unwrap();
    let home = Visitor::at(&application, HOSTS[0]).get("/").await;
    for (name, http_only) in [("XSRF-TOKEN", None), ("flexopus_session", Some(true))] {
        let fields = set_cookies(&home);
        let field = fields.iter().find(|field| field.starts_with(&format!("{name}="))).unwrap();
        let cookie = Cookie::parse(field).unwrap();
        assert_eq!(cookie.max_age().unwrap().whole_seconds(), 7_200, "{field}");
        assert!(cookie.expires_datetime().is_some(), "{field}");
        assert_eq!(cookie.path(), Some("/"));
        assert_eq!(cookie.same_site(), Some(cookie::SameSite::Lax));
        assert_eq!((cookie.http_only(), cookie.secure()), (http_only, None), "{field}");
    }
}

#[tokio::test]
async fn logging_in_rotates_the_session_and_logging_out_deletes_it() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, "acme.localhost:8443");
    assert_eq!(visitor.get("/api/desks").await.status(), StatusCode::UNAUTHORIZED);
    visitor.get("/login").await;
    let before = visitor.jar.clone();
    assert_eq!(visitor.get("/api/desks").await.status(), StatusCode::UNAUTHORIZED);

    let answer = visitor.post("/login", "user=Ada+L%C3%B6we").await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    assert_eq!(answer.headers()[header::LOCATION], "/");
    for name in ["XSRF-TOKEN", "flexopus_session"] {
        assert_ne!(before[name], visitor.jar[name], "{name}");
    }
    assert!(content(&visitor.get("/").await).contains("Welcome, Ada Löwe"));
    let desks = visitor.get("/api/desks").await;
    assert_eq!(set_cookies(&desks), [""; 0]);
    assert_eq!(json(&desks)["organization"], "Acme GmbH");
    assert_eq!(json(&desks)["user"], "Ada Löwe");
    assert_eq!(json(&desks)["desks"][0]["id"], "A-01");

    let mut before_logout = Visitor { jar: visitor.jar.clone(), ..visitor };
    let answer = before_logout.post("/logout", "").await;
    assert_eq!(answer.status(), StatusCode::FOUND);
    let ends = set_cookies(&answer);
    assert_eq!(ends.len(), 2);
    for end in ends {
        assert!(
            end.contains("=deleted; expires=Thu, 01-Jan-1970 00:00:01 GMT; Max-Age=0;"),
            "{end}"
        );
    }
    assert!(!before_logout.jar.contains_key("flexopus_session"));
    // Also for who kept the cookie.
    let mut kept = Visitor { jar: before, ..before_logout };
    assert_eq!(kept.get("/api/desks").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_of_one_organization_is_not_valid_for_another() {
    let application = Application::start().unwrap();
    let mut acme = Visitor::at(&application, "acme.localhost");
    acme.log_in().await;
    let mut globex = Visitor { host: "globex.localhost", ..acme };
    assert_eq!(globex.get("/api/desks").await.status(), StatusCode::UNAUTHORIZED);
    assert!(content(&globex.get("/").await).contains("Globex Corporation"));
}

#[tokio::test]
async fn a_post_without_the_sessions_token_gets_419() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    visitor.get("/").await;
    let token = visitor.jar["XSRF-TOKEN"].clone();
    let page = visitor.send(Request::post("/login"), "user=ada").await;
    assert_eq!(page.status().as_u16(), 419);
    assert!(content(&page).contains("419 Page Expired"));
    assert_eq!(set_cookies(&page), [""; 0]);

    let wrong = Request::post("/login").header("x-xsrf-token", &token[1..]);
    let wrong = wrong.header(header::ACCEPT, "application/json");
    let answer = visitor.send(wrong, "user=ada").await;
    assert_eq!(
        (answer.status().as_u16(), json(&answer)["message"].as_str()),
        (419, Some("Page Expired"))
    );
    assert_eq!(visitor.send(Request::post("/logout"), "").await.status().as_u16(), 419);
    let mut stranger = Visitor::at(&application, HOSTS[0]);
    let foreign = Request::post("/login").header("x-xsrf-token", &token);
    assert_eq!(stranger.send(foreign, "user=ada").await.status().as_u16(), 419);

    let form = format!("_token={token}&user=ada");
    assert_eq!(visitor.send(Request::post("/login"), &form).await.status(), StatusCode::FOUND);
}

#[tokio::test]
async fn a_login_needs_a_name_and_a_form_of_moderate_size() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    visitor.get("/login").await;
    let answer = visitor.post("/login", "user=+").await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(content(&answer).contains("role=\"alert\""));
    let answer = visitor.post("/login", &format!("user={}", "a".repeat(70_000))).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn only_the_map_editor_itself_sets_its_cookie() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    let page = visitor.get("/map-builder").await;
    assert_eq!(visitor.jar["visitedMapBuilder"], "1");
    assert!(content(&page).contains("<svg class=\"plan\""));
    for path in ["/", "/login", "/map-builder/help", "/privacy"] {
        let page = visitor.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert!(!set_cookies(&page).iter().any(|field| field.starts_with("visited")), "{path}");
    }
}

#[tokio::test]
async fn the_quiet_pages_and_all_errors_run_no_script() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    for (path, has_script) in [
        ("/", true),
        ("/login", true),
        ("/map-builder", true),
        ("/map-builder/help", false),
        ("/privacy", false),
        ("/nowhere", false),
    ] {
        let page = visitor.get(path).await;
        assert_eq!(content(&page).contains("<script"), has_script, "{path}");
        let policy = page.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        let nonce =
            policy.split_once("style-src 'self' 'nonce-").unwrap().1.split_once('\'').unwrap().0;
        assert!(content(&page).contains(&format!("<style nonce=\"{nonce}\">")), "{path}");
    }
}

#[tokio::test]
async fn the_home_page_shows_the_received_cookies_escaped() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    let first = visitor.get("/").await;
    assert!(content(&first).contains("<strong>None</strong> of the 20 trackers arrived"));
    visitor.jar.insert("x".to_owned(), "<script>\"&".to_owned());
    let second = visitor.get("/").await;
    // The jar of this visitor holds the trackers of the headers; the visitor runs no script.
    assert!(content(&second).contains("<strong>12</strong> of the 20 trackers arrived"));
    assert!(content(&second).contains("x=&lt;script&gt;&quot;&amp;"));
    assert!(!content(&second).contains(&visitor.jar["flexopus_session"]));
    assert!(content(&second).contains("flexopus_session=(hidden: HttpOnly)"));
}

#[tokio::test]
async fn whoami_shows_the_request_as_it_arrived() {
    let application = Application::start().unwrap();
    let request = Request::get("/whoami?a=%20b")
        .header(header::HOST, "Elsewhere.example:1")
        .header(header::COOKIE, "a=1; =; b")
        .header(header::COOKIE, "c=\"2\"")
        .body(Full::default())
        .unwrap();
    let body = json(&ask(&application, request).await);
    assert_eq!(body["method"], "GET");
    assert_eq!(body["target"], "/whoami?a=%20b");
    assert_eq!(
        body["fields"],
        serde_json::json!([
            ["host", "Elsewhere.example:1"],
            ["cookie", "a=1; =; b"],
            ["cookie", "c=\"2\""]
        ])
    );
}

#[tokio::test]
async fn an_upload_is_answered_by_its_length_and_sum() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    let body = json(&visitor.send(Request::put("/echo"), "abc").await);
    assert_eq!(body["bytes"], 3);
    assert_eq!(body["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let large = "x".repeat(1 << 20);
    assert_eq!(json(&visitor.send(Request::post("/echo"), &large).await)["bytes"], 1 << 20);
}

#[tokio::test]
async fn a_slow_call_continues_after_a_logout() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    visitor.log_in().await;
    let mut slow = Visitor { jar: visitor.jar.clone(), ..visitor };
    let began = Instant::now();
    let logout = async {
        while json(&visitor.get("/up").await)["slow_calls"] == 0 {
            tokio::task::yield_now().await;
        }
        (visitor.post("/logout", "").await.status(), Instant::now())
    };
    let call = async { (slow.get("/api/slow?ms=1500").await, Instant::now()) };
    let ((answer, answered), (logout, logged_out)) = tokio::join!(call, logout);
    assert_eq!((answer.status(), logout), (StatusCode::OK, StatusCode::FOUND));
    assert!(answered - began >= Duration::from_millis(1_500));
    assert!(logged_out < answered);
    assert_eq!(set_cookies(&answer), [""; 0]);
    assert_eq!(slow.get("/api/slow?ms=0").await.status(), StatusCode::UNAUTHORIZED);
}

#[test]
fn live_sends_one_event_after_another_until_the_application_stops() {
    let application = Application::start().unwrap();
    let mut stream = TcpStream::connect(application.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.write_all(b"GET /live?ms=10 HTTP/1.1\r\nHost: acme.localhost\r\n\r\n").unwrap();
    let mut received = String::new();
    while !received.contains("data: 3\n") {
        let mut part = [0; 512];
        let length = stream.read(&mut part).unwrap();
        assert_ne!(length, 0, "{received}");
        received += str::from_utf8(&part[..length]).unwrap();
    }
    assert!(received.contains("content-type: text/event-stream"));
    assert!(received.contains("event: tick\nid: 1\ndata: 1\n"));

    let address = application.address();
    drop(application);
    assert!(TcpStream::connect(address).is_err());
    // What was on its way may still be read, then there is an end: a close or a reset.
    let _ = stream.read_to_end(&mut Vec::new());
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods_get_404_and_405() {
    let application = Application::start().unwrap();
    let mut visitor = Visitor::at(&application, HOSTS[0]);
    assert_eq!(visitor.get("/nowhere").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(json(&visitor.get("/api/nowhere").await)["message"], "Not Found");
    for (method, path, allow) in [
        (Method::GET, "/logout", "POST"),
        (Method::DELETE, "/login", "GET, HEAD, POST"),
        (Method::POST, "/", "GET, HEAD"),
        (Method::GET, "/echo", "POST, PUT"),
    ] {
        let answer = visitor.send(Request::builder().method(method).uri(path), "").await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.headers()[header::ALLOW], allow, "{path}");
    }
    let head = visitor.send(Request::head("/up"), "").await;
    assert_eq!((head.status(), head.body().len()), (StatusCode::OK, 0));
    assert_eq!(json(&visitor.get("/up").await)["slow_calls"], 0);
    for host in ["", "a b", "a/b", "<b>", "a;b"] {
        let answer = Visitor::at(&application, host).get("/").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{host}");
    }
    let request = Request::get("/").body(Full::default()).unwrap();
    assert_eq!(ask(&application, request).await.status(), StatusCode::BAD_REQUEST);
}
