//! The files of `monitoring/`: a dashboard for Grafana and alert rules for Prometheus that use only the metrics of a
//! running gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::harness::{
    ACME, App, Http, Program, Selector, Setup, Site, Vocabulary, grouped_by, in_time,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("monitoring")
}

fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The output of promtool with these arguments in this folder; it must succeed.
#[track_caller]
fn promtool(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output().unwrap();
    let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {printed}");
    printed
}

/// The metrics of a real gateway at `/metrics`: before any traffic, and after some, with all kinds of series.
async fn metrics_of_a_running_gateway() -> [String; 2] {
    let app = App::answering(&[("/", &["set-cookie: _fbp=1"]), ("/up", &[])]).await;
    let setup = Setup::before(&app).admin("tenant_series = 3");
    let site = Site::of(&setup);
    let fresh = exposition(&mut site.start(), "crumbgate_workers 1\n").await;
    assert!(!fresh.contains("crumbgate_upstream_server_up{"), "it has no health checks");

    let site = Site::of(&setup.upstream("health = { path = \"/up\", interval = \"100ms\" }"));
    let mut program = site.start();
    program.browser(Http::One).await.get_with_cookie("/", "_ga=1").await;
    let busy = exposition(&mut program, "crumbgate_upstream_server_up{").await;
    assert!(busy.contains(&format!("tenant=\"{ACME}\"")), "{busy}");
    [fresh, busy]
}

/// The metrics of a program at `/metrics`, as soon as they contain this part.
async fn exposition(program: &mut Program<'_>, part: &str) -> String {
    let operator = program.operator().await;
    loop {
        let text = operator.get("/metrics").await.body;
        if text.contains(part) {
            return text;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Grafana's dashboard.
fn dashboard() -> Value {
    serde_json::from_str(&read("grafana/crumbgate.json")).unwrap()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} of {value}"))
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} of {value}"))
}

/// The panels with content: all but the rows.
fn panels(dashboard: &Value) -> Vec<&Value> {
    list(dashboard, "panels").iter().filter(|panel| panel["type"] != "row").collect()
}

/// Every query of the dashboard, with the legend of its series where it has one.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let targets = panels(dashboard).into_iter().flat_map(|panel| list(panel, "targets"));
    let targets = targets.map(|target| (text(target, "expr"), text(target, "legendFormat")));
    let notes = list(&dashboard["annotations"], "list").iter().filter(|it| it["expr"].is_string());
    let notes = notes.map(|note| (text(note, "expr"), text(note, "textFormat")));
    let queries = targets.chain(notes);
    queries.map(|(query, legend)| (query.to_owned(), legend.to_owned())).collect()
}

/// The query as Grafana sends it.
fn without_variables(query: &str) -> String {
    let mut query = query.replace("$__rate_interval", "5m");
    for variable in ["job", "instance", "tenant"] {
        query = query.replace(&format!("\"${variable}\""), "\".+\"");
    }
    assert!(!query.contains('$'), "{query}");
    query
}

#[tokio::test]
async fn the_dashboard_and_the_alerts_use_only_metrics_of_a_running_gateway() {
    in_time(async {
        let [fresh, busy] = metrics_of_a_running_gateway().await;
        let vocabulary = Vocabulary::of(&busy);
        let dashboard = dashboard();
        for (query, legend) in queries(&dashboard) {
            vocabulary.assert_knows(&query);
            let labels = vocabulary.labels_of(&query);
            for label in legend.split("{{").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
                assert!(labels.contains(label), "{legend} of {query}");
                assert!(grouped_by(&query).contains(&label.to_owned()) || legend == "{{instance}}");
            }
        }
        for variable in list(&dashboard["templating"], "list") {
            let Some(query) = variable["definition"].as_str() else { continue };
            let query = query.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (series, label) = query.rsplit_once(", ").unwrap();
            vocabulary.assert_knows(series);
            assert!(vocabulary.labels_of(series).contains(label), "{query}");
        }
        for alert in alerts() {
            vocabulary.assert_knows(&alert.query);
        }
        for series in series_of_the_alerts_tests() {
            vocabulary.assert_has(&series);
        }
        // Every metric is shown.
        let shown: BTreeSet<_> = queries(&dashboard)
            .iter()
            .flat_map(|(query, _)| Selector::all(query))
            .map(|selector| selector.metric)
            .collect();
        let is_shown = |metric: &&String| {
            let family = metric.trim_end_matches("_count").trim_end_matches("_sum");
            shown.contains(*metric) || shown.contains(&format!("{family}_bucket"))
        };
        let hidden: Vec<_> = vocabulary.0.keys().filter(|metric| !is_shown(metric)).collect();
        assert!(hidden.is_empty(), "no panel shows {hidden:?}");

        let (panels, _): (Vec<_>, Vec<_>) = queries(&dashboard).into_iter().unzip();
        let (notes, panels): (Vec<_>, Vec<_>) =
            panels.into_iter().partition(|query| query.starts_with("changes("));
        assert_eq!(notes.len(), 2, "restarts and reloads, of which there are none");
        assert_answers(&busy, "+60", &panels, &[]);
        // There is no duration before the first answer.
        let (latencies, others): (Vec<_>, Vec<_>) =
            panels.into_iter().partition(|query| query.starts_with("histogram_quantile("));
        assert_eq!(latencies.len(), 6);
        let alerts: Vec<_> = alerts().into_iter().map(|alert| alert.query).collect();
        assert_answers(&fresh, "+0", &others, &alerts);
    })
    .await;
}

