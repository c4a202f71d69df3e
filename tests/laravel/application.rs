//! The Laravel application: PHP's own server with four workers, and a folder that is gone after the test.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::process::{self, Process};

pub(crate) struct Application {
    pub(crate) port: u16,
    server: Process,
    storage: TempDir,
    session_cookie: &'static str,
}

/// One more server of an application that runs already.
pub(crate) struct Server {
    pub(crate) port: u16,
    _process: Process,
}

impl Application {
    pub(crate) fn start() -> Self {
        Self::with_session_cookie("flexopus_session")
    }

    /// Starts it with this name for its session's cookie.
    pub(crate) fn with_session_cookie(session_cookie: &'static str) -> Self {
        let storage = TempDir::new().expect("a temporary folder can be made");
        let prepared = process::run(php(storage.path(), session_cookie).arg("prepare.php"));
        assert!(prepared.status.success(), "{prepared:?}");

        let (port, server) = serve_somewhere(storage.path(), session_cookie);
        Self { port, server, storage, session_cookie }
    }

    /// Starts another server with the same sessions and users.
    pub(crate) fn second_server(&self) -> Server {
        let (port, process) = serve_somewhere(self.storage.path(), self.session_cookie);
        Server { port, _process: process }
    }

    /// The names of the cookies that an answer sets before the gateway has judged it.
    pub(crate) fn cookies_it_sets(&self, path: &str) -> Vec<String> {
        let url = format!("http://127.0.0.1:{}{path}", self.port);
        let answer = process::run(Command::new("curl").args(["--silent", "--include", &url]));
        let answer = String::from_utf8(answer.stdout).expect("the application writes UTF-8");
        let fields = answer.lines().filter_map(|line| line.strip_prefix("Set-Cookie: "));
        let pairs = fields.filter_map(|field| field.split_once('='));
        pairs.map(|(name, _)| name.to_owned()).collect()
    }

    /// Waits until the slow call of that name has been let in, and is at work.
    pub(crate) fn wait_until_under_way(&mut self, call: &str) {
        let sign = self.call(call).with_extension("under-way");
        self.server.wait_for("the slow call", |_| sign.exists().then_some(()));
    }

    /// Lets the slow call of that name come to its end.
    pub(crate) fn finish(&self, call: &str) {
        fs::write(self.call(call).with_extension("finish"), "").expect("the storage is ours");
    }

    /// Lets the names of slow calls be used again.
    pub(crate) fn forget_calls(&self) {
        let calls = self.storage.path().join("calls");
        fs::remove_dir_all(&calls)
            .and_then(|()| fs::create_dir(&calls))
            .expect("the storage is ours");
    }

    fn call(&self, name: &str) -> PathBuf {
        self.storage.path().join("calls").join(name)
    }
}

fn serve_somewhere(storage: &Path, session_cookie: &str) -> (u16, Process) {
    let mut servers = (0..5).filter_map(|_| serve(storage, session_cookie));
    servers.next().expect("no port that was free a moment ago still is")
}

/// Starts the server on a port that is free now. `None` if another program has taken the port first.
fn serve(storage: &Path, session_cookie: &str) -> Option<(u16, Process)> {
    let port = free_port();
    let mut command = php(storage, session_cookie);
    let address = format!("127.0.0.1:{port}");
    command.args(["-S", &address, "public/index.php"]).env("PHP_CLI_SERVER_WORKERS", "4");
    let mut server = Process::start(&mut command, &storage.join("server.log"));
    let started = server.wait_for("PHP's server", |printed| {
        let outcomes = [("started", true), ("Address already in use", false)];
        outcomes.into_iter().find_map(|(words, started)| printed.contains(words).then_some(started))
    });
    started.then_some((port, server))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    listener.local_addr().expect("a bound socket has an address").port()
}

/// PHP in the application's folder, with the settings that Laravel's own skeleton has in `.env`.
fn php(storage: &Path, session_cookie: &str) -> Command {
    let mut php = Command::new("php");
    php.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/laravel/application"))
        .env("APP_PACKAGES_CACHE", storage.join("packages.php"))
        .env("APP_SERVICES_CACHE", storage.join("services.php"))
        .env("SESSION_COOKIE", session_cookie)
        .env("STORAGE_PATH", storage);
    php
}
