//! The files that an operator installs: units, an initial configuration, and the package's list of files.
//! `scripts/package-test` installs the package; these tests check everything that needs no installation.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crumbgate_config::{Config, Source};
use toml::{Table, Value};

use crate::harness::{Setup, Site, in_time};

const PROGRAM: &str = "/usr/bin/crumbgate";
const UNITS: [&str; 2] = ["crumbgate.service", "crumbgate.socket"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A folder with the units, which name the program that was built instead of the installed one.
fn units() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for unit in UNITS {
        let text = read(&format!("package/{unit}"));
        let text = text.replace(PROGRAM, env!("CARGO_BIN_EXE_crumbgate"));
        fs::write(folder.path().join(unit), text).unwrap();
    }
    folder
}

fn systemd_analyze(arguments: &[&str], folder: &Path) -> (bool, String) {
    let mut command = Command::new("systemd-analyze");
    let output = command.args(arguments).current_dir(folder).output().unwrap();
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    (output.status.success(), printed.concat())
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let folder = units();
    let arguments = ["verify", "--man=no", "./crumbgate.service", "./crumbgate.socket"];
    assert_eq!(systemd_analyze(&arguments, folder.path()), (true, String::new()));
    // It reports a mistake where there is one.
    let service = folder.path().join(UNITS[0]);
    let text = fs::read_to_string(&service).unwrap().replace("PrivateTmp=", "PrivateTemp=");
    fs::write(&service, text).unwrap();
    let (_, output) = systemd_analyze(&arguments, folder.path());
    assert!(output.contains("PrivateTemp"), "{output}");
}

/// The score that the documents state.
fn documented_exposure() -> f32 {
    let book = read("docs/install.md");
    let documented =
        book.split_once("`systemd-analyze security` reports ").expect("the document contains it").1;
    documented.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_service_is_no_more_exposed_than_documented() {
    let folder = units();
    let arguments = ["security", "--offline=true", "./crumbgate.service"];
    let (_, output) = systemd_analyze(&arguments, folder.path());
    let found =
        output.split_once("Overall exposure level for crumbgate.service: ").expect(&output).1;
    let found: f32 = found.split(' ').next().unwrap().parse().unwrap();
    assert!(found <= documented_exposure(), "{output}");
}

/// The lines of a unit or script that call the program: the arguments.
fn calls(text: &str, name: &str) -> Vec<Vec<String>> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let calls = lines.filter_map(|line| line.split_once(&format!("{name} ")).map(|(_, call)| call));
    let words = |call: &str| {
        let call = call.split([';', '|', '>', '\\']).next().unwrap().replace('"', "");
        call.split_whitespace().map(str::to_owned).collect()
    };
    calls.map(words).collect()
}

#[tokio::test]
async fn every_command_of_the_units_and_the_package_s_scripts_exists() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let mut all = calls(&read("package/crumbgate.service"), PROGRAM);
        assert_eq!(all.len(), 2, "{all:?}");
        all.extend(calls(&read("package/debian/postinst"), "-- crumbgate"));
        all.extend(calls(&read("scripts/package"), "\"$STAGE/crumbgate\""));
        assert!(all.len() >= 7, "{all:?}");
        for call in all {
            let arguments: Vec<_> = call.iter().map(String::as_str).chain(["--help"]).collect();
            let finished = site.run(&arguments).await;
            assert_eq!(finished.code, Some(0), "{call:?}: {}", finished.stderr);
        }
    })
    .await;
}

/// `package/config.toml` as it is shipped, or with the parts enabled that it leaves to the operator.
fn shipped(is_filled_in: bool) -> String {
    let text = read("package/config.toml");
    if is_filled_in { text.replace("\n## ", "\n") } else { text }
}

#[tokio::test]
async fn the_shipped_configuration_lacks_only_what_the_operator_must_add() {
    in_time(async {
        let site = Site::with_config(&shipped(false));
        let tokens = site.path("admin-tokens");
        fs::write(&tokens, "root operator 0123456789abcdef0123456789abcdef\n").unwrap();
        fs::set_permissions(&tokens, fs::Permissions::from_mode(0o640)).unwrap();
        let finished = site.run(&["check"]).await;
        let errors = finished.stderr.lines().filter_map(|line| line.split_once(": error: "));
        let errors: BTreeSet<_> =
            errors.map(|(_, error)| error.split(':').next().unwrap()).collect();
        assert_eq!(errors, BTreeSet::from(["tls.certificates", "upstreams"]), "{finished:?}");

        let filled = shipped(true).replace("www.example.com.crt", "dev.crt");
        let filled = filled.replace("www.example.com.key", "dev.key");
        fs::write(site.path("config.toml"), filled).unwrap();
        let finished = site.run(&["check"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
    })
    .await;
}

#[test]
fn the_socket_opens_the_ports_of_the_shipped_configuration() {
    let loaded = Config::read(Source::new("config.toml", shipped(true)), []).unwrap();
    let server = &loaded.config.server;
    let asked: Vec<_> = server.https.iter().chain(&server.http).map(ToString::to_string).collect();
    let socket = read("package/crumbgate.socket");
    let opened = socket.lines().filter_map(|line| line.strip_prefix("ListenStream="));
    let opened: Vec<_> = opened.map(|port| format!("0.0.0.0:{port}")).collect();
    assert_eq!(asked, opened);
    // The folders that the unit may write, and that the package deletes only with a purge.
    assert_eq!(loaded.config.evidence.path, Path::new("/var/lib/crumbgate/crumbgate.db"));
}

fn package() -> Table {
    let manifest: Table = read("Cargo.toml").parse().unwrap();
    let deb = ["package", "metadata", "deb"];
    deb.iter().fold(manifest, |table, key| table[*key].as_table().unwrap().clone())
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

/// The source files that match a pattern; at most its last part has a star.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some((before, after)) = pattern.split_once('*') else {
        return Vec::from_iter(Some(root().join(pattern)).filter(|path| path.is_file()));
    };
    let (folder, begin) = before.rsplit_once('/').unwrap_or((".", before));
    let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let fits = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with(begin) && name.ends_with(after)
    };
    entries.filter(fits).collect()
}

#[test]
fn every_file_of_the_package_exists_or_is_generated() {
    let package = package();
    let script = read("scripts/package");
    let mut targets = BTreeSet::new();
    for asset in package["assets"].as_array().unwrap() {
        let [source, folder, mode] = texts(asset)[..] else { panic!("{asset}") };
        assert!(["644", "755"].contains(&mode), "{asset}");
        match source.strip_prefix("target/package/") {
            // `man/*.1.gz`: the pages of the folder.
            Some(made) => {
                let made = made.split('*').next().unwrap().trim_end_matches('/');
                assert!(script.contains(&format!("$STAGE/{made}\"")), "{made} is not made");
            }
            None => assert!(!matching(source).is_empty(), "there is no {source}"),
        }
        targets.insert(format!("/{folder}{}", source.rsplit('/').next().unwrap()));
    }
    assert!(targets.contains(PROGRAM), "{targets:?}");
    for file in texts(&package["conf-files"]) {
        assert!(targets.contains(file), "{file} is in no list of files");
    }
    for unit in UNITS {
        assert!(targets.contains(&format!("/usr/lib/systemd/system/{unit}")), "{unit}");
    }
}

#[test]
fn the_package_s_scripts_are_executable_and_valid() {
    let folder = root().join(package()["maintainer-scripts"].as_str().unwrap());
    for script in ["postinst", "postrm", "prerm"] {
        let path = folder.join(script);
        assert_ne!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0, "{script}");
        let read = Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(read.status.success(), "{read:?}");
    }
}
