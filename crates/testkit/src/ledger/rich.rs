//! A ledger with something of everything: tenants that are enforced and one that is watched, trackers, a change of the
//! declaration, a stop, an unclean stop, a loss.

use std::path::Path;

use crumbgate_audit::{AgreementEvent, GuardEvent, GuardOutcome, ScriptedKind};
use crumbgate_ledger::entry::{EventKind, Figures};
use crumbgate_policy::{
    GuardMode,
    requested::RequestedLifetime,
    verdict::{Action, Direction, Reason},
};
use serde_json::json;

use super::{seen::Seen, unsigned::UnsignedLedger};

/// The number of days in the ledger of [`rich`].
const DAYS: u64 = 8;

const HOUR: u64 = 3_600;
const WEEK_S: u32 = 604_800;
const RUN: &str = "crumbgate run";

/// Writes a ledger of the `DAYS` before `until_unix_s`, a full hour, in windows of an hour.
pub fn rich(path: &Path, until_unix_s: u64) {
    let mut writer = UnsignedLedger::new(path, HOUR);
    let begin = until_unix_s - DAYS * 24 * HOUR;
    let (first, second) = ("3f".repeat(32), "a81c".repeat(16));
    let start = |writer: &mut UnsignedLedger, at| {
        writer.event(at, EventKind::Start, RUN, &json!({ "version": "0.1.0" }));
    };
    start(&mut writer, begin + 130);
    let cookie = |name: &str, lifetime: &str, en: &str, de: &str| json!({ "name": name, "lifetime": lifetime, "purpose": { "en": en, "de": de } });
    let mut cookies = vec![
        cookie(
            "XSRF-TOKEN",
            "session",
            "Required for the authentication process.",
            "Erforderlich für den Authentifizierungsprozess.",
        ),
        cookie(
            "flexopus_session",
            "session",
            "Required for the user to remain logged in.",
            "Erforderlich, damit der Benutzer eingeloggt bleibt.",
        ),
        json!({ "name": "visitedMapBuilder", "lifetime": 1_814_400, "purpose": { "en": "Required for the user friendliness of the map editor.", "de": "Erforderlich für die Benutzerfreundlichkeit des Karteneditors." } }),
    ];
    writer.declare(begin + 130, &first, &json!({ "cookies": cookies }));
    writer.key(1, "crumbgate.example+9a3bd7c1+AbQ1Yl0q3n2cWmEw6cYk2m8s6yq8nK3l9xX0zB1hQeJk");
    let mut closed = 0;
    for hour in 0..DAYS * 24 {
        let at = begin + hour * HOUR;
        match hour {
            // A night's maintenance, cleanly.
            60..=62 => continue,
            63 => start(&mut writer, at + 20),
            // A crash in the afternoon: the last minutes are gone.
            110 => continue,
            111 => {
                let detail = json!({ "from": at - HOUR, "until": at + 12 * 60 });
                writer.event(at + 12 * 60, EventKind::UncleanStop, RUN, &detail);
                start(&mut writer, at + 12 * 60);
            }
            70 => {
                let (before, after) = (json!({ "session": "4h" }), json!({ "session": "2h" }));
                let detail = json!({ "before": before, "after": after });
                writer.change(at + 90, "acme.flexopus.example", "ada", &detail);
            }
            96 => {
                cookies.push(cookie(
                    "locale",
                    "30d",
                    "Remembers the chosen language.",
                    "Merkt sich die gewählte Sprache.",
                ));
                let (old, new) = ("51".repeat(32), "c7".repeat(32));
                writer.event(
                    at + 40,
                    EventKind::Configuration,
                    RUN,
                    &json!({ "old": old, "new": new }),
                );
                writer.event(
                    at + 40,
                    EventKind::Declaration,
                    RUN,
                    &json!({ "old": first, "new": second }),
                );
                writer.declare(at + 40, &second, &json!({ "cookies": cookies }));
            }
            _ => {}
        }
        let from = match hour {
            0 => at + 130,
            63 => at + 20,
            111 => at + 12 * 60,
            _ => at,
        };
        writer.heartbeat(from, at + HOUR - 1);
        // A working day has its rhythm; a little of it is chance.
        let rhythm =
            [0, 0, 0, 0, 0, 1, 4, 14, 30, 34, 28, 22, 18, 26, 31, 27, 20, 12, 5, 3, 2, 1, 0, 0];
        let weekday = (at / 86_400 + 4) % 7;
        let busy = rhythm[usize::try_from(hour % 24).unwrap()]
            * if matches!(weekday, 0 | 6) { 1 } else { 9 };
        let busy = busy + (hour * 7_919) % 11;
        if busy > 0 {
            enforced(&mut writer, at, "acme.flexopus.example", busy * 3, hour);
            enforced(&mut writer, at, "globex.flexopus.example", busy, hour);
            watched(&mut writer, at, "initech.flexopus.example", busy);
        }
        if busy > 0 && hour >= 24 {
            asked(&mut writer, at, "acme.flexopus.example", busy, hour);
        }
        if hour == 59 {
            writer.event(at + HOUR - 1, EventKind::Stop, RUN, &json!({}));
        }
        if hour == 150 {
            let lost = json!({ "cookies": 1_204, "requests": 311, "from": at, "until": at + HOUR });
            writer.event(at + HOUR, EventKind::Loss, RUN, &lost);
            let dropped = Figures { request: 1_000, response: 204, added: 0, agreements: 0 };
            writer.heartbeat_of(at, "acme.flexopus.example", 311, dropped, dropped);
        }
        if hour % 24 == 23 {
            let checkpoint = "crumbgate.example\n4711\nQ5w1nD2n0b3cXx0Jk0wqk7sXnq1Jm6Zp0a9mC2uYV3E=\n\n\u{2014} crumbgate.example mjvXwQ…\n";
            writer.close(hour / 24 + 1, closed + 1, at + HOUR - 1, checkpoint);
            closed = writer.last();
        }
    }
    writer.heartbeat(until_unix_s, until_unix_s + 299);
    writer.finish();
}

