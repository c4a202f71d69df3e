//! The routes of the application.

use std::{
    cell::RefCell,
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    str::FromStr,
    task::{Context, Poll, ready},
    time::Duration,
};

use aws_lc_rs::digest::{self, SHA256};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts,
};
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::{
    body::{Body, Frame, Incoming},
    ext::ReasonPhrase,
};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokio::time::Interval;

use super::{
    cookies::{self, END_OF_SESSION},
    organizations::Organization,
    pages,
    random::random_text,
    session::{Session, Sessions},
};
use crumbgate_base::{clock::Clock, text::hex};

/// All routes, and the sessions that they share.
pub(super) struct Routes {
    sessions: RefCell<Sessions>,
    /// Its reference count is the number of running slow calls plus one.
    slow: Rc<()>,
    clock: Clock,
}

/// The parsed head of a request.
struct Visit {
    parts: Parts,
    /// Lower case, without port. Contains only letters, digits, `.`, `-`, `_`, `:` and brackets.
    host: String,
    organization: &'static Organization,
    cookies: Vec<pages::Pair>,
    session: Option<Session>,
}

type Answer = Response<Either<Full<Bytes>, Live>>;

impl Routes {
    pub(super) fn new(clock: Clock) -> Self {
        Self { sessions: RefCell::default(), slow: Rc::default(), clock }
    }

    /// Answers one request. Errors become responses.
    pub(super) async fn answer(&self, request: Request<Incoming>, peer: SocketAddr) -> Answer {
        let (parts, body) = request.into_parts();
        let Some(host) = host_of(&parts) else {
            return text(StatusCode::BAD_REQUEST, "the Host header is missing or not a host");
        };
        let cookies = cookies::received(&parts.headers);
        let session = self.session_of(&cookies, &host);
        let organization = Organization::find(&host);
        let visit = Visit { parts, host, organization, cookies, session };

        let path = visit.parts.uri.path().to_owned();
        let Some(allowed) = methods_of(&path) else {
            return visit.refuse(StatusCode::NOT_FOUND, "Not Found", "There is no such page.");
        };
        if !allowed.contains(&visit.parts.method) {
            let mut answer = visit.refuse(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method Not Allowed",
                "This page does not support this method.",
            );
            let names: Vec<_> = allowed.iter().map(Method::as_str).collect();
            put(&mut answer, header::ALLOW, &names.join(", "));
            return answer;
        }
        match path.as_str() {
            "/api/desks" => visit.desks(),
            "/api/slow" => {
                let _under_way = Rc::clone(&self.slow);
                tokio::time::sleep(visit.milliseconds(2_000, 0)).await;
                visit.desks()
            }
            "/echo" => visit.echo(body).await,
            "/live" => visit.live(),
            "/login" if visit.parts.method == Method::POST => self.log_in(visit, body).await,
            "/login" => self.page(&visit, "Log in", |session| pages::login(session, None)),
            "/logout" => self.log_out(visit, body).await,
            "/map-builder" => {
                let main = |_: &Session| pages::map_editor(visit.organization);
                let mut answer = self.page(&visit, "Map editor", main);
                set_cookie(&mut answer, &cookies::map_editor_cookie(self.clock.now()));
                answer
            }
            "/map-builder/help" => self.page(&visit, "Help", |_| pages::MAP_EDITOR_HELP.to_owned()),
            "/privacy" => self.page(&visit, "Cookies", |_| pages::PRIVACY.to_owned()),
            "/up" => {
                let slow_calls = Rc::strong_count(&self.slow) - 1;
                json(StatusCode::OK, &json!({ "slow_calls": slow_calls }))
            }
            "/whoami" => visit.who_am_i(peer),
            _ => self.page(&visit, "Home", |session| {
                pages::home(visit.organization, session, &visit.cookies)
            }),
        }
    }

    fn session_of(&self, cookies: &[pages::Pair], host: &str) -> Option<Session> {
        let (_, id) = cookies.iter().find(|(name, _)| name == "flexopus_session")?;
        self.sessions.borrow_mut().find(id, host, self.clock.now().uptime_s)
    }

    /// Makes a page, with a session for every visitor, its renewed cookies, and the trackers.
    fn page(&self, visit: &Visit, title: &str, main: impl FnOnce(&Session) -> String) -> Answer {
        let session = visit.session.clone().unwrap_or_else(|| {
            self.sessions.borrow_mut().open(&visit.host, None, self.clock.now().uptime_s)
        });
        let main = main(&session);
        let mut answer = visit.html(StatusCode::OK, title, Some(&session), main);
        self.set_cookies(&mut answer, visit, &session);
        answer
    }

