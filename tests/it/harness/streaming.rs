//! A client whose requests have bodies that the test feeds part by part, and whose answers it reads likewise.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, request::Builder};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn, rt::Executor};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    task::{AbortHandle, JoinHandle},
};
use tokio_rustls::client::TlsStream;

use super::{CONDITION_TIMEOUT, Http, Running};

/// One connection of such a client.
pub(crate) struct Streaming {
    sender: Sender,
    tasks: Tasks,
}

/// The task that drives a connection.
#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<Vec<AbortHandle>>>);

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Tasks {
    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    fn execute(&self, task: F) {
        self.0.lock().unwrap().push(tokio::spawn(task).abort_handle());
    }
}

enum Sender {
    One(conn::http1::SendRequest<Fed>),
    Two(conn::http2::SendRequest<Fed>),
}

/// The sending half of a request's body. Dropped, it ends the body.
pub(crate) struct Feed(mpsc::Sender<io::Result<Frame<Bytes>>>);

/// An answer that is on its way. Dropped, the request goes on unheard.
pub(crate) type Coming = JoinHandle<hyper::Result<Response<Incoming>>>;

impl Streaming {
    pub(crate) async fn over(io: TlsStream<TcpStream>, http: Http) -> Self {
        let (io, tasks) = (TokioIo::new(io), Tasks::default());
        let sender = match http {
            Http::One => {
                let (sender, connection) = conn::http1::handshake(io).await.unwrap();
                tasks.execute(connection.with_upgrades());
                Sender::One(sender)
            }
            Http::Two => {
                let (sender, connection) = conn::http2::handshake(tasks.clone(), io).await.unwrap();
                tasks.execute(connection);
                Sender::Two(sender)
            }
        };
        Self { sender, tasks }
    }

    /// Sends a request's head; its body is fed, its answer awaited, by the two that are returned.
    pub(crate) async fn send(&mut self, request: Builder) -> (Feed, Coming) {
        let (feed, fed) = mpsc::channel(1);
        let coming = self.dispatch(request.body(Fed(Some(fed))).unwrap()).await;
        (Feed(feed), coming)
    }

    /// Sends a request without a body.
    pub(crate) async fn begin(&mut self, request: Builder) -> Coming {
        self.dispatch(request.body(Fed(None)).unwrap()).await
    }

    /// Sends a request without a body and waits for its answer.
    pub(crate) async fn get(&mut self, request: Builder) -> Response<Incoming> {
        head_of(self.begin(request).await).await
    }

    #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
    async fn dispatch(&mut self, request: Request<Fed>) -> Coming {
        match &mut self.sender {
            Sender::One(sender) => {
                sender.ready().await.unwrap();
                tokio::spawn(sender.send_request(request))
            }
            Sender::Two(sender) => {
                sender.ready().await.unwrap();
                tokio::spawn(sender.send_request(request))
            }
        }
    }

    /// Closes the connection without a word.
    pub(crate) fn cut(self) {
        self.tasks.0.lock().unwrap().iter().for_each(AbortHandle::abort);
    }
}

/// Waits for the answer's head.
pub(crate) async fn head_of(coming: Coming) -> Response<Incoming> {
    let answer = tokio::time::timeout(CONDITION_TIMEOUT, coming).await.expect("an answer comes");
    answer.unwrap().unwrap()
}

/// The next part of a body, or none at its end; trailers are no part.
pub(crate) async fn next_part(body: &mut Incoming) -> hyper::Result<Option<Bytes>> {
    let next = tokio::time::timeout(CONDITION_TIMEOUT, body.frame()).await.expect("a part comes");
    Ok(next.transpose()?.and_then(|frame| frame.into_data().ok()))
}

/// Reads a body to its end, and counts.
pub(crate) async fn count(mut body: Incoming) -> hyper::Result<usize> {
    let mut bytes = 0;
    while let Some(part) = next_part(&mut body).await? {
        bytes += part.len();
    }
    Ok(bytes)
}

impl Feed {
    /// Sends a part, as soon as the one before was taken; false when nobody takes any more.
    pub(crate) async fn part(&self, bytes: impl Into<Bytes>) -> bool {
        self.0.send(Ok(Frame::data(bytes.into()))).await.is_ok()
    }

    /// True once the receiver has stopped reading.
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_closed()
    }

    /// Ends the body with these trailers.
    pub(crate) async fn trailers(self, trailers: HeaderMap) {
        self.0.send(Ok(Frame::trailers(trailers))).await.unwrap();
    }

    /// Breaks the body off.
    pub(crate) async fn abort(self) {
        let _ = self.0.send(Err(io::Error::other("the test breaks off"))).await;
    }
}

pub(crate) struct Fed(Option<mpsc::Receiver<io::Result<Frame<Bytes>>>>);

impl Body for Fed {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.as_mut().map_or(Poll::Ready(None), |parts| parts.poll_recv(context))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }
}

impl Running {
    /// Such a client of [`super::ACME`].
    pub(crate) async fn streaming(&self, http: Http) -> Streaming {
        Streaming::over(self.tls(http).await, http).await
    }
}
