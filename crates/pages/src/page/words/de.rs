//! German.

use super::texts::{ByAgreement, ByEvict, ByGuard, Words};
use crate::page::browsers::Browser;
use crumbgate_base::language::Language;

pub(super) const WORDS: Words = Words {
    language: Language::De,
    after_use: |duration| format!("{duration} nach der letzten Nutzung"),
    after_set: |duration| format!("{duration} nach dem Setzen"),

    title: "Cookies auf dieser Website",
    lead: |count| match count {
        0 => "Diese Website verwendet keine Cookies.".to_owned(),
        1 => "Diese Website verwendet ein Cookie. Es ist technisch notwendig.".to_owned(),
        _ => format!("Diese Website verwendet {count} Cookies. Alle sind technisch notwendig."),
    },
    others: "Jedes andere Cookie wird auf dem Weg zwischen Ihrem Browser und den Servern dieser Website entfernt, in beiden \
             Richtungen und unabhängig von seinem Zweck.",
    all: "Jedes Cookie wird auf dem Weg zwischen Ihrem Browser und den Servern dieser Website entfernt, in beiden \
          Richtungen und unabhängig von seinem Zweck.",
    scripts: ByGuard {
        allowed: "Skripte dieser Website können solche Cookies dennoch in Ihrem Browser setzen.",
        prevented: "Skripte dieser Website werden daran gehindert, solche Cookies zu setzen.",
    },
    evicted: ByEvict {
        domain: "Solche, die Ihr Browser sendet, werden in der Regel von den nächsten Seiten gelöscht, die Sie öffnen.",
        host: "Solche, die Ihr Browser sendet, werden in der Regel von den nächsten Seiten gelöscht, die Sie öffnen. Cookies \
               der ganzen Domain, die auch andere Websites nutzen können, bleiben.",
        off: "Solche, die Ihr Browser hat, bleiben dort, bis sie ablaufen.",
    },

    caption: "Die Cookies, ihre Dauer und ihr Zweck",
    name: "Name",
    category: "Kategorie",
    necessary: "technisch notwendig",
    duration: "Dauer",
    purpose: "Zweck",
    without: "Ohne dieses Cookie",
    purpose_default: "Erforderlich für den Betrieb dieser Website.",
    without_default: "Die Website ist eingeschränkt: Die Funktion, die dieses Cookie braucht, ist nicht verfügbar.",

    version: "Version",
    version_of: "vom",
    not_in_force: "noch nicht in Kraft",
    operator: "Betreiber",

    sealed_title: "Schutz",
    sealed: |name, duration| {
        format!(
            "Der Wert von {name} ist verschlüsselt, sofern er dafür nicht zu groß ist. Er gilt nur auf dieser Website, und \
             nicht mehr, wenn er {duration} lang nicht genutzt wurde."
        )
    },
    agreement_title: "Ihr Einverständnis",
    agreement: ByAgreement {
        notice: "Sie werden gebeten, der Verwendung dieser Cookies zuzustimmen. Bis dahin zeigen die Seiten dieser Website \
                 einen Hinweis.",
        off: "",
        required: "Sie können diese Website nutzen, wenn Sie der Verwendung dieser Cookies zustimmen. Vorher wird keines \
                   davon gesetzt, und keines erreicht die Website.",
    },
    agreement_kept: |name| {
        format!(
            "Ihr Einverständnis wird verschlüsselt in {name} selbst gespeichert und endet mit diesem Cookie."
        )
    },
    agree: "Ich stimme zu",
    decline: "Ich lehne ab",
    withdraw_title: ByAgreement::asked_or_off(
        "So widerrufen Sie Ihr Einverständnis",
        "So löschen Sie die Cookies",
    ),
    withdraw_lead: |page| {
        let button = match page {
            Some(page) => format!("Die Schaltfläche auf der Seite {page} dieser Website"),
            None => "Die Schaltfläche".to_owned(),
        };
        format!(
            "{button} löscht die Cookies dieser Website sofort aus diesem Browser, und jedes andere Cookie, das der Browser \
             dabei sendet. Darunter können Cookies sein, die auch andere Websites derselben Domain nutzen. Wenn Sie \
             angemeldet sind, werden Sie abgemeldet."
        )
    },
    withdraw_then: ByAgreement {
        notice: "Wenn Sie die Website weiter nutzen, werden ihre Cookies wieder gesetzt, und der Hinweis wird angezeigt.",
        off: "Wenn Sie die Website weiter nutzen, werden ihre Cookies wieder gesetzt.",
        required: "Wenn Sie die Website wieder nutzen möchten, werden Sie erneut gefragt, bevor ein Cookie gesetzt wird.",
    },
    withdraw: ByAgreement::asked_or_off("Widerrufen und Cookies löschen", "Cookies löschen"),
    withdraw_yourself: "Sie können Cookies auch jederzeit in den Einstellungen Ihres Browsers löschen.",
    browser_help: "Die Hilfeseiten der gängigsten Browser beschreiben, wie Sie Cookies löschen oder blockieren:",
    browser: |browser| match browser {
        Browser::Chrome => "Chrome",
        Browser::ChromeAndroid => "Chrome unter Android",
        Browser::Edge => "Edge",
        Browser::Firefox => "Firefox",
        Browser::Opera => "Opera (englisch)",
        Browser::SafariIos => "Safari auf iPhone und iPad",
        Browser::SafariMac => "Safari auf dem Mac",
    },

    question_title: "Diese Website braucht Ihr Einverständnis",
    question: |operator, count| {
        let cookies =
            if count == 1 { "eines Cookies".to_owned() } else { format!("von {count} Cookies") };
        let necessary = if count == 1 { "Es ist" } else { "Sie sind" };
        match operator {
            Some(operator) => format!(
                "{operator} bittet Sie, der Verwendung {cookies} zuzustimmen, bevor Sie diese Website nutzen. {necessary} \
                 technisch notwendig."
            ),
            None => format!(
                "Bitte stimmen Sie der Verwendung {cookies} zu, bevor Sie diese Website nutzen. {necessary} technisch \
                 notwendig."
            ),
        }
    },
    question_then: "Bevor Sie zustimmen, wird keines davon gesetzt, und Sie können die Website nicht nutzen. Sie können \
                    Ihr Einverständnis jederzeit widerrufen.",
    more: "Mehr über diese Cookies und den Widerruf",

    banner_label: "Hinweis zu Cookies",
    banner_more: "Wofür sie da sind",

    declined_title: "Sie haben abgelehnt",
    declined_lead: "Ihre Antwort wird nirgends gespeichert: Auch dafür wurde kein Cookie gesetzt.",
    declined_then: ByAgreement {
        notice: "Sie können die Website trotzdem nutzen. Sie zeigt ihren Hinweis, bis Sie zustimmen.",
        off: "Diese Website fragt nicht nach Ihrem Einverständnis, denn ihre Cookies sind technisch notwendig.",
        required: "Ohne ihre Cookies können Sie die Website nicht nutzen. Wenn Sie Ihre Meinung ändern, öffnen Sie sie \
                   erneut: Sie werden wieder gefragt.",
    },
    withdrawn_title: ByAgreement::asked_or_off(
        "Sie haben Ihr Einverständnis widerrufen",
        "Die Cookies sind gelöscht",
    ),
    withdrawn_lead: "Die Cookies dieser Website sind aus diesem Browser gelöscht, und jedes andere Cookie, das er mit Ihrem \
                     Widerruf gesendet hat. Wenn Sie angemeldet waren, sind Sie jetzt abgemeldet.",
    open_site: "Die Website öffnen",
};
