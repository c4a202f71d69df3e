//! The application behind the gateway: raw TCP, so that it can answer anything at all, also what no HTTP server would.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A scripted application. It stops when dropped.
pub(crate) struct App {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

/// A request as it arrived, byte for byte.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// The number of the application's connection that it arrived on, counted from 0.
    pub(crate) connection: usize,
    /// The request line and the fields, with line ends as they came.
    pub(crate) head: String,
    /// The body, with a chunked one decoded (without its trailers).
    pub(crate) body: Vec<u8>,
    /// The trailers of a chunked body.
    pub(crate) trailers: String,
}

impl Received {
    /// The target of the request line.
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    /// The method of the request line.
    pub(crate) fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The values of all fields of this name (lower case), in order.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let fields = lines.filter_map(|line| line.split_once(':'));
        let named = fields.filter(|(field, _)| field.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }

    /// The one field of this name; none where there is none.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let fields = self.fields(name);
        assert!(fields.len() <= 1, "{name} came {} times", fields.len());
        fields.first().copied()
    }
}

/// An answer of 200 with these fields (lines without line ends) and a body.
pub(crate) fn ok(fields: &[&str], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n", body.len());
    for field in fields {
        head.push_str(field);
        head.push_str("\r\n");
    }
    format!("{head}\r\n{body}").into_bytes()
}

impl App {
    /// An application that answers each path with these fields, 200 and a small body; any other path with 404.
    pub(crate) async fn answering(paths: &[(&str, &[&str])]) -> Self {
        let paths: Vec<_> =
            paths.iter().map(|(path, fields)| (path.to_string(), ok(fields, "hello"))).collect();
        Self::replying(move |request| {
            let path = request.target().split('?').next().unwrap_or_default();
            let answer =
                paths.iter().find(|(known, _)| known == path).map(|(_, answer)| answer.clone());
            answer
                .unwrap_or_else(|| b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec())
        })
        .await
    }

    /// An application that answers each request with the bytes that `reply` gives. The connection stays open.
    pub(crate) async fn replying(
        reply: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let reply = Arc::new(reply);
        Self::serving(move |mut stream, number, received| {
            let reply = Arc::clone(&reply);
            async move {
                let mut buffer = Vec::new();
                while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                    let answer = reply(&request);
                    received.lock().unwrap().push(request);
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// An application of which each connection is `serve`d by hand: the stream, its number from 0, and where to note
    /// what was received (see [`read_request`]).
    pub(crate) async fn serving<F, S>(serve: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream, usize, Arc<Mutex<Vec<Received>>>) -> F + Send + 'static,
    {
        Self::serving_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), serve)
    }

    /// The same, on a listener that is there already.
    pub(crate) fn serving_on<F, S>(listener: TcpListener, serve: S) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
        S: Fn(TcpStream, usize, Arc<Mutex<Vec<Received>>>) -> F + Send + 'static,
    {
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (notes, count) = (Arc::clone(&received), Arc::clone(&connections));
        #[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
        let accepting = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let number = count.fetch_add(1, Ordering::SeqCst);
                open.spawn(serve(stream, number, Arc::clone(&notes)));
            }
        });
        Self { address, received, connections, accepting }
    }

    /// Kills it: when this returns, nobody listens any more, and all connections are closed.
    pub(crate) async fn kill(mut self) {
        self.accepting.abort();
        assert!((&mut self.accepting).await.is_err_and(|ended| ended.is_cancelled()));
    }

    /// The address at which it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The number of connections that were made to it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// The newest request.
    #[track_caller]
    pub(crate) fn last(&self) -> Received {
        self.received().pop().expect("the application received a request")
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads one whole request; what follows it stays in `buffer`. None when the peer has closed.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    connection: usize,
) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = find(buffer, b"\r\n\r\n") {
            break at + 4;
        }
        fill(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..head_end]).into_owned();
    buffer.drain(..head_end);
    let mut request = Received { connection, head, body: Vec::new(), trailers: String::new() };
    let length = request.field("content-length").map(|length| length.parse::<usize>().unwrap());
    if request.field("transfer-encoding").is_some() {
        read_chunked(stream, buffer, &mut request).await?;
    } else if let Some(length) = length {
        while buffer.len() < length {
            fill(stream, buffer).await?;
        }
        request.body = buffer.drain(..length).collect();
    }
    Some(request)
}

async fn read_chunked(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    request: &mut Received,
) -> Option<()> {
    loop {
        let line = read_line(stream, buffer).await?;
        let size = usize::from_str_radix(line.split(';').next().unwrap().trim(), 16).unwrap();
        if size == 0 {
            break;
        }
        while buffer.len() < size + 2 {
            fill(stream, buffer).await?;
        }
        request.body.extend(buffer.drain(..size));
        buffer.drain(..2);
    }
    loop {
        let line = read_line(stream, buffer).await?;
        if line.is_empty() {
            return Some(());
        }
        request.trailers.push_str(&line);
        request.trailers.push_str("\r\n");
    }
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(at) = find(buffer, b"\r\n") {
            let line = String::from_utf8_lossy(&buffer[..at]).into_owned();
            buffer.drain(..at + 2);
            return Some(line);
        }
        fill(stream, buffer).await?;
    }
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<()> {
    match stream.read_buf(buffer).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(()),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
