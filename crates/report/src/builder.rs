//! Builds a report in one pass over the ledger: entries are compared by numbers, and texts are looked up at the end.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
};

use super::{
    agreement::AgreementCounter,
    chain::ChainState,
    declared::{self, UsageCounts},
    guard::GuardCounter,
    liveness::Liveness,
    period::{Period, Selection},
    report::Report,
    stripped::{Counts, Evictions, RouteCount, StrippedCookie, VendorHint},
    sum::Map,
    timeline::WindowCounts,
    totals::{TenantTotals, Totals},
};
use crumbgate_ledger::{
    entry::{
        Agreement, DeclarationRecord, Entry, Event, Guard, Heartbeat, TextId, Texts, Verdicts,
    },
    read::{ReadError, Reader},
};
use crumbgate_policy::{
    Mode,
    verdict::{Action, Reason},
};

/// The sums while entries are added.
struct ReportBuilder<'t> {
    texts: &'t Texts,
    selection: Selection,
    /// The selected tenant. A tenant that the ledger does not have gets an id that no text has.
    tenant: Option<TextId>,
    period: Period,
    known_tenants: BTreeSet<TextId>,
    tenants: Map<TextId, TenantCounts>,
    stripped: StrippedCounter,
    evictions: Map<(TextId, Mode, TextId), Evictions>,
    declared: Map<(TextId, Mode, TextId), UsageCounts>,
    agreements: AgreementCounter,
    guard: GuardCounter,
    ruled: Map<TextId, Period>,
    windows: WindowCounts,
    liveness: Liveness,
    /// The period of the selected entries.
    recorded: Option<Period>,
}

#[derive(Default)]
struct TenantCounts {
    totals: Totals,
    is_enforced: bool,
    is_watched: bool,
}

/// The counts of stripped cookies, and of each on each route.
#[derive(Default)]
struct StrippedCounter {
    indices: Map<(TextId, Mode, Option<TextId>, Reason), u32>,
    counts: Vec<Counts>,
    routes: Map<(u32, TextId), u64>,
}

impl Report {
    /// Reads the ledger once and builds a report of the selection. `usually` returns the usual vendor of a cookie's name,
    /// in the report's language, and is called once for each stripped cookie.
    ///
    /// The report of an unknown tenant is empty: see [`Report::known_tenants`].
    ///
    /// # Errors
    ///
    /// The ledger can't be read.
    pub fn build(
        reader: &Reader,
        selection: &Selection,
        now_unix_s: u64,
        usually: &dyn Fn(&str) -> Option<VendorHint>,
    ) -> Result<Self, ReadError> {
        let mut builder = ReportBuilder::new(reader.texts(), selection);
        let last = reader.last()?;
        reader.expect_all();
        reader.entries(1, last, |_, entry| {
            builder.add(entry);
            Ok::<_, ReadError>(())
        })?;
        let chain = ChainState::of(&reader.segments()?, &reader.keys()?, last);
        Ok(builder.finish(&reader.declarations()?, chain, now_unix_s, usually))
    }
}

impl<'t> ReportBuilder<'t> {
    pub(super) fn new(texts: &'t Texts, selection: &Selection) -> Self {
        let unknown = TextId(u32::MAX);
        let tenant = selection.tenant.as_deref();
        Self {
            texts,
            selection: selection.clone(),
            tenant: tenant.map(|tenant| texts.find(tenant).unwrap_or(unknown)),
            period: Period {
                since_unix_s: selection.since_unix_s.unwrap_or(0),
                until_unix_s: selection.until_unix_s.unwrap_or(u64::MAX),
            },
            known_tenants: BTreeSet::new(),
            tenants: Map::default(),
            stripped: StrippedCounter::default(),
            evictions: Map::default(),
            declared: Map::default(),
            agreements: AgreementCounter::default(),
            guard: GuardCounter::default(),
            ruled: Map::default(),
            windows: WindowCounts::default(),
            liveness: Liveness::default(),
            recorded: None,
        }
    }

