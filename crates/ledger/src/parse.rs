//! Reads a line back into its entry (the reverse of `line.rs`).

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use serde::Deserialize;

use super::{
    codes::Coded,
    entry::{
        Agreement, Entry, Event, EventKind, Figures, Guard, GuardEvent, Heartbeat, TextId, Texts,
        Verdicts, Window,
    },
    rows::NAMED_PAGE,
};
use crumbgate_base::text::unix_s_of;
use crumbgate_policy::{
    requested::Attributes,
    verdict::{Action, Reason},
};

/// Assigns numbers to texts, as the ledger's file does.
#[derive(Debug, Default)]
pub struct Interner {
    texts: Texts,
    ids: HashMap<Arc<str>, TextId>,
}

impl Interner {
    /// The texts that have a number.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Returns the number of a text; a new text gets one.
    pub fn id(&mut self, text: &str) -> TextId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = TextId(u32::try_from(self.ids.len()).unwrap_or(u32::MAX));
        let text: Arc<str> = text.into();
        self.texts.insert(id, Arc::clone(&text));
        self.ids.insert(text, id);
        id
    }
}

/// Returns the number of a line's entry. `None` where the line does not begin with a number.
pub fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(b"{\"seq\":")?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Reads a line. The error describes the first defect.
pub fn read_line(line: &[u8], interner: &mut Interner) -> Result<Entry, String> {
    let json = |error: serde_json::Error| error.to_string();
    match kind_of(line).unwrap_or_default() {
        "agreement" => {
            serde_json::from_slice::<AgreementLine<'_>>(line).map_err(json)?.read(interner)
        }
        "event" => serde_json::from_slice::<EventLine<'_>>(line).map_err(json)?.read(interner),
        "guard" => serde_json::from_slice::<GuardLine<'_>>(line).map_err(json)?.read(interner),
        "heartbeat" => {
            serde_json::from_slice::<HeartbeatLine<'_>>(line).map_err(json)?.read(interner)
        }
        "verdicts" => {
            serde_json::from_slice::<VerdictsLine<'_>>(line).map_err(json)?.read(interner)
        }
        other => Err(format!("unknown kind {other:?}")),
    }
}

/// Returns the kind of a line's entry, which follows its number and its salt.
fn kind_of(line: &[u8]) -> Option<&str> {
    let begin = line.get(..line.len().min(LONGEST_BEGIN_BYTES))?;
    let at = memchr::memmem::find(begin, KIND)?;
    let kind = begin[at + KIND.len()..].split(|byte| *byte == b'"').next()?;
    std::str::from_utf8(kind).ok()
}

const KIND: &[u8] = b"\"kind\":\"";
/// The longest beginning of a line, with number, salt and kind.
const LONGEST_BEGIN_BYTES: usize = 96;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AgreementLine<'l> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "salt", borrow)]
    _salt: Cow<'l, str>,
    #[serde(rename = "kind", borrow)]
    _kind: Cow<'l, str>,
    #[serde(borrow)]
    window: Cow<'l, str>,
    window_s: u32,
    #[serde(borrow)]
    tenant: Cow<'l, str>,
    #[serde(borrow)]
    event: Cow<'l, str>,
    #[serde(borrow)]
    page: Cow<'l, str>,
    #[serde(borrow)]
    declaration: Cow<'l, str>,
    count: u64,
    #[serde(borrow)]
    first: Cow<'l, str>,
    #[serde(borrow)]
    last: Cow<'l, str>,
}

