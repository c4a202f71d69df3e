//! The commands, as people and scripts run them.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use rustix::process::Signal;

use crate::harness::{App, Finished, Setup, Site, in_time, until};

fn nobody() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
}

/// A folder without a configuration.
fn empty() -> Site {
    let site = Site::of(&nobody());
    for name in ["config.toml", "dev.crt", "dev.key"] {
        fs::remove_file(site.path(name)).unwrap();
    }
    site
}

const SHIPPED: &str = include_str!("../../../config.toml");

/// The command line of each command that prints at once.
const SAYING: [&[&str]; 10] = [
    &["declaration"],
    &["explain", "--cookie", "_ga=1"],
    &["explain", "--cookie", "_ga=1", "--json"],
    &["check"],
    &["check", "--print"],
    &["completions", "bash"],
    &["certificate", "--folder", "more/certs"],
    &["man"],
    &["--help"],
    &["--version"],
];

#[tokio::test]
async fn check_accepts_a_correct_file() {
    in_time(async {
        let finished = Site::of(&nobody()).run(&["check"]).await;
        assert_eq!(
            (finished.code, &*finished.stdout, &*finished.stderr),
            (Some(0), "config.toml: valid, 1 tenant\n", "")
        );
    })
    .await;
}

#[tokio::test]
async fn check_reports_every_mistake_with_its_place_and_the_fix() {
    in_time(async {
        let config = nobody().text() + "[log]\nformat = \"xml\"\nacess = true\n";
        let site = Site::with_config(&config);
        for command in ["check", "run"] {
            let finished = site.run(&[command]).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
            let line_of = |text: &str| 1 + config.lines().position(|line| line == text).unwrap();
            for place in [
                format!("config.toml:{}:10: error: log.format: ", line_of("format = \"xml\"")),
                format!("config.toml:{}:1: error: log.acess: ", line_of("acess = true")),
            ] {
                assert!(finished.stderr.contains(&place), "{place} in {}", finished.stderr);
            }
            assert!(finished.stderr.contains("access"), "the fix: {}", finished.stderr);
        }
    })
    .await;
}

