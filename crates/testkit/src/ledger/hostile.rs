//! A ledger whose names would do harm if they were written unescaped: its tenants, cookies and routes come from
//! outside.

use std::path::Path;

use crumbgate_audit::{GuardEvent, ScriptedKind};
use crumbgate_ledger::entry::EventKind;
use crumbgate_policy::{GuardMode, requested::RequestedLifetime};
use serde_json::json;

use super::{seen::Seen, unsigned::UnsignedLedger};

/// Names of cookies.
pub const HOSTILE: [&str; 14] = [
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    " =1+1",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "a,b\"c\r\nd",
    "\u{1b}[2J\u{9b}31m",
    "\u{202e}gpj.exe\u{2066}",
    "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn",
];

/// The tenant that was seen, and another that is harmful, too.
pub const TENANTS: [&str; 2] = ["acme.example", "=acme\u{1b}]0;<b>.example"];

/// Writes a ledger of one hour before `until_unix_s`.
pub fn hostile(path: &Path, until_unix_s: u64) {
    let mut writer = UnsignedLedger::new(path, 300);
    let begin = until_unix_s - 3_600;
    let purpose = json!({ "en": "<b>=1+1</b>\u{1b}[2J", "de": "<b>=1+1</b>\u{1b}[2J" });
    let cookie = json!({ "name": "=session", "lifetime": "<i>", "purpose": purpose });
    writer.declare(begin, "<u>hash\u{202e}", &json!({ "cookies": [cookie] }));
    let detail = json!({ "version": "<s>\u{1b}[2J", "=key": "=value" });
    writer.event(begin, EventKind::Start, "=actor<script>\u{1b}c", &detail);
    writer.key(1, "<key>\u{1b}");
    for start in (begin..until_unix_s).step_by(300) {
        writer.heartbeat(start, start + 299);
        for tenant in TENANTS {
            let mut seen = vec![
                Seen::kept("=session", 3),
                Seen::rewritten("=session", RequestedLifetime::Day, 604_800, 2),
            ];
            for name in HOSTILE {
                seen.push(Seen::sent(name, 2).on("=/<b>\u{1b}[2J"));
                seen.push(Seen::set(name, RequestedLifetime::Year, 1));
            }
            writer.traffic(start, tenant, 5, &seen);
            let cookie = GuardEvent::Reported(ScriptedKind::Cookie);
            let reported = HOSTILE.map(|name| (GuardMode::Watch, cookie, Some(name), 2));
            writer.guards(start, tenant, &reported);
        }
    }
    writer.close(1, 1, until_unix_s, "<origin>\n1\n<root>\u{1b}\n\n");
    writer.finish();
}
