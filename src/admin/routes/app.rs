//! The state that the routes share.

use std::sync::Arc;

use axum::extract::FromRef;
use http::StatusCode;
use tokio::sync::Semaphore;

use crate::admin::{blocking::blocking, dashboard::Dashboard, problem::Problem};
use crumbgate_base::clock::Clock;
use crumbgate_gateway::gateway::Control;

/// The state of the routes.
#[derive(Clone)]
pub(super) struct App {
    pub(super) control: Control,
    pub(super) clock: Clock,
    /// The OpenAPI document.
    pub(super) document: Arc<str>,
    permits: Arc<Semaphore>,
    pub(super) dashboard: Dashboard,
}

impl FromRef<App> for Dashboard {
    fn from_ref(app: &App) -> Self {
        app.dashboard.clone()
    }
}

impl App {
    pub(super) fn new(control: &Control, clock: &Clock, document: Arc<str>) -> Self {
        Self {
            control: control.clone(),
            clock: clock.clone(),
            document,
            permits: Arc::new(Semaphore::new(MAX_WORK)),
            dashboard: Dashboard::start(control, clock),
        }
    }

    /// Runs work that may take long on a blocking thread, at most [`MAX_WORK`] at once. A permit is held until the work
    /// ends, even if its client disconnects. Responses that must always be possible do not use this.
    ///
    /// # Errors
    ///
    /// 503 where all permits are taken.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let Ok(permit) = Arc::clone(&self.permits).try_acquire_owned() else {
            let detail = format!("{MAX_WORK} requests are in progress already, which is the limit");
            let help = "try again in a moment";
            return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).help(help));
        };
        let done = blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        Ok(done.await)
    }
}

/// Half of the blocking threads. The others stay free for health checks, metrics and status.
const MAX_WORK: usize = 8;
