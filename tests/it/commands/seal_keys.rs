//! `crumbgate seal`: the keys that seal session cookies, as an operator changes them.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::harness::{Finished, Setup, Site, in_time};

const FILE: &str = "state/seal.keys";

/// A folder whose configuration seals session cookies.
fn sealing() -> Site {
    let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
    Site::of(
        &setup
            .tenant("acme.flexopus.example", "session = \"3d\"")
            .sections("[seal]\nkeys = \"state/seal.keys\"\n"),
    )
}

/// The output of a command that succeeds.
async fn output_of(site: &Site, arguments: &[&str]) -> String {
    let finished = site.run(arguments).await;
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    for secret in secrets(site) {
        assert!(!finished.stdout.contains(&secret), "{finished:?}");
    }
    finished.stdout
}

/// The error message of a command that fails.
async fn refused(site: &Site, arguments: &[&str]) -> String {
    let before = fs::read_to_string(site.path(FILE)).ok();
    let Finished { code, stdout, stderr } = site.run(arguments).await;
    assert_eq!((code, &*stdout), (Some(1), ""), "{stderr}");
    assert_eq!(fs::read_to_string(site.path(FILE)).ok(), before);
    stderr
}

fn secrets(site: &Site) -> Vec<String> {
    let text = fs::read_to_string(site.path(FILE)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())).collect()
}

/// The ids in the file, in their order.
fn ids(site: &Site) -> Vec<String> {
    let text = fs::read_to_string(site.path(FILE)).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line[..8].to_owned()).collect()
}

#[tokio::test]
async fn a_key_is_rotated_and_the_old_one_removed_when_no_session_needs_it() {
    in_time(async {
        let site = sealing();
        let made = output_of(&site, &["seal", "rotate"]).await;
        let [old] = &ids(&site)[..] else { panic!("{:?}", ids(&site)) };
        let file = site.path(FILE).canonicalize().unwrap();
        let message = format!("{old} seals from the next reload on: crumbgate reload\n");
        assert!(made.ends_with(&format!("{FILE}: {message}")) && made.starts_with("created "), "{made}");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o600);

        let rotated = output_of(&site, &["seal", "rotate"]).await;
        let [new, second] = &ids(&site)[..] else { panic!("{:?}", ids(&site)) };
        assert_eq!(second, old);
        let expected = format!(
            "{new} seals from the next reload on: crumbgate reload\n{old} still opens the cookies that it sealed. After 1w, \
             the longest session of config.toml: crumbgate seal remove {old}\n"
        );
        assert_eq!(rotated, expected);

        let list = output_of(&site, &["seal", "list"]).await;
        let rows: Vec<Vec<_>> = list.lines().map(|line| line.split("  ").collect()).collect();
        assert_eq!(rows.len(), 3, "{list}");
        assert!(rows[1][..2] == [&**new, "seals"] && rows[2][..2] == [&**old, "opens"], "{list}");

        let early = refused(&site, &["seal", "remove", old]).await;
        assert!(early.contains(&format!("{old} sealed until 20")), "{early}");
        assert!(early.contains("sessions may need it until 20") && early.contains("--force"));
        let text = fs::read_to_string(&file).unwrap();
        let (before, time) = text.split_once(" until ").unwrap();
        fs::write(&file, format!("{before} until 2001{}", &time[4..])).unwrap();
        let removed = output_of(&site, &["seal", "remove", old]).await;
        let reload = "from the next reload on it no longer opens: crumbgate reload\n";
        assert_eq!(removed, format!("{old} is removed; {reload}"));
        assert_eq!(ids(&site), std::slice::from_ref(new));
        let last = refused(&site, &["seal", "remove", new, "--force"]).await;
        assert!(last.contains(&format!("{new} is the key that seals")), "{last}");
    })
    .await;
}

#[tokio::test]
async fn all_gateways_of_a_fleet_know_a_key_before_one_seals_with_it() {
    in_time(async {
        let site = sealing();
        output_of(&site, &["seal", "add"]).await;
        let added = output_of(&site, &["seal", "add"]).await;
        let [first, second] = &ids(&site)[..] else { panic!("{:?}", ids(&site)) };
        let expected = format!(
            "{second} opens from the next reload on: crumbgate reload\nOnce every gateway opens with it, let it seal: \
             crumbgate seal use {second}\n"
        );
        assert_eq!(added, expected);
        let used = output_of(&site, &["seal", "use", second]).await;
        assert!(used.starts_with(&format!("{second} seals from the next reload on")), "{used}");
        assert_eq!(ids(&site), [second.clone(), first.clone()]);
        let again = output_of(&site, &["seal", "use", second]).await;
        assert_eq!(again, format!("{second} seals already\n"));
        let forced = output_of(&site, &["seal", "remove", first, "--force", "--quiet"]).await;
        assert_eq!((&*forced, ids(&site)), ("", vec![second.clone()]));
    })
    .await;
}

#[tokio::test]
async fn refused_changes_of_the_keys_are_reported_with_the_fix() {
    in_time(async {
        let site = sealing();
        for command in [&["list"][..], &["use", "00000000"], &["remove", "00000000"]] {
            let message = refused(&site, &[&["seal"], command].concat()).await;
            assert!(message.contains("seal.keys: no such file; a gateway that seals creates it"));
            assert!(!site.path("state").exists(), "{command:?}");
        }
        let usage = site.run(&["seal", "use", "0000000X"]).await;
        assert_eq!(usage.code, Some(2));
        assert!(usage.stderr.contains("eight lower-case hexadecimal digits"), "{}", usage.stderr);

        output_of(&site, &["seal", "rotate"]).await;
        let absent = refused(&site, &["seal", "use", "00000000"]).await;
        assert!(absent.contains("no key 00000000; `crumbgate seal list` shows"), "{absent}");
        fs::set_permissions(site.path(FILE), fs::Permissions::from_mode(0o644)).unwrap();
        let exposed = refused(&site, &["seal", "list"]).await;
        assert!(exposed.contains("chmod 600 "), "{exposed}");
        fs::set_permissions(site.path(FILE), fs::Permissions::from_mode(0o600)).unwrap();
        let text = fs::read_to_string(site.path(FILE)).unwrap();
        fs::write(site.path(FILE), text + "nonsense\n").unwrap();
        for command in ["list", "add", "rotate"] {
            let wrong = refused(&site, &["seal", command]).await;
            assert!(
                wrong.contains("seal.keys:4: the first word is not the id of a key"),
                "{wrong}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn suggested_commands_name_the_configuration_and_missing_keys() {
    in_time(async {
        let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let site = Site::of(&setup);
        fs::rename(site.path("config.toml"), site.path("our own.toml")).unwrap();
        let arguments = ["seal", "rotate", "--config", "our own.toml"];
        output_of(&site, &arguments).await;
        let rotated = output_of(&site, &arguments).await;
        let lines: Vec<_> = rotated.lines().collect();
        assert!(
            lines[0].ends_with(
                "seals once our own.toml has a sealed tenant: write seal = true into a tenant, then: crumbgate reload \
                 --config 'our own.toml'"
            ),
            "{rotated}"
        );
        assert!(lines[1].ends_with(" --config 'our own.toml'"), "{rotated}");
    })
    .await;
}
