//! A browser of plain requests: curl for the way there and back, and a cookie jar after RFC 6265.
//!
//! The jar is the one of Rust's HTTP clients and not curl's own: Debian 12's curl (7.88) brings a cookie back that an
//! answer has deleted, where it had read the cookie from a file.

use std::{
    cell::RefCell,
    net::Ipv4Addr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::UNIX_EPOCH,
};

use cookie_store::{Cookie, CookieExpiration, CookieStore};
use url::Url;

use crate::{gateway::Gateway, process};

/// A version of HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Http {
    One,
    Two,
}

/// One browser at one tenant.
pub(crate) struct Browser {
    http: Http,
    site: Url,
    certificate: PathBuf,
    /// The address that it connects from, if not any.
    interface: Option<&'static str>,
    jar: RefCell<CookieStore>,
}

impl Browser {
    pub(crate) fn new(http: Http, gateway: &Gateway, host: &str) -> Self {
        let site = format!("https://{host}:{}/", gateway.port);
        Self {
            http,
            site: site.parse().expect("a host and a port make a URL"),
            certificate: gateway.certificate(),
            interface: None,
            jar: RefCell::default(),
        }
    }

    /// A browser on an address of its own, 127.0.0.2, at whatever serves that host at a port.
    pub(crate) fn at(http: Http, host: &str, port: u16, certificate: PathBuf) -> Self {
        Self {
            http,
            site: format!("https://{host}:{port}/").parse().expect("it makes a URL"),
            certificate,
            interface: Some("127.0.0.2"),
            jar: RefCell::default(),
        }
    }

    /// The same browser, with the cookies that it holds, at another port: cookies belong to a host.
    pub(crate) fn at_port(&self, port: u16) -> Self {
        let mut site = self.site.clone();
        site.set_port(Some(port)).expect("a site has a port");
        let (certificate, jar) = (self.certificate.clone(), self.jar.clone());
        Self { http: self.http, site, certificate, interface: self.interface, jar }
    }

    /// The same browser, with what it holds, when its site is behind another gateway.
    pub(crate) fn behind(&self, gateway: &Gateway) -> Self {
        let mut site = self.site.clone();
        site.set_port(Some(gateway.port)).expect("a site has a port");
        let (certificate, jar) = (gateway.certificate(), self.jar.clone());
        Self { http: self.http, site, certificate, interface: self.interface, jar }
    }

    /// The same browser, with the cookies that it holds, over another version of HTTP.
    pub(crate) fn over(&self, http: Http) -> Self {
        let (site, certificate) = (self.site.clone(), self.certificate.clone());
        Self { http, site, certificate, interface: self.interface, jar: self.jar.clone() }
    }

    /// Opens a page, as somebody does who clicks a link.
    pub(crate) fn navigate(&self, path: &str) -> Answer {
        self.send(path, &["--header", "accept: text/html,application/xhtml+xml"])
    }

    /// Calls the API, as the page's script does.
    pub(crate) fn call(&self, path: &str) -> Answer {
        self.send(path, &["--header", JSON])
    }

    /// Presses a button of one of the gateway's own pages, which was opened at `at`; returns the answer.
    pub(crate) fn press(&self, button: &str, page: &Answer, at: &str) -> Answer {
        let (_, form) = page.body.split_once(&format!("action=\"{PAGE}/{button}")).expect("a form");
        let (stamp, _) = form.split_once('"').expect("the end of its address");
        let site = self.site.origin().ascii_serialization();
        let fields = [
            "accept: text/html".to_owned(),
            format!("origin: {site}"),
            format!("referer: {}", self.url(at)),
            "sec-fetch-mode: navigate".to_owned(),
            "sec-fetch-site: same-origin".to_owned(),
        ];
        let headers = fields.iter().flat_map(|field| ["--header", field]);
        let arguments: Vec<_> = headers.chain(["--data", ""]).collect();
        self.send(&format!("{PAGE}/{button}{stamp}"), &arguments)
    }

    /// Posts a form as the page's script does: with the token that it reads from its cookie.
    pub(crate) fn post(&self, path: &str, form: &str) -> Answer {
        self.post_with_token(path, form, &self.value("XSRF-TOKEN"))
    }

    /// Posts a form with a token of one's own, percent-encoded as in the cookie.
    pub(crate) fn post_with_token(&self, path: &str, form: &str, token: &str) -> Answer {
        let token = percent_encoding::percent_decode_str(token).decode_utf8_lossy();
        let field = format!("x-xsrf-token: {token}");
        self.send(path, &["--header", &field, "--header", JSON, "--data", form])
    }

    pub(crate) fn log_in(&self) {
        assert_eq!(self.navigate("/login").status, 200);
        let answer = self.post("/login", "email=ada@acme.example&password=correct horse");
        assert_eq!(answer.status, 302, "{answer:?}");
        assert_eq!(self.user().as_deref(), Some("ada@acme.example"));
    }

    /// Whom the application takes this browser for. Asking changes and renews nothing.
    pub(crate) fn user(&self) -> Option<String> {
        self.call("/whoami").json()["user"].as_str().map(str::to_owned)
    }

    /// Sends a request with the jar's cookies, and puts those of the answer into it.
    pub(crate) fn send(&self, path: &str, arguments: &[&str]) -> Answer {
        let mut curl = self.curl(path);
        curl.args(arguments).stdout(Stdio::piped());
        UnderWay { browser: self, url: self.url(path), curl: process::spawn(&mut curl) }.answer()
    }

