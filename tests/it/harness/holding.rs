//! An application that keeps chosen answers back until the test lets them go.

use std::{collections::HashSet, sync::Arc};

use tokio::{io::AsyncWriteExt, sync::watch, task::JoinHandle};

use super::{Answer, App, Browser, Received, read_request, until};

/// Answers at once, except to a target that ends in `?hold=NAME`: that answer is kept back until NAME is
/// [let go](Self::let_go).
pub(crate) struct Holding {
    pub(crate) app: App,
    free: watch::Sender<HashSet<String>>,
}

impl Holding {
    /// An application that answers with the bytes that `reply` gives, some of them later.
    pub(crate) async fn replying(
        reply: impl Fn(&Received) -> Vec<u8> + Clone + Send + Sync + 'static,
    ) -> Self {
        let (free, freed) = watch::channel(HashSet::new());
        let app = App::serving(move |mut stream, number, received| {
            let (reply, mut freed) = (reply.clone(), freed.clone());
            async move {
                let mut buffer = Vec::new();
                while let Some(request) = read_request(&mut stream, &mut buffer, number).await {
                    let held = held_as(&request).map(str::to_owned);
                    let answer = reply(&request);
                    received.lock().unwrap().push(request);
                    if let Some(name) = held {
                        let is_free = |free: &HashSet<String>| free.contains(&name);
                        if freed.wait_for(is_free).await.is_err() {
                            return;
                        }
                    }
                    if stream.write_all(&answer).await.is_err() {
                        return;
                    }
                }
            }
        });
        Self { app: app.await, free }
    }

    /// Posts to `path` in the background and waits until the application has the request, the answer to which it holds
    /// under `name`.
    pub(crate) async fn begin(
        &self,
        browser: &Arc<Browser>,
        path: &str,
        name: &str,
    ) -> JoinHandle<Answer> {
        let (browser, target) = (Arc::clone(browser), format!("{path}?hold={name}"));
        let answered = spawn(async move { browser.post(&target).await });
        let has_come = |request: &Received| held_as(request) == Some(name);
        until("the application has the request", || self.app.received().iter().any(has_come)).await;
        answered
    }

    /// Lets the answer of this name go.
    pub(crate) fn let_go(&self, name: &str) {
        self.free.send_modify(|free| free.extend([name.to_owned()]));
    }
}

/// The name under which the answer to a request is held.
fn held_as(request: &Received) -> Option<&str> {
    request.target().split_once("?hold=").map(|(_, name)| name)
}

/// Connections of one browser, each on another of two workers. The system spreads them, so it opens more until it has
/// both: workers share no connection to the application, so they differ in it where only one request is under way.
///
/// The application answers `/` with an empty body: then its connection is free before the answer has come.
pub(crate) async fn on_each_worker(app: &App, browser: &Browser) -> [Arc<Browser>; 2] {
    let worker_of = async |connection: &Browser| {
        connection.get("/").await;
        app.last().connection
    };
    let first = Arc::new(browser.on_another_connection());
    let worker = worker_of(&first).await;
    for _ in 0..64 {
        let other = Arc::new(browser.on_another_connection());
        if worker_of(&other).await != worker {
            assert_eq!(worker_of(&first).await, worker, "its connection was free");
            return [first, other];
        }
    }
    panic!("64 connections were all given to one worker");
}

/// Runs this beside the test.
#[expect(clippy::disallowed_methods, reason = "the tests' own runtime has no Tasks")]
pub(crate) fn spawn<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    tokio::spawn(future)
}
