//! Route templates (A2): the part of a path that describes the application and not a person.

use std::{collections::HashSet, sync::LazyLock};

use foldhash::fast::FixedState;
use smallvec::SmallVec;

/// The template of a path: segments in a list of common words stay, every other segment becomes `{id}`, and segments
/// after the sixth become `…`.
///
/// Only listed words stay, because an unknown segment may name a person (`/users/ada`).
pub fn route_template(path: &str) -> String {
    RouteBuffer::default().template(path).to_owned()
}

/// A buffer to which templates are written without an allocation.
#[derive(Debug, Default)]
pub(super) struct RouteBuffer(SmallVec<[u8; MAX_BYTES]>);

impl RouteBuffer {
    /// The template of a path, see [`route_template`].
    pub(super) fn template(&mut self, path: &str) -> &str {
        self.0.clear();
        let segments = path.split('/').filter(|segment| !segment.is_empty());
        for (depth, segment) in segments.enumerate() {
            self.0.push(b'/');
            if depth == MAX_SEGMENTS {
                self.0.extend_from_slice("…".as_bytes());
                break;
            }
            let is_word = segment.len() <= MAX_WORD_BYTES && known().contains(segment);
            self.0.extend_from_slice(if is_word { segment } else { "{id}" }.as_bytes());
        }
        if self.0.is_empty() {
            self.0.push(b'/');
        }
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn known() -> &'static HashSet<&'static str, FixedState> {
    static KNOWN: LazyLock<HashSet<&'static str, FixedState>> =
        LazyLock::new(|| WORDS.into_iter().collect());
    &KNOWN
}

const MAX_WORD_BYTES: usize = 15;

/// Length of the longest template.
const MAX_BYTES: usize = MAX_SEGMENTS * (1 + MAX_WORD_BYTES) + "/…".len();

/// Number of segments in the longest template.
const MAX_SEGMENTS: usize = 6;

/// Sorted by bytes.
const WORDS: [&str; 92] = [
    "account",
    "accounts",
    "admin",
    "analytics",
    "api",
    "app",
    "assets",
    "auth",
    "availability",
    "booking",
    "bookings",
    "broadcasting",
    "build",
    "buildings",
    "calendar",
    "calendars",
    "check-in",
    "company",
    "css",
    "dashboard",
    "desk",
    "desks",
    "devices",
    "docs",
    "download",
    "echo",
    "edit",
    "email",
    "events",
    "export",
    "favicon.ico",
    "feedback",
    "files",
    "floors",
    "fonts",
    "forgot-password",
    "graphql",
    "health",
    "help",
    "icons",
    "images",
    "import",
    "index.html",
    "index.php",
    "js",
    "languages",
    "license",
    "live",
    "livewire",
    "locations",
    "login",
    "logout",
    "map",
    "map-builder",
    "maps",
    "me",
    "members",
    "messages",
    "notifications",
    "oauth",
    "offices",
    "organization",
    "organizations",
    "parking",
    "password",
    "preferences",
    "privacy",
    "profile",
    "register",
    "reports",
    "reset-password",
    "robots.txt",
    "roles",
    "rooms",
    "sanctum",
    "search",
    "settings",
    "slow",
    "socket",
    "sso",
    "storage",
    "teams",
    "tokens",
    "up",
    "upload",
    "users",
    "v1",
    "v2",
    "v3",
    "verify",
    "webhooks",
    "whoami",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a3_a_route_template_holds_nothing_but_known_words() {
        let cases = [
            ("/", "/"),
            ("", "/"),
            ("/api/desks", "/api/desks"),
            ("/api/desks/42/", "/api/desks/{id}"),
            ("/users/ada@example.org", "/users/{id}"),
            ("/users/ada", "/users/{id}"),
            ("/users/ada.lovelace", "/users/{id}"),
            ("/reset-password/abcdefghijkl", "/reset-password/{id}"),
            ("/Login", "/{id}"),
            ("/api/api/api/api/api/api/api", "/api/api/api/api/api/api/…"),
            ("//login//logout", "/login/logout"),
        ];
        for (path, template) in cases {
            assert_eq!(route_template(path), template, "{path}");
        }
    }

    #[test]
    fn every_word_is_found() {
        assert!(WORDS.is_sorted());
        assert!(WORDS.iter().all(|word| word.len() <= MAX_WORD_BYTES));
    }
}
