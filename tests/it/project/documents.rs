//! Documents: everything in them that a test can check. (`crates/config/tests/config.rs` checks `config.toml`.)

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use crumbgate_audit::Counters;
use crumbgate_config::{Config, Limits, Source, known_keys};
use crumbgate_gateway::metrics::{
    CertificateReading, LedgerReading, Metrics, ProcessReading, Readings, ServerReading,
    UpstreamReading, expose,
};

use serde_json::Value;

use crate::harness::{Setup, Site, in_time};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every document that people read, relative to the root.
fn documents() -> Vec<String> {
    let names = |folder: &str| {
        let entries = fs::read_dir(root().join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let documents = paths.filter(|path| path.extension().is_some_and(|end| end == "md"));
        documents
            .map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let folders = [".", "certs", "docs", "docs/reference"];
    let found: Vec<_> = folders.into_iter().flat_map(names).collect();
    assert!(found.len() > 4, "{found:?}");
    found
}

/// The text between backticks, in lines and in blocks.
fn code(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The rows of the table that begins with this head, as lists of cells.
#[track_caller]
fn table<'t>(text: &'t str, head: &str) -> Vec<Vec<&'t str>> {
    let rows = text.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = |line: &'t str| line.trim_matches('|').split('|').map(str::trim).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "there is a table {head}");
    rows
}

#[tokio::test]
async fn the_readme_opens_with_two_commands_that_exist() {
    in_time(async {
        let readme = read("README.md");
        let block = readme.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
        let commands: Vec<_> = block
            .lines()
            .map(|line| line.split('#').next().unwrap().split_whitespace().collect::<Vec<_>>())
            .collect();
        let [demo, test] = &commands[..] else { panic!("{block}") };
        assert_eq!(demo[..4], ["cargo", "run", "--release", "--"]);
        assert_eq!(programs_that_cargo_runs(), ["crumbgate"]);
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let arguments = [&demo[4..], &["--help"]].concat();
        assert_eq!(site.run(&arguments).await.code, Some(0), "{demo:?}");
        let [script] = test[..] else { panic!("{test:?}") };
        let mode = fs::metadata(root().join(script)).unwrap().permissions().mode();
        assert_ne!(mode & 0o111, 0, "{script} can be run");
        // CI runs the same one.
        assert!(read(".ci/run").contains(&format!("exec {script}")));
    })
    .await;
}

/// The programs that `cargo run` chooses from if none is named: it runs one only if it is the only one.
fn programs_that_cargo_runs() -> Vec<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let output = cargo.current_dir(root()).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let defaults = metadata["workspace_default_members"].as_array().unwrap();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let packages = packages.filter(|package| defaults.contains(&package["id"]));
    packages.filter_map(|package| Some(package["default_run"].as_str()?.to_owned())).collect()
}

#[tokio::test]
async fn every_command_that_a_document_names_is_a_command() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let mut named = BTreeSet::new();
        for document in documents() {
            let text = read(&document);
            for code in code(&text) {
                for (at, name) in code.match_indices("crumbgate ") {
                    let is_program =
                        code[..at].is_empty() || code[..at].ends_with(['/', '\n', ' ']);
                    let rest = &code[at + name.len()..];
                    let word: String =
                        rest.chars().take_while(char::is_ascii_alphanumeric).collect();
                    if is_program && !word.is_empty() {
                        named.insert((document.clone(), word));
                    }
                }
            }
        }
        assert!(named.len() > 5, "{named:?}");
        for (document, command) in named {
            let finished = site.run(&[&command, "--help"]).await;
            assert_eq!(finished.code, Some(0), "{command} in {document}: {}", finished.stderr);
        }
    })
    .await;
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_that_exist() {
    let mut count = 0;
    for document in documents() {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        for link in text.split("](").skip(1).map(|after| after.split(')').next().unwrap()) {
            if link.contains("://") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { root().join(&document) } else { folder.join(file) };
            assert!(target.exists(), "{document} links to {link}");
            if !heading.is_empty() {
                let target = fs::read_to_string(target).unwrap();
                assert!(anchors(&target).contains(heading), "{document} links to {link}");
            }
            count += 1;
        }
    }
    assert!(count > 50, "{count}");
}

