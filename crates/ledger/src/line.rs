//! An entry as one line of JSON, as it is exported and hashed.
//!
//! The bytes of a line are the entry's leaf in its segment's Merkle tree. They have one fixed order
//! and form, so that anybody can check them with SHA-256 alone. Each line has a salt: without it,
//! somebody with a proof of one entry could guess the neighbouring entries, which may belong to
//! other tenants. The salt is the first 16 bytes of HMAC-SHA256(the segment's secret, the entry's
//! number in 8 bytes, big-endian), in base64url.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    entry::{Agreement, Entry, Event, Figures, Guard, Heartbeat, Texts, Verdicts, Window},
    merkle::{self, Hash, sha256},
};
use crumbgate_base::text::rfc3339_bytes;
use crumbgate_policy::{requested::RequestedLifetime, verdict::Reason};

pub use crumbgate_base::text::{rfc3339, unix_s_of};

/// Writes the lines of one segment.
#[derive(Debug)]
pub struct LineWriter<'t> {
    texts: &'t Texts,
    secret: hmac::Key,
}

impl<'t> LineWriter<'t> {
    /// Creates a writer for the segment with this secret.
    pub fn new(texts: &'t Texts, secret: &[u8; 32]) -> Self {
        Self { texts, secret: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// Appends the line of an entry to `line`, without a line feed.
    pub fn write(&self, seq: u64, entry: &Entry, line: &mut Vec<u8>) {
        let mut object = Object::begin(line);
        object.number("seq", seq);
        let tag = hmac::sign(&self.secret, &seq.to_be_bytes());
        let salt = tag.as_ref().get(..SALT_BYTES).unwrap_or_default();
        object.text("salt", &URL_SAFE_NO_PAD.encode(salt));
        match entry {
            Entry::Agreement(agreement) => self.write_agreement(&mut object, agreement),
            Entry::Event(event) => self.write_event(&mut object, event),
            Entry::Guard(guard) => self.write_guard(&mut object, guard),
            Entry::Heartbeat(heartbeat) => self.write_heartbeat(&mut object, heartbeat),
            Entry::Verdicts(verdicts) => self.write_verdicts(&mut object, verdicts),
        }
        object.end();
    }

    /// Returns the leaf of an entry in its segment's tree. `line` then holds the byte that marks a
    /// leaf, followed by the entry's line.
    pub fn leaf(&self, seq: u64, entry: &Entry, line: &mut Vec<u8>) -> Hash {
        line.clear();
        line.push(merkle::LEAF);
        self.write(seq, entry, line);
        sha256(line)
    }

    fn write_agreement(&self, object: &mut Object<'_>, agreement: &Agreement) {
        object.text("kind", "agreement");
        write_window(object, agreement.window);
        object.text("tenant", self.texts.get(agreement.tenant));
        object.text("event", agreement.event.word());
        object.text("page", self.texts.get(agreement.page));
        object.text("declaration", self.texts.get(agreement.declaration));
        object.number("count", agreement.count);
        object.time("first", agreement.first_unix_s);
        object.time("last", agreement.last_unix_s);
    }

    fn write_event(&self, object: &mut Object<'_>, event: &Event) {
        object.text("kind", "event");
        object.time("at", event.at_unix_s);
        object.text("event", event.kind.word());
        // Absent instead of null: lines that were hashed before tenant events existed lack the key.
        if let Some(tenant) = event.tenant {
            object.text("tenant", self.texts.get(tenant));
        }
        object.text("actor", &event.actor);
        // A string, because a nested JSON object has more than one form.
        object.text("detail", &event.detail);
    }

    fn write_guard(&self, object: &mut Object<'_>, guard: &Guard) {
        object.text("kind", "guard");
        write_window(object, guard.window);
        object.text("tenant", self.texts.get(guard.tenant));
        object.text("mode", guard.mode.word());
        object.text("source", guard.event.source());
        object.text("event", guard.event.word());
        object.optional_text("name", guard.name.as_deref());
        object.text("declaration", self.texts.get(guard.declaration));
        object.number("count", guard.count);
        object.time("first", guard.first_unix_s);
        object.time("last", guard.last_unix_s);
    }

    fn write_verdicts(&self, object: &mut Object<'_>, verdicts: &Verdicts) {
        object.text("kind", "verdicts");
        write_window(object, verdicts.window);
        object.text("tenant", self.texts.get(verdicts.tenant));
        object.text("mode", verdicts.mode.word());
        object.text("direction", verdicts.direction.word());
        object.text("action", verdicts.action.word());
        object.optional_text("reason", verdicts.action.reason().map(Reason::word));
        object.optional_text("name", verdicts.name.map(|name| self.texts.get(name)));
        object.optional_text("lifetime", verdicts.lifetime.map(RequestedLifetime::word));
        match verdicts.granted_s {
            Some(seconds) => object.number("granted_s", seconds.into()),
            None => object.raw("granted_s", "null"),
        }
        object.text("route", self.texts.get(verdicts.route));
        object.text("declaration", self.texts.get(verdicts.declaration));
        object.number("count", verdicts.count);
        object.time("first", verdicts.first_unix_s);
        object.time("last", verdicts.last_unix_s);
        object.texts("attributes", verdicts.attributes.words());
    }

    fn write_heartbeat(&self, object: &mut Object<'_>, heartbeat: &Heartbeat) {
        object.text("kind", "heartbeat");
        write_window(object, heartbeat.window);
        object.optional_text("tenant", heartbeat.tenant.map(|tenant| self.texts.get(tenant)));
        object.number("number", heartbeat.number);
        object.time("from", heartbeat.from_unix_s);
        object.time("until", heartbeat.until_unix_s);
        object.number("requests", heartbeat.requests);
        let Figures { request, response, added, agreements } = heartbeat.seen;
        object.number("seen_request", request);
        object.number("seen_response", response);
        object.number("added", added);
        let Figures { request, response, added, agreements: dropped_agreements } =
            heartbeat.dropped;
        object.number("dropped_request", request);
        object.number("dropped_response", response);
        object.number("dropped_added", added);
        // Absent where 0: lines that were hashed before agreements existed lack the keys.
        object.some_number("agreements", agreements);
        object.some_number("dropped_agreements", dropped_agreements);
        object.text("declaration", self.texts.get(heartbeat.declaration));
    }
}

const SALT_BYTES: usize = 16;

fn write_window(object: &mut Object<'_>, window: Window) {
    object.time("window", window.start_unix_s);
    object.number("window_s", window.length_s.into());
}

/// A JSON object without white space, written field by field.
struct Object<'l> {
    line: &'l mut Vec<u8>,
    is_empty: bool,
}

impl<'l> Object<'l> {
    fn begin(line: &'l mut Vec<u8>) -> Self {
        line.push(b'{');
        Self { line, is_empty: true }
    }