/// Evaluates each query with Prometheus's own engine on the series of an exposition, as if these had been scraped for a
/// quarter of an hour in which each counter grew by `growth` a minute. Each of `queries` must find a number,
/// each of `alerts` nothing.
#[track_caller]
fn assert_answers(exposition: &str, growth: &str, queries: &[String], alerts: &[String]) {
    let mut test = String::from("tests:\n  - interval: 1m\n    input_series:\n");
    test += "      - series: up{job=\"crumbgate\"}\n        values: 1x15\n";
    let mut is_gauge = false;
    for line in exposition.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            is_gauge = kind.ends_with(" gauge");
        }
        let Some((series, value)) = line.rsplit_once(' ').filter(|_| !line.starts_with('#')) else {
            continue;
        };
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let target = "job=\"crumbgate\",instance=\"127.0.0.1:9443\"";
        let comma = if labels == "}" { "" } else { "," };
        let growth = if is_gauge { "+0" } else { growth };
        let series = Value::from(format!("{name}{{{target}{comma}{labels}"));
        test += &format!("      - series: {series}\n        values: {value}{growth}x15\n");
    }
    test += "    promql_expr_test:\n";
    for query in queries {
        let query = without_variables(query);
        // NaN does not equal itself.
        let query = Value::from(format!("count(({query}) == ({query})) > bool 0"));
        test += &format!("      - expr: {query}\n        eval_time: 15m\n");
        test += "        exp_samples:\n          - labels: '{}'\n            value: 1\n";
    }
    for alert in alerts {
        let query = Value::from(&**alert);
        test +=
            &format!("      - expr: {query}\n        eval_time: 15m\n        exp_samples: []\n");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.yml"), test).unwrap();
    promtool(folder.path(), &["test", "rules", "test.yml"]);
}

/// The series that the tests of the alerts define.
fn series_of_the_alerts_tests() -> Vec<Selector> {
    let files = ALERTS_TESTS.map(|file| read(&format!("prometheus/{file}"))).concat();
    let series = files.lines().filter_map(|line| line.trim().strip_prefix("- series: "));
    let series: Vec<_> = series.flat_map(Selector::all).collect();
    assert!(series.len() > 40, "{series:?}");
    series
}

#[test]
fn prometheus_can_read_every_query_of_the_dashboard() {
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, (query, _)) in queries(&dashboard()).iter().enumerate() {
        let query = Value::from(without_variables(query));
        rules += &format!("      - record: panel:query:{number}\n        expr: {query}\n");
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("rules.yml"), rules).unwrap();
    let output = promtool(folder.path(), &["check", "rules", "rules.yml"]);
    assert!(output.contains(&format!("{} rules found", queries(&dashboard()).len())), "{output}");
}

#[test]
fn grafana_accepts_the_dashboard() {
    let dashboard = dashboard();
    assert!(number(&dashboard, "schemaVersion") >= 38, "Grafana 10");
    assert!(dashboard["id"].is_null(), "Grafana gives it one");
    assert_eq!(dashboard["uid"], "crumbgate");
    let variables: Vec<_> = list(&dashboard["templating"], "list").iter().collect();
    let names: Vec<_> = variables.iter().map(|variable| text(variable, "name")).collect();
    assert_eq!(names, ["datasource", "job", "instance", "tenant"]);
    assert_eq!(variables[0]["type"], "datasource");
    for variable in &variables[1..] {
        assert_eq!(variable["datasource"]["uid"], "${datasource}", "{variable}");
    }

    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in list(&dashboard, "panels") {
        let title = text(panel, "title");
        assert!(ids.insert(number(panel, "id")), "{title} has an id of its own");
        let place = &panel["gridPos"];
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| number(place, key));
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} fits");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "{title} overlaps another one");
        }
    }
    let rows = list(&dashboard, "panels").iter().filter(|panel| panel["type"] == "row");
    assert_eq!(rows.map(|row| text(row, "title")).collect::<Vec<_>>(), ROWS);

    let mut titles = BTreeSet::new();
    for panel in panels(&dashboard) {
        let title = text(panel, "title");
        assert!(titles.insert(title), "{title} is there once");
        assert!(text(panel, "description").ends_with('.'), "{title} says what it shows");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        let has_unit = panel["fieldConfig"]["defaults"]["unit"].is_string();
        assert!(has_unit || panel["type"] == "heatmap", "{title} has a unit");
        let mut letters = BTreeSet::new();
        for target in list(panel, "targets") {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{title}");
            assert!(letters.insert(text(target, "refId")), "{title}");
            let query = text(target, "expr");
            for selector in Selector::all(query) {
                let by = |label: &str| selector.matchers.iter().any(|(name, ..)| name == label);
                assert!(by("job") && by("instance"), "{title} follows the variables: {query}");
            }
        }
    }
}

