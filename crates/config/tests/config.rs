//! The values of `config.toml`, its defaults, and the problems of invalid files.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs,
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use proptest::prelude::*;

use crumbgate_audit::tenants::Tenant;
use crumbgate_config::{
    AdminListener, Config, Limits, Loaded, Place, Problem, Problems, ServerAddress, Source,
    TenantKeys, known_keys,
};
use crumbgate_pages::page::settings::{PagePath, PageSettings};
use crumbgate_policy::{
    EvictScope, Mode,
    declaration::{Declaration, DeclaredCookie, Inject, Lifetime, RenewOn, SameSite},
};

/// Compares the problems of each file of `tests/config` with its expected text. `BLESS=1` writes the current text.
#[test]
fn every_problem_is_reported_with_place_key_and_fix() {
    let files = corpus();
    assert!(files.len() > 10, "the corpus is gone");
    let differing: Vec<_> = files.iter().filter(|path| !is_reported_as_expected(path)).collect();
    assert!(differing.is_empty(), "other problems than expected: {differing:#?}");
}

fn is_reported_as_expected(path: &Path) -> bool {
    let problems = match read(&name(path), &fs::read_to_string(path).unwrap(), &[]) {
        Ok(loaded) => loaded.warnings,
        Err(problems) => problems,
    };
    let actual = format!("{problems}\n{}\n", problems.summary());
    let expected = path.with_extension("expected");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&expected, &actual).unwrap();
    }
    fs::read_to_string(&expected).is_ok_and(|expected| expected == actual)
}

#[test]
fn the_shipped_file_loads_without_a_warning() {
    let loaded = Config::load(&shipped_path(), []).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let server = ServerAddress::Plain { host: "127.0.0.1".to_owned(), port: 8000 };
    assert_eq!(loaded.config.upstreams[0].servers, [server]);
    let folder = repository();
    assert_eq!(loaded.config.tls.certificates[0].chain, folder.join("certs/dev.crt"));
    assert_eq!(loaded.config.tls.certificates[0].key, folder.join("certs/dev.key"));
}

#[test]
fn the_shipped_file_explains_every_key() {
    let everything = uncommented(&["## ", "# "]);
    let loaded = read("config.toml", &everything, &[]).unwrap();
    assert_eq!(loaded.warnings.errors(), 0);
    let document: toml::Table = everything.parse().unwrap();
    let mut written = BTreeSet::new();
    collect_keys(&toml::Value::Table(document), "", &mut written);
    // For a value with two forms, a text and a table, the file sets one form and mentions the other.
    written.insert("cookies[].inject.value".to_owned());
    assert!(everything.contains("{ value = \"1\" }"));
    assert!(known_keys().len() > 60, "the reader's keys are gone");
    let missing: Vec<_> = known_keys().difference(&written).collect();
    assert!(missing.is_empty(), "config.toml does not describe {missing:?}");
}

#[test]
fn the_shipped_file_shows_the_real_defaults() {
    let shipped = read("config.toml", &shipped_text(), &[]).unwrap().config;
    let text = uncommented(&["# "]);
    assert_eq!(read("config.toml", &text, &[]).unwrap().config, shipped);
    let uncommented_lines = text.lines().filter(|line| is_setting(line)).count();
    let shown = known_keys().iter().filter(|key| key.starts_with("limits.")).count();
    assert!(uncommented_lines > shown + 10, "the lines with defaults are not found");
}

#[test]
fn the_printed_configuration_loads_to_the_same_values() {
    let readable = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        read(&name(path), &text, &[]).is_ok().then_some(text)
    };
    let mut texts: Vec<_> = corpus().iter().filter_map(readable).collect();
    texts.extend([shipped_text(), uncommented(&["# "]), uncommented(&["## ", "# "])]);
    assert!(texts.len() >= 5);
    for text in texts {
        let variables = [("CRUMBGATE_SERVER__DRAIN", "1500ms"), ("CRUMBGATE_LOG__ACCESS", "true")];
        for environment in [&[], &variables[..]] {
            let loaded = read("config.toml", &text, environment).unwrap();
            let printed = loaded.effective.to_string();
            let again = read("config.toml", &printed, &[]).unwrap();
            assert_eq!(again.config, loaded.config, "{printed}");
        }
    }
}

