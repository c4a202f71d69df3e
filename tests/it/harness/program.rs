//! The real binary, as an operator runs it: controlled by files, arguments and signals, and observed by its output
//! and by how it ends.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Arc, atomic::AtomicU64},
    time::Duration,
};

use crumbgate::certificate;
use crumbgate_base::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use tempfile::TempDir;

use super::{
    ACME, Browser, CONDITION_TIMEOUT, Http, NOW_UNIX_S, Operator, Raw, Setup,
    gateway::{NAMES, client_config},
    terminal::Terminal,
};

/// A folder with a configuration, and the certificate that it names: where a program runs.
pub(crate) struct Site {
    folder: TempDir,
    roots: Arc<RootCertStore>,
}

impl Site {
    /// A folder with what `setup` says as its `config.toml`.
    pub(crate) fn of(setup: &Setup) -> Self {
        Self::with_config(&setup.text())
    }

    /// A folder with this `config.toml`.
    pub(crate) fn with_config(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = certificate::make(&NAMES, Clock::system().now()).unwrap();
        made.write(folder.path(), false).unwrap();
        fs::write(folder.path().join("config.toml"), config).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(made.chain_pem.as_bytes()).unwrap()).unwrap();
        Self { folder, roots: Arc::new(roots) }
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `crumbgate` with these arguments, in the folder, and without environment variables that configure it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = crumbgate(arguments);
        command.current_dir(self.folder.path());
        command
    }

    /// Starts `crumbgate run`.
    pub(crate) fn start(&self) -> Program<'_> {
        self.start_command(&mut self.command(&["run"]))
    }

    /// Starts a command, whose output goes to files of the folder.
    pub(crate) fn start_command(&self, command: &mut Command) -> Program<'_> {
        Program::start(command, self)
    }

    /// Starts a command at a terminal, which is both of its outputs; what it prints there is on standard error.
    pub(crate) fn start_at_terminal(&self, command: &mut Command) -> Program<'_> {
        Program::start_at_terminal(command, self)
    }

    /// A browser at [`ACME`], on a gateway of this folder that listens at `address`.
    pub(crate) fn browser_to(&self, address: SocketAddr, http: Http) -> Browser {
        let now = Arc::new(AtomicU64::new(NOW_UNIX_S));
        Browser::new(address, ACME, http, client_config(&self.roots, http), now)
    }

    /// Two files that nobody has written yet.
    fn outputs(&self) -> [PathBuf; 2] {
        let folder = tempfile::Builder::new().prefix("output-").tempdir_in(self.folder.path());
        let folder = folder.unwrap().keep();
        [folder.join("stdout"), folder.join("stderr")]
    }

    /// Runs `crumbgate` with these arguments to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Finished {
        self.start_command(&mut self.command(arguments)).exit().await
    }
}

/// `crumbgate` with these arguments.
pub(crate) fn crumbgate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crumbgate"));
    command.args(arguments);
    without_variables(&mut command);
    command
}

/// Removes the variables of a developer's shell that would configure the program.
pub(crate) fn without_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let is_ours = name.to_str().is_some_and(|name| {
            name.starts_with("CRUMBGATE_")
                || name.starts_with("CLICOLOR")
                || matches!(name, "NO_COLOR" | "RUST_LOG")
        });
        if is_ours {
            command.env_remove(name);
        }
    }
}

/// A running program; killed when dropped.
pub(crate) struct Program<'s> {
    site: &'s Site,
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
    terminal: Option<Terminal>,
}

/// The end of a program.
#[derive(Debug)]
pub(crate) struct Finished {
    /// None: by a signal.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl<'s> Program<'s> {
    fn start(command: &mut Command, site: &'s Site) -> Self {
        let [stdout, stderr] = site.outputs();
        command.stdin(Stdio::null());
        command.stdout(File::create(&stdout).unwrap()).stderr(File::create(&stderr).unwrap());
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { site, child, stdout, stderr, terminal: None }
    }

