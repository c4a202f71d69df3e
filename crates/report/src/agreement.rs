//! Counts of the gateway's own pages: shown, agreed, declined, withdrawn.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{period::Period, serialize::moment, sum::Map, totals::AgreementCounts};
use crumbgate_ledger::entry::{self, TextId, Texts};

/// The counts of one tenant's pages under one declaration.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AgreementHistory {
    /// The tenant's name.
    pub tenant: String,
    /// The SHA-256 of the declaration, in hexadecimal digits.
    pub declaration: String,
    /// The counts.
    #[serde(flatten)]
    pub counts: AgreementCounts,
    /// The minute of the first one, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The minute of the last one.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
    /// The counts of each page, oldest first.
    pub pages: Vec<PageHistory>,
}

/// The counts of one page.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PageHistory {
    /// The SHA-256 of the page, in hexadecimal digits.
    pub hash: String,
    /// The counts.
    #[serde(flatten)]
    pub counts: AgreementCounts,
    /// The minute of the first one, in seconds since the Unix epoch.
    #[serde(rename = "first", serialize_with = "moment")]
    pub first_unix_s: u64,
    /// The minute of the last one.
    #[serde(rename = "last", serialize_with = "moment")]
    pub last_unix_s: u64,
}

/// The sums of entries by tenant, declaration and page.
#[derive(Debug, Default)]
pub(super) struct AgreementCounter(Map<(TextId, TextId, TextId), (AgreementCounts, Period)>);

impl AgreementCounter {
    pub(super) fn add(&mut self, agreement: &entry::Agreement) {
        let entry::Agreement { tenant, declaration, page, .. } = *agreement;
        let minutes =
            Period { since_unix_s: agreement.first_unix_s, until_unix_s: agreement.last_unix_s };
        let (counts, period) = self
            .0
            .entry((tenant, declaration, page))
            .or_insert((AgreementCounts::default(), minutes));
        counts.count(agreement.event, agreement.count);
        *period = period.with(minutes);
    }

    /// The result, sorted by tenant, with the oldest declaration first.
    pub(super) fn finish(self, texts: &Texts) -> Vec<AgreementHistory> {
        let mut found = BTreeMap::<_, Vec<_>>::new();
        for ((tenant, declaration, page), (counts, period)) in self.0 {
            found.entry((texts.get(tenant), texts.get(declaration))).or_default().push(
                PageHistory {
                    hash: texts.get(page).to_owned(),
                    counts,
                    first_unix_s: period.since_unix_s,
                    last_unix_s: period.until_unix_s,
                },
            );
        }
        let mut agreements: Vec<_> = found
            .into_iter()
            .map(|((tenant, declaration), pages)| AgreementHistory::of(tenant, declaration, pages))
            .collect();
        let rank =
            |agreement: &AgreementHistory| (agreement.tenant.clone(), agreement.first_unix_s);
        agreements.sort_by_key(rank);
        agreements
    }
}

impl AgreementHistory {
    fn of(tenant: &str, declaration: &str, mut pages: Vec<PageHistory>) -> Self {
        pages.sort_by(|a, b| (a.first_unix_s, &a.hash).cmp(&(b.first_unix_s, &b.hash)));
        let mut counts = AgreementCounts::default();
        pages.iter().for_each(|page| counts.add(&page.counts));
        Self {
            tenant: tenant.to_owned(),
            declaration: declaration.to_owned(),
            counts,
            first_unix_s: pages.iter().map(|page| page.first_unix_s).min().unwrap_or(0),
            last_unix_s: pages.iter().map(|page| page.last_unix_s).max().unwrap_or(0),
            pages,
        }
    }
}
