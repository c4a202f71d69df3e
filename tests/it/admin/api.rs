//! The admin API: its answers, their agreement with the OpenAPI document, and its effects.

use std::{collections::BTreeSet, fs, io::Write, process::Command, sync::Arc};

use http::Method;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{
    ACME, Holding, Http, Operator, Program, Reply, Setup, Site, in_time, ok, spawn,
};

const GLOBEX: &str = "/v1/tenants/globex.example";

async fn started(site: &Site) -> (Program<'_>, Operator) {
    let mut program = site.start();
    let operator = program.operator().await;
    (program, operator)
}

fn site() -> Site {
    Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]).admin(""))
}

#[tokio::test]
async fn no_answer_may_be_stored_or_shared() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let rebound = operator.request(Method::GET, "/").header("host", "rebound.example");
        for reply in [
            operator.get("/healthz").await,
            operator.get("/none").await,
            operator.delete("/healthz").await,
            operator.send(rebound, "").await,
        ] {
            for (name, value) in [
                ("cache-control", "no-store"),
                ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
                ("cross-origin-resource-policy", "same-origin"),
                ("x-content-type-options", "nosniff"),
            ] {
                assert_eq!(reply.field(name), value, "{reply:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_unknown_path_or_method_lists_what_exists() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        for path in ["/dashboard", "/v1", "/v1/tenants/a/b", "/v2/status", "/healthz/"] {
            let problem = operator.get(path).await.problem(404);
            assert_eq!(problem["help"], "/openapi.json lists every route");
        }
        for (method, path, allowed) in [
            (Method::POST, "/v1/status", "GET,HEAD"),
            (Method::GET, "/v1/reload", "POST"),
            (Method::TRACE, GLOBEX, "GET,HEAD,PUT,DELETE"),
        ] {
            let reply = operator.send(operator.request(method, path), "").await;
            let allow: BTreeSet<_> = reply.field("allow").split(',').collect();
            assert_eq!(allow, allowed.split(',').collect(), "{path}");
            reply.problem(405);
        }
    })
    .await;
}

#[tokio::test]
async fn a_tenant_is_created_shown_changed_and_removed() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        assert_eq!(operator.get(GLOBEX).await.problem(404)["key"], "host");

        let made = operator.put(GLOBEX, &json!({"session": "2h", "mode": "report"})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let made = made.json();
        assert!(made["before"].is_null());
        let shown = operator.get("/v1/tenants/Globex.Example").await;
        assert_eq!(made["after"], shown.json());
        assert_eq!(
            shown.json(),
            json!({
                "host": "globex.example", "upstream": "app", "session": "2h", "session_s": 7200,
                "mode": "report", "evict": "host", "seal": false, "agreement": "off", "guard": "off",
                "origin": "live",
                "keys": {"session": "2h", "mode": "report"}, "etag": shown.json()["etag"],
            })
        );
        assert_eq!(shown.field("etag"), format!("\"{}\"", shown.json()["etag"].as_str().unwrap()));

        // PUT replaces all keys of the tenant: the mode is that of [defaults] again.
        let changed = operator.put(GLOBEX, &json!({"session": 1200})).await;
        assert_eq!(changed.status, 200);
        let changed = changed.json();
        assert_eq!(
            (&changed["before"], &changed["after"]["session"]),
            (&shown.json(), &json!("20m"))
        );
        assert_eq!(changed["after"]["mode"], "enforce");

        let removed = operator.delete(GLOBEX).await.json();
        assert_eq!(
            removed,
            json!({"host": "globex.example", "before": changed["after"], "after": null})
        );
        operator.get(GLOBEX).await.problem(404);
        operator.delete(GLOBEX).await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_and_changes_nothing() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let dry = format!("{GLOBEX}?dry_run=true");
        let would = operator.put(&dry, &json!({"session": "2h"})).await;
        assert_eq!(
            (would.status.as_u16(), would.json()["after"]["session"].clone()),
            (200, json!("2h"))
        );
        operator.get(GLOBEX).await.problem(404);
        operator.put(GLOBEX, &json!({})).await;
        let would = operator.delete(&dry).await.json();
        assert_eq!(
            (would["before"]["session"].clone(), would["after"].is_null()),
            (json!("1w"), true)
        );
        assert_eq!(operator.get(GLOBEX).await.status, 200);
        let batch = json!({"changes": [{"host": "globex.example", "set": {"session": "3d"}}]});
        let would = operator.post("/v1/tenants/batch?dry_run=true", &batch).await.json();
        assert_eq!(would["dry_run"], true);
        assert_eq!(would["changes"][0]["after"]["session"], "3d");
        assert_eq!(operator.get(GLOBEX).await.json()["session"], "1w");
        operator.put(&format!("{GLOBEX}?dry_run=yes"), &json!({})).await.problem(400);
        operator.put(&format!("{GLOBEX}?dryrun=true"), &json!({})).await.problem(400);
    })
    .await;
}

