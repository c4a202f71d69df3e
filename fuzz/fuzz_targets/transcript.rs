//! Any bytes as a transcript: what is read is read again from what `curl -v` would have printed of it, and can be
//! explained without a byte that a terminal obeys.

#![no_main]

use crumbgate::explain::{
    Explainer, json, text,
    transcript::{Exchange, Fields, Request, read},
};
use crumbgate_base::clock::Now;
use crumbgate_policy::is_token;
use http::Version;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|transcript: &[u8]| {
    let exchanges = read(transcript);
    if exchanges.iter().all(is_written_in_one_line) {
        let printed: Vec<u8> = exchanges.iter().flat_map(print).collect();
        assert_eq!(read(&printed), exchanges);
    }
    let explainer = Explainer::built_in(Now { unix_s: 1_795_435_200, uptime_s: 0 });
    let explanations: Vec<_> = exchanges
        .iter()
        .map(|exchange| explainer.explain(Some("acme.example"), exchange))
        .collect();
    for explanation in &explanations {
        let shown = text::render(explanation, false);
        assert!(shown.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    }
    assert!(json::render(None, &explanations).starts_with("{\n"));
});

/// Returns true if the method and the target fit into a request line. Browsers copy them as fields, which can hold
/// any text.
fn is_written_in_one_line(exchange: &Exchange) -> bool {
    exchange.request.as_ref().is_none_or(|request| {
        let is_word = !request.target.is_empty() && !request.target.contains(char::is_whitespace);
        is_token(request.method.as_bytes()) && is_word
    })
}

/// An exchange as `curl -v` prints it.
fn print(exchange: &Exchange) -> Vec<u8> {
    let mut printed = Vec::new();
    if let Some(request) = &exchange.request {
        let version = match request.version {
            Version::HTTP_10 => "1.0",
            Version::HTTP_2 => "2",
            _ => "1.1",
        };
        let Request { method, target, .. } = request;
        printed.extend(format!("> {method} {target} HTTP/{version}\r\n").bytes());
        if let Some(protocol) = &request.protocol {
            printed.extend(format!("> :protocol: {protocol}\r\n").bytes());
        }
        print_fields(b"> ", &request.fields, &mut printed);
        printed.extend(b"> \r\n");
    }
    for response in exchange.interim.iter().chain(&exchange.response) {
        printed.extend(format!("< HTTP/2 {} \r\n", response.status).bytes());
        print_fields(b"< ", &response.fields, &mut printed);
        printed.extend(b"< \r\n");
        print_fields(b"< ", &response.trailers, &mut printed);
    }
    printed
}

fn print_fields(mark: &[u8], fields: &Fields, printed: &mut Vec<u8>) {
    for (name, value) in fields.iter() {
        printed.extend([mark, name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
}
