//! The migration pages, followed block by block: Debian's nginx or HAProxy, the gateway and the Laravel application.
//!
//! A block is found by the words behind its opening fence. Only ports and absolute paths differ from the page: every
//! path is below a temporary folder, every port is one that was free. `systemctl` is played by the test, everything
//! else in the blocks of commands is run by a shell.

mod haproxy;
mod nginx;

use std::{
    collections::BTreeMap,
    env, fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    browser::{Answer, Browser, Http},
    process::{self, Process},
};

const HOST: &str = "www.example.com";
const CONFIG: &str = "/etc/crumbgate/config.toml";

/// A machine on which a page is followed.
struct Machine {
    page: String,
    root: TempDir,
    /// The ports of the page, and those in their place.
    ports: BTreeMap<u16, u16>,
    services: BTreeMap<&'static str, Service>,
    running: BTreeMap<&'static str, Process>,
}

/// A service that `systemctl` controls.
struct Service {
    /// Makes the command that runs the service in the foreground; its argument is the machine's root folder.
    command: fn(&Path) -> Command,
    /// The signal by which it reads its configuration again.
    reload: Signal,
    listens: Listens,
}

/// The place where a service accepts connections when it is ready.
enum Listens {
    /// One of these ports of the page, which nothing else listens at.
    Port(&'static [u16]),
    Socket(&'static str),
}

impl Machine {
    fn of(page: &str, ports: &[u16]) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let page = fs::read_to_string(path).expect("the page is there");
        // All are held until the last one is known, so that no two are the same.
        let free: Vec<_> = ports
            .iter()
            .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports"))
            .collect();
        let free = free.iter().map(|listener| listener.local_addr().expect("it is bound").port());
        let ports = ports.iter().copied().zip(free).collect();
        let root = TempDir::new().expect("a temporary folder can be made");
        let machine =
            Self { page, root, ports, services: BTreeMap::new(), running: BTreeMap::new() };
        for folder in ["bin", "etc/crumbgate", "run", "var/lib/crumbgate", "var/log"] {
            fs::create_dir_all(machine.root.path().join(folder)).expect("the folder is ours");
        }
        let tokens = "root operator 0123456789abcdef0123456789abcdef\n";
        machine.write("/etc/crumbgate/admin-tokens", tokens);
        machine.restrict("/etc/crumbgate/admin-tokens");
        machine.program("crumbgate", env!("CARGO_BIN_EXE_crumbgate"), "");
        machine
    }

    /// Gives a service to `systemctl`.
    fn install(&mut self, name: &'static str, service: Service) {
        self.services.insert(name, service);
    }

    fn install_crumbgate(&mut self) {
        let command = |root: &Path| {
            let mut command = process::crumbgate();
            command.args(["run", "--config"]).arg(root.join(&CONFIG[1..]));
            command
        };
        self.install(
            "crumbgate",
            Service { command, reload: Signal::HUP, listens: Listens::Port(&[443, 8443]) },
        );
    }

    /// Puts a program into the `PATH` of the page's commands; `arguments` come before those of the page.
    fn program(&self, name: &str, path: &str, arguments: &str) {
        let file = self.root.path().join("bin").join(name);
        fs::write(&file, format!("#!/bin/sh\nexec {path} {arguments} \"$@\"\n"))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)))
            .expect("the folder is ours");
    }

    /// The text of the page's block with these words behind its fence, for this machine.
    fn block(&self, words: &str) -> String {
        let fence = format!("```{words}\n");
        let mut blocks = self.page.split(&fence).skip(1);
        let block = blocks.next().unwrap_or_else(|| panic!("a block {words}"));
        assert!(blocks.next().is_none(), "one block {words}");
        self.local(block.split("```").next().expect("a block ends"))
    }

    /// A text of the page with this machine's paths and ports.
    fn local(&self, text: &str) -> String {
        let mut local = String::new();
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            let before = local.chars().next_back();
            let length = if let Some(length) = path_len(rest)
                .filter(|_| !before.is_some_and(|c| c.is_alphanumeric() || "/._-".contains(c)))
            {
                local += self.root.path().to_str().expect("temporary paths are text");
                local += &rest[..length];
                length
            } else if next.is_ascii_digit()
                && !before.is_some_and(|c| c.is_alphanumeric() || c == '.')
            {
                let length = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                let is_whole =
                    !rest[length..].starts_with(|c: char| c.is_alphanumeric() || c == '.');
                let port = rest[..length].parse().ok().and_then(|port| self.ports.get(&port));
                match port.filter(|_| is_whole) {
                    Some(port) => local += &port.to_string(),
                    None => local += &rest[..length],
                }
                length
            } else {
                local.push(next);
                next.len_utf8()
            };
            rest = &rest[length..];
        }
        local
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }

    fn port(&self, port: u16) -> u16 {
        self.ports[&port]
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("it is ours");
        fs::write(path, text).expect("the folder is ours");
    }

    /// Makes a file readable for its owner alone.
    fn restrict(&self, path: &str) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o600))
            .expect("it is ours");
    }

    /// Makes a certificate for the site, and returns chain and key.
    fn certificate(&self) -> [String; 2] {
        let made = rcgen::generate_simple_self_signed(vec![HOST.to_owned()]).expect("a good name");
        self.write("/certificate", &made.cert.pem());
        [made.cert.pem(), made.signing_key.serialize_pem()]
    }

    /// Runs the commands of a block, line by line. Each must succeed.
    fn follow(&mut self, words: &str) {
        for line in self.block(words).lines() {
            match line.strip_prefix("systemctl ") {
                Some(arguments) => {
                    let (verb, name) = arguments.split_once(' ').expect("a verb and a service");
                    self.systemctl(verb, name);
                }
                None => self.run(line),
            }
        }
    }

    fn run(&self, line: &str) {
        let path = env::var("PATH").unwrap_or_default();
        let path = format!("{}:{path}", self.path("bin").display());
        let output = process::run(Command::new("sh").args(["-euc", line]).env("PATH", path));
        assert!(output.status.success(), "{line}: {output:?}");
    }

    fn systemctl(&mut self, verb: &str, name: &str) {
        let name = *self.services.keys().find(|known| **known == name).expect("a known service");
        match verb {
            "start" => self.start(name),
            "stop" => self.stop(name),
            "reload" => {
                let service = &self.services[name];
                self.running[name].signal(service.reload);
            }
            "restart" => {
                self.stop(name);
                self.start(name);
            }
            other => panic!("systemctl {other}"),
        }
    }

    fn start(&mut self, name: &'static str) {
        let service = &self.services[name];
        let log = self.path(&format!("var/log/{name}"));
        let free: Vec<_> = match service.listens {
            Listens::Port(ports) => {
                let ports = ports.iter().map(|port| self.port(*port));
                ports.filter(|port| !accepts(*port)).collect()
            }
            Listens::Socket(_) => Vec::new(),
        };
        let mut process = Process::start(&mut (service.command)(self.root.path()), &log);
        process.wait_for(name, |_| {
            let is_ready = match service.listens {
                Listens::Port(_) => free.iter().any(|port| accepts(*port)),
                Listens::Socket(path) => UnixStream::connect(self.path(path)).is_ok(),
            };
            is_ready.then_some(())
        });
        assert!(self.running.insert(name, process).is_none(), "{name} ran already");
    }

    fn stop(&mut self, name: &str) {
        self.running.remove(name).expect("it runs").stop(Signal::TERM);
    }

    /// Waits until something accepts connections at a port of the page.
    fn wait_for_port(&mut self, name: &str, port: u16) {
        let port = self.port(port);
        let process = self.running.get_mut(name).expect("it runs");
        process.wait_for(name, |_| accepts(port).then_some(()));
    }

    /// A browser at a port of the page, on an address of its own: 127.0.0.2.
    fn browser(&self, port: u16) -> Browser {
        Browser::at(Http::Two, HOST, self.port(port), self.path("certificate"))
    }

    /// The answer that curl reports for a plain request to port 80.
    fn plain(&self, path: &str) -> Answer {
        let url = format!("http://127.0.0.1:{}{path}", self.port(80));
        let host = format!("host: {HOST}");
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--header", &host, &url]);
        Answer::read(&process::run(&mut curl).stdout)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // The gateway first: what it asks is still there while it drains.
        if let Some(gateway) = self.running.remove("crumbgate") {
            gateway.stop(Signal::TERM);
        }
    }
}

