//! The thread that owns the state file: it adds up the workers' batches, writes them, and stores
//! tenants that are set at run time.
//!
//! Only this thread waits for the disk. A file that is full, locked or damaged delays no request:
//! entries wait in bounded memory until it can be written again, and counts that have no room are
//! recorded as dropped. A tenant change does not wait: its caller learns at once that it can't be
//! stored.

use std::{
    collections::VecDeque,
    path::PathBuf,
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::json;
use tracing::{error, info, warn};

use super::{
    desk::{Change, ChangeError, Command, CommandReceiver, Desk},
    segments::SegmentError,
    status::Status,
    store::{
        self, ChangeFailure, CloseError, CurrentDeclaration, OpenReport, SegmentSummary, Store,
        StoreError, Written,
    },
    tenants::{self, StoredTenant, TenantChange, Tenants},
    waiting::WriteBuffer,
};
use crumbgate_audit::Page;
use crumbgate_base::{clock::Clock, error::with_causes, text::rfc3339};
use crumbgate_ledger::entry::{DeclarationRecord, Event, EventKind, Window};

/// The settings of the state file and its ledger.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path of the file.
    pub path: PathBuf,
    /// Whether the file holds a ledger. Without one it holds tenants only: no entries, segments or
    /// keys, and no file before the first tenant is set.
    pub keeps_evidence: bool,
    /// The length of a window, in seconds.
    pub window_s: u32,
    /// The time that entries are kept.
    pub retention: Duration,
    /// The SHA-256 of the configuration.
    pub configuration: String,
    /// The declaration that is in force.
    pub declaration: DeclarationRecord,
    /// The name of the process that started this gateway, for events.
    pub actor: String,
    /// The clock.
    pub clock: Clock,
}

/// The running thread. Dropping it lets the thread end without waiting for it.
#[derive(Debug)]
pub struct Keeper {
    desk: Desk,
    ended: Receiver<()>,
    /// `None` where there is no ledger.
    status: Option<Arc<Status>>,
}

/// The thread's end of the queue of batches.
#[derive(Debug)]
pub struct Inbox {
    pages: Receiver<Page>,
    wake: SyncSender<Page>,
}

impl Keeper {
    /// Creates the queue of batches from this many workers.
    pub fn queue(workers: usize) -> (SyncSender<Page>, Inbox) {
        let places = workers.saturating_mul(BATCHES_PER_WORKER).saturating_add(WAKE_SLOTS);
        let (sender, pages) = mpsc::sync_channel(places);
        (sender.clone(), Inbox { pages, wake: sender })
    }

    /// Starts the thread. The thread opens the file, which need not exist or be writable yet.
    pub fn start(settings: Settings, inbox: Inbox) -> std::io::Result<Self> {
        let Inbox { pages, wake } = inbox;
        let desk = Desk::new(wake);
        let commands = desk.receiver();
        let (end, ended) = mpsc::channel();
        let status = Arc::new(Status::default());
        let kept_status = settings.keeps_evidence.then(|| Arc::clone(&status));
        let writer = StateWriter {
            file: FileState::Closed { again: Instant::now(), said: None },
            buffer: WriteBuffer::default(),
            status: Arc::clone(&status),
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
        };
        let (ready, is_ready) = mpsc::channel();
        thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // A thread that first draws random bits while the process exits would abort it, because
            // aws-lc has released its source by then. So it draws some before anybody can stop the
            // process.
            let drawn = aws_lc_rs::rand::fill(&mut [0]);
            let _ = ready.send(drawn);
            writer.run(&pages, commands);
            // Nobody waits where the gateway was not stopped properly.
            let _ = end.send(());
        })?;
        let drawn = is_ready.recv().map_err(std::io::Error::other)?;
        drawn.map_err(|_| std::io::Error::other("the machine has no random bits for its keys"))?;
        Ok(Self { desk, ended, status: kept_status })
    }

    /// The figures of the ledger; `None` where there is none.
    pub fn status(&self) -> Option<&Arc<Status>> {
        self.status.as_ref()
    }

    /// A handle that sends commands to the thread.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Lets the thread end, and waits up to 15 s until everything is written and the segment is
    /// closed. Call it after the last worker has ended: later batches are not written.
    pub fn stop(self) {
        self.desk.end();
        if self.ended.recv_timeout(STOP_TIMEOUT).is_err() {
            warn!("the thread of the state file has not ended: the latest counts may be missing");
        }
    }
}

impl Drop for Keeper {
    /// Lets the thread end without waiting for it.
    fn drop(&mut self) {
        self.desk.end();
    }
}

/// The thread's own state.
struct StateWriter {
    settings: Settings,
    file: FileState,
    buffer: WriteBuffer,
    /// The hash of the declaration that is in force.
    declaration: Arc<str>,
    /// Declarations that pending entries may refer to, oldest first. The last one is in force.
    declarations: VecDeque<DeclarationRecord>,
    /// The tenants in the file; `None` until it was first read.
    tenants: Option<Tenants>,
    /// Whether the next file must be given the tenants, because the previous one was moved aside or
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
    /// The file can't be used. It is tried again at `again`; `said` is the problem that was last
    /// logged.
    Closed {
        again: Instant,
        said: Option<String>,
    },
}