#[test]
fn the_printed_configuration_shows_the_origin_of_each_value() {
    let text = minimal() + "[defaults]\nmode = 'report'\n[server]\nworkers = 2\n";
    let environment = [("CRUMBGATE_LIMITS__HEAD_FIELDS", "64")];
    let printed = read("etc/config.toml", &text, &environment).unwrap().effective.to_string();
    for line in [
        "workers = 2 # etc/config.toml:8",
        "drain = \"30s\" # default",
        "servers = [\"http://127.0.0.1:8000\"] # etc/config.toml:3",
        "head_fields = 64 # CRUMBGATE_LIMITS__HEAD_FIELDS",
        "mode = \"report\" # defaults.mode",
        "session = \"1w\" # defaults.session",
    ] {
        let squeezed = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(printed.lines().any(|printed| squeezed(printed) == line), "{line} in\n{printed}");
    }
    let is_explained =
        |line: &str| line.is_empty() || line.starts_with('[') || line.contains(" # ");
    assert!(printed.lines().all(is_explained), "{printed}");
}

#[test]
fn a_variable_overrides_a_scalar_of_the_file() {
    let config = read(
        "config.toml",
        &(minimal() + "[server]\nworkers = 'nonsense'\n"),
        &[
            ("CRUMBGATE_SERVER__WORKERS", "3"),
            ("CRUMBGATE_SERVER__DRAIN", "90"),
            ("CRUMBGATE_TLS__MIN_VERSION", "1.3"),
            ("CRUMBGATE_UPSTREAMS__APP__CONNECT_TIMEOUT", "500ms"),
            ("CRUMBGATE_DEFAULTS__SESSION", "2h"),
            ("CRUMBGATE_DEFAULTS__UNKNOWN_HOSTS", "default"),
            ("CRUMBGATE_LIMITS__BODY_BYTES", "1000"),
            ("CRUMBGATE_LOG__ACCESS", "true"),
        ],
    );
    let config = config.unwrap().config;
    assert_eq!(config.server.workers.get(), 3);
    assert_eq!(config.server.drain, Duration::from_secs(90));
    assert_eq!(config.upstreams[0].connect_timeout, Duration::from_millis(500));
    assert_eq!(config.tenants[0].policy.session.seconds(), 7_200);
    assert_eq!(config.default_tenant.unwrap().policy.session.seconds(), 7_200);
    assert_eq!(config.limits.body_bytes, Some(1000));
    assert!(config.log.access);
}

#[test]
fn a_wrong_variable_is_a_problem_that_names_it() {
    let refused = |name: &str, value: &str| {
        let problems = read("config.toml", &minimal(), &[(name, value)]).unwrap_err();
        assert_eq!(problems.errors(), 1, "{problems}");
        problems.to_string()
    };
    let expected = [
        "CRUMBGATE_SERVER__WORKERS: error: server.workers: found \"many\", \
         expected a whole number from 0 to 1024",
        " |",
        " | CRUMBGATE_SERVER__WORKERS=many",
        " |                           ^^^^",
        " = help: write a number without quotes, sign or unit",
        "",
    ];
    assert_eq!(refused("CRUMBGATE_SERVER__WORKERS", "many"), expected.join("\n"));
    for (name, value, expected) in [
        ("CRUMBGATE_SERVER__WORKER", "2", "did you mean `CRUMBGATE_SERVER__WORKERS`?"),
        ("CRUMBGATE_SERVER_WORKERS", "2", "did you mean `CRUMBGATE_SERVER__WORKERS`?"),
        (
            "CRUMBGATE_UPSTREAMS__APP__CONECT_TIMEOUT",
            "2",
            "CRUMBGATE_UPSTREAMS__APP__CONNECT_TIMEOUT`",
        ),
        ("CRUMBGATE_XYZ", "2", "no key of the configuration has this name"),
        ("CRUMBGATE_SERVER", "2", "no key of the configuration has this name"),
        ("CRUMBGATE_SERVER__HTTPS", "0.0.0.0:1", "a variable cannot set a list"),
        ("CRUMBGATE_UPSTREAMS__APP__SERVERS", "http://a", "a variable cannot set a list"),
        ("CRUMBGATE_TENANTS__ACME__SESSION", "2h", "a variable cannot set this key"),
        ("CRUMBGATE_COOKIES", "[]", "a variable cannot set a list"),
        ("CRUMBGATE_LOG__ACCESS", "yes", "expected true or false"),
        ("CRUMBGATE_DEFAULTS__UPSTREAM", "web", "expected the name of an upstream"),
        ("CRUMBGATE_LIMITS__HEAD_BYTES", "", "expected a whole number from 8192"),
    ] {
        let problem = refused(name, value);
        assert!(problem.starts_with(&format!("{name}: error: ")), "{problem}");
        assert!(problem.contains(expected), "{problem}");
    }
}

