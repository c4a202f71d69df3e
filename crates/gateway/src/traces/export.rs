//! Exports spans to the collector in batches, as OTLP over HTTP with protobuf.
//!
//! If the collector is slow, silent or unreachable, spans are lost and nothing else: they are counted, and a warning is
//! logged at most once a minute.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until, timeout},
};
use tracing::warn;

use super::{
    message::{ExportRequest, ExportResponse},
    span::TracedExchange,
};
use crate::metrics::{SpanLoss, Spans};
use crumbgate_config::Collector;

/// Ended exchanges that wait for [`export()`]. The queue ends when every [`Tracing`](super::Tracing) that sends to it is dropped.
#[derive(Debug)]
pub struct SpanQueue {
    ended: mpsc::Receiver<TracedExchange>,
    collector: Collector,
    spans: Arc<Spans>,
}

impl SpanQueue {
    pub(super) fn new(
        ended: mpsc::Receiver<TracedExchange>,
        collector: Collector,
        spans: Arc<Spans>,
    ) -> Self {
        Self { ended, collector, spans }
    }
}

/// The reason that spans did not reach the collector.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("the collector can't be reached")]
    Connect(#[source] io::Error),
    #[error("the collector closed the connection or did not speak HTTP")]
    Http(#[from] hyper::Error),
    #[error("the collector did not answer in time")]
    Late,
    #[error("the collector's answer is too long or no valid message")]
    Malformed,
    #[error("the collector answered {0}")]
    Refused(StatusCode),
    #[error("the collector's host or path is invalid in a request")]
    Invalid(#[from] http::Error),
}

/// Posts the queued exchanges until the queue has no senders left or `stopped` fires; then posts the last ones and returns.
pub async fn export(mut queue: SpanQueue, mut stopped: oneshot::Receiver<()>) {
    let mut warning = LossWarning::default();
    while let Some(exchanges) = gather(&mut queue, &mut stopped).await {
        let spans: u64 = exchanges.iter().map(TracedExchange::spans).sum();
        let message = ExportRequest::of(&exchanges).encode_to_vec();
        let posted = timeout(POST_TIMEOUT, post(&queue.collector, message.into()));
        match posted.await.unwrap_or(Err(Error::Late)) {
            Ok(rejected) => {
                let rejected = rejected.min(spans);
                queue.spans.count_exported(spans - rejected);
                queue.spans.count_lost(SpanLoss::Collector, rejected);
                warning.add(&queue.collector, rejected, None);
            }
            Err(error) => {
                queue.spans.count_lost(SpanLoss::Collector, spans);
                warning.add(&queue.collector, spans, Some(&error));
            }
        }
    }
}

/// The exchanges that end within `GATHER_TIME`; `None` when no more will come.
async fn gather(
    queue: &mut SpanQueue,
    stopped: &mut oneshot::Receiver<()>,
) -> Option<Vec<TracedExchange>> {
    let mut exchanges = Vec::new();
    let mut deadline = None;
    while exchanges.len() < MAX_BATCH_EXCHANGES {
        let room = MAX_BATCH_EXCHANGES - exchanges.len();
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let gathered = tokio::select! {
            biased;
            gathered = queue.ended.recv_many(&mut exchanges, room) => gathered,
            // A stop closes the queue; the exchanges in it can still be received.
            _ = &mut *stopped, if !queue.ended.is_closed() => {
                queue.ended.close();
                continue;
            }
            () = late => break,
        };
        if gathered == 0 {
            break;
        }
        deadline.get_or_insert_with(|| Instant::now() + GATHER_TIME);
    }
    if exchanges.is_empty() { None } else { Some(exchanges) }
}

/// Posts a message on a new connection; returns the number of its spans that the collector rejected.
async fn post(collector: &Collector, message: Bytes) -> Result<u64, Error> {
    let Collector { host, port, path } = collector;
    let stream = TcpStream::connect((&**host, *port)).await.map_err(Error::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let authority =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let request = Request::post(path.as_str())
        .header(header::HOST, authority)
        .header(header::USER_AGENT, concat!("crumbgate/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, PROTOBUF)
        .header(header::CONNECTION, "close")
        .body(Full::new(message))?;
    let answered = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Error::Refused(status));
        }
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| Error::Malformed)?.to_bytes();
        let answer = ExportResponse::decode(body).map_err(|_| Error::Malformed)?;
        Ok(answer.rejected())
    };
    // The connection ends with its sender; its errors are part of the answer's error.
    let (_, answered) = tokio::join!(connection, answered);
    answered
}

/// Logs lost spans, at most once per `WARNING_INTERVAL`.
#[derive(Debug, Default)]
struct LossWarning {
    warned_at: Option<Instant>,
    lost: u64,
}

impl LossWarning {
    fn add(&mut self, collector: &Collector, lost: u64, error: Option<&Error>) {
        self.lost += lost;
        if self.lost == 0 || self.warned_at.is_some_and(|at| at.elapsed() < WARNING_INTERVAL) {
            return;
        }
        let reason = error.map_or("the collector rejected some".to_owned(), ToString::to_string);
        let cause = error.and_then(std::error::Error::source).map(ToString::to_string);
        warn!(%collector, reason, cause, lost = self.lost, "trace spans can't be exported; they are dropped");
        self.warned_at = Some(Instant::now());
        self.lost = 0;
    }
}

/// Number of exchanges in one message.
const MAX_BATCH_EXCHANGES: usize = 512;

/// Time for which the first exchange of a message waits for others.
const GATHER_TIME: Duration = Duration::from_secs(1);

/// Time limit of one post.
const POST_TIMEOUT: Duration = Duration::from_secs(10);

/// Shortest time between two warnings.
const WARNING_INTERVAL: Duration = Duration::from_mins(1);

/// Size limit of an answer, which has one number and a sentence.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

const PROTOBUF: &str = "application/x-protobuf";