impl StateWriter {
    fn run(mut self, pages: &Receiver<Page>, commands: CommandReceiver) {
        self.remember_declaration(self.settings.declaration.clone());
        let mut due = Instant::now();
        loop {
            match pages.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(page) => self.buffer.add(page),
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
        for page in pages.try_iter() {
            self.buffer.add(page);
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
    fn process(&mut self, requests: impl Iterator<Item = Command>) -> bool {
        let (mut changes, mut ends) = (Vec::new(), false);
        for request in requests {
            match request {
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
        let place = self.declarations.iter().position(|held| held.hash == hash);
        let held = place.and_then(|place| self.declarations.remove(place));
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
        let said = match &self.file {
            FileState::Closed { said, .. } => said.clone(),
            FileState::Open(_) => None,
        };
        let problem = said.or(problem).unwrap_or_default();
        let path = self.settings.path.clone();
        answer(changes, &Err(ChangeError::Unavailable { path, problem }));
    }

    /// Tries the file again at once.
    fn retry_now(&mut self) {
        if let FileState::Closed { again, .. } = &mut self.file {
            *again = Instant::now();
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
            let (cookies, agreements) = (lost.cookies(), lost.agreements);
            warn!(
                cookies,
                agreements,
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

    /// Returns whether the file is open, after trying to open it where that is due.
    fn is_open(&mut self) -> bool {
        let FileState::Closed { again, said } = &self.file else { return true };
        if Instant::now() < *again {
            return false;
        }
        let was_failing = said.is_some();
        match Store::open(&self.settings.path, &self.declarations, self.tenants.is_some()) {
            Ok((mut store, report)) => {
                if report.next_seq < self.next_seq && !report.is_orphaned {
                    let (last, expected) = (report.next_seq - 1, self.next_seq - 1);
                    drop(store);
                    let problem = format!("it ends with entry {last}, and had entry {expected}");
                    self.close_file(&StoreError::Damaged(problem));
                    return false;
                }
                if self.buffer.attempt.is_some() && report.batch == self.buffer.attempt {
                    // The transaction that seemed to fail was committed.
                    self.buffer.mark_written();
                }
                self.buffer.attempt = None;
                self.resolve_in_doubt(&report);
                if let Err(error) = self.load_tenants(&mut store, &report) {
                    drop(store);
                    self.close_file(&error);
                    return false;
                }
                // Entry numbers belong to the previous file, and this may be another one.
                self.buffer.detach();
                self.next_seq = report.next_seq;
                self.file = FileState::Open(Box::new(store));
                if was_failing {
                    let path = self.settings.path.display();
                    if self.settings.keeps_evidence {
                        info!(%path, "the ledger is written again");
                    } else {
                        info!(%path, "the state file can be written again");
                    }
                }
                self.record_start(&report);
                true
            }
            Err(error) => {
                self.close_file(&error);
                false
            }
        }
    }

    /// Answers the callers of changes whose result is now known.
    fn resolve_in_doubt(&mut self, report: &OpenReport) {
        let Some(InDoubt { changes, attempt, problem }) = self.in_doubt.take() else { return };
        if report.batch == Some(attempt) {
            return answer(changes, &Ok(()));
        }
        let path = self.settings.path.clone();
        answer(changes, &Err(ChangeError::Unavailable { path, problem }));
    }

    /// Reads the tenants of the opened file. A file that replaces another one gets the tenants of
    /// the previous file.
    fn load_tenants(&mut self, store: &mut Store, report: &OpenReport) -> Result<(), StoreError> {
        let lacks_tenants = self.lacks_tenants || report.is_new;
        if let Some(tenants) = self.tenants.as_ref().filter(|_| lacks_tenants) {
            if *tenants != report.tenants {
                store.restore_tenants(tenants)?;
                let tenants = tenants.len();
                info!(
                    tenants,
                    "the tenants that were set at run time were written to the new file"
                );
            }
        } else {
            self.tenants = Some(report.tenants.clone());
        }
        self.lacks_tenants = false;
        Ok(())
    }

    /// Records the start, and the differences from the previous run, once for each file.
    fn record_start(&mut self, report: &OpenReport) {
        if !self.settings.keeps_evidence || (self.has_started && !report.is_orphaned) {
            return;
        }
        self.has_started = true;
        let now_unix_s = self.settings.clock.now().unix_s;
        self.log_key();
        // Closes the segment that a gateway left open which did not stop properly.
        self.close_segment(now_unix_s);
        self.prune(now_unix_s);
        if let Some(alive_unix_s) = report.alive_unix_s {
            let (from, until) = (rfc3339(alive_unix_s), rfc3339(now_unix_s));
            warn!(
                from,
                until, "the previous gateway was not stopped properly: entries may be missing"
            );
            self.record_event(EventKind::UncleanStop, &json!({ "from": from, "until": until }));
        }
        let is_recorded = self.buffer.events.iter().any(|event| event.kind == EventKind::Damage);
        if report.is_orphaned && !is_recorded {
            let problem = "a key exists, and the ledger that it signed does not";
            warn!(problem, "a new ledger begins");
            let file: Option<&str> = None;
            self.record_event(EventKind::Damage, &json!({ "file": file, "problem": problem }));
        }
        let (old, new) = (report.configuration.as_ref(), &self.settings.configuration);
        if old != Some(new) {
            self.record_event(EventKind::Configuration, &json!({ "old": old, "new": new }));
        }
        let (old, new) = (report.declaration.as_ref(), &self.settings.declaration.hash);
        if old != Some(new) {
            self.record_event(EventKind::Declaration, &json!({ "old": old, "new": new }));
        }
        self.record_event(EventKind::Start, &json!({ "version": env!("CARGO_PKG_VERSION") }));
    }

    /// Logs the signing key. Its fingerprint tells this ledger from one that somebody else has
    /// signed.
    fn log_key(&mut self) {
        let FileState::Open(store) = &mut self.file else { return };
        match store.verifier() {
            Ok(verifier) => {
                info!(
                    target: "crumbgate::start",
                    fingerprint = verifier.fingerprint(),
                    %verifier,
                    "the ledger is signed with this key"
                );
            }
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "the ledger's key can't be used: entries are written, but not signed"
                );
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

    /// Closes a file that can't be written. A damaged one is moved aside, any other is tried again
    /// later.
    fn close_file(&mut self, problem: &StoreError) {
        self.status.is_failing.store(true, Relaxed);
        self.status.waiting.store(self.buffer.unwritten() as u64, Relaxed);
        let said_before = match &mut self.file {
            FileState::Closed { said, .. } => said.take(),
            FileState::Open(_) => None,
        };
        // The file is closed and unlocked before anything else is done with it.
        self.file = FileState::Closed { again: Instant::now() + RETRY_AFTER, said: None };
        let path = self.settings.path.display().to_string();
        let words = with_causes(problem);
        if said_before.as_ref() != Some(&words) {
            if matches!(problem, StoreError::Locked) && self.settings.keeps_evidence {
                warn!(
                    path,
                    "another gateway writes the ledger; entries wait in memory until it ends"
                );
            } else if self.settings.keeps_evidence {
                error!(
                    path,
                    problem = words,
                    "the ledger can't be written; entries wait in memory"
                );
            } else {
                error!(
                    path,
                    problem = words,
                    "the state file can't be written: tenants can't be set"
                );
            }
        }
        let at_once = match problem {
            StoreError::Damaged(_) => self.set_aside(&words),
            StoreError::Shrunk => {
                // Missing entries show by their numbers, and the tenants are restored.
                self.lacks_tenants = true;
                true
            }
            StoreError::Io(_)
            | StoreError::Locked
            | StoreError::Schema(_)
            | StoreError::Unavailable(_) => false,
        };
        let again = if at_once { Instant::now() } else { Instant::now() + RETRY_AFTER };
        self.file = FileState::Closed { again, said: Some(words) };
    }

    /// Moves a damaged file aside, so that a new one can begin. Nothing is deleted.
    fn set_aside(&mut self, problem: &str) -> bool {
        let now_unix_s = self.settings.clock.now().unix_s;
        self.recover_tenants();
        let path = &self.settings.path;
        match store::set_aside(path, &rfc3339(now_unix_s)) {
            Ok(target) => {
                error!(
                    file = %target.display(),
                    "the damaged ledger was moved to this file, and a new one begins: keep it as evidence"
                );
                let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.buffer.detach();
                self.next_seq = 1;
                self.has_started = false;
                self.lacks_tenants = true;
                if self.settings.keeps_evidence {
                    self.record_event(
                        EventKind::Damage,
                        &json!({ "file": name, "problem": problem }),
                    );
                }
                true
            }
            Err(error) => {
                error!(path = %path.display(), %error, "the damaged ledger can't be moved aside");
                false
            }
        }
    }

    /// Reads the tenants of a damaged file, unless they are known.
    fn recover_tenants(&mut self) {
        if self.tenants.is_some() {
            return;
        }
        match tenants::stored(&self.settings.path) {
            Ok(tenants) => self.tenants = Some(tenants),
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "tenants that were set at run time can't be read from the damaged ledger: set them again"
                );
            }
        }
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

/// The number of batches of each worker that the queue holds.
const BATCHES_PER_WORKER: usize = 4;

/// Places in the queue for wake-ups: one that waits, and one that arrives while the thread is being
/// woken.
const WAKE_SLOTS: usize = 2;

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

/// The time before a file is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The time that a stop tries to write.
const FINAL_WRITE_TIMEOUT: Duration = Duration::from_secs(5);

/// The time that a stop waits for the thread.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
