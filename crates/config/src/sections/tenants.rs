//! Reads `[defaults]` and `[tenants]`: the hosts that are served, and their settings (T1).

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::HashMap,
    sync::Arc,
};

use crate::{
    problem::{Place, Problem},
    reader::{Node, TableReader},
    record::ValueOrigin,
    suggestion::suggestion,
    values::{Config, TenantDefaults, Upstream},
    written::{Choice, Written, quoted},
};
use crumbgate_audit::tenants::{Tenant, split_authority};
use crumbgate_policy::{
    AgreementMode, EvictScope, GuardMode, Mode, Policy,
    declaration::{Declaration, SessionDuration},
};

use super::{cookies::read_session_duration, shared_domain};

/// Reads the tenants, the tenant of unknown hosts if there is one, and the defaults.
pub(super) fn read(
    root: &TableReader<'_>,
    upstreams: &[Upstream],
    declaration: &Arc<Declaration>,
) -> (Vec<Tenant>, Option<Tenant>, TenantDefaults) {
    let table = root.section("defaults");
    let upstreams = Upstreams::of(upstreams);
    let defaults = Defaults {
        upstream: table.get("upstream", upstreams.default(), |node| upstreams.read(&node)),
        session: table.get("session", SessionDuration::ONE_WEEK, read_session_duration),
        mode: table.get("mode", Mode::default(), |node| node.choice()),
        evict: table.get("evict", EvictScope::default(), |node| node.choice()),
        seal: table.get("seal", false, |node| node.boolean()),
        agreement: table.get("agreement", AgreementMode::default(), |node| node.choice()),
        guard: table.get("guard", GuardMode::default(), |node| node.choice()),
        declaration,
        upstreams: &upstreams,
        needs_default_upstream: Cell::new(false),
        inheriting_evict: RefCell::default(),
    };
    let unknown_hosts = table.get("unknown_hosts", UnknownHosts::Refuse, |node| node.choice());
    let tenants_table = root.section("tenants");
    let tenants = defaults.read_tenants(&tenants_table);
    let default_tenant = match unknown_hosts {
        UnknownHosts::Default => Some(defaults.tenant(Tenant::DEFAULT_NAME)),
        UnknownHosts::Refuse => None,
    };
    defaults.check_default_upstream(&table);
    if tenants_table.is_empty() && !tenants_table.is_misread() && default_tenant.is_none() {
        warn_of_no_tenant(&tenants_table);
    }
    shared_domain::warn(&table, &tenants, &defaults.inheriting_evict.borrow());
    warn_of_report(&table, &tenants_table, tenants.iter().chain(&default_tenant));
    let Defaults { upstream, session, mode, evict, seal, agreement, guard, .. } = defaults;
    let upstream = upstream.index;
    let defaults = TenantDefaults { upstream, session, mode, evict, seal, agreement, guard };
    (tenants, default_tenant, defaults)
}

/// Reads one tenant from a document of its own, with the defaults of a configuration.
pub(super) fn read_one(root: &TableReader<'_>, config: &Config) -> Option<Tenant> {
    let upstreams = Upstreams::of(&config.upstreams);
    let TenantDefaults { upstream, session, mode, evict, seal, agreement, guard } = config.defaults;
    let by_index = |index: u16| config.upstreams.get(usize::from(index));
    let upstream = upstream.and_then(by_index).map_or_else(
        || upstreams.default(),
        |found| UpstreamName { name: &found.name, index: upstream },
    );
    let defaults = Defaults {
        upstream,
        session,
        mode,
        evict,
        seal,
        agreement,
        guard,
        declaration: &config.declaration,
        upstreams: &upstreams,
        needs_default_upstream: Cell::new(false),
        inheriting_evict: RefCell::default(),
    };
    let table = root.section("tenants");
    let tenant = defaults.read_tenants(&table).pop();
    let has_keys = config.seal.is_used && config.seal.cookie.is_some();
    if tenant.as_ref().is_some_and(|tenant| tenant.policy.seals()) && !has_keys {
        let message = "seals its session cookie, but this gateway has no seal keys";
        let problem = Problem::error(table.place(), table.key(), message);
        let help = "write keys = \"state/seal.keys\" in [seal] of the configuration, and reload";
        table.reader.push(problem.help(help.to_owned()));
    }
    let is_asking = |tenant: &Tenant| tenant.policy.agreement != AgreementMode::Off;
    if config.page.path.is_none() {
        if tenant.as_ref().is_some_and(is_asking) {
            super::page::report_missing_page(&table, "asks people to agree");
        } else if tenant.as_ref().is_some_and(|tenant| tenant.policy.guard != GuardMode::Off) {
            super::page::report_missing_page(
                &table,
                "guards pages, and browsers report to a path below the cookie page",
            );
        }
    }
    defaults.check_default_upstream(&root.section("defaults"));
    tenant
}

