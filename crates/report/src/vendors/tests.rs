use std::{fs, path::PathBuf};

use tempfile::TempDir;

use super::*;
use crumbgate_audit::{NameBuffer, name_template};

/// A catalogue with a file of this text.
fn with(text: impl AsRef<[u8]>) -> Result<Catalogue, CatalogueError> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("names.csv");
    fs::write(&path, text).unwrap();
    Catalogue::with_open_cookie_database(&path)
}

/// The error of a file with this text, without its folder.
fn problem(text: impl AsRef<[u8]>) -> String {
    let error = with(text).unwrap_err().to_string();
    let at = error.find("names.csv").unwrap();
    error[at..].to_owned()
}

fn platform(catalogue: &Catalogue, name: &str) -> Option<String> {
    let mut buffer = NameBuffer::default();
    let template = name_template(name.as_bytes(), &mut buffer);
    catalogue.find(template).map(|vendor| vendor.platform.to_owned())
}

const HEADER: &str = "ID,Platform,Category,Cookie / Data Key name,Domain,Description,Retention period,\
                      Data Controller,User Privacy & GDPR Rights Portals,Wildcard match\n";

/// A row as the file has them.
fn row(platform: &str, name: &str, wildcard: &str) -> String {
    format!(
        "1,{platform},Marketing,{name},,\"Does, what it does.\",1 year,A,https://a.example,{wildcard}\n"
    )
}

#[test]
fn well_known_names_are_found_by_their_templates() {
    let catalogue = Catalogue::built_in();
    let cases = [
        ("_ga", "Google Analytics"),
        ("_ga_G-1AB2C3", "Google Analytics"),
        ("_gac_UA-1-2", "Google Ads"),
        ("_hjSessionUser_123456", "Hotjar"),
        ("_pk_id.1.1fff", "Matomo"),
        ("intercom-session-xkfwqzab", "Intercom"),
        ("AMCV_1A2B%40AdobeOrg", "Adobe Analytics"),
        ("remember_web_59ba36addc2b2f9401580f014c7f58ea4e30989d", "Laravel"),
        ("wordpress_logged_in_d41d8cd98f00b204e9800998ecf8427e", "WordPress"),
        ("mp_0123456789abcdef0123456789abcdef_mixpanel", "Mixpanel"),
        ("TS01a2b3c4", "F5 BIG-IP"),
        ("SESSd41d8cd98f00b204e9800998ecf8427e", "Drupal"),
        ("1P_JAR", "Google"),
        ("PHPSESSID", "PHP"),
    ];
    for (name, expected) in cases {
        assert_eq!(platform(&catalogue, name).as_deref(), Some(expected), "{name}");
    }
    let unknown = [
        "",
        "_",
        "0123456789",
        "phpsessid",
        "__Secure-session",
        "remember_me",
        "XSRF-TOKEN",
        "flexopus_session",
        "visitedMapBuilder",
    ];
    for name in unknown {
        assert_eq!(platform(&catalogue, name), None, "{name}");
    }
}

#[test]
fn a_description_is_shown_in_either_language() {
    let catalogue = Catalogue::built_in();
    let vendor = catalogue.find("_fbp").unwrap();
    assert_eq!((vendor.platform, vendor.category), ("Meta", Category::Marketing));
    assert!(vendor.description(Language::En).starts_with("Recognises a visitor"));
    assert!(vendor.description(Language::De).starts_with("Erkennt einen Besucher"));
    assert_eq!(vendor.category.word(Language::De), "Werbung");
}

#[test]
fn the_exact_name_wins_then_the_longest_prefix_then_the_file() {
    let rows = [
        row("Prefix", "shop_", "1"),
        row("Longer", "shop_cart_", "1"),
        row("Exact", "shop_cart_", "0"),
        row("Second", "shop_cart_", "0"),
        row("File", "_fbp", "0"),
        row("File's prefix", "_ga", "1"),
        row("Folded", "cart_12345", "0"),
        row("Nothing left", "12345", "0"),
        row("Too short", "zz", "1"),
    ];
    let catalogue = with([HEADER, &rows.concat()].concat()).unwrap();
    let cases = [
        ("shop_a", Some("Prefix")),
        ("shop_cart_", Some("Exact")),
        ("shop_cart_list", Some("Longer")),
        ("_fbp", Some("File")),
        ("_ga", Some("Google Analytics")),
        ("_gallery", Some("File's prefix")),
        ("cart_99", Some("Folded")),
        ("99", None),
        ("zzz", None),
        ("Shop_a", None),
    ];
    for (name, expected) in cases {
        assert_eq!(platform(&catalogue, name).as_deref(), expected, "{name}");
    }
    let vendor = catalogue.find("_fbp").unwrap();
    assert_eq!(vendor.description(Language::De), "Does, what it does.");
}

