//! The cookie page: rendered from the declaration in force and the tenant's own durations, so that it is always true.

use std::fs;

use crumbgate_base::language::Language;
use crumbgate_ledger as ledger;
use crumbgate_policy::declaration::Declaration;
use http::{Method, request::Builder};
use serde_json::Value;

use crate::harness::{
    ACME, Answer, App, Http, Setup, Site, both_versions, in_time, ok, request, until,
};

const PAGE: &str = "/.well-known/cookies";
const DAY_S: u64 = 86_400;

async fn app() -> App {
    App::replying(|_| ok(&["set-cookie: flexopus_session=a"], "the application")).await
}

/// The request of a browser when a person opens the page.
fn open(http: Http, path: &str, language: &str) -> Builder {
    request(http, Method::GET, path)
        .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")
        .header("accept-language", language)
        .header("cookie", "_ga=1; flexopus_session=b")
}

fn assert_is_safe(answer: &Answer) {
    for (name, value) in [
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{name}");
    }
    let policy = answer.field("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let evicts = |field: &&str| field.starts_with("_ga=; Max-Age=0; ");
    assert!(answer.set_cookies().iter().all(evicts), "{:?}", answer.set_cookies());
}

both_versions!(
    the_page_says_what_the_tenant_s_declaration_says_and_the_application_is_not_asked,
    |http| {
        let app = app().await;
        let gateway = Setup::before(&app)
        .tenant(ACME, "session = \"90m\"")
        .sections("[page]\noperator = \"Acme & Söhne\"\nlink = \"https://acme.example/imprint\"\nlogo = \"ACME\"")
        .start();
        let browser = gateway.browser(http);
        let page = browser.send(open(http, PAGE, "en"), "").await;
        assert_eq!(page.status, 200);
        assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.field("content-language"), Some("en"));
        assert_eq!(page.field("vary"), Some("Accept, Accept-Language"));
        assert_is_safe(&page);
        for reported in [
            "<p class=\"logo\">ACME</p>",
            "<a href=\"https://acme.example/imprint\">Acme &amp; Söhne</a>",
            "flexopus_session",
            "technically necessary",
            "90 minutes after the last use",
            "3 weeks after the last use",
            "Required for the user to remain logged in.",
            "Delete the cookies",
            "rel=\"noreferrer\">Firefox</a>",
            "rel=\"noreferrer\">Safari on iPhone and iPad</a>",
            "datetime=\"2026-11-23\">23 November 2026<",
        ] {
            assert!(page.text().contains(reported), "{reported} in {}", page.text());
        }
        let german = browser.send(open(http, PAGE, "de-AT,de;q=0.9,en;q=0.5"), "").await;
        assert_eq!(german.field("content-language"), Some("de"));
        for reported in [
            "<html lang=\"de\">",
            "90 Minuten nach der letzten Nutzung",
            "23. November 2026",
            "rel=\"noreferrer\">Chrome unter Android</a>",
        ] {
            assert!(german.text().contains(reported), "{reported} in {}", german.text());
        }
        assert_ne!(german.field("etag"), page.field("etag"));
        assert!(app.received().is_empty());
        assert!(browser.jar().is_empty());
    }
);

both_versions!(a_program_gets_the_page_as_json, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).tenant(ACME, "session = \"2h\"").start();
    let request = request(http, Method::GET, PAGE).header("accept", "application/json");
    let answer = gateway.browser(http).send(request.header("accept-language", "de"), "").await;
    assert_eq!(answer.field("content-type"), Some("application/json"));
    assert_eq!(answer.field("vary"), Some("Accept, Accept-Language"));
    let reported: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!((&reported["language"], &reported["since"]), (&"de".into(), &"2026-11-23".into()));
    assert_eq!(reported["cookies"][1]["name"], "flexopus_session");
    assert_eq!(reported["cookies"][1]["duration_s"], 7_200);
    assert_eq!(reported["cookies"][1]["duration"], "2 Stunden nach der letzten Nutzung");
    let version = ledger::declaration::record(&Declaration::flexopus(), 0).hash;
    assert_eq!(reported["version"], *version);
    assert_eq!(reported["help"][0]["browser"], "Chrome");
    assert_eq!(reported["help"][0]["url"], "https://support.google.com/chrome/answer/95647");
    assert!(answer.set_cookies().is_empty());
});

