//! One pass over the ledger: numbers are compared, texts are looked up at the end.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::Hash,
};

use super::{
    Books, ChainState, Period, Report, Route, Selection, Stripped, TenantBooks, Usually, agreement,
    declared::{self, Use},
    liveness::Liveness,
    stripped::{Counts, Evictions},
    timeline::Windows,
};
use crumbgate_ledger::entry::{
    Agreement, DeclarationRecord, Entry, Event, Heartbeat, TextId, Texts, Verdicts,
};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Reason},
};

pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// What has been added up.
pub(super) struct Tally<'t> {
    texts: &'t Texts,
    selection: Selection,
    /// The selected tenant; some number that no text has where the ledger does not know it.
    tenant: Option<TextId>,
    period: Period,
    known_tenants: BTreeSet<TextId>,
    tenants: Map<TextId, TenantSums>,
    stripped: Rows,
    evictions: Map<(TextId, Mode, TextId), Evictions>,
    declared: Map<(TextId, Mode, TextId), Use>,
    agreements: agreement::Rows,
    ruled: Map<TextId, Period>,
    windows: Windows,
    liveness: Liveness,
    /// What the entries of the selection speak of.
    recorded: Option<Period>,
}

#[derive(Default)]
struct TenantSums {
    books: Books,
    is_enforced: bool,
    is_watched: bool,
}

/// Rows of stripped cookies, and how often each was on which route.
#[derive(Default)]
struct Rows {
    indices: Map<(TextId, Mode, Option<TextId>, Reason), u32>,
    counts: Vec<Counts>,
    routes: Map<(u32, TextId), u64>,
}

impl<'t> Tally<'t> {
    pub(super) fn new(texts: &'t Texts, selection: &Selection) -> Self {
        let nobody = TextId(u32::MAX);
        let tenant = selection.tenant.as_deref();
        Self {
            texts,
            selection: selection.clone(),
            tenant: tenant.map(|tenant| texts.find(tenant).unwrap_or(nobody)),
            period: Period {
                since_unix_s: selection.since_unix_s.unwrap_or(0),
                until_unix_s: selection.until_unix_s.unwrap_or(u64::MAX),
            },
            known_tenants: BTreeSet::new(),
            tenants: Map::default(),
            stripped: Rows::default(),
            evictions: Map::default(),
            declared: Map::default(),
            agreements: agreement::Rows::default(),
            ruled: Map::default(),
            windows: Windows::default(),
            liveness: Liveness::default(),
            recorded: None,
        }
    }

