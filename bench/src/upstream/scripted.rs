use std::{
    collections::VecDeque,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, UnixListener},
    task::JoinHandle,
};

use super::Place;
use crate::traffic::{self, Answer};

/// An application that remembers each head that reached it, and answers what [`traffic::answers`] says.
///
/// It takes requests without a body, over HTTP/1.1.
#[derive(Debug)]
pub struct Scripted {
    address: SocketAddr,
    socket: PathBuf,
    seen: Arc<Mutex<VecDeque<Seen>>>,
    tasks: [JoinHandle<()>; 2],
}

/// A request's head as it reached the application.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// The number of its connection, from 0.
    pub connection: usize,
    /// The head without its last empty line.
    pub head: String,
}

impl Seen {
    /// The values of all fields of this name, in their order.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        let named = lines.filter(|(found, _)| found.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.trim()).collect()
    }
}

impl Scripted {
    /// Listens on a TCP port that the system gives, and a Unix socket in this folder.
    pub async fn start(folder: &Path) -> Result<Self> {
        let tcp = TcpListener::bind("127.0.0.1:0").await?;
        let address = tcp.local_addr()?;
        let socket = folder.join("scripted.sock");
        let unix = UnixListener::bind(&socket)?;
        let seen = Arc::new(Mutex::new(VecDeque::new()));
        let connections = Arc::new(Mutex::new(0));
        let (one, other) = (Script::new(&seen, &connections), Script::new(&seen, &connections));
        let tasks = [
            tokio::task::spawn(async move {
                while let Ok((stream, _)) = tcp.accept().await {
                    one.serve(stream);
                }
            }),
            tokio::task::spawn(async move {
                while let Ok((stream, _)) = unix.accept().await {
                    other.serve(stream);
                }
            }),
        ];
        Ok(Self { address, socket, seen, tasks })
    }

    /// Its TCP port.
    pub fn tcp(&self) -> Place {
        Place::Tcp(self.address)
    }

    /// Its Unix socket.
    pub fn unix(&self) -> Place {
        Place::Unix(self.socket.clone())
    }

    /// Takes the oldest head that was not taken yet.
    pub fn take(&self) -> Option<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The state that the tasks of the connections share.
struct Script {
    seen: Arc<Mutex<VecDeque<Seen>>>,
    connections: Arc<Mutex<usize>>,
    answers: Arc<Vec<Answer>>,
}

impl Script {
    fn new(seen: &Arc<Mutex<VecDeque<Seen>>>, connections: &Arc<Mutex<usize>>) -> Self {
        let answers = Arc::new(traffic::answers());
        Self { seen: Arc::clone(seen), connections: Arc::clone(connections), answers }
    }

    fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let connection = {
            let mut count = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
            *count += 1;
            *count - 1
        };
        let (seen, answers) = (Arc::clone(&self.seen), Arc::clone(&self.answers));
        // The target reports a connection that breaks.
        tokio::task::spawn(async move { converse(stream, connection, &seen, &answers).await });
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    connection: usize,
    seen: &Mutex<VecDeque<Seen>>,
    answers: &[Answer],
) -> io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        bytes.drain(..end + 4);
        let answer = written(&head, answers);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push_back(Seen { connection, head });
        stream.write_all(answer.as_bytes()).await?;
    }
}

fn written(head: &str, answers: &[Answer]) -> String {
    let path = head.split(' ').nth(1).unwrap_or_default();
    let Some(answer) = answers.iter().find(|answer| answer.path == path) else {
        return "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into();
    };
    let mut text = format!("HTTP/1.1 200 OK\r\nContent-Type: {}\r\n", answer.content_type);
    for field in &answer.set_cookies {
        text += &format!("Set-Cookie: {field}\r\n");
    }
    text += &format!("Content-Length: {}\r\n\r\n", answer.body.len());
    text + &answer.body
}
