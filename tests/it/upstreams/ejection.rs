//! Servers that fail: their cost, the requests that they affect, and their return.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use crumbgate_gateway::proxy::upstream::{ServerState, UpstreamState};
use http::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{
    App, Http, Running, Setup, both_versions, in_time, ok, read_request, spawn, until,
};

fn before_all(apps: &[App]) -> Setup {
    let servers: Vec<_> = apps.iter().map(|app| format!("http://{}", app.address())).collect();
    Setup::before_servers(&servers)
}

fn shared(gateway: &Running) -> Arc<UpstreamState> {
    gateway.inner().upstreams().remove(0)
}

fn server(gateway: &Running, index: usize) -> Arc<ServerState> {
    Arc::clone(&shared(gateway).servers()[index])
}

/// An application that accepts every request and answers none.
async fn black_hole() -> App {
    App::serving(|mut stream, number, received| async move {
        let request = read_request(&mut stream, &mut Vec::new(), number).await;
        received.lock().unwrap().extend(request);
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await
}

both_versions!(a_server_that_does_not_answer_costs_one_request_and_is_ejected, |http| {
    let apps = [black_hole().await, App::answering(&[("/", &[])]).await];
    let gateway = before_all(&apps).upstream("response_timeout = \"200ms\"").start();
    let browser = gateway.browser(http);
    let mut late = 0;
    for _ in 0..12 {
        let status = browser.get("/").await.status;
        late += usize::from(status == 504);
        assert!(status == 200 || status == 504, "{status}");
    }
    assert_eq!((late, apps[0].received().len()), (1, 1));
    let silent = server(&gateway, 0);
    assert!(silent.is_ejected());
    assert_eq!((silent.failures_total(), silent.ejections_total()), (1, 1));
    assert_eq!((silent.requests_total(), server(&gateway, 1).requests_total()), (1, 11));
});

#[tokio::test]
async fn a_server_that_returns_is_tried_by_one_request_at_a_time() {
    in_time(async {
        let apps = [black_hole().await, App::answering(&[("/", &[])]).await];
        let setup = before_all(&apps).upstream("response_timeout = \"300ms\"");
        let gateway = setup.server("workers = 2").start();
        let stop = Arc::new(AtomicBool::new(false));
        let loads: Vec<_> = (0..8)
            .map(|_| {
                let (browser, stop) = (gateway.browser(Http::One), Arc::clone(&stop));
                spawn(async move {
                    let mut late = 0;
                    while !stop.load(SeqCst) {
                        late += usize::from(browser.get("/").await.status == 504);
                    }
                    late
                })
            })
            .collect();
        let silent = server(&gateway, 0);
        until("it has failed first", || silent.ejections_total() == 1).await;
        let others = server(&gateway, 1).requests_total();
        until("all others go on", || server(&gateway, 1).requests_total() > others + 50).await;
        let first = apps[0].received().len();
        until("it was tried again, and again", || silent.ejections_total() == 3).await;
        let tried = apps[0].received().len() - first;
        stop.store(true, SeqCst);
        let mut late = 0;
        for load in loads {
            late += load.await.unwrap();
        }
        assert_eq!(tried, 2, "each time by one request of all workers");
        assert_eq!(late, first + tried);
    })
    .await;
}

#[tokio::test]
async fn an_ejection_by_one_worker_holds_for_all() {
    let broken = App::serving(|mut stream, number, received| async move {
        let request = read_request(&mut stream, &mut Vec::new(), number).await;
        received.lock().unwrap().extend(request);
    })
    .await;
    let apps = [broken, App::answering(&[("/", &[])]).await];
    let gateway = before_all(&apps).server("workers = 2").start();
    // The kernel spreads the connections over the workers.
    let browsers: Vec<_> = (0..40).map(|_| gateway.browser(Http::One)).collect();
    let broken = server(&gateway, 0);
    let mut spared = 0;
    // Requests that one ejection outlasts.
    while spared < 2 * browsers.len() {
        for browser in &browsers {
            let before = (broken.is_ejected(), broken.ejections_total());
            let status = browser.get("/").await.status;
            if before.0 && before == (broken.is_ejected(), broken.ejections_total()) {
                assert_eq!(status, 200);
                spared += 1;
            }
        }
    }
    assert_eq!(apps[0].received().len() as u64, broken.ejections_total());
    assert_eq!(server(&gateway, 1).failures_total(), 0);
}

/// Three servers under load from many browsers, one of which is killed. The exchanges that were under way with it
/// may fail, and no later one.
async fn kill_one_of_three(http: Http) {
    let slow = || {
        App::serving(|mut stream, number, _| async move {
            let mut buffer = Vec::new();
            while read_request(&mut stream, &mut buffer, number).await.is_some() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                if stream.write_all(&ok(&[], "hello")).await.is_err() {
                    return;
                }
            }
        })
    };
    let mut apps = vec![slow().await, slow().await, slow().await];
    let gateway = before_all(&apps).server("workers = 2").start();
    let (killed, stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let loads: Vec<_> = (0..12)
        .map(|number| {
            let browser = gateway.browser(http);
            let (killed, stop) = (Arc::clone(&killed), Arc::clone(&stop));
            let method = if number % 2 == 0 { Method::GET } else { Method::POST };
            spawn(async move {
                let (mut served, mut failed) = (0, Vec::new());
                while !stop.load(SeqCst) {
                    let began_after = killed.load(SeqCst);
                    let answer = browser.send(browser.request(method.clone(), "/"), "").await;
                    match answer.status.as_u16() {
                        200 => served += 1,
                        status => failed.push((status, began_after)),
                    }
                }
                (served, failed)
            })
        })
        .collect();
    let victim = server(&gateway, 0);
    until("all are at work", || victim.connections() > 1 && victim.requests_total() > 100).await;
    let open = victim.connections();
    apps.remove(0).kill().await;
    until("the gateway has noticed", || victim.connections() == 0).await;
    killed.store(true, SeqCst);
    let rest = [server(&gateway, 1), server(&gateway, 2)];
    let served = || rest.iter().map(|server| server.requests_total()).sum::<u64>();
    let served_before = served();
    // Long enough for it to be tried again meanwhile.
    until("it was ejected twice", || victim.ejections_total() >= 2).await;
    until("the others go on", || served() > served_before + 200).await;
    stop.store(true, SeqCst);
    let (mut served, mut failed) = (0, Vec::new());
    for load in loads {
        let (one, others) = load.await.unwrap();
        served += one;
        failed.extend(others);
    }
    assert!(served > 300, "{served}");
    assert!(failed.len() <= open, "{open} connections were open, and these failed: {failed:?}");
    assert!(failed.iter().all(|(status, after)| *status == 502 && !after), "{failed:?}");
}

both_versions!(a_killed_server_fails_what_is_on_its_connections_and_nothing_later, |http| {
    kill_one_of_three(http).await;
});
