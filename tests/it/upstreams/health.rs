//! Active health checks: the servers that get requests, as their answers to checks decide.

use std::{
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicUsize,
            Ordering::{Relaxed, SeqCst},
        },
    },
    time::Duration,
};

use crumbgate_gateway::proxy::upstream::ServerState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UnixListener},
};

use crate::{
    harness::{
        App, Http, Running, Setup, Site, both_versions, in_time, ok, read_request, spawn, until,
    },
    upstreams::connections::tls_app,
};

/// An application that answers everything with 200, and checks (`/up`) with 503 while it is unhealthy.
struct Patient {
    app: App,
    well: Arc<AtomicBool>,
}

impl Patient {
    async fn new(well: bool) -> Self {
        let well = Arc::new(AtomicBool::new(well));
        let asked = Arc::clone(&well);
        let app = App::replying(move |request| match request.target() {
            "/up" if !asked.load(SeqCst) => answer("503 Service Unavailable"),
            _ => ok(&[], "hello"),
        });
        Self { app: app.await, well }
    }

    fn becomes(&self, well: bool) {
        self.well.store(well, SeqCst);
    }

    /// The number of requests that were no checks.
    fn requests(&self) -> usize {
        self.app.received().iter().filter(|request| request.target() != "/up").count()
    }

    fn checks(&self) -> usize {
        self.app.received().len() - self.requests()
    }
}

