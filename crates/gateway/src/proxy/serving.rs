//! A downstream connection from accept to close: TLS, then HTTP/1.1 or HTTP/2; or plain HTTP with a redirect.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::{
    connection::{Kind, Order, Registered, Watched},
    delivery,
    downstream::Downstream,
    forwarded::Origin,
    limits as bounds, redirect,
    socket::Socket,
    worker::{AFTER_CUT, Permit, Worker},
};
use crate::metrics::{CutCause, Handshake, TlsVersion};
use crumbgate_config::Limits;

impl Worker {
    /// Serves the application over TLS.
    pub(super) async fn serve_tls(
        self: Rc<Self>,
        stream: TcpStream,
        peer: SocketAddr,
        connection: Registered,
        permit: Permit,
    ) {
        // Boxed, so that the handshake's memory is freed before the connection is served.
        let shaken = Box::pin(self.shake_hands(stream, &connection)).await;
        let Some(stream) = shaken else { return };
        let session = stream.get_ref().1;
        self.metrics.count_handshake(done(session));
        let http2 = session.alpn_protocol() == Some(b"h2");
        let server_name = session.server_name().map(|name| name.to_ascii_lowercase().into());
        let downstream = Rc::new(Downstream {
            worker: Rc::clone(&self),
            origin: Origin::new(canonical(peer.ip())),
            server_name,
            activity: Arc::clone(connection.activity()),
            permit: Rc::new(permit),
        });
        let io = TokioIo::new(Watched::new(stream, Arc::clone(connection.activity())));
        if http2 {
            connection.becomes(Kind::Http2);
            if downstream.permit.refused {
                connection.drain();
            }
            // Boxed, like HTTP/1.1, so that it does not enlarge the future of every connection.
            Box::pin(serve_http2(io, downstream, &connection)).await;
        } else {
            connection.becomes(Kind::Http1);
            serve_http1(io, downstream, &connection).await;
        }
    }

    /// Performs the TLS handshake; `None` if it fails.
    async fn shake_hands(
        &self,
        stream: TcpStream,
        connection: &Registered,
    ) -> Option<Box<TlsStream<Socket<TcpStream>>>> {
        // A short borrow: a long-lived connection must not keep an old configuration alive.
        let (tls, handshake_timeout) = {
            let config = self.config();
            let tls = config.snapshot.tls.clone()?;
            (tls, config.limits().handshake_timeout)
        };
        let mut accept = pin!(tls.accept(Socket::new(stream)).into_fallible());
        let handshake = obey(connection, |context, _| accept.as_mut().poll(context));
        match timeout(handshake_timeout, handshake).await {
            Ok(Ended::Itself(Ok(stream))) => return Some(Box::new(stream)),
            Ok(Ended::Itself(Err((error, stream)))) => {
                self.metrics.count_handshake(failed(&error));
                debug!(%error, "a TLS handshake failed");
                let _ = timeout(AFTER_CUT, close_after_alert(stream)).await;
            }
            Ok(Ended::Cut(cause)) => {
                self.metrics.count_handshake(Handshake::Cut);
                debug!(?cause, "a TLS handshake was cut");
            }
            Err(_) => {
                self.metrics.count_handshake(Handshake::Late);
                debug!("a TLS handshake took too long");
            }
        }
        None
    }

    /// Redirects to https.
    pub(super) async fn serve_plain(
        self: Rc<Self>,
        stream: TcpStream,
        connection: Registered,
        permit: Permit,
    ) {
        connection.becomes(Kind::Http1);
        let activity = connection.activity();
        let Ok(port) = stream.local_addr().map(|address| address.port()) else { return };
        let io = TokioIo::new(Watched::new(stream, Arc::clone(activity)));
        let refused = permit.refused;
        let service =
            service_fn(|request| redirect::answer(&self, activity, port, refused, request));
        let serving = http1(self.config().limits()).serve_connection(io, service);
        let mut serving = pin!(serving);
        let ended = obey(&connection, |context, order| {
            if order == Order::Drain {
                serving.as_mut().graceful_shutdown();
            }
            serving.as_mut().poll(context)
        });
        if let Ended::Itself(Err(error)) = ended.await {
            debug!(%error, "a plain connection ended");
        }
        drop(permit);
    }
}

