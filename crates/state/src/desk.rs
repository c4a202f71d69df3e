//! The way to the ledger's thread for whoever changes something while the gateway runs.
//!
//! What is laid on the desk is taken at once, in order; tenant changes that lie there together are written together. The
//! workers' pages go another way, and neither waits for the other.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{self, SyncSender},
    },
    time::Duration,
};

use super::tenants::TenantChange;
use crumbgate_audit::Page;
use crumbgate_ledger::entry::DeclarationRecord;

/// Hands things to the ledger's thread.
#[derive(Clone, Debug)]
pub struct Desk {
    tray: Arc<Mutex<Tray>>,
    /// An empty page wakes the thread; where there is no room for one, the thread has pages to take, and looks at the tray
    /// behind each.
    bell: SyncSender<Page>,
}

/// Why tenants were not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The thread has other things to do, or its disk hangs. Nothing was changed.
    #[error(
        "the state file's thread does not answer: its disk is slow, or hangs; nothing was changed"
    )]
    Busy,
    /// The gateway is about to stop. Nothing was changed.
    #[error("this gateway is stopping: nothing was changed; ask the one that takes its place")]
    Ended,
    /// The file can't be written now. Nothing was changed.
    #[error("{}: tenants can't be stored now: {problem}; nothing was changed", .path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, in words.
        problem: String,
    },
    /// The disk has taken the change and does not say what became of it. That shows when it can be read again.
    #[error(
        "the disk does not say whether the change is stored: mend it, and replace the gateway (`crumbgate run --replace`): that one serves what is stored"
    )]
    Unsettled,
}

impl Desk {
    pub(super) fn new(bell: SyncSender<Page>) -> Self {
        Self { tray: Arc::default(), bell }
    }

    /// Stores all of these changes, or none, each with an event in the ledger where one is kept. Returns when they are on
    /// the disk, so it waits: not on a worker's thread. On any error but [`ChangeError::Unsettled`] nothing was changed.
    pub fn change_tenants(
        &self,
        changes: Vec<TenantChange>,
        actor: &str,
    ) -> Result<(), ChangeError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let request = Request::Change(Change { changes, actor: actor.into(), reply });
        let ticket = self.lay(request).ok_or(ChangeError::Ended)?;
        if let Ok(answered) = answer.recv_timeout(PATIENCE) {
            return answered;
        }
        if self.withdraw(ticket) {
            return Err(ChangeError::Busy);
        }
        // It is under way.
        answer.recv_timeout(PATIENCE).unwrap_or(Err(ChangeError::Unsettled))
    }

    /// From now on this configuration and this declaration rule. Where they are others than before, events say so, by
    /// `actor`. Does not wait for the disk.
    pub fn configure(&self, configuration: String, declaration: DeclarationRecord, actor: &str) {
        self.lay(Request::Configure { configuration, declaration, actor: actor.to_owned() });
    }

    /// Tells the thread to write down what it has, and to end.
    pub(super) fn end(&self) {
        self.lay(Request::End);
    }

    /// What the thread takes from.
    pub(super) fn tray(&self) -> OpenTray {
        OpenTray(Arc::clone(&self.tray))
    }

    /// The number of the request; none where nobody takes it any more.
    fn lay(&self, request: Request) -> Option<u64> {
        let mut tray = lock(&self.tray);
        if tray.is_closed {
            return None;
        }
        let ticket = tray.tickets;
        tray.tickets = ticket.wrapping_add(1);
        let was_empty = tray.requests.is_empty();
        tray.requests.push((ticket, request));
        drop(tray);
        if was_empty {
            let _ = self.bell.try_send(Page::default());
        }
        Some(ticket)
    }

    /// Takes a request back; says whether it still lay there.
    fn withdraw(&self, ticket: u64) -> bool {
        let mut tray = lock(&self.tray);
        let before = tray.requests.len();
        tray.requests.retain(|(other, _)| *other != ticket);
        tray.requests.len() < before
    }
}

/// What was laid down and not taken yet.
#[derive(Debug, Default)]
struct Tray {
    requests: Vec<(u64, Request)>,
    tickets: u64,
    is_closed: bool,
}

/// The thread's side of the desk. When it is dropped, however the thread ends, nothing can be laid down any more.
#[derive(Debug)]
pub(super) struct OpenTray(Arc<Mutex<Tray>>);

impl OpenTray {
    /// What lies there, in order.
    pub(super) fn take(&self) -> impl Iterator<Item = Request> {
        let requests = std::mem::take(&mut lock(&self.0).requests);
        requests.into_iter().map(|(_, request)| request)
    }
}

impl Drop for OpenTray {
    fn drop(&mut self) {
        let mut tray = lock(&self.0);
        tray.is_closed = true;
        let requests = std::mem::take(&mut tray.requests);
        drop(tray);
        for (_, request) in requests {
            if let Request::Change(change) = request {
                change.answer(Err(ChangeError::Ended));
            }
        }
    }
}

/// What can be asked of the thread.
#[derive(Debug)]
pub(super) enum Request {
    Change(Change),
    Configure { configuration: String, declaration: DeclarationRecord, actor: String },
    End,
}

/// Changes that are stored together, or not at all.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) changes: Vec<TenantChange>,
    pub(super) actor: Arc<str>,
    reply: SyncSender<Result<(), ChangeError>>,
}

impl Change {
    /// Tells whoever waits what became of it.
    pub(super) fn answer(self, answer: Result<(), ChangeError>) {
        // It may have given up.
        let _ = self.reply.send(answer);
    }
}

/// No code that holds the lock can panic, so what is behind it is whole.
fn lock(tray: &Mutex<Tray>) -> MutexGuard<'_, Tray> {
    tray.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long to wait for the thread, and once more for a change that it has begun.
const PATIENCE: Duration = Duration::from_secs(10);
