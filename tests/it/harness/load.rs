//! Load by wrk: many requests at once, and a word on each that failed.

use std::{
    net::SocketAddr,
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use super::ACME;

/// A wrk that sends requests to [`ACME`] until it is stopped.
pub(crate) struct Load(Option<Child>);

/// The report of a wrk.
pub(crate) struct Loaded(String);

impl Load {
    /// Sends requests over sixteen connections.
    pub(crate) fn start(https: SocketAddr) -> Self {
        let mut wrk = Command::new("wrk");
        wrk.args(["--threads=1", "--connections=16", "--duration=10m", "--timeout=60s"]);
        wrk.arg(format!("--header=Host: {ACME}")).arg(format!("https://{https}/"));
        wrk.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self(Some(wrk.spawn().expect("wrk is installed: scripts/test does it")))
    }

    /// Stops it, and waits for its report.
    pub(crate) async fn stop(mut self) -> Loaded {
        let wrk = self.0.take().expect("it is stopped once");
        kill_process(Pid::from_child(&wrk), Signal::INT).unwrap();
        let output = tokio::task::spawn_blocking(|| wrk.wait_with_output()).await.unwrap();
        let output = output.unwrap();
        let (stdout, wrong) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
        assert!(output.status.success() && wrong.is_empty(), "{}: {wrong}", output.status);
        Loaded(String::from_utf8(stdout).unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(wrk) = &mut self.0 {
            // Both fail only where it has ended already.
            let _ = wrk.kill();
            let _ = wrk.wait();
        }
    }
}

impl Loaded {
    /// The number of requests that were answered.
    pub(crate) fn requests(&self) -> u64 {
        let before = self.0.split(" requests in ").next().unwrap_or_default();
        let number = before.rsplit(char::is_whitespace).next().unwrap_or_default();
        number.parse().unwrap_or_else(|error| panic!("{error}: {}", self.0))
    }

    /// There were requests, and each was answered well.
    #[track_caller]
    pub(crate) fn assert_clean(&self) {
        assert!(self.requests() > 0, "{}", self.0);
        for sign in ["Socket errors", "Non-2xx"] {
            assert!(!self.0.contains(sign), "{}", self.0);
        }
    }
}
