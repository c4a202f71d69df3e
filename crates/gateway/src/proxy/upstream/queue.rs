//! The queue of exchanges that wait while every server of their application is at its limit on connections.
//!
//! Exchanges of all workers wait in one queue. The first one is called when a connection was closed, so that it may open
//! another. The first one of a worker is called when a connection of that worker becomes free, unless the first of all
//! was already passed over too often. A called exchange looks for room itself. While exchanges wait, new ones do not
//! overtake them, and connections that other workers keep unused are closed.
//!
//! The queue has a lock, which is not taken while it is empty.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, ThreadId},
};

use crumbgate_base::lock::locked;
use tokio::sync::{Notify, watch};

/// The queue of one application.
#[derive(Debug, Default)]
pub(super) struct Queue {
    entries: Mutex<Entries>,
    /// Number of waiting exchanges.
    waiting: AtomicUsize,
    /// Notifies the workers that an unused connection is wanted.
    wanted: watch::Sender<()>,
    entered: AtomicU64,
    refused: AtomicU64,
    gave_up: AtomicU64,
}

#[derive(Debug, Default)]
struct Entries {
    queue: VecDeque<Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    number: u64,
    worker: ThreadId,
    called: Arc<Notify>,
    /// True if a connection of its worker is free for it.
    invited: bool,
    /// True if an unused connection was closed for it.
    served: bool,
    /// Number of later exchanges that were called before it.
    passed: u32,
}

/// A waiting exchange. Dropping it removes it from the queue and calls the next one.
#[derive(Debug)]
pub(super) struct Waiter<'q> {
    queue: &'q Queue,
    number: u64,
    called: Arc<Notify>,
}

impl Queue {
    /// Enters the queue at its end; `None` if `bound` exchanges already wait.
    pub(super) fn enter(&self, bound: usize) -> Option<Waiter<'_>> {
        let mut entries = self.lock();
        if entries.queue.len() >= bound {
            self.refused.fetch_add(1, Relaxed);
            return None;
        }
        let (number, called) = (entries.next, Arc::new(Notify::new()));
        entries.next += 1;
        entries.queue.push_back(Entry {
            number,
            worker: thread::current().id(),
            called: Arc::clone(&called),
            invited: false,
            served: false,
            passed: 0,
        });
        // A worker that frees a connection reads this after freeing it, so it sees the waiting exchange.
        self.waiting.store(entries.queue.len(), SeqCst);
        self.entered.fetch_add(1, Relaxed);
        Some(Waiter { queue: self, number, called })
    }

    /// Number of waiting exchanges.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// Number of exchanges that have waited.
    pub(super) fn entered_total(&self) -> u64 {
        self.entered.load(Relaxed)
    }

    /// Number of exchanges that found the queue full.
    pub(super) fn refused_total(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Number of exchanges that waited for too long.
    pub(super) fn gave_up_total(&self) -> u64 {
        self.gave_up.load(Relaxed)
    }

    /// Calls the first exchange, because there is room for another connection.
    pub(super) fn call(&self) {
        if self.waiting() > 0
            && let Some(first) = self.lock().queue.front()
        {
            first.called.notify_one();
        }
    }

    /// Calls an exchange of this thread's worker, because a connection of that worker has become free. Returns `false` if
    /// the connection is to be closed instead, because the waiting exchanges can't use it.
    pub(super) fn offer(&self) -> bool {
        let worker = thread::current().id();
        let mut entries = self.lock();
        let is_next = |entry: &Entry| entry.worker == worker && !entry.invited;
        let Some(index) = entries.queue.iter().position(is_next) else {
            return entries.queue.iter().all(|entry| entry.worker == worker);
        };
        if let Some(first) = entries.queue.front_mut()
            && first.worker != worker
        {
            if first.passed >= MAX_PASSED {
                return false;
            }
            first.passed += 1;
        }
        if let Some(entry) = entries.queue.get_mut(index) {
            entry.invited = true;
            entry.called.notify_one();
        }
        true
    }

    /// Notified whenever an unused connection is wanted.
    pub(super) fn wanted(&self) -> watch::Receiver<()> {
        self.wanted.subscribe()
    }

    /// Assigns an unused connection to a waiting exchange; returns `true` if the caller is to close one for it.
    pub(super) fn serve(&self) -> bool {
        let mut entries = self.lock();
        let entry = entries.queue.iter_mut().find(|entry| !entry.served);
        entry.is_some_and(|entry| {
            entry.served = true;
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        locked(&self.entries)
    }
}

impl Waiter<'_> {
    /// Waits until it is called. A call before this counts too.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }

    /// Returns `true` if it may look for room now.
    pub(super) fn may_look(&self) -> bool {
        let mut entries = self.queue.lock();
        let is_first = entries.queue.front().is_some_and(|first| first.number == self.number);
        let invited =
            self.find(&mut entries).is_some_and(|entry| std::mem::take(&mut entry.invited));
        is_first || invited
    }

    /// Requests that a worker closes an unused connection.
    pub(super) fn want(&self) {
        self.queue.wanted.send_replace(());
    }

    /// Resets its claim, so that another connection may be closed for it: another exchange may have taken the first one's
    /// room.
    pub(super) fn want_again(&self) {
        if let Some(entry) = self.find(&mut self.queue.lock()) {
            entry.served = false;
        }
    }

    /// Counts that it leaves without a connection.
    pub(super) fn give_up(self) {
        self.queue.gave_up.fetch_add(1, Relaxed);
    }

    fn find<'l>(&self, entries: &'l mut Entries) -> Option<&'l mut Entry> {
        let index = entries.queue.binary_search_by_key(&self.number, |entry| entry.number);
        index.ok().and_then(|index| entries.queue.get_mut(index))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut entries = self.queue.lock();
        let index = entries.queue.binary_search_by_key(&self.number, |entry| entry.number);
        if let Ok(index) = index {
            entries.queue.remove(index);
        }
        self.queue.waiting.store(entries.queue.len(), SeqCst);
        if let Some(first) = entries.queue.front() {
            first.called.notify_one();
        }
    }
}