fn enforced(writer: &mut UnsignedLedger, at: u64, tenant: &str, busy: u64, hour: u64) {
    let session_s = if tenant.starts_with("acme") { 7_200 } else { WEEK_S };
    let mut seen = vec![
        Seen::kept("XSRF-TOKEN", busy * 9).on("/api/bookings"),
        Seen::kept("flexopus_session", busy * 9).on("/api/bookings"),
        Seen::kept("visitedMapBuilder", busy / 4).on("/map-builder"),
        Seen::rewritten("XSRF-TOKEN", RequestedLifetime::Day, session_s, busy * 2).on("/dashboard"),
        Seen::rewritten("flexopus_session", RequestedLifetime::Day, session_s, busy * 2)
            .on("/dashboard"),
        Seen::rewritten("flexopus_session", RequestedLifetime::Deletion, 0, busy / 8).on("/logout"),
        Seen::added(Action::Renew, "flexopus_session", Some(session_s), busy * 5)
            .on("/api/bookings"),
        Seen::added(Action::Renew, "XSRF-TOKEN", Some(session_s), busy * 5).on("/api/bookings"),
        Seen::added(Action::Inject, "visitedMapBuilder", Some(1_814_400), busy / 9)
            .on("/map-builder"),
        Seen::sent("_ga", busy * 3).on("/dashboard"),
        Seen::sent("_ga_*", busy * 3).on("/dashboard"),
        Seen::sent("_fbp", busy).on("/dashboard"),
        Seen::sent("_hjSessionUser_*", busy / 2).on("/maps/{id}"),
        Seen::sent("hubspotutk", busy / 3).on("/login"),
        Seen::set("remember_web_*", RequestedLifetime::Longer, busy / 6).on("/login"),
        Seen::set("_ga", RequestedLifetime::Longer, busy / 3).on("/login"),
        Seen::set("device_fingerprint", RequestedLifetime::Year, busy / 5).on("/api/devices/{id}"),
        Seen { action: Action::Strip(Reason::Nameless), name: None, ..Seen::sent("", busy / 9) },
        Seen {
            action: Action::Strip(Reason::Duplicate),
            ..Seen::sent("flexopus_session", busy / 7)
        },
    ];
    for route in ["/", "/api/me", "/bookings", "/maps/{id}", "/settings"] {
        seen.push(Seen::sent("_ga", busy / 2 + 1).on(route));
    }
    if hour < 40 {
        // This one went away when it was asked to.
        seen.push(Seen::sent("intercom-session-*", busy / 4).on("/help"));
    }
    for name in ["_ga", "_ga_*", "_fbp"] {
        seen.push(Seen::added(Action::Evict, name, None, busy / 3).on("/dashboard"));
    }
    if hour >= 8 {
        seen.push(Seen::added(Action::Evict, "intercom-session-*", None, u64::from(hour > 39)));
    }
    seen.retain(|seen| seen.count > 0);
    writer.traffic(at, tenant, busy * 10, &seen);
}