    fn set_cookies(&self, answer: &mut Answer, visit: &Visit, session: &Session) {
        for field in cookies::session_cookies(session, self.clock.now()) {
            set_cookie(answer, &field);
        }
        for field in cookies::trackers(&visit.host) {
            set_cookie(answer, &field);
        }
    }

    /// Logs in with a new session id and a new token, which prevents session fixation.
    async fn log_in(&self, visit: Visit, body: Incoming) -> Answer {
        let (form, session) = match visit.form_with_token(body).await {
            Ok(form) => form,
            Err(refusal) => return *refusal,
        };
        let user = form.get("user").map(|user| user.trim()).unwrap_or_default();
        if user.is_empty() || user.chars().count() > 100 {
            let error = "Enter a name of 1 to 100 characters.";
            let main = pages::login(&session, Some(error));
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            let mut answer = visit.html(status, "Log in", Some(&session), main);
            self.set_cookies(&mut answer, &visit, &session);
            return answer;
        }
        let now = self.clock.now();
        let mut sessions = self.sessions.borrow_mut();
        sessions.close(&session.id);
        let session = sessions.open(&visit.host, Some(user.to_owned()), now.uptime_s);
        let mut answer = redirect("/");
        for field in cookies::session_cookies(&session, now) {
            set_cookie(&mut answer, &field);
        }
        answer
    }

    async fn log_out(&self, visit: Visit, body: Incoming) -> Answer {
        let session = match visit.form_with_token(body).await {
            Ok((_, session)) => session,
            Err(refusal) => return *refusal,
        };
        self.sessions.borrow_mut().close(&session.id);
        let mut answer = redirect("/");
        for field in END_OF_SESSION {
            set_cookie(&mut answer, field);
        }
        answer
    }
}

/// The methods of a path. `None`: there is no such page.
fn methods_of(path: &str) -> Option<&'static [Method]> {
    match path {
        "/" | "/api/desks" | "/api/slow" | "/live" | "/map-builder" | "/map-builder/help"
        | "/privacy" | "/up" | "/whoami" => Some(&[Method::GET, Method::HEAD]),
        "/login" => Some(&[Method::GET, Method::HEAD, Method::POST]),
        "/logout" => Some(&[Method::POST]),
        "/echo" => Some(&[Method::POST, Method::PUT]),
        _ => None,
    }
}

fn host_of(parts: &Parts) -> Option<String> {
    let mut fields = parts.headers.get_all(header::HOST).iter();
    let (field, None) = (fields.next()?.to_str().ok()?, fields.next()) else { return None };
    let host = match field.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => field,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    (!host.is_empty() && host.bytes().all(is_plain)).then(|| host.to_ascii_lowercase())
}

impl Visit {
    fn desks(&self) -> Answer {
        let Some(user) = self.session.as_ref().and_then(|session| session.user.as_ref()) else {
            return json(StatusCode::UNAUTHORIZED, &json!({ "message": "Unauthenticated." }));
        };
        let desks: Vec<_> = self
            .organization
            .desks
            .iter()
            .map(|desk| json!({ "id": desk.id, "room": desk.room, "free": desk.is_free }))
            .collect();
        let name = self.organization.name;
        json(StatusCode::OK, &json!({ "organization": name, "user": user, "desks": desks }))
    }

    fn who_am_i(&self, peer: SocketAddr) -> Answer {
        let fields: Vec<_> = self
            .parts
            .headers
            .iter()
            .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
            .collect();
        json(
            StatusCode::OK,
            &json!({
                "method": self.parts.method.as_str(),
                "target": self.parts.uri.to_string(),
                "version": format!("{:?}", self.parts.version),
                "peer": peer.to_string(),
                "fields": fields,
            }),
        )
    }

