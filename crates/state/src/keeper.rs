//! The ledger's thread: takes the workers' pages, sums them up, and writes them down; stores tenants that are set while
//! the gateway runs.
//!
//! What the disk does is this thread's affair alone. A file that is full, locked or damaged stops no request: entries
//! wait in a bounded memory until it can be written again, and what had no room there is counted. A change of tenants
//! does not wait: who asks for it hears at once that it can't be stored.

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
    desk::{Change, ChangeError, Desk, OpenTray, Request},
    segments::SealError,
    status::Status,
    store::{self, CloseError, Closed, Found, NotStored, Ruling, Store, StoreError, Written},
    tenants::{self, Row, TenantChange, Tenants},
    waiting::Waiting,
};
use crumbgate_audit::Page;
use crumbgate_base::{clock::Clock, error::with_causes, text::rfc3339};
use crumbgate_ledger::entry::{DeclarationRecord, Event, EventKind, Window};

/// What a ledger is kept by.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Whether it is a ledger, too. Otherwise it holds tenants alone: there are no entries, segments or keys, and no file
    /// before the first tenant is set.
    pub keeps_evidence: bool,
    /// The length of a window, in seconds.
    pub window_s: u32,
    /// How long entries are kept.
    pub retention: Duration,
    /// The SHA-256 of the configuration.
    pub configuration: String,
    /// The declaration that rules.
    pub declaration: DeclarationRecord,
    /// Who brought this gateway about, as events tell it.
    pub actor: String,
    /// The time.
    pub clock: Clock,
}

/// The state file of a running gateway, and its ledger.
#[derive(Debug)]
pub struct Keeper {
    desk: Desk,
    ended: Receiver<()>,
    /// None where there is no ledger.
    status: Option<Arc<Status>>,
}

/// Where the thread finds the workers' pages.
#[derive(Debug)]
pub struct Inbox {
    pages: Receiver<Page>,
    bell: SyncSender<Page>,
}

impl Keeper {
    /// The queue between so many workers and the thread.
    pub fn queue(workers: usize) -> (SyncSender<Page>, Inbox) {
        let places = workers.saturating_mul(PAGES_PER_WORKER).saturating_add(PLACE_OF_THE_BELL);
        let (sender, pages) = mpsc::sync_channel(places);
        (sender.clone(), Inbox { pages, bell: sender })
    }

    /// Starts the thread. The file is opened by it, and need not be there yet, nor be writable.
    pub fn start(settings: Settings, inbox: Inbox) -> std::io::Result<Self> {
        let Inbox { pages, bell } = inbox;
        let desk = Desk::new(bell);
        let tray = desk.tray();
        let (end, ended) = mpsc::channel();
        let status = Arc::new(Status::default());
        let kept_status = settings.keeps_evidence.then(|| Arc::clone(&status));
        let clerk = Clerk {
            file: File::Shut { again: Instant::now(), said: None },
            waiting: Waiting::default(),
            status: Arc::clone(&status),
            has_started: false,
            segment_uptime_s: 0,
            beaten: None,
            next_seq: 1,
            forgotten: Instant::now(),
            declaration: settings.declaration.hash.as_str().into(),
            declarations: VecDeque::new(),
            tenants: None,
            is_bereft: false,
            doubt: None,
            settings,
        };
        let (ready, is_ready) = mpsc::channel();
        thread::Builder::new().name("ledger".to_owned()).spawn(move || {
            // A thread that draws its first random bits while the process ends would abort it (aws-lc has let go of its
            // source by then). So it draws some before anybody can end the process in an orderly way.
            let drawn = aws_lc_rs::rand::fill(&mut [0]);
            let _ = ready.send(drawn);
            clerk.work(&pages, tray);
            // Nobody waits for it where the gateway was not stopped in an orderly way.
            let _ = end.send(());
        })?;
        let drawn = is_ready.recv().map_err(std::io::Error::other)?;
        drawn.map_err(|_| std::io::Error::other("the machine has no random bits for its keys"))?;
        Ok(Self { desk, ended, status: kept_status })
    }

    /// How the ledger does; none where none is kept.
    pub fn status(&self) -> Option<&Arc<Status>> {
        self.status.as_ref()
    }

    /// What hands things to the thread.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// Lets the thread end, and waits until everything is written and the segment is closed; but for a disk that hangs not
    /// for ever. To be called when no worker is left: what one hands on later is not written.
    pub fn stop(self) {
        self.desk.end();
        if self.ended.recv_timeout(PATIENCE).is_err() {
            warn!("the ledger's thread has not ended: what was counted last may be missing");
        }
    }
}

