//! German texts.

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
    language: Language::De,

    title: "Cookie-Bericht",
    skip: "Zum Bericht springen",
    contents: "Inhalt",
    about: "Mandant",
    all_tenants: "alle Mandanten",
    period_utc: "Zeitraum (UTC)",
    to: "bis",
    gateway: "Gateway",
    made: "Erstellt",
    made_with: |version| format!("mit Crumbgate {version}, aus dem Protokoll des Gateways"),
    empty: "Das Protokoll enthält nichts aus diesem Zeitraum.",
    shows: "Crumbgate ist ein Gateway zwischen Browsern und einer Webanwendung. Es lässt die Cookies durch, die der \
            Betreiber deklariert hat, und entfernt alle anderen, in beiden Richtungen. Dieser Bericht fasst zusammen, \
            was sein Protokoll über den Zeitraum enthält: die deklarierten Cookies und ihre Verwendung, die entfernten \
            Cookies und ob jedes gezählte Cookie aufgezeichnet ist.",
    cannot: "Grenzen dieses Berichts",
    limits: [
        "Der Name eines Cookies beweist nichts. Der \u{201e}übliche\u{201c} Anbieter eines Namens ist ein Hinweis: Jeder \
         kann denselben Namen für etwas anderes verwenden.",
        "Ein Cookie, das ein Skript innerhalb einer Seite setzt und liest, geht nie durch das Gateway. Es steht nur hier, \
         wenn ein Browser es dem Wächter gemeldet hat.",
        "Eine Löschaufforderung bittet den Browser, ein Cookie zu löschen. Ob er es löscht, kann das Gateway nicht sehen. \
         Der Bericht nennt die Namen, die Browser weiterhin sendeten.",
        "Weder Werte von Cookies noch Angaben über Besucher werden aufgezeichnet. Gezählt werden Cookies, nicht Personen.",
    ],

    none: "keine",
    unknown: "unbekannt",
    more: |number| format!("{number} weitere"),
    rows_left_out: |number| {
        format!(
            "{number} weitere, seltenere Zeilen fehlen hier. Die Formate csv und json enthalten alle."
        )
    },
    sorts: "Eine Spaltenüberschrift auswählen, um die Tabelle zu sortieren.",

    sums: "Summen",
    requests: "Anfragen",
    seen: "Cookies gesehen",
    passed: "Durchgelassen",
    held_back: "Entfernt",
    only_watched: "Würden entfernt",
    evicted: "Löschaufforderungen",
    balance: "Bilanz",
    balance_rule: "Jedes gesehene Cookie wurde behalten, neu geschrieben oder entfernt. Ein Cookie, dessen Eintrag verloren \
                   ging, weil die Warteschlange des Protokolls voll war, zählt als verworfen. Die Differenz muss 0 sein.",
    balances: "Geht auf",
    is_balanced: "ja",
    is_unbalanced: |difference| format!("nein, um {difference}"),
    lost_rows: |number| {
        format!(
            "{number} Cookies wurden gezählt, haben aber keinen Eintrag, weil die Warteschlange des Protokolls voll war."
        )
    },
    direction: "Richtung",
    cookies_of: |direction| match direction {
        Direction::Request => "Anfragen: Browser an Anwendung",
        Direction::Response => "Antworten: Anwendung an Browser",
    },
    counted: "Gesehen",
    kept: "Behalten",
    rewritten: "Neu geschrieben",
    stripped: "Entfernt",
    dropped: "Verworfen",
    difference: "Differenz",
    added: "Vom Gateway hinzugefügt",
    in_all: "Insgesamt",
    renewed: "Erneuert",
    injected: "Ergänzt",
    watched_note: "Bei Mandanten im Beobachtungsmodus wird nur gezählt: Ein Cookie, das als entfernt zählt, wurde \
                   unverändert weitergegeben, und eines, das als hinzugefügt zählt, wurde nicht gesendet.",

    before: "Vor dem Durchsetzen prüfen",
    before_lead: "Nicht deklarierte Cookies von Mandanten im Beobachtungsmodus. Das Durchsetzen entfernt sie, und \
                  Funktionen, die von ihnen abhängen, arbeiten dann nicht mehr. Deklarieren Sie die Cookies, die die \
                  Anwendung braucht, und entfernen Sie die übrigen aus ihr.",
    before_none: "Mandanten im Beobachtungsmodus hatten in diesem Zeitraum kein nicht deklariertes Cookie.",
    dependence: |dependence| match dependence {
        Dependence::SetAndSentBack => {
            "Die Anwendung hat es gesetzt und erhalten: Sie hängt vielleicht davon ab."
        }
        Dependence::SentOnly => {
            "Die Anwendung hat es erhalten, aber in diesem Zeitraum nicht gesetzt: Ein Skript hat es gesetzt, oder es ist älter."
        }
        Dependence::NeverCameBack => {
            "Die Anwendung hat es gesetzt, und Browser sendeten es in diesem Zeitraum nicht."
        }
    },
    observed: "Beobachtung",

    declared: "Deklarierte Cookies",
    declared_lead: "Die Cookies, die der Betreiber veröffentlicht hat. Das Gateway lässt sie durch und gibt ihnen die \
                    deklarierte Lebensdauer.",
    purpose: "Zweck",
    declared_lifetime: "Deklarierte Lebensdauer",
    session_lifetime: "die Sitzungsdauer des Mandanten",
    no_longer_declared: "nicht mehr deklariert",
    lifetimes: "Verlangte und gewährte Lebensdauern",
    lifetimes_lead: "\u{201e}Verlangt\u{201c} ist die Lebensdauer, die die Anwendung gesetzt hat, in Stufen; \
                     \u{201e}gewährt\u{201c} ist die Lebensdauer, die der Browser erhielt.",
    requested: "Verlangt",
    granted: "Gewährt",
    deleted: "gelöscht",
    times: |number| format!("{number}\u{a0}\u{d7}"),
    to_application: "An die Anwendung",
    lifetime: |step| match step {
        RequestedLifetime::BrowserSession => "bis der Browser schließt",
        RequestedLifetime::Deletion => "Löschung",
        RequestedLifetime::Hour => "bis 1 Stunde",
        RequestedLifetime::Day => "bis 1 Tag",
        RequestedLifetime::Week => "bis 1 Woche",
        RequestedLifetime::Month => "bis 1 Monat",
        RequestedLifetime::Year => "bis 1 Jahr",
        RequestedLifetime::Longer => "mehr als 1 Jahr",
    },

    stripped_title: "Entfernte Cookies",
    stripped_lead: "Namen sind Muster: Ziffern und Kennungen, die Besucher identifizieren könnten, sind ersetzt.",
    stripped_none: "In diesem Zeitraum wurde kein Cookie entfernt.",
    cookie: "Cookie",
    nameless: "(ohne Namen)",
    usually: "Üblicherweise gesetzt von",
    tenant: "Mandant",
    why: "Grund",
    mode: |mode| match mode {
        Mode::Enforce => "durchgesetzt",
        Mode::Report => "Beobachtungsmodus",
    },
    mode_title: "Modus",
    reason: |reason| match reason {
        Reason::BeforeAgreement => "vor der Zustimmung",
        Reason::Duplicate => "doppelt",
        Reason::Excess => "überzählig",
        Reason::Expired => "abgelaufen",
        Reason::Foreign => "fremd",
        Reason::Forged => "gefälscht",
        Reason::Malformed => "fehlerhaft",
        Reason::Misplaced => "am falschen Ort",
        Reason::Nameless => "namenlos",
        Reason::Oversize => "zu groß",
        Reason::Undeclared => "nicht deklariert",
    },
    from_browsers: "Von Browsern",
    from_application: "Von der Anwendung",
    first_seen: "Zuerst gesehen",
    last_seen: "Zuletzt gesehen",
    routes: "Pfade",
    attributes: "Attribute",
    evictions: "Löschaufforderungen",
    would_be: |number| format!("{number} würden gesendet"),
    in_spite_short: "weiterhin gesendet",

    agreement: "Zustimmung",
    agreement_lead: "Wie oft die Seite des Gateways über Cookies gezeigt wurde und die Antworten darauf. Gezählt werden \
                     Seiten und gedrückte Knöpfe, nicht Personen: Keine Person wird aufgezeichnet. Zuerst nach Fassung \
                     der Deklaration, dann nach Seite.",
    agreement_none: "Es wurde keine Seite gezeigt.",
    agreement_dropped: |number| {
        format!(
            "{number} davon wurden gezählt, haben aber keinen Eintrag, weil die Warteschlange voll war."
        )
    },
    shown: "Gezeigt",
    agreed: "Zugestimmt",
    declined: "Abgelehnt",
    withdrawn: "Widerrufen",
    first_time: "Zuerst",
    last_time: "Zuletzt",
    pages: "Die gezeigten Seiten",
    pages_lead: "Das Protokoll enthält jede dieser Seiten Byte für Byte unter ihrem SHA-256; ein Export enthält sie als \
                 Dateien.",
    page: "Seite (SHA-256)",

    guard: "Cookies, die Skripte setzen",
    guard_lead: "Der Wächter ist ein Skript, das das Gateway in die Seiten der Anwendung setzt. Im Modus \
                 \u{201e}beobachten\u{201c} meldet er, welche Namen die Skripte einer Seite setzen. Im Modus \
                 \u{201e}durchsetzen\u{201c} hindert er sie auch daran, nicht deklarierte Cookies zu setzen.",
    guard_pages: "Seiten mit dem Wächter",
    guarded: "Mit Wächter",
    unguarded: "Ohne ihn",
    unguarded_cause: |outcome| match outcome {
        GuardOutcome::Broken => "Übertragung endete vorzeitig",
        GuardOutcome::Compressed => "unbekannte Komprimierung",
        GuardOutcome::Encoding => "Zeichensatz oder Syntax nicht unterstützt",
        GuardOutcome::Forbidden => "Änderungen verboten (no-transform)",
        GuardOutcome::Guarded => "mit Wächter",
        GuardOutcome::Partial => "Teil einer Seite (206)",
        GuardOutcome::TooLarge => "Kopf zu weit vom Anfang entfernt",
    },
    guard_mode: |mode| match mode {
        GuardMode::Enforce => "durchsetzen",
        GuardMode::Off => "aus",
        GuardMode::Watch => "beobachten",
    },
    scripted_names: "Von Browsern gemeldet",
    scripted_lead: "Die Namen, die Browser gemeldet haben. Jeder kann jeden Namen melden; daher stehen diese Zahlen in keiner \
                    Summe dieses Berichts. Eine Seite meldet einen Namen einmal. Namen von Speichern und Datenbanken werden \
                    gemeldet und nie verhindert.",
    scripted_none: "In diesem Zeitraum hat kein Browser einen Namen gemeldet.",
    scripted_name: "Name",
    scripted_kind_title: "Art",
    scripted_kind: |kind| match kind {
        ScriptedKind::Cookie => "Cookie",
        ScriptedKind::IndexedDb => "IndexedDB-Datenbank",
        ScriptedKind::LocalStorage => "Schlüssel in localStorage",
        ScriptedKind::SessionStorage => "Schlüssel in sessionStorage",
    },
    risk_title: "Vor dem Durchsetzen",
    risk: |risk| match risk {
        EnforcingRisk::Likely => {
            "Cookies dieses Namens werden meist gebraucht: deklarieren, oder die Website ohne es testen."
        }
        EnforcingRisk::Unknown => "Unbekannt: klären, welches Skript es setzt und wozu.",
        EnforcingRisk::Unlikely => {
            "Meist für Statistik oder Werbung: Die Website funktioniert ohne es."
        }
    },
    reports: "Meldungen",

    timeline: "Zeitverlauf",
    timeline_lead: |step| format!("Gesehene Cookies. Schrittweite: {step}. Zeiten in UTC."),
    timeline_numbers: "Die Zahlen der Grafik",
    timeline_highest: |number| format!("Höchstwert: {number}"),
    timeline_gap: "nicht in Betrieb, oder Zahlen womöglich unvollständig",
    begin: "Von",
    end: "Bis",

    tenants: "Mandanten",
    tenants_lead: "Die Summen jedes Mandanten.",

    liveness: "Lebenszeichen und Lücken",
    liveness_lead: "Solange das Gateway läuft, schreibt es in jedem Zeitfenster ein Lebenszeichen, auch ohne Verkehr: \
                    \u{201e}nichts wurde entfernt\u{201c} lässt sich von \u{201e}das Gateway war aus\u{201c} unterscheiden.",
    heartbeats: "Lebenszeichen",
    missing: "Fehlende Lebenszeichen, nach ihren Nummern",
    alive: "In Betrieb, von diesem Zeitraum",
    gaps: "Lücken",
    gaps_none: "In diesem Zeitraum gibt es keine Lücke.",
    duration: "Dauer",
    gap: |reason| match reason {
        GapReason::Before => {
            "vor dem ältesten Eintrag des Protokolls: nie aufgezeichnet oder nach Ablauf der Aufbewahrung entfernt"
        }
        GapReason::Clock => "die Uhr wurde gestellt, oder der Rechner war im Ruhezustand",
        GapReason::Damage => {
            "die Datei des Protokolls war beschädigt, wurde verschoben und neu begonnen"
        }
        GapReason::Loss => {
            "in Betrieb, aber die Warteschlange war voll: gezählt, aber nicht aufgezeichnet"
        }
        GapReason::Stop => "angehalten, alle Einträge geschrieben",
        GapReason::UncleanStop => {
            "unerwartet beendet: Einträge der letzten Sekunde davor fehlen womöglich"
        }
        GapReason::Unknown => "der Grund steht nicht im Protokoll",
    },
    lost: |cookies, requests| format!("{cookies} Cookies in {requests} Anfragen"),
    lost_agreements: |number| format!("{number} Ereignisse auf Seiten"),

    events: "Ereignisse",
    events_none: "In diesem Zeitraum gab es keine Ereignisse des Gateways und keine Änderungen von Mandanten.",
    when: "Zeit",
    what: "Ereignis",
    who: "Durch",
    detail: "Einzelheiten",
    event: |kind| match kind {
        EventKind::Clock => "Uhr gesprungen",
        EventKind::Configuration => "Konfiguration geändert",
        EventKind::Damage => "beschädigte Datei verschoben",
        EventKind::Declaration => "Deklaration geändert",
        EventKind::Key => "Signaturschlüssel geändert",
        EventKind::Loss => "Urteile verloren",
        EventKind::Prune => "alte Einträge entfernt",
        EventKind::Start => "gestartet",
        EventKind::Stop => "angehalten",
        EventKind::Tenant => "Mandant geändert",
        EventKind::UncleanStop => "voriger Lauf endete unerwartet",
    },

    versions: "Fassungen der Deklaration",
    versions_none: "Das Protokoll enthält keine Deklaration.",
    version: "Fassung (SHA-256)",
    since: "Zuerst geladen",
    ruled: "Galt in diesem Zeitraum",
    did_not_rule: "nicht in diesem Zeitraum",
    cookies: "Cookies",
    changes: "Änderungen",
    first_version: "die erste in diesem Protokoll",
    unreadable: "diese Version von Crumbgate kann sie nicht lesen",

    chain: "Signierte Abschnitte",
    chain_lead: "Einträge werden in Abschnitten abgeschlossen. Die Wurzel jedes Abschnitts ist signiert und schließt den \
                 vorigen ein, sodass eine spätere Änderung eines abgeschlossenen Eintrags erkennbar ist.",
    segments: "Abgeschlossene Abschnitte",
    pruned: "Nach Ablauf der Aufbewahrung entfernt",
    first_segment: "Erster Abschnitt mit Einträgen",
    last_segment: "Letzter abgeschlossener Abschnitt",
    last_root: "Wurzel des letzten Abschnitts",
    last_newest: "Spätester Zeitpunkt im letzten Abschnitt",
    open_entries: "Noch nicht abgeschlossene Einträge",
    keys: "Signiert von",
    checked: "Geprüft",
    chain_holds: |when| format!("ja, am {when}: Alle Signaturen und Wurzeln sind richtig"),
    chain_fails: |why| format!("ja, und die Prüfung ist gescheitert: {why}"),
    chain_unchecked: "nein: mit crumbgate audit verify",

    glossary: "Begriffe",
    terms: [
        (
            "Behalten",
            "Ein deklariertes Cookie einer Anfrage, unverändert an die Anwendung weitergegeben.",
        ),
        (
            "Neu geschrieben",
            "Ein deklariertes Cookie einer Antwort, mit der deklarierten Lebensdauer und den deklarierten Attributen an \
          den Browser gesendet.",
        ),
        (
            "Entfernt",
            "Es erreichte die Anwendung oder den Browser nicht. Im Beobachtungsmodus: Es wäre entfernt worden.",
        ),
        ("Nicht deklariert", "Die Deklaration enthält kein Cookie dieses Namens."),
        ("Doppelt", "Die Anfrage enthielt davor ein Cookie desselben Namens; das erste zählt."),
        (
            "Vor der Zustimmung",
            "Entfernt, weil die Person der Verwendung von Cookies nicht zugestimmt oder ihre Zustimmung widerrufen hat.",
        ),
        (
            "Abgelaufen, fremd, gefälscht",
            "Ein versiegeltes Sitzungscookie, dessen Siegel älter ist als die Sitzungsdauer, für einen anderen Mandanten \
             galt oder verändert wurde.",
        ),
        (
            "Fehlerhaft, am falschen Ort, namenlos, zu groß",
            "Es enthält Bytes, die in einem Cookie nicht erlaubt sind, steht in einem Trailer, hat keinen Namen oder mehr \
             als 4096 Bytes.",
        ),
        (
            "Erneuert",
            "Ein deklariertes Cookie, das das Gateway für die volle Lebensdauer neu gesetzt hat, weil es benutzt wurde.",
        ),
        (
            "Ergänzt",
            "Ein deklariertes Cookie, das das Gateway gesetzt hat, weil der Browser keines hatte.",
        ),
        (
            "Löschaufforderung",
            "Header, die den Browser bitten, ein nicht deklariertes Cookie zu löschen, das er weiterhin sendet.",
        ),
        (
            "Weiterhin gesendet",
            "Browser sendeten den Namen in einem späteren Zeitfenster als dem der ersten Löschaufforderung: ein anderer \
             Browser, ein Skript, das es neu setzt, oder eine Domain oder ein Pfad, den die Aufforderung nicht erreicht.",
        ),
        (
            "Gezeigt, zugestimmt, abgelehnt, widerrufen",
            "Eine Seite des Gateways ging an einen Browser, oder ein Knopf darauf wurde gedrückt. Ein Widerruf zählt für \
             die Seite mit dem Knopf.",
        ),
        (
            "Mit Wächter",
            "Das Gateway hat sein Skript in die Seite gesetzt. Diese Zahl ist die des Gateways; die Namen sind die, die \
             Browser gemeldet haben.",
        ),
        (
            "(other)",
            "Namen jenseits der ersten tausend eines Mandanten in einem Zeitfenster (gemeldete Namen: 256), zusammen gezählt.",
        ),
        (
            "Beobachtungsmodus",
            "Urteile werden gezählt und kein Cookie geändert: Die Zahlen zeigen, was das Durchsetzen täte.",
        ),
    ],
};