/// The anchors of a document's headings, as GitHub derives them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

/// The folders `src/` of all packages that make up the gateway, and their packages' folders.
fn packages() -> Vec<(String, PathBuf)> {
    let crates = fs::read_dir(root().join("crates")).unwrap().map(|entry| entry.unwrap());
    let crates = crates.map(|entry| format!("crates/{}", entry.file_name().display()));
    let folders = crates.chain([".".to_owned()]);
    folders.map(|folder| (folder.clone(), root().join(folder).join("src"))).collect()
}

/// The crates of the workspace that a package uses, sorted, without their common prefix.
fn uses(package: &str) -> Vec<String> {
    let manifest: toml::Table = read(&format!("{package}/Cargo.toml")).parse().unwrap();
    let names = manifest["dependencies"].as_table().unwrap().keys();
    let mut used: Vec<_> =
        names.filter_map(|name| name.strip_prefix("crumbgate-")).map(str::to_owned).collect();
    used.sort_unstable();
    used
}

#[test]
fn the_map_of_crates_is_complete_and_shows_their_dependencies() {
    let text = read("docs/ARCHITECTURE.md");
    let rows = table(&text, "| crate | content | uses |");
    let mut shown = BTreeSet::new();
    for row in &rows {
        let [package] = code(row[0])[..] else { panic!("{row:?}") };
        // The root package uses all others.
        let folder = if package == "src" { "." } else { package };
        if folder != "." {
            assert_eq!(
                row[2].split(", ").filter(|it| *it != "–").collect::<Vec<_>>(),
                uses(folder)
            );
        }
        assert!(!row[1].is_empty(), "{package}");
        assert!(shown.insert(folder.to_owned()), "{package} is there once");
    }
    let there: BTreeSet<_> = packages().into_iter().map(|(folder, _)| folder).collect();
    assert_eq!(shown, there);
}

#[test]
fn the_map_of_folders_is_complete() {
    let text = read("docs/ARCHITECTURE.md");
    let rows = table(&text, "| folder | content |");
    let shown: BTreeSet<_> =
        rows.iter().flat_map(|row| code(row[0])).map(|name| root().join(name)).collect();
    assert!(rows.iter().all(|row| row.len() == 2 && !row[1].is_empty()));
    let sources = packages().into_iter().map(|(_, source)| source);
    let entries = sources.flat_map(|source| fs::read_dir(source).unwrap());
    let folders = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let there: BTreeSet<_> =
        folders.map(|path| root().join(path.strip_prefix(root()).unwrap())).collect();
    let normal = |paths: BTreeSet<PathBuf>| -> BTreeSet<PathBuf> {
        paths.iter().map(|path| path.components().collect()).collect()
    };
    assert_eq!(normal(shown), normal(there));
}

#[test]
fn every_source_file_that_a_document_names_exists() {
    let folders = ["src", "tests", "crates", "bench", "fuzz"].map(|folder| root().join(folder));
    let known: Vec<PathBuf> = folders.iter().flat_map(|folder| all_files(folder)).collect();
    let mut count = 0;
    for document in documents() {
        for code in code(&read(&document)) {
            if !code.ends_with(".rs") || code.contains([' ', '*', '\n']) {
                continue;
            }
            count += 1;
            // `exchange.rs` where the folder is unambiguous, `proxy/exchange.rs` or `src/proxy/exchange.rs` elsewhere.
            let is_there =
                known.iter().any(|path| path.ends_with(code) || root().join(code) == *path);
            assert!(is_there, "{document} names {code}");
        }
    }
    assert!(count > 20, "{count}");
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_limit_is_in_the_operators_table_with_its_default() {
    let text = read("docs/configure.md");
    let rows = table(&text, "| key of `[limits]` | default |");
    let listed: Vec<_> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let known: BTreeSet<_> =
        known_keys().iter().filter_map(|key| key.strip_prefix("limits.")).collect();
    assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), known);
    assert_eq!(listed.len(), known.len(), "each once: {listed:?}");

    let mut config = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]).text();
    let mut written = String::from("[limits]\n");
    for row in &rows {
        let is_number = row[1].chars().all(|c| c.is_ascii_digit());
        let value = if is_number { row[1].to_owned() } else { format!("{:?}", row[1]) };
        written += &format!("{} = {value}\n", row[0].trim_matches('`'));
        assert!(!row[2].is_empty(), "what happens at {}", row[0]);
    }
    config = config.replace("[limits]\n", &written);
    let loaded = Config::read(Source::new("config.toml", config), []).unwrap();
    assert_eq!(*loaded.config.limits, Limits::DEFAULT);
}

