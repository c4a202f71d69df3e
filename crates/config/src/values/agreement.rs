//! `[seal]` and `[agreement]` (G).

use std::path::PathBuf;

use http::uri::PathAndQuery;

use crumbgate_policy::declaration::{CookieName, PathPattern};

/// `[seal]`: the key ring and the cookie that is sealed (G1 to G5).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    /// True if keys are needed: a tenant of the file seals, or `keys` is set for tenants that are added at run time.
    pub is_used: bool,
    /// The file of the key ring.
    pub keys: PathBuf,
    /// The sealed cookie; `None` if no declared cookie can be sealed and nothing requires it.
    pub cookie: Option<CookieName>,
    /// The moment from which unsealed values are rejected, in seconds since the Unix epoch; `None` accepts them.
    pub unsealed_until_unix_s: Option<u64>,
}

/// `[agreement]`: the question whether people agree (G6 to G8).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asking {
    /// Asks again when the declaration has changed.
    pub ask_again: bool,
    /// Paths that are open without an agreement where a tenant requires one, such as its imprint.
    pub open_paths: Vec<PathPattern>,
    /// The target of the application at which a `POST` ends a session; `None` sends it no withdrawal.
    pub logout: Option<PathAndQuery>,
}
