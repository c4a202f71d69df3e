//! The content of the pages, and their hashes.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value;

use super::{
    browsers::Browser, pages::sha256_hex, settings::PageSettings, sheet::Sheet, words::Words, *,
};
use crumbgate_base::language::Language;
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode,
    declaration::{Declaration, DeclaredCookie, Lifetime, SessionDuration},
};

fn subject<'s>(declaration: &'s Declaration, settings: &'s PageSettings) -> Subject<'s> {
    Subject {
        declaration,
        version: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        since: Since::At(1_795_428_000),
        session: SessionDuration::ONE_WEEK,
        agreement: AgreementMode::Required,
        evict: EvictScope::Host,
        guard: GuardMode::Off,
        sealed: Some("flexopus_session"),
        settings,
    }
}

fn html(page: &Page) -> &str {
    std::str::from_utf8(&page.html).unwrap()
}

#[test]
fn a_page_is_identified_by_its_hash_and_its_buttons_send_its_stamp() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let subject = subject(&declaration, &settings);
    let pages = Pages::new(&subject);
    let undated = Pages::new(&Subject { since: Since::Unknown, ..subject });
    for kind in PageKind::ALL {
        for language in Language::ALL {
            let page = pages.get(kind, language);
            assert_eq!((page.kind, page.language), (kind, language));
            assert_eq!(*page.hash(), sha256_hex(&page.html));
            let has_button = html(page).contains("<button");
            assert_eq!(page.stamp.is_some(), has_button, "{kind:?}");
            let Some(stamp) = &page.stamp else { continue };
            let page_of_others = undated.get(kind, language);
            assert_eq!(page_of_others.stamp.as_ref(), Some(stamp), "whenever a gateway began");
            let bare = html(page_of_others).replace(&**stamp, "");
            assert_eq!(**stamp, sha256_hex(bare.as_bytes())[..16]);
            assert!(Arc::ptr_eq(pages.by_stamp(stamp).unwrap(), page));
            let actions = html(page).matches(" action=\"/.well-known/cookies/").count();
            assert_eq!(html(page).matches(&format!("?page={stamp}\"")).count(), actions);
        }
    }
    let stamps: Vec<_> = pages.iter().filter_map(|page| page.stamp.clone()).collect();
    assert_eq!(stamps.len(), 6, "three pages with buttons in two languages");
    assert!(pages.by_stamp("").is_none());
    assert!(pages.by_stamp("0123456789abcdef").is_none());
}

#[test]
fn equal_subjects_have_equal_pages_and_different_subjects_have_different_pages() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let subject = subject(&declaration, &settings);
    let hashes = |subject: &Subject<'_>| -> Vec<_> {
        let pages = Pages::new(subject);
        let html = PageKind::ALL.map(|kind| Arc::clone(pages.get(kind, Language::En).shown.hash()));
        html.into_iter().chain([Arc::clone(&pages.json(Language::En).hash)]).collect()
    };
    assert_eq!(hashes(&subject), hashes(&subject));
    let cookie_page = |subject: &Subject<'_>| hashes(subject)[1].clone();
    let operator =
        PageSettings { operator: Some("Acme".parse().unwrap()), ..PageSettings::default() };
    for other in [
        Subject { session: SessionDuration::MIN, ..subject },
        Subject { since: Since::NotYet, ..subject },
        Subject { version: "f", ..subject },
        Subject { agreement: AgreementMode::Off, ..subject },
        Subject { evict: EvictScope::Off, ..subject },
        Subject { guard: GuardMode::Enforce, ..subject },
        Subject { sealed: None, ..subject },
        Subject { settings: &operator, ..subject },
    ] {
        assert_ne!(cookie_page(&subject), cookie_page(&other));
    }
}

