//! The positions that the scanner finds.

use proptest::prelude::*;

use super::*;
use crumbgate_audit::GuardOutcome;

/// A limit that no page of these tests reaches.
const LIMIT: usize = 4096;

/// Searches a page in these parts for the head of these documents and for the body.
fn search<'p>(
    limit: usize,
    documents: Option<Documents>,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> (HeadSearch, BodySearch) {
    let mut scanner = Scanner::new(limit, documents, true);
    let mut passed = 0;
    for part in parts {
        scanner.scan(part);
        passed += part.len();
        if scanner.head() == HeadSearch::Open {
            let settled = scanner.settled();
            assert!(passed - settled <= MAX_HELD_BYTES, "{settled} of {passed}");
        }
    }
    scanner.end();
    assert!(scanner.is_over());
    (scanner.head(), scanner.body())
}

/// Returns the beginning of the body of a page in these parts, or the reason why there is no position.
fn look<'p>(
    limit: usize,
    parts: impl IntoIterator<Item = &'p [u8]>,
) -> Result<usize, BannerOutcome> {
    match search(limit, None, parts) {
        (HeadSearch::NotWanted, BodySearch::Found(at)) => Ok(at),
        (HeadSearch::NotWanted, BodySearch::NoPosition(outcome)) => Err(outcome),
        other => panic!("{other:?}"),
    }
}

/// Pages whose body begins at the bar.
const PAGES: [&str; 40] = [
    "<body>|",
    "<BODY>|<p>",
    "\u{feff}<!DOCTYPE html>\r\n<html lang=de>\n<head><title>A</title></head>\n<body class=\"a>b\">|<p>",
    "<!doctype html><meta charset=utf-8><link rel=x href=//a.example><body>|",
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\"\n \"http://www.w3.org/\"><body>|",
    "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><body/>|",
    "<!-- <body> --><body>|",
    "<!--><body>|-->",
    "<!---><body>|-->",
    "<!-- a --!><body>|",
    "<!-- - -- <!-- --><body>|",
    "<!><!-><!a <body><body>|",
    "<!- -><body>|",
    "</ <body><body>|",
    "</><body>|",
    "</head></p></bodyx></title><body>|",
    "<title><body></title><body>|",
    "<title></titles></title x='<body>'><body>|",
    "<title/><body></title><body>|",
    "<style>a::after { content: '<body>' } <!-- </style><body>|",
    "<script>'<body>'; a</script><body>|",
    "<script src=a></script><script/><body></script><body>|",
    "<script><!-- <script> </script> <body> --></script><body>|",
    "<script><!-- <script> </script> </script><body>|",
    "<noscript><img src=a><body></noscript><body>|",
    "<head></head><noframes><body></noframes><style></style><body>|",
    "</head><template><noscript><body></noscript></template><body>|",
    "<template></head></template><noscript><body></noscript><body>|",
    "<template><body><p>a < b</p><textarea><body></template></textarea></template><body>|",
    "<template><template></template><body></body></br></html></template><body>|",
    "<template><iframe></template></iframe><</template><body>|",
    "</template><body>|",
    "<base href='/app/' target='_blank'><body>|",
    "<template><base href='//a.example'></template><body>|",
    "<meta name=a content='<body>'><meta content=<body><body>|",
    "<meta content=\"'\"><meta content='\"'><body>|",
    "<meta content='a'b='<body>'><body a=/>|",
    "<head><html><head><basefont><bgsound></head><body\tonload = 'a>b' / >|<body>",
    "<body\n>|",
    "<body =\">|\">",
];

#[test]
fn the_body_begins_after_its_tag_and_nowhere_else() {
    for page in PAGES {
        let (before, after) = page.split_once('|').unwrap();
        let page = [before, after].concat();
        assert_eq!(look(LIMIT, [page.as_bytes()]), Ok(before.len()), "{page}");
    }
}

#[test]
fn a_page_that_ends_before_its_body_has_no_position() {
    for page in PAGES {
        let (before, _) = page.split_once('|').unwrap();
        let cut = &before.as_bytes()[..before.len() - 1];
        assert_eq!(look(LIMIT, [cut]), Err(BannerOutcome::NoBody), "{page}");
    }
}

#[test]
fn content_of_the_body_before_its_tag_leaves_no_position() {
    for page in [
        "",
        "<",
        "<!DOCTYPE html><title>A</title>",
        "<p>a<body>",
        "a<body>",
        "&nbsp;<body>",
        "\0<body>",
        "\u{feff}\u{feff}<body>",
        "\u{feff}a<body>",
        "\u{fefe}<body>",
        " \u{feff}<body>",
        "< body><body>",
        "<1><body>",
        "<<body>",
        "<frameset><body>",
        "</head><noscript></noscript><body>",
        "</body><body>",
        "</html><body>",
        "</br><body>",
        "<svg><body>",
        "<template><svg></template><body>",
        "<template><select></template><body>",
        "<template><plaintext></template><body>",
        "<template><body></template>",
        "<template></body><body>",
        "<bodyx><body>",
        "<body<body><body>",
        "<bodyxxxxxxxxxxxxxx><body>",
        "<textarea><body></textarea>",
        "<title>a<body>",
        "<script><!-- <script></script><body>",
        "<!-- a -- ><body>",
        "<body class=\"a>",
    ] {
        assert_eq!(look(LIMIT, [page.as_bytes()]), Err(BannerOutcome::NoBody), "{page}");
    }
    for page in [&b"\xff\xfe<\0b\0o\0d\0y\0>\0"[..], b"\0<\0b\0o\0d\0y\0>", b"<\0b\0"] {
        assert_eq!(look(LIMIT, [page]), Err(BannerOutcome::NoBody), "{page:?}");
    }
}

