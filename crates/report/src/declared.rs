//! The versions of the declaration, and the use of the declared cookies.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    period::Period,
    serialize::{lifetimes, moment, word},
    sum::add,
};
use crumbgate_ledger::entry::{DeclarationRecord, Verdicts};
use crumbgate_policy::{Mode, requested::RequestedLifetime, verdict::Action};

/// A version of the declaration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct DeclarationVersion {
    /// The SHA-256 of the declaration, in hexadecimal digits.
    pub hash: String,
    /// The time when it was first loaded, in seconds since the Unix epoch.
    #[serde(rename = "since", serialize_with = "moment")]
    pub since_unix_s: u64,
    /// The windows of the report in which it was in force. `None`: it was not.
    pub ruled: Option<Period>,
    /// The declared cookies. `None`: this version of the program can't read the declaration.
    pub cookies: Option<Vec<DeclaredCookie>>,
    /// Names that the previous version did not have.
    pub added: Vec<String>,
    /// Names that only the previous version had.
    pub removed: Vec<String>,
    /// Names whose declaration differs from that in the previous version.
    pub changed: Vec<String>,
}

/// A declared cookie.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct DeclaredCookie {
    /// The name.
    pub name: String,
    /// The declared lifetime.
    pub lifetime: Lifetime,
    /// The purpose, by language tag.
    #[serde(default, deserialize_with = "purpose")]
    pub purpose: BTreeMap<String, String>,
    /// Other properties. A report only detects that they have changed.
    #[serde(flatten, skip_serializing)]
    pub other: BTreeMap<String, Value>,
}

/// The lifetime of a declared cookie.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Lifetime {
    /// A number of seconds.
    Fixed(u32),
    /// The notation of `config.toml`: `session` for the tenant's session duration, or a duration such as `3w`.
    Written(String),
}

/// A declared cookie and its use.
#[derive(Clone, Debug, Serialize)]
pub struct CookieUsage {
    /// The cookie in the latest declaration that has it.
    #[serde(flatten)]
    pub cookie: DeclaredCookie,
    /// True where the latest declaration of the report's period has it.
    pub is_current: bool,
    /// The use by tenant and mode. Empty: it was not used.
    pub tenants: Vec<TenantUsage>,
}

/// The use of a declared cookie by one tenant in one mode.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TenantUsage {
    /// The tenant.
    pub tenant: String,
    /// The mode.
    #[serde(serialize_with = "word")]
    pub mode: Mode,
    /// Cookies forwarded to the application.
    pub kept: u64,
    /// Cookies forwarded to browsers with the declared attributes.
    pub rewritten: u64,
    /// Cookies that were set again.
    pub renewed: u64,
    /// Cookies that were set because a browser did not have them.
    pub injected: u64,
    /// The lifetimes that the application requested, shortest first.
    #[serde(rename = "asked", serialize_with = "lifetimes")]
    pub requested: Vec<(RequestedLifetime, u64)>,
    /// The lifetimes that were granted, shortest first. 0 seconds is a deletion.
    pub granted: Vec<GrantedLifetime>,
}

/// A lifetime with which cookies were sent to browsers.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct GrantedLifetime {
    /// The lifetime in seconds.
    pub seconds: u32,
    /// The number of cookies.
    pub count: u64,
}

/// The counts of a [`TenantUsage`] while entries are added.
#[derive(Debug, Default)]
pub(super) struct UsageCounts {
    kept: u64,
    rewritten: u64,
    renewed: u64,
    injected: u64,
    requested: [u64; RequestedLifetime::ALL.len()],
    granted: BTreeMap<u32, u64>,
}

impl UsageCounts {
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
            add(&mut self.requested[lifetime as usize], verdicts.count);
        }
        if let Some(seconds) = verdicts.granted_s {
            add(self.granted.entry(seconds).or_default(), verdicts.count);
        }
    }

    pub(super) fn finish(self, tenant: &str, mode: Mode) -> TenantUsage {
        let requested = RequestedLifetime::ALL.into_iter().zip(self.requested);
        let granted = self.granted.into_iter();
        TenantUsage {
            tenant: tenant.to_owned(),
            mode,
            kept: self.kept,
            rewritten: self.rewritten,
            renewed: self.renewed,
            injected: self.injected,
            requested: requested.filter(|(_, count)| *count > 0).collect(),
            granted: granted.map(|(seconds, count)| GrantedLifetime { seconds, count }).collect(),
        }
    }
}

/// The versions and their changes. `ruled` returns the windows in which entries refer to a version.
pub(super) fn versions(
    records: &[DeclarationRecord],
    ruled: impl Fn(&str) -> Option<Period>,
) -> Vec<DeclarationVersion> {
    let mut versions: Vec<DeclarationVersion> = Vec::with_capacity(records.len());
    for record in records {
        let cookies = read(&record.json);
        let now = by_name(cookies.as_deref());
        let before = by_name(versions.last().and_then(|version| version.cookies.as_deref()));
        let is_first = versions.is_empty();
        let names = |names: &mut dyn Iterator<Item = &&str>| {
            if is_first { Vec::new() } else { names.map(|name| (*name).to_owned()).collect() }
        };
        let version = DeclarationVersion {
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

/// Joins the declared cookies with their use. A name that no declaration has (because of damage) has no purpose.
pub(super) fn join(
    versions: &[DeclarationVersion],
    mut uses: BTreeMap<String, Vec<TenantUsage>>,
) -> Vec<CookieUsage> {
    let has_ruled = |version: &&DeclarationVersion| version.ruled.is_some();
    // The version that was in force last, which is not the newest where an older one was restored.
    let until = |version: &&DeclarationVersion| version.ruled.map(|ruled| ruled.until_unix_s);
    let current = versions.iter().filter(has_ruled).max_by_key(until).or(versions.last());
    let mut known = BTreeSet::new();
    let mut declared = Vec::new();
    let older = versions.iter().rev().filter(has_ruled);
    for version in current.into_iter().chain(older) {
        let is_current = current.is_some_and(|current| current.hash == version.hash);
        for cookie in version.cookies.iter().flatten() {
            if known.insert(cookie.name.clone()) {
                let tenants = uses.remove(&cookie.name).unwrap_or_default();
                declared.push(CookieUsage { cookie: cookie.clone(), is_current, tenants });
            }
        }
    }
    declared.extend(uses.into_iter().map(|(name, tenants)| {
        let lifetime = Lifetime::Written(String::new());
        let (purpose, other) = (BTreeMap::new(), BTreeMap::new());
        let cookie = DeclaredCookie { name, lifetime, purpose, other };
        CookieUsage { cookie, is_current: false, tenants }
    }));
    declared
}

fn by_name(cookies: Option<&[DeclaredCookie]>) -> BTreeMap<&str, &DeclaredCookie> {
    cookies.into_iter().flatten().map(|cookie| (&*cookie.name, cookie)).collect()
}

/// Parses a declaration: a list of cookies, or an object with a member `cookies`.
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