#[test]
fn the_cookie_page_shows_every_property_of_each_cookie() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let pages = Pages::new(&subject(&declaration, &settings));
    for (language, expected) in [
        (
            Language::En,
            [
                "visitedMapBuilder",
                "technically necessary",
                "1 week after the last use",
                "3 weeks after the last use",
                "Required for the user to remain logged in.",
                "The user can't log in or remain logged in.",
                "Version <code>0123456789ab</code> of <time datetime=\"2026-11-23\">23 November 2026</time>",
                "Withdraw, and delete the cookies",
            ],
        ),
        (
            Language::De,
            [
                "visitedMapBuilder",
                "technisch notwendig",
                "1 Woche nach der letzten Nutzung",
                "3 Wochen nach der letzten Nutzung",
                "Erforderlich, damit der Benutzer eingeloggt bleibt.",
                "bleibt nicht eingeloggt.",
                "vom <time datetime=\"2026-11-23\">23. November 2026</time>",
                "Widerrufen und Cookies löschen",
            ],
        ),
    ] {
        let page = html(pages.get(PageKind::Cookies, language));
        for text in expected {
            assert!(page.contains(text), "{text} in {page}");
        }
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
    }
}

#[test]
fn the_page_promises_what_holds_under_the_tenant_s_guard_and_evictions() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    for language in Language::ALL {
        let words = Words::of(language);
        let prevented = words.scripts.prevented;
        for guard in GuardMode::ALL {
            for evict in EvictScope::ALL {
                let subject = Subject { guard, evict, ..subject(&declaration, &settings) };
                let pages = Pages::new(&subject);
                let page = html(pages.get(PageKind::Cookies, language));
                let context = format!("{guard:?} {evict:?} {page}");
                assert_eq!(page.contains(prevented), guard == GuardMode::Enforce, "{context}");
                for other in EvictScope::ALL {
                    // The text of one reach begins with that of another.
                    let text = format!("{}</p>", words.evicted.of(other));
                    assert_eq!(page.contains(&text), other == evict, "{other:?} {context}");
                }
                let json: Value = serde_json::from_slice(&pages.json(language).bytes).unwrap();
                assert!(page.contains(json["others"].as_str().unwrap()), "{context}");
            }
        }
    }
}

#[test]
fn no_page_loads_or_runs_anything_and_the_policy_allows_its_style() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let pages = Pages::new(&subject(&declaration, &settings));
    for page in pages.iter() {
        let html = without_browser_help(html(page));
        for foreign in ["<script", " src=", " style=", "url(", "@import", "http://", "https://"] {
            assert!(!html.contains(foreign), "{foreign} in {:?}", page.kind);
        }
        if page.kind == PageKind::Banner {
            assert!(html.is_ascii(), "{html}");
            assert!(!html.contains(" id="), "{html}");
            continue;
        }
        let (_, style) = html.split_once("<style>").unwrap();
        let (style, _) = style.split_once("</style>").unwrap();
        let digest = digest(&SHA256, style.as_bytes());
        let hash = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest);
        assert!(content_security_policy().contains(&format!("style-src 'sha256-{hash}';")));
    }
    assert!(html(pages.get(PageKind::Banner, Language::De)).contains("Wof&#252;r"));
}

/// Removes the links to the help pages of browsers, the only foreign addresses of a page.
fn without_browser_help(html: &str) -> String {
    let remove = |html: String, browser: Browser| {
        html.replace(&format!(" href=\"{}\" rel=\"noreferrer\"", browser.help()), "")
    };
    Browser::ALL.into_iter().fold(html.to_owned(), remove)
}

#[test]
fn the_cookie_page_links_to_the_help_pages_of_common_browsers_in_every_format() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let subject = subject(&declaration, &settings);
    let pages = Pages::new(&subject);
    for language in Language::ALL {
        let page = html(pages.get(PageKind::Cookies, language));
        let text = text::text(&subject, language, 80);
        let json: Value = serde_json::from_slice(&pages.json(language).bytes).unwrap();
        let words = Words::of(language);
        for (index, browser) in Browser::ALL.into_iter().enumerate() {
            let (name, url) = ((words.browser)(browser), browser.help());
            let link = format!("<a href=\"{url}\" rel=\"noreferrer\">{name}</a>");
            assert!(page.contains(&link), "{link} in {page}");
            assert!(text.contains(&format!("  {name}:")) && text.contains(url), "{text}");
            assert_eq!(json["help"][index]["browser"], name);
            assert_eq!(json["help"][index]["url"], url);
        }
    }
}