    /// Adds an entry, if it is of the selection.
    pub(super) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Agreement(agreement) => self.add_agreement(&agreement),
            Entry::Event(event) => self.add_event(event),
            Entry::Heartbeat(heartbeat) => self.add_heartbeat(&heartbeat),
            Entry::Verdicts(verdicts) => self.add_verdicts(&verdicts),
        }
    }

    fn add_agreement(&mut self, agreement: &Agreement) {
        let tenant = agreement.tenant;
        self.known_tenants.insert(tenant);
        let window = Period {
            since_unix_s: agreement.window.start_unix_s,
            until_unix_s: agreement.window.end_unix_s(),
        };
        let is_selected = self.tenant.is_none_or(|selected| selected == tenant);
        if !is_selected || !self.period.overlaps(window) {
            return;
        }
        self.record(Period {
            since_unix_s: agreement.first_unix_s,
            until_unix_s: agreement.last_unix_s.saturating_add(MINUTE_S),
        });
        widen(&mut self.ruled, agreement.declaration, window);
        self.tenants.entry(tenant).or_default().books.add_agreement(agreement);
        self.agreements.add(agreement);
    }

    fn add_event(&mut self, event: Event) {
        self.known_tenants.extend(event.tenant);
        let is_anothers =
            event.tenant.is_some_and(|tenant| self.tenant.is_some_and(|t| t != tenant));
        if is_anothers {
            return;
        }
        let end = event.at_unix_s.saturating_add(1);
        let moment = Period { since_unix_s: event.at_unix_s, until_unix_s: end };
        if self.period.overlaps(moment) {
            self.record(moment);
        }
        self.liveness.add_event(event);
    }

    fn add_heartbeat(&mut self, heartbeat: &Heartbeat) {
        self.known_tenants.extend(heartbeat.tenant);
        let window = Period {
            since_unix_s: heartbeat.window.start_unix_s,
            until_unix_s: heartbeat.window.end_unix_s(),
        };
        let is_of_period = self.period.overlaps(window);
        let lived = |exact_s| Period {
            since_unix_s: heartbeat.from_unix_s,
            until_unix_s: heartbeat.until_unix_s.saturating_add(exact_s),
        };
        let Some(tenant) = heartbeat.tenant else {
            self.liveness.add_heartbeat(heartbeat);
            if is_of_period {
                self.record(lived(1));
                widen(&mut self.ruled, heartbeat.declaration, window);
            }
            return;
        };
        if is_of_period && self.tenant.is_none_or(|selected| selected == tenant) {
            self.record(lived(MINUTE_S));
            self.tenants.entry(tenant).or_default().books.add_heartbeat(heartbeat);
        }
    }

    fn add_verdicts(&mut self, verdicts: &Verdicts) {
        let Verdicts { tenant, mode, action, .. } = *verdicts;
        self.known_tenants.insert(tenant);
        let window = Period {
            since_unix_s: verdicts.window.start_unix_s,
            until_unix_s: verdicts.window.end_unix_s(),
        };
        let is_selected = self.tenant.is_none_or(|selected| selected == tenant);
        if !is_selected || !self.period.overlaps(window) {
            return;
        }
        self.record(Period {
            since_unix_s: verdicts.first_unix_s,
            until_unix_s: verdicts.last_unix_s.saturating_add(MINUTE_S),
        });
        widen(&mut self.ruled, verdicts.declaration, window);
        self.windows.add(verdicts);
        let sums = self.tenants.entry(tenant).or_default();
        sums.books.add_verdicts(verdicts);
        match mode {
            Mode::Enforce => sums.is_enforced = true,
            Mode::Report => sums.is_watched = true,
        }
        if let Some(reason) = action.reason() {
            return self.stripped.add(reason, verdicts);
        }
        let Some(name) = verdicts.name else { return };
        if action == Action::Evict {
            let start = verdicts.window.start_unix_s;
            let none = Evictions { count: 0, first_unix_s: start };
            let evictions = self.evictions.entry((tenant, mode, name)).or_insert(none);
            evictions.count = evictions.count.saturating_add(verdicts.count);
            evictions.first_unix_s = evictions.first_unix_s.min(start);
        } else {
            self.declared.entry((tenant, mode, name)).or_default().add(verdicts);
        }
    }

    fn record(&mut self, period: Period) {
        let recorded = self.recorded.get_or_insert(period);
        *recorded = recorded.with(period);
    }

    /// The report of what was added.
    pub(super) fn finish(
        self,
        records: &[DeclarationRecord],
        chain: ChainState,
        now_unix_s: u64,
        usually: &dyn Fn(&str) -> Option<Usually>,
    ) -> Report {
        let texts = self.texts;
        let period = self.asked_or_recorded(now_unix_s);
        let gateway_versions = self.liveness.versions(period);
        let (heartbeats, gaps, events) = self.liveness.finish(period, now_unix_s, texts);
        let ruled = |hash: &str| self.ruled.get(&texts.find(hash)?).copied();
        let declarations = declared::versions(records, ruled);
        let mut uses = BTreeMap::<_, Vec<_>>::new();
        for ((tenant, mode, name), cookie_use) in self.declared {
            let of_tenant = cookie_use.finish(texts.get(tenant), mode);
            uses.entry(texts.get(name).to_owned()).or_default().push(of_tenant);
        }
        for tenants in uses.values_mut() {
            tenants.sort_by(|a, b| (&a.tenant, a.mode.code()).cmp(&(&b.tenant, b.mode.code())));
        }
        let mut tenants: Vec<_> =
            self.tenants.iter().map(|(tenant, sums)| sums.finish(texts.get(*tenant))).collect();
        tenants.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        let mut books = Books::default();
        for tenant in &tenants {
            books.add(&tenant.books);
        }
        let known_tenants = self.known_tenants.iter().map(|tenant| texts.get(*tenant).to_owned());
        Report {
            version: env!("CARGO_PKG_VERSION"),
            made_unix_s: now_unix_s,
            tenant: self.selection.tenant,
            period,
            gateway_versions,
            books,
            tenants,
            declared: declared::join(&declarations, uses),
            stripped: self.stripped.finish(texts, &self.evictions, usually),
            agreements: self.agreements.finish(texts),
            timeline: self.windows.fold(period),
            heartbeats,
            gaps,
            events,
            declarations,
            chain,
            known_tenants: known_tenants.collect(),
        }
    }

    /// What was asked for, and where nothing was asked, what there is.
    fn asked_or_recorded(&self, now_unix_s: u64) -> Period {
        let Selection { since_unix_s, until_unix_s, .. } = self.selection;
        let begin = self.recorded.map_or(now_unix_s, |recorded| recorded.since_unix_s);
        let since_unix_s = since_unix_s.unwrap_or_else(|| begin.min(until_unix_s.unwrap_or(begin)));
        let end = self.recorded.map_or(since_unix_s, |recorded| recorded.until_unix_s);
        let until_unix_s = until_unix_s.unwrap_or(end).max(since_unix_s);
        Period { since_unix_s, until_unix_s }
    }
}

