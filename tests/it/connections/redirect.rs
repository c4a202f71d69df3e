//! The plain listener: it redirects to https, and to nothing else.

use http::Uri;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::harness::{ACME, App, Http, Running, Setup, in_time};

/// The answer of the plain listener to these bytes, up to the end of the connection.
async fn answer(gateway: &Running, bytes: &str) -> Answer {
    let mut stream = TcpStream::connect(gateway.http()).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    // A connection with a malformed request may end in a reset.
    let _ = stream.read_to_end(&mut text).await;
    let text = String::from_utf8(text).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let location = text.lines().find_map(|line| line.strip_prefix("location: "));
    Answer { status, location: location.map(str::to_owned), text }
}

struct Answer {
    /// 0: no answer came.
    status: u16,
    location: Option<String>,
    text: String,
}

async fn answer_to(gateway: &Running, method: &str, target: &str, host: &str) -> Answer {
    let fields = "connection: close\r\ncookie: _ga=1; flexopus_session=s";
    answer(gateway, &format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n{fields}\r\n\r\n"))
        .await
}

async fn gateway() -> (App, Running) {
    let app = App::answering(&[("/", &[])]).await;
    let setup = Setup::before(&app).tenant(ACME, "").tenant("*.flexopus.example", "");
    (app, setup.start())
}

#[tokio::test]
async fn a_tenant_s_host_is_redirected_to_the_same_target_under_https() {
    in_time(async {
        let (app, gateway) = gateway().await;
        let (plain, port) = (gateway.http().port(), gateway.https().port());
        for (host, redirected) in [
            (format!("{ACME}:{plain}"), format!("{ACME}:{port}")),
            (format!("ACME.Example:{plain}"), format!("{ACME}:{port}")),
            (format!("globex.flexopus.example:{plain}"), format!("globex.flexopus.example:{port}")),
            // By the usual port, which is forwarded to this one: then that of https is forwarded, too.
            (ACME.to_owned(), ACME.to_owned()),
            ("Acme.example:80".to_owned(), ACME.to_owned()),
        ] {
            for target in
                ["/", "/a/b?c=d&e=%2F", "/?", "/%0d%0ax:y", "/a//b", "/https://evil.example/"]
            {
                for method in ["GET", "HEAD", "POST"] {
                    let answer = answer_to(&gateway, method, target, &host).await;
                    // 308: a POST stays a POST.
                    assert_eq!(answer.status, 308, "{}", answer.text);
                    let expected = format!("https://{redirected}{target}");
                    assert_eq!(answer.location, Some(expected), "{method} {target} at {host}");
                    assert!(!answer.text.contains("set-cookie"), "{}", answer.text);
                }
            }
        }
        assert!(app.received().is_empty(), "nothing plain reaches the application");
        // The target of the redirect is served.
        assert_eq!(gateway.browser(Http::One).get("/").await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn unknown_hosts_are_not_redirected() {
    in_time(async {
        let (_app, gateway) = gateway().await;
        for host in ["evil.example", "flexopus.example", "a.b.flexopus.example", "xacme.example"] {
            let answer = answer_to(&gateway, "GET", "/", host).await;
            assert_eq!((answer.status, &answer.location), (421, &None), "{}", answer.text);
            assert!(!answer.text.contains(host), "{}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn invalid_hosts_are_not_redirected() {
    in_time(async {
        let (_app, gateway) = gateway().await;
        for host in [
            "",
            "acme.example@evil.example",
            "evil.example@acme.example",
            "acme.example/evil.example",
            "acme.example?evil.example",
            "acme.example#evil.example",
            "acme.example\\evil.example",
            "acme.example evil.example",
            "acme.example,evil.example",
            "acme.example:80:80",
            "acme.example:evil",
            "acme%2eexample",
            "https://acme.example",
        ] {
            let answer = answer_to(&gateway, "GET", "/", host).await;
            assert_eq!((answer.status, answer.location), (400, None), "{host}: {}", answer.text);
        }
        for head in [
            "GET / HTTP/1.1\r\n",
            "GET / HTTP/1.1\r\nhost: acme.example\r\nhost: evil.example\r\n",
            "GET / HTTP/1.1\r\nhost: acme.example\r\nhost: acme.example\r\n",
            "GET / HTTP/1.0\r\n",
        ] {
            let answer = answer(&gateway, &format!("{head}connection: close\r\n\r\n")).await;
            assert_eq!((answer.status, answer.location), (400, None), "{head}: {}", answer.text);
        }
    })
    .await;
}

#[tokio::test]
async fn no_target_redirects_to_another_host() {
    in_time(async {
        let (app, gateway) = gateway().await;
        let port = gateway.https().port();
        let (direct, forwarded) = (format!("{ACME}:{}", gateway.http().port()), ACME.to_owned());
        for target in [
            "//evil.example",
            "//evil.example/%2f..",
            "///evil.example",
            "/\\evil.example",
            "/@evil.example",
            "/.evil.example",
            "*",
            "@evil.example",
            ".evil.example",
            ":80@evil.example",
            "evil.example",
            "evil.example:443",
            "?evil.example",
            "#evil.example",
            "\\evil.example",
            "http://evil.example/",
            "https://evil.example/",
            "http://acme.example@evil.example/",
            "http://evil.example@acme.example/",
            "http:evil.example",
            "javascript:alert(1)",
        ] {
            for (method, host, origin) in [
                ("GET", &direct, format!("https://{ACME}:{port}")),
                ("OPTIONS", &direct, format!("https://{ACME}:{port}")),
                ("CONNECT", &direct, format!("https://{ACME}:{port}")),
                ("GET", &forwarded, format!("https://{ACME}")),
                ("OPTIONS", &forwarded, format!("https://{ACME}")),
            ] {
                let answer = answer_to(&gateway, method, target, host).await;
                let Some(location) = answer.location else {
                    let refused = matches!(answer.status, 0 | 400 | 405 | 421);
                    assert!(refused, "{target}: {}", answer.text);
                    continue;
                };
                // As a browser reads it: a backslash is a slash, and the text after the host begins with one.
                let address = location.replace('\\', "/");
                let path = address.strip_prefix(&origin);
                let leads_home = path.is_some_and(|path| path.starts_with('/'));
                assert!(leads_home, "{method} {target}: {location}");
                let uri: Uri = location.parse().unwrap();
                assert_eq!(uri.host(), Some(ACME), "{location}");
            }
        }
        assert!(app.received().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_absolute_target_of_the_tenant_itself_is_redirected() {
    in_time(async {
        let (_app, gateway) = gateway().await;
        let host = format!("{ACME}:{}", gateway.http().port());
        let answer = answer_to(&gateway, "GET", &format!("http://{host}/a?b"), &host).await;
        let expected = format!("https://{ACME}:{}/a?b", gateway.https().port());
        assert_eq!((answer.status, answer.location), (308, Some(expected)), "{}", answer.text);
        let answer = answer_to(&gateway, "GET", "http://acme.example/", "evil.example").await;
        assert_eq!((answer.status, answer.location), (400, None), "{}", answer.text);
    })
    .await;
}

#[tokio::test]
async fn the_plain_listener_only_redirects() {
    in_time(async {
        let (app, gateway) = gateway().await;
        let upgrade = "connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                       sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        for bytes in [
            format!("GET / HTTP/1.1\r\nhost: {ACME}\r\n{upgrade}\r\n"),
            format!("GET / HTTP/1.1\r\nhost: {ACME}\r\nconnection: upgrade, http2-settings, close\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n\r\n"),
        ] {
            assert_eq!(answer(&gateway, &bytes).await.status, 308);
        }
        // HTTP/2 with prior knowledge.
        assert_ne!(answer(&gateway, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.status, 200);
        assert!(app.received().is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_unread_body_is_not_the_next_request() {
    in_time(async {
        let (_app, gateway) = gateway().await;
        let hidden = "GET /hidden HTTP/1.1\r\nhost: acme.example\r\n\r\n";
        let bytes = format!(
            "POST /shown HTTP/1.1\r\nhost: {ACME}\r\ncontent-length: {}\r\n\r\n{hidden}\
             GET /last HTTP/1.1\r\nhost: {ACME}\r\nconnection: close\r\n\r\n",
            hidden.len()
        );
        let answer = answer(&gateway, &bytes).await;
        assert_eq!(answer.status, 308);
        assert!(!answer.text.contains("/hidden"), "{}", answer.text);
    })
    .await;
}