/// A metric as its description presents it: its type, and the names of its labels.
#[derive(Debug, Default, Eq, PartialEq)]
struct Described {
    kind: String,
    labels: BTreeSet<String>,
}

/// All metrics that can be exposed.
fn exposition() -> String {
    let server = ServerReading { is_up: Some(true), ..ServerReading::default() };
    let readings = Readings {
        tenant_series: 1,
        ledger: Some(LedgerReading::default()),
        upstreams: vec![UpstreamReading { servers: vec![server], ..UpstreamReading::default() }],
        certificates: vec![CertificateReading::default()],
        process: Some(ProcessReading::default()),
        ..Readings::default()
    };
    expose(&Metrics::default(), &Counters::default(), &readings)
}

/// Every metric of an exposition.
fn described(exposition: &str) -> BTreeMap<String, Described> {
    let mut found: BTreeMap<String, Described> = BTreeMap::new();
    for line in exposition.lines() {
        if let Some(family) = line.strip_prefix("# TYPE ") {
            let (name, kind) = family.split_once(' ').unwrap();
            found.entry(name.to_owned()).or_default().kind = kind.to_owned();
        } else if !line.starts_with('#') {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let parts = ["", "_bucket", "_sum", "_count"];
            let family = parts.iter().find_map(|part| {
                name.strip_suffix(part).filter(|family| found.contains_key(*family))
            });
            let family = family.expect("a sample follows the line of its type");
            let labels = labels.split("=\"").map(|label| label.rsplit([',', '"']).next().unwrap());
            let labels = labels.map(str::to_owned).filter(|label| !["", "}"].contains(&&**label));
            found.get_mut(family).unwrap().labels.extend(labels);
        }
    }
    found
}

const METRICS: &str = "| metric | type | labels | meaning | what to do |";

#[test]
fn every_metric_is_in_the_operators_table_with_its_labels_and_every_one_there_is_exposed() {
    let text = read("docs/reference/metrics.md");
    let rows = table(&text, METRICS);
    let listed = rows.iter().map(|row| {
        let [name, kind, labels, meaning, to_do] = row[..] else { panic!("{row:?}") };
        let [name] = code(name)[..] else { panic!("one metric in {row:?}") };
        assert!(!meaning.is_empty() && !to_do.is_empty(), "the meaning of {name}, and what to do");
        let labels = code(labels).into_iter().map(str::to_owned).collect();
        (name.to_owned(), Described { kind: kind.to_owned(), labels })
    });
    let listed: BTreeMap<_, _> = listed.collect();
    assert_eq!(listed.len(), rows.len(), "each once");
    let exposed = described(&exposition());
    let names: BTreeSet<_> = listed.keys().chain(exposed.keys()).collect();
    for name in names {
        assert_eq!(listed.get(name), exposed.get(name), "{name}: in the table, and exposed");
    }
}

