//! The generated parts of `docs/`: the commands as their help shows them, the keys of `config.toml`, the source files
//! with the first sentence of their documentation, and the guard's script.
//!
//! A generated part begins behind a marker and ends with the file. The tests compare it. With the environment variable
//! `WRITE_DOCUMENTS` they write it instead: `WRITE_DOCUMENTS=1 cargo nextest run --test it reference`.

use std::{collections::BTreeSet, env, fs, path::Path};

use crumbgate_config::known_keys;

use crate::harness::{Setup, Site, in_time};

const MARKER: &str = "<!-- Everything below is generated: see tests/it/project/reference.rs. -->\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares the generated part of a document with `expected`, or writes it if `WRITE_DOCUMENTS` is set.
#[track_caller]
fn assert_generated(document: &str, expected: &str) {
    let path = root().join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let (written_by_hand, generated) = text.split_once(MARKER).expect("a marker");
    if env::var_os("WRITE_DOCUMENTS").is_some() {
        fs::write(&path, format!("{written_by_hand}{MARKER}{expected}")).unwrap();
        return;
    }
    let advice = "run WRITE_DOCUMENTS=1 cargo nextest run --test it reference";
    for (number, (found, expected)) in generated.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {number} behind the marker of {document}: {advice}");
    }
    let lines = (generated.lines().count(), expected.lines().count());
    assert_eq!(lines.0, lines.1, "the lines of {document}: {advice}");
}

/// The subcommands that a help text lists.
fn subcommands(help: &str) -> Vec<String> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, rest)| rest);
    let list = list.split("\n\n").next().unwrap();
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[tokio::test]
async fn the_reference_of_commands_is_their_help() {
    in_time(async {
        let site = Site::of(&Setup::before_servers(&["http://127.0.0.1:9".to_owned()]));
        let mut text = String::new();
        let mut pending = vec![Vec::<String>::new()];
        while let Some(command) = pending.pop() {
            let arguments: Vec<_> = command.iter().map(String::as_str).chain(["--help"]).collect();
            let finished = site.run(&arguments).await;
            assert_eq!(finished.code, Some(0), "{command:?}: {}", finished.stderr);
            let title = [&["crumbgate".to_owned()], &command[..]].concat().join(" ");
            text += &format!("\n## {title}\n\n```text\n{}\n```\n", finished.stdout.trim_end());
            let below = subcommands(&finished.stdout).into_iter();
            let below = below.map(|name| [&command[..], &[name]].concat());
            pending.extend(below.collect::<Vec<_>>().into_iter().rev());
        }
        assert!(text.matches("\n## ").count() > 20, "{text}");
        assert_generated("docs/reference/commands.md", &text);
    })
    .await;
}

#[tokio::test]
async fn the_document_of_the_guard_contains_its_script() {
    in_time(async {
        let setup = Setup::before_servers(&["http://127.0.0.1:9".to_owned()]);
        let site = Site::of(
            &setup
                .tenant("enforce.example", "guard = \"enforce\"")
                .tenant("required.example", "guard = \"enforce\"\nagreement = \"required\"")
                .tenant("watch.example", "guard = \"watch\"")
                .sections("[seal]\nkeys = \"state/seal.keys\"\n"),
        );
        let mut text = String::new();
        for (title, options) in [
            ("`guard = \"enforce\"`", &["enforce.example"][..]),
            (
                "`guard = \"enforce\"`, before a person has agreed (`agreement = \"required\"`)",
                &["required.example", "--before-agreement"],
            ),
            ("`guard = \"watch\"`", &["watch.example"]),
        ] {
            let finished = site.run(&[&["guard", "--tenant"], options].concat()).await;
            assert_eq!(finished.code, Some(0), "{finished:?}");
            let (script, about) = finished.stdout.split_once("\n\n").expect("two paragraphs");
            assert!(script.len() <= 2560, "{title}: {} bytes", script.len());
            text += &format!("\n### {title}\n\n```html\n{script}\n```\n\n```text\n{about}```\n");
        }
        assert_generated("docs/guard.md", &text);
    })
    .await;
}

/// A line of `config.toml` that names a key, whether it is in effect, a default or an example.
struct Key<'t> {
    name: &'t str,
    value: &'t str,
    kind: Kind,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Default,
    Example,
    InEffect,
}

impl<'t> Key<'t> {
    fn read(line: &'t str) -> Option<Self> {
        let (kind, line) = strip(line);
        let (name, value) = line.split_once(" = ")?;
        let is_name = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        is_name.then_some(Self { name, value, kind })
    }
}

/// The kind of a line, and the line without its marks.
fn strip(line: &str) -> (Kind, &str) {
    if let Some(line) = line.strip_prefix("## ") {
        (Kind::Example, line)
    } else if let Some(line) = line.strip_prefix("# ") {
        (Kind::Default, line)
    } else {
        (Kind::InEffect, line)
    }
}

