//! Spans on their way to the collector: OTLP over HTTP, as protobuf, some at a time.
//!
//! A collector that is slow, silent or gone costs spans and nothing else: they are counted, and told once a minute.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use prost::Message;
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{Instant, sleep_until, timeout},
};
use tracing::warn;

use super::{
    Queue,
    message::{ExportRequest, ExportResponse},
    span::Followed,
};
use crate::metrics::SpanLoss;
use crumbgate_config::Collector;

/// Why spans did not reach the collector.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("it can't be reached")]
    Connect(#[source] io::Error),
    #[error("it broke off or sent no HTTP answer")]
    Http(#[from] hyper::Error),
    #[error("it did not answer in time")]
    Late,
    #[error("its answer is too long, or no message")]
    Malformed,
    #[error("it answered {0}")]
    Refused(StatusCode),
    #[error("its host or path is none that a request can have")]
    Unsayable(#[from] http::Error),
}

/// Posts what comes out of the queue, until all that feeds it is gone, or it is `stopped`, and the last of it is posted.
pub async fn export(mut queue: Queue, mut stopped: oneshot::Receiver<()>) {
    let mut complaint = Complaint::default();
    while let Some(exchanges) = gather(&mut queue, &mut stopped).await {
        let spans: u64 = exchanges.iter().map(Followed::spans).sum();
        let message = ExportRequest::of(&exchanges).encode_to_vec();
        let posted = timeout(PATIENCE, post(&queue.collector, message.into()));
        match posted.await.unwrap_or(Err(Error::Late)) {
            Ok(rejected) => {
                let rejected = rejected.min(spans);
                queue.spans.count_exported(spans - rejected);
                queue.spans.count_lost(SpanLoss::Collector, rejected);
                complaint.add(&queue.collector, rejected, None);
            }
            Err(error) => {
                queue.spans.count_lost(SpanLoss::Collector, spans);
                complaint.add(&queue.collector, spans, Some(&error));
            }
        }
    }
}

/// The exchanges that end within a while; none when there will be no more.
async fn gather(queue: &mut Queue, stopped: &mut oneshot::Receiver<()>) -> Option<Vec<Followed>> {
    let mut exchanges = Vec::new();
    let mut deadline = None;
    while exchanges.len() < BATCH {
        let room = BATCH - exchanges.len();
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        let gathered = tokio::select! {
            biased;
            gathered = queue.ended.recv_many(&mut exchanges, room) => gathered,
            // A stop closes the queue: what is in it still comes out, and then nothing more.
            _ = &mut *stopped, if !queue.ended.is_closed() => {
                queue.ended.close();
                continue;
            }
            () = late => break,
        };
        if gathered == 0 {
            break;
        }
        deadline.get_or_insert_with(|| Instant::now() + GATHERING);
    }
    if exchanges.is_empty() { None } else { Some(exchanges) }
}

/// Posts a message on a connection of its own; returns how many of its spans the collector has not taken.
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
        let body = Limited::new(answer.into_body(), ANSWER_BYTES).collect().await;
        let body = body.map_err(|_| Error::Malformed)?.to_bytes();
        let answer = ExportResponse::decode(body).map_err(|_| Error::Malformed)?;
        Ok(answer.rejected())
    };
    // The connection ends with its sender; what it suffers, the answer tells.
    let (_, answered) = tokio::join!(connection, answered);
    answered
}

/// Tells what is lost, once in a while.
#[derive(Debug, Default)]
struct Complaint {
    told_at: Option<Instant>,
    lost: u64,
}

impl Complaint {
    fn add(&mut self, collector: &Collector, lost: u64, error: Option<&Error>) {
        self.lost += lost;
        if self.lost == 0 || self.told_at.is_some_and(|at| at.elapsed() < QUIET) {
            return;
        }
        let reason = error.map_or("it did not take all of them".to_owned(), ToString::to_string);
        let cause = error.and_then(std::error::Error::source).map(ToString::to_string);
        warn!(%collector, reason, cause, lost = self.lost, "spans of traces can't be exported; they are dropped");
        self.told_at = Some(Instant::now());
        self.lost = 0;
    }
}

/// How many exchanges are posted at once.
const BATCH: usize = 512;

/// How long the first of them waits for others.
const GATHERING: Duration = Duration::from_secs(1);

/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long nothing is said after a complaint.
const QUIET: Duration = Duration::from_mins(1);

/// An answer has one number and a sentence.
const ANSWER_BYTES: usize = 64 * 1024;

const PROTOBUF: &str = "application/x-protobuf";
