//! Tenants that are set while the gateway runs: all or nothing, from the next request on, and kept.

use std::sync::Arc;

use crumbgate_config::TenantKeys;
use crumbgate_gateway::gateway::{Change, ChangeTenantsError, Changed, Control, Expected};
use crumbgate_ledger::entry::EventKind;
use rustix::process::Signal;

use crate::harness::{
    ACME, App, Http, Kept, Running, Setup, Site, both_versions, in_time, ok, on_each_worker,
};

const HOST: &str = "globex.example";

async fn app() -> App {
    App::replying(|_| ok(&["set-cookie: flexopus_session=a"], "")).await
}

fn set(host: &str, keys: &str) -> Change {
    let set = Some(TenantKeys::parse(keys).unwrap());
    Change { host: host.to_owned(), set, expected: Expected::Any }
}

fn remove(host: &str) -> Change {
    Change { host: host.to_owned(), set: None, expected: Expected::Any }
}

/// Makes these changes with Alice as the actor.
async fn change(control: &Control, changes: &[Change]) -> Result<Vec<Changed>, ChangeTenantsError> {
    let (control, changes) = (control.clone(), changes.to_vec());
    tokio::task::spawn_blocking(move || control.change_tenants(changes, "alice", false))
        .await
        .unwrap()
}

async fn session_of(gateway: &Running, host: &str, http: Http) -> Option<String> {
    let answer = gateway.browser_at(host, http).get("/").await;
    (answer.status == 200).then(|| {
        let cookie = answer.set_cookie("flexopus_session");
        cookie.split("Max-Age=").nth(1).unwrap().split(';').next().unwrap().to_owned()
    })
}