#[test]
fn no_text_of_an_operator_becomes_markup() {
    let hostile = "<script>alert(1)</script>\" onclick=\"x";
    let cookie = DeclaredCookie {
        name: "a&b".parse().unwrap(),
        lifetime: Lifetime::Session,
        purpose: vec![("fr".to_owned(), hostile.to_owned())],
        without: vec![("en".to_owned(), "a | b\n\u{1b}[2J".to_owned())],
        ..Declaration::flexopus().cookies()[0].clone()
    };
    let declaration = Declaration::new(vec![cookie]).unwrap();
    let settings = PageSettings {
        operator: Some(hostile.parse().unwrap()),
        link: Some("https://acme.example/'&".parse().unwrap()),
        logo: Some("<b>".parse().unwrap()),
        ..PageSettings::default()
    };
    let subject = subject(&declaration, &settings);
    let pages = Pages::new(&subject);
    for page in pages.iter() {
        for markup in ["<script", "\" onclick", "<b>", "a&b", "'&\""] {
            assert!(!html(page).contains(markup), "{markup} in {}", html(page));
        }
    }
    let page = html(pages.get(PageKind::Cookies, Language::En));
    assert!(page.contains("<span lang=\"fr\">&lt;script&gt;"), "{page}");
    let json: Value = serde_json::from_slice(&pages.json(Language::En).bytes).unwrap();
    assert_eq!(json["cookies"][0]["purpose"]["text"], hostile);
    assert_eq!(json["cookies"][0]["purpose"]["language"], "fr");
    assert_eq!(json["cookies"][0]["without"].get("language"), None);
    let table = text::table(&subject, Language::En);
    assert_eq!(table.lines().count(), 3, "{table}");
    let row = table.lines().last().unwrap();
    assert!(
        row.starts_with(
            "| a\\&b | technically necessary | 1 week after the last use | \\<script\\>"
        )
    );
    assert!(row.ends_with(" | a \\| b \\[2J |"), "{row}");
}

#[test]
fn a_page_that_is_not_served_mentions_no_button() {
    let declaration = Declaration::flexopus();
    let settings = PageSettings { path: None, ..PageSettings::default() };
    let subject = Subject {
        agreement: AgreementMode::Off,
        sealed: None,
        since: Since::NotYet,
        ..subject(&declaration, &settings)
    };
    let pages = Pages::new(&subject);
    let page = html(pages.get(PageKind::Cookies, Language::En));
    assert!(page.contains("How to delete the cookies") && page.contains("not yet in force"));
    assert!(!page.contains("<form") && !page.contains("The button"), "{page}");
    assert!(pages.get(PageKind::Banner, Language::En).html.is_empty());
}

#[test]
fn an_empty_declaration_has_nothing_to_withdraw() {
    let declaration = Declaration::new(Vec::new()).unwrap();
    let settings = PageSettings::default();
    let subject =
        Subject { agreement: AgreementMode::Off, sealed: None, ..subject(&declaration, &settings) };
    let pages = Pages::new(&subject);
    let page = html(pages.get(PageKind::Cookies, Language::En));
    assert!(
        page.contains("This site uses no cookies.") && page.contains("Every cookie is removed")
    );
    assert!(!page.contains("<table") && !page.contains("<form"), "{page}");
}

#[test]
fn the_text_has_the_same_content_and_fits_its_width() {
    let (declaration, settings) = (Declaration::flexopus(), PageSettings::default());
    let subject = subject(&declaration, &settings);
    for language in Language::ALL {
        for width in [40, 80, 100] {
            let text = text::text(&subject, language, width);
            let words: Vec<_> = text.split_whitespace().collect();
            let sheet = Sheet::new(&subject, language);
            for expected in
                sheet.rows.iter().flat_map(|row| [row.name, &row.duration, row.without.text])
            {
                let expected: Vec<_> = expected.split_whitespace().collect();
                assert!(
                    words.windows(expected.len()).any(|part| *part == expected),
                    "{expected:?} in {text}"
                );
            }
            let is_address = |line: &&str| line.contains("https://");
            let lines = text.lines().filter(|line| !is_address(line));
            let longest = lines.map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= width, "{longest} columns of {width}: {text}");
        }
    }
}
