//! Every text of a report, in each language: a text that one language lacks does not compile.

mod de;
mod en;

use super::{Dependence, Why};
use crumbgate_base::language::Language;
use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::{
    Mode,
    requested::RequestedLifetime,
    verdict::{Direction, Reason},
};

/// The texts of a report in one language. Functions are for what has a number or a name in it.
pub(super) struct Words {
    /// As BCP 47 has it.
    pub(super) tag: &'static str,
    /// Between the digits of thousands.
    pub(super) thousands: &'static str,
    pub(super) units: [Unit; 5],

    pub(super) title: &'static str,
    pub(super) skip: &'static str,
    pub(super) contents: &'static str,
    pub(super) about: &'static str,
    pub(super) all_tenants: &'static str,
    pub(super) period_utc: &'static str,
    pub(super) to: &'static str,
    pub(super) gateway: &'static str,
    pub(super) made: &'static str,
    pub(super) made_with: fn(&str) -> String,
    pub(super) empty: &'static str,
    pub(super) shows: &'static str,
    pub(super) cannot: &'static str,
    pub(super) limits: [&'static str; 4],

    pub(super) none: &'static str,
    pub(super) unknown: &'static str,
    pub(super) more: fn(&str) -> String,
    pub(super) rows_left_out: fn(&str) -> String,
    pub(super) sorts: &'static str,

    pub(super) sums: &'static str,
    pub(super) requests: &'static str,
    pub(super) seen: &'static str,
    pub(super) passed: &'static str,
    pub(super) held_back: &'static str,
    pub(super) only_watched: &'static str,
    pub(super) evicted: &'static str,
    pub(super) balance: &'static str,
    pub(super) balance_rule: &'static str,
    pub(super) balances: &'static str,
    pub(super) is_balanced: &'static str,
    pub(super) is_unbalanced: fn(&str) -> String,
    pub(super) lost_rows: fn(&str) -> String,
    pub(super) direction: &'static str,
    pub(super) cookies_of: fn(Direction) -> &'static str,
    pub(super) counted: &'static str,
    pub(super) kept: &'static str,
    pub(super) rewritten: &'static str,
    pub(super) stripped: &'static str,
    pub(super) dropped: &'static str,
    pub(super) difference: &'static str,
    pub(super) added: &'static str,
    pub(super) in_all: &'static str,
    pub(super) renewed: &'static str,
    pub(super) injected: &'static str,
    pub(super) watched_note: &'static str,

    pub(super) before: &'static str,
    pub(super) before_lead: &'static str,
    pub(super) before_none: &'static str,
    pub(super) dependence: fn(Dependence) -> &'static str,
    pub(super) observed: &'static str,

    pub(super) declared: &'static str,
    pub(super) declared_lead: &'static str,
    pub(super) purpose: &'static str,
    pub(super) declared_lifetime: &'static str,
    pub(super) session_lifetime: &'static str,
    pub(super) no_longer_declared: &'static str,
    pub(super) lifetimes: &'static str,
    pub(super) lifetimes_lead: &'static str,
    pub(super) asked: &'static str,
    pub(super) granted: &'static str,
    pub(super) deleted: &'static str,
    pub(super) times: fn(&str) -> String,
    pub(super) to_application: &'static str,
    pub(super) lifetime: fn(RequestedLifetime) -> &'static str,

    pub(super) stripped_title: &'static str,
    pub(super) stripped_lead: &'static str,
    pub(super) stripped_none: &'static str,
    pub(super) cookie: &'static str,
    pub(super) nameless: &'static str,
    pub(super) usually: &'static str,
    pub(super) tenant: &'static str,
    pub(super) why: &'static str,
    pub(super) mode: fn(Mode) -> &'static str,
    pub(super) mode_title: &'static str,
    pub(super) reason: fn(Reason) -> &'static str,
    pub(super) from_browsers: &'static str,
    pub(super) from_application: &'static str,
    pub(super) first_seen: &'static str,
    pub(super) last_seen: &'static str,
    pub(super) routes: &'static str,
    pub(super) attributes: &'static str,
    pub(super) evictions: &'static str,
    pub(super) would_be: fn(&str) -> String,
    pub(super) in_spite_short: &'static str,

    pub(super) agreement: &'static str,
    pub(super) agreement_lead: &'static str,
    pub(super) agreement_none: &'static str,
    pub(super) agreement_dropped: fn(&str) -> String,
    pub(super) shown: &'static str,
    pub(super) agreed: &'static str,
    pub(super) declined: &'static str,
    pub(super) withdrawn: &'static str,
    pub(super) first_time: &'static str,
    pub(super) last_time: &'static str,
    pub(super) pages: &'static str,
    pub(super) pages_lead: &'static str,
    pub(super) page: &'static str,

    pub(super) timeline: &'static str,
    pub(super) timeline_lead: fn(&str) -> String,
    pub(super) timeline_numbers: &'static str,
    pub(super) timeline_highest: fn(&str) -> String,
    pub(super) timeline_gap: &'static str,
    pub(super) begin: &'static str,
    pub(super) end: &'static str,

    pub(super) tenants: &'static str,
    pub(super) tenants_lead: &'static str,

    pub(super) liveness: &'static str,
    pub(super) liveness_lead: &'static str,
    pub(super) heartbeats: &'static str,
    pub(super) missing: &'static str,
    pub(super) alive: &'static str,
    pub(super) gaps: &'static str,
    pub(super) gaps_none: &'static str,
    pub(super) duration: &'static str,
    pub(super) gap: fn(Why) -> &'static str,
    pub(super) lost: fn(&str, &str) -> String,
    pub(super) lost_agreements: fn(&str) -> String,

    pub(super) events: &'static str,
    pub(super) events_none: &'static str,
    pub(super) when: &'static str,
    pub(super) what: &'static str,
    pub(super) who: &'static str,
    pub(super) detail: &'static str,
    pub(super) event: fn(EventKind) -> &'static str,

    pub(super) versions: &'static str,
    pub(super) versions_none: &'static str,
    pub(super) version: &'static str,
    pub(super) since: &'static str,
    pub(super) ruled: &'static str,
    pub(super) did_not_rule: &'static str,
    pub(super) cookies: &'static str,
    pub(super) changes: &'static str,
    pub(super) first_version: &'static str,
    pub(super) unreadable: &'static str,

    pub(super) chain: &'static str,
    pub(super) chain_lead: &'static str,
    pub(super) segments: &'static str,
    pub(super) pruned: &'static str,
    pub(super) first_segment: &'static str,
    pub(super) last_segment: &'static str,
    pub(super) last_root: &'static str,
    pub(super) last_newest: &'static str,
    pub(super) open_entries: &'static str,
    pub(super) keys: &'static str,
    pub(super) checked: &'static str,
    pub(super) chain_holds: fn(&str) -> String,
    pub(super) chain_fails: fn(&str) -> String,
    pub(super) chain_unchecked: &'static str,

    pub(super) glossary: &'static str,
    pub(super) terms: [(&'static str, &'static str); 15],
}

impl Words {
    /// The texts of reports in this language.
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::De => &de::WORDS,
            Language::En => &en::WORDS,
        }
    }
}

/// A unit of time: one of it, and the word for several.
pub(super) type Unit = (&'static str, &'static str);
