//! `crumbgate audit report`, as an auditor runs it: through the real binary, from a ledger in a file.

use std::{fs, path::Path, process::Command};

use serde_json::Value;

use crate::{
    harness::{Finished, NOW_UNIX_S, Setup, Site, in_time, without_variables},
    ledger::{HOSTILE, hostile, rich},
};

/// A folder with a configuration, and the ledger that it names.
fn site(write: fn(&Path, u64)) -> Site {
    let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
    let site = Site::of(&setup.tenant("new.flexopus.example", ""));
    fs::create_dir(site.path("state")).unwrap();
    write(&site.path("state/crumbgate.db"), NOW_UNIX_S);
    site
}

async fn report(site: &Site, arguments: &[&str]) -> Finished {
    site.run(&[&["audit", "report"], arguments].concat()).await
}

/// A report whose text is on standard output, with nothing on standard error.
async fn made(site: &Site, arguments: &[&str]) -> String {
    let finished = report(site, arguments).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{arguments:?}");
    finished.stdout
}

#[tokio::test]
async fn a_report_is_made_in_each_format_and_language() {
    in_time(async {
        let site = site(rich);
        let text = made(&site, &[]).await;
        assert!(text.starts_with("Cookie report\n"), "{text}");
        assert!(text.contains("  Balances           yes\n"), "{text}");
        let text = made(&site, &["--language", "de"]).await;
        assert!(text.starts_with("Cookie-Bericht\n"), "{text}");
        let html = made(&site, &["--format", "html", "--language", "de"]).await;
        assert!(html.starts_with("<!DOCTYPE html><html lang=\"de\">"));
        let json: Value = serde_json::from_str(&made(&site, &["--format", "json"]).await).unwrap();
        assert_eq!(json["format"], "crumbgate-report/1");
        assert_eq!(json["books"]["request"]["difference"], 0);
        assert_eq!(json["tenants"].as_array().unwrap().len(), 3);
        let csv = made(&site, &["--format", "csv"]).await;
        assert!(csv.starts_with("\u{feff}kind,tenant,mode,cookie,"), "{csv}");
    })
    .await;
}

/// The text before the first gap of a line: its label, in the tables of a report.
fn label(line: &str) -> &str {
    line.trim().split("  ").next().unwrap_or_default()
}

