//! From a connection to an answer: TLS, HTTP/1.1, the guard, the routes; and the bounds of all of it.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
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
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use tower_service::Service;
use tracing::{debug, error, warn};

use super::{
    Gate, Shared,
    guard::Door,
    listener::{Accepted, Watched},
    patience::Patient,
    problem::Problem,
};

/// Accepts and answers until `stopped` says so; then finishes what is open.
pub(super) async fn serve(
    listener: Watched,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    mut stopped: watch::Receiver<bool>,
) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Those that wait for a place wait in the system's queue, until others have had theirs for too long: each that
        // has a place must send its head, and take its answer, or is cut.
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopped.wait_for(|stopped| *stopped) => break,
        };
        match accepted {
            Ok(accepted) => {
                let (shared, gate, stopped) =
                    (Arc::clone(&shared), Arc::clone(&gate), stopped.clone());
                connections.spawn(async move {
                    connect(accepted, shared, gate, stopped).await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!(%error, "a connection to the admin listener can't be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// After a failed accept: it would fail again at once.
const PAUSE: Duration = Duration::from_millis(50);

async fn connect(
    accepted: Accepted,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    stopped: watch::Receiver<bool>,
) {
    let acceptor = gate.entrance().tls.clone().filter(|_| matches!(accepted, Accepted::Tcp(_)));
    let Ok(door) = accepted.door(acceptor.is_some()) else { return };
    let served = match (accepted, acceptor) {
        (Accepted::Tcp(stream), Some(acceptor)) => {
            // Whoever speaks no TLS is gone.
            let accepted = TlsAcceptor::from(acceptor).accept(Patient::new(stream, WRITE_TIMEOUT));
            let Ok(Ok(stream)) = timeout(HEAD_TIMEOUT, accepted).await else { return };
            answer_all(stream, door, shared, gate, stopped).await
        }
        (Accepted::Tcp(stream), None) => {
            answer_all(Patient::new(stream, WRITE_TIMEOUT), door, shared, gate, stopped).await
        }
        (Accepted::Unix(stream), _) => {
            answer_all(Patient::new(stream, WRITE_TIMEOUT), door, shared, gate, stopped).await
        }
    };
    if let Err(error) = served {
        debug!(%error, "a connection to the admin listener ended early");
    }
}

async fn answer_all(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    door: Door,
    shared: Arc<Shared>,
    gate: Arc<Gate>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), hyper::Error> {
    let service = service_fn(|request| {
        let (shared, gate) = (Arc::clone(&shared), Arc::clone(&gate));
        async move { Ok::<_, Infallible>(secured(answer(request, door, &shared, &gate).await)) }
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
    // Whoever has just connected is about to ask.
    if let Ok(served) = timeout(GRACE, &mut connection).await {
        return served;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Answers one request; never fails, and never takes longer than [`REQUEST_TIMEOUT`].
async fn answer(
    request: Request<Incoming>,
    door: Door,
    shared: &Arc<Shared>,
    gate: &Gate,
) -> Response {
    let (mut head, body) = request.into_parts();
    let caller = match gate.entrance().guard.admit(&head, door) {
        Ok(caller) => caller,
        Err(problem) => return refused(problem),
    };
    let body = match read(&head, body).await {
        Ok(body) => body,
        Err(problem) => return refused(problem),
    };
    head.extensions.insert(caller);
    let routed = shared.router().call(Request::from_parts(head, Body::from(body)));
    // On a task of its own: what has begun is finished, also where nobody waits for its answer any more; and a panic
    // ends this request alone.
    let task = shared.control.runtime().spawn(routed);
    match timeout(REQUEST_TIMEOUT, task).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Err(panic)) => {
            error!(%panic, "a request to the admin listener failed by a panic: please report it");
            let detail = "the request failed by a fault of the gateway; its log says more";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
        }
        Err(_) => {
            let detail = format!("no answer within {} s", REQUEST_TIMEOUT.as_secs());
            let help = "what was asked for goes on; look at what came of it";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).help(help).into_response()
        }
    }
}

/// Says, where nobody has said who they are, how to.
fn refused(problem: Problem) -> Response {
    let mut response = problem.into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"crumbgate\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}

/// Reads a body, within bounds.
async fn read(head: &Parts, body: Incoming) -> Result<Bytes, Problem> {
    let is_batch = head.uri.path() == super::routes::BATCH;
    let limit = if is_batch { MAX_BATCH_BYTES } else { MAX_BODY_BYTES };
    let collected = timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("found a body of more than {limit} bytes");
            let help = "send several batches";
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail).help(help))
        }
        Ok(Err(error)) => {
            let detail = format!("the body broke off: {error}");
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
        Err(_) => {
            let detail = format!("the body did not end within {} s", BODY_TIMEOUT.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// Nothing of this is for pages of others, or to be kept.
fn secured(mut response: Response) -> Response {
    for (name, value) in SECURITY_FIELDS {
        // A page has a policy of its own.
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

/// How long connections may go on that have nothing to say, where the API is served elsewhere from now on.
const GRACE: Duration = Duration::from_secs(1);
/// Connections that are open at once.
const MAX_CONNECTIONS: usize = 128;
/// For a TLS handshake, for a request's head, and between two requests.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client that takes nothing of its answer.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(120);
const MAX_FIELDS: usize = 64;
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Some hundred thousand changes.
const MAX_BATCH_BYTES: usize = 16 * 1024 * 1024;
