//! The output at a terminal, and its absence elsewhere.

use std::{fs, net::SocketAddr, path::PathBuf};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::harness::{
    App, Http, Operator, Program, Setup, Site, in_time,
    ledger::{LedgerWriter, USUAL},
    until,
};

/// Few connections: the machine's limit on open files does not matter here.
fn before(app: &App) -> Setup {
    Setup::before(app).limits("connections = 100").admin("")
}

fn nobody() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()]).limits("connections = 100")
}

async fn opening(program: &mut Program<'_>) -> String {
    program
        .wait_for("the end of the opening", |program| {
            Some(program.stderr()).filter(|printed| printed.contains("top with Ctrl-C."))
        })
        .await
        .replace('\r', "")
}

/// Starts a command at a terminal without colours.
fn plainly<'s>(site: &'s Site, arguments: &[&str]) -> Program<'s> {
    site.start_at_terminal(site.command(arguments).env("TERM", "xterm").env("NO_COLOR", "1"))
}

#[tokio::test]
async fn run_opens_with_its_addresses_and_logs_them_once() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let setup = before(&app)
            .tenant("acme.example", "")
            .tenant("*.flexopus.example", "mode = \"report\"")
            .admin("listen = \"127.0.0.1:0\"");
        let site = Site::of(&setup);
        let mut program = plainly(&site, &["run"]);
        let printed = opening(&mut program).await;
        let value = |label: &str| {
            let line =
                printed.lines().find_map(|line| line.strip_prefix("  ")?.strip_prefix(label));
            line.unwrap_or_else(|| panic!("{label} in {printed}")).trim().to_owned()
        };
        assert_eq!(value("tenants"), "enforce  acme.example");
        assert!(printed.contains("\n             report   *.flexopus.example\n"), "{printed}");
        assert_eq!(value("upstream"), format!("http://{}", app.address()));
        assert!(value("warning").starts_with("the certificate is for development"), "{printed}");
        assert!(value("http ").ends_with(", redirects to https"), "{printed}");
        for line in ["INFO", "listening for", "the ledger is signed"] {
            assert!(!printed.contains(line), "{printed}");
        }

        let dashboard = value("dashboard");
        let dashboard = dashboard.strip_prefix("http://").unwrap().strip_suffix('/').unwrap();
        assert_eq!(Operator::at(dashboard).get("/healthz").await.status, 200);
        let https: SocketAddr = value("https").parse().unwrap();
        assert!(printed.contains(&format!("Open https://acme.example:{}/.", https.port())));
        assert_eq!(site.browser_to(https, Http::Two).get("/").await.status, 200);

        program.signal(Signal::INT);
        let finished = program.exit().await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stderr.contains("stopped; every exchange was completed"), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn an_unreachable_application_is_the_first_warning() {
    in_time(async {
        for server in ["http://127.0.0.1:9", "unix:nobody.sock"] {
            let setup = Setup::before_servers(&[server.to_owned()]).limits("connections = 100");
            let site = Site::of(&setup);
            let mut program = plainly(&site, &["run"]);
            let printed = opening(&mut program).await;
            let warnings = printed.lines().filter(|line| line.starts_with("  warning"));
            let warnings: Vec<_> = warnings.collect();
            assert_eq!(warnings.len(), 1, "{printed}");
            assert!(warnings[0].contains("no server answers at "), "{printed}");
            assert!(
                warnings[0].ends_with(": start the application, or correct its address"),
                "{printed}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn with_json_or_debug_a_terminal_gets_log_lines() {
    in_time(async {
        let site = Site::of(&nobody().sections("[log]\nformat = \"json\""));
        let mut program = plainly(&site, &["run"]);
        program.https().await;
        program.signal(Signal::TERM);
        let printed = program.exit().await.stderr;
        assert!(printed.lines().all(|line| line.starts_with('{')), "{printed}");

        let site = Site::of(&nobody());
        let mut command = site.command(&["run"]);
        let mut program =
            site.start_at_terminal(command.env("RUST_LOG", "info").env("NO_COLOR", "1"));
        let printed = opening(&mut program).await;
        assert!(printed.contains("listening for https"), "{printed}");
    })
    .await;
}

#[tokio::test]
async fn a_quiet_gateway_prints_nothing_without_a_problem() {
    in_time(async {
        let app = App::answering(&[("/", &[])]).await;
        let site = Site::of(&before(&app).admin("listen = \"unix:admin.sock\""));
        for is_at_terminal in [true, false] {
            let mut command = site.command(&["run", "--quiet"]);
            let program = if is_at_terminal {
                site.start_at_terminal(&mut command)
            } else {
                site.start_command(&mut command)
            };
            until("it listens", || site.path("admin.sock").exists()).await;
            let operator = Operator::at(&format!("unix:{}", site.path("admin.sock").display()));
            assert_eq!(operator.get("/readyz").await.status, 200);
            for arguments in [
                &["tenants", "set", "globex.example", "session=2h", "-q"][..],
                &["tenants", "remove", "globex.example", "-q"],
                &["reload", "-q"],
            ] {
                let finished = site.run(arguments).await;
                let expected = (Some(0), "", "");
                assert_eq!((finished.code, &*finished.stdout, &*finished.stderr), expected);
            }
            assert!(site.run(&["status", "-q"]).await.stdout.contains("ready          yes"));
            program.signal(Signal::TERM);
            let finished = program.exit().await;
            let expected = (Some(0), "", "");
            assert_eq!((finished.code, &*finished.stdout, &*finished.stderr), expected);
        }
    })
    .await;
}

/// A ledger of one segment, `ledger.db` in the site's folder.
fn closed_ledger(site: &Site) -> PathBuf {
    let ledger = site.path("ledger.db");
    let mut writer = LedgerWriter::new(&ledger, 1_795_428_000);
    writer.traffic("acme.example", &USUAL);
    writer.close();
    ledger
}

#[tokio::test]
async fn quiet_commands_print_problems() {
    in_time(async {
        let site = Site::of(&nobody());
        let ledger = closed_ledger(&site);
        for arguments in [
            &["check", "-q"][..],
            &["-q", "check"],
            &["certificate", "--folder", "certs", "-q"],
            &["audit", "verify", "ledger.db", "-q"],
            &["audit", "export", "ledger.db", "--output", "all.zip", "-q"],
        ] {
            let finished = site.run(arguments).await;
            let expected = (Some(0), "", "");
            assert_eq!(
                (finished.code, &*finished.stdout, &*finished.stderr),
                expected,
                "{arguments:?}"
            );
        }
        let connection = Connection::open(&ledger).unwrap();
        connection.execute("UPDATE verdicts SET count = count + 1", []).unwrap();
        let finished = site.run(&["audit", "verify", "ledger.db", "-q"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stdout.contains("verification failed"), "{finished:?}");
        fs::write(site.path("config.toml"), "[server]\nhtps = []\n").unwrap();
        let finished = site.run(&["check", "-q"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("server.htps"), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn a_slow_command_shows_progress_at_a_terminal_only() {
    in_time(async {
        let site = Site::of(&nobody());
        let ledger = closed_ledger(&site);
        // A process that locks the whole file makes the others wait; in this mode also those who only read.
        let holder = Connection::open(&ledger).unwrap();
        holder.pragma_update(None, "journal_mode", "delete").unwrap();
        holder.execute_batch("BEGIN EXCLUSIVE").unwrap();

        let verify = ["audit", "verify", "ledger.db"];
        let piped = site.start_command(&mut site.command(&verify));
        let quiet = [&verify[..], &["--quiet"]].concat();
        let quiet = site.start_at_terminal(site.command(&quiet).env("TERM", "xterm"));
        let dumb = site.start_at_terminal(site.command(&verify).env("TERM", "dumb"));
        let mut shown = plainly(&site, &verify);
        // They began earlier: if there was something to show, they would have shown it as well.
        shown
            .wait_for("how far it is", |program| {
                program.stderr().contains("Verifying").then_some(())
            })
            .await;
        holder.execute_batch("COMMIT").unwrap();

        let shown = shown.exit().await;
        assert_eq!(shown.code, Some(0), "{shown:?}");
        let (before, after) = shown.stderr.split_once("ledger.db: verified.").unwrap();
        assert!(before.ends_with(WIPED), "{before:?}");
        assert!(!after.contains("Verifying"), "{after:?}");
        let piped = piped.exit().await;
        assert_eq!((piped.code, &*piped.stderr), (Some(0), ""));
        assert!(piped.stdout.starts_with("ledger.db: verified."), "{piped:?}");
        let quiet = quiet.exit().await;
        assert_eq!((quiet.code, &*quiet.stderr), (Some(0), ""));
        let dumb = dumb.exit().await;
        assert!(dumb.stderr.starts_with("ledger.db: verified."), "{dumb:?}");
    })
    .await;
}

/// The line is empty, and the next letter is at its beginning.
const WIPED: &str = "\r\u{1b}[2K";

#[tokio::test]
async fn colour_follows_the_terminal_and_its_variables() {
    in_time(async {
        let site = Site::with_config("[server]\nhtps = []\n");
        for (variables, at_terminal, elsewhere) in [
            (&[][..], true, false),
            (&[("NO_COLOR", "1")], false, false),
            (&[("NO_COLOR", "")], true, false),
            (&[("CLICOLOR", "0")], false, false),
            (&[("CLICOLOR", "1")], true, false),
            (&[("CLICOLOR_FORCE", "1")], true, true),
            (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, false),
            (&[("TERM", "dumb")], false, false),
        ] {
            for arguments in [&["check"][..], &["chekc"]] {
                let mut command = site.command(arguments);
                command.env("TERM", "xterm").env_remove("CI").envs(variables.iter().copied());
                let finished = site.start_at_terminal(&mut command).exit().await;
                assert!(finished.stderr.contains("error"), "{finished:?}");
                assert_eq!(
                    finished.stderr.contains("\u{1b}["),
                    at_terminal,
                    "{variables:?} {finished:?}"
                );
                let finished = site.start_command(&mut command).exit().await;
                assert_eq!(
                    finished.stderr.contains("\u{1b}["),
                    elsewhere,
                    "{variables:?} {finished:?}"
                );
            }
        }
    })
    .await;
}