both_versions!(a_conditional_request_is_304_and_head_has_no_body, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    let page = browser.send(open(http, PAGE, "en"), "").await;
    let tag = page.field("etag").unwrap();
    for known in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let again = request(http, Method::GET, PAGE).header("accept", "text/html");
        let again = again.header("accept-language", "en").header("if-none-match", &known);
        let answer = browser.send(again, "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (304, 0), "{known}");
        assert_eq!(
            (answer.field("etag"), answer.field("cache-control")),
            (Some(tag), Some("no-cache"))
        );
        assert_eq!(answer.field("vary"), page.field("vary"));
    }
    let other = open(http, PAGE, "de").header("if-none-match", tag);
    assert_eq!(browser.send(other, "").await.status, 200, "it is the English page's");

    let head = request(http, Method::HEAD, PAGE).header("accept", "text/html");
    let head = browser.send(head, "").await;
    assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
    let length = page.body.len().to_string();
    assert_eq!((head.field("etag"), head.field("content-length")), (Some(tag), Some(&*length)));
});

both_versions!(the_page_accepts_only_get_and_head, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).start();
    let browser = gateway.browser(http);
    for path in [PAGE, "/.well-known/cookies/banner.css", "/.well-known/cookies/withdrawn"] {
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = browser.send(request(http, method, path), "").await;
            assert_eq!((answer.status.as_u16(), answer.field("allow")), (405, Some("GET, HEAD")));
        }
    }
    let style = browser.get("/.well-known/cookies/banner.css").await;
    assert_eq!(style.field("content-type"), Some("text/css; charset=utf-8"));
    assert!(style.text().contains(".crumbgate-banner"), "{}", style.text());
    for (path, reported) in [
        ("/.well-known/cookies/withdrawn", "The cookies are deleted"),
        ("/.well-known/cookies/declined", "You have declined"),
    ] {
        let page = browser.send(open(http, path, "en"), "").await;
        assert_is_safe(&page);
        assert!(page.text().contains(reported), "{}", page.text());
    }
    assert!(app.received().is_empty());
    for path in ["/.well-known/cookies/", "/.well-known/cookies/x", "/.well-known/Cookies"] {
        assert_eq!(browser.get(path).await.text(), "the application", "{path}");
    }
});

both_versions!(each_tenant_has_a_page_with_its_own_durations, |http| {
    let app = app().await;
    let gateway = Setup::before(&app)
        .tenant(ACME, "session = \"2h\"")
        .tenant("globex.example", "")
        .tenant("*.flexopus.example", "mode = \"report\"")
        .start();
    let page = async |host: &str| {
        let browser = gateway.browser_at(host, http);
        let request = browser.request(Method::GET, PAGE).header("accept", "text/html");
        browser.send(request, "").await
    };
    let (acme, globex) = (page(ACME).await, page("globex.example").await);
    assert!(acme.text().contains("2 hours after the last use"), "{}", acme.text());
    assert!(globex.text().contains("1 week after the last use"), "{}", globex.text());
    assert_ne!(acme.field("etag"), globex.field("etag"));
    // The page would announce a state that is not yet reached.
    assert_eq!(page("new.flexopus.example").await.text(), "the application");
});

both_versions!(
    a_changed_declaration_is_another_page_and_one_that_comes_back_has_its_day_again,
    |http| {
        let app = app().await;
        let one = || Setup::before(&app).sections("[[cookies]]\nname = \"sid\"\nlifetime = \"3d\"");
        let gateway = Setup::before(&app).start();
        let browser = gateway.browser(http);
        let page = async || browser.send(open(http, PAGE, "en"), "").await;
        let version = ledger::declaration::record(&Declaration::flexopus(), 0).hash;
        let is_kept = || ledger::declaration::since(&gateway.ledger(), &version).unwrap().is_some();
        until("the ledger knows the declaration", is_kept).await;

        let first = page().await;
        gateway.advance(DAY_S);
        gateway.reload(&Setup::before(&app), "a test").await;
        assert_eq!(page().await.body, first.body, "nothing has changed");

        gateway.advance(DAY_S);
        gateway.reload(&one(), "a test").await;
        let changed = page().await;
        assert_ne!(changed.field("etag"), first.field("etag"));
        for reported in
            ["This site uses one cookie.", "sid", "3 days after it is set", "25 November 2026"]
        {
            assert!(changed.text().contains(reported), "{reported} in {}", changed.text());
        }
        assert!(!changed.text().contains(&version[..12]), "{}", changed.text());

        gateway.advance(DAY_S);
        gateway.reload(&Setup::before(&app), "a test").await;
        assert_eq!(page().await.body, first.body);
    }
);

