//! The sections of text and HTML reports, in one language.

mod agreement;
mod cells;
mod cookies;
mod guard;
mod operation;
mod summary;

use super::{
    layout::{Cell, Line, Section},
    report::Report,
    words::Words,
};
use crumbgate_base::format::minute;

/// All sections, in order. A section without content says so, or is omitted where nobody would look for it.
pub(super) fn sections(report: &Report, words: &Words) -> Vec<Section> {
    let sections = [
        Some(summary::sums(report, words)),
        cookies::before(report, words),
        Some(cookies::declared(report, words)),
        Some(cookies::stripped(report, words)),
        Some(agreement::agreement(report, words)),
        guard::guard(report, words),
        Some(operation::timeline(report, words)),
        report.has_tenants().then(|| summary::tenants(report, words)),
        Some(operation::liveness(report, words)),
        Some(operation::events(report, words)),
        Some(operation::versions(report, words)),
        Some(operation::chain(report, words)),
        Some(summary::glossary(words)),
    ];
    sections.into_iter().flatten().collect()
}

/// The facts above the sections: tenant, period, gateway, and origin of the report.
pub(super) fn head(report: &Report, words: &Words) -> Vec<(&'static str, Cell)> {
    let tenant = match &report.tenant {
        Some(tenant) => Cell::code(tenant),
        None => Cell::plain(words.all_tenants),
    };
    let gateways = match &*report.gateway_versions {
        [] => words.unknown.to_owned(),
        versions => format!("Crumbgate {}", versions.join(", ")),
    };
    let made = format!("{} UTC, ", minute(report.made_unix_s));
    vec![
        (words.about, tenant),
        (words.period_utc, Cell::of(vec![Line::Period(report.period, words.to)])),
        (words.gateway, Cell::plain(gateways)),
        (words.made, Cell::plain(made + &(words.made_with)(report.version))),
    ]
}
