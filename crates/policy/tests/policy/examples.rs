//! Runs the examples of `docs/policy.md`, row by row.

use crumbgate_policy::{Policy, declaration::SessionDuration};

use crate::exchange::{Exchange, flexopus};

#[test]
fn the_examples_of_the_document_hold() {
    let rows: Vec<Vec<String>> = DOCUMENT
        .split_once("\n## Examples\n")
        .expect("the document has examples")
        .1
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|line| line.split(" | ").map(ToOwned::to_owned).collect())
        .collect();
    let mut checked = 0;
    for row in &rows {
        match row.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["rule", ..] => continue,
            [_, received, expected] => {
                assert_eq!(upstream(received), unquoted(expected), "{row:?}");
            }
            [_, request, sets, expected] => {
                assert_eq!(downstream(request, sets), unquoted(expected), "{row:?}");
            }
            _ => panic!("a row has three cells or four: {row:?}"),
        }
        checked += 1;
    }
    assert_eq!(checked, 19, "both tables were found");
}

const DOCUMENT: &str = include_str!("../../../../docs/policy.md");

fn exchange() -> Exchange {
    let session = SessionDuration::try_from(7200).unwrap();
    Exchange::plain(Policy { session, ..flexopus() })
}

fn upstream(received: &str) -> String {
    let cookie = fields(received);
    let outgoing = Exchange { cookie, ..exchange() }.judge().cookie;
    String::from_utf8(outgoing.unwrap_or_default()).unwrap()
}

fn downstream(request: &str, sets: &str) -> String {
    let (request, cookie) = request.split_once(" with ").unwrap_or((request, NONE));
    let request = unquoted(request);
    let (method, path) = request.split_once(' ').expect("method and path");
    let exchange = Exchange {
        method: method.to_owned(),
        path: path.to_owned(),
        cookie: fields(cookie),
        set_cookie: fields(sets),
        ..exchange()
    };
    let outgoing = exchange.judge().set_cookie;
    String::from_utf8(outgoing.join(&b"\n"[..])).unwrap()
}

/// The cell that stands for no field.
const NONE: &str = "—";

/// Returns the field of a cell, or no field.
fn fields(cell: &str) -> Vec<Vec<u8>> {
    let field = unquoted(cell);
    if field.is_empty() { Vec::new() } else { vec![field.into_bytes()] }
}

/// Returns the text of a cell with its abbreviations written out; empty for no field.
fn unquoted(cell: &str) -> String {
    if cell == NONE {
        return String::new();
    }
    let text = cell.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
    text.expect("a cell is code")
        .replace("⟨2 h⟩", "Max-Age=7200; Expires=Mon, 23 Nov 2026 14:00:00 GMT; Path=/; Secure")
        .replace(
            "⟨3 weeks⟩",
            "Max-Age=1814400; Expires=Mon, 14 Dec 2026 12:00:00 GMT; Path=/; Secure",
        )
        .replace("⟨deleted⟩", "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/; Secure")
}
