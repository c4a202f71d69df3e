//! Compressed documents: they are decoded, changed and compressed again in gzip, part by part (W1, W6).

use std::io::{Read, Write};

use crumbgate_policy::GuardMode;
use http::Method;
use http_body_util::BodyExt;
use tokio::{io::AsyncWriteExt, sync::watch};

use super::{BEFORE, HTML, guarded, guarded_page, guards, navigation, outcomes, page, script};
use crate::harness::{
    App, Exposed, Http, Running, Setup, both_versions, next_part, read_request, request,
};

/// A coding in which an application sends its documents.
#[derive(Clone, Copy, Debug)]
enum Coding {
    Brotli,
    Gzip,
}

impl Coding {
    const ALL: [Self; 2] = [Self::Brotli, Self::Gzip];

    fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Gzip => "gzip",
        }
    }

    /// Compresses parts, so that all before can be read as soon as one has arrived.
    fn encode_parts(self, parts: &[&[u8]]) -> Vec<Vec<u8>> {
        fn coded<W: Write>(
            mut writer: W,
            parts: &[&[u8]],
            take: impl Fn(&mut W) -> Vec<u8>,
            finish: impl FnOnce(W) -> Vec<u8>,
        ) -> Vec<Vec<u8>> {
            let mut coded = Vec::new();
            for part in parts {
                writer.write_all(part).unwrap();
                writer.flush().unwrap();
                coded.push(take(&mut writer));
            }
            let last = finish(writer);
            coded.last_mut().unwrap().extend(last);
            coded
        }
        match self {
            Self::Brotli => coded(
                brotli::CompressorWriter::new(Vec::new(), 4096, 5, 22),
                parts,
                |writer| std::mem::take(writer.get_mut()),
                brotli::CompressorWriter::into_inner,
            ),
            Self::Gzip => coded(
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default()),
                parts,
                |writer| std::mem::take(writer.get_mut()),
                |writer| writer.finish().unwrap(),
            ),
        }
    }

    fn encode(self, page: &[u8]) -> Vec<u8> {
        self.encode_parts(&[page]).concat()
    }
}

