//! Active checks: a request is sent to each server at intervals, on a new connection, and its answer decides whether the
//! server is up or down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tracing::{debug, info, warn};

use super::{
    super::{limits, random},
    connect::{ConnectError, connect},
    state::{Check, ServerState, UpstreamState},
    stream::UpstreamIo,
};
use crumbgate_base::error::with_causes;
use crumbgate_config::{Health, ServerAddress};

/// Checks the servers of an upstream as its `health` table configures; returns at once if it has none. Dropping the
/// future ends all checks.
pub async fn check_health(shared: Arc<UpstreamState>) {
    let mut checks = JoinSet::new();
    for server in shared.servers() {
        checks.spawn(check_server(Arc::clone(&shared), Arc::clone(server)));
    }
    while checks.join_next().await.is_some() {}
}

async fn check_server(shared: Arc<UpstreamState>, server: Arc<ServerState>) {
    let Some(health) = &shared.settings().health else { return };
    let mut spread = FIRST_SPREAD;
    loop {
        let at = Instant::now();
        if let Some(check) = check(&shared, &server, health).await {
            note(&shared, &server, check, health);
        }
        let next = at + spread.of(health.interval);
        sleep_until(next.into()).await;
        spread = SPREAD;
    }
}

/// Checks a server once. `None` if the gateway has no means to connect, which says nothing about the server.
async fn check(shared: &UpstreamState, server: &ServerState, health: &Health) -> Option<Check> {
    let at = Instant::now();
    let answer = timeout(health.timeout, request_status(shared, server.address(), health)).await;
    let status = answer.unwrap_or(Err(CheckError::Late));
    let healthy = status.as_ref().is_ok_and(|s| s.is_success() || s.is_redirection());
    let mut outcome = match status {
        Ok(status) => status.as_u16().to_string(),
        Err(CheckError::Connect(error)) if error.is_own() => return None,
        Err(error) => with_causes(&error),
    };
    outcome.truncate(outcome.floor_char_boundary(Check::OUTCOME_BYTES));
    Some(Check { at, took: at.elapsed(), healthy, outcome })
}

fn note(shared: &UpstreamState, server: &ServerState, check: Check, health: &Health) {
    let (upstream, outcome) = (shared.name(), check.outcome.clone());
    let was_known = server.is_up().is_some();
    match server.health().note_check(check, health.fall, health.rise) {
        Some(false) => {
            warn!(upstream, server = %server.address(), outcome, "an upstream server is down");
        }
        Some(true) => {
            // A server that has come up is no longer ejected either.
            server.health().ejection.forget();
            if was_known {
                info!(upstream, server = %server.address(), "an upstream server is up again");
            }
        }
        None => {
            debug!(upstream, server = %server.address(), outcome, "an upstream server was checked")
        }
    }
}

/// The reason that a check got no answer.
#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("no connection")]
    Connect(#[source] ConnectError),
    #[error("not an HTTP response")]
    Http(#[from] hyper::Error),
    #[error("no response in time")]
    Late,
    #[error("the host or path is invalid in a request")]
    Invalid(#[from] http::Error),
}

async fn request_status(
    shared: &UpstreamState,
    address: &ServerAddress,
    health: &Health,
) -> Result<StatusCode, CheckError> {
    let request = Request::get(health.path.as_str())
        .header(header::HOST, host(address, health))
        .header(header::USER_AGENT, USER_AGENT)
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())?;
    let connecting = timeout(shared.settings().connect_timeout, connect(address, shared.tls()));
    let connected = connecting.await.unwrap_or(Err(ConnectError::Late));
    let stream = connected.map_err(CheckError::Connect)?;
    let mut builder = http1::Builder::new();
    builder.max_headers(limits::RESPONSE_FIELDS).max_buf_size(limits::RESPONSE_HEAD_BYTES);
    let io = TokioIo::new(UpstreamIo::alone(stream));
    let (mut sender, connection) = builder.handshake(io).await?;
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        read_out(response.into_body()).await;
        Ok(status)
    };
    tokio::select! {
        biased;
        answer = answer => answer,
        // If the connection ends first, the answer reports why: wait for it.
        never = async { drop(connection.await); std::future::pending().await } => never,
    }
}

/// Reads the body up to a limit, so that the server does not log an aborted request.
async fn read_out(mut body: Incoming) {
    let mut left = MAX_BODY_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let bytes = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(bytes) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

fn host(address: &ServerAddress, health: &Health) -> String {
    let own = match address {
        ServerAddress::Plain { .. } | ServerAddress::Tls { .. } => {
            let address = address.to_string();
            address.split_once("://").map(|(_, authority)| authority.to_owned())
        }
        ServerAddress::Unix(_) => None,
    };
    health.host.clone().or(own).unwrap_or_else(|| "localhost".to_owned())
}

/// Random factor of the interval, in hundredths, which keeps the checks of many servers and gateways from coinciding.
#[derive(Clone, Copy)]
struct Spread {
    from: u32,
    to: u32,
}

impl Spread {
    fn of(self, interval: Duration) -> Duration {
        let width = self.to - self.from + 1;
        let hundredths = self.from + u32::from_ne_bytes(random()) % width;
        interval * hundredths / 100
    }
}

const FIRST_SPREAD: Spread = Spread { from: 50, to: 100 };

const SPREAD: Spread = Spread { from: 95, to: 105 };

/// Number of bytes read of a body.
const MAX_BODY_BYTES: usize = 64 * 1024;

const USER_AGENT: HeaderValue = HeaderValue::from_static("crumbgate-health");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_spread() {
        let interval = Duration::from_secs(10);
        for _ in 0..1000 {
            let first = FIRST_SPREAD.of(interval).as_millis();
            assert!((5000..=10_000).contains(&first), "{first}");
            let next = SPREAD.of(interval).as_millis();
            assert!((9500..=10_500).contains(&next), "{next}");
        }
    }

    #[test]
    fn a_check_sends_the_authority_of_its_server() {
        let mut health = Health::default();
        let plain = ServerAddress::Plain { host: "::1".to_owned(), port: 80 };
        assert_eq!(host(&plain, &health), "[::1]:80");
        assert_eq!(host(&ServerAddress::Unix("/a".into()), &health), "localhost");
        health.host = Some("acme.example".to_owned());
        assert_eq!(host(&plain, &health), "acme.example");
    }
}
