//! Access to the admin API: no accidental exposure, no request forgery, and no access from elsewhere without a token.

use std::{
    fs,
    os::unix::{
        fs::{FileTypeExt, PermissionsExt},
        net::UnixListener,
    },
};

use http::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

use crate::harness::{ACME, Http, Operator, Program, Raw, Setup, Site, in_time};

const OPERATOR: &str = "operator-0123456789abcdef0123456789";
const AUDITOR: &str = "auditor-0123456789abcdef0123456789";

fn setup() -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()])
}

/// A folder whose gateway asks for tokens: alice is an operator, bob an auditor.
fn with_tokens() -> Site {
    let site = Site::of(&setup().admin("token_file = \"tokens\""));
    write_tokens(&site, &format!("alice operator {OPERATOR}\nbob auditor {AUDITOR}\n"));
    site
}

fn write_tokens(site: &Site, text: &str) {
    fs::write(site.path("tokens"), text).unwrap();
    fs::set_permissions(site.path("tokens"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[tokio::test]
async fn a_listener_that_others_can_reach_needs_tls_and_tokens() {
    in_time(async {
        let certificate = "certificate = { chain = \"dev.crt\", key = \"dev.key\" }";
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
            let listen = format!("listen = \"{address}\"");
            for (more, lacking) in [
                ("", "a token_file and a certificate"),
                ("token_file = \"tokens\"", "a certificate"),
                (certificate, "a token_file"),
            ] {
                let site = Site::of(&setup().admin(&listen).admin(more));
                for command in ["check", "run"] {
                    let finished = site.run(&[command]).await;
                    assert_eq!(finished.code, Some(1), "{command} {address}: {finished:?}");
                    let message = format!(
                        "error: admin.listen: other machines can connect to it, so it needs {lacking}\n"
                    );
                    assert!(finished.stderr.contains(&message), "{}", finished.stderr);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn with_tls_and_tokens_it_answers_requests_that_carry_a_token() {
    in_time(async {
        let setup = setup()
            .admin("listen = \"0.0.0.0:0\"\ntoken_file = \"tokens\"")
            .admin("certificate = { chain = \"dev.crt\", key = \"dev.key\" }");
        let site = Site::of(&setup);
        write_tokens(&site, &format!("alice operator {OPERATOR}"));
        let mut program = site.start();
        let address = program.admin().await.replace("0.0.0.0", "127.0.0.1");
        let tls = program.client_config(Http::One);
        let anybody = Operator::at(&address).over_tls(tls);
        assert_eq!(anybody.get("/v1/status").await.status, 401);
        let alice = anybody.with_token(OPERATOR);
        assert_eq!(alice.get("/v1/status").await.status, 200);
        // The authority of the connection is the listener's own; another one is refused.
        let request = alice.request(Method::GET, "/v1/status").header("host", "0.0.0.0");
        alice.send(request, "").await.problem(421);
        // The command line accepts exactly the certificate of the configuration.
        let finished = site.run(&["status", "--address", &address]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.contains("ready          yes"), "{}", finished.stdout);
    })
    .await;
}

#[tokio::test]
async fn a_host_other_than_the_listeners_own_is_refused() {
    in_time(async {
        let site = Site::of(&setup().admin("hosts = [\"Admin.Example\"]"));
        let mut program = site.start();
        let address = program.admin().await;
        let operator = program.operator().await;
        let port = address.rsplit(':').next().unwrap();
        for host in [
            address.clone(),
            format!("localhost:{port}"),
            format!("LOCALHOST:{port}"),
            format!("[::1]:{port}"),
            "admin.example".to_owned(),
            "admin.example:8443".to_owned(),
        ] {
            let request = operator.request(Method::GET, "/v1/status").header("host", &host);
            assert_eq!(operator.send(request, "").await.status, 200, "{host}");
        }
        for host in [
            "rebound.example".to_owned(),
            format!("rebound.example:{port}"),
            format!("127.0.0.1.rebound.example:{port}"),
            format!("user@127.0.0.1:{port}"),
            format!("192.0.2.1:{port}"),
            "127.0.0.1:1".to_owned(),
            "127.0.0.1".to_owned(),
            "localhost".to_owned(),
            ACME.to_owned(),
        ] {
            for path in ["/healthz", "/v1/status", "/v1/reload", "/openapi.json", "/"] {
                let request = operator.request(Method::GET, path).header("host", &host);
                let problem = operator.send(request, "").await.problem(421);
                assert_eq!(problem["key"], "Host", "{host}");
                assert!(problem["detail"].as_str().unwrap().contains(&address), "{problem}");
            }
        }
        // Two `Host` fields are refused, and an absolute request target overrides the field.
        let request = operator.request(Method::GET, "/healthz");
        let request = request.header("host", &address).header("host", &address);
        operator.send(request, "").await.problem(421);
        let request = operator.request(Method::GET, "http://rebound.example/healthz");
        operator.send(request.header("host", &address), "").await.problem(421);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_answer_and_changes_nothing() {
    in_time(async {
        let site = Site::of(&setup().admin("hosts = [\"admin.example\"]"));
        let mut program = site.start();
        let address = program.admin().await;
        let operator = program.operator().await;
        let send = async |field: &str, value: &str| {
            let request = operator.request(Method::PUT, "/v1/tenants/evil.example");
            let request = request.header("content-type", "application/json");
            operator.send(request.header(field, value), "{}").await
        };
        for origin in [
            "http://evil.example",
            "https://evil.example",
            "null",
            "http://127.0.0.1:1",
            "http://localhost",
            "file://",
            "http://admin.example",
            "",
        ] {
            let problem = send("origin", origin).await.problem(403);
            assert_eq!(problem["key"], "Origin", "{origin}");
        }
        let other_scheme = format!("https://{address}");
        send("origin", &other_scheme).await.problem(403);
        for site in ["cross-site", "same-site", "unheard-of"] {
            let problem = send("sec-fetch-site", site).await.problem(403);
            assert_eq!(problem["key"], "Sec-Fetch-Site");
        }
        assert_eq!(operator.get("/v1/tenants/evil.example").await.status, 404);

        for site in ["none", "same-origin"] {
            let request = operator.request(Method::GET, "/v1/status");
            let request = request.header("sec-fetch-site", site);
            assert_eq!(operator.send(request, "").await.status, 200);
        }
        assert_eq!(send("origin", &format!("http://{address}")).await.status, 201);
        // Behind a reverse proxy, under its host name.
        let request = operator.request(Method::GET, "/v1/status").header("host", "admin.example");
        let request = request.header("origin", "https://admin.example");
        assert_eq!(operator.send(request, "").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn an_html_form_can_not_change_anything() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        for kind in
            ["application/x-www-form-urlencoded", "multipart/form-data; boundary=a", "text/plain"]
        {
            for (method, path) in [
                (Method::POST, "/v1/reload"),
                (Method::POST, "/v1/tenants/batch"),
                (Method::PUT, "/v1/tenants/evil.example"),
            ] {
                let request = operator.request(method, path).header("content-type", kind);
                let problem = operator.send(request, "{\"changes\":[]}").await.problem(415);
                assert_eq!(problem["key"], "Content-Type");
            }
            // A form without a field has an empty body, and still sends its content type.
            let request = operator.request(Method::POST, "/v1/reload").header("content-type", kind);
            operator.send(request, "").await.problem(415);
        }
        // A body without a content type is not JSON.
        let request = operator.request(Method::PUT, "/v1/tenants/evil.example");
        operator.send(request, "{}").await.problem(415);
        assert_eq!(operator.get("/v1/tenants/evil.example").await.status, 404);
        assert!(operator.get("/v1/status").await.json()["last_reload"]["at"].is_null());
    })
    .await;
}

#[tokio::test]
async fn without_a_valid_token_only_health_checks_are_answered() {
    in_time(async {
        let site = with_tokens();
        let mut program = site.start();
        let anybody = program.operator().await;
        for path in ["/healthz", "/readyz"] {
            assert_eq!(anybody.get(path).await.status, 200);
        }
        let wrong = [
            String::new(),
            OPERATOR[1..].to_owned(),
            format!("{OPERATOR}x"),
            OPERATOR.to_uppercase(),
            "alice".to_owned(),
        ];
        let mut strangers: Vec<_> = wrong.iter().map(|token| anybody.with_token(token)).collect();
        strangers.push(anybody.clone());
        for stranger in strangers {
            for path in [
                "/dashboard/panels",
                "/openapi.json",
                "/v1/status",
                "/v1/tenants",
                "/v1/config",
                "/none",
            ] {
                let reply = stranger.get(path).await;
                assert_eq!(reply.field("www-authenticate"), "Bearer realm=\"crumbgate\"");
                assert_eq!(reply.problem(401)["key"], "Authorization", "{path}");
            }
            let form = stranger.request(Method::POST, "/v1/reload");
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            stranger.send(form, "a=1").await.problem(401);
            stranger.put("/v1/tenants/evil.example", &json!({})).await.problem(401);
        }
        for scheme in ["Basic", "bearertoken", ""] {
            let field = format!("{scheme} {OPERATOR}");
            let request = anybody.request(Method::GET, "/v1/status");
            anybody.send(request.header("authorization", field), "").await.problem(401);
        }
        let twice = anybody.with_token(OPERATOR).request(Method::GET, "/v1/status");
        let twice = twice.header("authorization", format!("Bearer {OPERATOR}"));
        anybody.send(twice, "").await.problem(401);
        let alice = anybody.with_token(OPERATOR);
        assert_eq!(alice.get("/v1/status").await.status, 200);
        assert_eq!(alice.get("/v1/tenants/evil.example").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn an_auditor_reads_everything_and_changes_nothing() {
    in_time(async {
        let site = with_tokens();
        let mut program = site.start();
        let alice = program.operator().await.with_token(OPERATOR);
        let bob = alice.with_token(AUDITOR);
        alice.put("/v1/tenants/globex.example", &json!({"session": "2h"})).await;
        for path in [
            "/openapi.json",
            "/v1/tenants",
            "/v1/tenants/globex.example",
            "/v1/declaration",
            "/v1/audit/report",
            "/v1/audit/status",
            "/v1/status",
            "/v1/config",
            "/v1/upstreams",
            "/metrics",
        ] {
            assert_eq!(bob.get(path).await.status, 200, "{path}");
        }
        let question = json!({"tenant": ACME, "cookie": ["_ga=1"]});
        assert_eq!(bob.post("/v1/explain", &question).await.status, 200);
        let removal = json!({"changes": [{"host": "globex.example", "set": null}]});
        let set = json!({"session": "20m"});
        assert_eq!(bob.put("/v1/tenants/globex.example?dry_run=true", &set).await.status, 200);
        assert_eq!(bob.post("/v1/tenants/batch?dry_run=true", &removal).await.status, 200);
        assert_eq!(bob.delete("/v1/tenants/globex.example?dry_run=true").await.status, 200);
        // A parameter that only resembles `dry_run` is refused.
        let twice = "/v1/tenants/globex.example?dry_run=true&dry%5Frun=false";
        bob.put(twice, &set).await.problem(400);
        bob.put("/v1/tenants/globex.example?dry_run=true&dry_run=false", &set).await.problem(400);
        for reply in [
            bob.put("/v1/tenants/globex.example", &set).await,
            bob.put("/v1/tenants/globex.example?dry_run=false", &set).await,
            bob.put("/v1/tenants/globex.example?x=dry_run=true", &set).await,
            bob.delete("/v1/tenants/globex.example").await,
            bob.post("/v1/tenants/batch", &removal).await,
            bob.post("/v1/reload", &json!({})).await,
            bob.post("/v1/reload?dry_run=true", &json!({})).await,
        ] {
            let problem = reply.problem(403);
            assert!(problem["detail"].as_str().unwrap().contains("bob is an auditor"), "{problem}");
        }
        let tenant = alice.get("/v1/tenants/globex.example").await.json();
        assert_eq!(tenant["session"], "2h");
    })
    .await;
}

#[tokio::test]
async fn a_reload_accepts_new_tokens_and_refuses_the_old() {
    in_time(async {
        let site = with_tokens();
        let mut program = site.start();
        let alice = program.operator().await.with_token(OPERATOR);
        let carol = alice.with_token("carol-0123456789abcdef0123456789");
        assert_eq!(carol.get("/v1/status").await.status, 401);
        // A file with a mistake leaves the old tokens in place.
        write_tokens(&site, "carol operator short\n");
        let problem = alice.post("/v1/reload", &json!({})).await.problem(422);
        assert_eq!(problem["key"], "admin.token_file");
        assert!(problem["text"].as_str().unwrap().contains("tokens:1: the third word has 5"));
        assert_eq!(alice.get("/v1/status").await.status, 200);

        write_tokens(&site, "carol operator carol-0123456789abcdef0123456789\n");
        assert_eq!(alice.post("/v1/reload", &json!({})).await.status, 200);
        assert_eq!(alice.get("/v1/status").await.status, 401);
        let status = carol.get("/v1/status").await.json();
        assert_eq!(status["last_reload"]["actor"], "alice");
    })
    .await;
}

#[tokio::test]
async fn an_unusable_token_file_is_reported_before_anything_listens() {
    in_time(async {
        let site = with_tokens();
        let message = async |expected: &str| {
            for command in ["check", "run"] {
                let finished = site.run(&[command]).await;
                assert_eq!(finished.code, Some(1), "{finished:?}");
                assert!(finished.stderr.contains("error: admin.token_file: "), "{finished:?}");
                assert!(finished.stderr.contains(expected), "{expected}: {}", finished.stderr);
                for token in [OPERATOR, AUDITOR] {
                    assert!(!finished.stderr.contains(token), "{}", finished.stderr);
                }
            }
        };
        fs::set_permissions(site.path("tokens"), fs::Permissions::from_mode(0o644)).unwrap();
        message("found the mode 0644, expected no access for other users: chmod 640").await;
        write_tokens(&site, &format!("alice operator {OPERATOR}\nbob auditor {AUDITOR} more"));
        message("tokens:2: found 4 words, expected three").await;
        write_tokens(&site, &format!("alice operator {OPERATOR}\nalice auditor {AUDITOR}"));
        message("tokens:2: the name is already on line 1").await;
        write_tokens(&site, &format!("alice operator {OPERATOR}\n\nbob auditor {OPERATOR}"));
        message("tokens:3: the token is already on line 1").await;
        write_tokens(&site, &format!("{OPERATOR} operator alice"));
        message("tokens:1: the third word has 5 characters").await;
        write_tokens(&site, "# nobody yet\n");
        message("found no token").await;
        fs::remove_file(site.path("tokens")).unwrap();
        message("can't be read").await;
    })
    .await;
}

/// All output of the API and of the commands.
async fn all_output(site: &Site, program: &mut Program<'_>) -> String {
    let alice = program.operator().await.with_token(OPERATOR);
    let address = program.admin().await;
    let mut output = String::new();
    for path in [
        "/v1/status",
        "/v1/config",
        "/v1/tenants",
        "/v1/audit/status",
        "/v1/audit/report",
        "/v1/upstreams",
        "/openapi.json",
        "/v1/declaration",
        "/none",
    ] {
        for asked in [&alice, &alice.with_token(&format!("{OPERATOR}x"))] {
            let reply = asked.get(path).await;
            output += &format!("{:?}\n{}\n", reply.fields, reply.body);
        }
    }
    output += &alice.put("/v1/tenants/globex.example", &json!({"session": "2h"})).await.body;
    output +=
        &alice.put("/v1/tenants/globex.example", &json!({"session": OPERATOR.len()})).await.body;
    output += &alice.post("/v1/reload", &json!({})).await.body;
    for arguments in [
        &["check"][..],
        &["check", "--print"],
        &["status", "--address", &address],
        &["status", "--json", "--address", &address],
        &["reload", "--address", &address],
        &["tenants", "list", "--address", &address],
        &["tenants", "set", "globex.example", "session=nothing", "--address", &address],
        &["audit", "report"],
    ] {
        let finished = site.run(arguments).await;
        output += &format!("{}{}", finished.stdout, finished.stderr);
    }
    output
}

#[tokio::test]
async fn no_token_is_ever_printed() {
    in_time(async {
        let site = with_tokens();
        let mut command = site.command(&["run"]);
        command.env("RUST_LOG", "trace");
        let mut program = site.start_command(&mut command);
        let output = all_output(&site, &mut program).await;
        program.signal(Signal::TERM);
        let finished = program.exit().await;
        assert!(output.contains("alice"), "{output}");
        for secret in [OPERATOR, AUDITOR] {
            assert!(!output.contains(secret));
            assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
        }
        let ledger = fs::read(site.path("state/crumbgate.db")).unwrap();
        let holds = |text: &str| ledger.windows(text.len()).any(|part| part == text.as_bytes());
        assert!(!holds(OPERATOR) && !holds(AUDITOR));
    })
    .await;
}

#[tokio::test]
async fn a_unix_socket_is_for_its_owner_alone() {
    in_time(async {
        let site = Site::of(&setup().admin("listen = \"unix:crumbgate.sock\""));
        let mut program = site.start();
        let operator = program.operator().await;
        let found = fs::symlink_metadata(site.path("crumbgate.sock")).unwrap();
        assert!(found.file_type().is_socket());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        // No temporary file is left.
        let names = fs::read_dir(site.path("")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.all(|name| !name.starts_with(".crumbgate-")));
        // Any host is accepted: only programs of this machine can connect. A request from a web page is refused.
        let request = operator.request(Method::GET, "/v1/status").header("host", "a.example");
        assert_eq!(operator.send(request, "").await.status, 200);
        let request = operator.request(Method::GET, "/v1/status");
        operator.send(request.header("origin", "http://localhost"), "").await.problem(403);
        // The actor is the user.
        operator.post("/v1/reload", &json!({})).await;
        let uid = rustix::process::getuid().as_raw();
        let status = operator.get("/v1/status").await.json();
        assert_eq!(status["last_reload"]["actor"], format!("uid {uid}"));
        let finished = site.run(&["status"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        program.signal(Signal::TERM);
        assert_eq!(program.exit().await.code, Some(0));
        assert!(!site.path("crumbgate.sock").exists(), "it is gone with the gateway");
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_socket_is_replaced_and_any_other_file_is_not() {
    in_time(async {
        let site = Site::of(&setup().admin("listen = \"unix:crumbgate.sock\""));
        let path = site.path("crumbgate.sock");
        fs::write(&path, "precious").unwrap();
        let finished = site.run(&["run"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("crumbgate.sock is not a socket"), "{}", finished.stderr);
        assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
        fs::remove_file(&path).unwrap();

        let live = UnixListener::bind(&path).unwrap();
        let finished = site.run(&["run"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("a process already listens on"), "{}", finished.stderr);
        drop(live);

        assert!(path.exists(), "its owner has left it behind");
        let mut program = site.start();
        assert_eq!(program.operator().await.get("/healthz").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_request_that_is_too_large_or_too_slow_does_not_affect_others() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        // One byte too many: bytes that nobody reads would reset the connection before the answer arrives.
        let large = json!({"session": "x".repeat(1024 * 1024)});
        let problem = operator.put("/v1/tenants/globex.example", &large).await.problem(413);
        assert!(problem["detail"].as_str().unwrap().contains("1048576 bytes"), "{problem}");
        // More connections than there are places: idle ones are closed, and the next one is answered.
        let address = program.admin().await;
        let mut silent = Vec::new();
        for _ in 0..200 {
            silent.push(tokio::net::TcpStream::connect(&address).await.unwrap());
        }
        assert_eq!(operator.get("/healthz").await.status, 200);
        drop(silent);
        assert_eq!(operator.get("/healthz").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_client_that_reads_no_answers_does_not_block_others() {
    in_time(async {
        let site = Site::of(&setup().admin(""));
        let mut program = site.start();
        let operator = program.operator().await;
        let address = program.admin().await;
        let answer = operator.get("/openapi.json").await.body.len();
        let asked = format!("GET /openapi.json HTTP/1.1\r\nhost: {address}\r\n\r\n").repeat(ASKED);
        let mut deaf = Vec::new();
        for _ in 0..128 {
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
            stream.write_all(asked.as_bytes()).await.unwrap();
            deaf.push(stream);
        }
        for stream in &deaf {
            stream.readable().await.unwrap();
        }
        // All places are taken by clients that wait for nothing.
        assert_eq!(operator.get("/healthz").await.status, 200);
        let mut read = Vec::new();
        // They were closed, with or without an error.
        let _ = deaf[0].read_to_end(&mut read).await;
        assert!(read.len() < ASKED * answer, "{} bytes", read.len());
    })
    .await;
}

/// More than fits into the buffers between two programs.
const ASKED: usize = 200;

#[tokio::test]
async fn a_connection_to_a_listener_with_tokens_needs_one_even_after_a_reload_without() {
    in_time(async {
        let (listen, tokens) = ("listen = \"0.0.0.0:0\"", "token_file = \"tokens\"");
        let certificate = "certificate = { chain = \"dev.crt\", key = \"dev.key\" }";
        let site = Site::of(&setup().admin(listen).admin(tokens).admin(certificate));
        write_tokens(&site, &format!("alice operator {OPERATOR}"));
        let mut program = site.start();
        let address = program.admin().await.replace("0.0.0.0", "127.0.0.1");
        let tls = program.client_config(Http::One);
        let mut stranger = Raw::connect(address.parse().unwrap(), "127.0.0.1", tls.clone()).await;
        stranger.send(format!("GET /v1/status HTTP/1.1\r\nhost: {address}\r\n")).await;

        let text = fs::read_to_string(site.path("config.toml")).unwrap();
        let text = text.replace(listen, "listen = \"unix:crumbgate.sock\"");
        let text = text.replace(tokens, "").replace(certificate, "");
        fs::write(site.path("config.toml"), text).unwrap();
        let alice = Operator::at(&address).over_tls(tls).with_token(OPERATOR);
        assert_eq!(alice.post("/v1/reload", &json!({})).await.status, 200);
        let socket = format!("unix:{}", site.path("crumbgate.sock").display());
        assert_eq!(Operator::at(&socket).get("/v1/status").await.status, 200);

        stranger.send("\r\n").await;
        let head = stranger.read_head().await;
        assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_is_widened_on_its_own_port_is_refused_with_the_reason() {
    in_time(async {
        let site = with_tokens();
        let mut program = site.start();
        let alice = program.operator().await.with_token(OPERATOR);
        let address = program.admin().await;
        let port = address.rsplit(':').next().unwrap();
        let text = fs::read_to_string(site.path("config.toml")).unwrap();
        let wide = format!(
            "listen = \"0.0.0.0:{port}\"\ncertificate = {{ chain = \"dev.crt\", key = \"dev.key\" }}\n"
        );
        let widened = text.replace("listen = \"127.0.0.1:0\"\n", &wide);
        assert_ne!(widened, text);
        fs::write(site.path("config.toml"), widened).unwrap();
        let problem = alice.post("/v1/reload", &json!({})).await.problem(422);
        assert_eq!(problem["key"], "admin.listen");
        let message = format!(
            "0.0.0.0:{port} can't be bound while this gateway's API listens on {address}"
        );
        assert!(problem["text"].as_str().unwrap().contains(&message), "{problem}");
        assert_eq!(alice.get("/v1/status").await.status, 200);
    })
    .await;
}
