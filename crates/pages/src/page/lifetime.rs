//! The lifetime of a cookie, in seconds and as a text.

use crumbgate_policy::declaration::{DeclaredCookie, Inject, Lifetime, SessionDuration};

use super::words::Words;

/// Returns the lifetime of a cookie, for a tenant with this session duration.
pub(super) fn lifetime(cookie: &DeclaredCookie, session: SessionDuration) -> SessionDuration {
    match cookie.lifetime {
        Lifetime::Fixed(duration) => duration,
        Lifetime::Session => session,
    }
}

impl Words {
    /// Writes a duration exactly: `2 hours`.
    pub(super) fn duration(&self, duration: SessionDuration) -> String {
        self.language.duration(duration.seconds().into())
    }

    /// Writes the lifetime of a cookie and its beginning, for a tenant with this session duration.
    pub(super) fn lifetime(&self, cookie: &DeclaredCookie, session: SessionDuration) -> String {
        let duration = self.duration(lifetime(cookie, session));
        let is_renewed = cookie.inject != Inject::Off && !cookie.renew_on.paths.is_empty();
        if is_renewed { (self.after_use)(&duration) } else { (self.after_set)(&duration) }
    }
}

#[cfg(test)]
mod tests {
    use crumbgate_base::language::Language;
    use crumbgate_policy::declaration::Declaration;

    use super::Words;

    #[test]
    fn the_lifetime_of_a_cookie_that_nothing_renews_begins_when_it_is_set() {
        let words = Words::of(Language::En);
        let declaration = Declaration::flexopus();
        let mut cookie = declaration.cookies()[1].clone();
        let session = "2h".parse().unwrap();
        assert_eq!(words.lifetime(&cookie, session), "2 hours after the last use");
        cookie.renew_on.paths.clear();
        assert_eq!(words.lifetime(&cookie, session), "2 hours after it is set");
    }
}