impl TenantSums {
    fn finish(&self, tenant: &str) -> TenantBooks {
        let modes = [(Mode::Enforce, self.is_enforced), (Mode::Report, self.is_watched)];
        TenantBooks {
            tenant: tenant.to_owned(),
            modes: modes.into_iter().filter(|(_, was)| *was).map(|(mode, _)| mode).collect(),
            books: self.books,
        }
    }
}

impl Rows {
    fn add(&mut self, reason: Reason, verdicts: &Verdicts) {
        let Verdicts { tenant, mode, name, route, .. } = *verdicts;
        let next = u32::try_from(self.counts.len()).unwrap_or(u32::MAX);
        let index = *self.indices.entry((tenant, mode, name, reason)).or_insert(next);
        if index == next {
            self.counts.push(Counts::none());
        }
        if let Some(counts) = self.counts.get_mut(index as usize) {
            counts.add(verdicts);
        }
        let on_route = self.routes.entry((index, route)).or_default();
        *on_route = on_route.saturating_add(verdicts.count);
    }

    fn finish(
        self,
        texts: &Texts,
        evictions: &Map<(TextId, Mode, TextId), Evictions>,
        usually: &dyn Fn(&str) -> Option<Usually>,
    ) -> Vec<Stripped> {
        let mut routes: Vec<Vec<Route>> = vec![Vec::new(); self.counts.len()];
        for ((index, route), count) in self.routes {
            if let Some(routes) = routes.get_mut(index as usize) {
                routes.push(Route { route: texts.get(route).to_owned(), count });
            }
        }
        let mut rows: Vec<_> = Vec::with_capacity(self.counts.len());
        for ((tenant, mode, name, reason), index) in self.indices {
            let index = index as usize;
            let Some(counts) = self.counts.get(index) else { continue };
            let evicted = name
                .filter(|_| reason == Reason::Undeclared)
                .and_then(|name| evictions.get(&(tenant, mode, name)).copied());
            let name = name.map(|name| texts.get(name));
            let mut row = Stripped::new(texts.get(tenant), mode, name, reason, counts, evicted);
            row.usually = name.and_then(usually);
            row.routes = routes.get_mut(index).map(std::mem::take).unwrap_or_default();
            row.routes.sort_by(|a, b| (b.count, &a.route).cmp(&(a.count, &b.route)));
            rows.push(row);
        }
        let rank = |row: &Stripped| std::cmp::Reverse(row.count());
        let rest = |row: &Stripped| (row.mode.code(), Action::Strip(row.reason).code());
        rows.sort_by(|a, b| {
            let names = || (&a.name, &a.tenant).cmp(&(&b.name, &b.tenant));
            rank(a).cmp(&rank(b)).then_with(names).then_with(|| rest(a).cmp(&rest(b)))
        });
        rows
    }
}

/// How exactly it is known when a cookie was seen.
const MINUTE_S: u64 = 60;

fn widen<K: Eq + Hash>(periods: &mut Map<K, Period>, key: K, period: Period) {
    let known = periods.entry(key).or_insert(period);
    *known = known.with(period);
}
