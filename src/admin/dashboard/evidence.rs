//! What the ledger says, read no more often than is worth its cost, and never in a request's way.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use crate::{
    admin::locked,
    gateway::Control,
    ledger::read::ReadError,
    report::{
        overview::{Look, Overview},
        vendors::Catalogue,
    },
};

/// What was read last, and what is kept to read on.
#[derive(Debug)]
pub(super) struct Evidence {
    seen: watch::Sender<Seen>,
    reading: Mutex<Reading>,
}

/// What is known of the ledger.
#[derive(Clone, Debug, Default)]
pub(super) enum Seen {
    /// It is being read for the first time.
    #[default]
    NotYet,
    /// None is kept.
    Off,
    /// What it says, and who usually sets a cookie of a name.
    Read(Arc<Look>, Arc<Catalogue>),
    /// It can't be read, and why.
    Unreadable(String),
}

#[derive(Debug, Default)]
struct Reading {
    is_under_way: bool,
    /// When it is worth looking again; none: at once.
    due: Option<Instant>,
    /// Taken by who reads.
    kept: Option<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    overview: Overview,
    /// By the file that names them, and since when the configuration holds: a reload reads it anew.
    catalogue: Option<(Option<PathBuf>, u64, Arc<Catalogue>)>,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { seen: watch::Sender::new(Seen::NotYet), reading: Mutex::default() }
    }
}

impl Evidence {
    /// What the ledger says: as it is now where that is read in a moment, otherwise as it was when it was read last.
    pub(super) async fn look(self: &Arc<Self>, control: &Control) -> Seen {
        if control.ledger().is_none() {
            return Seen::Off;
        }
        let mut seen = self.seen.subscribe();
        self.begin(control);
        if locked(&self.reading).is_under_way {
            let _ = timeout(PATIENCE, seen.changed()).await;
        }
        seen.borrow_and_update().clone()
    }

    /// Has it read, unless that is under way, or not due yet.
    fn begin(self: &Arc<Self>, control: &Control) {
        let mut reading = locked(&self.reading);
        if reading.is_under_way || reading.due.is_some_and(|due| Instant::now() < due) {
            return;
        }
        reading.is_under_way = true;
        let mut kept = reading.kept.take().unwrap_or_default();
        drop(reading);
        let (evidence, asked) = (Arc::clone(self), control.clone());
        control.runtime().spawn_blocking(move || {
            let under_way = UnderWay(&evidence);
            let began = Instant::now();
            let seen = kept.read(&asked);
            let mut reading = locked(&evidence.reading);
            reading.kept = Some(kept);
            reading.due = Some(Instant::now() + (began.elapsed() * LEAST_REST).max(LEAST_PAUSE));
            drop(reading);
            drop(under_way);
            evidence.seen.send_replace(seen);
        });
    }
}

/// Ends with the reading, also where that ends by a panic.
struct UnderWay<'e>(&'e Evidence);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        locked(&self.0.reading).is_under_way = false;
    }
}

impl Kept {
    fn read(&mut self, control: &Control) -> Seen {
        let evidence = control.config(|config| config.evidence.clone());
        let since = control.status().config_since_unix_s;
        let look = match self.overview.look(&evidence.path, SHOWN_NAMES) {
            Ok(look) => look,
            // The gateway has just started, and is about to make it; or it is being replaced.
            Err(ReadError::Absent { .. }) => return Seen::NotYet,
            Err(error) => return Seen::Unreadable(error.to_string()),
        };
        let catalogue = match &self.catalogue {
            Some((names, of, catalogue)) if *names == evidence.names && *of == since => catalogue,
            Some(_) | None => {
                // What can't be read any more was readable at the start: without it, the best-known names are told.
                let file = evidence.names.as_deref().map(Catalogue::with_open_cookie_database);
                let read = file.and_then(Result::ok).unwrap_or_else(Catalogue::built_in);
                &self.catalogue.insert((evidence.names, since, Arc::new(read))).2
            }
        };
        Seen::Read(Arc::new(look), Arc::clone(catalogue))
    }
}

/// How many of the newest names are shown.
const SHOWN_NAMES: usize = 12;
/// How long a request waits for what is being read.
const PATIENCE: Duration = Duration::from_millis(700);
/// Between two looks.
const LEAST_PAUSE: Duration = Duration::from_secs(1);
/// How much longer than a look took the pause behind it is at least.
const LEAST_REST: u32 = 20;