impl Drop for Keeper {
    /// Nobody waits for it where the gateway was not stopped in an orderly way, but it ends.
    fn drop(&mut self) {
        self.desk.end();
    }
}

/// The thread's own.
struct Clerk {
    settings: Settings,
    file: File,
    waiting: Waiting,
    /// The version of the declaration that rules.
    declaration: Arc<str>,
    /// What entries may name that wait, or are on their way: the last to come rules, or has ruled.
    declarations: VecDeque<DeclarationRecord>,
    /// The tenants that the file holds; none as long as it was never read.
    tenants: Option<Tenants>,
    /// Whether the file was put aside that had them, or cut: what is opened next is to have them all the same.
    is_bereft: bool,
    /// Changes of tenants of which it is not known whether they are in the file.
    doubt: Option<Doubt>,
    status: Arc<Status>,
    has_started: bool,
    /// When the segment was begun, since the start.
    segment_uptime_s: u32,
    /// When the gateway's last heartbeat was: by the calendar, and since the start.
    beaten: Option<(u64, u32)>,
    /// The number of the next entry: a file that is opened again must go on there.
    next_seq: u64,
    /// When it was last looked at what can be forgotten.
    forgotten: Instant,
}

/// Changes whose commit has failed. Whether it did shows when the file is opened again.
struct Doubt {
    changes: Vec<Change>,
    /// What the transaction was called.
    attempt: String,
    problem: String,
}

/// The file, as far as it can be had.
enum File {
    Open(Box<Store>),
    /// Tried again at some moment; `said` is what the log was told of it.
    Shut {
        again: Instant,
        said: Option<String>,
    },
}

impl Clerk {
    fn work(mut self, pages: &Receiver<Page>, tray: OpenTray) {
        self.hold_declaration(self.settings.declaration.clone());
        let mut due = Instant::now();
        loop {
            match pages.recv_timeout(due.saturating_duration_since(Instant::now())) {
                Ok(page) => self.waiting.add(page),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if self.attend(tray.take()) {
                break;
            }
            if Instant::now() >= due {
                self.tick();
                due = Instant::now() + TICK;
            }
        }
        drop(tray);
        for page in pages.try_iter() {
            self.waiting.add(page);
        }
        self.finish();
    }

    /// What is to be done several times a second.
    fn tick(&mut self) {
        if self.settings.keeps_evidence {
            self.beat();
            self.write();
            self.close_hourly();
        } else if self.settings.path.exists() || self.tenants.is_some() {
            self.is_open();
        }
    }

    /// Does what was asked for; says whether that was to end.
    fn attend(&mut self, requests: impl Iterator<Item = Request>) -> bool {
        let (mut changes, mut ends) = (Vec::new(), false);
        for request in requests {
            match request {
                Request::Change(change) => changes.push(change),
                Request::Configure { configuration, declaration, actor } => {
                    self.configure(configuration, declaration, &actor);
                }
                Request::End => ends = true,
            }
        }
        if !changes.is_empty() {
            self.change(changes);
        }
        ends
    }

    /// Another configuration, and perhaps another declaration, rules from now on.
    fn configure(&mut self, configuration: String, declaration: DeclarationRecord, actor: &str) {
        // Where the file was not opened yet, its greeting tells what has changed since it was written.
        let is_told = self.settings.keeps_evidence && self.has_started;
        let old = std::mem::replace(&mut self.settings.configuration, configuration);
        if is_told && old != self.settings.configuration {
            let change = json!({ "old": old, "new": self.settings.configuration });
            self.note_by(actor, EventKind::Configuration, &change);
        }
        let old = std::mem::replace(&mut self.settings.declaration, declaration.clone());
        if is_told && old.hash != declaration.hash {
            let change = json!({ "old": old.hash, "new": declaration.hash });
            self.note_by(actor, EventKind::Declaration, &change);
        }
        self.declaration = declaration.hash.as_str().into();
        self.hold_declaration(declaration);
    }

    fn hold_declaration(&mut self, declaration: DeclarationRecord) {
        if !self.settings.keeps_evidence {
            return;
        }
        let hash = declaration.hash.as_str();
        // The moment at which it first ruled stays.
        let place = self.declarations.iter().position(|held| held.hash == hash);
        let held = place.and_then(|place| self.declarations.remove(place));
        self.declarations.push_back(held.unwrap_or(declaration));
        if self.declarations.len() > MAX_DECLARATIONS {
            self.declarations.pop_front();
        }
    }

    /// Stores changes of tenants, all in one transaction, and tells those who wait. A file that turns out to be damaged is
    /// put aside first: then they are in the new one.
    fn change(&mut self, changes: Vec<Change>) {
        let mut problem = None;
        self.try_again_now();
        for _ in 0..TRIES {
            self.is_open();
            // What has happened before it is written before it: a start, a reload.
            self.commit(Some(self.settings.clock.now().unix_s));
            let File::Open(store) = &mut self.file else { continue };
            let (at_unix_s, attempt) =
                (self.settings.clock.now().unix_s, self.waiting.name_attempt(store.next_seq()));
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
                Err(NotStored::Certain(error)) => {
                    problem = Some(with_causes(&error));
                    self.shut(&error);
                }
                Err(NotStored::Doubtful(error)) => {
                    let problem = with_causes(&error);
                    self.doubt = Some(Doubt { changes, attempt, problem });
                    self.shut(&error);
                    self.try_again_now();
                    self.is_open();
                    return;
                }
            }
        }
        let said = match &self.file {
            File::Shut { said, .. } => said.clone(),
            File::Open(_) => None,
        };
        let problem = said.or(problem).unwrap_or_default();
        let path = self.settings.path.clone();
        answer(changes, &Err(ChangeError::Unavailable { path, problem }));
    }

