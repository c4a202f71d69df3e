//! `crumbgate reload` and `status`: how they find the gateway, and what they print.

use std::{fs, os::unix::fs::PermissionsExt};

use crate::harness::{Setup, Site, in_time, spawn, until};

const TOKEN: &str = "operator-0123456789abcdef0123456789";

fn setup(admin: &str) -> Setup {
    Setup::before_servers(&["http://127.0.0.1:9".to_owned()]).admin(admin)
}

fn at_socket() -> Site {
    Site::of(&setup("listen = \"unix:crumbgate.sock\""))
}

#[tokio::test]
async fn status_shows_the_state_of_the_gateway() {
    in_time(async {
        let site = at_socket();
        let finished = site.run(&["status"]).await;
        assert_eq!(finished.code, Some(1));
        let message = "crumbgate: no gateway answers at unix:crumbgate.sock; is it running";
        assert!(finished.stderr.starts_with(message), "{}", finished.stderr);

        let mut program = site.start();
        let https = program.https().await;
        program.admin().await;
        let finished = site.run(&["status"]).await;
        assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
        for line in [
            "ready          yes\n",
            "configuration  config.toml\n",
            "last reload    none since the start\n",
            &format!("listens        {https} (server.https)\n"),
            "workers        1\n",
            "tenants        1, 0 of them set at run time\n",
        ] {
            assert!(finished.stdout.contains(line), "{line} in {}", finished.stdout);
        }
        let finished = site.run(&["status", "--json"]).await;
        let status: serde_json::Value = serde_json::from_str(&finished.stdout).unwrap();
        assert_eq!(status["tenants"], 1);
    })
    .await;
}

#[tokio::test]
async fn reload_reports_what_check_reports_and_which_changes_need_a_restart() {
    in_time(async {
        let site = at_socket();
        let mut program = site.start();
        program.admin().await;
        let good = fs::read_to_string(site.path("config.toml")).unwrap();
        for broken in [
            good.clone() + "[log]\nformat = \"xml\"\nacess = true\n",
            good.clone() + "[[cookies",
            good.replace("dev.key", "none.key"),
            good.replace("[upstreams.app]", "[upstream.app]"),
            good.replace("session", "") + "[tenants.\"a..b\"]\n",
        ] {
            fs::write(site.path("config.toml"), &broken).unwrap();
            let checked = site.run(&["check"]).await;
            let finished = site.run(&["reload"]).await;
            assert_eq!((checked.code, finished.code), (Some(1), Some(1)), "{finished:?}");
            let message = checked.stderr
                + "crumbgate: the configuration has errors; the old one stays in force\n";
            assert_eq!(finished.stderr, message);
            let status = site.run(&["status"]).await.stdout;
            assert!(
                status.contains(": rejected, the previous configuration stays in force\n"),
                "{status}"
            );
        }
        let fine = good.replace("workers = 1", "workers = 3") + "[tenants.\"globex.example\"]\n";
        fs::write(site.path("config.toml"), fine).unwrap();
        let finished = site.run(&["reload"]).await;
        assert_eq!(finished.code, Some(0), "{finished:?}");
        assert!(finished.stdout.starts_with("reloaded: 2 tenants, configuration "), "{finished:?}");
        let kept = "crumbgate: server.workers: it stays 1, the file has 3: this needs a restart\n";
        assert_eq!(finished.stderr, kept);
    })
    .await;
}

#[tokio::test]
async fn the_token_comes_from_a_file_that_is_named_or_from_the_gateways_own() {
    in_time(async {
        let site = Site::of(&setup("listen = \"unix:crumbgate.sock\"\ntoken_file = \"tokens\""));
        let write = |name: &str, text: &str| {
            fs::write(site.path(name), text).unwrap();
            fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        write("tokens", &format!("bob auditor auditor-0123456789abcdef\nalice operator {TOKEN}\n"));
        let mut program = site.start();
        program.admin().await;
        assert_eq!(site.run(&["reload"]).await.code, Some(0), "the first operator's");
        let finished = site.run(&["status"]).await;
        assert!(finished.stdout.contains(", by alice\n"), "{finished:?}");

        write("mine", "auditor-0123456789abcdef\n");
        let finished = site.run(&["reload", "--token-file", "mine"]).await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("bob is an auditor"), "{}", finished.stderr);
        let mut command = site.command(&["status"]);
        command.env("CRUMBGATE_TOKEN_FILE", "wrong");
        write("wrong", &TOKEN.replace("operator", "intruder"));
        let finished = site.start_command(&mut command).exit().await;
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.contains("this token is not in admin.token_file"), "{finished:?}");
        for (text, message) in
            [("two words", "expected only a token"), ("", "expected only a token")]
        {
            write("mine", text);
            let finished = site.run(&["status", "--token-file", "mine"]).await;
            assert_eq!(finished.code, Some(1));
            assert!(finished.stderr.contains(message), "{finished:?}");
        }
        let finished = site.run(&["status", "--token-file", "none"]).await;
        assert!(finished.stderr.contains("the token can't be read from none"), "{finished:?}");
        // A user who may not read the gateway's token file is informed that a token is needed.
        write("tokens", "");
        let finished = site.run(&["status"]).await;
        assert!(finished.stderr.contains("expected the header Authorization"), "{finished:?}");
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_can_not_be_found_is_reported_with_the_fix() {
    in_time(async {
        let site = Site::of(&setup("listen = \"off\""));
        let message = async |arguments: &[&str], expected: &str| {
            let finished = site.run(arguments).await;
            assert_eq!(finished.code, Some(1), "{finished:?}");
            assert!(finished.stderr.contains(expected), "{}", finished.stderr);
        };
        message(&["status"], "admin.listen is \"off\"").await;
        message(
            &["status", "--config", "none.toml"],
            "name the gateway's configuration with --config",
        )
        .await;
        message(&["status", "--address", "localhost:9443"], "--address: expected 127.0.0.1:9443")
            .await;
        let config = fs::read_to_string(site.path("config.toml")).unwrap();
        fs::write(site.path("config.toml"), config.replace("\"off\"", "\"127.0.0.1:0\"")).unwrap();
        message(&["status"], "which means any free port").await;
        let application = crate::harness::App::answering(&[("/v1/status", &[])]).await;
        let address = application.address().to_string();
        message(&["status", "--address", &address], "the response is not JSON").await;
        until("it was asked", || !application.received().is_empty()).await;
    })
    .await;
}

#[tokio::test]
async fn the_api_moves_to_a_successor_without_an_interruption() {
    in_time(async {
        for listen in ["unix:crumbgate.sock", "127.0.0.1:0"] {
            let site = Site::of(&setup(&format!("listen = {listen:?}")));
            let mut old = site.start();
            let address = old.admin().await;
            let operator = old.operator().await;
            let mut new = site.start_command(&mut site.command(&["run", "--replace"]));
            let asking = spawn({
                let operator = operator.clone();
                async move {
                    for _ in 0..200 {
                        assert_eq!(operator.get("/healthz").await.status, 200);
                    }
                }
            });
            assert_eq!(new.admin().await, address, "the same socket");
            assert_eq!(old.exit().await.code, Some(0));
            asking.await.unwrap();
            assert_eq!(operator.get("/readyz").await.status, 200);
            new.signal(rustix::process::Signal::TERM);
            assert_eq!(new.exit().await.code, Some(0));
            assert!(!site.path("crumbgate.sock").exists());
        }
    })
    .await;
}
