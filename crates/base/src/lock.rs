//! Locks of values that are never left half changed.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex, even after a thread that held it has panicked. Only for values that such a thread leaves in a valid
/// state, for example because they are replaced as a whole.
pub fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