#[test]
fn a_variable_that_is_not_text_is_rejected() {
    let bytes = OsString::from_vec(vec![0xff]);
    let environment = [("CRUMBGATE_SERVER__WORKERS".into(), bytes.clone()), (bytes, "x".into())];
    let problems = Config::read(Source::new("c", minimal()), environment).unwrap_err();
    assert!(problems.to_string().contains("server.workers: found bytes that are not UTF-8"));
}

#[test]
fn variables_for_other_programs_are_ignored() {
    let environment = [
        ("PATH", "/bin"),
        ("CRUMBGATE", "x"),
        ("CRUMBGATE_CONFIG", "config.toml"),
        ("CRUMBGATE_TOKEN_FILE", "token"),
        ("CRUMBGATE_SERVICE_HOST", "10.0.0.1"),
        ("CRUMBGATE_SERVICE_PORT_HTTPS", "443"),
        ("CRUMBGATE_PORT", "tcp://10.0.0.1:443"),
        ("CRUMBGATE_PORT_443_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(read("config.toml", &minimal(), &environment).is_ok());
}

#[test]
fn a_tenant_has_the_defaults_that_it_does_not_override() {
    let text = r#"
        tls.certificates = [{ chain = "a.crt", key = "a.key" }]
        upstreams.web.servers = ["https://[::1]"]
        upstreams.app.servers = ["unix:run/app.sock", "http://App.example"]
        defaults = { upstream = "app", session = "2h", evict = "off", unknown_hosts = "default" }
        tenants."Acme.Example" = {}
        tenants."*.acme.example" = { upstream = "web", session = 60, mode = "report", evict = "domain" }
    "#;
    let config = read("etc/config.toml", text, &[]).unwrap().config;
    let names: Vec<_> = config.upstreams.iter().map(|upstream| upstream.name.as_str()).collect();
    assert_eq!(names, ["web", "app"], "in the order written");
    let tls = ServerAddress::Tls { host: "::1".to_owned(), port: 443 };
    let plain = ServerAddress::Plain { host: "app.example".to_owned(), port: 80 };
    assert_eq!(config.upstreams[0].servers, [tls]);
    assert_eq!(
        config.upstreams[1].servers,
        [ServerAddress::Unix("etc/run/app.sock".into()), plain]
    );

    let values = |tenant: &Tenant| {
        let policy = &tenant.policy;
        (tenant.upstream, policy.session.seconds(), policy.mode, policy.evict)
    };
    let tenant = |name: &str| config.tenants.iter().find(|tenant| &*tenant.name == name).unwrap();
    assert_eq!(values(tenant("acme.example")), (1, 7_200, Mode::Enforce, EvictScope::Off));
    assert_eq!(values(tenant("*.acme.example")), (0, 60, Mode::Report, EvictScope::Domain));
    let default = config.default_tenant.as_ref().unwrap();
    assert_eq!(&*default.name, Tenant::DEFAULT_NAME);
    assert_eq!(values(default), values(tenant("acme.example")));
    let declaration = &default.policy.declaration;
    assert_eq!(**declaration, Declaration::flexopus());
    let is_shared = |tenant: &Tenant| Arc::ptr_eq(&tenant.policy.declaration, declaration);
    assert!(config.tenants.iter().all(is_shared), "one declaration for all");
}

#[test]
fn the_admin_interface_listens_on_loopback_by_default() {
    let admin = |keys: &str| {
        let text = format!("{}[admin]\n{keys}", minimal());
        read("etc/config.toml", &text, &[]).unwrap().config.admin
    };
    let default = admin("");
    assert_eq!(default.listen, AdminListener::Tcp("127.0.0.1:9443".parse().unwrap()));
    assert_eq!((default.token_file, default.certificate, default.tenant_series), (None, None, 0));
    assert_eq!(admin("listen = 'off'").listen, AdminListener::Off);
    let socket = AdminListener::Unix("/run/crumbgate.sock".into());
    assert_eq!(admin("listen = 'unix:/run/crumbgate.sock'").listen, socket);
    assert_eq!(admin("listen = 'unix:a.sock'").listen, AdminListener::Unix("etc/a.sock".into()));
    let open = admin(
        "listen = '0.0.0.0:9443'\ntoken_file = 'tokens'\nhosts = ['Admin.Example', '[0::1]']\n\
         certificate = { chain = 'a.crt', key = 'a.key' }\ntenant_series = 9",
    );
    assert_eq!(open.token_file, Some("etc/tokens".into()));
    assert_eq!(open.certificate.unwrap().key, Path::new("etc/a.key"));
    assert_eq!(open.hosts, ["admin.example", "[::1]"]);
    assert_eq!(open.tenant_series, 9);
    let environment = [("CRUMBGATE_ADMIN__LISTEN", "off")];
    let config = read("config.toml", &minimal(), &environment).unwrap().config;
    assert_eq!(config.admin.listen, AdminListener::Off);
}

#[test]
fn the_file_sets_the_page_and_an_agreement_needs_one() {
    let page = |text: &str| read("config.toml", &(minimal() + text), &[]).unwrap().config.page;
    assert_eq!(page(""), PageSettings::default());
    let written = page(
        "[page]\npath = \"/cookies\"\noperator = \"Acme\"\nlink = \"https://a.example\"\nlogo = \"A\"",
    );
    let path = written.path.as_ref().map(PagePath::as_str);
    assert_eq!((path, written.logo.unwrap().as_str()), (Some("/cookies"), "A"));
    assert_eq!(written.operator.unwrap().as_str(), "Acme");
    assert_eq!(written.link.unwrap().as_str(), "https://a.example");
    let environment = [("CRUMBGATE_PAGE__PATH", "off")];
    let off = read("config.toml", &(minimal() + "[seal]\n"), &environment).unwrap().config;
    assert_eq!(off.page.path, None);

    let keys = |agreement| TenantKeys::parse(&format!("{{\"agreement\": {agreement:?}}}")).unwrap();
    assert!(off.tenant("b.example", &keys("off")).is_ok());
    let refused = off.tenant("b.example", &keys("required")).unwrap_err().to_string();
    assert!(refused.contains("this gateway has no cookie page"), "{refused}");
}

#[test]
fn d_cookies_of_the_file_replace_the_whole_default_declaration() {
    let text = minimal() + "[[cookies]]\nname = \"sid\"\n";
    let config = read("config.toml", &text, &[]).unwrap().config;
    let careful = DeclaredCookie {
        name: "sid".parse().unwrap(),
        lifetime: Lifetime::Session,
        renew_on: RenewOn { methods: Vec::new(), paths: Vec::new() },
        inject: Inject::Renew,
        http_only: true,
        same_site: SameSite::Lax,
        path: "/".parse().unwrap(),
        domain: None,
        purpose: Vec::new(),
        without: Vec::new(),
    };
    assert_eq!(config.tenants[0].policy.declaration.cookies(), [careful]);

    let text = minimal()
        + r#"
        [[cookies]]
        name = "sid"
        lifetime = "3w"
        renew_on = { methods = ["GET"], paths = ["/login", "/api/*"] }
        inject = { value = "1" }
        http_only = false
        same_site = "strict"
        path = "/app"
        domain = "acme.example"
        purpose = { en = "Stay.", de = "Bleiben." }
        without = { de = "Gehen." }
    "#;
    let config = read("config.toml", &text, &[]).unwrap().config;
    let written = DeclaredCookie {
        name: "sid".parse().unwrap(),
        lifetime: Lifetime::Fixed("3w".parse().unwrap()),
        renew_on: RenewOn {
            methods: vec!["GET".to_owned()],
            paths: vec!["/login".parse().unwrap(), "/api/*".parse().unwrap()],
        },
        inject: Inject::Value("1".parse().unwrap()),
        http_only: false,
        same_site: SameSite::Strict,
        path: "/app".parse().unwrap(),
        domain: Some("acme.example".parse().unwrap()),
        purpose: [("en", "Stay."), ("de", "Bleiben.")].map(|(l, t)| (l.into(), t.into())).into(),
        without: vec![("de".into(), "Gehen.".into())],
    };
    assert_eq!(config.tenants[0].policy.declaration.cookies(), [written]);
}

#[test]
fn limits_have_defaults_and_a_small_head_lowers_the_limit_of_cookies() {
    let limits = |text: &str| read("config.toml", &(minimal() + text), &[]).unwrap().config.limits;
    assert_eq!(*limits(""), Limits::DEFAULT);
    let small = limits("[limits]\nhead_bytes = 16384\n");
    assert_eq!((small.head_bytes, small.cookie_bytes), (16_384, 16_384));
}

#[test]
fn the_place_of_a_problem_found_later_is_known_by_its_key() {
    let environment = [("CRUMBGATE_UPSTREAMS__APP__CA", "ca.pem")];
    let text = minimal().replace("http:", "https:");
    let effective = read("config.toml", &text, &environment).unwrap().effective;
    for (key, place) in [
        ("tls.certificates[0].key", "config.toml:1:46"),
        ("tls.certificates[0]", "config.toml:1:21"),
        ("tls.certificates[1].key", "config.toml"),
        ("server.https", "config.toml"),
        ("upstreams.app.ca", "CRUMBGATE_UPSTREAMS__APP__CA"),
    ] {
        assert_eq!(effective.place(key).to_string(), place);
    }
    let mut problems = Problems::default();
    let place = effective.place("tls.certificates[0].key");
    problems.push(Problem::error(place, "tls.certificates[0].key", "cannot be read"));
    assert!(problems.to_string().contains("key = \"a.key\""), "{problems}");
}

#[test]
fn an_unreadable_file_is_a_problem() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    let problems = Config::load(&path, []).unwrap_err();
    let text = problems.to_string();
    assert!(text.starts_with(&format!("{}: error: cannot be read: ", path.display())), "{text}");

    fs::write(&path, b"# \xe9t\xe9\n").unwrap();
    let problems = Config::load(&path, []).unwrap_err();
    let text = problems.to_string();
    let place = format!("{}:1:3: error: found bytes that are not UTF-8\n", path.display());
    assert!(text.starts_with(&place), "{text}");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_accepted() {
    let text = format!("\u{feff}{}", minimal()).replace('\n', "\r\n");
    assert!(read("config.toml", &text, &[]).is_ok());
    let problems = read("config.toml", &(text + "[log]\r\naccess = 1\r\n"), &[]).unwrap_err();
    assert!(problems.to_string().starts_with("config.toml:6:10: error"), "{problems}");
    let is_clean = |place: &Place| !place.to_string().contains('\r');
    assert!(problems.iter().all(|problem| is_clean(&problem.place)));
}

proptest! {
    /// A valid file with a part removed or replaced by any text is either rejected with problems or loads and prints.
    #[test]
    fn any_text_is_either_valid_or_has_problems(
        at: prop::sample::Index,
        removed in 0_usize..60,
        inserted in prop_oneof![
            any::<String>(),
            "[-_.a-z0-9\"'\\[\\]{}=,#\n ]{0,20}",
            Just(String::new()),
        ],
    ) {
        let text: Vec<char> = uncommented(&["## ", "# "]).chars().collect();
        let start = at.index(text.len());
        let end = text.len().min(start + removed);
        let mut changed: String = text[..start].iter().collect();
        changed.push_str(&inserted);
        changed.extend(&text[end..]);
        match read("config.toml", &changed, &[]) {
            Ok(loaded) => {
                let again = read("config.toml", &loaded.effective.to_string(), &[]).unwrap();
                prop_assert_eq!(again.config, loaded.config);
            }
            Err(problems) => {
                prop_assert!(problems.errors() > 0);
                prop_assert!(problems.render(true).contains("config.toml"));
            }
        }
    }
}

/// The smallest configuration without warnings; it has four lines.
fn minimal() -> String {
    "tls.certificates = [{ chain = \"a.crt\", key = \"a.key\" }]\n\
     [upstreams.app]\n\
     servers = [\"http://127.0.0.1:8000\"]\n\
     [tenants.\"acme.example\"]\n"
        .to_owned()
}

fn read(path: &str, text: &str, environment: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), value.into()));
    Config::read(Source::new(path, text), environment)
}

