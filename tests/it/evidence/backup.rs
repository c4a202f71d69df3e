//! A copy of the ledger, made as `docs/operate.md` describes while the gateway writes, and its restoration.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use crumbgate_ledger::entry::EventKind;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{App, Exposed, Http, Kept, Program, Setup, Site, in_time, ok, spawn};

/// Waits until the file has this number of entries.
async fn until_written(program: &mut Program<'_>, entries: f64) {
    let operator = program.operator().await;
    loop {
        let metrics = Exposed::of(&operator.get("/metrics").await.body);
        if metrics.get("crumbgate_audit_rows_total") >= entries {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_copy_that_is_made_under_load_verifies_and_can_replace_the_ledger() {
    in_time(async {
        let app = App::replying(|_| ok(&["set-cookie: _fbp=1"], "")).await;
        let json_log = "[log]\nformat = \"json\"";
        let site =
            Site::of(&Setup::before(&app).admin("listen = \"127.0.0.1:0\"").sections(json_log));
        let ledger = site.path("state/crumbgate.db");
        let mut program = site.start();
        let operator = program.operator().await;
        let set = operator.put("/v1/tenants/globex.example", &json!({ "session": "20m" })).await;
        assert!(set.status.is_success(), "{set:?}");
        let browser = program.browser(Http::One).await;
        let stop = Arc::new(AtomicBool::new(false));
        let load = spawn({
            let stop = Arc::clone(&stop);
            async move {
                while !stop.load(SeqCst) {
                    browser.get_with_cookie("/", "_ga=1; flexopus_session=s").await;
                }
            }
        });
        until_written(&mut program, 7.).await;
        let copy = site.path("copy.db");
        let copied = ledger.clone();
        let into = format!("VACUUM INTO '{}'", copy.display());
        let vacuum = move || Connection::open(copied).unwrap().execute_batch(&into);
        tokio::task::spawn_blocking(vacuum).await.unwrap().unwrap();
        stop.store(true, SeqCst);
        load.await.unwrap();
        let verify = ["audit", "verify", copy.to_str().unwrap()];
        let verified = site.run(&verify).await;
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));

        fs::rename(&ledger, site.path("aside.db")).unwrap();
        fs::copy(&copy, &ledger).unwrap();
        let mut program = site.start();
        program
            .logged("the previous gateway was not stopped properly: entries may be missing")
            .await;
        let tenant = program.operator().await.get("/v1/tenants/globex.example").await;
        assert!(tenant.status.is_success() && tenant.body.contains("20m"), "{tenant:?}");
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
        let verified = site.run(&["audit", "verify"]).await;
        assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
        let kept = Kept::read(&ledger);
        kept.assert_balanced();
        assert_eq!(kept.events_of(EventKind::UncleanStop).len(), 1, "the gap is recorded");
    })
    .await;
}
