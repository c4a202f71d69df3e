//! Connections to the API: TLS, HTTP/1.1, the guard, the routes, and their limits.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, Request, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, WWW_AUTHENTICATE,
        X_CONTENT_TYPE_OPTIONS,
    },
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use tracing::{debug, error, warn};

use super::{
    deadline::WriteDeadline,
    gate::Gate,
    guard::Door,
    listener::{Accepted, AsyncListener},
    problem::Problem,
};

/// The routes, and the runtime on which requests to them run.
#[derive(Clone)]
pub(super) struct Api {
    pub(super) router: Router,
    pub(super) runtime: Handle,
}

/// Accepts connections until `stopped` becomes true, then finishes the open ones.
pub(super) async fn serve(
    listener: AsyncListener,
    api: Api,
    gate: Arc<Gate>,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Beyond the limit, new connections wait in the system's accept queue. Each open connection has time limits
        // for its request's head and for reading the response, so permits become free again.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok(accepted) => {
                let (api, gate, stopped) = (api.clone(), Arc::clone(&gate), stopped.clone());
                connections.spawn(async move {
                    connect(accepted, api, gate, stopped).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "a connection to the admin listener can't be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// The pause after a failed accept, which would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

async fn connect(accepted: Accepted, api: Api, gate: Arc<Gate>, stopped: watch::Receiver<bool>) {
    let acceptor = gate.rules().tls.clone().filter(|_| matches!(accepted, Accepted::Tcp(_)));
    let Ok(door) = accepted.door(acceptor.is_some()) else { return };
    let served = match (accepted, acceptor) {
        (Accepted::Tcp(stream), Some(acceptor)) => {
            // A client without TLS is disconnected.
            let accepted =
                TlsAcceptor::from(acceptor).accept(WriteDeadline::new(stream, WRITE_TIMEOUT));
            let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, accepted).await else { return };
            answer_all(stream, door, api, gate, stopped).await
        }
        (Accepted::Tcp(stream), None) => {
            answer_all(WriteDeadline::new(stream, WRITE_TIMEOUT), door, api, gate, stopped).await
        }
        (Accepted::Unix(stream), _) => {
            answer_all(WriteDeadline::new(stream, WRITE_TIMEOUT), door, api, gate, stopped).await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection to the admin listener ended early");
    }
}

async fn answer_all(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    door: Door,
    api: Api,
    gate: Arc<Gate>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let (api, gate) = (api.clone(), Arc::clone(&gate));
        async move { Ok::<_, Infallible>(secured(answer(request, door, api, &gate).await)) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        served = &mut connection => return served,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    // A client that has just connected is about to send its request.
    if let Ok(served) = timeout(GRACE, &mut connection).await {
        return served;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Answers one request, with an error response after [`REQUEST_TIMEOUT`].
async fn answer(request: Request<Incoming>, door: Door, api: Api, gate: &Gate) -> Response {
    let (mut head, body) = request.into_parts();
    let caller = match gate.rules().guard.admit(&head, door) {
        Ok(caller) => caller,
        Err(problem) => return refused(problem),
    };
    let body = match read(&head, body).await {
        Ok(body) => body,
        Err(problem) => return refused(problem),
    };
    head.extensions.insert(caller);
    let mut router = api.router;
    let routed = router.call(Request::from_parts(head, Body::from(body)));
    // In a task of its own: a request that has begun is finished even if its client disconnects, and a panic ends this
    // request only.
    let task = api.runtime.spawn(routed);
    match timeout(REQUEST_TIMEOUT, task).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(panic)) => {
            error!(%panic, "a request to the admin listener panicked: please report it");
            let detail = "the request failed because of a bug in the gateway; its log says more";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
        Err(_) => {
            let detail = format!("no answer within {} s", REQUEST_TIMEOUT.as_secs());
            let help = "the operation continues; check its result later";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).help(help).into_response()
        }
    }
}

/// Adds the `WWW-Authenticate` challenge to a 401.
fn refused(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"crumbgate\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Reads a body, up to a size and a time limit.
async fn read(head: &Parts, body: Incoming) -> Result<Bytes, Problem> {
    let is_batch = head.uri.path() == BATCH;
    let limit = if is_batch { MAX_BATCH_BYTES } else { MAX_BODY_BYTES };
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("the body has more than {limit} bytes");
            let help = "send several batches";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).help(help))
        }
        Ok(Err(error)) => {
            let detail = format!("the body ended early: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
        Err(_) => {
            let detail = format!("the body did not end within {} s", BODY_TIMEOUT.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// Adds headers that forbid caching and use by pages of other origins.
fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY_FIELDS {
        // The dashboard's page sets its own content security policy.
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

const SECURITY_FIELDS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

/// The time for a request to arrive on open connections after the listener was moved or handed over.
const GRACE: Duration = Duration::from_secs(1);
/// The limit of open connections.
const MAX_CONNECTIONS: usize = 128;
/// The limit for a TLS handshake, for a request's head, and for the pause between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The limit for a client that reads nothing of its response.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_FIELDS: usize = 64;
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The path of the route whose body may have [`MAX_BATCH_BYTES`].
pub(super) const BATCH: &str = "/v1/tenants/batch";
/// Enough for some hundred thousand changes.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
