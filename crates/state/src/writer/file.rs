//! Opens and closes the file, and moves a damaged one aside.

use std::time::{Duration, Instant};

use crumbgate_base::{error::with_causes, text::rfc3339};
use crumbgate_ledger::entry::EventKind;
use serde_json::json;
use std::sync::atomic::Ordering::Relaxed;
use tracing::{error, info, warn};

use super::{FileState, InDoubt, StateWriter, answer};
use crate::{
    file,
    handle::ChangeError,
    store::{OpenReport, Store},
    store_error::StoreError,
    tenants,
};

impl StateWriter {
    /// Returns whether the file is open, after trying to open it where that is due.
    pub(super) fn is_open(&mut self) -> bool {
        let FileState::Closed { retry_at, logged } = &self.file else { return true };
        if Instant::now() < *retry_at {
            return false;
        }
        let was_failing = logged.is_some();
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

    /// Logs the signing key. Its fingerprint distinguishes this ledger from one that somebody else
    /// has signed.
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
    /// Closes a file that can't be written. A damaged one is moved aside, any other is tried again
    /// later.
    pub(super) fn close_file(&mut self, problem: &StoreError) {
        self.status.is_failing.store(true, Relaxed);
        self.status.waiting.store(self.buffer.unwritten() as u64, Relaxed);
        let logged_before = match &mut self.file {
            FileState::Closed { logged, .. } => logged.take(),
            FileState::Open(_) => None,
        };
        // The file is closed and unlocked before anything else is done with it.
        self.file = FileState::Closed { retry_at: Instant::now() + RETRY_AFTER, logged: None };
        let path = self.settings.path.display().to_string();
        let text = with_causes(problem);
        if logged_before.as_ref() != Some(&text) {
            if matches!(problem, StoreError::Locked) && self.settings.keeps_evidence {
                warn!(
                    path,
                    "another gateway writes the ledger; entries wait in memory until it ends"
                );
            } else if self.settings.keeps_evidence {
                error!(path, problem = text, "the ledger can't be written; entries wait in memory");
            } else {
                error!(
                    path,
                    problem = text,
                    "the state file can't be written: tenants can't be set"
                );
            }
        }
        let at_once = match problem {
            StoreError::Damaged(_) => self.set_aside(&text),
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
        let retry_at = if at_once { Instant::now() } else { Instant::now() + RETRY_AFTER };
        self.file = FileState::Closed { retry_at, logged: Some(text) };
    }

    /// Moves a damaged file aside, so that a new one can begin. Nothing is deleted.
    fn set_aside(&mut self, problem: &str) -> bool {
        let now_unix_s = self.settings.clock.now().unix_s;
        self.recover_tenants();
        let path = &self.settings.path;
        match file::set_aside(path, &rfc3339(now_unix_s)) {
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
}

/// The time before a file is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);