/// The page is another one with the second declaration.
fn asked(writer: &mut UnsignedLedger, at: u64, tenant: &str, busy: u64, hour: u64) {
    let pages = ["de", "en"].map(|language| {
        let version = if hour < 96 { 1 } else { 2 };
        format!("<!DOCTYPE html><html lang={language}><title>Cookies, version {version}</title>")
    });
    let mut events = vec![
        (AgreementEvent::Shown, &*pages[0], busy * 2),
        (AgreementEvent::Agreed, &*pages[0], busy),
        (AgreementEvent::Declined, &*pages[0], busy / 9),
        (AgreementEvent::Withdrawn, &*pages[0], busy / 40),
        (AgreementEvent::Shown, &*pages[1], busy / 5),
        (AgreementEvent::Agreed, &*pages[1], busy / 7),
    ];
    events.retain(|(.., count)| *count > 0);
    writer.agreements(at, tenant, &events);
    let page = |outcome, count| (GuardMode::Enforce, GuardEvent::Page(outcome), None, count);
    let blocked = GuardEvent::Reported(ScriptedKind::Cookie);
    let mut guard = vec![
        page(GuardOutcome::Guarded, busy * 8),
        page(GuardOutcome::Compressed, busy / 50),
        (GuardMode::Enforce, blocked, Some("_ga"), busy * 7),
        (GuardMode::Enforce, blocked, None, busy / 30),
    ];
    guard.retain(|(.., count)| *count > 0);
    writer.guards(at, tenant, &guard);
}

fn watched(writer: &mut UnsignedLedger, at: u64, tenant: &str, busy: u64) {
    let mut seen = vec![
        Seen::kept("XSRF-TOKEN", busy * 9).on("/api/bookings"),
        Seen::kept("flexopus_session", busy * 9).on("/api/bookings"),
        Seen::rewritten("flexopus_session", RequestedLifetime::BrowserSession, 1_200, busy)
            .on("/login"),
        Seen::sent("sso_state", busy * 2).on("/auth/{id}"),
        Seen::set("sso_state", RequestedLifetime::Hour, busy).on("/login"),
        Seen::sent("locale_pref", busy / 2).on("/dashboard"),
        Seen::set("locale_pref", RequestedLifetime::Year, busy / 6).on("/settings"),
        Seen::sent("_ga", busy * 4).on("/dashboard"),
        Seen::sent("_gid", busy * 2).on("/dashboard"),
        Seen::set("ab_test_bucket", RequestedLifetime::Month, busy / 3).on("/dashboard"),
        Seen {
            direction: Direction::Response,
            ..Seen::added(Action::Evict, "_ga", None, busy / 2)
        },
    ];
    seen.retain(|seen| seen.count > 0);
    let seen: Vec<_> = seen.into_iter().map(Seen::watched).collect();
    writer.traffic(at, tenant, busy * 10, &seen);
    let event = |event, name, count| (GuardMode::Watch, event, name, count);
    let mut guard = vec![
        event(GuardEvent::Page(GuardOutcome::Guarded), None, busy * 4),
        event(GuardEvent::Page(GuardOutcome::Encoding), None, busy / 20),
    ];
    for (kind, name, count) in [
        (ScriptedKind::Cookie, "_ga", busy * 3),
        (ScriptedKind::Cookie, "cookieyes-consent", busy / 4),
        (ScriptedKind::Cookie, "sidebar", busy / 8),
        (ScriptedKind::LocalStorage, "theme", busy / 2),
        (ScriptedKind::SessionStorage, "draft", busy / 9),
        (ScriptedKind::IndexedDb, "offline", busy / 10),
    ] {
        guard.push(event(GuardEvent::Reported(kind), Some(name), count));
    }
    guard.retain(|(.., count)| *count > 0);
    writer.guards(at, tenant, &guard);
}