#[test]
fn every_fixed_label_value_is_explained() {
    let text = read("docs/reference/metrics.md");
    let exposition = exposition();
    let values_of = |metric: &str, label: &str| -> BTreeSet<String> {
        let series = exposition.lines().filter(|line| line.starts_with(&format!("{metric}{{")));
        let values = series.filter_map(|line| line.split_once(&format!("{label}=\"")));
        values.map(|(_, rest)| rest.split('"').next().unwrap().to_owned()).collect()
    };
    for row in table(&text, METRICS) {
        let [metric] = code(row[0])[..] else { panic!("{row:?}") };
        for label in ["state", "cause", "outcome", "side", "kind", "action"] {
            let explained = code(row[3]);
            // Words that a table above explains need no explanation again.
            if metric == "crumbgate_tenant_cookies_total" {
                continue;
            }
            for value in values_of(metric, label) {
                assert!(explained.contains(&&*value), "{label}=\"{value}\" of {metric}");
            }
        }
    }
    let rows = table(&text, "| reason | answer | meaning | what to do |");
    let explained: BTreeSet<_> =
        rows.iter().flat_map(|row| code(row[0])).map(str::to_owned).collect();
    assert_eq!(explained, values_of("crumbgate_rejections_total", "reason"));
    assert!(rows.iter().all(|row| row.len() == 4 && row.iter().all(|cell| !cell.is_empty())));
}

/// The texts of all `warn!` and `error!` lines of the gateway, with their levels. A text that contains a value ends
/// before that.
fn logged() -> BTreeMap<String, BTreeSet<&'static str>> {
    let mut logged = BTreeMap::<_, BTreeSet<_>>::new();
    for file in packages().iter().flat_map(|(_, source)| all_files(source)) {
        // Style sheets and images have no lines.
        let Ok(text) = fs::read_to_string(&file) else { continue };
        let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).fold(
            String::new(),
            |mut code, line| {
                code += line;
                code.push('\n');
                code
            },
        );
        assert!(!code.contains("event!("), "{}: a line by warn! or error!", file.display());
        for level in ["warn", "error"] {
            let call = format!("{level}!(");
            for (at, _) in code.match_indices(&call) {
                // Not the end of a longer name, such as `compile_error!`.
                if code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                    continue;
                }
                let message = message_of(&code[at + call.len()..]);
                let message = message.unwrap_or_else(|| panic!("{}: a text", file.display()));
                logged.entry(message).or_default().insert(level);
            }
        }
    }
    assert!(logged.len() > 40, "{logged:?}");
    logged
}

