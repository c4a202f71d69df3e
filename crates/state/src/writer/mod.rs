//! The thread that owns the state file: it adds up the workers' batches, writes them, and stores
//! tenants that are set at run time.
//!
//! Only this thread waits for the disk. A file that is full, locked or damaged delays no request:
//! entries wait in bounded memory until it can be written again, and counts that have no room are
//! recorded as dropped. A tenant change does not wait: its caller learns at once that it can't be
//! stored.

mod file;

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crumbgate_audit::Batch;
use crumbgate_base::{error::with_causes, text::rfc3339};
use crumbgate_ledger::entry::{DeclarationRecord, Event, EventKind, Window};
use serde_json::json;
use tracing::{error, info, warn};

use crate::{
    buffer::WriteBuffer,
    handle::{Change, ChangeError, Command, CommandReceiver},
    segments::SegmentError,
    settings::Settings,
    status::Status,
    store::{CurrentDeclaration, SegmentSummary, Store, Written},
    store_error::{ChangeFailure, CloseError, StoreError},
    tenants::{StoredTenant, TenantChange, Tenants},
};

/// The thread's own state.
pub(crate) struct StateWriter {
    settings: Settings,
    file: FileState,
    buffer: WriteBuffer,
    /// The hash of the declaration that is in force.
    declaration: Arc<str>,
    /// Declarations that pending entries may refer to, oldest first. The last one is in force.
    declarations: VecDeque<DeclarationRecord>,
    /// The tenants in the file; `None` until it was first read.
    tenants: Option<Tenants>,
    /// True if the next file must be given the tenants, because the previous one was moved aside or
    /// cut.
    lacks_tenants: bool,
    /// Tenant changes whose commit failed with an unknown result.
    in_doubt: Option<InDoubt>,
    status: Arc<Status>,
    has_started: bool,
    /// The uptime at which the open segment began, in seconds.
    segment_uptime_s: u32,
    /// The moment of the gateway's last heartbeat: wall clock and uptime, in seconds.
    last_heartbeat: Option<(u64, u32)>,
    /// The number of the next entry. A file that is opened again must continue there.
    next_seq: u64,
    /// The moment of the last cleanup of the buffer.
    last_cleanup: Instant,
}

/// Changes whose commit failed. The file shows whether it took effect when it is opened again.
struct InDoubt {
    changes: Vec<Change>,
    /// The name of the transaction.
    attempt: String,
    problem: String,
}

/// The state of the file.
enum FileState {
    Open(Box<Store>),
    /// The file can't be used. It is tried again at `retry_at`; `logged` is the problem that was last
    /// logged.
    Closed {
        retry_at: Instant,
        logged: Option<String>,
    },
}

impl StateWriter {
    pub(crate) fn new(settings: Settings, status: Arc<Status>) -> Self {
        Self {
            file: FileState::Closed { retry_at: Instant::now(), logged: None },
            buffer: WriteBuffer::default(),
            status,
            has_started: false,
            segment_uptime_s: 0,
            last_heartbeat: None,
            next_seq: 1,
            last_cleanup: Instant::now(),
            declaration: settings.declaration.hash.as_str().into(),
            declarations: VecDeque::new(),
            tenants: None,
            lacks_tenants: false,
            in_doubt: None,
            settings,
        }
    }

    /// Runs the thread until a command ends it.
    pub(crate) fn run(mut self, batches: &Receiver<Batch>, commands: CommandReceiver) {
        self.remember_declaration(self.settings.declaration.clone());
        let mut due = Instant::now();
        loop {
            match batches.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(batch) => self.buffer.add(batch),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.process(commands.take()) {
                break;
            }
            if Instant::now() >= due {
                self.tick();
                due = Instant::now() + WRITE_INTERVAL;
            }
        }
        drop(commands);
        for batch in batches.try_iter() {
            self.buffer.add(batch);
        }
        self.finish();
    }

    /// Does the periodic work.
    fn tick(&mut self) {
        if self.settings.keeps_evidence {
            self.heartbeat();
            self.write();
            self.close_hourly();
        } else if self.settings.path.exists() || self.tenants.is_some() {
            self.is_open();
        }
    }

