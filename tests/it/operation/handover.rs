//! A new process replaces the old one under load: by handover, and by a service manager that keeps the sockets.

use std::{
    net::TcpListener,
    os::{fd::AsRawFd, unix::net::UnixDatagram},
    process::Command,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{
    ACME, App, Http, Kept, Load, Program, Setup, Site, in_time, json_lines, ok, until,
};

const JSON: &str = "[log]\nformat = \"json\"";

fn replacing(site: &Site) -> Program<'_> {
    site.start_command(&mut site.command(&["run", "--replace"]))
}

async fn app() -> App {
    App::replying(|_| ok(&["set-cookie: flexopus_session=a"], "fine")).await
}

const REPLACED: &str = "replaced the previous gateway, which now drains";

#[tokio::test]
async fn ten_replacements_under_load_fail_no_request() {
    in_time(Box::pin(async {
        let app = app().await;
        let site = Site::of(&Setup::before(&app).server("workers = 2").sections(JSON));
        let mut old = site.start();
        let address = old.https().await;
        let load = Load::start(address);
        for round in 0..10 {
            let mut new = replacing(&site);
            new.logged(REPLACED).await;
            assert_eq!(new.https().await, address);
            let finished = old.exit().await;
            assert_eq!(finished.code, Some(0), "{round}: {finished:?}");
            assert_eq!(finished.logged("draining")["signal"], "a successor");
            finished.logged("stopped; every exchange was completed");
            old = new;
        }
        load.stop().await.assert_clean();
        old.signal(Signal::TERM);
        assert_eq!(old.exit().await.code, Some(0));
        // Each had the ledger after its predecessor had finished, and no entry is missing.
        Kept::read(&site.path("state/crumbgate.db")).assert_balanced();
    }))
    .await;
}

#[tokio::test]
async fn the_number_of_workers_may_change_at_a_replacement() {
    in_time(Box::pin(async {
        let app = app().await;
        let setup = |workers: u32| {
            Setup::before(&app).server(&format!("workers = {workers}")).sections(JSON)
        };
        let site = Site::of(&setup(3));
        let mut old = site.start();
        let address = old.https().await;
        for workers in [1, 4, 2] {
            std::fs::write(site.path("config.toml"), setup(workers).text()).unwrap();
            let mut new = replacing(&site);
            new.logged(REPLACED).await;
            assert_eq!(old.exit().await.code, Some(0));
            // The kernel spreads connections over all sockets: each of them must be accepted from.
            for _ in 0..32 {
                let browser = site.browser_to(address, Http::One);
                assert_eq!(browser.get("/").await.status, 200);
            }
            old = new;
        }
    }))
    .await;
}

#[tokio::test]
async fn a_successor_that_can_not_start_changes_nothing() {
    in_time(Box::pin(async {
        let app = app().await;
        let setup = Setup::before(&app).sections(JSON);
        let site = Site::of(&setup);
        let mut old = site.start();
        let browser = old.browser(Http::Two).await;
        browser.get("/").await;
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = taken.local_addr().unwrap();
        let text = setup.text();
        let broken = text.replace(
            "https = [\"127.0.0.1:0\"]",
            &format!("https = [\"127.0.0.1:0\", \"{taken}\"]"),
        );
        std::fs::write(site.path("config.toml"), broken).unwrap();
        let finished = replacing(&site).exit().await;
        assert_eq!(finished.code, Some(1), "{finished:?}");
        old.logged("a successor did not take over; this gateway continues").await;
        std::fs::write(site.path("config.toml"), &text).unwrap();
        assert_eq!(browser.get("/").await.status, 200);
        assert_eq!(site.browser_to(old.https().await, Http::One).get("/").await.status, 200);
        old.signal(Signal::HUP);
        old.logged("reloaded").await;
        let mut new = replacing(&site);
        new.logged(REPLACED).await;
        assert_eq!(old.exit().await.code, Some(0));
    }))
    .await;
}

#[tokio::test]
async fn a_listener_that_the_successor_does_not_have_refuses_connections() {
    in_time(Box::pin(async {
        let app = app().await;
        let setup = Setup::before(&app).sections(JSON);
        let site = Site::of(&setup);
        let mut old = site.start();
        let plain = old.http().await;
        let text = setup.text().replace("http = [\"127.0.0.1:0\"]", "http = []");
        std::fs::write(site.path("config.toml"), text).unwrap();
        let mut new = replacing(&site);
        new.logged(REPLACED).await;
        assert_eq!(old.exit().await.code, Some(0));
        let refused = std::net::TcpStream::connect(plain).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    }))
    .await;
}