/// The metric of a successful handshake.
fn done(session: &ServerConnection) -> Handshake {
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
        // Older versions are not supported.
        _ => TlsVersion::V1_3,
    };
    let resumed = session.handshake_kind() == Some(HandshakeKind::Resumed);
    Handshake::Done { version, resumed }
}

/// The metric of a failed handshake. rustls reports protocol errors as invalid data; other errors are the connection's.
fn failed(error: &io::Error) -> Handshake {
    match error.kind() {
        io::ErrorKind::InvalidData => Handshake::Failed,
        _ => Handshake::GivenUp,
    }
}

/// Converts the IPv4-mapped address of a peer on an IPv6 socket to IPv4.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Boxed, because it is moved between functions, and is all that is kept of a resting connection.
type DownstreamIo = TokioIo<Watched<Box<TlsStream<Socket<TcpStream>>>>>;

/// Serves a connection. Between exchanges that are far apart, keeps nothing of it but its TLS session.
async fn serve_http1(mut io: DownstreamIo, downstream: Rc<Downstream>, connection: &Registered) {
    while let Some(resting) = Box::pin(serve_awake(io, &downstream, connection)).await {
        io = resting;
        if !rest(&mut io, connection).await {
            return;
        }
    }
}

/// Serves until the connection ends, or rests: then returns its I/O.
async fn serve_awake(
    io: DownstreamIo,
    downstream: &Rc<Downstream>,
    connection: &Registered,
) -> Option<DownstreamIo> {
    let limits = Arc::clone(downstream.worker.config().limits());
    let service = service_fn(|request| Rc::clone(downstream).receive(request));
    let mut serving = http1(&limits).serve_connection(io, service).with_upgrades();
    let ended = obey(connection, |context, order| {
        match order {
            Order::Rest if connection.may_rest() => return Poll::Ready(None),
            Order::Rest => connection.wake(),
            Order::Drain => Pin::new(&mut serving).graceful_shutdown(),
            Order::Cut(_) | Order::Serve => {}
        }
        Pin::new(&mut serving).poll(context).map(Some)
    });
    match ended.await {
        Ended::Itself(None) => {
            let parts = serving.into_parts()?;
            // After the first byte of a head the connection may not rest.
            debug_assert!(parts.read_buf.is_empty(), "it rests in the middle of a head");
            return parts.read_buf.is_empty().then_some(parts.io);
        }
        Ended::Itself(Some(Ok(()))) => {}
        Ended::Itself(Some(Err(error))) => debug!(%error, "a connection ended"),
        Ended::Cut(CutCause::Head) => {
            // No answer is being sent, so this one can't interrupt another.
            if let Some(parts) = serving.into_parts() {
                let _ = timeout(AFTER_CUT, say_request_timeout(parts.io.into_inner())).await;
            }
        }
        Ended::Cut(cause) => debug!(?cause, "a connection was cut"),
    }
    None
}

/// Waits for the next exchange; returns `false` if the connection is closed instead.
async fn rest(io: &mut DownstreamIo, connection: &Registered) -> bool {
    let waited = obey(connection, |context, order| match order {
        Order::Drain => Poll::Ready(Ok(false)),
        Order::Cut(_) | Order::Rest | Order::Serve => io.inner_mut().poll_readable(context),
    });
    let has_come = match waited.await {
        Ended::Itself(Ok(has_come)) => has_come,
        Ended::Itself(Err(error)) => {
            debug!(%error, "a connection ended");
            return false;
        }
        Ended::Cut(cause) => {
            debug!(?cause, "a connection was cut");
            return false;
        }
    };
    if has_come {
        connection.wake();
    } else {
        let closing =
            |context: &mut Context<'_>, _| Pin::new(io.inner_mut()).poll_shutdown(context);
        obey(connection, closing).await;
    }
    has_come
}

