//! Handover to a new process: it receives the listening sockets themselves, so no connection is lost, not even one that
//! waits in a socket's accept queue.
//!
//! The two processes, which run as the same user, talk over a Unix socket next to the state file:
//!
//! 1. The new process connects and sends the version of this protocol that it speaks.
//! 2. The old process lists its sockets in a line of JSON, and sends each socket with one byte (`SCM_RIGHTS`). From then
//!    on it refuses reloads and changes of tenants.
//! 3. The new process starts, and sends that it serves. If it fails before, the old one continues as before.
//! 4. The old process answers that it drains, and drains.

use std::{
    fs, io,
    io::{IoSlice, IoSliceMut, Read, Write},
    mem::MaybeUninit,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            ffi::OsStrExt,
            fs::PermissionsExt,
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use rustix::{
    cmsg_space,
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, recvmsg, sendmsg, sockopt::socket_peercred,
    },
    process::geteuid,
};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::{control::Control, inherited::Inherited};
use crumbgate_base::lock::locked;

/// The reason that a running gateway was not replaced.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The handover socket failed.
    #[error("the running gateway can't be reached over its handover socket")]
    Io(#[from] io::Error),
    /// The running gateway refused.
    #[error("the running gateway refused to be replaced: {0}")]
    Refused(String),
}

/// The running gateway that is to be replaced: it waits until its successor serves. If this is dropped before, it continues
/// as before.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

/// The first line of the old process: its sockets, or the reason for sending none.
#[derive(Debug, Deserialize, Serialize)]
enum Offer {
    Refused(String),
    /// Configuration key and configured address of each socket.
    Sockets(Vec<(String, String)>),
}

/// The path of the handover socket of the gateway that uses this state file.
fn path_of(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".handover");
    name.into()
}

impl Predecessor {
    /// Requests the listening sockets of the gateway that uses this state file; `None` if no such gateway runs.
    ///
    /// # Errors
    ///
    /// Fails if a gateway runs and does not send its sockets.
    pub fn ask(state: &Path) -> Result<Option<(Self, Inherited)>, HandoverError> {
        let mut stream = match UnixStream::connect(path_of(state)) {
            Ok(stream) => stream,
            Err(error) => {
                use io::ErrorKind::{ConnectionRefused, NotFound};
                let is_absent = matches!(error.kind(), ConnectionRefused | NotFound);
                return if is_absent { Ok(None) } else { Err(error.into()) };
            }
        };
        stream.set_read_timeout(Some(PEER_TIMEOUT))?;
        stream.set_write_timeout(Some(PEER_TIMEOUT))?;
        stream.write_all(HELLO)?;
        let offer = serde_json::from_slice(&read_line(&mut stream)?).map_err(io::Error::from)?;
        let named = match offer {
            Offer::Sockets(named) => named,
            Offer::Refused(reason) => return Err(HandoverError::Refused(reason)),
        };
        let mut sockets = Vec::with_capacity(named.len());
        for (key, address) in named {
            sockets.push((key, address, receive(&stream)?));
        }
        Ok(Some((Self(stream), Inherited::of_predecessor(sockets))))
    }

    /// Reports that the successor serves, and waits until the old gateway drains.
    ///
    /// # Errors
    ///
    /// Fails if the old gateway does not answer. Then both gateways serve.
    pub fn replace(mut self) -> Result<(), HandoverError> {
        self.0.write_all(SERVING)?;
        let answer = read_line(&mut self.0)?;
        if answer == DRAINING {
            Ok(())
        } else {
            Err(HandoverError::Refused(String::from_utf8_lossy(&answer).into_owned()))
        }
    }
}

impl Control {
    /// The actor of a stop that a successor has requested.
    pub const SUCCESSOR: &str = "a successor";

