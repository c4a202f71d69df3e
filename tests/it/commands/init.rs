//! `crumbgate init`: from an application's address to a gateway that serves it.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    process::Command,
};

use crumbgate::certificate;
use crumbgate_base::clock::Clock;
use crumbgate_config::Config;
use rustix::process::Signal;

use crate::harness::{App, Program, Setup, Site, in_time};

/// A folder without a configuration.
fn empty() -> Site {
    let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
    for name in ["config.toml", "dev.crt", "dev.key"] {
        fs::remove_file(site.path(name)).unwrap();
    }
    site
}

/// The files in the folder, without those of the test itself.
fn files(site: &Site, folder: &str) -> Vec<String> {
    let names = fs::read_dir(site.path(folder)).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| !name.starts_with("output-")).collect();
    names.sort();
    names
}

/// Starts `crumbgate run` with its admin listener on port 0.
fn serving(site: &Site) -> Program<'_> {
    let mut command = site.command(&["run"]);
    command.env("CRUMBGATE_ADMIN__LISTEN", "127.0.0.1:0");
    site.start_command(&mut command)
}

/// The output of a curl command line that a user has copied.
async fn shell(site: &Site, curl: &str) -> String {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{curl} -sS -m 20 --noproxy '*'")]).current_dir(site.path("."));
    let output = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_configuration_of_init_is_correct_and_serves_as_printed() {
    in_time(async {
        let app = App::answering(&[(
            "/",
            &["set-cookie: _ga=1", "set-cookie: flexopus_session=abc; Path=/; Max-Age=60"],
        )])
        .await;
        let site = empty();
        let upstream = format!("http://{}", app.address());
        let made = site.run(&["init", &upstream, "--listen", "127.0.0.1:0"]).await;
        assert_eq!((made.code, &*made.stderr), (Some(0), ""), "{made:?}");
        assert_eq!(files(&site, "."), ["certs", "config.toml"]);
        assert_eq!(files(&site, "certs"), ["dev.crt", "dev.key"]);
        let next = made.stdout.split_once("Next:\n").unwrap().1;
        assert!(next.lines().count() <= 5, "{next}");
        assert!(next.contains("  crumbgate run\n"), "{next}");

        let checked = site.run(&["check"]).await;
        let expected = (Some(0), "config.toml: valid, 2 tenants\n", "");
        assert_eq!((checked.code, &*checked.stdout, &*checked.stderr), expected);

        let mut program = serving(&site);
        let address = program.https().await;
        assert!(address.ip().is_loopback(), "localhost is nobody else's: {address}");
        let curl = next.lines().find(|line| line.contains("curl")).unwrap().trim();
        let curl = curl.replace("PORT", &address.port().to_string());
        let answer = shell(&site, &format!("{curl} -b '_ga=1; XSRF-TOKEN=t'")).await;
        assert!(answer.contains("set-cookie: flexopus_session=abc; Max-Age=604800"), "{answer}");
        assert!(!answer.contains("_ga") && answer.ends_with("hello"), "{answer}");
        assert_eq!(app.received()[0].field("cookie"), Some("XSRF-TOKEN=t"));
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
    })
    .await;
}

#[tokio::test]
async fn keys_that_init_comments_out_can_be_enabled() {
    in_time(async {
        for arguments in [
            &["init", "https://app.example"][..],
            &["init", "unix:app.sock", "--report", "--host", "*.acme.example"],
        ] {
            let site = empty();
            assert_eq!(site.run(arguments).await.code, Some(0));
            let text = fs::read_to_string(site.path("config.toml")).unwrap();
            assert!(text.matches("\n## ").count() > 7, "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 120), "{text}");
            fs::write(site.path("config.toml"), text.replace("\n## ", "\n")).unwrap();
            let loaded = Config::load(&site.path("config.toml"), []);
            let config = loaded.unwrap_or_else(|problems| panic!("{problems}")).config;
            assert_eq!(config.declaration.cookies().len(), 1);
            assert!(config.server.watch && config.upstreams[0].health.is_some());
        }
    })
    .await;
}

#[tokio::test]
async fn init_overwrites_nothing_without_overwrite() {
    in_time(async {
        let site = empty();
        assert_eq!(site.run(&["init", "8000"]).await.code, Some(0));
        let read =
            || ["config.toml", "certs/dev.key"].map(|name| fs::read(site.path(name)).unwrap());
        let before = read();
        let again = site.run(&["init", "9000"]).await;
        assert_eq!((again.code, &*again.stdout), (Some(1), ""), "{again:?}");
        let message = "crumbgate: config.toml exists already; use --overwrite to replace it";
        assert!(again.stderr.starts_with(message), "{}", again.stderr);
        assert_eq!(read(), before);

        fs::remove_file(site.path("config.toml")).unwrap();
        let again = site.run(&["init", "9000"]).await;
        assert_eq!((again.code, &*again.stdout), (Some(1), ""), "{again:?}");
        let fix = "--certificate certs/dev.crt --key certs/dev.key";
        assert!(again.stderr.contains(fix), "{}", again.stderr);
        assert_eq!(files(&site, "."), ["certs"]);

        // The fix that the message names works.
        let fixed = [&["init", "9000"], &fix.split(' ').collect::<Vec<_>>()[..]].concat();
        assert_eq!(site.run(&fixed).await.code, Some(0));
        assert_eq!(read()[1], before[1]);

        for force in ["--overwrite", "--force"] {
            let before = read();
            assert_eq!(site.run(&["init", "7000", force]).await.code, Some(0));
            assert!(read()[0] != before[0] || force == "--force");
            assert_ne!(read()[1], before[1]);
            let mode = fs::metadata(site.path("certs/dev.key")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(files(&site, "."), ["certs", "config.toml"]);
        assert_eq!(files(&site, "certs"), ["dev.crt", "dev.key"]);
    })
    .await;
}

#[tokio::test]
async fn init_reports_the_option_and_the_fix_for_invalid_input_and_writes_nothing() {
    in_time(async {
        let site = empty();
        File::create(site.path("file")).unwrap();
        for (arguments, code, option, fix) in [
            (&["ftp://a"][..], 2, "[UPSTREAM]", "begin with http://, https:// or unix:"),
            (&["--upstream", "http://a/b"], 2, "--upstream", "write \"http://a\""),
            (&["8000", "--upstream", "8000"], 2, "--upstream", "cannot be used"),
            (&[], 2, "<UPSTREAM", "--help"),
            (&["8000", "--host", "a:80"], 2, "--host", "write a"),
            (&["8000", "--listen", "8443"], 2, "--listen", "--help"),
            (&["8000", "--certificate", "a.pem"], 2, "--key", "--help"),
            (&["8000", "--certificate", "no.crt", "--key", "no.key"], 1, "--certificate", "no.crt"),
            (&["8443"], 1, "--listen", "--listen 127.0.0.1:8444"),
            (
                &["8000", "--config", "file/config.toml"],
                1,
                "file/config.toml",
                "check the permissions of its folder",
            ),
            (&["8000", "--host", "a-.example"], 1, "a-.example", "expected a name such as"),
        ] {
            let finished = site.run(&[&["init"], arguments].concat()).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(code), ""), "{finished:?}");
            for part in [option, fix] {
                assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
            }
            assert_eq!(files(&site, "."), ["file"], "{arguments:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn with_a_certificate_of_the_operator_none_is_made() {
    in_time(async {
        let site = empty();
        let now = Clock::system().now();
        for folder in ["own", "other"] {
            let made = certificate::make(&["www.acme.example"], now).unwrap();
            made.write(&site.path(folder), false).unwrap();
        }
        let init = |key: &'static str| {
            let own = ["--host", "www.acme.example", "--certificate", "own/dev.crt", "--key", key];
            [&["init", "unix:app.sock", "--config", "etc/gateway.toml"], &own[..]].concat()
        };
        let mismatch = site.run(&init("other/dev.key")).await;
        assert_eq!(mismatch.code, Some(1), "{mismatch:?}");
        assert!(mismatch.stderr.contains("does not match the certificate"), "{mismatch:?}");
        assert_eq!(files(&site, "."), ["other", "own"]);

        let made = site.run(&init("own/dev.key")).await;
        assert_eq!((made.code, &*made.stderr), (Some(0), ""), "{made:?}");
        assert_eq!(files(&site, "etc"), ["gateway.toml"]);
        assert!(made.stdout.contains("  crumbgate run --config etc/gateway.toml\n"), "{made:?}");
        let curl =
            "curl -i --resolve www.acme.example:8443:127.0.0.1 https://www.acme.example:8443/";
        assert!(made.stdout.contains(curl), "{made:?}");
        // Paths on the command line are resolved relative to the file's own folder.
        let checked = site.run(&["check", "--config", "etc/gateway.toml"]).await;
        assert_eq!((checked.code, &*checked.stderr), (Some(0), ""), "{checked:?}");
        let loaded = Config::load(&site.path("etc/gateway.toml"), []).unwrap();
        let here = fs::canonicalize(site.path(".")).unwrap();
        let server = format!("unix:{}", here.join("app.sock").display());
        assert_eq!(loaded.config.upstreams[0].servers[0].to_string(), server);
        assert_eq!(loaded.config.server.https[0].to_string(), "0.0.0.0:8443");
    })
    .await;
}

#[tokio::test]
async fn hosts_that_are_named_are_served_and_are_in_the_certificate() {
    in_time(async {
        let site = empty();
        let hosts =
            ["--host", "Acme.Example", "--host", "*.acme.example", "--host", "acme.example"];
        let made = site.run(&[&["init", "--upstream", "app:3000"], &hosts[..]].concat()).await;
        assert_eq!((made.code, &*made.stderr), (Some(0), ""), "{made:?}");
        let checked = site.run(&["check"]).await;
        let expected = (Some(0), "config.toml: valid, 2 tenants\n");
        assert_eq!((checked.code, &*checked.stdout), expected);
        // The operator chooses whether the cookies of the domain that they share are deleted.
        let warnings = checked.stderr.lines().filter(|line| line.contains(" warning: "));
        let shared = "defaults.evict: several hosts share the domain acme.example, ";
        assert!(warnings.map(|line| line.contains(shared)).eq([true]), "{checked:?}");
    })
    .await;
}

#[tokio::test]
async fn init_in_report_mode_changes_no_cookie() {
    in_time(async {
        let app = App::answering(&[("/", &["set-cookie: _ga=1; Path=/"])]).await;
        let site = empty();
        let upstream = app.address().to_string();
        let arguments = ["init", &upstream, "--listen", "127.0.0.1:0", "--report"];
        let made = site.run(&arguments).await;
        assert_eq!((made.code, &*made.stderr), (Some(0), ""), "{made:?}");
        assert!(made.stdout.contains("no cookie is changed"), "{}", made.stdout);
        let mut program = serving(&site);
        let address = program.https().await;
        let port = address.port();
        let curl = format!("curl -i --cacert certs/dev.crt https://localhost:{port}/");
        let answer = shell(&site, &curl).await;
        assert!(answer.contains("set-cookie: _ga=1; Path=/\r\n"), "{answer}");
    })
    .await;
}

#[tokio::test]
async fn init_with_quiet_prints_nothing() {
    in_time(async {
        let site = empty();
        let finished = site.run(&["init", "8000", "--quiet"]).await;
        let expected = (Some(0), "", "");
        assert_eq!((finished.code, &*finished.stdout, &*finished.stderr), expected);
        assert_eq!(files(&site, "."), ["certs", "config.toml"]);
    })
    .await;
}