    /// Executes commands. Returns whether one of them asks to end.
    fn process(&mut self, commands: impl Iterator<Item = Command>) -> bool {
        let (mut changes, mut ends) = (Vec::new(), false);
        for command in commands {
            match command {
                Command::Change(change) => changes.push(change),
                Command::Configure { configuration, declaration, actor } => {
                    self.configure(configuration, declaration, &actor);
                }
                Command::End => ends = true,
            }
        }
        if !changes.is_empty() {
            self.change_tenants(changes);
        }
        ends
    }

    /// Replaces the configuration and the declaration.
    fn configure(&mut self, configuration: String, declaration: DeclarationRecord, actor: &str) {
        // Before the file is first opened, the start compares it with the stored configuration
        // instead.
        let is_recorded = self.settings.keeps_evidence && self.has_started;
        let old = std::mem::replace(&mut self.settings.configuration, configuration);
        if is_recorded && old != self.settings.configuration {
            let change = json!({ "old": old, "new": self.settings.configuration });
            self.record_event_by(actor, EventKind::Configuration, &change);
        }
        let old = std::mem::replace(&mut self.settings.declaration, declaration.clone());
        if is_recorded && old.hash != declaration.hash {
            let change = json!({ "old": old.hash, "new": declaration.hash });
            self.record_event_by(actor, EventKind::Declaration, &change);
        }
        self.declaration = declaration.hash.as_str().into();
        self.remember_declaration(declaration);
    }

    fn remember_declaration(&mut self, declaration: DeclarationRecord) {
        if !self.settings.keeps_evidence {
            return;
        }
        let hash = declaration.hash.as_str();
        // The moment at which it first came into force stays.
        let index = self.declarations.iter().position(|held| held.hash == hash);
        let held = index.and_then(|index| self.declarations.remove(index));
        self.declarations.push_back(held.unwrap_or(declaration));
        if self.declarations.len() > MAX_DECLARATIONS {
            self.declarations.pop_front();
        }
    }

    /// Stores tenant changes in one transaction and answers their callers. A damaged file is moved
    /// aside first; the changes then go into the new one.
    fn change_tenants(&mut self, changes: Vec<Change>) {
        let mut problem = None;
        self.retry_now();
        for _ in 0..MAX_ATTEMPTS {
            self.is_open();
            // Earlier events, a start or a reload, are written first.
            self.commit(Some(self.settings.clock.now().unix_s));
            let FileState::Open(store) = &mut self.file else { continue };
            let (at_unix_s, attempt) =
                (self.settings.clock.now().unix_s, self.buffer.next_attempt(store.next_seq()));
            let keeps_events = self.settings.keeps_evidence;
            match store.change_tenants(&changes, at_unix_s, keeps_events, &attempt) {
                Ok(entries) => {
                    self.next_seq = store.next_seq();
                    self.status.written.fetch_add(entries, Relaxed);
                    self.status.is_failing.store(false, Relaxed);
                    let tenants = self.tenants.get_or_insert_default();
                    for Change { changes, actor, .. } in &changes {
                        changes.iter().for_each(|change| apply(tenants, change, actor, at_unix_s));
                    }
                    return answer(changes, &Ok(()));
                }
                Err(ChangeFailure::NotStored(error)) => {
                    problem = Some(with_causes(&error));
                    self.close_file(&error);
                }
                Err(ChangeFailure::InDoubt(error)) => {
                    let problem = with_causes(&error);
                    self.in_doubt = Some(InDoubt { changes, attempt, problem });
                    self.close_file(&error);
                    self.retry_now();
                    self.is_open();
                    return;
                }
            }
        }
        let logged = match &self.file {
            FileState::Closed { logged, .. } => logged.clone(),
            FileState::Open(_) => None,
        };
        let problem = logged.or(problem).unwrap_or_default();
        let path = self.settings.path.clone();
        answer(changes, &Err(ChangeError::Unavailable { path, problem }));
    }

    /// Tries the file again at once.
    fn retry_now(&mut self) {
        if let FileState::Closed { retry_at, .. } = &mut self.file {
            *retry_at = Instant::now();
        }
    }