/// The values of a tenant that sets none itself.
struct Defaults<'a> {
    upstream: UpstreamName<'a>,
    session: SessionDuration,
    mode: Mode,
    evict: EvictScope,
    seal: bool,
    agreement: AgreementMode,
    guard: GuardMode,
    declaration: &'a Arc<Declaration>,
    upstreams: &'a Upstreams<'a>,
    /// True if a tenant needs the default upstream, which does not exist.
    needs_default_upstream: Cell<bool>,
    /// The tenants without an `evict` of their own.
    inheriting_evict: RefCell<Vec<Arc<str>>>,
}

impl Defaults<'_> {
    fn read_tenants(&self, table: &TableReader<'_>) -> Vec<Tenant> {
        let mut hosts = Hosts { table, normalised: HashMap::new() };
        let read = |node: Node<'_>| {
            let name = hosts.read(&node)?;
            Some(self.read_tenant(&node.fixed_section()?, &name))
        };
        table.names().filter_map(read).collect()
    }

    fn read_tenant(&self, table: &TableReader<'_>, name: &str) -> Tenant {
        let upstream = table.get_or(
            "upstream",
            self.upstream,
            || ValueOrigin::Inherited("defaults.upstream"),
            |node| self.upstreams.read(&node),
        );
        let session = table.get_or(
            "session",
            self.session,
            || ValueOrigin::Inherited("defaults.session"),
            read_session_duration,
        );
        let mode = table.get_or(
            "mode",
            self.mode,
            || ValueOrigin::Inherited("defaults.mode"),
            |node| node.choice(),
        );
        let evict = table.get_or(
            "evict",
            self.evict,
            || ValueOrigin::Inherited("defaults.evict"),
            |node| node.choice(),
        );
        let seal = table.get_or(
            "seal",
            self.seal,
            || ValueOrigin::Inherited("defaults.seal"),
            |node| node.boolean(),
        );
        let agreement = table.get_or(
            "agreement",
            self.agreement,
            || ValueOrigin::Inherited("defaults.agreement"),
            |node| node.choice(),
        );
        let guard = table.get_or(
            "guard",
            self.guard,
            || ValueOrigin::Inherited("defaults.guard"),
            |node| node.choice(),
        );
        let policy = Policy { session, mode, evict, seal, agreement, guard, ..self.policy() };
        let name: Arc<str> = name.into();
        if table.value("evict").is_none() {
            self.inheriting_evict.borrow_mut().push(Arc::clone(&name));
        }
        Tenant { name, policy, upstream: self.index(upstream) }
    }

    /// Makes a tenant that has every default.
    fn tenant(&self, name: &str) -> Tenant {
        Tenant { name: name.into(), policy: self.policy(), upstream: self.index(self.upstream) }
    }

    fn policy(&self) -> Policy {
        Policy {
            declaration: Arc::clone(self.declaration),
            session: self.session,
            mode: self.mode,
            evict: self.evict,
            seal: self.seal,
            agreement: self.agreement,
            guard: self.guard,
        }
    }

    fn index(&self, upstream: UpstreamName<'_>) -> u16 {
        upstream.index.unwrap_or_else(|| {
            self.needs_default_upstream.set(true);
            0
        })
    }

    fn check_default_upstream(&self, table: &TableReader<'_>) {
        // A configuration without upstreams and a wrong name were already reported.
        if !self.needs_default_upstream.get()
            || self.upstreams.by_name.is_empty()
            || table.value("upstream").is_some()
        {
            return;
        }
        let message =
            format!("its default, {}, is not the name of an upstream", quoted(self.upstream.name));
        let problem = Problem::error(table.place(), table.key_of("upstream"), message);
        let help = format!("write upstream = {} in [defaults]", self.upstreams.example());
        table.reader.push(problem.help(help));
    }
}

/// An upstream that a tenant names; without an index if it does not exist.
#[derive(Clone, Copy)]
struct UpstreamName<'a> {
    name: &'a str,
    index: Option<u16>,
}

impl Written for UpstreamName<'_> {
    fn written(&self) -> String {
        quoted(self.name)
    }
}

struct Upstreams<'a> {
    by_name: HashMap<&'a str, u16>,
}

impl<'a> Upstreams<'a> {
    fn of(upstreams: &'a [Upstream]) -> Self {
        let names = upstreams.iter().map(|upstream| upstream.name.as_str());
        Self { by_name: names.zip(0..=u16::MAX).collect() }
    }

    fn default(&self) -> UpstreamName<'a> {
        let name = "app";
        UpstreamName { name, index: self.by_name.get(name).copied() }
    }

    fn read(&self, node: &Node<'_>) -> Option<UpstreamName<'a>> {
        let text = node.text()?;
        if let Some((name, index)) = self.by_name.get_key_value(text) {
            return Some(UpstreamName { name, index: Some(*index) });
        }
        let near = suggestion(text, self.by_name.keys().copied());
        let help = match near {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => format!("write {}, or add [upstreams.{text}]", self.example()),
        };
        node.refuse("the name of an upstream", help)
    }

    /// Returns the name of the first upstream in the file.
    fn example(&self) -> String {
        let first = self.by_name.iter().min_by_key(|(_, index)| **index);
        quoted(first.map_or("app", |(name, _)| name))
    }
}