    /// A file that can't be had is tried again at once, and not only when that is due.
    fn try_again_now(&mut self) {
        if let File::Shut { again, .. } = &mut self.file {
            *again = Instant::now();
        }
    }

    /// Notes that the gateway is alive, in this window and in those that have passed since it last did.
    fn beat(&mut self) {
        let now = self.settings.clock.now();
        let mut window = Window::of(now.unix_s, self.settings.window_s);
        if let Some((unix_s, uptime_s)) = self.beaten {
            let mut passed = Window::of(unix_s, self.settings.window_s);
            let ran_s = u64::from(now.uptime_s.saturating_sub(uptime_s));
            let expected_unix_s = unix_s.saturating_add(ran_s);
            if now.unix_s.abs_diff(expected_unix_s) > JUMP_S {
                let (from, until) = (rfc3339(unix_s), rfc3339(now.unix_s));
                warn!(from, until, "the clock has jumped");
                self.note(EventKind::Clock, &json!({ "from": from, "until": until }));
                passed = window;
            }
            // A clock that is set back by a moment opens no window again.
            window = window.max(passed);
            while passed < window {
                let last_unix_s = passed.end_unix_s().saturating_sub(1);
                self.waiting.beat(passed, &self.declaration, last_unix_s);
                passed = Window::of(passed.end_unix_s(), self.settings.window_s);
            }
            // Without traffic the file is left alone for a while.
            let is_due = now.unix_s >= unix_s.saturating_add(BEAT_S) || now.unix_s < unix_s;
            if !is_due && passed == window && !self.waiting.is_dirty() {
                return;
            }
        }
        self.waiting.beat(window, &self.declaration, now.unix_s);
        self.beaten = Some((now.unix_s, now.uptime_s));
    }

    /// Writes what waits, if the file can be had.
    fn write(&mut self) {
        let now_unix_s = self.settings.clock.now().unix_s;
        self.status.dropped.store(self.waiting.dropped(), Relaxed);
        if self.forgotten.elapsed() >= FORGET {
            self.forgotten = Instant::now();
            self.waiting.forget(now_unix_s);
        }
        if !self.is_open() {
            self.status.waiting.store(self.waiting.unwritten() as u64, Relaxed);
            return;
        }
        if let Some(lost) = self.waiting.tell_loss(now_unix_s, &self.settings.actor) {
            let (cookies, agreements) = (lost.cookies(), lost.agreements);
            warn!(
                cookies,
                agreements, "verdicts are in no entry of the ledger: there was no room for them"
            );
        }
        self.commit(Some(now_unix_s));
    }

    fn commit(&mut self, alive_unix_s: Option<u64>) {
        let File::Open(store) = &mut self.file else { return };
        if !self.waiting.is_dirty() && alive_unix_s.is_some() {
            return;
        }
        let ruling = Ruling {
            configuration: &self.settings.configuration,
            declaration: &self.declaration,
            declarations: &self.declarations,
        };
        match store.write(&mut self.waiting, ruling, alive_unix_s) {
            Ok(Written { entries, new_names }) => {
                self.status.written.fetch_add(entries, Relaxed);
                new_names.into_values().for_each(|name| self.status.count_new_name(name));
                self.status.waiting.store(0, Relaxed);
                self.status.is_failing.store(false, Relaxed);
                self.next_seq = store.next_seq();
            }
            Err(error) => self.shut(&error),
        }
    }