    /// Reads the whole upload without keeping it.
    async fn echo(&self, mut body: Incoming) -> Answer {
        let mut bytes: u64 = 0;
        let mut sum = digest::Context::new(&SHA256);
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else {
                return text(StatusCode::BAD_REQUEST, "the upload ended early");
            };
            if let Some(part) = frame.data_ref() {
                bytes += part.len() as u64;
                sum.update(part);
            }
        }
        let sum = hex(sum.finish().as_ref());
        json(StatusCode::OK, &json!({ "bytes": bytes, "sha256": sum }))
    }

    fn live(&self) -> Answer {
        let interval = tokio::time::interval(self.milliseconds(1_000, 10));
        let mut answer = Response::new(Either::Right(Live { interval, count: 0 }));
        put(&mut answer, header::CONTENT_TYPE, "text/event-stream");
        put(&mut answer, header::CACHE_CONTROL, "no-cache, private");
        answer
    }

    /// The `ms` of the query, up to ten seconds.
    fn milliseconds(&self, default: u64, least: u64) -> Duration {
        let query = read_form(self.parts.uri.query().unwrap_or_default().as_bytes());
        let requested = query.get("ms").and_then(|ms| u64::from_str(ms).ok());
        Duration::from_millis(requested.unwrap_or(default).clamp(least, 10_000))
    }

    /// Reads the form and checks its CSRF token, in the form's `_token` or in the header `X-XSRF-TOKEN`.
    async fn form_with_token(&self, body: Incoming) -> Result<(Form, Session), Box<Answer>> {
        let body = match Limited::new(body, MAX_FORM_BYTES).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                let text = "The form is too large.";
                let status = StatusCode::PAYLOAD_TOO_LARGE;
                return Err(Box::new(self.refuse(status, "Payload Too Large", text)));
            }
            Err(_) => {
                let refusal = text(StatusCode::BAD_REQUEST, "the form ended early");
                return Err(Box::new(refusal));
            }
        };
        let form = read_form(&body);
        let field = self.parts.headers.get("x-xsrf-token").and_then(|field| field.to_str().ok());
        let token = form.get("_token").or(field).unwrap_or_default();
        match &self.session {
            Some(session) if session.has_token(token) => Ok((form, session.clone())),
            _ => Err(Box::new(self.page_expired())),
        }
    }

    /// The response with Laravel's own status and reason phrase.
    fn page_expired(&self) -> Answer {
        let status = StatusCode::from_u16(419).expect("419 is between 100 and 999");
        let text = "The form's token does not belong to the session. Load the page again.";
        let mut answer = self.refuse(status, "Page Expired", text);
        answer.extensions_mut().insert(ReasonPhrase::from_static(b"Page Expired"));
        answer
    }

    /// Makes an error response: JSON if the client accepts it, otherwise a page without scripts and cookies.
    fn refuse(&self, status: StatusCode, title: &str, text: &str) -> Answer {
        let accept = self.parts.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
        let wants_json = accept.is_some_and(|accept| accept.contains("application/json"));
        if wants_json || self.parts.uri.path().starts_with("/api/") {
            return json(status, &json!({ "message": title }));
        }
        self.html(
            status,
            title,
            self.session.as_ref(),
            pages::problem(&format!("{} {title}", status.as_u16()), text),
        )
    }

    fn html(
        &self,
        status: StatusCode,
        title: &str,
        session: Option<&Session>,
        main: String,
    ) -> Answer {
        let path = self.parts.uri.path();
        let nonce = random_text();
        let has_script = status == StatusCode::OK && !WITHOUT_SCRIPT.contains(&path);
        let organization = self.organization;
        let frame = pages::Frame { organization, session, path, nonce: &nonce, has_script };
        let mut answer = full(status, "text/html; charset=utf-8", frame.render(title, main));
        let policy = format!(
            "default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'nonce-{nonce}'; \
             img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'"
        );
        put(&mut answer, header::CONTENT_SECURITY_POLICY, &policy);
        answer
    }
}

const MAX_FORM_BYTES: usize = 64 * 1024;
const WITHOUT_SCRIPT: [&str; 2] = ["/map-builder/help", "/privacy"];

/// The fields of a form (`application/x-www-form-urlencoded`), or of a query.
struct Form(Vec<(String, String)>);

impl Form {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn read_form(bytes: &[u8]) -> Form {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    let content = String::from_utf8_lossy(bytes);
    let pairs = content.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    Form(pairs.map(|(name, value)| (decode(name), decode(value))).collect())
}

fn text(status: StatusCode, text: &str) -> Answer {
    full(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

fn json(status: StatusCode, value: &serde_json::Value) -> Answer {
    full(status, "application/json", format!("{value}\n"))
}

fn redirect(location: &str) -> Answer {
    let mut answer = text(StatusCode::FOUND, "see /");
    put(&mut answer, header::LOCATION, location);
    answer
}

fn full(status: StatusCode, content_type: &str, content: String) -> Answer {
    let mut answer = Response::new(Either::Left(Full::from(content)));
    *answer.status_mut() = status;
    put(&mut answer, header::CONTENT_TYPE, content_type);
    put(&mut answer, header::CACHE_CONTROL, "no-cache, private");
    put(&mut answer, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    answer
}

fn put(answer: &mut Answer, name: HeaderName, value: &str) {
    answer.headers_mut().insert(name, field_value(value));
}

fn set_cookie(answer: &mut Answer, field: &str) {
    answer.headers_mut().append(header::SET_COOKIE, field_value(field));
}

fn field_value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("every field here is printable ASCII, the host included")
}

/// A stream of server-sent events with a counter.
pub(super) struct Live {
    interval: Interval,
    count: u64,
}

impl Body for Live {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        ready!(self.interval.poll_tick(context));
        self.count += 1;
        let event = format!("event: tick\nid: {0}\ndata: {0}\n\n", self.count);
        Poll::Ready(Some(Ok(Frame::data(event.into()))))
    }
}