both_versions!(t3_a_change_holds_for_the_next_request_on_every_worker, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).server("workers = 2").tenant(ACME, "").start();
    let control = gateway.inner().control().clone();
    let browser = gateway.browser_at(HOST, http);
    assert_eq!(browser.get("/").await.status, 421);
    change(&control, &[set(HOST, r#"{"session": "2h"}"#)]).await.unwrap();
    let workers = on_each_worker(&app, &browser).await;
    for (keys, seconds) in [(r#"{"session": "20m"}"#, 1_200), ("{}", 604_800)] {
        let changed = change(&control, &[set(HOST, keys)]).await.unwrap();
        assert_ne!(changed[0].before, changed[0].after);
        for browser in &workers {
            let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
            assert!(cookie.contains(&format!("Max-Age={seconds};")), "{cookie}");
        }
    }
    change(&control, &[remove(HOST)]).await.unwrap();
    for browser in &workers {
        assert_eq!(browser.get("/").await.status, 421);
    }
});

#[tokio::test]
async fn a_batch_of_changes_is_applied_completely_or_refused_with_the_reasons() {
    in_time(Box::pin(async {
        let app = app().await;
        let gateway = Setup::before(&app).tenant(ACME, "").start();
        let control = gateway.inner().control().clone();
        let good = set(HOST, r#"{"session": "2h"}"#);
        for (bad, expected) in [
            (set("x.example", r#"{"session": "2 parsecs"}"#), "x.example"),
            (set("x.example", r#"{"upstream": "nowhere"}"#), "x.example"),
            (set("https://x.example/", "{}"), "https://x.example/"),
            (set(ACME, "{}"), "config.toml:"),
            (remove(ACME), "config.toml:"),
            (remove("x.example"), "there is no tenant x.example"),
            (good.clone(), "changed twice"),
            (Change { expected: Expected::Absent, ..set(ACME, "{}") }, "config.toml:"),
            (
                Change { expected: Expected::Tags(vec!["0".to_owned()]), ..set("x.example", "{}") },
                "has changed since you read it",
            ),
        ] {
            let error = change(&control, &[good.clone(), bad]).await.unwrap_err().to_string();
            assert!(error.contains(expected), "{expected}: {error}");
            assert_eq!(session_of(&gateway, HOST, Http::One).await, None);
            assert!(control.tenant(HOST).is_none());
        }
        let (asked, changes) = (control.clone(), vec![good.clone()]);
        let dry = tokio::task::spawn_blocking(move || asked.change_tenants(changes, "alice", true));
        assert!(dry.await.unwrap().unwrap()[0].after.is_some());
        assert!(control.tenant(HOST).is_none(), "a dry run only says what would be");
        let done = change(&control, &[good, set("*.b.example", "{}")]).await.unwrap();
        assert_eq!(done.len(), 2);
        assert_eq!(session_of(&gateway, HOST, Http::Two).await.as_deref(), Some("7200"));
        let listed: Vec<_> =
            control.tenants("", None, 9).iter().map(|view| view.tenant.name.to_string()).collect();
        assert_eq!(listed, ["*.b.example", ACME, HOST]);
        let page = control.tenants("", Some(ACME), 1);
        assert_eq!(page.len(), 1);
        assert_eq!(&*page[0].tenant.name, HOST);
        assert!(
            control.tenants("g", None, 9).len() == 1 && control.tenants("z", None, 9).is_empty()
        );
    }))
    .await;
}

#[tokio::test]
async fn a_change_based_on_an_outdated_version_is_refused() {
    in_time(Box::pin(async {
        let app = app().await;
        let gateway = Setup::before(&app).tenant(ACME, "").start();
        let control = gateway.inner().control().clone();
        let if_absent = |keys| Change { expected: Expected::Absent, ..set(HOST, keys) };
        change(&control, &[if_absent("{}")]).await.unwrap();
        let refused = change(&control, &[if_absent("{}")]).await.unwrap_err();
        let seen = control.tenant(HOST).unwrap().tag;
        assert!(matches!(refused, ChangeTenantsError::Stale { current, .. } if current.as_ref() == Some(&seen)));
        let if_seen = |keys| Change { expected: Expected::Tags(vec![seen.clone()]), ..set(HOST, keys) };
        change(&control, &[if_seen(r#"{"session": "1h"}"#)]).await.unwrap();
        let refused = change(&control, &[if_seen(r#"{"session": "3h"}"#)]).await.unwrap_err();
        assert!(matches!(refused, ChangeTenantsError::Stale { .. }), "{refused}");
        assert_eq!(session_of(&gateway, HOST, Http::One).await.as_deref(), Some("3600"));
    }))
    .await;
}

#[tokio::test]
async fn live_tenants_follow_the_defaults_of_a_reload_and_refuse_incompatible_ones() {
    in_time(Box::pin(async {
        let app = app().await;
        let other = format!("[upstreams.other]\nservers = [\"http://{}\"]", app.address());
        let setup = |session: &str, rest: &str| {
            let defaults = format!("session = {session:?}");
            Setup::before(&app).defaults(&defaults).sections(rest).tenant(ACME, "").text()
        };
        let gateway = Setup::before(&app).sections(&other).tenant(ACME, "").start();
        let control = gateway.inner().control().clone();
        let file = control.config_file();
        change(&control, &[set(HOST, r#"{"upstream": "other"}"#)]).await.unwrap();
        assert_eq!(session_of(&gateway, HOST, Http::One).await.as_deref(), Some("604800"));
        let reload = async |text: String| {
            std::fs::write(&file, text).unwrap();
            let control = control.clone();
            tokio::task::spawn_blocking(move || control.reload("alice")).await.unwrap()
        };
        reload(setup("3h", &other)).await.unwrap();
        assert_eq!(session_of(&gateway, HOST, Http::One).await.as_deref(), Some("10800"));
        let refused = format!("{:?}", reload(setup("5h", "")).await.unwrap_err());
        assert!(
            refused.contains(HOST) && refused.contains("crumbgate tenants remove"),
            "{refused}"
        );
        assert_eq!(session_of(&gateway, HOST, Http::One).await.as_deref(), Some("10800"));
        change(&control, &[remove(HOST)]).await.unwrap();
        reload(setup("5h", "")).await.unwrap();
        assert_eq!(session_of(&gateway, ACME, Http::One).await.as_deref(), Some("18000"));
    }))
    .await;
}

#[tokio::test]
async fn a_live_tenant_that_the_file_overrides_for_a_while_returns_afterwards() {
    in_time(Box::pin(async {
        let app = app().await;
        let setup =
            |host: &str| Setup::before(&app).tenant(ACME, "").tenant(host, "session = \"5h\"");
        let gateway = setup("other.example").start();
        let control = gateway.inner().control().clone();
        let file = control.config_file();
        change(&control, &[set(HOST, r#"{"session": "2h"}"#)]).await.unwrap();
        for (host, max_age) in [(HOST, "18000"), (HOST, "18000"), ("other.example", "7200")] {
            std::fs::write(&file, setup(host).text()).unwrap();
            let reloading = control.clone();
            tokio::task::spawn_blocking(move || reloading.reload("alice")).await.unwrap().unwrap();
            assert_eq!(session_of(&gateway, HOST, Http::One).await.as_deref(), Some(max_age));
        }
        change(&control, &[remove(HOST)]).await.unwrap();
        assert_eq!(session_of(&gateway, HOST, Http::One).await, None);
    }))
    .await;
}

#[tokio::test]
async fn a_live_tenant_can_be_removed_without_a_default_upstream() {
    in_time(Box::pin(async {
        let app = app().await;
        let text = Setup::before(&app).tenant(ACME, "upstream = \"web\"").text();
        let text = text.replace("[upstreams.app]", "[upstreams.web]");
        let site = Site::with_config(&text.replace("upstream = \"app\"", ""));
        let loaded = crumbgate_config::Config::load(&site.path("config.toml"), []).unwrap();
        let gateway = crumbgate_gateway::gateway::Gateway::start(
            loaded,
            crumbgate_base::clock::Clock::system(),
        )
        .unwrap();
        let control = gateway.control().clone();
        change(&control, &[set(HOST, r#"{"upstream": "web"}"#)]).await.unwrap();
        let refused = change(&control, &[set("x.example", "{}")]).await.unwrap_err().to_string();
        assert!(refused.contains("x.example"), "{refused}");
        change(&control, &[remove(HOST)]).await.unwrap();
        assert!(control.tenant(HOST).is_none());
        tokio::task::spawn_blocking(move || gateway.drain()).await.unwrap();
    }))
    .await;
}

#[tokio::test]
async fn live_tenants_survive_a_stop_and_a_kill_and_their_changes_are_in_the_ledger() {
    in_time(Box::pin(async {
        let app = app().await;
        let gateway = Setup::before(&app).tenant(ACME, "").start();
        let control = gateway.inner().control().clone();
        change(&control, &[set(HOST, r#"{"session": "2h"}"#), set("gone.example", "{}")])
            .await
            .unwrap();
        change(&control, &[set(HOST, r#"{"session": "20m"}"#), remove("gone.example")])
            .await
            .unwrap();
        let stopped = gateway.stop().await;
        let kept = Kept::read(&stopped.ledger());
        let events: Vec<_> = kept.events_of(EventKind::Tenant).into_iter().cloned().collect();
        assert_eq!(events.len(), 4);
        assert_eq!(events[2]["before"]["session"], "2h");
        assert_eq!(events[2]["after"]["session"], "20m");
        assert!(events[3]["after"].is_null());
        let site = Site::of(&Setup::before(&app).tenant(ACME, ""));
        std::fs::create_dir_all(site.path("state")).unwrap();
        for file in ["crumbgate.db", "crumbgate.key"] {
            let from = stopped.ledger().with_file_name(file);
            std::fs::copy(from, site.path("state").join(file)).unwrap();
        }
        for _ in 0..2 {
            let mut program = site.start();
            let address = program.https().await;
            let browser = site.browser_to(address, Http::One).at(HOST);
            let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
            assert!(cookie.contains("Max-Age=1200;"), "{cookie}");
            program.signal(Signal::KILL);
            program.exit().await;
        }
        drop(Arc::new(stopped));
    }))
    .await;
}
