//! HTTP/2 by hand, frame by frame, for what no well-behaved client would send.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use super::{ACME, CONDITION_TIMEOUT, Http, Running};

/// A frame of HTTP/2 (RFC 9113, section 4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A request's head by HPACK's static table: GET https acme.example /, each as a literal or an index.
pub(crate) fn get_block() -> Vec<u8> {
    let mut block = vec![0x82, 0x87, 0x84, 0x41];
    block.push(u8::try_from(ACME.len()).unwrap());
    block.extend(ACME.as_bytes());
    block
}

/// A connection of raw frames, after the preface and empty SETTINGS.
pub(crate) async fn raw_h2(gateway: &Running) -> TlsStream<TcpStream> {
    let mut tls = gateway.tls(Http::Two).await;
    tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    tls.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    tls.flush().await.unwrap();
    tls
}

/// The kinds of all frames until the gateway closes.
pub(crate) async fn kinds_to_end(tls: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut kinds = Vec::new();
    let all = async {
        while let Ok(head) = tls.read_u64().await {
            let [a, b, c, kind, ..] = head.to_be_bytes();
            kinds.push(kind);
            let _last = tls.read_u8().await;
            let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
            if tls.read_exact(&mut payload).await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(CONDITION_TIMEOUT, all).await.expect("the connection ends");
    kinds
}

/// A field as HPACK's literal without indexing (RFC 7541, section 6.2.2): any bytes at all, up to 126 each.
pub(crate) fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length =
        |bytes: &[u8]| u8::try_from(bytes.len()).ok().filter(|length| *length < 127).unwrap();
    let mut block = vec![0, length(name)];
    block.extend(name);
    block.push(length(value));
    block.extend(value);
    block
}