#[tokio::test]
async fn a_change_based_on_an_outdated_etag_is_refused() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let put = async |session: &str, field: &str, value: &str| -> Reply {
            let request = operator.request(Method::PUT, GLOBEX).header(field, value);
            let request = request.header("content-type", "application/json");
            operator.send(request, &json!({"session": session}).to_string()).await
        };
        assert_eq!(put("1h", "if-none-match", "*").await.status, 201);
        put("2h", "if-none-match", "*").await.problem(412);
        let looked_at = operator.get(GLOBEX).await.field("etag").to_owned();
        // Both have read the same tenant; the second is refused because the first has changed it.
        assert_eq!(put("2h", "if-match", &looked_at).await.status, 200);
        let refused = put("3h", "if-match", &looked_at).await;
        assert_eq!(refused.problem(412)["key"], "If-Match");
        assert_eq!(operator.get(GLOBEX).await.json()["session"], "2h");
        let now = operator.get(GLOBEX).await.field("etag").to_owned();
        assert_eq!(put("3h", "if-match", &format!("\"other\", {now}")).await.status, 200);
        assert_eq!(put("4h", "if-match", "*").await.status, 200);
        // A weak ETag never matches, and text that is no ETag is a syntax error.
        put("5h", "if-match", &format!("W/{now}")).await.problem(412);
        put("5h", "if-match", "etag").await.problem(412);
        put("5h", "if-none-match", &now).await.problem(412);
        let stale = operator.request(Method::DELETE, GLOBEX).header("if-match", &looked_at);
        operator.send(stale, "").await.problem(412);
        let batch = |tag: &str| json!({"changes": [{"host": "globex.example", "set": null, "if_match": tag}]});
        operator.post("/v1/tenants/batch", &batch("other")).await.problem(412);
        let tag = operator.get(GLOBEX).await.json()["etag"].as_str().unwrap().to_owned();
        assert_eq!(operator.post("/v1/tenants/batch", &batch(&tag)).await.status, 200);
        // A tenant that does not exist has no ETag.
        put("1h", "if-match", "*").await.problem(412);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_of_the_file_can_not_be_changed_by_the_api() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let path = format!("/v1/tenants/{ACME}");
        let text = fs::read_to_string(site.path("config.toml")).unwrap();
        let line = text.lines().position(|line| line.contains(ACME)).unwrap() + 1;
        let shown = operator.get(&path).await.json();
        assert_eq!(shown["origin"], "file");
        assert!(
            shown["place"].as_str().unwrap().contains(&format!("config.toml:{line}:")),
            "{shown}"
        );
        for reply in [
            operator.put(&path, &json!({"session": "2h"})).await,
            operator.put(&format!("{path}?dry_run=true"), &json!({})).await,
            operator.delete(&path).await,
            operator
                .post(
                    "/v1/tenants/batch",
                    &json!({"changes": [{"host": "ACME.example", "set": {}}]}),
                )
                .await,
        ] {
            let problem = reply.problem(409);
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains(&format!("config.toml:{line}:")), "{detail}");
        }
    })
    .await;
}

