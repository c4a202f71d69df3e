//! The layers of `docs/ARCHITECTURE.md`: the crates that each crate of the workspace may use.
//!
//! The compiler enforces what the manifests say, so this file holds only the manifests against the documented layers.
//! The rules inside the policy (no clock, no randomness, no I/O, no `async`) are in its `clippy.toml` and in the last
//! test.

use std::{collections::BTreeSet, fs, path::Path};

/// Crates of the workspace, from the ground up, with the crates of the workspace that each may use.
const LAYERS: [(&str, &[&str]); 11] = [
    ("base", &[]),
    ("policy", &[]),
    ("audit", &["policy"]),
    ("pages", &["audit", "base", "policy"]),
    ("config", &["audit", "base", "pages", "policy"]),
    ("ledger", &["audit", "base", "policy"]),
    ("state", &["audit", "base", "ledger", "policy"]),
    ("report", &["audit", "base", "ledger", "policy"]),
    ("gateway", &["audit", "base", "config", "ledger", "pages", "policy", "state"]),
    ("testkit", &["audit", "base", "ledger", "policy", "state"]),
    ("verify", &["base", "ledger"]),
];

/// Crates that run without sockets, threads of a runtime, and TLS.
const WITHOUT_IO: [&str; 7] = ["audit", "base", "config", "ledger", "pages", "policy", "verify"];

/// Libraries that do I/O or start tasks.
const IO: [&str; 6] = ["axum", "hyper", "hyper-util", "rustls", "tokio", "tokio-rustls"];

/// The names in `[dependencies]` of a crate below `crates/`.
fn dependencies(name: &str) -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = fs::read_to_string(root.join("crates").join(name).join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    manifest["dependencies"].as_table().unwrap().keys().cloned().collect()
}

#[test]
fn each_crate_uses_only_the_crates_of_its_layers() {
    for (name, allowed) in LAYERS {
        for used in dependencies(name) {
            let Some(used) = used.strip_prefix("crumbgate-") else { continue };
            assert!(allowed.contains(&used), "{name} uses {used}; it may use {allowed:?}");
        }
    }
}

#[test]
fn every_crate_has_a_layer_and_uses_only_lower_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let crates: BTreeSet<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(crates, LAYERS.iter().map(|(name, _)| (*name).to_owned()).collect());
    for (index, (name, allowed)) in LAYERS.iter().enumerate() {
        let lower: BTreeSet<_> = LAYERS[..index].iter().map(|(name, _)| *name).collect();
        assert!(allowed.iter().all(|used| lower.contains(used)), "{name}");
    }
}

#[test]
fn crates_that_compute_or_keep_values_depend_on_no_library_for_sockets_tasks_or_tls() {
    for name in WITHOUT_IO {
        let found: Vec<_> =
            dependencies(name).into_iter().filter(|used| IO.contains(&&**used)).collect();
        assert!(found.is_empty(), "{name} depends on {found:?}");
    }
}

#[test]
fn the_policy_is_no_std_and_never_waits() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/policy/src");
    let root = fs::read_to_string(source.join("lib.rs")).unwrap();
    assert!(root.contains("\n#![cfg_attr(not(test), no_std)]\n"));
    assert!(!root.contains("extern crate std"));
    let folders = [source.clone(), source.join("seal"), source.join("session")];
    for entry in folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let waits = code.flat_map(|line| line.split(|c: char| !c.is_alphanumeric() && c != '_'));
        let found: Vec<_> = waits.filter(|word| ["async", "await"].contains(word)).collect();
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}
