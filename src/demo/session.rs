//! The sessions, in memory, with their logged-in users and CSRF tokens.

use std::collections::{HashMap, VecDeque};

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::random::random_text;

/// The lifetime of an unused session: Laravel's default.
pub(super) const LIFETIME_S: u32 = 7_200;

/// One browser's session.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The value of the session's cookie.
    pub(super) id: String,
    /// The value of `XSRF-TOKEN`.
    pub(super) token: String,
    /// The logged-in user.
    pub(super) user: Option<String>,
    /// The only host for which the session is valid.
    host: String,
    used_s: u32,
}

impl Session {
    /// Compares a request's CSRF token with that of the session.
    pub(super) fn has_token(&self, token: &str) -> bool {
        verify_slices_are_equal(self.token.as_bytes(), token.as_bytes()).is_ok()
    }
}

/// All sessions, at most [`Sessions::MAX`]. A further one replaces the oldest.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: HashMap<String, Session>,
    /// Holds each key of `by_id` once, oldest first.
    ids: VecDeque<String>,
}

impl Sessions {
    const MAX: usize = 1_000;

    /// Starts a session with a new id and a new token. `now_s` is a monotonic time.
    pub(super) fn open(&mut self, host: &str, user: Option<String>, now_s: u32) -> Session {
        if self.ids.len() >= Self::MAX
            && let Some(oldest) = self.ids.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        let (id, token) = (random_text(), random_text());
        let session = Session { id, token, user, host: host.to_owned(), used_s: now_s };
        self.ids.push_back(session.id.clone());
        self.by_id.insert(session.id.clone(), session.clone());
        session
    }

    /// Returns the session `id` and marks it as used. `None`: it is unknown, of another host, or expired.
    pub(super) fn find(&mut self, id: &str, host: &str, now_s: u32) -> Option<Session> {
        let session = self.by_id.get_mut(id).filter(|session| session.host == host)?;
        if now_s.saturating_sub(session.used_s) > LIFETIME_S {
            self.close(id);
            return None;
        }
        session.used_s = now_s;
        Some(session.clone())
    }

    /// Ends the session `id`, if it exists.
    pub(super) fn close(&mut self, id: &str) {
        self.by_id.remove(id);
        self.ids.retain(|known| known != id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_valid_for_its_host_until_it_is_closed_or_unused_for_two_hours() {
        let mut sessions = Sessions::default();
        let id = sessions.open("acme.localhost", Some("ada".to_owned()), 0).id;
        assert!(sessions.find(&id, "globex.localhost", 0).is_none());
        assert!(sessions.find(&id, "acme.localhost", LIFETIME_S).is_some());
        assert!(sessions.find(&id, "acme.localhost", 2 * LIFETIME_S).is_some());
        assert!(sessions.find(&id, "acme.localhost", 3 * LIFETIME_S + 1).is_none());
        assert!(sessions.ids.is_empty());

        let id = sessions.open("acme.localhost", None, 0).id;
        sessions.close(&id);
        assert!(sessions.find(&id, "acme.localhost", 0).is_none());
    }

    #[test]
    fn one_session_too_many_replaces_the_oldest() {
        let mut sessions = Sessions::default();
        let oldest = sessions.open("acme.localhost", None, 0).id;
        for _ in 0..Sessions::MAX {
            sessions.open("acme.localhost", None, 0);
        }
        assert!(sessions.find(&oldest, "acme.localhost", 0).is_none());
        assert_eq!((sessions.by_id.len(), sessions.ids.len()), (Sessions::MAX, Sessions::MAX));
    }
}
