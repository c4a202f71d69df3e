//! German.

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
            was sein Protokoll über den Zeitraum sagt: welche Cookies deklariert sind, was aus ihnen wurde, welche \
            entfernt wurden und ob alle gezählten Cookies nachgewiesen sind.",
    cannot: "Was er nicht zeigen kann",
    limits: [
        "Der Name eines Cookies beweist nichts. Wer ein Cookie dieses Namens \u{201e}üblicherweise\u{201c} setzt, ist ein \
         Hinweis: Jeder kann denselben Namen für etwas anderes verwenden.",
        "Ein Cookie, das ein Skript innerhalb einer Seite setzt und liest, geht nie durch das Gateway und fehlt daher hier.",
        "Eine Löschaufforderung bittet den Browser, ein Cookie zu löschen. Das Gateway kennt keinen Browser und \
         behauptet keinen Erfolg; es nennt die Namen, die trotzdem wiederkamen.",
        "Weder Werte von Cookies noch irgendetwas über Besucher wird aufgezeichnet. Gezählt werden Cookies, nicht Personen.",
    ],

    none: "keine",
    unknown: "unbekannt",
    more: |number| format!("{number} weitere"),
    rows_left_out: |number| {
        format!(
            "{number} weitere, seltenere Zeilen fehlen hier. Die Formate csv und json enthalten alle."
        )
    },
    sorts: "Die Überschriften der Spalten sortieren die Tabellen.",

    sums: "Zusammengefasst",
    requests: "Anfragen",
    seen: "Cookies gesehen",
    passed: "Durchgelassen",
    held_back: "Entfernt",
    only_watched: "Würden entfernt",
    evicted: "Löschaufforderungen",
    balance: "Bilanz",
    balance_rule: "Jedes gesehene Cookie wurde behalten, neu geschrieben oder entfernt; eines, für das im Protokoll kein \
                   Platz war, zählt als verworfen. Sonst darf nichts übrig bleiben.",
    balances: "Geht auf",
    is_balanced: "ja",
    is_unbalanced: |difference| format!("nein, um {difference}"),
    lost_rows: |number| {
        format!(
            "Von {number} Cookies hat das Protokoll die Anzahl, aber keine eigene Zeile: Es war kein Platz."
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
    difference: "Rest",
    added: "Vom Gateway hinzugefügt",
    in_all: "Insgesamt",
    renewed: "Erneuert",
    injected: "Ergänzt",
    watched_note: "Mandanten im Beobachtungsmodus werden nur beobachtet: Was dort als entfernt zählt, ging unverändert weiter, und was als hinzugefügt zählt, wurde es nicht.",

    before: "Vor dem Durchsetzen ansehen",
    before_lead: "Nicht deklarierte Cookies von Mandanten im Beobachtungsmodus. Das Durchsetzen entfernt sie, und was \
                  von ihnen abhängt, funktioniert dann nicht mehr: Deklarieren Sie, was die Anwendung braucht, und \
                  entfernen Sie, was sie nicht braucht.",
    before_none: "Mandanten im Beobachtungsmodus hatten in diesem Zeitraum kein nicht deklariertes Cookie.",
    dependence: |dependence| match dependence {
        Dependence::SetAndSentBack => {
            "Die Anwendung hat es gesetzt und zurückbekommen: Sie hängt vielleicht davon ab."
        }
        Dependence::SentOnly => {
            "Die Anwendung hat es bekommen, aber in diesem Zeitraum nicht gesetzt: Ein Skript war es, oder es ist älter."
        }
        Dependence::NeverCameBack => {
            "Die Anwendung hat es gesetzt, und es kam in diesem Zeitraum nie zurück."
        }
    },
    observed: "Was zu sehen war",

    declared: "Deklarierte Cookies",
    declared_lead: "Was der Betreiber veröffentlicht hat. Diese Cookies werden durchgelassen; das Gateway sorgt dafür, \
                    dass sie so lange leben wie deklariert, und nicht länger.",
    purpose: "Zweck",
    declared_lifetime: "Deklarierte Lebensdauer",
    session_lifetime: "die Sitzungsdauer des Mandanten",
    no_longer_declared: "nicht mehr deklariert",
    lifetimes: "Verlangte und gewährte Lebensdauern",
    lifetimes_lead: "\u{201e}Verlangt\u{201c} ist, was die Anwendung geschrieben hat, in Stufen; \u{201e}gewährt\u{201c} \
                     ist, was zum Browser ging.",
    asked: "Verlangt",
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
    stripped_lead: "Namen sind Muster: Ziffern und Kennungen, an denen Besucher zu unterscheiden wären, sind ersetzt.",
    stripped_none: "In diesem Zeitraum wurde nichts entfernt.",
    cookie: "Cookie",
    nameless: "(ohne Namen)",
    usually: "Üblicherweise gesetzt von",
    tenant: "Mandant",
    why: "Warum",
    mode: |mode| match mode {
        Mode::Enforce => "durchgesetzt",
        Mode::Report => "nur beobachtet",
    },
    mode_title: "Modus",
    reason: |reason| match reason {
        Reason::BeforeAgreement => "vor der Zustimmung",
        Reason::Duplicate => "doppelt",
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
    routes: "Wo",
    attributes: "Gesetzt mit",
    evictions: "Löschaufforderungen",
    would_be: |number| format!("{number} würden gesendet"),
    in_spite_short: "kommt weiterhin",

    agreement: "Zustimmung",
    agreement_lead: "Wie oft die Seite des Gateways über Cookies gezeigt wurde und was dort geantwortet wurde. Gezählt \
                     werden Seiten und gedrückte Knöpfe, nicht Personen: Von wem sie sind, wird nicht aufgezeichnet. \
                     Zuerst nach Fassung der Deklaration, dann nach Seite.",
    agreement_none: "Es wurde keine Seite gezeigt.",
    agreement_dropped: |number| {
        format!("Für {number} davon hat das Protokoll keine eigene Zeile: Es war kein Platz.")
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

    timeline: "Zeitverlauf",
    timeline_lead: |step| format!("Gesehene Cookies. Schrittweite: {step}. Zeiten in UTC."),
    timeline_numbers: "Die Zahlen hinter dem Bild",
    timeline_highest: |number| format!("Höchstwert: {number}"),
    timeline_gap: "nicht in Betrieb, oder Zahlen womöglich unvollständig",
    begin: "Von",
    end: "Bis",

    tenants: "Mandanten",
    tenants_lead: "Die Summen jedes Mandanten.",

    liveness: "Lebenszeichen und Lücken",
    liveness_lead: "Solange das Gateway läuft, schreibt es für jedes Zeitfenster ein Lebenszeichen, auch wenn nichts \
                    geschah: \u{201e}nichts wurde entfernt\u{201c} ist etwas anderes als \u{201e}das Gateway war \
                    aus\u{201c}.",
    heartbeats: "Lebenszeichen",
    missing: "In der Zählung fehlende Lebenszeichen",
    alive: "In Betrieb, von diesem Zeitraum",
    gaps: "Lücken",
    gaps_none: "In diesem Zeitraum gibt es keine Lücke.",
    duration: "Dauer",
    gap: |why| match why {
        Why::Before => {
            "vor dem ältesten Eintrag des Protokolls: nie aufgezeichnet oder nach Ablauf der Aufbewahrung entfernt"
        }
        Why::Clock => "die Uhr wurde gestellt, oder der Rechner schlief",
        Why::Damage => {
            "die Datei des Protokolls war beschädigt, wurde beiseitegelegt und neu begonnen"
        }
        Why::Loss => "in Betrieb, aber ohne Platz: gezählt, doch nicht einzeln aufgeschrieben",
        Why::Stop => "angehalten, alles aufgeschrieben",
        Why::UncleanStop => "unsauber beendet: die letzte Sekunde davor fehlt womöglich",
        Why::Unknown => "das Protokoll sagt nicht, warum",
    },
    lost: |cookies, requests| format!("{cookies} Cookies in {requests} Anfragen"),
    lost_agreements: |number| format!("{number} gezeigte oder beantwortete Seiten"),

    events: "Ereignisse",
    events_none: "Mit dem Gateway selbst und den Einstellungen der Mandanten ist in diesem Zeitraum nichts geschehen.",
    when: "Wann",
    what: "Was",
    who: "Durch",
    detail: "Einzelheiten",
    event: |kind| match kind {
        EventKind::Clock => "Uhr gesprungen",
        EventKind::Configuration => "Konfiguration geändert",
        EventKind::Damage => "beschädigte Datei beiseitegelegt",
        EventKind::Declaration => "Deklaration geändert",
        EventKind::Key => "Signaturschlüssel geändert",
        EventKind::Loss => "Urteile verloren",
        EventKind::Prune => "alte Einträge entfernt",
        EventKind::Start => "gestartet",
        EventKind::Stop => "angehalten",
        EventKind::Tenant => "Mandant geändert",
        EventKind::UncleanStop => "war unsauber beendet worden",
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

    chain: "Die Siegel des Protokolls",
    chain_lead: "Einträge werden in Abschnitten abgeschlossen. Die Wurzel jedes Abschnitts ist signiert und schließt den \
                 vorigen ein, sodass eine spätere Änderung an Abgeschlossenem auffällt.",
    segments: "Abgeschlossene Abschnitte",
    pruned: "Davon nach Ablauf der Aufbewahrung entfernt",
    first_segment: "Erster Abschnitt mit Einträgen",
    last_segment: "Letzter abgeschlossener Abschnitt",
    last_root: "Seine Wurzel",
    last_newest: "Spätester Zeitpunkt darin",
    open_entries: "Noch nicht abgeschlossene Einträge",
    keys: "Signiert von",
    checked: "Geprüft",
    chain_holds: |when| format!("ja, am {when}: Jedes Siegel hält"),
    chain_fails: |why| format!("ja, und ein Siegel hält nicht: {why}"),
    chain_unchecked: "hier nicht geprüft: das tut crumbgate audit verify",

    glossary: "Die Wörter dieses Berichts",
    terms: [
        (
            "Behalten",
            "Ein deklariertes Cookie einer Anfrage, Byte für Byte an die Anwendung weitergegeben.",
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
        ("Doppelt", "Ein Cookie desselben Namens stand in der Anfrage davor; das erste zählt."),
        (
            "Vor der Zustimmung",
            "Zurückgehalten, weil der Mensch, zu dem es gehört, der Verwendung von Cookies nicht zugestimmt oder seine \
             Zustimmung widerrufen hat.",
        ),
        (
            "Abgelaufen, fremd, gefälscht",
            "Ein versiegeltes Sitzungscookie, dessen Siegel älter ist als die Sitzungsdauer, für einen anderen Mandanten \
             galt oder verändert wurde.",
        ),
        (
            "Fehlerhaft, am falschen Ort, namenlos, zu groß",
            "Es enthält Bytes, die nicht in ein Cookie gehören, steht in einem Trailer, hat keinen Namen oder mehr als \
          4096 Bytes.",
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
            "Felder, die den Browser bitten, ein nicht deklariertes Cookie zu löschen, das er weiterhin sendet.",
        ),
        (
            "Kommt weiterhin",
            "Browser sendeten den Namen in einem späteren Zeitfenster als dem der ersten Löschaufforderung: ein anderer \
          Browser, der noch keine bekam, ein Skript, das es neu setzt, oder eine Domain oder ein Pfad außer Reichweite.",
        ),
        (
            "Gezeigt, zugestimmt, abgelehnt, widerrufen",
            "Eine Seite des Gateways ging an einen Browser, oder ein Knopf darauf wurde gedrückt. Ein Widerruf zählt für \
             die Seite, auf der er geschah.",
        ),
        (
            "(other)",
            "Namen jenseits der ersten tausend eines Mandanten in einem Zeitfenster, zusammen gezählt.",
        ),
        (
            "Beobachtungsmodus",
            "Der Mandant wird beobachtet und nichts geändert: Die Urteile sagen, was das Durchsetzen täte.",
        ),
    ],
};