const ROWS: [&str; 8] = [
    "At a glance",
    "Traffic",
    "Latency",
    "Cookies by verdict",
    "Evidence",
    "Upstreams",
    "TLS and certificates",
    "Process",
];

/// The parts of an alert rule that a test reads.
#[derive(Debug, Default)]
struct Alert {
    name: String,
    query: String,
    severity: String,
    annotations: BTreeMap<String, String>,
}

/// The alerts, read from the few forms of YAML in the file.
fn alerts() -> Vec<Alert> {
    let text = read("prometheus/alerts.yml");
    let mut alerts = Vec::new();
    for rule in text.split("      - alert: ").skip(1) {
        let (name, keys) = rule.split_once('\n').unwrap();
        let mut alert = Alert { name: name.to_owned(), ..Alert::default() };
        for (key, value) in keys_of(keys) {
            match &*key {
                "expr" => alert.query = value,
                "severity" => alert.severity = value,
                "annotations" | "for" | "labels" => {}
                _ => drop(alert.annotations.insert(key, value)),
            }
        }
        alerts.push(alert);
    }
    assert!(alerts.len() > 10, "{alerts:?}");
    alerts
}

/// The keys of a rule, at any depth, with their values in one line.
fn keys_of(text: &str) -> Vec<(String, String)> {
    let mut keys = Vec::<(String, String)>::new();
    let mut folds_below = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let depth = line.len() - line.trim_start().len();
        if folds_below.is_some_and(|below| depth > below) {
            let (_, value) = keys.last_mut().unwrap();
            *value = format!("{value} {}", line.trim()).trim().to_owned();
            continue;
        }
        let (key, value) = line.trim().split_once(':').unwrap_or_else(|| panic!("{line}"));
        let value = value.trim();
        folds_below = (value == ">-").then_some(depth);
        let value = if value == ">-" { "" } else { value.trim_matches('\'') };
        keys.push((key.to_owned(), value.to_owned()));
    }
    keys
}

#[test]
fn promtool_finds_nothing_in_the_rules_and_the_scrape_configuration() {
    let output = promtool(&folder().join("prometheus"), &["check", "config", "prometheus.yml"]);
    assert!(output.contains(&format!("{} rules found", alerts().len())), "{output}");
}

#[test]
fn every_alert_has_a_description_and_links_to_its_section_of_the_manual() {
    let manual = fs::read_to_string(folder().join("../docs/reference/alerts.md")).unwrap();
    let headings = manual.lines().filter_map(|line| line.strip_prefix("## "));
    let mut named: BTreeSet<_> = headings.filter(|it| it.starts_with("Crumbgate")).collect();
    let alerts = alerts();
    for Alert { name, severity, annotations, .. } in &alerts {
        assert!(["critical", "warning"].contains(&&**severity), "{name} is {severity}");
        let [description, runbook, summary] =
            ["description", "runbook", "summary"].map(|key| &*annotations[key]);
        assert_eq!(annotations.len(), 3, "{name}");
        assert!(summary.ends_with('.') && description.ends_with('.'), "{name}");
        assert_eq!(runbook, format!("docs/reference/alerts.md#{}", name.to_lowercase()));
        assert!(named.remove(&**name), "{name} has a section in the manual");
    }
    assert!(named.is_empty(), "{named:?} are documented, and do not exist");
}

const ALERTS_TESTS: [&str; 2] = ["alerts_test.yml", "alerts_hours_test.yml"];

#[test]
fn every_alert_is_tested_both_firing_and_silent() {
    let folder = folder().join("prometheus");
    promtool(&folder, &[&["test", "rules"], &ALERTS_TESTS[..]].concat());
    let cases = ALERTS_TESTS.map(|file| read(&format!("prometheus/{file}"))).concat();
    let (mut fires, mut rests) = (BTreeSet::new(), BTreeSet::new());
    for case in cases.split("        alertname: ").skip(1) {
        let (name, expected) = case.split_once('\n').unwrap();
        if expected.trim_start().starts_with("exp_alerts: []") {
            rests.insert(name.to_owned());
        } else {
            assert!(expected.contains("- exp_labels:"), "{case}");
            fires.insert(name.to_owned());
        }
    }
    let names: BTreeSet<_> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(fires, names);
    assert_eq!(rests, names);
}
