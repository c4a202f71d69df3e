//! English.

use super::{
    super::{Dependence, Why},
    Words,
};
use crumbgate_base::language::Language;
use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::{
    Mode,
    requested::RequestedLifetime,
    verdict::{Direction, Reason},
};

pub(super) const WORDS: Words = Words {
    language: Language::En,

    title: "Cookie report",
    skip: "Skip to the report",
    contents: "Contents",
    about: "Tenant",
    all_tenants: "all tenants",
    period_utc: "Period (UTC)",
    to: "to",
    gateway: "Gateway",
    made: "Made",
    made_with: |version| format!("with Crumbgate {version}, from the gateway's ledger"),
    empty: "The ledger has nothing of this time.",
    shows: "Crumbgate is a gateway between browsers and a web application. It lets the cookies pass that the operator \
            has declared, and strips every other one, in both directions. This report adds up what its ledger says of \
            the period: which cookies are declared, what became of them, which were stripped, and whether all that \
            were counted are accounted for.",
    cannot: "What it can't show",
    limits: [
        "A cookie's name proves nothing. Who \u{201c}usually\u{201d} sets a cookie of a name is a hint: anybody may use \
         the same name for something else.",
        "A cookie that a script sets and reads within one page never crosses the gateway, so it is not in here.",
        "An eviction asks a browser to delete a cookie. The gateway knows no browser and claims no success; it says \
         which names came in all the same.",
        "Neither values of cookies nor anything about visitors is recorded. Counts are counts of cookies, not of people.",
    ],

    none: "none",
    unknown: "unknown",
    more: |number| format!("{number} more"),
    rows_left_out: |number| {
        format!(
            "{number} more rows, less frequent ones, are left out here. The formats csv and json have all of them."
        )
    },
    sorts: "The headings of columns sort their tables.",

    sums: "In sum",
    requests: "Requests",
    seen: "Cookies seen",
    passed: "Passed",
    held_back: "Stripped",
    only_watched: "Would be stripped",
    evicted: "Evictions sent",
    balance: "Balance",
    balance_rule: "Each cookie that was seen was kept, rewritten or stripped; one for which the ledger had no room is \
                   counted as dropped. Nothing else may be left over.",
    balances: "Balances",
    is_balanced: "yes",
    is_unbalanced: |difference| format!("no, by {difference}"),
    lost_rows: |number| {
        format!(
            "Of {number} cookies the ledger has a count and no line of their own: there was no room."
        )
    },
    direction: "Direction",
    cookies_of: |direction| match direction {
        Direction::Request => "Requests: browser to application",
        Direction::Response => "Responses: application to browser",
    },
    counted: "Seen",
    kept: "Kept",
    rewritten: "Rewritten",
    stripped: "Stripped",
    dropped: "Dropped",
    difference: "Left over",
    added: "Added by the gateway",
    in_all: "In all",
    renewed: "Renewed",
    injected: "Injected",
    watched_note: "Tenants in report mode are watched only: what counts as stripped there went on unchanged, and what counts as added was not.",

    before: "Before you enforce, look at these",
    before_lead: "Undeclared cookies of tenants in report mode. Enforcing takes them away, and what depends on them \
                  breaks: declare what the application needs, and remove what it does not.",
    before_none: "Tenants in report mode had no undeclared cookie in this time.",
    dependence: |dependence| match dependence {
        Dependence::SetAndSentBack => {
            "The application set it and got it back: it may depend on it."
        }
        Dependence::SentOnly => {
            "The application got it, but did not set it in this time: a script did, or it is older."
        }
        Dependence::NeverCameBack => "The application set it, and it never came back in this time.",
    },
    observed: "What was seen",

    declared: "Declared cookies",
    declared_lead: "What the operator has published. These cookies pass; the gateway sees to it that they live as long \
                    as declared, and no longer.",
    purpose: "Purpose",
    declared_lifetime: "Declared lifetime",
    session_lifetime: "the tenant's session duration",
    no_longer_declared: "no longer declared",
    lifetimes: "Lifetimes asked for and granted",
    lifetimes_lead: "\u{201c}Asked for\u{201d} is what the application wrote, in steps; \u{201c}granted\u{201d} is what \
                     left for the browser.",
    asked: "Asked for",
    granted: "Granted",
    deleted: "deleted",
    times: |number| format!("{number}\u{a0}\u{d7}"),
    to_application: "To the application",
    lifetime: |step| match step {
        RequestedLifetime::BrowserSession => "until the browser closes",
        RequestedLifetime::Deletion => "deletion",
        RequestedLifetime::Hour => "up to 1 hour",
        RequestedLifetime::Day => "up to 1 day",
        RequestedLifetime::Week => "up to 1 week",
        RequestedLifetime::Month => "up to 1 month",
        RequestedLifetime::Year => "up to 1 year",
        RequestedLifetime::Longer => "more than 1 year",
    },

    stripped_title: "Stripped cookies",
    stripped_lead: "Names are templates: digits and identifiers that could tell visitors apart are replaced.",
    stripped_none: "Nothing was stripped in this time.",
    cookie: "Cookie",
    nameless: "(without a name)",
    usually: "Usually set by",
    tenant: "Tenant",
    why: "Why",
    mode: |mode| match mode {
        Mode::Enforce => "enforced",
        Mode::Report => "only watched",
    },
    mode_title: "Mode",
    reason: |reason| match reason {
        Reason::BeforeAgreement => "before agreement",
        Reason::Duplicate => "duplicate",
        Reason::Expired => "expired",
        Reason::Foreign => "foreign",
        Reason::Forged => "forged",
        Reason::Malformed => "malformed",
        Reason::Misplaced => "misplaced",
        Reason::Nameless => "nameless",
        Reason::Oversize => "oversize",
        Reason::Undeclared => "undeclared",
    },
    from_browsers: "From browsers",
    from_application: "From the application",
    first_seen: "First seen",
    last_seen: "Last seen",
    routes: "Where",
    attributes: "Set with",
    evictions: "Evictions",
    would_be: |number| format!("{number} would be sent"),
    in_spite_short: "still comes",

    agreement: "Agreement",
    agreement_lead: "How often the gateway's own page about cookies was shown, and what was answered there. Counted are \
                     pages and presses of buttons, not people: whose they were is not recorded. First by \
                     version of the declaration, then by page.",
    agreement_none: "No page was shown.",
    agreement_dropped: |number| {
        format!("Of {number} such counts the ledger has no line of their own: there was no room.")
    },
    shown: "Shown",
    agreed: "Agreed",
    declined: "Declined",
    withdrawn: "Withdrawn",
    first_time: "First",
    last_time: "Last",
    pages: "The pages that were shown",
    pages_lead: "The ledger has each of these pages, byte for byte, under its SHA-256; an export has them as files.",
    page: "Page (SHA-256)",

    timeline: "Time line",
    timeline_lead: |step| format!("Cookies seen, in steps of {step}. Times are UTC."),
    timeline_numbers: "The numbers behind the picture",
    timeline_highest: |number| format!("highest: {number}"),
    timeline_gap: "not alive, or books may be short",
    begin: "From",
    end: "Until",

    tenants: "Tenants",
    tenants_lead: "The sums of each tenant.",

    liveness: "Heartbeats and gaps",
    liveness_lead: "While the gateway runs it writes a heartbeat in each window, also where nothing happened: \
                    \u{201c}nothing was stripped\u{201d} differs from \u{201c}the gateway was off\u{201d}.",
    heartbeats: "Heartbeats",
    missing: "Heartbeats missing from their numbering",
    alive: "Alive, of this period",
    gaps: "Gaps",
    gaps_none: "There is no gap in this time.",
    duration: "Duration",
    gap: |why| match why {
        Why::Before => {
            "before the ledger's oldest entry: never recorded, or removed after the retention"
        }
        Why::Clock => "the clock was set, or the machine slept",
        Why::Damage => "the ledger's file was damaged, set aside, and begun anew",
        Why::Loss => "alive, but without room: verdicts were counted and not written down",
        Why::Stop => "stopped, with everything written",
        Why::UncleanStop => "ended uncleanly: the last second before may be missing from the books",
        Why::Unknown => "the ledger does not say why",
    },
    lost: |cookies, requests| format!("{cookies} cookies in {requests} requests"),
    lost_agreements: |number| format!("{number} pages that were shown or answered"),

    events: "Events",
    events_none: "Nothing happened to the gateway itself, nor to a tenant's keys, in this time.",
    when: "When",
    what: "What",
    who: "By",
    detail: "Details",
    event: |kind| match kind {
        EventKind::Clock => "clock jumped",
        EventKind::Configuration => "configuration changed",
        EventKind::Damage => "damaged file set aside",
        EventKind::Declaration => "declaration changed",
        EventKind::Key => "signing key changed",
        EventKind::Loss => "verdicts lost",
        EventKind::Prune => "old entries removed",
        EventKind::Start => "started",
        EventKind::Stop => "stopped",
        EventKind::Tenant => "tenant changed",
        EventKind::UncleanStop => "had ended uncleanly",
    },

    versions: "Versions of the declaration",
    versions_none: "The ledger has no declaration.",
    version: "Version (SHA-256)",
    since: "First loaded",
    ruled: "Ruled in this period",
    did_not_rule: "not in this period",
    cookies: "Cookies",
    changes: "Changes",
    first_version: "the first in this ledger",
    unreadable: "this version of Crumbgate can't read it",

    chain: "The ledger's seals",
    chain_lead: "Entries are closed in segments. Each segment's root is signed and includes the one before it, so that \
                 a later change to what was closed shows.",
    segments: "Closed segments",
    pruned: "Of these, removed after the retention",
    first_segment: "First segment with entries",
    last_segment: "Last closed segment",
    last_root: "Its root",
    last_newest: "Latest moment in it",
    open_entries: "Entries not yet closed",
    keys: "Signed by",
    checked: "Checked",
    chain_holds: |when| format!("yes, at {when}: every seal holds"),
    chain_fails: |why| format!("yes, and a seal does not hold: {why}"),
    chain_unchecked: "not checked here: crumbgate audit verify does",

    glossary: "The words of this report",
    terms: [
        ("Kept", "A declared cookie of a request, passed to the application byte for byte."),
        (
            "Rewritten",
            "A declared cookie of a response, sent to the browser with the declared lifetime and attributes.",
        ),
        (
            "Stripped",
            "Removed: it did not reach the application, or the browser. In report mode: would have been.",
        ),
        ("Undeclared", "The declaration has no cookie of this name."),
        (
            "Duplicate",
            "A cookie of the same name stood before it in the request; the first one counts.",
        ),
        (
            "Before agreement",
            "Held back, because whoever it belongs to has not agreed to the use of cookies, or has withdrawn.",
        ),
        (
            "Expired, foreign, forged",
            "A sealed session cookie that was sealed longer ago than the session duration, sealed for another tenant, \
             or altered.",
        ),
        (
            "Malformed, misplaced, nameless, oversize",
            "It has bytes that don't belong into a cookie, stands in a trailer, has no name, or more than 4096 bytes.",
        ),
        (
            "Renewed",
            "A declared cookie that the gateway set again for its full lifetime, because it was used.",
        ),
        ("Injected", "A declared cookie that the gateway set because the browser had none."),
        (
            "Eviction",
            "Fields that ask the browser to delete an undeclared cookie which it keeps sending.",
        ),
        (
            "Still comes",
            "Browsers sent the name in a later window than the first eviction: another browser that had not \
                         been asked, a script that sets it anew, or a domain or path that an eviction can't reach.",
        ),
        (
            "Shown, agreed, declined, withdrawn",
            "A page of the gateway's own was sent to a browser, or a button of it was pressed. A withdrawal is counted for the \
             page on which it was done.",
        ),
        ("(other)", "Names beyond the first thousand of a tenant in one window, counted together."),
        (
            "Report mode",
            "The tenant is watched and nothing is changed: verdicts say what enforcing would do.",
        ),
    ],
};
