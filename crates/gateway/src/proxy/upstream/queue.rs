//! Where exchanges wait while every server of their application has as many connections as it may.
//!
//! Those who wait stand in one line, whichever worker is theirs, and are called: the first when a connection was closed
//! somewhere, so that another one may be opened; the first of a worker when a connection of that worker is free again,
//! as long as the first of all is not passed over too often. Whoever is called looks for a place itself. While anybody
//! waits, nobody else takes one, and connections that other workers keep unused are closed.
//!
//! The line has a lock, which nobody meets where nobody waits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    thread::{self, ThreadId},
};

use tokio::sync::{Notify, watch};

/// The line before one application.
#[derive(Debug, Default)]
pub(super) struct Queue {
    places: Mutex<Places>,
    /// How long the line is.
    waiting: AtomicUsize,
    /// Tells the workers that an unused connection is wanted.
    wanted: watch::Sender<()>,
    entered: AtomicU64,
    refused: AtomicU64,
    gave_up: AtomicU64,
}

#[derive(Debug, Default)]
struct Places {
    line: VecDeque<Place>,
    next: u64,
}

#[derive(Debug)]
struct Place {
    number: u64,
    worker: ThreadId,
    called: Arc<Notify>,
    /// Whether a connection of its worker waits for it.
    invited: bool,
    /// Whether an unused connection was closed for it.
    served: bool,
    /// How often others behind it went first.
    passed: u32,
}

/// A place in the line. Dropped, it is free, and the next one is called.
#[derive(Debug)]
pub(super) struct Waiter<'q> {
    queue: &'q Queue,
    number: u64,
    called: Arc<Notify>,
}

impl Queue {
    /// A place at the line's end; none where there are `bound` already.
    pub(super) fn enter(&self, bound: usize) -> Option<Waiter<'_>> {
        let mut places = self.lock();
        if places.line.len() >= bound {
            self.refused.fetch_add(1, Relaxed);
            return None;
        }
        let (number, called) = (places.next, Arc::new(Notify::new()));
        places.next += 1;
        places.line.push_back(Place {
            number,
            worker: thread::current().id(),
            called: Arc::clone(&called),
            invited: false,
            served: false,
            passed: 0,
        });
        // Whoever gives a place up now sees that it is waited for: it looks after it has given it up.
        self.waiting.store(places.line.len(), SeqCst);
        self.entered.fetch_add(1, Relaxed);
        Some(Waiter { queue: self, number, called })
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(SeqCst)
    }

    /// How many have waited.
    pub(super) fn entered_total(&self) -> u64 {
        self.entered.load(Relaxed)
    }

    /// How many found the line full.
    pub(super) fn refused_total(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// How many waited in vain.
    pub(super) fn gave_up_total(&self) -> u64 {
        self.gave_up.load(Relaxed)
    }

    /// Calls the first: there is room for another connection.
    pub(super) fn call(&self) {
        if self.waiting() > 0
            && let Some(first) = self.lock().line.front()
        {
            first.called.notify_one();
        }
    }

    /// Calls somebody for a connection of this thread's worker that is free again. False where it is to be closed
    /// instead, because those who wait can't use it.
    pub(super) fn offer(&self) -> bool {
        let worker = thread::current().id();
        let mut places = self.lock();
        let is_next = |place: &Place| place.worker == worker && !place.invited;
        let Some(index) = places.line.iter().position(is_next) else {
            return places.line.iter().all(|place| place.worker == worker);
        };
        if let Some(first) = places.line.front_mut()
            && first.worker != worker
        {
            if first.passed >= MOST_PASSED {
                return false;
            }
            first.passed += 1;
        }
        if let Some(place) = places.line.get_mut(index) {
            place.invited = true;
            place.called.notify_one();
        }
        true
    }

    /// Is told whenever an unused connection is wanted.
    pub(super) fn wanted(&self) -> watch::Receiver<()> {
        self.wanted.subscribe()
    }

    /// Whether an unused connection is to be closed for somebody for whom none was closed yet.
    pub(super) fn serve(&self) -> bool {
        let mut places = self.lock();
        let place = places.line.iter_mut().find(|place| !place.served);
        place.is_some_and(|place| {
            place.served = true;
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter<'_> {
    /// Waits until it is called. A call that came before counts.
    pub(super) async fn called(&self) {
        self.called.notified().await;
    }

    /// Whether it may look for a place now.
    pub(super) fn may_look(&self) -> bool {
        let mut places = self.queue.lock();
        let is_first = places.line.front().is_some_and(|first| first.number == self.number);
        let invited =
            self.find(&mut places).is_some_and(|place| std::mem::take(&mut place.invited));
        is_first || invited
    }

    /// Asks all workers to close an unused connection for it.
    pub(super) fn want(&self) {
        self.queue.wanted.send_replace(());
    }

    /// Forgets that one was closed for it: somebody else may have been faster.
    pub(super) fn want_again(&self) {
        if let Some(place) = self.find(&mut self.queue.lock()) {
            place.served = false;
        }
    }

    /// Notes that it leaves without having found a place.
    pub(super) fn give_up(self) {
        self.queue.gave_up.fetch_add(1, Relaxed);
    }

    fn find<'l>(&self, places: &'l mut Places) -> Option<&'l mut Place> {
        let index = places.line.binary_search_by_key(&self.number, |place| place.number);
        index.ok().and_then(|index| places.line.get_mut(index))
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut places = self.queue.lock();
        let index = places.line.binary_search_by_key(&self.number, |place| place.number);
        if let Ok(index) = index {
            places.line.remove(index);
        }
        self.queue.waiting.store(places.line.len(), SeqCst);
        if let Some(first) = places.line.front() {
            first.called.notify_one();
        }
    }
}

/// So often the first may be passed over by others whose worker has a connection at hand: to close that one, and to
/// open another for the first, costs more than an exchange.
const MOST_PASSED: u32 = 8;

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
    fn who_leaves_in_the_middle_is_not_waited_for() {
        let queue = Queue::default();
        let [first, second, third] = [(); 3].map(|()| queue.enter(3).unwrap());
        drop(second);
        drop(first);
        assert!(third.may_look());
    }

    #[test]
    fn each_connection_that_is_free_again_is_offered_to_another() {
        let queue = Queue::default();
        let [first, second] = [(); 2].map(|()| queue.enter(2).unwrap());
        assert!(queue.offer() && queue.offer());
        assert!(is_called(&first) && is_called(&second));
        assert!(queue.offer(), "it is kept: nobody else wants it");
        assert!(second.may_look(), "it was invited");
        assert!(!second.may_look(), "and once only");
    }

    #[test]
    fn the_first_is_not_passed_over_for_ever() {
        let queue = Queue::default();
        let first = thread::scope(|scope| scope.spawn(|| queue.enter(99).unwrap()).join().unwrap());
        let own: Vec<_> = (0..MOST_PASSED + 1).map(|_| queue.enter(99).unwrap()).collect();
        for own in &own[..MOST_PASSED as usize] {
            assert!(queue.offer() && is_called(own));
        }
        assert!(!queue.offer(), "closed, so that the first may open one");
        drop(first);
        assert!(queue.offer());
    }

    #[test]
    fn one_unused_connection_is_closed_for_each() {
        let queue = Queue::default();
        let waiters = [(); 2].map(|()| queue.enter(2).unwrap());
        assert!(queue.serve() && queue.serve() && !queue.serve());
        waiters[1].want_again();
        assert!(queue.serve() && !queue.serve());
    }
}
