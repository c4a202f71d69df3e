//! The declarations that have ruled, and what became of the cookies that they allow.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Period, books::add, moment, stripped::lifetimes, word};
use crumbgate_ledger::entry::{DeclarationRecord, Verdicts};
use crumbgate_policy::{Mode, requested::RequestedLifetime, verdict::Action};

/// A version of the declaration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Version {
    /// SHA-256 of the declaration, in hexadecimal digits.
    pub hash: String,
    /// When it was first loaded, in seconds since the Unix epoch.
    #[serde(rename = "since", serialize_with = "moment")]
    pub since_unix_s: u64,
    /// The windows in which it ruled, as far as the report's time goes; none: it did not rule then.
    pub ruled: Option<Period>,
    /// What it declares; none where this version of the program can't read it.
    pub cookies: Option<Vec<DeclaredCookie>>,
    /// Names that the version before it had not.
    pub added: Vec<String>,
    /// Names that the version before it had.
    pub removed: Vec<String>,
    /// Names of which it says something else than the version before it.
    pub changed: Vec<String>,
}

/// A cookie, as a declaration has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeclaredCookie {
    /// Its name.
    pub name: String,
    /// How long it is kept.
    pub lifetime: Lifetime,
    /// What it is for: text by language tag.
    #[serde(default, deserialize_with = "purpose")]
    pub purpose: BTreeMap<String, String>,
    /// Whatever else is said of it: a report tells only that it has changed.
    #[serde(flatten, skip_serializing)]
    pub other: BTreeMap<String, Value>,
}

/// How long a declared cookie is kept.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Lifetime {
    /// This many seconds.
    Fixed(u32),
    /// What `config.toml` says: `session`, for the tenant's session duration; or a duration, such as `3w`.
    Written(String),
}

/// What became of a declared cookie.
#[derive(Clone, Debug, Serialize)]
pub struct Declared {
    /// What the latest declaration that has it says.
    #[serde(flatten)]
    pub cookie: DeclaredCookie,
    /// Whether the latest declaration of the report's time has it.
    pub is_current: bool,
    /// What became of it, by tenant and mode; empty: nobody has used it.
    pub tenants: Vec<DeclaredIn>,
}

/// What became of a declared cookie in one tenant's traffic.
#[derive(Clone, Debug, Default, Serialize)]
pub struct DeclaredIn {
    /// The tenant.
    pub tenant: String,
    /// Whether the verdicts were carried out.
    #[serde(serialize_with = "word")]
    pub mode: Mode,
    /// How often it went to the application.
    pub kept: u64,
    /// How often it left with the declared attributes.
    pub rewritten: u64,
    /// How often it was set again.
    pub renewed: u64,
    /// How often it was set because a browser had not it.
    pub injected: u64,
    /// How long the application wanted it to live, shortest first.
    #[serde(serialize_with = "lifetimes")]
    pub asked: Vec<(RequestedLifetime, u64)>,
    /// How long it was granted, shortest first; 0 seconds delete it.
    pub granted: Vec<Granted>,
}

/// A lifetime that a cookie left with.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Granted {
    /// In seconds.
    pub seconds: u32,
    /// How often.
    pub count: u64,
}

/// The counts of a [`DeclaredIn`], as they grow.
#[derive(Debug, Default)]
pub(super) struct Use {
    kept: u64,
    rewritten: u64,
    renewed: u64,
    injected: u64,
    asked: [u64; RequestedLifetime::ALL.len()],
    granted: BTreeMap<u32, u64>,
}

impl Use {
    pub(super) fn add(&mut self, verdicts: &Verdicts) {
        let sum = match verdicts.action {
            Action::Inject => &mut self.injected,
            Action::Keep => &mut self.kept,
            Action::Renew => &mut self.renewed,
            Action::Rewrite => &mut self.rewritten,
            Action::Evict | Action::Strip(_) => return,
        };
        add(sum, verdicts.count);
        if let Some(lifetime) = verdicts.lifetime {
            add(&mut self.asked[lifetime as usize], verdicts.count);
        }
        if let Some(seconds) = verdicts.granted_s {
            add(self.granted.entry(seconds).or_default(), verdicts.count);
        }
    }