both_versions!(the_page_can_be_moved_or_switched_off, |http| {
    let app = app().await;
    let gateway = Setup::before(&app).sections("[page]\npath = \"/cookies\"").start();
    let browser = gateway.browser(http);
    let page = browser.send(open(http, "/cookies?x=1", "en"), "").await;
    assert!(page.text().contains("action=\"/cookies/withdraw?page="), "{}", page.text());
    assert_eq!(browser.get(PAGE).await.text(), "the application");

    let gateway = Setup::before(&app).sections("[page]\npath = \"off\"").start();
    let browser = gateway.browser(http);
    assert_eq!(browser.get(PAGE).await.text(), "the application");
});

#[tokio::test]
async fn the_command_prints_the_page_that_the_gateway_serves() {
    in_time(async {
        let app = app().await;
        let setup = Setup::before(&app).tenant(ACME, "session = \"2h\"\nagreement = \"notice\"");
        let site = Site::of(&setup);
        let before = site.run(&["declaration", "--tenant", ACME]).await;
        assert!(before.stdout.contains("not yet in force"), "{before:?}");

        let mut program = site.start();
        let browser = program.browser(Http::Two).await;
        let version = ledger::declaration::record(&Declaration::flexopus(), 0).hash;
        let file = site.path("state/crumbgate.db");
        let is_kept = || ledger::declaration::since(&file, &version).is_ok_and(|s| s.is_some());
        until("the ledger knows the declaration", is_kept).await;
        for language in Language::ALL {
            for (format, accept) in [("html", "text/html"), ("json", "application/json")] {
                let arguments =
                    ["--tenant", ACME, "--language", language.tag(), "--format", format];
                let printed = site.run(&[&["declaration"][..], &arguments].concat()).await;
                assert_eq!((printed.code, &*printed.stderr), (Some(0), ""), "{printed:?}");
                let request = request(Http::Two, Method::GET, PAGE).header("accept", accept);
                let request = request.header("accept-language", language.tag());
                assert_eq!(printed.stdout, browser.send(request, "").await.text());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_command_prints_text_and_the_table_for_any_tenant_or_none() {
    in_time(async {
        let nobody = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let setup = nobody
            .defaults("session = \"3d\"")
            .tenant(ACME, "session = \"90m\"")
            .tenant("*.flexopus.example", "mode = \"report\"");
        let site = Site::of(&setup);
        let run =
            async |arguments: &[&str]| site.run(&[&["declaration"], arguments].concat()).await;

        let text = run(&[]).await;
        assert_eq!((text.code, &*text.stderr), (Some(0), ""), "{text:?}");
        assert!(
            text.stdout.contains("\n  Duration    3 days after the last use\n"),
            "{}",
            text.stdout
        );
        let text = run(&["--tenant", "ACME.example", "--language", "de"]).await;
        let line = "\n  Dauer               90 Minuten nach der letzten Nutzung\n";
        assert!(text.stdout.contains(line), "{}", text.stdout);

        let table = run(&["--tenant", "new.flexopus.example", "--format", "table"]).await;
        let lines: Vec<_> = table.stdout.lines().collect();
        assert_eq!(lines.len(), 5, "{}", table.stdout);
        assert_eq!(lines[0], "| Name | Category | Duration | Purpose | Without it |");
        assert!(lines[3].starts_with("| flexopus_session | technically necessary | 3 days after "));
        assert!(table.stderr.contains("report mode"), "{table:?}");

        let wrong = run(&["--tenant", "nobody.example"]).await;
        assert_eq!((wrong.code, &*wrong.stdout), (Some(1), ""), "{wrong:?}");
        assert!(wrong.stderr.contains("no tenant serves the host nobody.example"), "{wrong:?}");

        fs::remove_file(site.path("config.toml")).unwrap();
        let built_in = run(&["--language", "de", "--format", "table"]).await;
        assert!(built_in.stdout.contains("| visitedMapBuilder | technisch notwendig | 3 Wochen"));
        let wrong = run(&["--tenant", ACME]).await;
        assert_eq!(wrong.code, Some(1), "{wrong:?}");
        assert!(wrong.stderr.contains("there is no config.toml"), "{wrong:?}");
    })
    .await;
}
