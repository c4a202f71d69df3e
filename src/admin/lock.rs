//! Locks of values that are replaced as a whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even after a thread that held it has panicked: such a thread leaves the value before or after, and
/// nothing in between.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