    pub(super) fn finish(self, tenant: &str, mode: Mode) -> DeclaredIn {
        let asked = RequestedLifetime::ALL.into_iter().zip(self.asked);
        let granted = self.granted.into_iter();
        DeclaredIn {
            tenant: tenant.to_owned(),
            mode,
            kept: self.kept,
            rewritten: self.rewritten,
            renewed: self.renewed,
            injected: self.injected,
            asked: asked.filter(|(_, count)| *count > 0).collect(),
            granted: granted.map(|(seconds, count)| Granted { seconds, count }).collect(),
        }
    }
}

/// The versions, and what each changed. `ruled` tells when a version was named by entries.
pub(super) fn versions(
    records: &[DeclarationRecord],
    ruled: impl Fn(&str) -> Option<Period>,
) -> Vec<Version> {
    let mut versions: Vec<Version> = Vec::with_capacity(records.len());
    for record in records {
        let cookies = read(&record.json);
        let now = by_name(cookies.as_deref());
        let before = by_name(versions.last().and_then(|version| version.cookies.as_deref()));
        let is_first = versions.is_empty();
        let names = |names: &mut dyn Iterator<Item = &&str>| {
            if is_first { Vec::new() } else { names.map(|name| (*name).to_owned()).collect() }
        };
        let version = Version {
            hash: record.hash.clone(),
            since_unix_s: record.since_unix_s,
            ruled: ruled(&record.hash),
            added: names(&mut now.keys().filter(|name| !before.contains_key(*name))),
            removed: names(&mut before.keys().filter(|name| !now.contains_key(*name))),
            changed: names(&mut now.iter().filter_map(|(name, cookie)| {
                before.get(name).is_some_and(|old| old != cookie).then_some(name)
            })),
            cookies,
        };
        versions.push(version);
    }
    versions
}

/// Each declared cookie with what became of it. Names that no declaration has any more (damage, or an entry whose
/// declaration was lost) are shown without purpose.
pub(super) fn join(
    versions: &[Version],
    mut uses: BTreeMap<String, Vec<DeclaredIn>>,
) -> Vec<Declared> {
    let has_ruled = |version: &&Version| version.ruled.is_some();
    // Not the newest: an older one may have come back.
    let until = |version: &&Version| version.ruled.map(|ruled| ruled.until_unix_s);
    let current = versions.iter().filter(has_ruled).max_by_key(until).or(versions.last());
    let mut known = BTreeSet::new();
    let mut declared = Vec::new();
    let older = versions.iter().rev().filter(has_ruled);
    for version in current.into_iter().chain(older) {
        let is_current = current.is_some_and(|current| current.hash == version.hash);
        for cookie in version.cookies.iter().flatten() {
            if known.insert(cookie.name.clone()) {
                let tenants = uses.remove(&cookie.name).unwrap_or_default();
                declared.push(Declared { cookie: cookie.clone(), is_current, tenants });
            }
        }
    }
    declared.extend(uses.into_iter().map(|(name, tenants)| {
        let lifetime = Lifetime::Written(String::new());
        let (purpose, other) = (BTreeMap::new(), BTreeMap::new());
        let cookie = DeclaredCookie { name, lifetime, purpose, other };
        Declared { cookie, is_current: false, tenants }
    }));
    declared
}

fn by_name(cookies: Option<&[DeclaredCookie]>) -> BTreeMap<&str, &DeclaredCookie> {
    cookies.into_iter().flatten().map(|cookie| (&*cookie.name, cookie)).collect()
}

/// Reads a declaration: a list of cookies, or an object with one named `cookies`.
fn read(json: &str) -> Option<Vec<DeclaredCookie>> {
    let mut value: Value = serde_json::from_str(json).ok()?;
    if let Some(cookies) = value.get_mut("cookies") {
        value = cookies.take();
    }
    serde_json::from_value(value).ok()
}

/// A purpose is an object from language to text, or a list of pairs of both.
fn purpose<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Purpose {
        Object(BTreeMap<String, String>),
        Pairs(Vec<(String, String)>),
    }
    Ok(match Purpose::deserialize(deserializer)? {
        Purpose::Object(texts) => texts,
        Purpose::Pairs(pairs) => pairs.into_iter().collect(),
    })
}