#[tokio::test]
async fn every_mistake_is_reported_with_its_key_and_the_fix() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        for (body, key, help) in [
            (json!({"sesion": "2h"}), "tenants.\"globex.example\".sesion", "did you mean `session`?"),
            (json!({"session": "2 parsecs"}), "tenants.\"globex.example\".session", "write a number"),
            (json!({"session": 59}), "tenants.\"globex.example\".session", "write a number"),
            (json!({"mode": "off"}), "tenants.\"globex.example\".mode", "write"),
            (json!({"upstream": "ap"}), "tenants.\"globex.example\".upstream", "did you mean \"app\"?"),
            (json!({"evict": null}), "tenants.\"globex.example\".evict", "remove the key"),
        ] {
            let problem = operator.put(GLOBEX, &body).await.problem(422);
            assert_eq!(problem["key"], key, "{problem}");
            assert!(problem["help"].as_str().unwrap().contains(help), "{problem}");
            assert_eq!(problem["problems"][0]["key"], key);
        }
        // All mistakes are reported at once.
        let problem = operator.put(GLOBEX, &json!({"session": 1, "mode": "x"})).await.problem(422);
        assert_eq!(problem["problems"].as_array().unwrap().len(), 2);
        for host in ["a..b", "a%20b", "a:8443", "%FF", "(default)", &"a".repeat(300)] {
            let reply = operator.put(&format!("/v1/tenants/{host}"), &json!({})).await;
            assert!([400, 422].contains(&reply.status.as_u16()), "{host}: {}", reply.body);
        }
        let send = async |body: &str| {
            let request = operator.request(Method::PUT, GLOBEX);
            operator.send(request.header("content-type", "application/json"), body).await
        };
        for body in ["", "{", "{} {}", "\u{0}"] {
            send(body).await.problem(400);
        }
        for body in ["[]", "1", "null", "\"a\""] {
            send(body).await.problem(422);
        }
        for (body, key) in [
            (json!({}), "the body"),
            (json!({"changes": [{"host": "a.example"}]}), "changes[0]"),
            (json!({"changes": [{"host": 1, "set": {}}]}), "changes[0].host"),
            (json!({"changes": [{"host": "a.example", "set": []}]}), "changes[0].set"),
            (json!({"changes": [], "dry": 1}), "dry"),
            (json!({"changes": [{"host": "a.example", "set": {}, "if_absent": true, "if_match": "a"}]}), "changes[0]"),
        ] {
            let problem = operator.post("/v1/tenants/batch", &body).await.problem(422);
            assert_eq!(problem["key"], key, "{problem}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_applied_completely_or_not_at_all() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let change = |host: &str, set: Value| json!({"host": host, "set": set});
        let all = async |changes: &[Value]| {
            operator.post("/v1/tenants/batch", &json!({"changes": changes})).await
        };
        let hosts = async || -> Vec<String> {
            let listed = operator.get("/v1/tenants").await.json();
            let tenants = listed["tenants"].as_array().unwrap().iter();
            tenants.map(|tenant| tenant["host"].as_str().unwrap().to_owned()).collect()
        };
        let first = [change("b.example", json!({})), change("c.example", json!({"session": "2h"}))];
        let done = all(&first).await.json();
        assert_eq!((&done["changed"], &done["dry_run"]), (&json!(2), &json!(false)));
        assert_eq!(hosts().await, [ACME, "b.example", "c.example"]);
        for (last, status) in [
            (change("d.example", json!({"session": "x"})), 422),
            (change("d.example", json!(null)), 404),
            (change(ACME, json!({})), 409),
            (json!({"host": "c.example", "set": {}, "if_absent": true}), 412),
            (change("B.example", json!({})), 422),
        ] {
            let changes =
                [change("b.example", json!(null)), change("e.example", json!({})), last.clone()];
            all(&changes).await.problem(status);
            assert_eq!(hosts().await, [ACME, "b.example", "c.example"], "{last}");
        }
        let done = all(&[change("b.example", json!(null)), change("e.example", json!({}))]).await;
        assert_eq!(done.json()["changes"][0]["after"], json!(null));
        assert_eq!(hosts().await, [ACME, "c.example", "e.example"]);
        assert_eq!(all(&[]).await.json()["changed"], 0);
    })
    .await;
}