    /// Records that the gateway is alive, in this window and in those that have passed since the
    /// last heartbeat.
    fn heartbeat(&mut self) {
        let now = self.settings.clock.now();
        let mut window = Window::of(now.unix_s, self.settings.window_s);
        if let Some((unix_s, uptime_s)) = self.last_heartbeat {
            let mut passed = Window::of(unix_s, self.settings.window_s);
            let ran_s = u64::from(now.uptime_s.saturating_sub(uptime_s));
            let expected_unix_s = unix_s.saturating_add(ran_s);
            if now.unix_s.abs_diff(expected_unix_s) > JUMP_S {
                let (from, until) = (rfc3339(unix_s), rfc3339(now.unix_s));
                warn!(from, until, "the clock has jumped");
                self.record_event(EventKind::Clock, &json!({ "from": from, "until": until }));
                passed = window;
            }
            // A clock that is set back a little does not open an earlier window again.
            window = window.max(passed);
            while passed < window {
                let last_unix_s = passed.end_unix_s().saturating_sub(1);
                self.buffer.record_alive(passed, &self.declaration, last_unix_s);
                passed = Window::of(passed.end_unix_s(), self.settings.window_s);
            }
            // Without traffic the file is written less often.
            let is_due = now.unix_s >= unix_s.saturating_add(HEARTBEAT_S) || now.unix_s < unix_s;
            if !is_due && passed == window && !self.buffer.is_dirty() {
                return;
            }
        }
        self.buffer.record_alive(window, &self.declaration, now.unix_s);
        self.last_heartbeat = Some((now.unix_s, now.uptime_s));
    }

    /// Writes the buffer, where the file is usable.
    fn write(&mut self) {
        let now_unix_s = self.settings.clock.now().unix_s;
        self.status.dropped.store(self.buffer.dropped(), Relaxed);
        if self.last_cleanup.elapsed() >= CLEANUP_INTERVAL {
            self.last_cleanup = Instant::now();
            self.buffer.drop_finished(now_unix_s);
        }
        if !self.is_open() {
            self.status.waiting.store(self.buffer.unwritten() as u64, Relaxed);
            return;
        }
        if let Some(lost) = self.buffer.record_loss(now_unix_s, &self.settings.actor) {
            let (cookies, agreements) = (lost.figures.cookies(), lost.figures.agreements);
            let guard_events = lost.guard_events;
            warn!(
                cookies,
                agreements,
                guard_events,
                "there was no room in memory: these verdicts are missing from the ledger"
            );
        }
        self.commit(Some(now_unix_s));
    }

    fn commit(&mut self, alive_unix_s: Option<u64>) {
        let FileState::Open(store) = &mut self.file else { return };
        if !self.buffer.is_dirty() && alive_unix_s.is_some() {
            return;
        }
        let current = CurrentDeclaration {
            configuration: &self.settings.configuration,
            declaration: &self.declaration,
            declarations: &self.declarations,
        };
        match store.write(&mut self.buffer, current, alive_unix_s) {
            Ok(Written { entries, new_names }) => {
                self.status.written.fetch_add(entries, Relaxed);
                new_names.into_values().for_each(|name| self.status.count_new_name(name));
                self.status.waiting.store(0, Relaxed);
                self.status.is_failing.store(false, Relaxed);
                self.next_seq = store.next_seq();
            }
            Err(error) => self.close_file(&error),
        }
    }

    /// Closes the segment once an hour, shortly after the end of a window, so that few windows span
    /// two segments.
    fn close_hourly(&mut self) {
        let now = self.settings.clock.now();
        let age_s = now.uptime_s.saturating_sub(self.segment_uptime_s);
        let window = Window::of(now.unix_s, self.settings.window_s);
        // A window of many hours can't be waited for.
        let is_long = self.settings.window_s > HOUR_S;
        let is_calm = now.unix_s.saturating_sub(window.start_unix_s) >= BATCH_DELAY_S
            && now.unix_s.saturating_sub(window.start_unix_s) <= BATCH_DELAY_S + 30;
        if age_s >= HOUR_S
            && (is_calm || is_long || age_s >= HOUR_S.saturating_add(self.settings.window_s))
        {
            self.segment_uptime_s = now.uptime_s;
            self.close_segment(now.unix_s);
            self.prune(now.unix_s);
        }
    }