    fn end(self) {
        self.line.push(b'}');
    }

    fn key(&mut self, key: &str) {
        if !self.is_empty {
            self.line.push(b',');
        }
        self.is_empty = false;
        self.line.push(b'"');
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend_from_slice(b"\":");
    }

    fn raw(&mut self, key: &str, json: &str) {
        self.key(key);
        self.line.extend_from_slice(json.as_bytes());
    }

    fn number(&mut self, key: &str, number: u64) {
        self.raw(key, itoa::Buffer::new().format(number));
    }

    /// Writes a number, unless it is 0.
    fn some_number(&mut self, key: &str, number: u64) {
        if number > 0 {
            self.number(key, number);
        }
    }

    fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.quoted(text);
    }

    fn optional_text(&mut self, key: &str, text: Option<&str>) {
        match text {
            Some(text) => self.text(key, text),
            None => self.raw(key, "null"),
        }
    }

    fn texts(&mut self, key: &str, texts: impl Iterator<Item = &'static str>) {
        self.key(key);
        self.line.push(b'[');
        for (index, text) in texts.enumerate() {
            if index > 0 {
                self.line.push(b',');
            }
            self.quoted(text);
        }
        self.line.push(b']');
    }

    fn time(&mut self, key: &str, unix_s: u64) {
        self.key(key);
        self.line.push(b'"');
        self.line.extend_from_slice(&rfc3339_bytes(unix_s));
        self.line.push(b'"');
    }

