//! Reads the ledger for the dashboard in the background, at most once a second, and less often where reading takes long.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use tokio::{sync::watch, time::timeout};

use crumbgate_base::lock::locked;
use crumbgate_gateway::gateway::Control;
use crumbgate_ledger::read::ReadError;
use crumbgate_report::{
    overview::{LedgerSummary, SummaryReader},
    vendors::Catalogue,
};

/// The last reading of the ledger, and the schedule of the next one.
#[derive(Debug)]
pub(super) struct LedgerReader {
    latest: watch::Sender<LedgerReading>,
    schedule: Mutex<Schedule>,
}

/// The result of reading the ledger.
#[derive(Clone, Debug, Default)]
pub(super) enum LedgerReading {
    /// The first reading has not finished.
    #[default]
    NotYet,
    /// The gateway keeps no ledger.
    Off,
    /// The ledger's figures, and the catalogue of vendors.
    Read(Arc<LedgerSummary>, Arc<Catalogue>),
    /// The error that prevents reading.
    Unreadable(String),
}

#[derive(Debug, Default)]
struct Schedule {
    is_reading: bool,
    /// The earliest time of the next reading. `None`: at once.
    due: Option<Instant>,
    /// `None` while a reading uses it.
    cache: Option<Cache>,
}

/// The state that makes the next reading incremental.
#[derive(Debug, Default)]
struct Cache {
    summaries: SummaryReader,
    /// The catalogue, with its file and the time since which the configuration is in force: a reload reads the file
    /// again.
    catalogue: Option<(Option<PathBuf>, u64, Arc<Catalogue>)>,
}

impl Default for LedgerReader {
    fn default() -> Self {
        Self { latest: watch::Sender::new(LedgerReading::NotYet), schedule: Mutex::default() }
    }
}

impl LedgerReader {
    /// Returns a new reading where one is due and finishes within [`READ_TIMEOUT`], and the latest one otherwise.
    pub(super) async fn read(self: &Arc<Self>, control: &Control) -> LedgerReading {
        if control.ledger().is_none() {
            return LedgerReading::Off;
        }
        let mut latest = self.latest.subscribe();
        self.begin(control);
        if locked(&self.schedule).is_reading {
            let _ = timeout(READ_TIMEOUT, latest.changed()).await;
        }
        latest.borrow_and_update().clone()
    }

    /// Starts a reading, unless one is running or none is due.
    fn begin(self: &Arc<Self>, control: &Control) {
        let mut schedule = locked(&self.schedule);
        if schedule.is_reading || schedule.due.is_some_and(|due| Instant::now() < due) {
            return;
        }
        schedule.is_reading = true;
        let mut cache = schedule.cache.take().unwrap_or_default();
        drop(schedule);
        let (reader, runtime) = (Arc::clone(self), control.runtime().clone());
        let control = control.clone();
        runtime.spawn_blocking(move || {
            let running = Running(&reader);
            let began = Instant::now();
            let reading = cache.read(&control);
            let mut schedule = locked(&reader.schedule);
            schedule.cache = Some(cache);
            let pause = (began.elapsed() * MIN_PAUSE_FACTOR).max(MIN_PAUSE);
            schedule.due = Some(Instant::now() + pause);
            drop(schedule);
            drop(running);
            reader.latest.send_replace(reading);
        });
    }
}

/// Resets `is_reading` when a reading ends, even by a panic.
struct Running<'r>(&'r LedgerReader);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        locked(&self.0.schedule).is_reading = false;
    }
}

impl Cache {
    fn read(&mut self, control: &Control) -> LedgerReading {
        let evidence = control.config(|config| config.evidence.clone());
        let since = control.status().config_since_unix_s;
        let summary = match self.summaries.read(&evidence.path, SHOWN_NAMES) {
            Ok(summary) => summary,
            // The gateway has just started and has not created the file yet, or the file is being replaced.
            Err(ReadError::Absent { .. }) => return LedgerReading::NotYet,
            Err(error) => return LedgerReading::Unreadable(error.to_string()),
        };
        let catalogue = match &self.catalogue {
            Some((names, of, catalogue)) if *names == evidence.names && *of == since => catalogue,
            Some(_) | None => {
                // The file was readable at the start. If it no longer is, the built-in names are used.
                let file = evidence.names.as_deref().map(Catalogue::with_open_cookie_database);
                let read = file.and_then(Result::ok).unwrap_or_else(Catalogue::built_in);
                &self.catalogue.insert((evidence.names, since, Arc::new(read))).2
            }
        };
        LedgerReading::Read(Arc::new(summary), Arc::clone(catalogue))
    }
}

/// The number of names that are shown.
const SHOWN_NAMES: usize = 12;
/// The time that a request waits for a running reading.
const READ_TIMEOUT: Duration = Duration::from_millis(700);
/// The least pause between two readings.
const MIN_PAUSE: Duration = Duration::from_secs(1);
/// The least pause after a reading, as a multiple of the time that the reading took.
const MIN_PAUSE_FACTOR: u32 = 20;