#[tokio::test]
async fn many_tenants_are_listed_page_by_page() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let host = |number: usize| format!("t{number:04}.example");
        let changes: Vec<_> =
            (0..1500).map(|number| json!({"host": host(number), "set": {}})).collect();
        let done = operator.post("/v1/tenants/batch", &json!({"changes": changes})).await.json();
        assert_eq!(
            (&done["changed"], done["changes"].as_array().unwrap().len()),
            (&json!(1500), 1000)
        );

        let mut listed = Vec::new();
        let mut path = "/v1/tenants?limit=700&prefix=T".to_owned();
        loop {
            let page = operator.get(&path).await.json();
            listed.extend(page["tenants"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/v1/tenants?limit=700&prefix=T&after={next}");
        }
        let listed: Vec<_> = listed.iter().map(|tenant| tenant["host"].as_str().unwrap()).collect();
        assert_eq!(listed, (0..1500).map(host).collect::<Vec<_>>());
        let default = operator.get("/v1/tenants").await.json();
        assert_eq!(default["tenants"].as_array().unwrap().len(), 100);
        let finished = site
            .run(&[
                "tenants",
                "list",
                "--json",
                "--prefix",
                "t00",
                "--address",
                &operator.address(),
            ])
            .await;
        let printed: Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(printed["tenants"].as_array().unwrap().len(), 100);
        for query in ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=1&limit=2", "page=2"] {
            operator.get(&format!("/v1/tenants?{query}")).await.problem(400);
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_reload_reports_all_that_check_reports() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let good = fs::read_to_string(site.path("config.toml")).unwrap();
        fs::write(
            site.path("config.toml"),
            good.clone() + "[log]\nformat = \"xml\"\nacess = true\n",
        )
        .unwrap();
        let problem = operator.post("/v1/reload", &json!({})).await.problem(422);
        assert_eq!(problem["key"], "log.format");
        assert_eq!(problem["problems"].as_array().unwrap().len(), 2);
        let checked = site.run(&["check"]).await;
        let text = problem["text"].as_str().unwrap();
        let name = |text: &str| text.replace(&site.path("").display().to_string(), "");
        assert_eq!(name(text), name(&checked.stderr).trim_end_matches('\n').to_owned() + "\n");
        let status = operator.get("/v1/status").await.json();
        assert_eq!(status["last_reload"]["refused"], true);
        assert_eq!(status["last_reload"]["actor"], "local");

        let tenant = good.replace("[admin]", "[tenants.\"globex.example\"]\n[admin]");
        fs::write(site.path("config.toml"), tenant.replace("workers = 1", "workers = 2")).unwrap();
        let done = operator.post("/v1/reload", &json!({})).await.json();
        assert_eq!(done["tenants"], 2);
        assert_eq!(done["kept"][0]["key"], "server.workers");
        assert_eq!(operator.get(GLOBEX).await.json()["origin"], "file");
        let hash = operator.get("/v1/status").await.json()["config_hash"].clone();
        assert_eq!(hash, done["config_hash"]);
    })
    .await;
}