/// Decompresses as much as can be read.
fn decode_beginning(coded: &[u8]) -> Vec<u8> {
    let mut reader = flate2::read::GzDecoder::new(coded);
    let (mut page, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(bytes @ 1..) = reader.read(&mut part) {
        page.extend(&part[..bytes]);
    }
    page
}

/// Decompresses a whole page.
fn decode(coded: &[u8]) -> Vec<u8> {
    let mut page = Vec::new();
    flate2::read::GzDecoder::new(coded).read_to_end(&mut page).unwrap();
    page
}

fn answer(coding: Coding, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{HTML}\r\ncontent-encoding: {}\r\ncontent-length: {}\r\n\r\n",
        coding.name(),
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The compressed bytes that the application and the gateway have sent.
fn recoded(gateway: &Running) -> [f64; 2] {
    ["upstream", "downstream"].map(|side| {
        Exposed::by(gateway).get(&format!("crumbgate_recoded_bytes_total{{side=\"{side}\"}}"))
    })
}

async fn app(coding: Coding, body: Vec<u8>) -> App {
    App::replying(move |request| {
        let answer = answer(coding, &body);
        if request.target() == "/json" {
            return String::from_utf8_lossy(&answer)
                .replace("text/html", "text/plain")
                .into_bytes();
        }
        answer
    })
    .await
}

fn guard(app: &App) -> Setup {
    guarded(app, "guard = \"enforce\"")
}

both_versions!(w1_a_compressed_document_leaves_with_the_guard_in_gzip, |http| {
    for coding in Coding::ALL {
        let long: String = (0..40_000).map(|number| format!("<p>{number}</p>")).collect();
        for behind in ["", &*long] {
            let app = app(coding, coding.encode((page() + behind).as_bytes())).await;
            let gateway = guard(&app).start();
            let browser = gateway.browser(http);
            let mut bytes = 0;
            // The second and the third document are encoded with the state of the first.
            for documents in 1..=3 {
                let answer = browser.send(navigation(http, "/"), "").await;
                assert_eq!(app.last().field("accept-encoding"), Some("gzip"));
                assert_eq!(answer.field("content-encoding"), Some("gzip"));
                assert_eq!(answer.field("content-length"), None);
                let text = String::from_utf8(decode(&answer.body)).unwrap();
                assert!(text == guarded_page(GuardMode::Enforce) + behind, "{coding:?}");
                let documents = f64::from(documents);
                assert_eq!(
                    (outcomes(&gateway, "guarded"), guards(&gateway)),
                    (documents, documents)
                );
                bytes += answer.body.len();
            }
            let coded = coding.encode((page() + behind).as_bytes()).len();
            assert_eq!(recoded(&gateway), [3 * coded, bytes].map(|bytes| bytes as f64));
        }
    }
});

both_versions!(w1_a_compressed_fragment_keeps_its_content, |http| {
    for coding in Coding::ALL {
        let app = app(coding, coding.encode(b"<p>a fragment")).await;
        let gateway = guard(&app).start();
        let fetched = request(http, Method::GET, "/").header("sec-fetch-dest", "empty");
        let answer = gateway.browser(http).send(fetched, "").await;
        assert_eq!(decode(&answer.body), b"<p>a fragment");
        assert_eq!(guards(&gateway), 0.);
    }
});

both_versions!(w1_each_part_of_a_compressed_stream_is_sent_at_once, |http| {
    for coding in Coding::ALL {
        let parts = [&b"<!doctype html><he"[..], b"ad><title>A", b"</title><body>1", b"2", b"3"];
        let coded = coding.encode_parts(&parts);
        let (go, gone) = watch::channel(0);
        let app = App::serving(move |mut stream, number, _| {
            let (mut gone, coded) = (gone.clone(), coded.clone());
            async move {
                read_request(&mut stream, &mut Vec::new(), number).await;
                let coding = format!("content-encoding: {}\r\nconnection: close", coding.name());
                let head = format!("HTTP/1.1 200 OK\r\n{HTML}\r\n{coding}\r\n\r\n");
                stream.write_all(head.as_bytes()).await.unwrap();
                for (turn, part) in coded.into_iter().enumerate() {
                    gone.wait_for(|gone| *gone >= turn).await.unwrap();
                    stream.write_all(&part).await.unwrap();
                }
            }
        })
        .await;
        let gateway = guard(&app).start();
        let answer = gateway.browser(http).send_streaming(navigation(http, "/"), "").await;
        let (mut body, mut came) = (answer.into_body(), Vec::new());
        let script = script(GuardMode::Enforce).html;
        let whole = [b"<!doctype html><head>", &*script, b"<title>A</title><body>123"].concat();
        // What the browser can read after each part. `<he` waits, because the script could belong before it.
        let readable = [
            "<!doctype html>".len(),
            "<!doctype html><head><title>A".len() + script.len(),
            whole.len() - 2,
            whole.len() - 1,
            whole.len(),
        ];
        for (turn, length) in readable.into_iter().enumerate() {
            // The next part is sent only after this one has arrived.
            while decode_beginning(&came).len() < length {
                let more = next_part(&mut body).await.unwrap().expect("the page goes on");
                came.extend(more);
            }
            assert_eq!(decode_beginning(&came), whole[..length], "{coding:?} {turn}");
            go.send(turn + 1).unwrap();
        }
        came.extend(body.collect().await.unwrap().to_bytes());
        assert_eq!(decode(&came), whole);
        assert_eq!((outcomes(&gateway, "guarded"), guards(&gateway)), (1., 1.));
    }
});

/// Opens a page with this body, and returns true if it breaks off.
async fn breaks_off(http: Http, coding: Coding, body: Vec<u8>, outcome: &str) -> bool {
    let app = app(coding, body).await;
    let gateway = guard(&app).start();
    let browser = gateway.browser(http);
    // The connection may break off before the head has left.
    let is_broken = match browser.try_send(navigation(http, "/"), "").await {
        Ok(answer) => answer.into_body().collect().await.is_err(),
        Err(_) => true,
    };
    assert_eq!((outcomes(&gateway, outcome), guards(&gateway)), (1., 1.), "{coding:?}");
    is_broken
}

both_versions!(w6_a_damaged_document_breaks_off, |http| {
    for coding in Coding::ALL {
        let whole = coding.encode(page().as_bytes());
        assert!(breaks_off(http, coding, b"no such coding at all".to_vec(), "broken").await);
        let cut = whole[..whole.len() / 2].to_vec();
        assert!(breaks_off(http, coding, cut, "broken").await);
        let behind = [&*whole, b"behind the end"].concat();
        assert!(!breaks_off(http, coding, behind, "guarded").await, "browsers ignore it as well");
    }
});

both_versions!(w1_a_document_that_becomes_huge_arrives_as_fast_as_it_is_read, |http| {
    for coding in Coding::ALL {
        let page = [BEFORE.as_bytes(), &vec![b'a'; 4 << 20]].concat();
        let app = app(coding, coding.encode(&page)).await;
        let gateway = guard(&app).start();
        let answer = gateway.browser(http).send_streaming(navigation(http, "/"), "").await;
        let mut body = answer.into_body();
        let part = next_part(&mut body).await.unwrap().unwrap();
        let came = decode_beginning(&part);
        assert!(came.len() < 1 << 19, "{} bytes were decoded at once", came.len());
        assert_eq!(outcomes(&gateway, "guarded"), 1.);
        assert!(came.starts_with(BEFORE.as_bytes()));
        drop(body);
        let next = gateway.browser(http).send(request(http, Method::GET, "/json"), "").await;
        assert_eq!(next.status, 200, "the worker goes on");
    }
});