#[tokio::test]
async fn without_a_predecessor_a_gateway_just_starts() {
    in_time(async {
        let app = app().await;
        let site = Site::of(&Setup::before(&app).sections(JSON));
        let mut program = replacing(&site);
        program.logged("there is no gateway to replace: this one starts normally").await;
        assert_eq!(program.browser(Http::One).await.get("/").await.status, 200);
    })
    .await;
}

/// Starts `crumbgate run` as systemd would: with these sockets open, and with its environment variables.
fn activated<'s>(site: &'s Site, sockets: &[&TcpListener], notify: &str) -> Program<'s> {
    // The shell moves the sockets to the file descriptors that the protocol demands, and then becomes the program
    // itself.
    let mut redirections = String::new();
    for (index, socket) in sockets.iter().enumerate() {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
        redirections += &format!(" {}<&{}", index + 3, socket.as_raw_fd());
    }
    let script = format!(
        "exec{redirections}; export LISTEN_PID=$$ LISTEN_FDS={} NOTIFY_SOCKET={notify}; exec \"$0\" run",
        sockets.len()
    );
    let mut command = Command::new("bash");
    command.current_dir(site.path(".")).args(["-c", &script, env!("CARGO_BIN_EXE_crumbgate")]);
    crate::harness::without_variables(&mut command);
    let program = site.start_command(&mut command);
    for socket in sockets {
        rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC).unwrap();
    }
    program
}

fn notification(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 1024];
    let length = socket.recv(&mut buffer).expect("the service manager is notified");
    String::from_utf8(buffer[..length].to_vec()).unwrap()
}

#[tokio::test]
async fn sockets_of_a_service_manager_are_served_and_it_is_notified_of_the_state() {
    in_time(Box::pin(async {
        let app = app().await;
        let (https, http) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
        let (https, http) = (https.unwrap(), http.unwrap());
        let addresses = [https.local_addr().unwrap(), http.local_addr().unwrap()];
        let text = Setup::before(&app).server("workers = 2").sections(JSON).text();
        let text =
            text.replace("https = [\"127.0.0.1:0\"]", &format!("https = [\"{}\"]", addresses[0]));
        let text =
            text.replace("http = [\"127.0.0.1:0\"]", &format!("http = [\"{}\"]", addresses[1]));
        let site = Site::with_config(&text);
        let path = site.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(crate::harness::CONDITION_TIMEOUT)).unwrap();
        for _ in 0..2 {
            let mut program = activated(&site, &[&https, &http], path.to_str().unwrap());
            let pid = program.pid().as_raw_nonzero();
            assert_eq!(notification(&manager), format!("READY=1\nMAINPID={pid}\n"));
            assert_eq!([program.https().await, program.http().await], addresses);
            assert_eq!(program.browser(Http::Two).await.get("/").await.status, 200);
            program.signal(Signal::HUP);
            assert!(notification(&manager).starts_with("RELOADING=1\nMONOTONIC_USEC="));
            assert_eq!(notification(&manager), "READY=1\n");
            program.signal(Signal::TERM);
            // As long as the drain and the steps after it.
            assert_eq!(notification(&manager), "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n");
            assert_eq!(program.exit().await.code, Some(0));
            // The manager's socket is still open: a connection that is made now waits for the next process.
            std::net::TcpStream::connect(addresses[0]).unwrap();
        }
        drop(http);
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let finished = activated(&site, &[&https, &other], "").exit().await;
        let expected = format!("the service manager listens on {}", other.local_addr().unwrap());
        assert!(finished.code == Some(1) && finished.stderr.contains(&expected), "{finished:?}");
    }))
    .await;
}

#[tokio::test]
async fn the_watchdog_of_the_service_manager_is_notified_repeatedly() {
    in_time(async {
        let app = app().await;
        let site = Site::of(&Setup::before(&app).sections(JSON));
        let path = site.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(crate::harness::CONDITION_TIMEOUT)).unwrap();
        let mut command = site.command(&["run"]);
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "600000");
        let _program = site.start_command(&mut command);
        while notification(&manager) != "WATCHDOG=1\n" {}
        assert_eq!(notification(&manager), "WATCHDOG=1\n");
    })
    .await;
}

/// A process that the test did not start itself; it is killed when dropped.
struct Stranger(Pid);

impl Stranger {
    /// The successor that this program reports as started.
    async fn started_by(program: &mut Program<'_>) -> Self {
        let line = program.logged("a successor was started").await;
        Self(Pid::from_raw(line["pid"].as_i64().unwrap().try_into().unwrap()).unwrap())
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        // Fails only where it has already ended.
        let _ = kill_process(self.0, Signal::KILL);
    }
}