fn answer(status: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

fn before(patients: &[Patient], health: &str) -> Setup {
    let address = |patient: &Patient| format!("http://{}", patient.app.address());
    let servers: Vec<_> = patients.iter().map(address).collect();
    Setup::before_servers(&servers).upstream(&format!("health = {{ {health} }}"))
}

/// The gateway's state of one of its upstream's servers.
fn server(gateway: &Running, index: usize) -> Arc<ServerState> {
    Arc::clone(&gateway.inner().upstreams()[0].servers()[index])
}

async fn until_it_is(gateway: &Running, index: usize, up: bool) {
    let server = server(gateway, index);
    until(if up { "it is up" } else { "it is down" }, || server.is_up() == Some(up)).await;
}

both_versions!(an_unhealthy_server_gets_no_request_until_it_is_healthy, |http| {
    let patients = [Patient::new(true).await, Patient::new(true).await];
    let gateway = before(&patients, "interval = \"100ms\", fall = 2, rise = 2").start();
    let browser = gateway.browser(http);
    for index in [0, 1] {
        until_it_is(&gateway, index, true).await;
    }
    patients[0].becomes(false);
    until_it_is(&gateway, 0, false).await;
    let before = patients[0].requests();
    for _ in 0..6 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    assert_eq!((patients[0].requests(), patients[1].requests()), (before, 6));
    patients[0].becomes(true);
    until_it_is(&gateway, 0, true).await;
    for _ in 0..6 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    assert_eq!(patients[0].requests(), before + 3);
});

both_versions!(with_all_servers_down_requests_are_sent_to_them_anyway, |http| {
    let patients = [Patient::new(false).await, Patient::new(false).await];
    let gateway = before(&patients, "interval = \"100ms\"").start();
    for index in [0, 1] {
        until_it_is(&gateway, index, false).await;
    }
    assert!(!gateway.inner().upstreams()[0].is_ready());
    let browser = gateway.browser(http);
    for _ in 0..4 {
        assert_eq!(browser.get("/").await.status, 200);
    }
    assert_eq!([patients[0].requests(), patients[1].requests()], [2, 2]);
});

#[tokio::test]
async fn the_first_check_decides_at_once_and_later_ones_by_their_number_in_a_row() {
    let patients = [Patient::new(false).await];
    let gateway = before(&patients, "interval = \"100ms\", fall = 100, rise = 3").start();
    assert_eq!(gateway.inner().upstreams()[0].settings().health.as_ref().unwrap().fall, 100);
    until_it_is(&gateway, 0, false).await;
    patients[0].becomes(true);
    let asked = patients[0].checks();
    until_it_is(&gateway, 0, true).await;
    assert!(gateway.inner().upstreams()[0].is_ready());
    assert!(patients[0].checks() >= asked + 3, "three good ones");
    patients[0].becomes(false);
    let asked = patients[0].checks();
    until("there were more checks", || patients[0].checks() > asked + 5).await;
    assert_eq!(server(&gateway, 0).is_up(), Some(true), "these are not yet a hundred");
}

#[tokio::test]
async fn a_check_is_a_get_of_its_own() {
    let app = App::answering(&[("/well", &[])]).await;
    let health = "health = { path = \"/well?deep=1\", interval = \"100ms\" }";
    let gateway = Setup::before(&app).upstream(health).start();
    until("there were checks", || app.received().len() >= 3).await;
    for (number, check) in app.received().iter().enumerate() {
        assert_eq!((check.method(), check.target()), ("GET", "/well?deep=1"));
        assert_eq!(check.field("host"), Some(&*app.address().to_string()));
        assert_eq!(check.field("connection"), Some("close"));
        assert_eq!(check.connection, number, "each on a connection of its own");
    }
    until_it_is(&gateway, 0, true).await;
    let last = server(&gateway, 0).last_check().unwrap();
    assert!(last.healthy && last.outcome == "200" && last.took < Duration::from_secs(2));
    assert!(server(&gateway, 0).checks_total() >= 2);
    assert_eq!(server(&gateway, 0).requests_total(), 0, "no check is a request");

    let health = "health = { path = \"/well\", host = \"acme.example:8443\" }";
    let asked = app.received().len();
    drop(gateway);
    let _gateway = Setup::before(&app).upstream(health).start();
    let is_other = |app: &App| {
        app.received()[asked..].iter().any(|c| c.field("host") == Some("acme.example:8443"))
    };
    until("the other host is asked", || is_other(&app)).await;
}

#[tokio::test]
async fn answers_of_2xx_and_3xx_are_healthy() {
    let cases = [
        ("200 OK", true),
        ("204 No Content", true),
        ("302 Found", true),
        ("304 Not Modified", true),
        ("401 Unauthorized", false),
        ("404 Not Found", false),
        ("500 Internal Server Error", false),
        ("503 Service Unavailable", false),
    ];
    for (status, healthy) in cases {
        let app = App::replying(move |_| answer(status)).await;
        let gateway = Setup::before(&app).upstream("health = {}").start();
        until_it_is(&gateway, 0, healthy).await;
        let last = server(&gateway, 0).last_check().unwrap();
        assert_eq!((&*last.outcome, last.healthy), (&status[..3], healthy));
    }
}

#[tokio::test]
async fn a_check_without_an_answer_in_time_fails() {
    let silent = App::serving(|mut stream, _, _| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let broken = App::serving(|stream, _, _| async move { drop(stream) });
    let garbled = App::replying(|_| b"SSH-2.0-OpenSSH\r\n".to_vec());
    let cases = [
        (silent.await, "no response in time"),
        (broken.await, "not an HTTP response: "),
        (garbled.await, "not an HTTP response: "),
    ];
    for (app, outcome) in cases {
        let health = "health = { interval = \"200ms\", timeout = \"200ms\" }";
        let gateway = Setup::before(&app).upstream(health).start();
        until_it_is(&gateway, 0, false).await;
        let last = server(&gateway, 0).last_check().unwrap();
        assert!(last.outcome.starts_with(outcome), "{last:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let setup = Setup::before_servers(&[format!("http://{address}")]).upstream("health = {}");
    let gateway = setup.start();
    until_it_is(&gateway, 0, false).await;
    let last = server(&gateway, 0).last_check().unwrap();
    assert!(last.outcome.starts_with("no connection: "), "{last:?}");
}

#[tokio::test]
async fn checks_go_over_tls_and_unix_sockets() {
    let (app, folder) = tls_app(&["localhost"]).await;
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let request = read_request(&mut stream, &mut Vec::new(), 0).await.unwrap();
            assert_eq!(request.field("host"), Some("localhost"));
            count.fetch_add(1, Relaxed);
            stream.write_all(&ok(&[], "well")).await.unwrap();
        }
    });
    let tls = format!("https://localhost:{}", app.address().port());
    let servers = [tls, format!("unix:{}", path.display())];
    let ca = format!("ca = {:?}\nhealth = {{}}", folder.path().join("dev.crt"));
    let gateway = Setup::before_servers(&servers).upstream(&ca).start();
    for index in [0, 1] {
        until_it_is(&gateway, index, true).await;
    }
    assert_eq!(app.last().target(), "/up");
    assert_eq!(asked.load(Relaxed), 1);

    // A certificate that no authority has signed.
    let (_, other) = tls_app(&["localhost"]).await;
    let ca = format!("ca = {:?}\nhealth = {{}}", other.path().join("dev.crt"));
    let gateway = Setup::before_servers(&servers[..1]).upstream(&ca).start();
    until_it_is(&gateway, 0, false).await;
}

#[tokio::test]
async fn going_down_and_coming_up_are_logged_once_each() {
    in_time(async {
        let patients = [Patient::new(true).await];
        let setup = before(&patients, "interval = \"100ms\", fall = 2, rise = 1")
            .sections("[log]\nformat = \"json\"");
        let site = Site::of(&setup);
        let mut program = site.start();
        program.https().await;
        until("it is checked", || patients[0].checks() > 2).await;
        patients[0].becomes(false);
        let down = program.logged("an upstream server is down").await;
        assert_eq!(down["level"], "WARN");
        assert_eq!(
            (down["upstream"].as_str(), down["outcome"].as_str()),
            (Some("app"), Some("503"))
        );
        assert_eq!(down["server"], format!("http://{}", patients[0].app.address()));
        let asked = patients[0].checks();
        until("it is checked", || patients[0].checks() > asked + 3).await;
        patients[0].becomes(true);
        let up = program.logged("an upstream server is up again").await;
        assert_eq!(up["level"], "INFO");
        let printed = program.stderr();
        assert_eq!(printed.matches("an upstream server is").count(), 2, "{printed}");
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_up_again_is_no_longer_ejected() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let live = Patient::new(true).await;
    let servers = [format!("http://{address}"), format!("http://{}", live.app.address())];
    let health = "health = { interval = \"100ms\", rise = 1 }";
    let gateway = Setup::before_servers(&servers).upstream(health).start();
    until_it_is(&gateway, 0, false).await;
    // So many failures that it would be ejected for half a minute, if the checks did not report otherwise.
    let browser = gateway.browser(Http::Two);
    live.becomes(false);
    until_it_is(&gateway, 1, false).await;
    while !server(&gateway, 0).is_ejected() {
        browser.get("/").await;
    }
    let listener = TcpListener::bind(address).await.unwrap();
    let _revived = App::serving_on(listener, |mut stream, number, _| async move {
        read_request(&mut stream, &mut Vec::new(), number).await;
        stream.write_all(&ok(&[], "back")).await.unwrap();
    });
    until_it_is(&gateway, 0, true).await;
    assert_eq!((server(&gateway, 0).is_ejected(), server(&gateway, 0).failures()), (false, 0));
    assert_eq!(browser.get("/").await.text(), "back");
}

/// It is healthy again, and one check that finds it so is not enough: it is known as down from before.
#[tokio::test]
async fn a_server_that_is_down_is_down_right_after_a_reload() {
    in_time(async {
        let patients = [Patient::new(true).await, Patient::new(false).await];
        let setup = |body: &str| {
            before(&patients, "interval = \"1h\", timeout = \"1h\", rise = 2")
                .upstream(&format!("body_timeout = {body:?}"))
        };
        let gateway = setup("5m").start();
        until_it_is(&gateway, 0, true).await;
        until_it_is(&gateway, 1, false).await;
        patients[1].becomes(true);
        gateway.reload(&setup("6m"), "test").await;
        assert_eq!([0, 1].map(|index| server(&gateway, index).is_up()), [Some(true), Some(false)]);
        for _ in 0..10 {
            assert_eq!(gateway.browser(Http::Two).get("/").await.status, 200);
        }
        assert_eq!(patients.each_ref().map(Patient::requests), [10, 0]);
    })
    .await;
}

#[tokio::test]
async fn the_gateway_is_ready_once_each_upstream_has_had_a_healthy_server() {
    in_time(async {
        let [one, other] = [Patient::new(true).await, Patient::new(false).await];
        let health = "health = { interval = \"100ms\", rise = 1 }";
        let second =
            format!("[upstreams.other]\nservers = [\"http://{}\"]\n{health}", other.app.address());
        let setup = Setup::before_servers(&[format!("http://{}", one.app.address())]);
        let site = Site::of(&setup.upstream(health).admin("").sections(&second));
        let mut program = site.start();
        let operator = program.operator().await;
        until("both were asked", || one.checks() > 2 && other.checks() > 2).await;
        let problem = operator.get("/readyz").await.problem(503);
        let message = "the health checks of an upstream have found no healthy server yet";
        assert_eq!(problem["detail"], message);
        assert_eq!(operator.get("/v1/status").await.json()["not_ready"], message);
        other.becomes(true);
        while operator.get("/readyz").await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Later upstream failures do not affect readiness: otherwise all tenants would get no traffic.
        other.becomes(false);
        while operator.get("/v1/upstreams").await.json()["upstreams"][1]["ready"] == true {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(operator.get("/readyz").await.status, 200);
    })
    .await;
}
