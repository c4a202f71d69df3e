//! How often the gateway's own pages were shown, and what was answered.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Period, books::add, moment, tally::Map};
use crumbgate_ledger::entry::{self, AgreementEvent, TextId, Texts};

/// What became of the pages of one tenant under one declaration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Agreement {
    /// The tenant's name.
    pub tenant: String,
    /// The SHA-256 of the declaration, in hexadecimal digits.
    pub declaration: String,
    /// How often what happened.
    #[serde(flatten)]
    pub times: Times,
    /// The first minute in which something did, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The last such minute.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
    /// The same of each page, the oldest first.
    pub pages: Vec<AgreementPage>,
}

/// What became of one page.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AgreementPage {
    /// The SHA-256 of the page, in hexadecimal digits.
    pub hash: String,
    /// How often what happened.
    #[serde(flatten)]
    pub times: Times,
    /// The first minute in which something did, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The last such minute.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
}

/// How often each thing happened to pages.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Times {
    /// They were shown.
    pub shown: u64,
    /// Their button "agree" was pressed.
    pub agreed: u64,
    /// Their button "decline" was pressed.
    pub declined: u64,
    /// Their button "withdraw" was pressed.
    pub withdrawn: u64,
}

/// What entries add up to, by tenant, declaration and page.
#[derive(Debug, Default)]
pub(super) struct Rows(Map<(TextId, TextId, TextId), (Times, Period)>);

impl Times {
    /// Counts an entry.
    pub(super) fn count(&mut self, event: AgreementEvent, count: u64) {
        let times = match event {
            AgreementEvent::Agreed => &mut self.agreed,
            AgreementEvent::Declined => &mut self.declined,
            AgreementEvent::Shown => &mut self.shown,
            AgreementEvent::Withdrawn => &mut self.withdrawn,
        };
        add(times, count);
    }

    /// Adds another's.
    pub(super) fn add(&mut self, other: &Self) {
        add(&mut self.shown, other.shown);
        add(&mut self.agreed, other.agreed);
        add(&mut self.declined, other.declined);
        add(&mut self.withdrawn, other.withdrawn);
    }
}

impl Rows {
    pub(super) fn add(&mut self, agreement: &entry::Agreement) {
        let entry::Agreement { tenant, declaration, page, .. } = *agreement;
        let minutes =
            Period { since_unix_s: agreement.first_unix_s, until_unix_s: agreement.last_unix_s };
        let (times, period) =
            self.0.entry((tenant, declaration, page)).or_insert((Times::default(), minutes));
        times.count(agreement.event, agreement.count);
        *period = period.with(minutes);
    }

    /// By tenant, and the oldest declaration first.
    pub(super) fn finish(self, texts: &Texts) -> Vec<Agreement> {
        let mut found = BTreeMap::<_, Vec<_>>::new();
        for ((tenant, declaration, page), (times, period)) in self.0 {
            found.entry((texts.get(tenant), texts.get(declaration))).or_default().push(
                AgreementPage {
                    hash: texts.get(page).to_owned(),
                    times,
                    first_unix_s: period.since_unix_s,
                    last_unix_s: period.until_unix_s,
                },
            );
        }
        let mut agreements: Vec<_> = found
            .into_iter()
            .map(|((tenant, declaration), pages)| Agreement::of(tenant, declaration, pages))
            .collect();
        let rank = |agreement: &Agreement| (agreement.tenant.clone(), agreement.first_unix_s);
        agreements.sort_by_key(rank);
        agreements
    }
}

impl Agreement {
    fn of(tenant: &str, declaration: &str, mut pages: Vec<AgreementPage>) -> Self {
        pages.sort_by(|a, b| (a.first_unix_s, &a.hash).cmp(&(b.first_unix_s, &b.hash)));
        let mut times = Times::default();
        pages.iter().for_each(|page| times.add(&page.times));
        Self {
            tenant: tenant.to_owned(),
            declaration: declaration.to_owned(),
            times,
            first_unix_s: pages.iter().map(|page| page.first_unix_s).min().unwrap_or(0),
            last_unix_s: pages.iter().map(|page| page.last_unix_s).max().unwrap_or(0),
            pages,
        }
    }
}