    /// Starts to offer the listening sockets to a successor, and drains this gateway when the successor serves. A gateway
    /// that has itself replaced another one (`is_successor`) takes over that one's handover socket.
    ///
    /// # Errors
    ///
    /// Fails if the handover socket can't be created, or another gateway listens on it.
    pub fn offer_handover(&self, is_successor: bool) -> io::Result<()> {
        let path = path_of(&self.config(|config| config.evidence.path.clone()));
        if !is_successor && UnixStream::connect(&path).is_ok() {
            return Err(io::Error::other("another gateway already uses this state file"));
        }
        let listener = listen(&path)?;
        let control = self.clone();
        let serve = move || {
            for stream in listener.incoming() {
                match stream.and_then(|stream| control.hand_over(stream)) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        warn!(%error, "a successor did not take over; this gateway continues");
                    }
                }
            }
        };
        thread::Builder::new().name("handover".to_owned()).spawn(serve).map(drop)
    }

    /// Serves one connection of a possible successor. Returns `true` if it has taken over.
    fn hand_over(&self, mut stream: UnixStream) -> io::Result<bool> {
        stream.set_read_timeout(Some(PEER_TIMEOUT))?;
        stream.set_write_timeout(Some(PEER_TIMEOUT))?;
        let peer = socket_peercred(&stream)?;
        if peer.uid != geteuid() && !peer.uid.is_root() {
            return Err(io::Error::other("a process of another user requested the sockets"));
        }
        let hello = match read_line(&mut stream) {
            // A connection that only tests for a running gateway, as in `offer_handover`.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            hello => hello?,
        };
        if hello != HELLO {
            refuse(&mut stream, "the successor speaks another version of the handover protocol")?;
            return Ok(false);
        }
        // The successor reads the current state, so it must not change until the successor serves: new changes are
        // refused at once, and a running change is completed first.
        self.0.is_handing_over.store(true, Relaxed);
        let _changing = locked(&self.0.changing);
        let _handing_over = HandingOver(&self.0.is_handing_over);
        if self.is_draining() {
            refuse(&mut stream, "the running gateway is already draining")?;
            return Ok(false);
        }
        let sockets = self.sockets_for_successor()?;
        let named = sockets.iter().map(|(key, address, _)| (key.clone(), address.clone()));
        send_line(&mut stream, &Offer::Sockets(named.collect()))?;
        for (.., socket) in &sockets {
            send(&stream, socket)?;
        }
        drop(sockets);
        info!("a successor requested the listening sockets");
        if read_line(&mut stream)? != SERVING {
            return Err(io::Error::other("the successor sent something other than that it serves"));
        }
        self.begin_drain();
        self.request_stop(Self::SUCCESSOR);
        stream.write_all(DRAINING)?;
        Ok(true)
    }
}

/// Resets `is_handing_over` when it is dropped.
struct HandingOver<'c>(&'c AtomicBool);

impl Drop for HandingOver<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Listens at this path, accessible to this user only.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // The address of a Unix socket has at most 108 bytes (`unix(7)`).
    if path.as_os_str().as_bytes().len() > MAX_PATH_BYTES - TEMPORARY_SUFFIX.len() {
        return Err(io::Error::other(
            "the path of the state file is too long for a socket next to it",
        ));
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY_SUFFIX);
    let temporary = PathBuf::from(temporary);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
    // Replaces the socket of a gateway that no longer runs, or that is being replaced.
    fs::rename(&temporary, path)?;
    Ok(listener)
}

fn refuse(stream: &mut UnixStream, reason: &str) -> io::Result<()> {
    send_line(stream, &Offer::Refused(reason.to_owned()))
}

fn send_line(stream: &mut UnixStream, offer: &Offer) -> io::Result<()> {
    let mut line = serde_json::to_vec(offer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads up to a line feed and no further: the bytes after it carry sockets.
fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if line.len() > MAX_LINE_BYTES {
            return Err(io::Error::other("the other process sent a line that is too long"));
        }
    }
    Ok(line)
}

fn send(stream: &UnixStream, socket: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let sockets = [socket.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("a socket does not fit into a message"));
    }
    sendmsg(stream, &[IoSlice::new(b"s")], &mut ancillary, SendFlags::empty())?;
    Ok(())
}

fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let flags = RecvFlags::CMSG_CLOEXEC;
    recvmsg(stream, &mut [IoSliceMut::new(&mut byte)], &mut ancillary, flags)?;
    let mut sockets = ancillary.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
        _ => None,
    });
    let socket = sockets.next().and_then(|mut sockets| sockets.next());
    socket.ok_or_else(|| io::Error::other("a socket is missing"))
}

const HELLO: &[u8] = b"crumbgate handover 1\n";
const SERVING: &[u8] = b"serving\n";
const DRAINING: &[u8] = b"draining\n";

/// Longest wait for the other process: a start with a million tenants takes some seconds.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// Longest path of a Unix socket (`unix(7)`), in bytes.
const MAX_PATH_BYTES: usize = 107;
const TEMPORARY_SUFFIX: &str = ".new";

/// Longest line, in bytes: enough for thousands of sockets.
const MAX_LINE_BYTES: usize = 1 << 20;
