//! Writes entries within a transaction, new or changed, with texts replaced by their numbers.

use std::{collections::HashMap, sync::Arc};

use foldhash::fast::RandomState;
use rusqlite::{Transaction, params};
use serde_json::Value;

use super::{
    agreements::{AgreementKey, PendingAgreement},
    buffer::{HeartbeatKey, PendingHeartbeat, PendingVerdicts, Totals, VerdictsKey},
    guards::{GuardKey, PendingGuard},
    tenants::{self, TenantChange},
};
use crumbgate_audit::{OTHER, ShownPage};
use crumbgate_ledger::{
    entry::{Event, EventKind, TextId},
    sqlite::signed,
};
use crumbgate_policy::{
    requested::RequestedLifetime,
    verdict::{Action, Direction, Reason},
};

/// An open transaction and the state that it needs.
pub(super) struct EntryWriter<'s> {
    pub(super) transaction: Transaction<'s>,
    pub(super) texts: &'s mut HashMap<Arc<str>, i64, RandomState>,
    pub(super) next_seq: u64,
    pub(super) new_names: NewNames,
}

/// Undeclared cookie names that were new to the file, each with the direction in which it was seen.
/// A cookie that the application sets and that comes back at once counts as seen in a response.
pub(super) type NewNames = HashMap<Arc<str>, Direction, RandomState>;