#[tokio::test]
async fn check_reports_all_mistakes_in_certificates_and_authorities_at_once() {
    in_time(async {
        let config = nobody().upstream("ca = \"authority.pem\"").text();
        let config = config.replace("http://127.0.0.1:9", "https://127.0.0.1:9");
        let site = Site::with_config(&config);
        fs::remove_file(site.path("dev.key")).unwrap();
        fs::write(site.path("authority.pem"), "nothing\n").unwrap();
        let finished = site.run(&["check"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
        for (key, text) in [
            ("tls.certificates", "dev.key: no such file; correct the path"),
            (
                "upstreams.app.ca",
                "authority.pem: the file has no certificate: it has no PEM section",
            ),
        ] {
            let written = key.rsplit('.').next().unwrap();
            let line = config.lines().position(|line| line.starts_with(written)).unwrap() + 1;
            let place = format!("config.toml:{line}:");
            let message = finished.stderr.lines().find(|line| line.contains(text));
            let message = message.unwrap_or_else(|| panic!("{text} in {}", finished.stderr));
            assert!(
                message.starts_with(&place) && message.contains(&format!(" error: {key}: ")),
                "{message}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn check_warns_of_a_tenant_that_no_certificate_covers() {
    in_time(async {
        let setup = nobody().tenant("covered.flexopus.example", "").tenant("bare.example", "");
        let finished = Site::of(&setup).run(&["check"]).await;
        assert_eq!(finished.code, Some(0), "a warning is no error: {finished:?}");
        assert_eq!(finished.stdout, "config.toml: valid, 2 tenants\n");
        let warnings: Vec<_> =
            finished.stderr.lines().filter(|line| line.contains(" warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("no certificate covers the tenant bare.example"));
    })
    .await;
}

#[tokio::test]
async fn check_warns_once_however_many_tenants_no_certificate_covers() {
    in_time(async {
        let tenants = (0..20_000).map(|n| format!("[tenants.\"t{n}.bare.example\"]\n"));
        let setup = nobody().defaults("evict = \"host\"");
        let setup = setup.sections(&tenants.collect::<String>());
        let finished = Site::of(&setup).run(&["check"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let warnings: Vec<_> =
            finished.stderr.lines().filter(|line| line.contains(" warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].ends_with("t1000.bare.example and 19995 more"), "{warnings:?}");
    })
    .await;
}

#[tokio::test]
async fn check_prints_an_equivalent_configuration() {
    in_time(async {
        let setup = nobody().server("workers = 3").tenant("acme.example", "session = \"2h\"");
        let site = Site::of(&setup.sections("[log]\naccess = true"));
        let mut overridden = site.command(&["check", "--print"]);
        overridden.env("CRUMBGATE_SERVER__DRAIN", "7s");
        let first = site.start_command(&mut overridden).exit().await;
        assert_eq!((first.code, &*first.stderr), (Some(0), ""), "{first:?}");
        assert!(first.stdout.contains("CRUMBGATE_SERVER__DRAIN"), "{}", first.stdout);

        fs::write(site.path("printed.toml"), &first.stdout).unwrap();
        let second = site.run(&["check", "--print", "--config", "printed.toml"]).await;
        assert_eq!((second.code, &*second.stderr), (Some(0), ""), "{second:?}");
        let parse = |text: &str| text.parse::<toml::Table>().unwrap();
        assert_eq!(parse(&first.stdout), parse(&second.stdout));
        assert_eq!(parse(&first.stdout)["server"]["drain"].as_str(), Some("7s"));
        assert_eq!(parse(&first.stdout)["server"]["workers"].as_integer(), Some(3));
    })
    .await;
}

#[tokio::test]
async fn without_a_configuration_the_error_explains_how_to_begin() {
    in_time(async {
        let site = empty();
        for command in ["run", "check", "health"] {
            let finished = site.run(&[command]).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
            for part in ["config.toml: error: ", "--config", "crumbgate init", "crumbgate demo"] {
                assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_shipped_configuration_runs_after_the_steps_that_check_names() {
    in_time(async {
        let site = empty();
        fs::write(site.path("config.toml"), SHIPPED).unwrap();
        let finished = site.run(&["check"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.stderr.contains("`crumbgate certificate` creates one"),
            "{}",
            finished.stderr
        );
        assert_eq!(site.run(&["certificate"]).await.code, Some(0));
        let finished = site.run(&["check"]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn certificate_writes_two_files_and_overwrites_none_without_overwrite() {
    in_time(async {
        let site = empty();
        let finished =
            site.run(&["certificate", "acme.example", "*.acme.example", "192.0.2.7"]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
        assert_eq!(finished.stdout, "certs/dev.crt\ncerts/dev.key\n");
        let mode = |name: &str| fs::metadata(site.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode("certs/dev.key"), 0o600);
        let shown = Command::new("openssl")
            .args(["x509", "-noout", "-ext", "subjectAltName", "-in"])
            .arg(site.path("certs/dev.crt"))
            .output()
            .unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        for name in
            ["DNS:acme.example", "DNS:*.acme.example", "IP Address:192.0.2.7", "DNS:localhost"]
        {
            assert!(shown.contains(name), "{name} in {shown}");
        }

        let key = fs::read(site.path("certs/dev.key")).unwrap();
        let finished = site.run(&["certificate"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("use --overwrite"), "{}", finished.stderr);
        assert_eq!(fs::read(site.path("certs/dev.key")).unwrap(), key);
        assert_eq!(site.run(&["certificate", "--overwrite"]).await.code, Some(0));
        assert_ne!(fs::read(site.path("certs/dev.key")).unwrap(), key);
    })
    .await;
}

#[tokio::test]
async fn an_error_is_one_line_with_its_causes() {
    in_time(async {
        let site = empty();
        fs::write(site.path("file"), "").unwrap();
        for (arguments, what, cause) in [
            (
                &["certificate", "--folder", "file/certs"][..],
                "file/certs can't be written; check",
                "Not a directory",
            ),
            (
                &["certificate", "b ad"],
                "`b ad` is not a host name or address; expected",
                "such as `127.0.0.1`",
            ),
        ] {
            let finished = site.run(arguments).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
            assert_eq!(finished.stderr.lines().count(), 1, "{}", finished.stderr);
            assert!(
                finished.stderr.starts_with(&format!("crumbgate: {what}")),
                "{}",
                finished.stderr
            );
            assert!(finished.stderr.contains(cause), "{}", finished.stderr);
        }
    })
    .await;
}

/// A loopback address with a port that was free a moment ago, and that no other test uses.
fn unused_address() -> SocketAddr {
    let number = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, 1 | number[1], number[2], number[3].max(1));
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap()
}

#[tokio::test]
async fn health_is_0_while_the_gateway_answers_even_if_its_application_is_down() {
    in_time(async {
        let address = unused_address();
        let listener = format!("https = [\"{address}\"]");
        for unknown_hosts in ["refuse", "default"] {
            let app = App::answering(&[("/", &[])]).await;
            for setup in [Setup::before(&app), nobody()] {
                let setup = setup.defaults(&format!("unknown_hosts = {unknown_hosts:?}"));
                let config = setup.text().replace("https = [\"127.0.0.1:0\"]", &listener);
                let site = Site::with_config(&config);
                let down = site.run(&["health"]).await;
                assert_eq!(down.code, Some(1), "{down:?}");
                let expected =
                    format!("crumbgate: nothing answers at {address}: Connection refused");
                assert!(down.stderr.contains(&expected), "{}", down.stderr);

                let mut program = site.start();
                program.https().await;
                let up = site.run(&["health"]).await;
                assert_eq!(
                    (up.code, &*up.stdout),
                    (Some(0), "the gateway answers (405)\n"),
                    "{up:?}"
                );
                program.signal(Signal::TERM);
                assert_eq!(program.exit().await.code, Some(0));
                assert_eq!(site.run(&["health"]).await.code, Some(1));
            }
            assert_eq!(app.connections(), 0, "no application is bothered");
        }
    })
    .await;
}

#[tokio::test]
async fn health_checks_a_gateway_that_only_redirects_and_listens_on_all_addresses() {
    in_time(async {
        let port = unused_address().port();
        let setup = nobody().text().replace("https = [\"127.0.0.1:0\"]", "https = []");
        let config = setup.replace("127.0.0.1:0", &format!("0.0.0.0:{port}"));
        let site = Site::with_config(&config);
        let mut program = site.start();
        program.http().await;
        let finished = site.run(&["health"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn health_is_not_fooled_by_another_program_at_the_gateway_s_address() {
    in_time(async {
        let address = unused_address();
        let listener = format!("https = [\"{address}\"]");
        let config = nobody().text().replace("https = [\"127.0.0.1:0\"]", &listener);
        let (ours, theirs) = (Site::with_config(&config), Site::with_config(&config));
        let mut other = theirs.start();
        other.https().await;
        let finished = ours.run(&["health"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn health_cannot_know_a_port_that_the_system_chose() {
    in_time(async {
        let finished = Site::of(&nobody()).run(&["health"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("configure a fixed port"), "{}", finished.stderr);
    })
    .await;
}

#[tokio::test]
async fn completions_know_every_command_and_bash_can_read_them() {
    in_time(async {
        let site = empty();
        for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
            let finished = site.run(&["completions", shell]).await;
            assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
            for command in COMMANDS {
                assert!(finished.stdout.contains(command), "{command} for {shell}");
            }
            if shell == "bash" {
                fs::write(site.path("completions"), &finished.stdout).unwrap();
                let read = Command::new("bash").arg("-n").arg(site.path("completions")).output();
                assert!(read.as_ref().unwrap().status.success(), "{read:?}");
            }
        }
    })
    .await;
}

const COMMANDS: [&str; 16] = [
    "audit",
    "certificate",
    "check",
    "completions",
    "declaration",
    "demo",
    "explain",
    "guard",
    "health",
    "init",
    "man",
    "reload",
    "run",
    "seal",
    "status",
    "tenants",
];

#[tokio::test]
async fn the_command_reference_has_each_command() {
    in_time(async {
        let book = include_str!("../../../docs/reference/commands.md");
        let table = book.split("## Overview").nth(1).unwrap().split("##").next().unwrap();
        let pages = empty().run(&["man"]).await.stdout;
        let titles =
            pages.lines().filter_map(|line| line.strip_prefix(".TH crumbgate-")?.split(' ').next());
        let mut commands = 0;
        for title in titles {
            // A command of several parts is in the row of its first part: `audit report`, `export`.
            let (row, part) = ["audit", "seal", "tenants"]
                .iter()
                .find_map(|above| Some((*above, title.strip_prefix(above)?.strip_prefix('-')?)))
                .unwrap_or((title, title));
            let mut rows = table.lines().filter(|line| line.contains(&format!("crumbgate {row}")));
            let is_named = |line: &str| {
                line.contains(&format!("`{part}")) || line.contains(&format!(" {part}"))
            };
            assert!(rows.any(is_named), "{title} is in no row of docs/reference/commands.md");
            commands += 1;
        }
        assert!(commands > 20, "{commands}");
    })
    .await;
}

#[tokio::test]
async fn the_manual_has_a_page_for_every_command_that_it_names() {
    in_time(async {
        let finished = empty().run(&["man"]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
        let titles: Vec<_> = finished
            .stdout
            .lines()
            .filter_map(|line| line.strip_prefix(".TH ")?.split(' ').next())
            .collect();
        let named = COMMANDS.map(|command| format!("crumbgate-{command}"));
        assert_eq!(titles[0], "crumbgate");
        let (below, above): (Vec<_>, Vec<_>) =
            titles[1..].iter().partition(|title| title.matches('-').count() > 1);
        assert_eq!(above, named.each_ref().map(String::as_str), "{titles:?}");
        for title in ["crumbgate-audit-verify", "crumbgate-tenants-apply"] {
            assert!(below.contains(&title), "{titles:?}");
        }
        for name in named {
            let name = name.replace('-', "\\-");
            assert!(finished.stdout.contains(&format!("{name}(1)")), "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_manual_pages_are_written_into_a_folder_one_file_each() {
    in_time(async {
        let site = empty();
        let printed = site.run(&["man"]).await.stdout;
        let finished = site.run(&["man", "--folder", "more/man"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(0), ""), "{finished:?}");
        let pages = printed.lines().filter_map(|line| line.strip_prefix(".TH ")?.split(' ').next());
        let mut count = 0;
        for page in pages {
            let file = site.path("more/man").join(format!("{page}.1"));
            let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{page}: {error}"));
            assert!(text.contains(&format!(".TH {page} 1 ")) && printed.contains(&text), "{page}");
            count += 1;
        }
        assert_eq!(fs::read_dir(site.path("more/man")).unwrap().count(), count);
    })
    .await;
}

#[tokio::test]
async fn the_help_of_every_command_fits_a_terminal() {
    in_time(async {
        let site = empty();
        let mut pages = vec![site.run(&["--help"]).await];
        for command in COMMANDS {
            assert!(pages[0].stdout.contains(&format!("  {command} ")), "{}", pages[0].stdout);
            let page = site.run(&[command, "--help"]).await;
            assert!(
                page.stdout.contains(&format!("Usage: crumbgate {command}")),
                "{}",
                page.stdout
            );
            pages.push(page);
        }
        assert!(pages[0].stdout.contains("Exit codes: 0 "), "{}", pages[0].stdout);
        assert!(pages[0].stdout.contains("crumbgate demo"), "{}", pages[0].stdout);
        for page in pages {
            assert_eq!((page.code, &*page.stderr), (Some(0), ""), "{page:?}");
            for line in page.stdout.lines() {
                assert!(line.chars().count() <= 100, "{line}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_usage_exits_with_2_and_prints_to_standard_error() {
    in_time(async {
        let site = Site::of(&nobody());
        for arguments in [
            &[][..],
            &["chekc"],
            &["check", "--colour"],
            &["check", "config.toml"],
            &["run", "--config"],
            &["demo", "--port", "65536"],
            &["completions", "tcsh"],
            &["explain"],
            &["explain", "--path", "api"],
            &["explain", "--status", "99"],
            &["explain", "--cookie", "a=1", "--method", "G T"],
            &["explain", "--cookie", "a=1", "--tenant", "a b"],
        ] {
            let finished = site.run(arguments).await;
            assert_eq!(
                (finished.code, &*finished.stdout),
                (Some(2), ""),
                "{arguments:?}: {finished:?}"
            );
            assert!(finished.stderr.contains("--help"), "{}", finished.stderr);
        }
        let finished = site.run(&["chekc"]).await;
        assert!(finished.stderr.contains("'check'"), "it is a slip: {}", finished.stderr);
    })
    .await;
}

#[tokio::test]
async fn there_is_no_colour_where_there_is_no_terminal() {
    in_time(async {
        let site = Site::of(&nobody());
        let broken = Site::with_config("[server]\nhtps = []\n");
        let mut finished: Vec<Finished> = Vec::new();
        for arguments in SAYING {
            finished.push(site.run(arguments).await);
            assert_eq!(finished.last().unwrap().code, Some(0), "{arguments:?} {finished:?}");
        }
        for arguments in [&["check"][..], &["chekc"], &[]] {
            finished.push(broken.run(arguments).await);
        }
        for finished in finished {
            assert!(!(finished.stdout + &finished.stderr).contains('\u{1b}'));
        }
    })
    .await;
}

#[tokio::test]
async fn a_closed_output_pipe_is_no_failure() {
    in_time(async {
        let site = Site::of(&nobody());
        for arguments in SAYING {
            let mut command = site.command(arguments);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
            if arguments[0] == "certificate" {
                command.arg("--overwrite");
            }
            let mut child = command.spawn().unwrap();
            drop(child.stdout.take());
            let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
            let output = output.await.unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_output_that_can_not_be_written_is_a_failure() {
    in_time(async {
        let site = Site::of(&nobody());
        for arguments in [&["check"][..], &["check", "--print"], &["completions", "fish"], &["man"]]
        {
            let mut command = site.command(arguments);
            let full = File::options().write(true).open("/dev/full").unwrap();
            command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
            let output = tokio::task::spawn_blocking(move || command.output().unwrap());
            let output = output.await.unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
            assert!(
                stderr.starts_with("crumbgate: standard output can't be written: "),
                "{stderr}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn the_demo_prints_addresses_that_serve_and_lines_that_work() {
    in_time(async {
        let site = empty();
        let folders = site.path("temporary");
        fs::create_dir(&folders).unwrap();
        let mut command = site.command(&["demo", "--port", "0"]);
        command.env("TMPDIR", &folders);
        let mut program = site.start_command(&mut command);
        let address = program.https().await;
        assert_ne!(address.port(), 0);
        let printed = program
            .wait_for("what to try", |program| {
                Some(program.stdout()).filter(|printed| printed.contains("Stop with Ctrl-C"))
            })
            .await;
        assert!(
            printed.contains(&format!("https://acme.localhost:{}/", address.port())),
            "{printed}"
        );

        let lines: Vec<_> =
            printed.lines().map(str::trim).filter(|l| l.starts_with("curl ")).collect();
        let message = |line: &str| {
            let output = Command::new("sh").args(["-c", line]).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let [set, through, received] = lines[..] else { panic!("{printed}") };
        let (set, through, received) = (message(set), message(through), message(received));
        assert!(set.lines().count() > 10 && set.contains("_ga"), "{set}");
        let names: Vec<_> = through
            .lines()
            .map(|line| line.split_once(": ").unwrap().1.split('=').next().unwrap())
            .collect();
        assert!(!names.is_empty(), "{through}");
        for name in names {
            assert!(
                ["XSRF-TOKEN", "flexopus_session", "visitedMapBuilder"].contains(&name),
                "{through}"
            );
        }
        assert!(received.contains("flexopus_session") && !received.contains("_fbp"), "{received}");
        let ours = |line: &str| {
            let line = line.trim().replacen("crumbgate", env!("CARGO_BIN_EXE_crumbgate"), 1);
            message(&line)
        };
        let line = |words: &str| printed.lines().find(|line| line.contains(words)).unwrap();
        let set = ours(line("crumbgate tenants set new.localhost"));
        assert!(set.starts_with("new.localhost: set"), "{set}");
        assert!(ours(line("crumbgate status")).contains("1 of them set at run time"));

        program.signal(Signal::INT);
        assert_eq!(program.exit().await.code, Some(0));
        until("its folder is gone", || fs::read_dir(&folders).unwrap().next().is_none()).await;
    })
    .await;
}

#[tokio::test]
async fn the_demo_says_what_to_do_where_its_port_is_taken() {
    in_time(async {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let finished = empty().run(&["demo", "--port", &port]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
        let message = finished.stderr.lines().find(|line| line.starts_with("crumbgate: ")).unwrap();
        assert!(
            message.contains(&port) && message.contains("crumbgate demo --port 0"),
            "{message}"
        );
    })
    .await;
}