fn corpus() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_string_lossy().into_owned()
}

/// The folder of the repository, with the shipped `config.toml`.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shipped_path() -> PathBuf {
    repository().join("config.toml")
}

fn shipped_text() -> String {
    fs::read_to_string(shipped_path()).unwrap()
}

/// The shipped file, with these marks removed from lines that set a key or open a table.
fn uncommented(marks: &[&str]) -> String {
    let uncomment = |line: &str| {
        let setting = marks.iter().find_map(|mark| line.strip_prefix(mark));
        format!("{}\n", setting.filter(|setting| is_setting(setting)).unwrap_or(line))
    };
    shipped_text().lines().map(uncomment).collect()
}

/// Returns true if a line is `key = value` or `[table]`. Prose has a space before its first `=`, if it has one.
fn is_setting(line: &str) -> bool {
    let is_key = |key: &str| !key.is_empty() && !key.contains([' ', '#']);
    line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| is_key(key))
}

/// Every key of a value, in the form of `known_keys`.
fn collect_keys(value: &toml::Value, path: &str, keys: &mut BTreeSet<String>) {
    keys.insert(path.to_owned());
    match value {
        toml::Value::Table(table) if path == "upstreams" || path == "tenants" => {
            table.values().for_each(|value| collect_keys(value, &format!("{path}.*"), keys));
        }
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| {
            let dot = if path.is_empty() { "" } else { "." };
            collect_keys(value, &format!("{path}{dot}{key}"), keys);
        }),
        toml::Value::Array(elements) => {
            elements.iter().for_each(|value| collect_keys(value, &format!("{path}[]"), keys));
        }
        _ => {}
    }
}