impl EntryWriter<'_> {
    pub(super) fn event(&mut self, event: &Event) -> rusqlite::Result<()> {
        let seq = self.take_seq();
        insert_event(&self.transaction, seq, event)
    }

    /// Stores a tenant, or removes it.
    pub(super) fn tenant(
        &mut self,
        TenantChange { host, after, .. }: &TenantChange,
        actor: &str,
        at_unix_s: u64,
    ) -> rusqlite::Result<()> {
        match after {
            Some(keys) => tenants::set(&self.transaction, host, keys, at_unix_s, actor),
            None => tenants::remove(&self.transaction, host),
        }
    }

    /// Records the change of a tenant as an event.
    pub(super) fn tenant_event(
        &mut self,
        TenantChange { host, before, after }: &TenantChange,
        actor: &str,
        at_unix_s: u64,
    ) -> rusqlite::Result<()> {
        let tenant = u32::try_from(self.text(host)?).unwrap_or(u32::MAX);
        let [before, after] = [before, after].map(|keys| as_json(keys.as_deref()));
        self.event(&Event {
            at_unix_s,
            kind: EventKind::Tenant,
            tenant: Some(TextId(tenant)),
            actor: actor.to_owned(),
            detail: format!("{{\"before\":{before},\"after\":{after}}}"),
        })
    }

    /// Stores a page, unless the file has it.
    pub(super) fn page(&self, page: &ShownPage) -> rusqlite::Result<()> {
        let sql = "INSERT OR IGNORE INTO pages (hash, html) VALUES (?1, ?2)";
        let mut statement = self.transaction.prepare_cached(sql)?;
        statement.execute([&**page.hash(), &**page.html()])?;
        Ok(())
    }

    pub(super) fn agreement(
        &mut self,
        key: &AgreementKey,
        pending: &mut PendingAgreement,
    ) -> rusqlite::Result<()> {
        let [count, first, last] =
            [pending.count, pending.first_unix_s, pending.last_unix_s].map(signed);
        if let Some(seq) = pending.state.seq {
            let sql = "UPDATE agreements SET count = ?2, first = ?3, last = ?4 WHERE seq = ?1";
            let mut statement = self.transaction.prepare_cached(sql)?;
            return expect_one_row(statement.execute(params![signed(seq), count, first, last])?);
        }
        let seq = self.take_seq();
        pending.state.assigned = Some(seq);
        let (tenant, page) = (self.text(&key.tenant)?, self.text(&key.page)?);
        let declaration = self.text(&key.declaration)?;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO agreements (seq, window, window_s, tenant, event, page, declaration, count, \
             first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        statement.execute(params![
            signed(seq),
            signed(key.window.start_unix_s),
            key.window.length_s,
            tenant,
            key.event.code(),
            page,
            declaration,
            count,
            first,
            last,
        ])?;
        Ok(())
    }

    pub(super) fn guard(
        &mut self,
        key: &GuardKey,
        pending: &mut PendingGuard,
    ) -> rusqlite::Result<()> {
        let [count, first, last] =
            [pending.count, pending.first_unix_s, pending.last_unix_s].map(signed);
        if let Some(seq) = pending.state.seq {
            let sql = "UPDATE guards SET count = ?2, first = ?3, last = ?4 WHERE seq = ?1";
            let mut statement = self.transaction.prepare_cached(sql)?;
            return expect_one_row(statement.execute(params![signed(seq), count, first, last])?);
        }
        let seq = self.take_seq();
        pending.state.assigned = Some(seq);
        let (tenant, declaration) = (self.text(&key.tenant)?, self.text(&key.declaration)?);
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO guards (seq, window, window_s, tenant, mode, event, name, declaration, count, \
             first, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        statement.execute(params![
            signed(seq),
            signed(key.window.start_unix_s),
            key.window.length_s,
            tenant,
            key.mode.code(),
            key.event.code(),
            key.name.as_deref(),
            declaration,
            count,
            first,
            last,
        ])?;
        Ok(())
    }

    pub(super) fn verdicts(
        &mut self,
        key: &VerdictsKey,
        pending: &mut PendingVerdicts,
    ) -> rusqlite::Result<()> {
        let (count, first) = (signed(pending.count), signed(pending.first_unix_s));
        let (last, attributes) = (signed(pending.last_unix_s), pending.attributes.bits());
        if let Some(seq) = pending.state.seq {
            let mut statement = self.transaction.prepare_cached(
                "UPDATE verdicts SET count = ?2, first = ?3, last = ?4, attributes = ?5 WHERE seq = ?1",
            )?;
            return expect_one_row(statement.execute(params![
                signed(seq),
                count,
                first,
                last,
                attributes
            ])?);
        }
        let seq = self.take_seq();
        pending.state.assigned = Some(seq);
        let (tenant, route) = (self.text(&key.tenant)?, self.text(&key.route)?);
        let name = key.name.as_ref().map(|name| self.name(name, key)).transpose()?;
        let declaration = self.text(&key.declaration)?;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO verdicts (seq, window, window_s, tenant, mode, direction, action, name, lifetime, \
             granted_s, route, declaration, count, first, last, attributes) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?;
        statement.execute(params![
            signed(seq),
            signed(key.window.start_unix_s),
            key.window.length_s,
            tenant,
            key.mode.code(),
            key.direction.code(),
            key.action.code(),
            name,
            key.lifetime.map(RequestedLifetime::code),
            key.granted_s,
            route,
            declaration,
            count,
            first,
            last,
            attributes,
        ])?;
        Ok(())
    }

    pub(super) fn heartbeat(
        &mut self,
        key: &HeartbeatKey,
        pending: &mut PendingHeartbeat,
    ) -> rusqlite::Result<()> {
        let Totals { requests, seen, dropped } = pending.totals;
        let (from, until) = (signed(pending.from_unix_s), signed(pending.until_unix_s));
        let [seen, dropped] = [seen, dropped].map(|figures| {
            [figures.request, figures.response, figures.added, figures.agreements].map(signed)
        });
        if let Some(seq) = pending.state.seq {
            let mut statement = self.transaction.prepare_cached(
                "UPDATE heartbeats SET since = ?2, until = ?3, requests = ?4, seen_request = ?5, \
                 seen_response = ?6, added = ?7, dropped_request = ?8, dropped_response = ?9, \
                 dropped_added = ?10, agreements = ?11, dropped_agreements = ?12 WHERE seq = ?1",
            )?;
            return expect_one_row(statement.execute(params![
                signed(seq),
                from,
                until,
                signed(requests),
                seen[0],
                seen[1],
                seen[2],
                dropped[0],
                dropped[1],
                dropped[2],
                seen[3],
                dropped[3],
            ])?);
        }
        let seq = self.take_seq();
        pending.state.assigned = Some(seq);
        let tenant = key.tenant.as_ref().map(|tenant| self.text(tenant)).transpose()?;
        let declaration = self.text(&key.declaration)?;
        let number: i64 = self
            .transaction
            .prepare_cached(
                "INSERT INTO heartbeat_numbers (tenant, number) VALUES (?1, 1) \
                 ON CONFLICT (tenant) DO UPDATE SET number = number + 1 RETURNING number",
            )?
            .query_row([tenant.unwrap_or(GATEWAY)], |row| row.get(0))?;
        let mut statement = self.transaction.prepare_cached(
            "INSERT INTO heartbeats (seq, window, window_s, tenant, number, since, until, requests, \
             seen_request, seen_response, added, dropped_request, dropped_response, dropped_added, \
             declaration, agreements, dropped_agreements) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        )?;
        statement.execute(params![
            signed(seq),
            signed(key.window.start_unix_s),
            key.window.length_s,
            tenant,
            number,
            from,
            until,
            signed(requests),
            seen[0],
            seen[1],
            seen[2],
            dropped[0],
            dropped[1],
            dropped[2],
            declaration,
            seen[3],
            dropped[3],
        ])?;
        Ok(())
    }

    pub(super) fn fact(&self, name: &str, value: Option<&str>) -> rusqlite::Result<()> {
        let mut statement = self.transaction.prepare_cached(match value {
            Some(_) => {
                "INSERT INTO facts (name, value) VALUES (?1, ?2) \
                        ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            }
            None => "DELETE FROM facts WHERE name = ?1 AND ?2 IS NULL",
        })?;
        statement.execute(params![name, value])?;
        Ok(())
    }

    /// The number of a cookie's name. Notes an undeclared name that is new to the file.
    fn name(&mut self, name: &Arc<str>, key: &VerdictsKey) -> rusqlite::Result<i64> {
        if let Some(direction) = met_undeclared(key).filter(|_| **name != *OTHER) {
            if let Some(first) = self.new_names.get_mut(name) {
                if direction == Direction::Response {
                    *first = direction;
                }
            } else if !self.has_text(name)? {
                self.new_names.insert(Arc::clone(name), direction);
            }
        }
        self.text(name)
    }

    fn has_text(&self, text: &Arc<str>) -> rusqlite::Result<bool> {
        if self.texts.contains_key(text) {
            return Ok(true);
        }
        self.transaction.prepare_cached("SELECT 1 FROM texts WHERE text = ?1")?.exists([&**text])
    }

    /// The number of a text. A new text gets one.
    fn text(&mut self, text: &Arc<str>) -> rusqlite::Result<i64> {
        if let Some(id) = self.texts.get(text) {
            return Ok(*id);
        }
        let sql = "INSERT INTO texts (text) VALUES (?1) \
                   ON CONFLICT (text) DO UPDATE SET text = text RETURNING id";
        let mut statement = self.transaction.prepare_cached(sql)?;
        let id = statement.query_row([&**text], |row| row.get(0))?;
        self.texts.insert(Arc::clone(text), id);
        Ok(id)
    }

    fn take_seq(&mut self) -> u64 {
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        seq
    }
}

/// The direction in which an undeclared cookie was seen; `None` where the entry is about something
/// else.
fn met_undeclared(key: &VerdictsKey) -> Option<Direction> {
    match key.action {
        Action::Strip(Reason::Undeclared) => Some(key.direction),
        // The cookie came with the request.
        Action::Evict => Some(Direction::Request),
        Action::Inject | Action::Keep | Action::Renew | Action::Rewrite | Action::Strip(_) => None,
    }
}

/// A tenant's keys as JSON for an event's detail. Text that is not JSON becomes a string.
fn as_json(keys: Option<&str>) -> Value {
    let read = |keys| serde_json::from_str(keys).unwrap_or_else(|_| Value::from(keys));
    keys.map_or(Value::Null, read)
}

/// Fails unless exactly one row has changed: a written entry exists once, anything else is damage.
fn expect_one_row(changed: usize) -> rusqlite::Result<()> {
    if changed == 1 { Ok(()) } else { Err(rusqlite::Error::StatementChangedRows(changed)) }
}

pub(super) fn insert_event(
    transaction: &Transaction<'_>,
    seq: u64,
    event: &Event,
) -> rusqlite::Result<()> {
    let (at, kind) = (signed(event.at_unix_s), event.kind.code());
    let sql =
        "INSERT INTO events (seq, at, kind, actor, detail, tenant) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let mut statement = transaction.prepare_cached(sql)?;
    let tenant = event.tenant.map(|tenant| tenant.0);
    statement.execute(params![signed(seq), at, kind, event.actor, event.detail, tenant])?;
    Ok(())
}

/// The number under which heartbeats of the gateway itself are counted. No text has it.
const GATEWAY: i64 = 0;
