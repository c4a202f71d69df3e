//! A raw connection over TLS, for what no well-behaved client would send.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::CONDITION_TIMEOUT;

/// One connection; bytes in, bytes out.
pub(crate) struct Raw {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr, host: &str, config: ClientConfig) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        Self::new(stream)
    }

    /// A connection that is open already.
    pub(crate) fn new(stream: TlsStream<TcpStream>) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Sends these bytes. A peer that has closed is no failure here: what it answered is what counts.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
        let _ = self.stream.flush().await;
    }

    /// Reads until the bytes so far contain `end`, and returns them all; what is read is used up. Fails when the peer
    /// closes before, or after [`CONDITION_TIMEOUT`].
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.buffer).into_owned();
            if let Some(at) = text.find(end) {
                let rest = text.as_bytes()[at + end.len()..].to_vec();
                self.buffer = rest;
                return text[..at + end.len()].to_owned();
            }
            let more =
                tokio::time::timeout(CONDITION_TIMEOUT, self.stream.read_buf(&mut self.buffer))
                    .await;
            match more.unwrap_or_else(|_| panic!("no {end:?} came: {text:?}")) {
                Ok(0) => panic!("closed before {end:?}: {text:?}"),
                Ok(_) => {}
                Err(error) => panic!("broken before {end:?}: {error}: {text:?}"),
            }
        }
    }

    /// One answer's head.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// All bytes until the peer closes or breaks off. Fails after [`CONDITION_TIMEOUT`].
    pub(crate) async fn read_to_end(&mut self) -> String {
        loop {
            let more =
                tokio::time::timeout(CONDITION_TIMEOUT, self.stream.read_buf(&mut self.buffer))
                    .await;
            if matches!(more.expect("the peer closes"), Ok(0) | Err(_)) {
                let bytes = std::mem::take(&mut self.buffer);
                return String::from_utf8_lossy(&bytes).into_owned();
            }
        }
    }

    /// True where nothing arrives for this long, and the peer does not close either.
    pub(crate) async fn is_silent_for(&mut self, duration: Duration) -> bool {
        self.buffer.is_empty()
            && tokio::time::timeout(duration, self.stream.read_buf(&mut self.buffer)).await.is_err()
    }
}
