//! The limit of open files (`RLIMIT_NOFILE`): clients and servers have their shares of it.

use std::process::Command;

use tokio::task::JoinSet;

use crate::harness::{App, Exposed, Http, Setup, Site, without_variables};

/// The number of clients, several times the number of files.
const CLIENTS: usize = 1000;

#[tokio::test]
async fn with_few_files_connections_are_served_and_no_server_is_ejected() {
    let app = App::answering(&[("/", &[])]).await;
    let limits = "source_connections = 10000";
    let site = Site::of(&Setup::before(&app).limits(limits).admin(""));
    let mut command = Command::new("prlimit");
    command.args(["--nofile=256:256", "--", env!("CARGO_BIN_EXE_crumbgate"), "run"]);
    command.current_dir(site.path(""));
    without_variables(&mut command);
    let mut gateway = site.start_command(&mut command);
    let https = gateway.https().await;
    let warning = "this process may have too few open files for its connections";
    gateway.wait_for("the warning", |gateway| gateway.stderr().find(warning)).await;
    let established: Vec<_> = (0..20).map(|_| site.browser_to(https, Http::Two)).collect();
    for browser in &established {
        assert_eq!(browser.get("/").await.status, 200);
    }
    let mut crowd = JoinSet::new();
    for _ in 0..CLIENTS {
        // Without a request, so that places can be taken from them.
        crowd.spawn(tokio::net::TcpStream::connect(https));
    }
    let mut open = Vec::new();
    while let Some(stream) = crowd.join_next().await {
        open.extend(stream.unwrap());
    }
    // Those that were served before and are still open, and new ones.
    for _ in 0..50 {
        let newcomer = site.browser_to(https, Http::One);
        assert_eq!(newcomer.get("/").await.status, 200);
    }
    let metrics = gateway.operator().await.get("/metrics").await;
    let metrics = Exposed::of(&metrics.body);
    assert_eq!(metrics.sum("crumbgate_upstream_server_failures_total"), 0.);
    assert_eq!(metrics.sum("crumbgate_upstream_server_ejections_total"), 0.);
    drop(open);
}