    fn start_at_terminal(command: &mut Command, site: &'s Site) -> Self {
        let [stdout, stderr] = site.outputs();
        File::create(&stdout).unwrap();
        let (terminal, end) = Terminal::open(File::create(&stderr).unwrap());
        command.stdin(Stdio::null()).stdout(end.try_clone().unwrap()).stderr(end);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // Only what the program has of its end may keep the terminal open.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { site, child, stdout, stderr, terminal: Some(terminal) }
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its output on standard error.
    pub(crate) fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Its output on standard output.
    pub(crate) fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Waits until `look` finds something. Fails where the program ends before, or after [`CONDITION_TIMEOUT`].
    pub(crate) async fn wait_for<T>(
        &mut self,
        what: &str,
        mut look: impl FnMut(&Self) -> Option<T>,
    ) -> T {
        let deadline = tokio::time::Instant::now() + CONDITION_TIMEOUT;
        loop {
            let ended = self.child.try_wait().unwrap();
            if let Some(found) = look(self) {
                return found;
            }
            let printed = || format!("{}\n{}", self.stdout(), self.stderr());
            assert!(ended.is_none(), "{ended:?} before {what}:\n{}", printed());
            let late = tokio::time::Instant::now() >= deadline;
            assert!(!late, "waited in vain for {what}:\n{}", printed());
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Waits for a log line (JSON) with this message.
    pub(crate) async fn logged(&mut self, message: &str) -> Value {
        self.wait_for(message, |program| find(&program.stderr(), message)).await
    }

    /// The TLS listener, once it listens.
    pub(crate) async fn https(&mut self) -> SocketAddr {
        self.listener("listening for https").await
    }

    /// The plain listener, likewise.
    pub(crate) async fn http(&mut self) -> SocketAddr {
        self.listener("listening for http, to redirect").await
    }

    async fn listener(&mut self, message: &str) -> SocketAddr {
        self.wait_for(message, |program| {
            let printed = program.stderr();
            let json = find(&printed, message);
            let json = json.as_ref().and_then(|line| line["address"].as_str());
            let text = || printed.split_once(&format!("{message} address="))?.1.split_once('\n');
            let address = json.or_else(|| text().map(|(address, _)| address));
            address.map(|address| address.parse().unwrap())
        })
        .await
    }

    /// A client of its admin API, without a token; waits until it is served.
    pub(crate) async fn operator(&mut self) -> Operator {
        let address = self.admin().await;
        match address.strip_prefix("unix:") {
            // The program's folder is not the test's.
            Some(path) => Operator::at(&format!("unix:{}", self.site.path(path).display())),
            None => Operator::at(&address),
        }
    }

    /// The address of its admin API: an address, or `unix:` and a path.
    pub(crate) async fn admin(&mut self) -> String {
        let message = "listening for administration";
        let find = move |program: &Self| {
            let printed = program.stderr();
            let json = find(&printed, message);
            let json = json.as_ref().and_then(|line| line["address"].as_str()).map(str::to_owned);
            let text = || printed.split_once(&format!("{message} address=\""))?.1.split_once('"');
            json.or_else(|| text().map(|(address, _)| address.to_owned()))
        };
        self.wait_for(message, find).await
    }

    /// A browser at [`ACME`].
    pub(crate) async fn browser(&mut self, http: Http) -> Browser {
        let address = self.https().await;
        self.site.browser_to(address, http)
    }

    /// A raw HTTP/1.1 connection over TLS, made for [`ACME`].
    pub(crate) async fn raw(&mut self) -> Raw {
        let config = self.client_config(Http::One);
        Raw::connect(self.https().await, ACME, config).await
    }

    /// A TLS client that trusts the program's certificate.
    pub(crate) fn client_config(&self, http: Http) -> rustls::ClientConfig {
        client_config(&self.site.roots, http)
    }

    /// Waits for its end. Fails after [`CONDITION_TIMEOUT`].
    pub(crate) async fn exit(mut self) -> Finished {
        let deadline = tokio::time::Instant::now() + CONDITION_TIMEOUT;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let late = tokio::time::Instant::now() >= deadline;
            assert!(!late, "it goes on:\n{}\n{}", self.stdout(), self.stderr());
            tokio::time::sleep(PAUSE).await;
        };
        if let Some(terminal) = self.terminal.take() {
            terminal.close();
        }
        Finished { code: status.code(), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Program<'_> {
    fn drop(&mut self) {
        // Both fail only where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// The log line (JSON) with this message.
    #[track_caller]
    pub(crate) fn logged(&self, message: &str) -> Value {
        find(&self.stderr, message).unwrap_or_else(|| panic!("no {message:?} in:\n{}", self.stderr))
    }

    /// The last log line (JSON).
    pub(crate) fn last_line(&self) -> Value {
        let line = self.stderr.lines().next_back().expect("something was printed");
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }
}

/// Log lines as JSON; a line that is not yet whole is left out.
pub(crate) fn json_lines(printed: &str) -> Vec<Value> {
    let whole = printed.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn find(printed: &str, message: &str) -> Option<Value> {
    json_lines(printed).into_iter().find(|line| line["message"] == message)
}

fn read(file: &Path) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

const PAUSE: Duration = Duration::from_millis(10);