    /// Adds an entry, if it is selected.
    pub(super) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Agreement(agreement) => self.add_agreement(&agreement),
            Entry::Event(event) => self.add_event(event),
            Entry::Guard(guard) => self.add_guard(guard),
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
        self.tenants.entry(tenant).or_default().totals.add_agreement(agreement);
        self.agreements.add(agreement);
    }

    fn add_event(&mut self, event: Event) {
        self.known_tenants.extend(event.tenant);
        let is_of_another_tenant =
            event.tenant.is_some_and(|tenant| self.tenant.is_some_and(|t| t != tenant));
        if is_of_another_tenant {
            return;
        }
        let end = event.at_unix_s.saturating_add(1);
        let moment = Period { since_unix_s: event.at_unix_s, until_unix_s: end };
        if self.period.overlaps(moment) {
            self.record(moment);
        }
        self.liveness.add_event(event);
    }

    fn add_guard(&mut self, guard: Guard) {
        self.known_tenants.insert(guard.tenant);
        let window = Period {
            since_unix_s: guard.window.start_unix_s,
            until_unix_s: guard.window.end_unix_s(),
        };
        let is_selected = self.tenant.is_none_or(|selected| selected == guard.tenant);
        if !is_selected || !self.period.overlaps(window) {
            return;
        }
        self.record(Period {
            since_unix_s: guard.first_unix_s,
            until_unix_s: guard.last_unix_s.saturating_add(MINUTE_S),
        });
        widen(&mut self.ruled, guard.declaration, window);
        self.guard.add(guard);
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
            self.tenants.entry(tenant).or_default().totals.add_heartbeat(heartbeat);
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
        sums.totals.add_verdicts(verdicts);
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

    /// Makes the report.
    pub(super) fn finish(
        self,
        records: &[DeclarationRecord],
        chain: ChainState,
        now_unix_s: u64,
        usually: &dyn Fn(&str) -> Option<VendorHint>,
    ) -> Report {
        let texts = self.texts;
        let period = self.selected_or_recorded(now_unix_s);
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
        let mut totals = Totals::default();
        for tenant in &tenants {
            totals.add(&tenant.totals);
        }
        let known_tenants = self.known_tenants.iter().map(|tenant| texts.get(*tenant).to_owned());
        Report {
            version: env!("CARGO_PKG_VERSION"),
            made_unix_s: now_unix_s,
            tenant: self.selection.tenant,
            period,
            gateway_versions,
            totals,
            tenants,
            declared: declared::join(&declarations, uses),
            stripped: self.stripped.finish(texts, &self.evictions, usually),
            agreements: self.agreements.finish(texts),
            guard: self.guard.finish(texts, usually),
            timeline: self.windows.fold(period),
            heartbeats,
            gaps,
            events,
            declarations,
            chain,
            known_tenants: known_tenants.collect(),
        }
    }

    /// The selected period, bounded by the recorded entries where the selection is open.
    fn selected_or_recorded(&self, now_unix_s: u64) -> Period {
        let Selection { since_unix_s, until_unix_s, .. } = self.selection;
        let begin = self.recorded.map_or(now_unix_s, |recorded| recorded.since_unix_s);
        let since_unix_s = since_unix_s.unwrap_or_else(|| begin.min(until_unix_s.unwrap_or(begin)));
        let end = self.recorded.map_or(since_unix_s, |recorded| recorded.until_unix_s);
        let until_unix_s = until_unix_s.unwrap_or(end).max(since_unix_s);
        Period { since_unix_s, until_unix_s }
    }
}

impl TenantCounts {
    fn finish(&self, tenant: &str) -> TenantTotals {
        let modes = [(Mode::Enforce, self.is_enforced), (Mode::Report, self.is_watched)];
        TenantTotals {
            tenant: tenant.to_owned(),
            modes: modes.into_iter().filter(|(_, was)| *was).map(|(mode, _)| mode).collect(),
            totals: self.totals,
        }
    }
}

impl StrippedCounter {
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
        usually: &dyn Fn(&str) -> Option<VendorHint>,
    ) -> Vec<StrippedCookie> {
        let mut routes: Vec<Vec<RouteCount>> = vec![Vec::new(); self.counts.len()];
        for ((index, route), count) in self.routes {
            if let Some(routes) = routes.get_mut(index as usize) {
                routes.push(RouteCount { route: texts.get(route).to_owned(), count });
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
            let mut row =
                StrippedCookie::new(texts.get(tenant), mode, name, reason, counts, evicted);
            row.usually = name.and_then(usually);
            row.routes = routes.get_mut(index).map(std::mem::take).unwrap_or_default();
            row.routes.sort_by(|a, b| (b.count, &a.route).cmp(&(a.count, &b.route)));
            rows.push(row);
        }
        let rank = |row: &StrippedCookie| std::cmp::Reverse(row.count());
        let rest = |row: &StrippedCookie| (row.mode.code(), Action::Strip(row.reason).code());
        rows.sort_by(|a, b| {
            let names = || (&a.name, &a.tenant).cmp(&(&b.name, &b.tenant));
            rank(a).cmp(&rank(b)).then_with(names).then_with(|| rest(a).cmp(&rest(b)))
        });
        rows
    }
}

/// The precision of the times of cookies, in seconds.
const MINUTE_S: u64 = 60;

fn widen<K: Eq + Hash>(periods: &mut Map<K, Period>, key: K, period: Period) {
    let known = periods.entry(key).or_insert(period);
    *known = known.with(period);
}