/// The text of a logged line from the arguments of its macro: the literal that is no field's value and in no call.
fn message_of(arguments: &str) -> Option<String> {
    let (mut depth, mut begin, mut found) = (1, None, None);
    let mut bytes = arguments.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match (byte, begin) {
            (b'\\', Some(_)) => drop(bytes.next()),
            (b'"', Some(from)) => {
                let is_value = arguments[..from - 1].trim_end().ends_with('=');
                if depth == 1 && !is_value {
                    found = Some(&arguments[from..at]);
                }
                begin = None;
            }
            (_, Some(_)) => {}
            (b'"', None) => begin = Some(at + 1),
            (b'(' | b'[' | b'{', None) => depth += 1,
            (b')' | b']' | b'}', None) => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    let found = found?;
    // A literal may continue in the next line.
    let joined = found.split("\\\n").map(str::trim_start).collect::<String>();
    Some(joined.split(": {").next()?.to_owned())
}

#[test]
fn the_text_of_a_logged_line_is_found_after_any_fields() {
    for (arguments, message) in [
        ("\"a text\");", "a text"),
        ("%error, \"a text\"); warn!(\"another\");", "a text"),
        ("reason = \"a word\", \"a text; with (signs)\");", "a text; with (signs)"),
        ("path = format!(\"{x}\"), \"a text\")", "a text"),
        ("key, \"a text: {}\", kept.message);", "a text"),
        ("\"a \\\"quoted\\\" text \\\n      goes on\")", "a \\\"quoted\\\" text goes on"),
    ] {
        assert_eq!(message_of(arguments).as_deref(), Some(message), "{arguments}");
    }
    assert_eq!(message_of("reason = \"a word\")"), None);
}

#[test]
fn every_warning_is_in_the_operators_table_and_every_one_there_is_logged() {
    let text = read("docs/reference/log-lines.md");
    let rows = table(&text, "| line | level | meaning and remedy |");
    let mut explained = BTreeMap::<_, BTreeSet<_>>::new();
    for row in &rows {
        let [lines, level, means] = row[..] else { panic!("{row:?}") };
        assert!(!means.is_empty(), "what {lines} means");
        for line in code(lines) {
            let is_new = explained.insert(line.to_owned(), BTreeSet::from([level])).is_none();
            assert!(is_new, "{line} is there once");
        }
    }
    let logged = logged();
    let in_one_alone: Vec<_> = logged
        .keys()
        .filter(|line| !explained.contains_key(*line))
        .chain(explained.keys().filter(|line| !logged.contains_key(*line)))
        .collect();
    assert!(in_one_alone.is_empty(), "not in the source and in the table: {in_one_alone:#?}");
    assert_eq!(explained, logged, "the levels");
}

/// The names of all tests: of functions, and of those that `both_versions!` makes.
fn names_of_tests() -> BTreeSet<String> {
    let folders = ["src", "tests", "crates", "bench", "fuzz"].map(|folder| root().join(folder));
    let files =
        folders.iter().filter(|folder| folder.exists()).flat_map(|folder| all_files(folder));
    let sources = files.filter(|path| path.extension().is_some_and(|end| end == "rs"));
    let mut names = BTreeSet::new();
    for path in sources {
        let text = fs::read_to_string(path).unwrap();
        for begin in ["fn ", "_versions!("] {
            for (at, _) in text.match_indices(begin) {
                let name = text[at + begin.len()..].trim_start();
                let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
                names.insert(name[..end.unwrap_or(name.len())].to_owned());
            }
        }
    }
    names
}

#[test]
fn every_test_that_a_document_names_exists() {
    let known = names_of_tests();
    let mut count = 0;
    for document in ["docs/SECURITY.md", "docs/reference/audit.md", "CONTRIBUTING.md"] {
        for code in code(&read(document)) {
            let is_word =
                code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
            // Metrics, keys and labels have fewer underscores than a sentence, or the program's name in front.
            if is_word && code.matches('_').count() >= 4 && !code.starts_with("crumbgate_") {
                count += 1;
                assert!(known.contains(code), "{document} names the test {code}");
            }
        }
    }
    assert!(count > 50, "{count}");
}

#[test]
fn every_path_that_a_document_names_exists() {
    let tops = [
        "bench/",
        "benches/",
        "certs/",
        "crates/",
        "docs/",
        "examples/",
        "fuzz/",
        "monitoring/",
        "package/",
        "scripts/",
        "src/",
        "tests/",
    ];
    let mut count = 0;
    for document in documents() {
        for code in code(&read(&document)) {
            let is_path = tops.iter().any(|top| code.starts_with(top));
            // Files that a user makes, and patterns, are not in the repository.
            if !is_path || code.contains([' ', '*', '\n', '…', '{']) || code.starts_with("certs/")
            {
                continue;
            }
            count += 1;
            assert!(root().join(code).exists(), "{document} names {code}");
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn every_log_line_that_a_document_quotes_is_in_the_table() {
    let text = read("docs/reference/log-lines.md");
    let rows = table(&text, "| line | level | meaning and remedy |");
    let lines: BTreeSet<_> = rows.iter().flat_map(|row| code(row[0])).collect();
    let mut count = 0;
    for document in ["docs/operate.md", "docs/reference/alerts.md", "docs/reference/metrics.md"] {
        let text = read(document);
        // A code span may go on in the next line.
        let spans = code(&text).into_iter().map(|code| code.replace('\n', " "));
        let is_sentence = |code: &String| {
            ["the ", "a ", "an ", "log lines "].iter().any(|begin| code.starts_with(begin))
                && code.split(' ').count() > 3
        };
        for line in spans.filter(is_sentence) {
            count += 1;
            assert!(lines.contains(&*line), "{document} quotes {line}");
        }
    }
    assert!(count > 5, "{count}");
}

#[test]
fn the_steps_of_an_exchange_in_the_architecture_are_the_code() {
    let text = read("docs/ARCHITECTURE.md");
    let steps = text.split("```rust\n").nth(1).unwrap().split("```").next().unwrap();
    let code = read("crates/gateway/src/proxy/exchange.rs");
    let code: Vec<_> = code.lines().map(str::trim).collect();
    let steps: Vec<_> = steps.lines().map(str::trim).collect();
    assert!(code.windows(steps.len()).any(|lines| lines == steps), "{steps:#?}");
}
