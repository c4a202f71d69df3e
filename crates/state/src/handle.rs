//! The queue of commands to the thread that writes the state file.
//!
//! The thread takes commands in order, as soon as it can. Tenant changes that wait together are
//! written in one transaction. The workers' batches have a queue of their own, and neither queue
//! waits for the other.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex,
        mpsc::{self, SyncSender},
    },
    time::Duration,
};

use super::tenants::TenantChange;
use crumbgate_audit::Batch;
use crumbgate_base::lock::locked;
use crumbgate_ledger::entry::DeclarationRecord;

/// Sends commands to the thread that writes the state file.
#[derive(Clone, Debug)]
pub struct StateHandle {
    queue: Arc<Mutex<CommandQueue>>,
    /// An empty batch in the workers' queue wakes the thread. Where that queue is full, the thread
    /// has batches to take, and checks the commands after each.
    wake: SyncSender<Batch>,
}

/// A reason why tenants were not changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The thread is busy, or its disk does not respond. Nothing was changed.
    #[error(
        "the state file's thread does not respond: its disk is slow or hangs; nothing was changed"
    )]
    Busy,
    /// The gateway is stopping. Nothing was changed.
    #[error("this gateway is stopping: nothing was changed; repeat the request at its successor")]
    Ended,
    /// The file can't be written at the moment. Nothing was changed.
    #[error("{}: tenants can't be stored at the moment: {problem}; nothing was changed", .path.display())]
    Unavailable {
        /// The file.
        path: PathBuf,
        /// The cause, as text.
        problem: String,
    },
    /// The commit failed, and the file does not show yet whether it took effect.
    #[error(
        "it is unknown whether the change was stored, because the disk failed: repair it and replace the gateway (`crumbgate run --replace`); the new one serves what is stored"
    )]
    Unsettled,
}

impl StateHandle {
    pub(super) fn new(wake: SyncSender<Batch>) -> Self {
        Self { queue: Arc::default(), wake }
    }

    /// Stores all of these changes or none, each with an event where a ledger is kept. Blocks until
    /// they are on the disk, so it must not be called on a worker's thread. On any error but
    /// [`ChangeError::Unsettled`] nothing was changed.
    pub fn change_tenants(
        &self,
        changes: Vec<TenantChange>,
        actor: &str,
    ) -> Result<(), ChangeError> {
        if changes.is_empty() {
            return Ok(());
        }
        let (reply, answer) = mpsc::sync_channel(1);
        let command = Command::Change(Change { changes, actor: actor.into(), reply });
        let number = self.push(command).ok_or(ChangeError::Ended)?;
        if let Ok(answered) = answer.recv_timeout(COMMAND_TIMEOUT) {
            return answered;
        }
        if self.cancel(number) {
            return Err(ChangeError::Busy);
        }
        // The thread has begun the change.
        answer.recv_timeout(COMMAND_TIMEOUT).unwrap_or(Err(ChangeError::Unsettled))
    }

    /// Replaces the current configuration and declaration. Where they differ from the previous
    /// ones, events by `actor` record it. Does not wait for the disk.
    pub fn configure(&self, configuration: String, declaration: DeclarationRecord, actor: &str) {
        self.push(Command::Configure { configuration, declaration, actor: actor.to_owned() });
    }

    /// Asks the thread to write everything and to end.
    pub(super) fn end(&self) {
        self.push(Command::End);
    }

    /// The receiver for the thread.
    pub(super) fn receiver(&self) -> CommandReceiver {
        CommandReceiver(Arc::clone(&self.queue))
    }

    /// Returns the command's number, or `None` where the thread has ended.
    fn push(&self, command: Command) -> Option<u64> {
        let mut queue = locked(&self.queue);
        if queue.is_closed {
            return None;
        }
        let number = queue.next_number;
        queue.next_number = number.wrapping_add(1);
        let was_empty = queue.commands.is_empty();
        queue.commands.push((number, command));
        drop(queue);
        if was_empty {
            let _ = self.wake.try_send(Batch::default());
        }
        Some(number)
    }

    /// Removes a command from the queue. Returns `false` where the thread has taken it.
    fn cancel(&self, number: u64) -> bool {
        let mut queue = locked(&self.queue);
        let before = queue.commands.len();
        queue.commands.retain(|(other, _)| *other != number);
        queue.commands.len() < before
    }
}

/// Commands that the thread has not taken yet.
#[derive(Debug, Default)]
struct CommandQueue {
    commands: Vec<(u64, Command)>,
    next_number: u64,
    is_closed: bool,
}

/// The thread's end of the queue. Dropping it closes the queue, however the thread ends.
#[derive(Debug)]
pub(super) struct CommandReceiver(Arc<Mutex<CommandQueue>>);

impl CommandReceiver {
    /// Takes all commands, oldest first.
    pub(super) fn take(&self) -> impl Iterator<Item = Command> {
        let commands = std::mem::take(&mut locked(&self.0).commands);
        commands.into_iter().map(|(_, command)| command)
    }
}

impl Drop for CommandReceiver {
    fn drop(&mut self) {
        let mut queue = locked(&self.0);
        queue.is_closed = true;
        let commands = std::mem::take(&mut queue.commands);
        drop(queue);
        for (_, command) in commands {
            if let Command::Change(change) = command {
                change.answer(Err(ChangeError::Ended));
            }
        }
    }
}

/// A command to the thread.
#[derive(Debug)]
pub(super) enum Command {
    Change(Change),
    Configure { configuration: String, declaration: DeclarationRecord, actor: String },
    End,
}

/// Changes that are stored in one transaction.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) changes: Vec<TenantChange>,
    pub(super) actor: Arc<str>,
    reply: SyncSender<Result<(), ChangeError>>,
}

impl Change {
    /// Sends the result to the caller.
    pub(super) fn answer(self, answer: Result<(), ChangeError>) {
        // The caller may have given up.
        let _ = self.reply.send(answer);
    }
}

/// The time to wait for the thread, and once more for a change that it has begun.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
