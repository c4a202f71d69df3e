//! English texts.

use super::texts::Words;
use crate::{guard::EnforcingRisk, liveness::GapReason, stripped::Dependence};
use crumbgate_audit::{GuardOutcome, ScriptedKind};
use crumbgate_base::language::Language;
use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::{
    GuardMode, Mode,
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
    empty: "The ledger has no entries for this period.",
    shows: "Crumbgate is a gateway between browsers and a web application. It passes the cookies that the operator has \
            declared, and strips all others, in both directions. This report summarizes its ledger for the period: the \
            declared cookies and their use, the stripped cookies, and whether every counted cookie is recorded.",
    cannot: "Limits of this report",
    limits: [
        "A cookie's name proves nothing. The \u{201c}usual\u{201d} vendor of a name is a hint: anybody can use the same \
         name for another purpose.",
        "A cookie that a script sets and reads within one page never passes the gateway. It is in this report only if a \
         browser reported it to the guard.",
        "An eviction asks a browser to delete a cookie. The gateway can't see whether the browser deletes it. The report \
         lists the names that browsers still sent.",
        "Neither cookie values nor any information about visitors is recorded. The counts are of cookies, not of people.",
    ],

    none: "none",
    unknown: "unknown",
    more: |number| format!("{number} more"),
    rows_left_out: |number| {
        format!(
            "{number} more rows, which are less frequent, are not shown here. The formats csv and json have all rows."
        )
    },
    sorts: "Select a column heading to sort the table.",

    sums: "Totals",
    requests: "Requests",
    seen: "Cookies seen",
    passed: "Passed",
    held_back: "Stripped",
    only_watched: "Would be stripped",
    evicted: "Evictions sent",
    balance: "Balance",
    balance_rule: "Each cookie that was seen was kept, rewritten or stripped. A cookie whose entry was lost because the \
                   ledger's queue was full is counted as dropped. The difference must be 0.",
    balances: "Balances",
    is_balanced: "yes",
    is_unbalanced: |difference| format!("no, by {difference}"),
    lost_rows: |number| {
        format!(
            "{number} cookies were counted, but have no entry in the ledger because its queue was full."
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
    difference: "Difference",
    added: "Added by the gateway",
    in_all: "Total",
    renewed: "Renewed",
    injected: "Injected",
    watched_note: "For tenants in report mode, cookies are only counted: a cookie counted as stripped was forwarded \
                   unchanged, and a cookie counted as added was not sent.",

    before: "Review before enforcing",
    before_lead: "Undeclared cookies of tenants in report mode. Enforcing strips them, and functions that depend on them \
                  stop working. Declare the cookies that the application needs, and remove the others from it.",
    before_none: "Tenants in report mode had no undeclared cookies in this period.",
    dependence: |dependence| match dependence {
        Dependence::SetAndSentBack => {
            "The application set it and received it: it may depend on it."
        }
        Dependence::SentOnly => {
            "The application received it, but did not set it in this period: a script set it, or it is older."
        }
        Dependence::NeverCameBack => {
            "The application set it, and browsers did not send it in this period."
        }
    },
    observed: "Observation",

    declared: "Declared cookies",
    declared_lead: "The cookies that the operator has published. They pass the gateway, which gives them their declared \
                    lifetime.",
    purpose: "Purpose",
    declared_lifetime: "Declared lifetime",
    session_lifetime: "the tenant's session duration",
    no_longer_declared: "no longer declared",
    lifetimes: "Requested and granted lifetimes",
    lifetimes_lead: "\u{201c}Requested\u{201d} is the lifetime that the application set, in steps; \
                     \u{201c}granted\u{201d} is the lifetime that was sent to the browser.",
    requested: "Requested",
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
    stripped_lead: "Names are templates: digits and identifiers that could identify visitors are replaced.",
    stripped_none: "No cookie was stripped in this period.",
    cookie: "Cookie",
    nameless: "(without a name)",
    usually: "Usually set by",
    tenant: "Tenant",
    why: "Reason",
    mode: |mode| match mode {
        Mode::Enforce => "enforced",
        Mode::Report => "report mode",
    },
    mode_title: "Mode",
    reason: |reason| match reason {
        Reason::BeforeAgreement => "before agreement",
        Reason::Duplicate => "duplicate",
        Reason::Excess => "excess",
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
    routes: "Routes",
    attributes: "Attributes",
    evictions: "Evictions",
    would_be: |number| format!("{number} would be sent"),
    in_spite_short: "still sent",

    agreement: "Agreement",
    agreement_lead: "The number of times that the gateway's page about cookies was shown, and the answers. Pages and \
                     presses of buttons are counted, not people: no person is recorded. First by version of the \
                     declaration, then by page.",
    agreement_none: "No page was shown.",
    agreement_dropped: |number| {
        format!(
            "{number} of these events were counted, but have no entry because the queue was full."
        )
    },
    shown: "Shown",
    agreed: "Agreed",
    declined: "Declined",
    withdrawn: "Withdrawn",
    first_time: "First",
    last_time: "Last",
    pages: "Shown pages",
    pages_lead: "The ledger contains each of these pages, byte for byte, under its SHA-256. An export has them as files.",
    page: "Page (SHA-256)",

    guard: "Cookies that scripts set",
    guard_lead: "The guard is a script that the gateway puts into the pages of the application. In the mode \u{201c}watch\u{201d} \
                 it reports which names the scripts of a page set. In the mode \u{201c}enforce\u{201d} it also keeps them \
                 from setting undeclared cookies.",
    guard_pages: "Pages with the guard",
    guarded: "With the guard",
    unguarded: "Without it",
    unguarded_cause: |outcome| match outcome {
        GuardOutcome::Broken => "the transfer ended early",
        GuardOutcome::Compressed => "unknown compression",
        GuardOutcome::Encoding => "unsupported charset or syntax",
        GuardOutcome::Forbidden => "changes forbidden (no-transform)",
        GuardOutcome::Guarded => "with the guard",
        GuardOutcome::Partial => "part of a page (206)",
        GuardOutcome::TooLarge => "head too far from the beginning",
    },
    guard_mode: |mode| match mode {
        GuardMode::Enforce => "enforce",
        GuardMode::Off => "off",
        GuardMode::Watch => "watch",
    },
    scripted_names: "Reported by browsers",
    scripted_lead: "The names that browsers reported. Anybody can send a report with any name, so these numbers are in no \
                    total of this report. A page reports a name once. Names of storage and databases are reported, and \
                    never blocked.",
    scripted_none: "No browser reported a name in this period.",
    scripted_name: "Name",
    scripted_kind_title: "Kind",
    scripted_kind: |kind| match kind {
        ScriptedKind::Cookie => "cookie",
        ScriptedKind::IndexedDb => "IndexedDB database",
        ScriptedKind::LocalStorage => "localStorage key",
        ScriptedKind::SessionStorage => "sessionStorage key",
    },
    risk_title: "Before enforcing",
    risk: |risk| match risk {
        EnforcingRisk::Likely => {
            "Cookies of this name are usually needed: declare it, or test the site without it."
        }
        EnforcingRisk::Unknown => "Unknown: find out which script sets it, and for what.",
        EnforcingRisk::Unlikely => {
            "Usually for statistics or advertising: the site works without it."
        }
    },
    reports: "Reports",

    timeline: "Time line",
    timeline_lead: |step| format!("Cookies seen, in steps of {step}. Times are UTC."),
    timeline_numbers: "The numbers of the chart",
    timeline_highest: |number| format!("highest: {number}"),
    timeline_gap: "not running, or counts may be incomplete",
    begin: "From",
    end: "Until",

    tenants: "Tenants",
    tenants_lead: "The totals of each tenant.",

    liveness: "Heartbeats and gaps",
    liveness_lead: "While the gateway runs, it writes a heartbeat in each window, even without traffic: \u{201c}nothing was \
                    stripped\u{201d} can be distinguished from \u{201c}the gateway was off\u{201d}.",
    heartbeats: "Heartbeats",
    missing: "Missing heartbeats, by their numbers",
    alive: "Running, of this period",
    gaps: "Gaps",
    gaps_none: "There are no gaps in this period.",
    duration: "Duration",
    gap: |reason| match reason {
        GapReason::Before => {
            "before the ledger's oldest entry: never recorded, or removed after the retention time"
        }
        GapReason::Clock => "the clock was set, or the machine was suspended",
        GapReason::Damage => "the ledger's file was damaged, moved aside, and started again",
        GapReason::Loss => {
            "running, but the queue was full: verdicts were counted and not recorded"
        }
        GapReason::Stop => "stopped, with all entries written",
        GapReason::UncleanStop => {
            "ended unexpectedly: entries of the last second before may be missing"
        }
        GapReason::Unknown => "the reason is not in the ledger",
    },
    lost: |cookies, requests| format!("{cookies} cookies in {requests} requests"),
    lost_agreements: |number| format!("{number} events of pages"),

    events: "Events",
    events_none: "There were no events of the gateway and no changes of tenants in this period.",
    when: "Time",
    what: "Event",
    who: "By",
    detail: "Details",
    event: |kind| match kind {
        EventKind::Clock => "clock jumped",
        EventKind::Configuration => "configuration changed",
        EventKind::Damage => "damaged file moved aside",
        EventKind::Declaration => "declaration changed",
        EventKind::Key => "signing key changed",
        EventKind::Loss => "verdicts lost",
        EventKind::Prune => "old entries removed",
        EventKind::Start => "started",
        EventKind::Stop => "stopped",
        EventKind::Tenant => "tenant changed",
        EventKind::UncleanStop => "previous run ended unexpectedly",
    },

    versions: "Versions of the declaration",
    versions_none: "The ledger has no declaration.",
    version: "Version (SHA-256)",
    since: "First loaded",
    ruled: "In force in this period",
    did_not_rule: "not in this period",
    cookies: "Cookies",
    changes: "Changes",
    first_version: "the first in this ledger",
    unreadable: "this version of Crumbgate can't read it",

    chain: "Signed segments",
    chain_lead: "Entries are closed in segments. The root of each segment is signed and includes the previous one, so a \
                 later change of a closed entry can be detected.",
    segments: "Closed segments",
    pruned: "Removed after the retention time",
    first_segment: "First segment with entries",
    last_segment: "Last closed segment",
    last_root: "Root of the last segment",
    last_newest: "Latest time in the last segment",
    open_entries: "Entries not closed yet",
    keys: "Signed by",
    checked: "Verified",
    chain_holds: |when| format!("yes, at {when}: all signatures and roots are correct"),
    chain_fails: |why| format!("yes, and the verification failed: {why}"),
    chain_unchecked: "no: use crumbgate audit verify",

    glossary: "Glossary",
    terms: [
        ("Kept", "A declared cookie of a request, forwarded to the application unchanged."),
        (
            "Rewritten",
            "A declared cookie of a response, sent to the browser with the declared lifetime and attributes.",
        ),
        (
            "Stripped",
            "Removed: it did not reach the application or the browser. In report mode: it would have been removed.",
        ),
        ("Undeclared", "The declaration has no cookie of this name."),
        (
            "Duplicate",
            "The request contained an earlier cookie with the same name; the first one counts.",
        ),
        (
            "Before agreement",
            "Stripped because the person has not agreed to the use of cookies, or has withdrawn the agreement.",
        ),
        (
            "Expired, foreign, forged",
            "A sealed session cookie that was sealed longer ago than the session duration, sealed for another tenant, \
             or altered.",
        ),
        (
            "Malformed, misplaced, nameless, oversize",
            "It contains bytes that are not allowed in a cookie, is in a trailer, has no name, or more than 4096 bytes.",
        ),
        (
            "Renewed",
            "A declared cookie that the gateway set again for its full lifetime, because it was used.",
        ),
        ("Injected", "A declared cookie that the gateway set because the browser had none."),
        (
            "Eviction",
            "Headers that ask the browser to delete an undeclared cookie that it keeps sending.",
        ),
        (
            "Still sent",
            "Browsers sent the name in a later window than the first eviction: another browser, a script that sets the \
             cookie again, or a domain or path that an eviction can't reach.",
        ),
        (
            "Shown, agreed, declined, withdrawn",
            "A page of the gateway was sent to a browser, or one of its buttons was pressed. A withdrawal is counted for the \
             page with the button.",
        ),
        (
            "With the guard",
            "The gateway put its script into the page. The number is the gateway's own, and the names are those that \
             browsers reported.",
        ),
        (
            "(other)",
            "Names beyond the first thousand of a tenant in one window (of reported names: 256), counted together.",
        ),
        (
            "Report mode",
            "Verdicts are counted and no cookie is changed: the counts show what enforcing would do.",
        ),
    ],
};