/// Number of times that the first exchange may be passed over by others whose worker has a free connection: closing that
/// connection and opening another one for the first costs more than an exchange.
const MAX_PASSED: u32 = 8;

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn is_called(waiter: &Waiter<'_>) -> bool {
        pin!(waiter.called()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn the_first_is_called_and_then_the_next() {
        let queue = Queue::default();
        let [first, second] = [(); 2].map(|()| queue.enter(2).unwrap());
        assert!(queue.enter(2).is_none());
        assert!(first.may_look() && !second.may_look());
        queue.call();
        assert!(is_called(&first) && !is_called(&second));
        drop(first);
        assert!(is_called(&second) && second.may_look());
        assert_eq!((queue.waiting(), queue.entered_total(), queue.refused_total()), (1, 2, 1));
        second.give_up();
        assert_eq!((queue.waiting(), queue.gave_up_total()), (0, 1));
    }

    #[test]
    fn an_exchange_that_leaves_the_queue_is_skipped() {
        let queue = Queue::default();
        let [first, second, third] = [(); 3].map(|()| queue.enter(3).unwrap());
        drop(second);
        drop(first);
        assert!(third.may_look());
    }

    #[test]
    fn each_free_connection_is_offered_to_another_exchange() {
        let queue = Queue::default();
        let [first, second] = [(); 2].map(|()| queue.enter(2).unwrap());
        assert!(queue.offer() && queue.offer());
        assert!(is_called(&first) && is_called(&second));
        assert!(queue.offer(), "it is kept, because no other exchange wants it");
        assert!(second.may_look(), "it was invited");
        assert!(!second.may_look(), "an invitation counts once");
    }

    #[test]
    fn the_first_is_not_passed_over_for_ever() {
        let queue = Queue::default();
        let first = thread::scope(|scope| scope.spawn(|| queue.enter(99).unwrap()).join().unwrap());
        let own: Vec<_> = (0..MAX_PASSED + 1).map(|_| queue.enter(99).unwrap()).collect();
        for own in &own[..MAX_PASSED as usize] {
            assert!(queue.offer() && is_called(own));
        }
        assert!(!queue.offer(), "closed, so that the first may open one");
        drop(first);
        assert!(queue.offer());
    }

    #[test]
    fn one_unused_connection_is_closed_per_exchange() {
        let queue = Queue::default();
        let waiters = [(); 2].map(|()| queue.enter(2).unwrap());
        assert!(queue.serve() && queue.serve() && !queue.serve());
        waiters[1].want_again();
        assert!(queue.serve() && !queue.serve());
    }
}