    /// Writes a JSON string (RFC 8259, section 7) in its shortest form, with control characters as
    /// `\u00XX`.
    fn quoted(&mut self, text: &str) {
        self.line.push(b'"');
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
            let (plain, special) = rest.split_at(at);
            self.line.extend_from_slice(plain);
            self.escaped(special[0]);
            rest = &special[1..];
        }
        self.line.extend_from_slice(rest);
        self.line.push(b'"');
    }

    fn escaped(&mut self, byte: u8) {
        if byte < 0x20 {
            let digits = b"0123456789abcdef";
            let [high, low] = [byte >> 4, byte & 15].map(|half| digits[usize::from(half)]);
            self.line.extend_from_slice(b"\\u00");
            self.line.extend_from_slice(&[high, low]);
        } else {
            self.line.extend_from_slice(&[b'\\', byte]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::entry::{AgreementEvent, EventKind, GuardEvent, TextId},
        *,
    };
    use crumbgate_audit::{GuardOutcome, ScriptedKind};
    use crumbgate_policy::{
        GuardMode, Mode,
        requested::{Attributes, RequestedLifetime},
        verdict::{Action, Direction, Reason},
    };

    fn texts() -> Texts {
        let mut texts = Texts::default();
        for (id, text) in (0..).zip(["acme.example", "_ga", "/api/{id}", "abc"]) {
            texts.insert(TextId(id), text.into());
        }
        texts
    }

    fn line(entry: &Entry) -> String {
        let texts = texts();
        let mut line = Vec::new();
        LineWriter::new(&texts, &[7; 32]).write(12, entry, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_line_has_one_form() {
        let window = Window { start_unix_s: 1_795_428_000, length_s: 300 };
        let verdicts = Verdicts {
            window,
            tenant: TextId(0),
            mode: Mode::Enforce,
            direction: Direction::Response,
            action: Action::Strip(Reason::Undeclared),
            name: Some(TextId(1)),
            lifetime: Some(RequestedLifetime::Longer),
            granted_s: None,
            route: TextId(2),
            declaration: TextId(3),
            count: 7,
            first_unix_s: 1_795_428_060,
            last_unix_s: 1_795_428_120,
            attributes: Attributes::from_bits(0b101_0000),
        };
        assert_eq!(
            line(&Entry::Verdicts(verdicts)),
            r#"{"seq":12,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"verdicts","window":"2026-11-23T10:00:00Z","window_s":300,"tenant":"acme.example","mode":"enforce","direction":"response","action":"strip","reason":"undeclared","name":"_ga","lifetime":">1y","granted_s":null,"route":"/api/{id}","declaration":"abc","count":7,"first":"2026-11-23T10:01:00Z","last":"2026-11-23T10:02:00Z","attributes":["Max-Age","Path"]}"#
        );
        let heartbeat = Heartbeat {
            window,
            tenant: None,
            number: 3,
            from_unix_s: 1_795_428_000,
            until_unix_s: 1_795_428_299,
            requests: 0,
            seen: Figures::default(),
            dropped: Figures::default(),
            declaration: TextId(3),
        };
        assert_eq!(
            line(&Entry::Heartbeat(heartbeat)),
            r#"{"seq":12,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"heartbeat","window":"2026-11-23T10:00:00Z","window_s":300,"tenant":null,"number":3,"from":"2026-11-23T10:00:00Z","until":"2026-11-23T10:04:59Z","requests":0,"seen_request":0,"seen_response":0,"added":0,"dropped_request":0,"dropped_response":0,"dropped_added":0,"declaration":"abc"}"#
        );
        let [seen, dropped] = [5, 2].map(|agreements| Figures { agreements, ..Figures::default() });
        let text = line(&Entry::Heartbeat(Heartbeat { seen, dropped, ..heartbeat }));
        let end = r#""dropped_added":0,"agreements":5,"dropped_agreements":2,"declaration":"abc"}"#;
        assert!(text.ends_with(end), "{text}");
        let agreement = Agreement {
            window,
            tenant: TextId(0),
            event: AgreementEvent::Withdrawn,
            page: TextId(1),
            declaration: TextId(3),
            count: 7,
            first_unix_s: 1_795_428_060,
            last_unix_s: 1_795_428_120,
        };
        assert_eq!(
            line(&Entry::Agreement(agreement)),
            r#"{"seq":12,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"agreement","window":"2026-11-23T10:00:00Z","window_s":300,"tenant":"acme.example","event":"withdrawn","page":"_ga","declaration":"abc","count":7,"first":"2026-11-23T10:01:00Z","last":"2026-11-23T10:02:00Z"}"#
        );
        let guard = Guard {
            window,
            tenant: TextId(0),
            mode: GuardMode::Watch,
            event: GuardEvent::Reported(ScriptedKind::LocalStorage),
            name: Some("_ga".to_owned()),
            declaration: TextId(3),
            count: 7,
            first_unix_s: 1_795_428_060,
            last_unix_s: 1_795_428_120,
        };
        assert_eq!(
            line(&Entry::Guard(guard.clone())),
            r#"{"seq":12,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"guard","window":"2026-11-23T10:00:00Z","window_s":300,"tenant":"acme.example","mode":"watch","source":"browser","event":"local_storage","name":"_ga","declaration":"abc","count":7,"first":"2026-11-23T10:01:00Z","last":"2026-11-23T10:02:00Z"}"#
        );
        let event = GuardEvent::Page(GuardOutcome::TooLarge);
        let page = Guard { mode: GuardMode::Enforce, event, name: None, ..guard };
        let text = line(&Entry::Guard(page));
        let middle =
            r#""mode":"enforce","source":"gateway","event":"too_large","name":null,"declaration""#;
        assert!(text.contains(middle), "{text}");
        let event = Event {
            at_unix_s: 0,
            kind: EventKind::UncleanStop,
            tenant: None,
            actor: "a\"\\\n\u{1b}ä".to_owned(),
            detail: "{}".to_owned(),
        };
        let text = line(&Entry::Event(event));
        assert!(text.ends_with(
            r#""kind":"event","at":"1970-01-01T00:00:00Z","event":"unclean stop","actor":"a\"\\\u000a\u001bä","detail":"{}"}"#
        ), "{text}");
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
        let event = Event {
            at_unix_s: 0,
            kind: EventKind::Tenant,
            tenant: Some(TextId(0)),
            actor: "ada".to_owned(),
            detail: r#"{"before":null,"after":{"session":"20m"}}"#.to_owned(),
        };
        assert_eq!(
            line(&Entry::Event(event)),
            r#"{"seq":12,"salt":"J89Up1PSO5epAVlxums8iQ","kind":"event","at":"1970-01-01T00:00:00Z","event":"tenant","tenant":"acme.example","actor":"ada","detail":"{\"before\":null,\"after\":{\"session\":\"20m\"}}"}"#
        );
    }
}