#[tokio::test]
async fn the_sample_of_the_page_for_auditors_has_the_labels_of_a_report() {
    in_time(async {
        let page = include_str!("../../../docs/for-auditors.md");
        let sample = page.split("```\n").nth(1).unwrap();
        assert!(sample.starts_with("Cookie report\n"), "{sample}");
        let text = made(&site(rich), &["--tenant", "acme.flexopus.example"]).await;
        let labels: Vec<_> = text.lines().map(label).collect();
        for line in sample.lines().filter(|line| !line.is_empty()) {
            assert!(labels.contains(&label(line)), "{line}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_report_covers_the_requested_tenant_and_time() {
    in_time(async {
        let site = site(rich);
        let day = ["--since", "2026-11-17", "--until", "2026-11-17"];
        let acme = ["--tenant", "ACME.flexopus.example", "--format", "json"];
        let json = made(&site, &[&day[..], &acme].concat()).await;
        let json: Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["tenant"], "acme.flexopus.example");
        assert_eq!(json["period"]["since"], "2026-11-17T00:00:00Z");
        assert_eq!(json["period"]["until"], "2026-11-18T00:00:00Z");
        let rows = json["stripped"].as_array().unwrap();
        assert!(rows.iter().all(|row| row["tenant"] == "acme.flexopus.example"));
        assert!(rows.iter().all(|row| row["first"].as_str().unwrap().starts_with("2026-11-17T")));
    })
    .await;
}

#[tokio::test]
async fn cookies_that_an_application_may_depend_on_come_first() {
    in_time(async {
        let text = made(&site(rich), &["--tenant", "initech.flexopus.example"]).await;
        let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} in {text}"));
        assert!(at("Review before enforcing") < at("Declared cookies"));
        let order = ["\n  sso_state\n", "\n  locale_pref\n", "\n  _ga\n", "\n  ab_test_bucket\n"];
        assert!(order.map(at).is_sorted(), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_report_goes_to_a_file_if_one_is_named() {
    in_time(async {
        let site = site(rich);
        let arguments = ["--format", "html", "--output", "report.html"];
        assert_eq!(made(&site, &arguments).await, "");
        let written = fs::read_to_string(site.path("report.html")).unwrap();
        assert!(written.ends_with("</html>\n"));
        let finished = report(&site, &["--output", "nowhere/report.txt"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
        assert!(finished.stderr.contains("nowhere/report.txt can't be written"), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn a_copy_of_a_ledger_needs_no_configuration() {
    in_time(async {
        let site = site(rich);
        fs::rename(site.path("state/crumbgate.db"), site.path("copy.db")).unwrap();
        fs::remove_file(site.path("config.toml")).unwrap();
        assert!(made(&site, &["--ledger", "copy.db"]).await.starts_with("Cookie report\n"));
    })
    .await;
}

#[tokio::test]
async fn without_a_ledger_the_error_names_the_fix() {
    in_time(async {
        let site = site(rich);
        fs::remove_file(site.path("state/crumbgate.db")).unwrap();
        let finished = report(&site, &[]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
        for part in ["crumbgate.db: there is no such file", "--ledger", "--config"] {
            assert!(finished.stderr.contains(part), "{finished:?}");
        }
        fs::write(site.path("state/crumbgate.db"), "no database, but long enough to look").unwrap();
        let finished = report(&site, &[]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""), "{finished:?}");
        fs::remove_file(site.path("config.toml")).unwrap();
        let finished = report(&site, &[]).await;
        assert_eq!(finished.code, Some(1));
        assert!(
            finished.stderr.contains("config.toml: error: there is no such file"),
            "{finished:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_unknown_tenant_is_refused_with_similar_names() {
    in_time(async {
        let site = site(rich);
        let finished = report(&site, &["--tenant", "acne.flexopus.example"]).await;
        assert_eq!((finished.code, &*finished.stdout), (Some(1), ""));
        assert!(finished.stderr.contains("similar names: acme.flexopus.example"), "{finished:?}");
        // It is configured, and has had no traffic.
        let text = made(&site, &["--tenant", "new.flexopus.example"]).await;
        assert!(text.contains("The ledger has no entries for this period."), "{text}");
    })
    .await;
}

#[tokio::test]
async fn wrong_usage_and_failure_have_different_exit_codes() {
    in_time(async {
        let site = site(rich);
        for (arguments, message) in [
            (&["--since", "yesterday"][..], "expected a day"),
            (
                &["--since", "2026-11-20", "--until", "2026-11-19"],
                "--until must be later than --since",
            ),
            (&["--format", "pdf"], "possible values: csv, html, json, text"),
            (&["--language", "fr"], "possible values: de, en"),
        ] {
            let finished = report(&site, arguments).await;
            assert_eq!((finished.code, &*finished.stdout), (Some(2), ""), "{arguments:?}");
            assert!(finished.stderr.contains(message), "{finished:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a4_no_name_from_outside_has_an_effect_on_its_reader() {
    in_time(async {
        let site = site(hostile);
        for format in ["text", "html", "json", "csv"] {
            let written = made(&site, &["--format", format]).await;
            let acts =
                |c: char| matches!(c, '\u{1b}' | '\u{7f}'..='\u{9f}' | '\u{202e}' | '\u{2066}');
            assert!(!written.contains(acts), "{format}");
            assert!(written.contains(HOSTILE[13]), "{format} has the longest name, as a whole");
        }
        let finished = report(&site, &["--tenant", "\u{1b}[2J"]).await;
        assert!(!finished.stderr.contains('\u{1b}'), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn a_terminal_gets_colour_unless_it_is_disabled() {
    in_time(async {
        let site = site(rich);
        for (no_color, expected) in [(None, true), (Some("1"), false)] {
            // `script` provides a terminal. The progress of a slow report would be drawn there, too.
            let mut command = Command::new("script");
            let line = format!("{} audit report 2>/dev/null", env!("CARGO_BIN_EXE_crumbgate"));
            command.args(["-qec", &line, "/dev/null"]).current_dir(site.path("."));
            without_variables(&mut command);
            no_color.map(|value| command.env("NO_COLOR", value));
            let finished = site.start_command(&mut command).exit().await;
            assert!(finished.stdout.contains("Cookie report"), "{finished:?}");
            assert_eq!(finished.stdout.contains("\u{1b}["), expected);
        }
        assert!(!made(&site, &[]).await.contains('\u{1b}'));
    })
    .await;
}
