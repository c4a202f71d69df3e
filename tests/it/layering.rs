//! The layers of `docs/ARCHITECTURE.md`, as the sources keep them: each row uses the rows above it and none below.
//!
//! The sources are read as text: comments, strings and tests are left out, `use` trees are unfolded, and every path is
//! followed to the module of the crate, or to the library, that it begins with.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// What each part of the crate may use of the others.
const ROWS: [(&str, &[&str]); 28] = [
    ("error", &[]),
    ("text", &[]),
    ("banner", &[]),
    ("seal", &[]),
    ("policy", &["seal"]),
    ("language", &[]),
    ("tenants", &["policy"]),
    ("audit", &["policy"]),
    ("metrics", &["audit", "banner", "policy"]),
    ("process", &["metrics"]),
    ("page", &["audit", "language", "policy"]),
    ("config", &["page", "policy", "tenants"]),
    ("clock", &[]),
    ("seal_keys", &["clock", "seal"]),
    ("telemetry", &["config"]),
    ("ledger", &["audit", "policy", "text"]),
    ("state", &["audit", "clock", "error", "ledger", "policy", "text"]),
    ("report", &["audit", "language", "ledger", "policy", "text"]),
    ("traces", &["audit", "clock", "config", "metrics"]),
    ("certificate", &["clock"]),
    ("demo", &["clock"]),
    ("explain", &["clock", "config", "policy", "tenants"]),
    (
        "proxy",
        &[
            "audit", "banner", "clock", "config", "language", "metrics", "page", "policy",
            "tenants", "traces",
        ],
    ),
    (
        "gateway",
        &[
            "audit",
            "clock",
            "config",
            "ledger",
            "metrics",
            "page",
            "policy",
            "process",
            "proxy",
            "seal",
            "seal_keys",
            "state",
            "telemetry",
            "tenants",
            "traces",
        ],
    ),
    (
        "admin",
        &[
            "clock", "config", "explain", "gateway", "language", "ledger", "metrics", "policy",
            "proxy", "report", "tenants",
        ],
    ),
    (
        "cli",
        &[
            "admin",
            "certificate",
            "clock",
            "config",
            "demo",
            "explain",
            "gateway",
            "language",
            "ledger",
            "page",
            "policy",
            "proxy",
            "report",
            "seal",
            "seal_keys",
            "state",
            "telemetry",
            "tenants",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// What the policy may use of others: nothing that reads a clock, draws randomness, or waits.
const LIBRARIES_OF_POLICY: [&str; 22] = [
    "base64",
    "bytemuck::allocation::zeroed_slice_box",
    "foldhash::quality::FixedState",
    "itoa",
    "memchr",
    "psl",
    "smallvec",
    "std::borrow",
    "std::fmt",
    "std::hash",
    "std::iter",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::ops",
    "std::ptr::eq",
    "std::str",
    "std::sync::Arc",
    "std::sync::atomic",
    "std::time::Duration",
    "thiserror",
    // Its calendar; its clock is another test's.
    "time",
];

/// What sealing may use beside those: the cipher and the digest, and above all no `aws_lc_rs::rand`.
const LIBRARIES_OF_SEALING: [&str; 2] = ["aws_lc_rs::aead", "aws_lc_rs::digest"];

/// A source file without what the compiler leaves out of the program.
struct Source {
    /// Relative to `src/`.
    file: PathBuf,
    /// Of the crate: `["policy", "date"]`.
    module: Vec<String>,
    text: String,
}

impl Source {
    fn part(&self) -> &str {
        &self.module[0]
    }

    /// Every path, from its beginning: `crate::policy::Policy`, `std::fmt`, `u64::from`.
    fn paths(&self) -> BTreeSet<String> {
        let absolute = |path: String| absolute(&path, &self.module);
        paths(&self.text).into_iter().map(absolute).collect()
    }
}

fn sources() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let texts: Vec<_> = files
        .into_iter()
        .map(|file| (file.clone(), bare(&fs::read_to_string(file).unwrap())))
        .collect();
    let tests: BTreeSet<_> = texts.iter().flat_map(|(file, text)| test_files(file, text)).collect();
    let sources = texts.into_iter().filter(|(file, _)| !tests.contains(file));
    let sources = sources.map(|(file, text)| {
        let file = file.strip_prefix(&src).unwrap().to_owned();
        let mut module: Vec<_> =
            file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
        if module.last().is_some_and(|last| last == "mod") {
            module.pop();
        }
        Source { file, module, text: without_tests(&text) }
    });
    sources.collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

const TEST: &str = "#[cfg(test)]";

/// The files of modules that are declared as tests (`#[cfg(test)] mod fixture;`).
fn test_files(file: &Path, text: &str) -> Vec<PathBuf> {
    let folder = match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let declared = text.split(TEST).skip(1).filter_map(|after| {
        let name = after.trim_start().strip_prefix("mod ")?.split_once(';')?.0;
        name.chars().all(|c| c.is_alphanumeric() || c == '_').then(|| name.to_owned())
    });
    declared
        .flat_map(|name| [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")])
        .collect()
}

/// The text without the items that are tests.
fn without_tests(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(TEST) {
        kept.push_str(before);
        let end_of_item = after.find([';', '{']).unwrap();
        rest = match after.as_bytes()[end_of_item] {
            b'{' => &after[end_of_item + length_of_block(&after[end_of_item..])..],
            _ => &after[end_of_item + 1..],
        };
    }
    kept + rest
}

/// The bytes of a block from its opening brace to its closing one.
fn length_of_block(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    panic!("a brace that is never closed: {text}")
}

/// The text without comments, and with nothing in its strings and characters.
fn bare(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if let Some(length) = raw_string(rest).filter(|_| !ends_in_name(&kept)) {
            length
        } else if first == '"' {
            1 + end_of_quote(&rest[1..], '"')
        } else if let Some(length) = character(rest) {
            length
        } else {
            kept.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        kept.push(' ');
        rest = &rest[skipped..];
    }
    kept
}

fn ends_in_name(text: &str) -> bool {
    text.chars().next_back().is_some_and(is_name)
}

/// The length of a raw string that the text begins with: `r#"…"#`.
fn raw_string(text: &str) -> Option<usize> {
    let text = text.strip_prefix('b').unwrap_or(text);
    let hashes: String = text.strip_prefix('r')?.chars().take_while(|c| *c == '#').collect();
    let begin = 1 + hashes.len();
    let inside = text[begin..].strip_prefix('"')?;
    let end = inside.find(&format!("\"{hashes}"))?;
    Some(begin + 1 + end + 1 + hashes.len())
}

/// The length of a character that the text begins with, which is no lifetime: `'a'`, `'\''`.
fn character(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    if inside.starts_with('\\') {
        return Some(1 + end_of_quote(inside, '\''));
    }
    let length = inside.chars().next()?.len_utf8();
    inside[length..].starts_with('\'').then_some(1 + length + 1)
}

fn end_of_quote(inside: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in inside.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    panic!("a quote that is never closed: {inside}")
}

/// Every path of at least two segments, with `use` trees unfolded.
fn paths(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("::") {
        let begin = rest[..at].rfind(|c| !is_name(c)).map_or(0, |before| before + 1);
        let head = &rest[begin..at];
        // `<T>::name` and the like begin with no name.
        let after = &rest[at + 2..];
        let length = if head.is_empty() || rest[..begin].ends_with("::") {
            0
        } else {
            unfold(head, after, &mut found)
        };
        rest = &after[length..];
    }
    found
}

/// Unfolds what follows `prefix::`; returns its length.
fn unfold(prefix: &str, text: &str, found: &mut Vec<String>) -> usize {
    if let Some(list) = text.strip_prefix('{') {
        let end = length_of_block(text);
        for part in split_list(&list[..end - 2]) {
            let part = part.trim();
            match part.split_once("::") {
                Some((head, rest)) => {
                    unfold(&format!("{prefix}::{head}"), rest, found);
                }
                None if part.is_empty() => {}
                None => {
                    let name = part.split(" as ").next().unwrap_or(part);
                    found.push(format!("{prefix}::{name}"));
                }
            }
        }
        return end;
    }
    let length = text.find(|c| !is_name(c)).unwrap_or(text.len());
    let path = format!("{prefix}::{}", &text[..length]);
    match text[length..].strip_prefix("::") {
        Some(rest) => length + 2 + unfold(&path, rest, found),
        None => {
            found.push(path);
            length
        }
    }
}

/// The parts between commas that stand in no inner braces.
fn split_list(list: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[begin..]);
    parts
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The path from the root of the crate, where it begins with `super` or `self`.
fn absolute(path: &str, module: &[String]) -> String {
    let mut module = module;
    let mut rest = path;
    if let Some(own) = rest.strip_prefix("self::") {
        return [&["crate".to_owned()], module, &[own.to_owned()]].concat().join("::");
    }
    while let Some(above) = rest.strip_prefix("super::") {
        module = module.split_last().expect("there is nothing above the crate").1;
        rest = above;
    }
    if rest == path {
        return path.to_owned();
    }
    [&["crate".to_owned()], module, &[rest.to_owned()]].concat().join("::")
}

fn begins_with(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

#[test]
fn each_row_uses_the_rows_above_it_and_none_below() {
    for source in sources() {
        let row = ROWS.iter().find(|(part, _)| *part == source.part());
        let (part, allowed) = row.unwrap_or_else(|| panic!("{} has no row", source.file.display()));
        for path in source.paths() {
            // The binary sees the library from outside.
            let inner = path.strip_prefix("crate::").or(path.strip_prefix("crumbgate::"));
            let Some(used) = inner.and_then(|path| path.split("::").next()) else { continue };
            let fits = used == *part || allowed.contains(&used);
            assert!(fits, "{} uses {path}: {part} may use {allowed:?}", source.file.display());
        }
    }
}

#[test]
fn the_rows_name_every_part_and_only_what_stands_above_them() {
    let parts: BTreeSet<_> = sources().iter().map(|source| source.part().to_owned()).collect();
    assert_eq!(parts, ROWS.iter().map(|(part, _)| (*part).to_owned()).collect());
    for (index, (part, allowed)) in ROWS.iter().enumerate() {
        let above: BTreeSet<_> = ROWS[..index].iter().map(|(part, _)| *part).collect();
        assert!(allowed.iter().all(|used| above.contains(used)), "{part}");
    }
}

#[test]
fn the_policy_has_no_clock_no_randomness_no_socket_no_file_and_no_async() {
    assert!(libraries("policy", &LIBRARIES_OF_POLICY) > 5);
}

#[test]
fn sealing_has_no_clock_no_randomness_no_socket_no_file_and_no_async() {
    let allowed = [&LIBRARIES_OF_POLICY[..], &LIBRARIES_OF_SEALING].concat();
    assert!(libraries("seal", &allowed) > 2);
}

/// Checks that a part uses no other libraries, and nothing that waits; returns how many files it has.
fn libraries(part: &str, allowed: &[&str]) -> usize {
    let sources: Vec<_> = sources().into_iter().filter(|source| source.part() == part).collect();
    let crates = dependencies();
    for source in &sources {
        for path in source.paths() {
            let head = path.split("::").next().unwrap();
            // `cookie` is a library to all but the folder that has a module of that name.
            let child = [&*source.module, &[head.to_owned()]].concat();
            let is_own = sources.iter().any(|other| other.module == child);
            let is_library = ["alloc", "core", "std"].contains(&head) || crates.contains(head);
            let is_library = is_library && !is_own;
            let allowed = allowed.iter().any(|library| begins_with(&path, library));
            assert!(allowed || !is_library, "{} uses {path}", source.file.display());
        }
        for word in source.text.split(|c| !is_name(c)) {
            let waits = ["async", "await", "thread_local", "now", "now_utc"].contains(&word);
            let is_own_name = word == "now" && !source.text.contains("now()");
            assert!(!waits || is_own_name, "{word} in {}", source.file.display());
        }
    }
    sources.len()
}

/// The libraries of `Cargo.toml`, as code names them.
fn dependencies() -> BTreeSet<String> {
    let manifest = include_str!("../../Cargo.toml").parse::<toml::Table>().unwrap();
    let names = manifest["dependencies"].as_table().unwrap().keys();
    names.map(|name| name.replace('-', "_")).collect()
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    for source in sources() {
        let asks = source.paths().into_iter().find(|path| {
            ["SystemTime::now", "OffsetDateTime::now_utc", "UtcDateTime::now"]
                .iter()
                .any(|call| path.ends_with(call))
        });
        let is_clock = source.part() == "clock";
        assert_eq!(asks.is_some(), is_clock, "{}: {asks:?}", source.file.display());
    }
}

#[test]
fn memory_knows_no_io() {
    for source in sources() {
        let memory = ["audit", "banner", "explain", "metrics", "page", "policy", "seal", "tenants"];
        if !memory.contains(&source.part()) {
            continue;
        }
        let io = ["hyper", "rustls", "std::fs", "std::io", "std::process", "std::thread", "tokio"];
        for path in source.paths() {
            let does_io = io.iter().any(|library| begins_with(&path, library));
            assert!(!does_io, "{} uses {path}", source.file.display());
        }
    }
}

#[test]
fn the_reader_of_sources_sees_what_the_compiler_sees() {
    let text = r##"
        // use crate::commented::Out;
        use crate::{
            audit::{self, Books}, /* crate::hidden::Too */
            policy::verdict::{Action as A, Direction},
        };
        use super::admission::Entry;
        fn f<'a>(x: &'a str) -> u8 { let c = '"'; crate::clock::now(x, "crate::quoted::no"); b'\'' }
        const R: &str = r#"crate::raw::"no""#;
        #[cfg(test)]
        mod tests { use crate::tested::Only; fn g() { { } } }
        fn after() { std::fs::read(self::own::X) }
    "##;
    let source = Source {
        file: PathBuf::new(),
        module: vec!["proxy".to_owned(), "exchange".to_owned()],
        text: without_tests(&bare(text)),
    };
    let expected = [
        "crate::audit::Books",
        "crate::audit::self",
        "crate::clock::now",
        "crate::policy::verdict::Action",
        "crate::policy::verdict::Direction",
        "crate::proxy::admission::Entry",
        "crate::proxy::exchange::own::X",
        "std::fs::read",
    ];
    assert_eq!(source.paths(), expected.map(str::to_owned).into());
}