/// `config.toml` as one table of keys for each of its sections.
fn configuration(file: &str) -> String {
    let mut text = String::new();
    let mut comment = Vec::new();
    let mut is_tenant = false;
    let mut rows = 0;
    for line in file.lines() {
        let (_, stripped) = strip(line);
        if stripped.starts_with('[') && stripped.ends_with(']') && !stripped.contains(' ') {
            let title = title(stripped);
            is_tenant = title.starts_with("[tenants.");
            // The tenants of the file are one section.
            if !text.contains(&format!("## `{title}`")) {
                text += &format!("\n## `{title}`\n\n{}\n", comment.join("\n"));
                rows = 0;
            }
            comment.clear();
        } else if let Some(key) = Key::read(line) {
            if is_tenant {
                // They are described in the section's text.
                continue;
            }
            if rows == 0 {
                text += "\n| key | default | meaning |\n|---|---|---|\n";
            }
            rows += 1;
            let value = match key.kind {
                Kind::Default => format!("`{}`", key.value),
                Kind::Example => format!("none; for example `{}`", key.value),
                Kind::InEffect => format!("none; in this file `{}`", key.value),
            };
            let meaning = comment.join(" ").replace('|', "\\|");
            text += &format!("| `{}` | {} | {meaning} |\n", key.name, value.replace('|', "\\|"));
            comment.clear();
        } else if let Some(words) = line.strip_prefix("# ") {
            comment.push(words);
        } else if line.is_empty() {
            comment.clear();
        }
    }
    text
}

/// The title of a section: the one that is an example of many has a placeholder.
fn title(section: &str) -> String {
    for (prefix, title) in
        [("[tenants.", "[tenants.\"HOST\"]"), ("[upstreams.", "[upstreams.NAME]")]
    {
        if section.starts_with(prefix) {
            return title.to_owned();
        }
    }
    section.to_owned()
}

#[test]
fn the_reference_of_the_configuration_is_the_shipped_file() {
    let file = fs::read_to_string(root().join("config.toml")).unwrap();
    let text = configuration(&file);
    // Each key that the gateway knows is in a row, or in the text about tenants.
    let names = known_keys();
    let names: BTreeSet<_> = names.iter().filter_map(|key| key.rsplit('.').next()).collect();
    for name in
        names.into_iter().filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    {
        assert!(text.contains(&format!("`{name}`")) || text.contains(name), "{name}");
    }
    assert_generated("docs/reference/configuration.md", &text);
}

/// The files below a folder that end with `.rs`, relative to it, sorted.
fn sources(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned());
        }
    }
    found.sort_unstable();
    found
}

/// The first sentence of a file's documentation, as text for a cell.
fn first_sentence(source: &str) -> String {
    let lines = source.lines().take_while(|line| line.starts_with("//! "));
    let paragraph: Vec<_> = lines.map(|line| line.trim_start_matches("//! ")).collect();
    let paragraph = paragraph.join(" ");
    let end =
        paragraph.find(". ").or_else(|| paragraph.find(": ")).map_or(paragraph.len(), |at| at);
    without_links(paragraph[..end].trim_end_matches(['.', ':'])).replace('|', "\\|")
}

/// A text of rustdoc without its links, which lead nowhere outside of it.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        plain += before;
        let Some((words, after)) = after.split_once(']') else {
            return plain + "[" + after;
        };
        plain += words;
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain + rest
}

#[test]
fn the_reference_of_sources_is_the_first_sentence_of_each_file() {
    let crates = fs::read_dir(root().join("crates")).unwrap();
    let crates = crates.map(|entry| format!("crates/{}", entry.unwrap().file_name().display()));
    let mut packages: Vec<_> = crates.collect();
    packages.sort_unstable();
    packages.push(".".to_owned());
    let mut text = String::new();
    for package in packages {
        let title = if package == "." { "src" } else { &package };
        let source = root().join(&package).join("src");
        text += &format!("\n## `{title}`\n\n| file | content |\n|---|---|\n");
        for file in sources(&source) {
            let sentence = first_sentence(&fs::read_to_string(source.join(&file)).unwrap());
            text += &format!("| `{file}` | {sentence} |\n");
        }
    }
    assert_generated("docs/reference/sources.md", &text);
}

#[test]
fn a_first_sentence_has_no_links() {
    assert_eq!(
        first_sentence("//! A [`Gateway`] of [links](there).\n//! More.\n"),
        "A `Gateway` of links"
    );
    assert_eq!(first_sentence("use std::fs;\n"), "");
    assert_eq!(without_links("open [ and no end"), "open [ and no end");
}