#[test]
fn a_base_of_another_site_forbids_a_banner() {
    for page in ["<base href=https://a.example><body>", "<base target=a href='//a.example/'><body>"]
    {
        assert_eq!(look(LIMIT, [page.as_bytes()]), Err(BannerOutcome::Forbidden), "{page}");
    }
}

#[test]
fn a_body_whose_tag_ends_within_the_limit_is_found() {
    let page = b"<title>A</title><body class=a><p>";
    let end = page.len() - b"<p>".len();
    assert_eq!(look(end, [&page[..]]), Ok(end));
    assert_eq!(look(end, [&page[..end]]), Ok(end));
    for limit in 0..end {
        assert_eq!(look(limit, [&page[..]]), Err(BannerOutcome::TooLarge), "{limit}");
        assert_eq!(look(limit, [&page[..limit]]), Err(BannerOutcome::TooLarge), "{limit}");
    }
}

/// Documents whose head begins at the bar.
const HEADS: [&str; 44] = [
    "<head>|",
    "<HEAD class=\"a>b\">|<title>",
    "\u{feff}<!DOCTYPE html>\r\n<html lang=de>\n<head>|<title>A</title>",
    "<!doctype html><!-- <head> -->\n<html><head data-a='>'>|",
    "<!DOCTYPE html PUBLIC \"-//W3C//DTD XHTML 1.0 Strict//EN\"\n \"http://www.w3.org/\"><head/>|",
    "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head>|",
    "<!doctype html>|<meta charset=utf-8>",
    "<!doctype html>\n |<title>A</title>",
    "<!doctype html><html>|<body>",
    "<!doctype html><html>\n|<script>",
    "<!doctype html>|<header>",
    "<!doctype html>|<heads>",
    "<!doctype html>|<h>",
    "<!doctype html>|<html-x>",
    "<!doctype html>|<very-long-custom-element>",
    "<!doctype html>|a<head>",
    "<!doctype html>|&nbsp;<head>",
    "<!doctype html>|< head>",
    "<!doctype html>|<<head>",
    "<!doctype html>|<1>",
    "<!doctype html></p></title></header></h></bo>|</body>",
    "<!doctype html>|</br>",
    "<!doctype html>|</html >",
    "<!doctype html>|</head/><head>",
    "<!doctype html></><!><!-><!a <head></ <head></brx>|<template>",
    "<!-- <head> --><!--><!---><head>|",
    "<!doctypehtml>|<p>",
    "<!doctype>|<p>",
    "<!doctype html><html a='<head>'b=<head>|<p>",
    "<html/>|<frameset>",
    "|<p>a",
    "|hello",
    "  |hello",
    "\u{feff}|hello",
    "\u{feff}|\u{feff}<!doctype html>",
    "|\u{fefe}<!doctype html>",
    "<!-- a -->|<p>",
    "</p>|<p>",
    "<!doct>|<p>",
    "<!doctype html>|",
    "<!doctype html><html>\n|",
    "<html><head>|",
    "  <!-- a -->  |",
    "|\u{e4}<head>",
];

#[test]
fn the_head_begins_after_its_tag_or_before_what_implies_it() {
    for page in HEADS {
        let (before, after) = page.split_once('|').unwrap();
        let page = [before, after].concat();
        let (head, _) = search(LIMIT, Some(Documents::All), [page.as_bytes()]);
        assert_eq!(head, HeadSearch::Found(before.len()), "{page}");
    }
}

#[test]
fn a_page_without_a_declaration_may_be_a_fragment() {
    for page in HEADS {
        let (before, _) = page.split_once('|').unwrap();
        let page = page.replace('|', "");
        let (head, _) = search(LIMIT, Some(Documents::Declared), [page.as_bytes()]);
        let mark = before.to_ascii_lowercase();
        let is_declared = ["<!doctype", "<html", "<head"].iter().any(|tag| {
            // Comments of these pages hold a head as well.
            mark.replace("<!-- <head> -->", "").contains(tag)
        });
        let expected =
            if is_declared { HeadSearch::Found(before.len()) } else { HeadSearch::Fragment };
        assert_eq!(head, expected, "{page}");
    }
}