    /// Closes the segment once an hour, just after a window has ended, so that few windows are torn in two.
    fn close_hourly(&mut self) {
        let now = self.settings.clock.now();
        let age_s = now.uptime_s.saturating_sub(self.segment_uptime_s);
        let window = Window::of(now.unix_s, self.settings.window_s);
        // A window of many hours can't be waited for.
        let is_long = self.settings.window_s > HOUR_S;
        let is_calm = now.unix_s.saturating_sub(window.start_unix_s) >= PAGES_LAND_S
            && now.unix_s.saturating_sub(window.start_unix_s) <= PAGES_LAND_S + 30;
        if age_s >= HOUR_S
            && (is_calm || is_long || age_s >= HOUR_S.saturating_add(self.settings.window_s))
        {
            self.segment_uptime_s = now.uptime_s;
            self.close_segment(now.unix_s);
            self.prune(now.unix_s);
        }
    }

    /// Closes the segment of what is in the file.
    fn close_segment(&mut self, now_unix_s: u64) {
        let File::Open(store) = &mut self.file else { return };
        match store.close_segment(now_unix_s) {
            Ok(closed) => {
                self.next_seq = store.next_seq();
                self.waiting.restart();
                closed.iter().for_each(|closed| self.count_segment(*closed));
            }
            Err(CloseError::Seal(error @ SealError::Missing { .. })) => {
                self.shut(&StoreError::Damaged(error.to_string()));
            }
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "a segment of the ledger can't be signed; the next one will have its entries"
                );
            }
        }
    }

    fn count_segment(&self, Closed { number, imbalance }: Closed) {
        self.status.segments.fetch_add(1, Relaxed);
        self.status.unbalanced.fetch_add(imbalance, Relaxed);
        if imbalance > 0 {
            error!(
                segment = number,
                cookies = imbalance,
                "a segment of the ledger does not add up: its entries are not the cookies that were seen"
            );
        }
    }

    fn prune(&mut self, now_unix_s: u64) {
        let File::Open(store) = &mut self.file else { return };
        let before_unix_s = now_unix_s.saturating_sub(self.settings.retention.as_secs());
        match store.prune(before_unix_s, now_unix_s, &self.settings.actor) {
            Ok(None) => {}
            Ok(Some(segments)) => {
                info!(segments, "entries older than audit.retention were removed")
            }
            Err(error) => warn!(%error, "entries older than audit.retention can't be removed now"),
        }
    }

    /// Whether the file is open, after trying to open it where that is due.
    fn is_open(&mut self) -> bool {
        let File::Shut { again, said } = &self.file else { return true };
        if Instant::now() < *again {
            return false;
        }
        let was_failing = said.is_some();
        match Store::open(&self.settings.path, &self.declarations, self.tenants.is_some()) {
            Ok((mut store, found)) => {
                if found.next_seq < self.next_seq && !found.is_orphaned {
                    let (last, expected) = (found.next_seq - 1, self.next_seq - 1);
                    drop(store);
                    let problem = format!("it ends with entry {last}, and had {expected}");
                    self.shut(&StoreError::Damaged(problem));
                    return false;
                }
                if self.waiting.attempt.is_some() && found.batch == self.waiting.attempt {
                    // What seemed to have failed has gone through all the same.
                    self.waiting.settle();
                }
                self.waiting.attempt = None;
                self.settle_doubt(&found);
                if let Err(error) = self.know_tenants(&mut store, &found) {
                    drop(store);
                    self.shut(&error);
                    return false;
                }
                // Numbers are those of the file that was written before, and this may be another.
                self.waiting.restart();
                self.next_seq = found.next_seq;
                self.file = File::Open(Box::new(store));
                if was_failing {
                    let path = self.settings.path.display();
                    if self.settings.keeps_evidence {
                        info!(%path, "the ledger is written again");
                    } else {
                        info!(%path, "the state file can be written again");
                    }
                }
                self.greet(&found);
                true
            }
            Err(error) => {
                self.shut(&error);
                false
            }
        }
    }

    /// Tells those who wait whether their changes have gone through, now that the file says so.
    fn settle_doubt(&mut self, found: &Found) {
        let Some(Doubt { changes, attempt, problem }) = self.doubt.take() else { return };
        if found.batch == Some(attempt) {
            return answer(changes, &Ok(()));
        }
        let path = self.settings.path.clone();
        answer(changes, &Err(ChangeError::Unavailable { path, problem }));
    }

    /// Learns the tenants of a file that was opened. A new one that takes the place of another gets those of that one.
    fn know_tenants(&mut self, store: &mut Store, found: &Found) -> Result<(), StoreError> {
        let is_bereft = self.is_bereft || found.is_new;
        if let Some(tenants) = self.tenants.as_ref().filter(|_| is_bereft) {
            if *tenants != found.tenants {
                store.restore_tenants(tenants)?;
                let tenants = tenants.len();
                info!(tenants, "the tenants that were set while running are in the file again");
            }
        } else {
            self.tenants = Some(found.tenants.clone());
        }
        self.is_bereft = false;
        Ok(())
    }

    /// Notes what the file tells of the time before, once for each file.
    fn greet(&mut self, found: &Found) {
        if !self.settings.keeps_evidence || (self.has_started && !found.is_orphaned) {
            return;
        }
        self.has_started = true;
        let now_unix_s = self.settings.clock.now().unix_s;
        self.tell_key();
        // What a gateway that was not stopped properly has left open.
        self.close_segment(now_unix_s);
        self.prune(now_unix_s);
        if let Some(alive_unix_s) = found.alive_unix_s {
            let (from, until) = (rfc3339(alive_unix_s), rfc3339(now_unix_s));
            warn!(from, until, "the gateway was not stopped properly: the ledger may be short");
            self.note(EventKind::UncleanStop, &json!({ "from": from, "until": until }));
        }
        let is_told = self.waiting.events.iter().any(|event| event.kind == EventKind::Damage);
        if found.is_orphaned && !is_told {
            let problem = "there was a key, and not the ledger that it had signed";
            warn!(problem, "a new ledger begins");
            let file: Option<&str> = None;
            self.note(EventKind::Damage, &json!({ "file": file, "problem": problem }));
        }
        let (old, new) = (found.configuration.as_ref(), &self.settings.configuration);
        if old != Some(new) {
            self.note(EventKind::Configuration, &json!({ "old": old, "new": new }));
        }
        let (old, new) = (found.declaration.as_ref(), &self.settings.declaration.hash);
        if old != Some(new) {
            self.note(EventKind::Declaration, &json!({ "old": old, "new": new }));
        }
        self.note(EventKind::Start, &json!({ "version": env!("CARGO_PKG_VERSION") }));
    }

    /// Says which key signs: whoever knows its fingerprint can tell this ledger from one that somebody else has signed.
    fn tell_key(&mut self) {
        let File::Open(store) = &mut self.file else { return };
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
                error!(error, "the ledger's key can't be had; entries are written, and not signed");
            }
        }
    }

    fn note(&mut self, kind: EventKind, detail: &serde_json::Value) {
        let actor = self.settings.actor.clone();
        self.note_by(&actor, kind, detail);
    }

    fn note_by(&mut self, actor: &str, kind: EventKind, detail: &serde_json::Value) {
        self.status.count_event(kind);
        let at_unix_s = self.settings.clock.now().unix_s;
        let (actor, detail) = (actor.to_owned(), detail.to_string());
        self.waiting.events.push(Event { at_unix_s, kind, tenant: None, actor, detail });
    }

    /// Lets go of a file that can't be written. A damaged one is put out of the way; any other is tried again.
    fn shut(&mut self, problem: &StoreError) {
        self.status.is_failing.store(true, Relaxed);
        self.status.waiting.store(self.waiting.unwritten() as u64, Relaxed);
        let said_before = match &mut self.file {
            File::Shut { said, .. } => said.take(),
            File::Open(_) => None,
        };
        // Closed, and unlocked, before anything is done about it.
        self.file = File::Shut { again: Instant::now() + AGAIN, said: None };
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
                    "the state file can't be written: no tenant can be set"
                );
            }
        }
        let at_once = match problem {
            StoreError::Damaged(_) => self.set_aside(&words),
            StoreError::Shrunk => {
                // Entries that are missing show by their numbers, tenants by being others.
                self.is_bereft = true;
                true
            }
            StoreError::Io(_)
            | StoreError::Locked
            | StoreError::Schema(_)
            | StoreError::Unavailable(_) => false,
        };
        let again = if at_once { Instant::now() } else { Instant::now() + AGAIN };
        self.file = File::Shut { again, said: Some(words) };
    }

    /// Puts a damaged file aside, so that a new one can begin. Nothing is deleted.
    fn set_aside(&mut self, problem: &str) -> bool {
        let now_unix_s = self.settings.clock.now().unix_s;
        self.save_tenants();
        let path = &self.settings.path;
        match store::set_aside(path, &rfc3339(now_unix_s)) {
            Ok(target) => {
                error!(
                    file = %target.display(),
                    "the damaged ledger was put there, and a new one begins: keep it as evidence"
                );
                let name = target.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.waiting.restart();
                self.next_seq = 1;
                self.has_started = false;
                self.is_bereft = true;
                if self.settings.keeps_evidence {
                    self.note(EventKind::Damage, &json!({ "file": name, "problem": problem }));
                }
                true
            }
            Err(error) => {
                error!(path = %path.display(), %error, "the damaged ledger can't be put aside");
                false
            }
        }
    }

    /// Takes what a damaged file still says of its tenants, where that is not known.
    fn save_tenants(&mut self) {
        if self.tenants.is_some() {
            return;
        }
        match tenants::stored(&self.settings.path) {
            Ok(tenants) => self.tenants = Some(tenants),
            Err(error) => {
                let error = with_causes(&error);
                error!(
                    error,
                    "tenants that were set while running can't be read from the damaged ledger: set them again"
                );
            }
        }
    }

    /// The last words: everything is written, the segment is closed.
    fn finish(mut self) {
        if !self.settings.keeps_evidence {
            if let File::Open(store) = &self.file {
                store.fold();
            }
            return;
        }
        self.beat();
        let deadline = Instant::now() + LAST_TRIES;
        loop {
            self.write();
            let is_written = matches!(self.file, File::Open(_)) && !self.waiting.is_dirty();
            if is_written || Instant::now() >= deadline {
                break;
            }
            thread::sleep(TICK);
            self.try_again_now();
        }
        if matches!(self.file, File::Shut { .. }) || self.waiting.is_dirty() {
            let entries = self.waiting.unwritten();
            return error!(entries, "the ledger could not be written: these entries are lost");
        }
        // Behind everything else: it says that nothing is missing.
        self.note(EventKind::Stop, &json!({}));
        self.commit(None);
        self.close_segment(self.settings.clock.now().unix_s);
        if let File::Open(store) = &self.file {
            store.fold();
        }
    }
}