    /// Begins an API call, and leaves it under way.
    pub(crate) fn begin(&self, path: &str) -> UnderWay<'_> {
        let mut curl = self.curl(path);
        curl.args(["--header", JSON]).stdout(Stdio::piped());
        UnderWay { browser: self, url: self.url(path), curl: process::spawn(&mut curl) }
    }

    /// Puts a cookie into the jar, as a script of the page does.
    pub(crate) fn set_by_script(&self, cookie: &str) {
        self.jar.borrow_mut().parse(cookie, &self.site).expect("a cookie that a browser takes");
    }

    /// Holds another browser's session from now on, as somebody does who has stolen it.
    pub(crate) fn take_session_of(&self, other: &Self) {
        self.set_by_script(&format!("flexopus_session={}; Path=/", other.session()));
    }

    /// The session's cookie, as it is kept.
    pub(crate) fn session(&self) -> String {
        self.value("flexopus_session")
    }

    /// The names of the cookies that it holds, sorted.
    pub(crate) fn names(&self) -> Vec<String> {
        let jar = self.jar.borrow();
        let mut names: Vec<_> =
            jar.iter_unexpired().map(|cookie| cookie.name().to_owned()).collect();
        names.sort_unstable();
        names
    }

    pub(crate) fn value(&self, name: &str) -> String {
        self.with_cookie(name, |cookie| cookie.value().to_owned())
    }

    /// Until when it holds a cookie, in seconds since the epoch.
    pub(crate) fn expiry(&self, name: &str) -> u64 {
        self.with_cookie(name, |cookie| match cookie.expires {
            CookieExpiration::AtUtc(at) => at.unix_timestamp().try_into().expect("after 1970"),
            CookieExpiration::SessionEnd => panic!("{name} has no lifetime"),
        })
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        self.site.join(path).expect("a path that begins with a slash")
    }

    fn with_cookie<T>(&self, name: &str, read: impl FnOnce(&Cookie<'_>) -> T) -> T {
        let jar = self.jar.borrow();
        let cookie = jar.iter_unexpired().find(|cookie| cookie.name() == name);
        read(cookie.unwrap_or_else(|| panic!("no {name} in the jar")))
    }

    fn curl(&self, path: &str) -> Command {
        let url = self.url(path);
        let resolve = format!("{}:{}", self.site.authority(), Ipv4Addr::LOCALHOST);
        let cookies: Vec<_> = self
            .jar
            .borrow()
            .get_request_values(&url)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--max-time", "30"])
            .arg(match self.http {
                Http::One => "--http1.1",
                Http::Two => "--http2",
            })
            .arg("--cacert")
            .arg(&self.certificate)
            .args(["--resolve", &resolve])
            .arg(url.as_str());
        if let Some(interface) = self.interface {
            curl.args(["--interface", interface]);
        }
        if !cookies.is_empty() {
            curl.args(["--cookie", &cookies.join("; ")]);
        }
        curl
    }
}

/// The gateway's cookie page.
pub(crate) const PAGE: &str = "/.well-known/cookies";

const JSON: &str = "accept: application/json";

/// A request whose answer is still to come.
pub(crate) struct UnderWay<'a> {
    browser: &'a Browser,
    url: Url,
    curl: Child,
}

impl UnderWay<'_> {
    /// Waits for the answer, and puts its cookies into the browser's jar.
    pub(crate) fn answer(self) -> Answer {
        let output = self.curl.wait_with_output().expect("curl ends by itself");
        let answer = Answer::read(&output.stdout);
        let version = match self.browser.http {
            Http::One => "HTTP/1.1",
            Http::Two => "HTTP/2",
        };
        assert_eq!(answer.version, version);
        for field in answer.values("set-cookie") {
            // A deletion of what the jar does not have is an error to it, and none to a browser.
            let _ = self.browser.jar.borrow_mut().parse(field, &self.url);
        }
        answer
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    version: String,
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn read(output: &[u8]) -> Self {
        let text = str::from_utf8(output).expect("the application writes UTF-8");
        // An interim answer, in which the server asks for the body.
        let text = text.strip_prefix("HTTP/1.1 100 Continue\r\n\r\n").unwrap_or(text);
        let (head, body) = text.split_once("\r\n\r\n").expect("curl has printed the reason");
        let mut lines = head.lines();
        let (version, status) =
            lines.next().and_then(|line| line.split_once(' ')).expect("a status line");
        let status = status.get(..3).and_then(|code| code.parse().ok()).expect("a status code");
        let fields = lines.map(|line| line.split_once(": ").expect("a field"));
        let fields = fields.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        Self { version: version.to_owned(), status, fields, body: body.to_owned() }
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the application answers in JSON")
    }

    /// The one field of that name; none where it is absent.
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let mut values = self.values(name);
        let value = values.next();
        assert_eq!(values.next(), None, "two fields: {name}");
        value
    }

    /// The `Set-Cookie` fields of that cookie, whole.
    pub(crate) fn set_cookies<'a>(&'a self, cookie: &'a str) -> impl Iterator<Item = &'a str> {
        let is_for =
            move |field: &&str| field.split_once('=').is_some_and(|(name, _)| name == cookie);
        self.values("set-cookie").filter(is_for)
    }

    /// Its `Date`, in seconds since the epoch.
    pub(crate) fn date(&self) -> u64 {
        let date = self.field("date").and_then(|date| httpdate::parse_http_date(date).ok());
        let since = date.expect("an answer has a date").duration_since(UNIX_EPOCH);
        since.expect("1970 is over").as_secs()
    }

    fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |field| field.0 == name).map(|field| &*field.1)
    }
}