/// The length of the absolute path with which a text begins, if it begins with one of a file system.
fn path_len(text: &str) -> Option<usize> {
    let is_absolute = ["/etc/", "/run/", "/srv/", "/var/"].iter().any(|top| text.starts_with(top));
    let is_end = |c: char| c.is_whitespace() || "\"';,".contains(c);
    is_absolute.then(|| text.find(is_end).unwrap_or(text.len()))
}

fn accepts(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port).into();
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Checks what every visitor may expect, whatever is in front of the application.
#[track_caller]
fn assert_serves(browser: &Browser, user: &str) {
    let forged = ["--header", "x-forwarded-for: 9.9.9.9", "--header", "accept: application/json"];
    let answer = browser.send("/whoami", &forged);
    let seen = answer.json();
    assert_eq!(seen["user"], user);
    assert_eq!(seen["client"], "127.0.0.2");
    let url = seen["url"].as_str().expect("an address");
    assert!(url.starts_with("https://www.example.com"), "{url}");
}

/// The names of the cookies that the application plants without declaring them.
const PLANTED: [&str; 3] = ["_fbp", "_ga_server", "flexopus.session"];

/// A new visitor gets the application's undeclared cookies.
#[track_caller]
fn assert_plants(visitor: &Browser) {
    visitor.navigate("/login");
    let names = visitor.names();
    assert!(PLANTED.iter().all(|name| names.iter().any(|n| n == name)), "{names:?}");
}

/// A new visitor gets declared cookies alone, with the tenant's lifetime.
#[track_caller]
fn assert_strips(visitor: &Browser) {
    let answer = visitor.navigate("/login");
    assert_eq!(visitor.names(), ["XSRF-TOKEN", "laravel_session"]);
    for name in ["XSRF-TOKEN", "laravel_session"] {
        let [field] = answer.set_cookies(name).collect::<Vec<_>>()[..] else { panic!("{name}") };
        assert!(field.contains("Max-Age=7200; "), "{field}");
    }
    visitor.set_by_script("_ga=GA1.2.3; Path=/");
    let seen = visitor.call("/whoami").json();
    let names: Vec<_> = seen["cookies"].as_array().expect("a list").iter().collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// The header is there, once and unchanged.
#[track_caller]
fn assert_has_hsts(browser: &Browser) {
    let answer = browser.navigate("/login");
    assert_eq!(answer.field("strict-transport-security"), Some("max-age=31536000"));
}