impl AgreementLine<'_> {
    fn read(self, interner: &mut Interner) -> Result<Entry, String> {
        Ok(Entry::Agreement(Agreement {
            window: window(&self.window, self.window_s)?,
            tenant: interner.id(&self.tenant),
            event: word(&self.event)?,
            page: interner.id(&self.page),
            declaration: interner.id(&self.declaration),
            count: self.count,
            first_unix_s: moment(&self.first)?,
            last_unix_s: moment(&self.last)?,
        }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventLine<'l> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "salt", borrow)]
    _salt: Cow<'l, str>,
    #[serde(rename = "kind", borrow)]
    _kind: Cow<'l, str>,
    #[serde(borrow)]
    at: Cow<'l, str>,
    #[serde(borrow)]
    event: Cow<'l, str>,
    #[serde(borrow, default)]
    tenant: Option<Cow<'l, str>>,
    actor: String,
    detail: String,
}

impl EventLine<'_> {
    fn read(self, interner: &mut Interner) -> Result<Entry, String> {
        let kind = word(&self.event)?;
        if (kind == EventKind::Tenant) != self.tenant.is_some() {
            return Err("only an event about a tenant names one".to_owned());
        }
        Ok(Entry::Event(Event {
            at_unix_s: moment(&self.at)?,
            kind,
            tenant: self.tenant.map(|tenant| interner.id(&tenant)),
            actor: self.actor,
            detail: self.detail,
        }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardLine<'l> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "salt", borrow)]
    _salt: Cow<'l, str>,
    #[serde(rename = "kind", borrow)]
    _kind: Cow<'l, str>,
    #[serde(borrow)]
    window: Cow<'l, str>,
    window_s: u32,
    #[serde(borrow)]
    tenant: Cow<'l, str>,
    #[serde(borrow)]
    mode: Cow<'l, str>,
    #[serde(borrow)]
    source: Cow<'l, str>,
    #[serde(borrow)]
    event: Cow<'l, str>,
    #[serde(borrow)]
    name: Option<Cow<'l, str>>,
    #[serde(borrow)]
    declaration: Cow<'l, str>,
    count: u64,
    #[serde(borrow)]
    first: Cow<'l, str>,
    #[serde(borrow)]
    last: Cow<'l, str>,
}

impl GuardLine<'_> {
    fn read(self, interner: &mut Interner) -> Result<Entry, String> {
        let event: GuardEvent = word(&self.event)?;
        if event.source() != self.source {
            return Err(format!("{:?} is not the source of {:?}", self.source, self.event));
        }
        if matches!(event, GuardEvent::Page(_)) && self.name.is_some() {
            return Err(NAMED_PAGE.to_owned());
        }
        Ok(Entry::Guard(Guard {
            window: window(&self.window, self.window_s)?,
            tenant: interner.id(&self.tenant),
            mode: word(&self.mode)?,
            event,
            name: self.name.map(Cow::into_owned),
            declaration: interner.id(&self.declaration),
            count: self.count,
            first_unix_s: moment(&self.first)?,
            last_unix_s: moment(&self.last)?,
        }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeartbeatLine<'l> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "salt", borrow)]
    _salt: Cow<'l, str>,
    #[serde(rename = "kind", borrow)]
    _kind: Cow<'l, str>,
    #[serde(borrow)]
    window: Cow<'l, str>,
    window_s: u32,
    #[serde(borrow)]
    tenant: Option<Cow<'l, str>>,
    number: u64,
    #[serde(borrow)]
    from: Cow<'l, str>,
    #[serde(borrow)]
    until: Cow<'l, str>,
    requests: u64,
    seen_request: u64,
    seen_response: u64,
    added: u64,
    dropped_request: u64,
    dropped_response: u64,
    dropped_added: u64,
    #[serde(default)]
    agreements: u64,
    #[serde(default)]
    dropped_agreements: u64,
    #[serde(borrow)]
    declaration: Cow<'l, str>,
}

impl HeartbeatLine<'_> {
    fn read(self, interner: &mut Interner) -> Result<Entry, String> {
        Ok(Entry::Heartbeat(Heartbeat {
            window: window(&self.window, self.window_s)?,
            tenant: self.tenant.map(|tenant| interner.id(&tenant)),
            number: self.number,
            from_unix_s: moment(&self.from)?,
            until_unix_s: moment(&self.until)?,
            requests: self.requests,
            seen: Figures {
                request: self.seen_request,
                response: self.seen_response,
                added: self.added,
                agreements: self.agreements,
            },
            dropped: Figures {
                request: self.dropped_request,
                response: self.dropped_response,
                added: self.dropped_added,
                agreements: self.dropped_agreements,
            },
            declaration: interner.id(&self.declaration),
        }))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerdictsLine<'l> {
    #[serde(rename = "seq")]
    _seq: u64,
    #[serde(rename = "salt", borrow)]
    _salt: Cow<'l, str>,
    #[serde(rename = "kind", borrow)]
    _kind: Cow<'l, str>,
    #[serde(borrow)]
    window: Cow<'l, str>,
    window_s: u32,
    #[serde(borrow)]
    tenant: Cow<'l, str>,
    #[serde(borrow)]
    mode: Cow<'l, str>,
    #[serde(borrow)]
    direction: Cow<'l, str>,
    #[serde(borrow)]
    action: Cow<'l, str>,
    #[serde(borrow)]
    reason: Option<Cow<'l, str>>,
    #[serde(borrow)]
    name: Option<Cow<'l, str>>,
    #[serde(borrow)]
    lifetime: Option<Cow<'l, str>>,
    granted_s: Option<u32>,
    #[serde(borrow)]
    route: Cow<'l, str>,
    #[serde(borrow)]
    declaration: Cow<'l, str>,
    count: u64,
    #[serde(borrow)]
    first: Cow<'l, str>,
    #[serde(borrow)]
    last: Cow<'l, str>,
    #[serde(borrow)]
    attributes: Vec<Cow<'l, str>>,
}

impl VerdictsLine<'_> {
    fn read(self, interner: &mut Interner) -> Result<Entry, String> {
        Ok(Entry::Verdicts(Verdicts {
            window: window(&self.window, self.window_s)?,
            tenant: interner.id(&self.tenant),
            mode: word(&self.mode)?,
            direction: word(&self.direction)?,
            action: action(&self.action, self.reason.as_deref())?,
            name: self.name.map(|name| interner.id(&name)),
            lifetime: self.lifetime.map(|lifetime| word(&lifetime)).transpose()?,
            granted_s: self.granted_s,
            route: interner.id(&self.route),
            declaration: interner.id(&self.declaration),
            count: self.count,
            first_unix_s: moment(&self.first)?,
            last_unix_s: moment(&self.last)?,
            attributes: attributes(&self.attributes)?,
        }))
    }
}

fn word<T: Coded>(text: &str) -> Result<T, String> {
    T::of_word(text).ok_or_else(|| format!("{text:?} is an unknown word"))
}

fn action(text: &str, reason: Option<&str>) -> Result<Action, String> {
    let is_named =
        |action: &Action| action.word() == text && action.reason().map(Reason::word) == reason;
    let known = Action::ALL.into_iter().find(is_named);
    known.ok_or_else(|| format!("{text:?} is an unknown action, or not for that reason"))
}

fn moment(text: &str) -> Result<u64, String> {
    unix_s_of(text).ok_or_else(|| format!("{text:?} is no moment"))
}

fn window(text: &str, length_s: u32) -> Result<Window, String> {
    Ok(Window { start_unix_s: moment(text)?, length_s })
}

fn attributes(words: &[Cow<'_, str>]) -> Result<Attributes, String> {
    let bit_of = |word: &Cow<'_, str>| {
        let mut bits = (0..u16::BITS).map(|bit| Attributes::from_bits(1 << bit));
        let bit = bits.find(|bit| bit.words().next() == Some(word));
        bit.ok_or_else(|| format!("{word:?} is an unknown attribute"))
    };
    let bits = words.iter().map(bit_of).collect::<Result<Vec<_>, _>>()?;
    Ok(bits.into_iter().fold(Attributes::default(), Attributes::union))
}

#[cfg(test)]
mod tests {
    use super::{
        super::{entry::AgreementEvent, line::LineWriter},
        *,
    };
    use crumbgate_policy::{
        GuardMode, Mode,
        requested::RequestedLifetime,
        verdict::{Direction, Reason},
    };

    #[test]
    fn a_written_line_is_read_as_the_same_entry() {
        let mut interner = Interner::default();
        let [tenant, name, route] = ["a.example", "\"\\\u{1b}ä", "/"].map(|text| interner.id(text));
        let window = Window { start_unix_s: 1_795_428_000, length_s: 300 };
        let mut entries = Vec::new();
        for action in Action::ALL {
            entries.push(Entry::Verdicts(Verdicts {
                window,
                tenant,
                mode: Mode::Report,
                direction: Direction::Request,
                action,
                name: (action != Action::Strip(Reason::Nameless)).then_some(name),
                lifetime: (action == Action::Rewrite).then_some(RequestedLifetime::Day),
                granted_s: (action == Action::Evict).then_some(0),
                route,
                declaration: route,
                count: u64::MAX,
                first_unix_s: 1_795_428_060,
                last_unix_s: 1_795_428_120,
                attributes: Attributes::from_bits(0b1010_0000_0001_1011),
            }));
        }
        for tenant in [None, Some(tenant)] {
            entries.push(Entry::Heartbeat(Heartbeat {
                window,
                tenant,
                number: 7,
                from_unix_s: 1_795_428_000,
                until_unix_s: 1_795_428_299,
                requests: 3,
                seen: Figures { request: 1, response: 2, added: 3, agreements: 0 },
                dropped: Figures { request: 4, response: 5, added: 6, agreements: 0 },
                declaration: name,
            }));
        }
        for agreements in [0, 7, u64::MAX] {
            let [seen, dropped] = [agreements, agreements / 2]
                .map(|agreements| Figures { agreements, ..Figures::default() });
            entries.push(Entry::Heartbeat(Heartbeat {
                window,
                tenant: Some(tenant),
                number: 8,
                from_unix_s: 0,
                until_unix_s: 0,
                requests: 0,
                seen,
                dropped,
                declaration: name,
            }));
        }
        for event in AgreementEvent::ALL {
            entries.push(Entry::Agreement(Agreement {
                window,
                tenant,
                event,
                page: name,
                declaration: route,
                count: u64::MAX,
                first_unix_s: 1_795_428_060,
                last_unix_s: 1_795_428_120,
            }));
        }
        for event in GuardEvent::ALL {
            for mode in GuardMode::ALL {
                entries.push(Entry::Guard(Guard {
                    window,
                    tenant,
                    mode,
                    event,
                    name: matches!(event, GuardEvent::Reported(_)).then(|| "\"\\ä".to_owned()),
                    declaration: route,
                    count: 1,
                    first_unix_s: 1_795_428_060,
                    last_unix_s: 1_795_428_120,
                }));
            }
        }
        for kind in EventKind::ALL {
            let (actor, detail) = ("\"\\\u{1b}ä".to_owned(), r#"{"a":1}"#.to_owned());
            let tenant = (kind == EventKind::Tenant).then_some(name);
            entries.push(Entry::Event(Event { at_unix_s: 0, kind, tenant, actor, detail }));
        }
        for (seq, entry) in (1..).zip(&entries) {
            let mut line = Vec::new();
            LineWriter::new(interner.texts(), &[7; 32]).write(seq, entry, &mut line);
            assert_eq!(seq_of(&line), Some(seq));
            assert_eq!(read_line(&line, &mut interner).as_ref(), Ok(entry));
        }
    }

    #[test]
    fn a_line_that_no_gateway_writes_is_rejected() {
        for (line, expected) in [
            ("", "unknown kind"),
            ("{}", "unknown kind"),
            (r#"{"kind":"x"}"#, "unknown kind"),
            (
                r#"{"seq":1,"salt":"","kind":"event","at":"","event":"stop","actor":"","detail":""}"#,
                "no moment",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"event","at":"1970-01-01T00:00:00Z","event":"x","actor":"","detail":""}"#,
                "unknown word",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"event","at":"","event":"stop","actor":"","detail":"","more":1}"#,
                "unknown field",
            ),
            (r#"{"seq":1,"salt":"","kind":"event","seq":2}"#, "duplicate field"),
            (r#"{"seq":1,"salt":"","kind":"agreement"}"#, "missing field"),
            (
                r#"{"seq":1,"salt":"","kind":"agreement","window":"1970-01-01T00:00:00Z","window_s":300,"tenant":"a","event":"kept","page":"","declaration":"","count":1,"first":"","last":""}"#,
                "unknown word",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"event","at":"1970-01-01T00:00:00Z","event":"tenant","actor":"","detail":""}"#,
                "about a tenant",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"event","at":"1970-01-01T00:00:00Z","event":"stop","tenant":"a","actor":"","detail":""}"#,
                "about a tenant",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"guard","window":"1970-01-01T00:00:00Z","window_s":300,"tenant":"a","mode":"watch","source":"gateway","event":"cookie","name":null,"declaration":"","count":1,"first":"","last":""}"#,
                "not the source",
            ),
            (
                r#"{"seq":1,"salt":"","kind":"guard","window":"1970-01-01T00:00:00Z","window_s":300,"tenant":"a","mode":"watch","source":"gateway","event":"guarded","name":"a","declaration":"","count":1,"first":"","last":""}"#,
                "an event of a page names nothing",
            ),
        ] {
            let error = read_line(line.as_bytes(), &mut Interner::default()).unwrap_err();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }
}
