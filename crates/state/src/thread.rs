//! Starts and stops the thread.

use std::{
    sync::{
        Arc,
        mpsc::{self, Receiver, SyncSender},
    },
    thread,
    time::Duration,
};

use crumbgate_audit::Batch;
use tracing::warn;

use crate::{handle::StateHandle, settings::Settings, status::Status, writer::StateWriter};

/// The running thread. Dropping it lets the thread end without waiting for it.
#[derive(Debug)]
pub struct StateThread {
    handle: StateHandle,
    ended: Receiver<()>,
    /// `None` where there is no ledger.
    status: Option<Arc<Status>>,
}

/// The thread's end of the queue of batches.
#[derive(Debug)]
pub struct BatchReceiver {
    batches: Receiver<Batch>,
    wake: SyncSender<Batch>,
}

impl StateThread {
    /// Creates the queue of batches from this many workers.
    pub fn queue(workers: usize) -> (SyncSender<Batch>, BatchReceiver) {
        let places = workers.saturating_mul(BATCHES_PER_WORKER).saturating_add(WAKE_SLOTS);
        let (sender, batches) = mpsc::sync_channel(places);
        (sender.clone(), BatchReceiver { batches, wake: sender })
    }

    /// Starts the thread. The thread opens the file, which need not exist or be writable yet.
    pub fn start(settings: Settings, receiver: BatchReceiver) -> std::io::Result<Self> {
        let BatchReceiver { batches, wake } = receiver;
        let handle = StateHandle::new(wake);
        let commands = handle.receiver();
        let (end, ended) = mpsc::channel();
        let status = Arc::new(Status::default());
        let kept_status = settings.keeps_evidence.then(|| Arc::clone(&status));
        let writer = StateWriter::new(settings, status);
        let (ready, is_ready) = mpsc::channel();
        thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // A thread that first draws random bits while the process exits would abort it, because
            // aws-lc has released its source by then. So it draws some before anybody can stop the
            // process.
            let drawn = aws_lc_rs::rand::fill(&mut [0]);
            let _ = ready.send(drawn);
            writer.run(&batches, commands);
            // Nobody waits where the gateway was not stopped properly.
            let _ = end.send(());
        })?;
        let drawn = is_ready.recv().map_err(std::io::Error::other)?;
        drawn.map_err(|_| {
            std::io::Error::other("the system returned no random bits for the keys")
        })?;
        Ok(Self { handle, ended, status: kept_status })
    }

    /// The figures of the ledger; `None` where there is none.
    pub fn status(&self) -> Option<&Arc<Status>> {
        self.status.as_ref()
    }

    /// A handle that sends commands to the thread.
    pub fn handle(&self) -> StateHandle {
        self.handle.clone()
    }

    /// Lets the thread end, and waits up to 15 s until everything is written and the segment is
    /// closed. Call it after the last worker has ended: later batches are not written.
    pub fn stop(self) {
        self.handle.end();
        if self.ended.recv_timeout(STOP_TIMEOUT).is_err() {
            warn!("the thread of the state file has not ended: the latest counts may be missing");
        }
    }
}

impl Drop for StateThread {
    /// Lets the thread end without waiting for it.
    fn drop(&mut self) {
        self.handle.end();
    }
}

/// The number of batches of each worker that the queue holds.
const BATCHES_PER_WORKER: usize = 4;

/// Places in the queue for wake-ups: one that waits, and one that arrives while the thread is being
/// woken.
const WAKE_SLOTS: usize = 2;

/// The time that a stop waits for the thread.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