    /// Closes the segment of all written entries.
    fn close_segment(&mut self, now_unix_s: u64) {
        let FileState::Open(store) = &mut self.file else { return };
        match store.close_segment(now_unix_s) {
            Ok(closed) => {
                self.next_seq = store.next_seq();
                self.buffer.detach();
                closed.iter().for_each(|closed| self.count_segment(*closed));
            }
            Err(CloseError::Seal(error @ SegmentError::Missing { .. })) => {
                self.close_file(&StoreError::Damaged(error.to_string()));
            }
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "a segment of the ledger can't be signed; the next segment will contain its entries"
                );
            }
        }
    }

    fn count_segment(&self, SegmentSummary { number, imbalance }: SegmentSummary) {
        self.status.segments.fetch_add(1, Relaxed);
        self.status.unbalanced.fetch_add(imbalance, Relaxed);
        if imbalance > 0 {
            error!(
                segment = number,
                cookies = imbalance,
                "a segment of the ledger does not add up: its entries differ from the cookies that were seen"
            );
        }
    }

    fn prune(&mut self, now_unix_s: u64) {
        let FileState::Open(store) = &mut self.file else { return };
        let before_unix_s = now_unix_s.saturating_sub(self.settings.retention.as_secs());
        match store.prune(before_unix_s, now_unix_s, &self.settings.actor) {
            Ok(None) => {}
            Ok(Some(segments)) => {
                info!(segments, "entries older than audit.retention were removed")
            }
            Err(error) => {
                warn!(%error, "entries older than audit.retention can't be removed at the moment")
            }
        }
    }

    fn record_event(&mut self, kind: EventKind, detail: &serde_json::Value) {
        let actor = self.settings.actor.clone();
        self.record_event_by(&actor, kind, detail);
    }

    fn record_event_by(&mut self, actor: &str, kind: EventKind, detail: &serde_json::Value) {
        self.status.count_event(kind);
        let at_unix_s = self.settings.clock.now().unix_s;
        let (actor, detail) = (actor.to_owned(), detail.to_string());
        self.buffer.events.push(Event { at_unix_s, kind, tenant: None, actor, detail });
    }
    /// Writes everything and closes the segment before the thread ends.
    fn finish(mut self) {
        if !self.settings.keeps_evidence {
            if let FileState::Open(store) = &self.file {
                store.checkpoint_log();
            }
            return;
        }
        self.heartbeat();
        let deadline = Instant::now() + FINAL_WRITE_TIMEOUT;
        loop {
            self.write();
            let is_written = matches!(self.file, FileState::Open(_)) && !self.buffer.is_dirty();
            if is_written || Instant::now() >= deadline {
                break;
            }
            thread::sleep(WRITE_INTERVAL);
            self.retry_now();
        }
        if matches!(self.file, FileState::Closed { .. }) || self.buffer.is_dirty() {
            let entries = self.buffer.unwritten();
            return error!(entries, "the ledger could not be written: these entries are lost");
        }
        // The stop is the last entry: it shows that nothing is missing.
        self.record_event(EventKind::Stop, &json!({}));
        self.commit(None);
        self.close_segment(self.settings.clock.now().unix_s);
        if let FileState::Open(store) = &self.file {
            store.checkpoint_log();
        }
    }
}

/// Answers all callers with the same result.
fn answer(changes: Vec<Change>, answer: &Result<(), ChangeError>) {
    for change in changes {
        change.answer(answer.clone());
    }
}

/// Applies a change to the tenants in memory.
fn apply(tenants: &mut Tenants, change: &TenantChange, actor: &Arc<str>, changed_unix_s: u64) {
    match &change.after {
        Some(keys) => {
            let row =
                StoredTenant { keys: Arc::clone(keys), changed_unix_s, actor: Arc::clone(actor) };
            tenants.insert(Arc::clone(&change.host), row);
        }
        None => {
            tenants.remove(&change.host);
        }
    }
}

/// The interval between closings of segments, in seconds.
const HOUR_S: u32 = 3_600;

/// The time after a window's end within which its last batches arrive, in seconds.
const BATCH_DELAY_S: u64 = 2;

/// The number of attempts to store a tenant change: the file may turn out to be cut, then damaged,
/// and then be replaced by a new one.
const MAX_ATTEMPTS: usize = 3;

/// The limit on declarations in memory. Reloads are rarer than writes, and written files have the
/// older ones.
const MAX_DECLARATIONS: usize = 64;

/// The interval between writes.
const WRITE_INTERVAL: Duration = Duration::from_millis(250);

/// The interval between cleanups of the buffer.
const CLEANUP_INTERVAL: Duration = Duration::from_secs(1);

/// The interval between heartbeats of a gateway without traffic, in seconds.
const HEARTBEAT_S: u64 = 10;

/// The difference between wall clock and uptime that counts as a jump, in seconds.
const JUMP_S: u64 = 5;

/// The time that a stop tries to write.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(5);