/// The hosts that were read so far.
struct Hosts<'a> {
    table: &'a TableReader<'a>,
    /// The places of hosts that are not written in their canonical form, by that form.
    normalised: HashMap<String, Place>,
}

impl Hosts<'_> {
    /// Reads a host into the form in which requests are looked up.
    fn read<'n>(&mut self, node: &Node<'n>) -> Option<Cow<'n, str>> {
        let name = read_host(node)?;
        if name == node.name() {
            return Some(name); // TOML has no duplicate keys.
        }
        let first = match self.table.place_of_name(&name) {
            Some(place) => Some(place),
            None => self.normalised.get(name.as_ref()).cloned(),
        };
        if let Some(first) = first {
            let message = format!("is the same host as {} at {first}", quoted(&name));
            return node.error_at_name(message, "keep one of the two");
        }
        self.normalised.insert(name.to_string(), node.name_place());
        Some(name)
    }
}

fn read_host<'n>(node: &Node<'n>) -> Option<Cow<'n, str>> {
    let name = node.name();
    let (star, host) = name.strip_prefix("*.").map_or(("", name), |suffix| ("*.", suffix));
    if host.contains('*') {
        let help =
            "write \"*.example.com\": the star is the first label and stands for exactly one label";
        return node.refuse_name("a host, or \"*.\" and a host", help);
    }
    if !host.is_ascii() {
        let help = "write its punycode form, with labels such as \"xn--bcher-kva\"";
        return node.refuse_name("a host in ASCII", help);
    }
    if let Some((_, rest)) = host.split_once("://") {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        return node.refuse_name("only a host", format!("write {}", quoted(host)));
    }
    let Some((normal, port)) = split_authority(host) else {
        let help = "write \"www.example.com\": letters, digits, \"-\", \".\" and \"_\"";
        return node.refuse_name("a host", help);
    };
    if port.is_some() {
        let help = format!(
            "write {}: a host is served on every port",
            quoted(&(star.to_owned() + &normal))
        );
        return node.refuse_name("a host without a port", help);
    }
    if !star.is_empty() && normal.starts_with('[') {
        return node.refuse_name("a host", "remove the star: an IP address has no subdomains");
    }
    Some(if normal == host { Cow::Borrowed(name) } else { Cow::Owned(star.to_owned() + &normal) })
}

fn warn_of_no_tenant(table: &TableReader<'_>) {
    let message = "there is no tenant, so every request is answered with status 421";
    let help = "write [tenants.\"www.example.com\"], or unknown_hosts = \"default\" in [defaults]";
    let problem = Problem::warning(table.place(), table.key(), message);
    table.reader.push(problem.help(help.to_owned()));
}

fn warn_of_report<'t>(
    defaults: &TableReader<'_>,
    table: &TableReader<'_>,
    tenants: impl Iterator<Item = &'t Tenant>,
) {
    let mut tenants = tenants.peekable();
    if tenants.peek().is_none() || tenants.any(|tenant| tenant.policy.mode == Mode::Enforce) {
        return;
    }
    let (place, key) = match defaults.value("mode") {
        Some(node) => (node.place(), node.key()),
        None => (table.place(), table.key()),
    };
    let message = "every tenant is in report mode: cookies are counted, but none is stripped";
    let help = "write mode = \"enforce\" when the counts are as you expect";
    table.reader.push(Problem::warning(place, key, message).help(help.to_owned()));
}

/// The treatment of hosts that no tenant has.
#[derive(Clone, Copy, PartialEq)]
enum UnknownHosts {
    Default,
    Refuse,
}

impl Choice for UnknownHosts {
    const WORDS: &'static [(&'static str, Self)] =
        &[("refuse", Self::Refuse), ("default", Self::Default)];
}

impl Choice for Mode {
    const WORDS: &'static [(&'static str, Self)] =
        &[(Self::Enforce.word(), Self::Enforce), (Self::Report.word(), Self::Report)];
}

impl Choice for AgreementMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Self::Off.word(), Self::Off),
        (Self::Notice.word(), Self::Notice),
        (Self::Required.word(), Self::Required),
    ];
}

impl Choice for GuardMode {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Self::Off.word(), Self::Off),
        (Self::Watch.word(), Self::Watch),
        (Self::Enforce.word(), Self::Enforce),
    ];
}

impl Choice for EvictScope {
    const WORDS: &'static [(&'static str, Self)] = &[
        (Self::Host.word(), Self::Host),
        (Self::Domain.word(), Self::Domain),
        (Self::Off.word(), Self::Off),
    ];
}
