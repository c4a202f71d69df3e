//! Every text of the dashboard, in each language: a text that one language lacks does not compile.

mod de;
mod en;

use crate::language::Language;

/// The texts in this language.
pub(super) fn words(language: Language) -> &'static Words {
    match language {
        Language::De => &de::WORDS,
        Language::En => &en::WORDS,
    }
}

/// The texts in one language. Functions are for what has a number or a name in it.
pub(super) struct Words {
    /// As BCP 47 has it.
    pub(super) tag: &'static str,
    pub(super) language: Language,
    /// The other language: its tag, and its name in itself.
    pub(super) other: (&'static str, &'static str),
    pub(super) thousands: &'static str,
    pub(super) point: char,

    pub(super) skip: &'static str,
    pub(super) live: &'static str,
    pub(super) connecting: &'static str,
    pub(super) paused: &'static str,
    /// `{time}` is the moment, `{for}` a number of seconds.
    pub(super) lost: &'static str,
    pub(super) lost_detail: &'static str,
    pub(super) refused: &'static str,
    pub(super) without_script: &'static str,

    pub(super) token_title: &'static str,
    pub(super) token_lead: &'static str,
    pub(super) token: &'static str,
    pub(super) token_use: &'static str,
    pub(super) token_wrong: &'static str,
    pub(super) token_forget: &'static str,

    pub(super) state: &'static str,
    pub(super) well: &'static str,
    pub(super) concerns: fn(usize) -> String,
    pub(super) draining: &'static str,
    pub(super) not_ready: &'static str,
    pub(super) reload_refused: &'static str,
    pub(super) server_down: fn(&str) -> String,
    pub(super) server_ejected: fn(&str) -> String,
    /// One, several: behind "in".
    pub(super) days: [&'static str; 2],
    pub(super) certificate_expired: fn(&str) -> String,
    pub(super) certificate_ends: fn(&str, &str) -> String,
    pub(super) many_fail: fn(&str) -> String,
    pub(super) ledger_failing: &'static str,
    pub(super) ledger_unreadable: &'static str,
    pub(super) ledger_unbalanced: &'static str,
    pub(super) ledger_dropped: &'static str,

    pub(super) traffic: &'static str,
    pub(super) a_minute: &'static str,
    pub(super) requests: &'static str,
    pub(super) failed: fn(&str) -> String,
    pub(super) kept: &'static str,
    pub(super) kept_hint: &'static str,
    pub(super) rewritten: &'static str,
    pub(super) rewritten_hint: &'static str,
    pub(super) stripped: &'static str,
    pub(super) stripped_hint: &'static str,
    pub(super) own_latency: &'static str,
    pub(super) upstream_latency: &'static str,
    pub(super) average: &'static str,
    pub(super) spread: fn(&str, &str) -> String,
    pub(super) in_all: fn(&str) -> String,
    pub(super) no_requests: &'static str,
    pub(super) picture: fn(&str, &str, &str) -> String,
    pub(super) picture_empty: fn(&str) -> String,

    pub(super) names: &'static str,
    pub(super) names_none: &'static str,
    pub(super) names_none_hint: &'static str,
    pub(super) names_more: fn(&str) -> String,
    pub(super) name: &'static str,
    pub(super) vendor: &'static str,
    pub(super) vendor_unknown: &'static str,
    pub(super) first_seen: &'static str,
    pub(super) place: &'static str,
    pub(super) from_application: &'static str,
    pub(super) from_browser: &'static str,
    pub(super) watched: &'static str,
    pub(super) now: &'static str,
    pub(super) ago: fn(u64, Unit) -> String,

    pub(super) tenants: &'static str,
    pub(super) search: &'static str,
    pub(super) search_do: &'static str,
    pub(super) host: &'static str,
    pub(super) session: &'static str,
    pub(super) upstream: &'static str,
    pub(super) action: &'static str,
    pub(super) change: &'static str,
    pub(super) in_file: &'static str,
    pub(super) file_note: &'static str,
    pub(super) auditor_note: &'static str,
    pub(super) tenants_none: &'static str,
    pub(super) tenants_none_hint: &'static str,
    pub(super) found_none: fn(&str) -> String,
    pub(super) tenants_all: fn(&str, bool) -> String,
    pub(super) tenants_rest: fn(&str, &str) -> String,
    /// `{host}` is the tenant's.
    pub(super) new_session: &'static str,
    pub(super) session_hint: &'static str,
    pub(super) save: &'static str,
    pub(super) cancel: &'static str,
    pub(super) same: &'static str,
    pub(super) confirm: &'static str,
    pub(super) confirm_lead: &'static str,
    pub(super) confirm_do: &'static str,
    pub(super) today: &'static str,
    pub(super) then: &'static str,
    /// `{host}` is the tenant's, `{session}` its new duration.
    pub(super) changed: &'static str,

    pub(super) upstreams: &'static str,
    pub(super) server: &'static str,
    pub(super) condition: &'static str,
    pub(super) connections: &'static str,
    pub(super) up: &'static str,
    pub(super) down: &'static str,
    pub(super) ejected: &'static str,
    pub(super) unchecked: &'static str,
    pub(super) waiting: fn(&str) -> String,

    pub(super) certificates: &'static str,
    pub(super) certificates_none: &'static str,
    pub(super) file: &'static str,
    pub(super) days_left: &'static str,
    pub(super) expired: &'static str,

    pub(super) configuration: &'static str,
    pub(super) in_force: &'static str,
    pub(super) last_reload: &'static str,
    pub(super) reload_never: &'static str,
    pub(super) reload_taken: fn(&str) -> String,
    pub(super) reload_not_taken: fn(&str) -> String,
    pub(super) problems: &'static str,
    pub(super) running: &'static str,

    pub(super) ledger: &'static str,
    pub(super) balance: &'static str,
    pub(super) balanced: &'static str,
    pub(super) unbalanced: &'static str,
    pub(super) counted: &'static str,
    pub(super) recorded: &'static str,
    pub(super) dropped: &'static str,
    pub(super) file_state: &'static str,
    pub(super) written: &'static str,
    pub(super) not_written: fn(&str) -> String,
    pub(super) last_closed: &'static str,
    pub(super) closed_none: &'static str,
    pub(super) ledger_off: &'static str,
    pub(super) ledger_off_hint: &'static str,
    pub(super) ledger_not_yet: &'static str,
}

/// What time is told in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unit {
    Minute,
    Hour,
    Day,
}