async fn serve_http2(io: DownstreamIo, downstream: Rc<Downstream>, connection: &Registered) {
    let limits = Arc::clone(downstream.worker.config().limits());
    let service = service_fn(move |request| Rc::clone(&downstream).receive(request));
    let executor = LocalExecutor { body_timeout: limits.body_timeout, min_rate: limits.min_rate };
    let mut builder = hyper::server::conn::http2::Builder::new(executor);
    let head_bytes = bounds::read_head_bytes(&limits);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(bounds::H2_PENDING_RESETS)
        .max_local_error_reset_streams(limits.h2_resets as usize)
        .max_send_buf_size(bounds::H2_SEND_BYTES)
        .enable_connect_protocol();
    let serving = builder.serve_connection(io, service);
    let mut serving = pin!(serving);
    let ended = obey(connection, |context, order| {
        if order == Order::Drain {
            serving.as_mut().graceful_shutdown();
        }
        serving.as_mut().poll(context)
    });
    match ended.await {
        Ended::Itself(Ok(())) => {}
        Ended::Itself(Err(error)) => debug!(%error, "a connection ended"),
        Ended::Cut(cause) => debug!(?cause, "a connection was cut"),
    }
}

fn http1(limits: &Limits) -> hyper::server::conn::http1::Builder {
    let head_bytes = bounds::read_head_bytes(limits);
    let mut builder = hyper::server::conn::http1::Builder::new();
    // The sweep enforces the head's timeout; hyper's timer would also count idle time.
    builder
        .header_read_timeout(None)
        .half_close(false)
        .max_header_size(head_bytes)
        .max_buf_size(head_bytes);
    // Up to hyper's default number, fields are parsed on the stack.
    if limits.head_fields != HYPER_HEAD_FIELDS {
        builder.max_headers(limits.head_fields);
    }
    builder
}

/// The way in which a connection ended.
enum Ended<T> {
    Cut(CutCause),
    Itself(T),
}

/// Polls a connection until it ends, and passes it each new order once.
async fn obey<T>(
    connection: &Registered,
    mut poll: impl FnMut(&mut Context<'_>, Order) -> Poll<T>,
) -> Ended<T> {
    let mut known = Order::Serve;
    std::future::poll_fn(|context| {
        let order = connection.poll_order(context);
        let news = if order == known { Order::Serve } else { order };
        known = order;
        match news {
            Order::Cut(cause) => Poll::Ready(Ended::Cut(cause)),
            Order::Drain | Order::Rest | Order::Serve => poll(context, news).map(Ended::Itself),
        }
    })
    .await
}

/// Closes a connection whose handshake failed, after the client has closed it too: closing a socket with unread bytes would
/// destroy the alert that says why.
async fn close_after_alert(mut stream: Socket<TcpStream>) -> io::Result<()> {
    stream.shutdown().await?;
    let mut unread = [0; 4096];
    while stream.read(&mut unread).await? > 0 {}
    Ok(())
}

/// Answers 408 to a client whose head took too long (RFC 9110, section 15.5.9).
async fn say_request_timeout(mut io: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    io.write_all(REQUEST_TIMEOUT).await?;
    io.shutdown().await
}

const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Runs hyper's HTTP/2 tasks on the worker's thread, each as long as its client keeps reading.
#[derive(Clone, Copy)]
struct LocalExecutor {
    body_timeout: Duration,
    min_rate: u32,
}

impl<F: Future + 'static> hyper::rt::Executor<F> for LocalExecutor {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(delivery::deliver(task, self.body_timeout, self.min_rate));
    }
}

/// hyper's default limit on the number of header fields.
const HYPER_HEAD_FIELDS: usize = 100;