#[test]
fn a_page_of_another_encoding_has_no_position_for_a_script() {
    let pages: [&[u8]; 7] = [
        b"\xff\xfe<\0h\0e\0a\0d\0>\0",
        b"\xfe\xff\0<\0h\0e\0a\0d\0>",
        b"<\0h\0e\0a\0d\0>\0",
        b"\0<\0h\0e\0a\0d\0>",
        b"<!doctype html>\0<head>",
        b"&#32;<!doctype html><head>",
        b"&amp;<p>",
    ];
    for page in pages {
        let (head, _) = search(LIMIT, Some(Documents::All), [page]);
        assert_eq!(head, HeadSearch::NoPosition(GuardOutcome::Encoding), "{page:?}");
    }
}

#[test]
fn a_page_that_ends_within_a_tag_or_has_no_bytes_is_no_document() {
    for page in [
        "",
        "<",
        "</",
        "<!",
        "<!doctype html",
        "<html",
        "<html lang='",
        "<head",
        "<!-- <p>",
        "\u{feff}<h",
    ] {
        let (head, _) = search(LIMIT, Some(Documents::All), [page.as_bytes()]);
        assert_eq!(head, HeadSearch::Fragment, "{page}");
    }
}

#[test]
fn a_head_whose_position_is_clear_within_the_limit_is_found() {
    let page = b"<!doctype html><html lang=de><head class=a><p>";
    let end = page.len() - b"<p>".len();
    for (limit, expected) in [
        (end - 1, HeadSearch::NoPosition(GuardOutcome::TooLarge)),
        (end, HeadSearch::Found(end)),
        (LIMIT, HeadSearch::Found(end)),
    ] {
        let (head, _) = search(limit, Some(Documents::All), [&page[..]]);
        assert_eq!(head, expected, "{limit}");
    }
}

/// The result of a search for the body, as the scanner has it.
fn look_both(found: &Result<usize, BannerOutcome>) -> BodySearch {
    match found {
        Ok(at) => BodySearch::Found(*at),
        Err(outcome) => BodySearch::NoPosition(*outcome),
    }
}

/// Pages of pieces that the scanner distinguishes.
fn page() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(PIECES.to_vec());
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

const PIECES: [&str; 42] = [
    "<!doctype html>",
    "<head ",
    "</br",
    "&",
    "<body",
    "<BODY class='",
    "<body>",
    "</body>",
    "<head>",
    "</head>",
    "<html",
    "<title>",
    "</title",
    "<style>",
    "</style>",
    "<script>",
    "</script>",
    "<script",
    "<!--",
    "-->",
    "--!>",
    "<!",
    "<?",
    "</",
    "<",
    ">",
    "-",
    "!",
    "/",
    "=",
    "\"",
    "'",
    " ",
    "\n",
    "a",
    "<template>",
    "</template>",
    "<noscript>",
    "</noscript>",
    "<meta a=\"",
    "\u{feff}",
    "<base href=//",
];

/// Splits a text into parts of any length, including empty ones.
fn in_parts<'p>(page: &'p [u8], cuts: &[prop::sample::Index]) -> Vec<&'p [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(page.len() + 1)).collect();
    cuts.extend([0, page.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|ends| &page[ends[0]..ends[1]]).collect()
}

proptest! {
    #[test]
    fn the_result_does_not_depend_on_the_parts_of_a_page(
        page in page(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        limit in prop_oneof![Just(LIMIT), 0..64_usize],
    ) {
        // An empty page has no part to search, so a limit of zero is never noticed.
        prop_assume!(limit > 0 || !page.is_empty());
        let whole = look(limit, [page.as_bytes()]);
        prop_assert_eq!(look(limit, in_parts(page.as_bytes(), &cuts)), whole);
        prop_assert_eq!(look(limit, page.as_bytes().chunks(1)), whole);
        for documents in [Documents::All, Documents::Declared] {
            let (head, body) = search(limit, Some(documents), [page.as_bytes()]);
            let in_parts = search(limit, Some(documents), in_parts(page.as_bytes(), &cuts));
            prop_assert_eq!(in_parts, (head, body));
            prop_assert_eq!(search(limit, Some(documents), page.as_bytes().chunks(1)), (head, body));
            prop_assert_eq!(body, look_both(&whole));
        }
    }

    #[test]
    fn no_script_and_no_element_but_the_document_is_before_the_head(page in page()) {
        let (head, body) = search(LIMIT, Some(Documents::All), [page.as_bytes()]);
        if let HeadSearch::Found(at) = head {
            let mut before = Scanner::new(LIMIT, Some(Documents::All), true);
            before.scan(&page.as_bytes()[..at]);
            let is_tag = before.head() == HeadSearch::Found(at);
            prop_assert!(is_tag || before.head() == HeadSearch::Open && before.settled() == at);
            if let BodySearch::Found(body) = body {
                prop_assert!(at < body);
            }
        }
    }

    #[test]
    fn a_body_begins_after_the_end_of_a_tag(page in page()) {
        if let Ok(at) = look(LIMIT, [page.as_bytes()]) {
            prop_assert!(page[..at].ends_with('>'));
            prop_assert!(page[..at].to_ascii_lowercase().contains("<body"));
        }
    }
}