#[tokio::test]
async fn sigusr2_starts_the_program_anew_and_no_request_fails() {
    in_time(Box::pin(async {
        let app = app().await;
        let site = Site::of(&Setup::before(&app).server("workers = 2").sections(JSON));
        let path = site.path("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        manager.set_read_timeout(Some(crate::harness::CONDITION_TIMEOUT)).unwrap();
        let mut command = site.command(&["run"]);
        let variables = [("LISTEN_FDS", "0"), ("WATCHDOG_PID", "1")];
        command.env("NOTIFY_SOCKET", &path).envs(variables);
        let mut old = site.start_command(&mut command);
        let address = old.https().await;
        assert!(notification(&manager).starts_with("READY=1\n"));
        let load = Load::start(address);
        old.signal(Signal::USR2);
        let new = Stranger::started_by(&mut old).await;
        let pid = new.0.as_raw_nonzero();
        assert_eq!(notification(&manager), format!("READY=1\nMAINPID={pid}\n"));
        let variables = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let variables = String::from_utf8(variables).unwrap();
        assert!(variables.contains("NOTIFY_SOCKET="), "{variables}");
        assert!(
            !variables.contains("LISTEN_") && !variables.contains("WATCHDOG_PID"),
            "{variables}"
        );
        let finished = old.exit().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.logged(REPLACED);
        load.stop().await.assert_clean();
        assert_eq!(site.browser_to(address, Http::Two).get("/").await.status, 200);
        kill_process(new.0, Signal::TERM).unwrap();
        until("the new one has stopped", || std::net::TcpStream::connect(address).is_err()).await;
    }))
    .await;
}

#[tokio::test]
async fn a_failed_restart_changes_nothing_and_a_later_one_succeeds() {
    in_time(Box::pin(async {
        let app = app().await;
        let setup = Setup::before(&app).sections(JSON);
        let site = Site::of(&setup);
        let mut old = site.start();
        let address = old.https().await;
        std::fs::write(site.path("config.toml"), "nonsense").unwrap();
        old.signal(Signal::USR2);
        old.logged("the successor has ended").await;
        assert_eq!(site.browser_to(address, Http::One).get("/").await.status, 200);
        std::fs::write(site.path("config.toml"), setup.text()).unwrap();
        old.signal(Signal::USR2);
        let pids = |program: &Program<'_>| -> Vec<i64> {
            let lines = json_lines(&program.stderr());
            let started = lines.iter().filter(|line| line["message"] == "a successor was started");
            started.map(|line| line["pid"].as_i64().unwrap()).collect()
        };
        let pid = old.wait_for("a second one", |program| pids(program).get(1).copied()).await;
        let new = Stranger(Pid::from_raw(pid.try_into().unwrap()).unwrap());
        let finished = old.exit().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.logged(REPLACED);
        drop(new);
    }))
    .await;
}

#[tokio::test]
async fn a_changed_file_causes_a_reload_with_server_watch() {
    in_time(async {
        let app = app().await;
        let setup = |session: &str, watch: bool| {
            let session = format!("session = {session:?}");
            Setup::before(&app)
                .server(&format!("watch = {watch}"))
                .sections(JSON)
                .tenant(ACME, &session)
        };
        let site = Site::of(&setup("2h", true));
        let mut program = site.start();
        let browser = program.browser(Http::One).await;
        browser.get("/").await;
        std::fs::write(site.path("config.toml"), setup("20m", true).text()).unwrap();
        assert_eq!(program.logged("reloaded").await["actor"], "file watch");
        let cookie = browser.get("/").await.set_cookie("flexopus_session").to_owned();
        assert!(cookie.contains("Max-Age=1200;"), "{cookie}");
        std::fs::write(site.path("config.toml"), "nonsense").unwrap();
        program.logged("a reload was refused; the old configuration stays in force").await;
        assert_eq!(browser.get("/").await.status, 200);
        assert_eq!(
            json_lines(&program.stderr())
                .iter()
                .filter(|line| line["message"] == "reloaded")
                .count(),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_second_gateway_with_the_same_state_file_does_not_replace_the_first() {
    in_time(Box::pin(async {
        let app = app().await;
        let site = Site::of(&Setup::before(&app).sections(JSON));
        let mut first = site.start();
        let address = first.https().await;
        first.browser(Http::One).await.get("/").await;
        let mut second = site.start();
        second.logged("this gateway can't hand over its sockets: --replace will not find it").await;
        let mut new = replacing(&site);
        new.logged(REPLACED).await;
        assert_eq!(new.https().await, address, "it was the first one's place");
        assert_eq!(first.exit().await.code, Some(0));
        assert_eq!(second.browser(Http::One).await.get("/").await.status, 200);
    }))
    .await;
}