#[tokio::test]
async fn a_reload_moves_the_api_to_another_address() {
    in_time(async {
        let site = site();
        let (mut program, operator) = started(&site).await;
        let text = fs::read_to_string(site.path("config.toml")).unwrap();
        let elsewhere = text.replace("\"127.0.0.1:0\"\n\n", "\"unix:crumbgate.sock\"\n\n");
        assert_ne!(text, elsewhere);
        fs::write(site.path("config.toml"), &elsewhere).unwrap();
        // A request at the old address is still answered.
        assert_eq!(operator.post("/v1/reload", &json!({})).await.status, 200);
        let socket = format!("unix:{}", site.path("crumbgate.sock").display());
        let moved = Operator::at(&socket);
        assert_eq!(moved.get("/healthz").await.status, 200);
        program
            .wait_for("the old address is free", |_| {
                std::net::TcpStream::connect(operator.address()).is_err().then_some(())
            })
            .await;
        // An address that is in use leaves everything unchanged.
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listen = taken.local_addr().unwrap().to_string();
        fs::write(site.path("config.toml"), elsewhere.replace("unix:crumbgate.sock", &listen))
            .unwrap();
        assert_eq!(moved.post("/v1/reload", &json!({})).await.problem(422)["key"], "admin.listen");
        assert_eq!(moved.get("/healthz").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn the_api_and_the_command_line_report_the_same() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let printed = site.run(&["check", "--print"]).await.stdout;
        assert_eq!(operator.get("/v1/config").await.json()["toml"], printed);

        let explained = site
            .run(&[
                "explain",
                "--config",
                "config.toml",
                "--cookie",
                "_ga=1; flexopus_session=a",
                "--json",
            ])
            .await;
        let question = json!({"cookie": ["_ga=1; flexopus_session=a"]});
        let answered = operator.post("/v1/explain", &question).await.body;
        assert_eq!(answered, explained.stdout);
        let problem = operator.post("/v1/explain", &json!({})).await.problem(422);
        assert_eq!(problem["detail"], "there is nothing to explain");

        let reported = site.run(&["audit", "report", "--format", "json"]).await.stdout;
        let answered = operator.get("/v1/audit/report").await.json();
        let reported: Value = serde_json::from_str(&reported).unwrap();
        for part in ["format", "version", "declared", "stripped", "tenants", "events"] {
            assert_eq!(answered[part], reported[part], "{part}");
        }
        let german = operator.get("/v1/audit/report?language=de&since=1d&until=0s").await.json();
        assert_eq!(german["language"], "de");
        for (query, status) in [
            ("since=x", 422),
            ("since=0s&until=1d", 422),
            ("tenant=none.example", 404),
            ("a=b", 400),
            ("language=fr", 400),
        ] {
            operator.get(&format!("/v1/audit/report?{query}")).await.problem(status);
        }
        let declared = operator.get("/v1/declaration").await.json();
        assert_eq!(declared["hash"], operator.get("/v1/status").await.json()["declaration"]);
        let upstreams = operator.get("/v1/upstreams").await.json();
        assert_eq!(upstreams["upstreams"][0]["name"], "app");
        let metrics = operator.get("/metrics").await;
        assert_eq!(metrics.field("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        assert!(metrics.body.contains("\ncrumbgate_tenants 1\n"), "{}", metrics.body);
        let ledger = operator.get("/v1/audit/status").await.json();
        assert_eq!((&ledger["kept"], &ledger["failing"]), (&json!(true), &json!(false)));
    })
    .await;
}

#[tokio::test]
async fn an_explanation_uses_tenants_that_were_set_at_run_time() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let question =
            json!({"tenant": "globex.example", "set_cookie": ["flexopus_session=a; Max-Age=9"]});
        let refused = operator.post("/v1/explain", &question).await.json();
        assert_eq!(refused["exchanges"][0]["status"], 421);
        operator.put(GLOBEX, &json!({"session": "20m"})).await;
        let explained = operator.post("/v1/explain", &question).await.json();
        let leaves = explained["exchanges"][0]["leaves"]["set_cookie"][0].as_str().unwrap();
        assert!(leaves.contains("Max-Age=1200"), "{leaves}");
    })
    .await;
}

#[tokio::test]
async fn the_openapi_document_lists_every_route() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let document = operator.get("/openapi.json").await;
        assert_eq!(document.field("content-type"), "application/json");
        let document = document.json();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let documented: BTreeSet<_> = operations
                .as_object()
                .unwrap()
                .keys()
                .map(|method| method.to_uppercase())
                .collect();
            let path = path.replace("{host}", "globex.example");
            let reply = operator.send(operator.request(Method::TRACE, &path), "").await;
            let served: BTreeSet<_> = reply
                .field("allow")
                .split(',')
                .filter(|method| *method != "HEAD")
                .map(str::to_owned)
                .collect();
            assert_eq!(served, documented, "{path}");
        }
    })
    .await;
}