/// Tells all who wait the same.
fn answer(changes: Vec<Change>, answer: &Result<(), ChangeError>) {
    for change in changes {
        change.answer(answer.clone());
    }
}

/// What a change makes of the tenants.
fn apply(tenants: &mut Tenants, change: &TenantChange, actor: &Arc<str>, changed_unix_s: u64) {
    match &change.after {
        Some(keys) => {
            let row = Row { keys: Arc::clone(keys), changed_unix_s, actor: Arc::clone(actor) };
            tenants.insert(Arc::clone(&change.host), row);
        }
        None => {
            tenants.remove(&change.host);
        }
    }
}

/// How often segments are closed, in seconds.
const HOUR_S: u32 = 3_600;

/// How long after its window's end a page may come, in seconds.
const PAGES_LAND_S: u64 = 2;

/// How many pages of each worker the thread may be behind.
const PAGES_PER_WORKER: usize = 4;

/// In the queue, for what wakes the thread: at most one is there, and one that comes while the thread is being woken.
const PLACE_OF_THE_BELL: usize = 2;

/// How often a change of tenants is tried at once: the file may be found to have been cut, then to be damaged, and is a new
/// one at last.
const TRIES: usize = 3;

/// How many declarations are held, so that each entry's is in the file: they are reloaded more slowly than entries are
/// written, and written files have them already.
const MAX_DECLARATIONS: usize = 64;

/// How long pages are gathered before they are written together.
const TICK: Duration = Duration::from_millis(250);

/// How often it is looked at what can be forgotten.
const FORGET: Duration = Duration::from_secs(1);

/// How often the gateway says that it is alive where nothing else is written, in seconds.
const BEAT_S: u64 = 10;

/// How far the calendar may run ahead of the other clock before that is a jump, in seconds.
const JUMP_S: u64 = 5;

/// How long to wait before a file is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a stop tries to write.
const LAST_TRIES: Duration = Duration::from_secs(5);

/// How long a stop waits for the thread.
const PATIENCE: Duration = Duration::from_secs(15);
