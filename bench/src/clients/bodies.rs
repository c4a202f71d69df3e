//! Large bodies, one after the other on each connection.

use std::time::Duration;

use super::{
    BODY_BYTES, Endpoint, Request,
    crowd::Crowd,
    http1::{Buffer, exchange, read_answer, send},
    paths,
    tls::Stream,
};

/// The direction of bodies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// From the application.
    Down,
    /// To the application.
    Up,
}

/// The bodies that a target has carried.
#[derive(Clone, Debug)]
pub struct Bodies {
    /// Bytes of bodies.
    pub bytes: u64,
    /// The number of bodies.
    pub requests: u64,
    /// The number of failures.
    pub errors: u64,
    /// The first error.
    pub first_error: Option<String>,
}

/// Opens connections, and sends or fetches bodies of [`BODY_BYTES`] until the time is over.
pub async fn run(
    endpoint: &Endpoint,
    direction: Direction,
    connections: usize,
    duration: Duration,
) -> anyhow::Result<Bodies> {
    Load::open(endpoint, direction, connections).await?.run(duration).await
}

/// Open connections, and what is sent on them.
pub struct Load {
    crowd: Crowd,
    /// Head and body.
    request: Vec<u8>,
}

impl Load {
    /// Opens that many connections, each of which has carried one body.
    pub async fn open(
        endpoint: &Endpoint,
        direction: Direction,
        connections: usize,
    ) -> anyhow::Result<Self> {
        let request = request(direction, &endpoint.server_name);
        let first = async |stream: &mut Stream, buffer: &mut Buffer| {
            exchange(stream, &request, buffer).await
        };
        let crowd = Crowd::open(endpoint, connections, first).await?;
        Ok(Self { crowd, request })
    }

    /// Repeats it until the time is over; what has begun is brought to its end.
    pub async fn run(&mut self, duration: Duration) -> anyhow::Result<Bodies> {
        let request = &self.request;
        let carry = async |stream: &mut Stream, buffer: &mut Buffer| {
            send(stream, request).await?;
            read_answer(stream, buffer).await
        };
        let nothing = async |_: &mut Stream, _: &mut Buffer| Ok(());
        let outcomes = self.crowd.repeat(duration, nothing, carry).await?;
        let requests = outcomes.done.get();
        Ok(Bodies {
            bytes: requests * BODY_BYTES as u64,
            requests,
            errors: outcomes.errors.get(),
            first_error: outcomes.first_error.into_inner(),
        })
    }
}

fn request(direction: Direction, host: &str) -> Vec<u8> {
    match direction {
        Direction::Down => Request::get(paths::DOWN).to_bytes(host),
        Direction::Up => {
            let headers = vec![("Content-Length".to_owned(), BODY_BYTES.to_string())];
            let head = Request { method: "POST".to_owned(), path: paths::UP.to_owned(), headers };
            let mut request = head.to_bytes(host);
            request.resize(request.len() + BODY_BYTES, b'u');
            request
        }
    }
}