/// Sends requests until the answer has this status.
async fn until_status(operator: &Operator, path: &str, status: u16) -> Reply {
    loop {
        let reply = operator.get(path).await;
        if reply.status == status {
            return reply;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_batch_of_more_than_sixteen_megabytes_is_refused() {
    in_time(async {
        let site = site();
        let (_program, operator) = started(&site).await;
        let batch = json!({"changes": [{"host": "globex.example", "set": {}}]}).to_string();
        let post = async |bytes: usize| {
            let request = operator.request(Method::POST, "/v1/tenants/batch");
            let request = request.header("content-type", "application/json");
            let padded = batch.clone() + &" ".repeat(bytes - batch.len());
            operator.send(request, &padded).await
        };
        const MOST: usize = 16 * 1024 * 1024;
        for bytes in [3 * 1024 * 1024, MOST] {
            let changed = post(bytes).await;
            assert_eq!(changed.status, 200, "{bytes}: {}", changed.body);
        }
        assert_eq!(operator.get(GLOBEX).await.status, 200);
        let problem = post(MOST + 1).await.problem(413);
        assert_eq!(problem["help"], "send several batches");
    })
    .await;
}

#[tokio::test]
async fn abandoned_requests_are_bounded_and_do_not_block_health_checks() {
    in_time(async {
        const TOKEN: &str = "operator-0123456789abcdef0123456789";
        let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let site = Site::of(&setup.admin("token_file = \"tokens\""));
        let (tokens, line) = (site.path("tokens"), format!("alice operator {TOKEN}\n"));
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::write(&tokens, &line).unwrap();
        fs::set_permissions(&tokens, private).unwrap();
        let (_program, operator) = started(&site).await;
        let alice = operator.with_token(TOKEN);
        // A reload that reads the pipe waits until somebody writes to it.
        fs::rename(&tokens, site.path("kept")).unwrap();
        let made = Command::new("mkfifo").args(["-m", "600"]).arg(&tokens).status().unwrap();
        assert!(made.success());
        let mut reloads = Vec::new();
        let refused = loop {
            let asking = alice.clone();
            reloads.push(spawn(async move { asking.post("/v1/reload", &json!({})).await }));
            let reply = alice.get("/v1/tenants").await;
            if reply.status == 503 {
                break reply;
            }
        };
        for reload in reloads {
            reload.abort();
        }
        assert_eq!(refused.field("retry-after"), "1");
        assert_eq!(refused.problem(503)["help"], "try again in a moment");
        for path in ["/healthz", "/readyz", "/metrics", "/v1/status"] {
            assert_eq!(alice.get(path).await.status, 200, "{path}");
        }
        let mut writer = fs::OpenOptions::new().write(true).open(&tokens).unwrap();
        fs::rename(site.path("kept"), &tokens).unwrap();
        writer.write_all(line.as_bytes()).unwrap();
        drop(writer);
        until_status(&alice, "/v1/tenants", 200).await;
    })
    .await;
}

#[tokio::test]
async fn a_draining_gateway_is_alive_and_not_ready() {
    in_time(async {
        let held = Holding::replying(|_| ok(&[], "hello")).await;
        let site = Site::of(&Setup::before(&held.app).admin(""));
        let (mut program, operator) = started(&site).await;
        let browser = Arc::new(site.browser_to(program.https().await, Http::One));
        let answered = held.begin(&browser, "/", "a").await;
        assert_eq!(operator.get("/readyz").await.status, 200);
        program.signal(Signal::TERM);
        let problem = until_status(&operator, "/readyz", 503).await.problem(503);
        assert_eq!(problem["detail"], "the gateway is draining");
        assert_eq!(operator.get("/healthz").await.status, 200);
        held.let_go("a");
        assert_eq!(answered.await.unwrap().status, 200);
        assert_eq!(program.exit().await.code, Some(0));
    })
    .await;
}

#[tokio::test]
async fn requests_that_wait_for_a_server_are_shown() {
    in_time(async {
        let held = Holding::replying(|_| ok(&[], "hello")).await;
        let limits = "max_connections = 1\nqueue = 10";
        let site = Site::of(&Setup::before(&held.app).upstream(limits).admin(""));
        let (mut program, operator) = started(&site).await;
        let https = program.https().await;
        let browser = Arc::new(site.browser_to(https, Http::One));
        let answered = held.begin(&browser, "/", "a").await;
        let second = site.browser_to(https, Http::One);
        let waiting = spawn(async move { second.get("/").await });
        let upstream = loop {
            let upstream = operator.get("/v1/upstreams").await.json()["upstreams"][0].clone();
            if upstream["queued"] == 1 {
                break upstream;
            }
        };
        assert_eq!(upstream["queued_total"], 1);
        assert_eq!(
            (&upstream["queue_refused_total"], &upstream["queue_timeouts_total"]),
            (&json!(0), &json!(0))
        );
        assert_eq!(upstream["servers"][0]["max_connections"], 1);
        let metrics = operator.get("/metrics").await.body;
        for line in [
            "crumbgate_upstream_queue_length{upstream=\"app\"} 1\n",
            "crumbgate_upstream_queued_total{upstream=\"app\"} 1\n",
            "crumbgate_upstream_queue_refused_total{upstream=\"app\"} 0\n",
            "crumbgate_upstream_queue_timeouts_total{upstream=\"app\"} 0\n",
        ] {
            assert!(metrics.contains(line), "{line} in {metrics}");
        }
        held.let_go("a");
        assert_eq!(answered.await.unwrap().status, 200);
        assert_eq!(waiting.await.unwrap().status, 200);
    })
    .await;
}