#[test]
fn columns_stand_in_any_order_and_case() {
    let text = "\u{feff}wildcard MATCH,extra, Description ,COOKIE / data key NAME,Category,Platform\r\n\
                1,x,\"Two\r\nlines.\",shop_,Astrology,Shop\r\n";
    let catalogue = with(text).unwrap();
    let vendor = catalogue.find("shop_cart").unwrap();
    assert_eq!((vendor.platform, vendor.category), ("Shop", Category::Other));
    assert_eq!(vendor.description(Language::En), "Two  lines.");
}

#[test]
fn errors_name_the_line_and_the_fix() {
    assert_eq!(
        problem("a,b\n1,2\n"),
        "names.csv:1: there is no column \"Platform\": name the unchanged open-cookie-database.csv of the Open Cookie \
         Database"
    );
    assert_eq!(
        problem([HEADER, &row("A", "a", "0"), "1,2\n"].concat()),
        "names.csv:3: has 2 fields, expected 10: fix the quotes and commas there"
    );
    assert_eq!(
        problem([HEADER, &row("A", "a", "maybe\x1b")].concat()),
        "names.csv:2: \"Wildcard match\" is \"maybe\\x1b\": write 1 for a prefix, or 0"
    );
    assert!(problem("").starts_with("names.csv:1: there is no column"));
    assert!(problem(vec![b' '; (16 << 20) + 1]).starts_with("names.csv has more than 16 MiB"));
    let rows = "1,2,3,4,5,6,7,8,9,0\n".repeat(100_001);
    assert!(problem([HEADER, &rows].concat()).starts_with("names.csv:100002: there are more"));
    let missing = Catalogue::with_open_cookie_database(Path::new("/nowhere/names.csv"));
    assert!(missing.unwrap_err().to_string().starts_with("/nowhere/names.csv can't be read"));
}

#[test]
fn malformed_bytes_are_read_safely() {
    let odd = row("\x1b]0;A", "x", "1").into_bytes();
    let odd = odd.iter().flat_map(|byte| {
        if *byte == b'x' { &b"sh\xff\0op_"[..] } else { std::slice::from_ref(byte) }
    });
    let text: Vec<u8> = HEADER.bytes().chain(odd.copied()).collect();
    assert!(with(text).is_ok());
    let text = [HEADER.as_bytes(), b"1,\x1bA,Marketing,shop,,\xff\"\x07,,,,0\n"].concat();
    let catalogue = with(text).unwrap();
    let vendor = catalogue.find("shop").unwrap();
    assert_eq!((vendor.platform, vendor.description(Language::En)), (" A", "\u{fffd}\" "));
}

#[test]
fn the_real_file_is_read_where_it_is_present() {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data/open-cookie-database");
    let given = std::env::var_os("OPEN_COOKIE_DATABASE");
    let folder = given.clone().map_or_else(|| PathBuf::from(beside), PathBuf::from);
    if given.is_none() && !folder.is_dir() {
        return;
    }
    let path = folder.join("open-cookie-database.csv");
    let catalogue = Catalogue::with_open_cookie_database(&path).unwrap();
    assert!(catalogue.0.exact.len() > 1_500 && catalogue.0.prefixes.len() > 200);
    for name in ["_ga_G-1AB2C3", "_hjSession_42", "cf_chl_2", "TS01a2b3", "_pk_ses.1.1fff"] {
        assert!(platform(&catalogue, name).is_some(), "{name}");
    }
    assert_eq!(platform(&catalogue, "0123456789abcdef"), None);
    assert_eq!(platform(&catalogue, "flexopus_session"), None);
    assert_eq!(platform(&catalogue, "visitedMapBuilder"), None);
}
