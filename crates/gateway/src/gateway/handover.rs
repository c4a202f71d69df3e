//! A new process takes the place of this one: it is given the listening sockets themselves, so that no connection is
//! lost between the two, not even one that waits in a socket's queue.
//!
//! They talk over a Unix socket beside the state file, as one user's processes:
//!
//! 1. The new one connects and says which version of this protocol it speaks.
//! 2. The old one lists its sockets in a line of JSON, and sends each with a byte of its own (`SCM_RIGHTS`). From now
//!    on it changes nothing: no reload, no tenant.
//! 3. The new one starts, and says that it serves. Until then it may fail, and nothing has happened.
//! 4. The old one says that it drains, and does.

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

use super::{
    control::{Control, locked},
    inherited::Inherited,
};

/// Why no gateway was replaced.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// The two can't talk.
    #[error("the gateway that runs can't be talked to")]
    Io(#[from] io::Error),
    /// It does not want to be replaced now.
    #[error("the gateway that runs is not to be replaced: {0}")]
    Refused(String),
}

/// A gateway that is about to be replaced: it waits for its successor to serve. Dropped, it goes on as if nothing had
/// been.
#[derive(Debug)]
pub struct Predecessor(UnixStream);

/// What the old one says first: its sockets, or why there are none.
#[derive(Debug, Deserialize, Serialize)]
enum Offer {
    Refused(String),
    /// Key and configured address of each.
    Sockets(Vec<(String, String)>),
}

/// Where the gateway that keeps this state file can be asked for its sockets.
fn path_of(state: &Path) -> PathBuf {
    let mut name = state.as_os_str().to_owned();
    name.push(".handover");
    name.into()
}

impl Predecessor {
    /// Asks the gateway that keeps this state file for its listening sockets; none where there is no such gateway.
    ///
    /// # Errors
    ///
    /// Where there is one, and it does not give them.
    pub fn ask(state: &Path) -> Result<Option<(Self, Inherited)>, HandoverError> {
        let mut stream = match UnixStream::connect(path_of(state)) {
            Ok(stream) => stream,
            Err(error) => {
                use io::ErrorKind::{ConnectionRefused, NotFound};
                let nobody = matches!(error.kind(), ConnectionRefused | NotFound);
                return if nobody { Ok(None) } else { Err(error.into()) };
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(HELLO)?;
        let offer = serde_json::from_slice(&read_line(&mut stream)?).map_err(io::Error::from)?;
        let named = match offer {
            Offer::Sockets(named) => named,
            Offer::Refused(why) => return Err(HandoverError::Refused(why)),
        };
        let mut sockets = Vec::with_capacity(named.len());
        for (key, address) in named {
            sockets.push((key, address, receive(&stream)?));
        }
        Ok(Some((Self(stream), Inherited::of_predecessor(sockets))))
    }

    /// Tells it that its successor serves, and waits until it drains.
    ///
    /// # Errors
    ///
    /// Where it does not answer: then both serve.
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
    /// Who asks for a stop when another gateway takes the place of this one.
    pub const SUCCESSOR: &str = "a successor";

    /// From now on hands the listening sockets to a successor that asks, and has this gateway drain when that one serves.
    /// A gateway that has taken the place of another (`is_successor`) does so in the other's stead.
    ///
    /// # Errors
    ///
    /// Where no socket can be had beside the state file, or another gateway has it.
    pub fn offer_handover(&self, is_successor: bool) -> io::Result<()> {
        let path = path_of(&self.config(|config| config.evidence.path.clone()));
        if !is_successor && UnixStream::connect(&path).is_ok() {
            return Err(io::Error::other("another gateway with this state file offers its own"));
        }
        let listener = listen(&path)?;
        let control = self.clone();
        let serve = move || {
            for stream in listener.incoming() {
                match stream.and_then(|stream| control.hand_over(stream)) {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => {
                        warn!(%error, "a successor did not take over; this gateway goes on");
                    }
                }
            }
        };
        thread::Builder::new().name("handover".to_owned()).spawn(serve).map(drop)
    }

    /// Talks to whoever may become the successor. Returns whether it has.
    fn hand_over(&self, mut stream: UnixStream) -> io::Result<bool> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let peer = socket_peercred(&stream)?;
        if peer.uid != geteuid() && !peer.uid.is_root() {
            return Err(io::Error::other("somebody else's process asked for the sockets"));
        }
        let hello = match read_line(&mut stream) {
            // Somebody looked whether anybody is there.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            hello => hello?,
        };
        if hello != HELLO {
            refuse(&mut stream, "it speaks another version of this protocol")?;
            return Ok(false);
        }
        // Until the successor serves, nothing changes that it has read already: who asks is told at once, and what is
        // under way comes to its end.
        self.0.is_handing_over.store(true, Relaxed);
        let _changing = locked(&self.0.changing);
        let _handing_over = HandingOver(&self.0.is_handing_over);
        if self.is_draining() {
            refuse(&mut stream, "it is draining already")?;
            return Ok(false);
        }
        let sockets = self.sockets_for_successor()?;
        let named = sockets.iter().map(|(key, address, _)| (key.clone(), address.clone()));
        send_line(&mut stream, &Offer::Sockets(named.collect()))?;
        for (.., socket) in &sockets {
            send(&stream, socket)?;
        }
        drop(sockets);
        info!("a successor asked for the listening sockets");
        if read_line(&mut stream)? != SERVING {
            return Err(io::Error::other("it did not come to serve"));
        }
        self.begin_drain();
        self.ask_to_stop(Self::SUCCESSOR);
        stream.write_all(DRAINING)?;
        Ok(true)
    }
}

/// Says, until it is dropped, that a successor is starting.
struct HandingOver<'c>(&'c AtomicBool);

impl Drop for HandingOver<'_> {
    fn drop(&mut self) {
        self.0.store(false, Relaxed);
    }
}

/// Listens at this path, for this user alone, where no other gateway does.
fn listen(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // A socket's address is short (`unix(7)`); through its folder it can be anywhere.
    if path.as_os_str().as_bytes().len() > LONGEST_PATH - TEMPORARY.len() {
        return Err(io::Error::other(
            "the path of the state file is too long for a socket beside it",
        ));
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(TEMPORARY);
    let temporary = PathBuf::from(temporary);
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&temporary)?;
    fs::set_permissions(&temporary, fs::Permissions::from_mode(0o600))?;
    // Takes the place of what a gateway has left that is no more, or that is being replaced.
    fs::rename(&temporary, path)?;
    Ok(listener)
}

fn refuse(stream: &mut UnixStream, why: &str) -> io::Result<()> {
    send_line(stream, &Offer::Refused(why.to_owned()))
}

fn send_line(stream: &mut UnixStream, offer: &Offer) -> io::Result<()> {
    let mut line = serde_json::to_vec(offer)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// Reads to a line feed and no further: what comes next brings a socket along.
fn read_line(stream: &mut UnixStream) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
        if line.len() > LONGEST_LINE {
            return Err(io::Error::other("a line without an end"));
        }
    }
    Ok(line)
}

fn send(stream: &UnixStream, socket: &OwnedFd) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let sockets = [socket.as_fd()];
    if !ancillary.push(SendAncillaryMessage::ScmRights(&sockets)) {
        return Err(io::Error::other("there is no room for a socket"));
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

/// How long either may keep the other waiting: a start with a million tenants takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of a socket's path (`unix(7)`), in bytes.
const LONGEST_PATH: usize = 107;
const TEMPORARY: &str = ".new";

/// Some hundred sockets have room in it.
const LONGEST_LINE: usize = 1 << 20;
