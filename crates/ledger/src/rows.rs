//! The rows of entries: each `SELECT` stands before the function that reads its columns in the same
//! order. The number of the entry, which is the first column, is read before.

use crumbgate_policy::requested::Attributes;

use super::{
    codes::Coded,
    entry::{
        Agreement, Entry, Event, EventKind, Figures, Guard, GuardEvent, Heartbeat, TextId,
        Verdicts, Window,
    },
    sqlite::Columns,
};

/// A function that reads an entry, or describes its defect.
pub(crate) type ReadEntry =
    fn(&mut Columns<'_, '_>) -> rusqlite::Result<Result<Entry, &'static str>>;

pub(crate) const VERDICTS: &str = "SELECT seq, window, window_s, tenant, mode, direction, action, name, \
     lifetime, granted_s, route, declaration, count, first, last, attributes \
     FROM verdicts WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

pub(crate) fn read_verdicts(
    columns: &mut Columns<'_, '_>,
) -> rusqlite::Result<Result<Entry, &'static str>> {
    let (window, tenant) = (window(columns)?, text(columns)?);
    let Some(mode) = Coded::of_code(columns.get()?) else {
        return Ok(Err("mode has an unknown number"));
    };
    let Some(direction) = Coded::of_code(columns.get()?) else {
        return Ok(Err("direction has an unknown number"));
    };
    let Some(action) = Coded::of_code(columns.get()?) else {
        return Ok(Err("action has an unknown number"));
    };
    let name = columns.get::<Option<u32>>()?.map(TextId);
    let lifetime = match columns.get::<Option<i64>>()? {
        None => None,
        Some(code) => match Coded::of_code(code) {
            None => return Ok(Err("lifetime has an unknown number")),
            known => known,
        },
    };
    Ok(Ok(Entry::Verdicts(Verdicts {
        window,
        tenant,
        mode,
        direction,
        action,
        name,
        lifetime,
        granted_s: columns.get()?,
        route: text(columns)?,
        declaration: text(columns)?,
        count: columns.unsigned()?,
        first_unix_s: columns.unsigned()?,
        last_unix_s: columns.unsigned()?,
        attributes: Attributes::from_bits(columns.get()?),
    })))
}

pub(crate) const HEARTBEATS: &str = "SELECT seq, window, window_s, tenant, number, since, until, requests, \
     seen_request, seen_response, added, agreements, \
     dropped_request, dropped_response, dropped_added, dropped_agreements, declaration \
     FROM heartbeats WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

/// The same columns of a file without agreements.
pub(crate) const HEARTBEATS_WITHOUT_AGREEMENTS: &str = "SELECT seq, window, window_s, tenant, number, since, \
     until, requests, seen_request, seen_response, added, 0, \
     dropped_request, dropped_response, dropped_added, 0, declaration \
     FROM heartbeats WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

pub(crate) fn read_heartbeat(
    columns: &mut Columns<'_, '_>,
) -> rusqlite::Result<Result<Entry, &'static str>> {
    Ok(Ok(Entry::Heartbeat(Heartbeat {
        window: window(columns)?,
        tenant: columns.get::<Option<u32>>()?.map(TextId),
        number: columns.unsigned()?,
        from_unix_s: columns.unsigned()?,
        until_unix_s: columns.unsigned()?,
        requests: columns.unsigned()?,
        seen: figures(columns)?,
        dropped: figures(columns)?,
        declaration: text(columns)?,
    })))
}

pub(crate) const AGREEMENTS: &str = "SELECT seq, window, window_s, tenant, event, page, declaration, count, \
     first, last FROM agreements WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

/// The query for a file without a table: it returns nothing.
pub(crate) const NOTHING: &str = "SELECT 0 WHERE ?1 IS NULL AND ?2 IS NULL";

pub(crate) fn read_agreement(
    columns: &mut Columns<'_, '_>,
) -> rusqlite::Result<Result<Entry, &'static str>> {
    let (window, tenant) = (window(columns)?, text(columns)?);
    let Some(event) = Coded::of_code(columns.get()?) else {
        return Ok(Err("event has an unknown number"));
    };
    Ok(Ok(Entry::Agreement(Agreement {
        window,
        tenant,
        event,
        page: text(columns)?,
        declaration: text(columns)?,
        count: columns.unsigned()?,
        first_unix_s: columns.unsigned()?,
        last_unix_s: columns.unsigned()?,
    })))
}

pub(crate) const GUARDS: &str = "SELECT seq, window, window_s, tenant, mode, event, name, declaration, count, \
     first, last FROM guards WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

pub(crate) fn read_guard(
    columns: &mut Columns<'_, '_>,
) -> rusqlite::Result<Result<Entry, &'static str>> {
    let (window, tenant) = (window(columns)?, text(columns)?);
    let Some(mode) = Coded::of_code(columns.get()?) else {
        return Ok(Err("mode has an unknown number"));
    };
    let Some(event) = Coded::of_code(columns.get()?) else {
        return Ok(Err("event has an unknown number"));
    };
    let name: Option<String> = columns.get()?;
    if matches!(event, GuardEvent::Page(_)) && name.is_some() {
        return Ok(Err(NAMED_PAGE));
    }
    Ok(Ok(Entry::Guard(Guard {
        window,
        tenant,
        mode,
        event,
        name,
        declaration: text(columns)?,
        count: columns.unsigned()?,
        first_unix_s: columns.unsigned()?,
        last_unix_s: columns.unsigned()?,
    })))
}

/// The defect of an event of a page that has a name.
pub(crate) const NAMED_PAGE: &str = "an event of a page names nothing";

pub(crate) const EVENTS: &str = "SELECT seq, at, kind, actor, detail, tenant \
     FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

/// The same columns of a file without tenants.
pub(crate) const EVENTS_WITHOUT_TENANT: &str = "SELECT seq, at, kind, actor, detail, NULL \
     FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq";

pub(crate) fn read_event(
    columns: &mut Columns<'_, '_>,
) -> rusqlite::Result<Result<Entry, &'static str>> {
    let at_unix_s = columns.unsigned()?;
    let Some(kind) = Coded::of_code(columns.get()?) else {
        return Ok(Err("kind has an unknown number"));
    };
    let (actor, detail) = (columns.get()?, columns.get()?);
    let tenant = columns.get::<Option<u32>>()?.map(TextId);
    if (kind == EventKind::Tenant) != tenant.is_some() {
        return Ok(Err("only an event about a tenant names one"));
    }
    Ok(Ok(Entry::Event(Event { at_unix_s, kind, tenant, actor, detail })))
}

fn window(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Window> {
    Ok(Window { start_unix_s: columns.unsigned()?, length_s: columns.get()? })
}

fn text(columns: &mut Columns<'_, '_>) -> rusqlite::Result<TextId> {
    columns.get().map(TextId)
}

fn figures(columns: &mut Columns<'_, '_>) -> rusqlite::Result<Figures> {
    Ok(Figures {
        request: columns.unsigned()?,
        response: columns.unsigned()?,
        added: columns.unsigned()?,
        agreements: columns.unsigned()?,
    })
}
