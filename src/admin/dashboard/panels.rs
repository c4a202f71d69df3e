//! The panels, which the page replaces every few seconds.

use std::time::Duration;

use maud::{Markup, html};

use super::{
    format::ago,
    ledger::LedgerReading,
    model::{Alert, DashboardModel, SOON_DAYS, days_left, dropped},
    rate::Interval,
    sparkline::sparkline,
    words::Words,
};
use crumbgate_audit::ScriptedKind;
use crumbgate_gateway::proxy::upstream::{ServerState, UpstreamState};
use crumbgate_policy::{GuardMode, Mode, verdict::Direction};
use crumbgate_report::{
    overview::{GuardSummary, LedgerSummary, NewName, ReportedName},
    vendors::Catalogue,
};

/// The panels in the order of the page: at the top, in the main column, in the side column.
pub(super) const TOP: [&str; 2] = ["state", "traffic"];
pub(super) const MAIN: [&str; 2] = ["names", "reported"];
pub(super) const SIDE: [&str; 4] = ["upstreams", "certificates", "configuration", "ledger"];

/// Renders the panel of this name.
pub(super) fn panel(place: &str, model: &DashboardModel, words: &Words) -> Markup {
    match place {
        "state" => state(model, words),
        "traffic" => traffic(model, words),
        "names" => names(model, words),
        "reported" => reported(model, words),
        "upstreams" => upstreams(model, words),
        "certificates" => certificates(model, words),
        "configuration" => configuration(model, words),
        "ledger" => ledger(model, words),
        _ => Markup::default(),
    }
}

fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby={ "title-" (id) } {
            h2 id={ "title-" (id) } { (title) }
            (content)
        }
    }
}

fn state(model: &DashboardModel, words: &Words) -> Markup {
    let alerts = model.alerts();
    html! {
        section.state.alerting[!alerts.is_empty()] aria-labelledby="title-state" {
            h2.again #title-state { (words.state) }
            @if alerts.is_empty() {
                p.verdict { (words.well) }
            } @else {
                p.verdict { ((words.alerts)(alerts.len())) }
                ul { @for alert in &alerts { li { (alert_text(alert, words)) } } }
            }
        }
    }
}

fn alert_text(alert: &Alert, words: &Words) -> String {
    match alert {
        Alert::CertificateEnds { file, days } => {
            (words.certificate_ends)(short(file), &words.language.counted(*days, words.days))
        }
        Alert::CertificateExpired { file } => (words.certificate_expired)(short(file)),
        Alert::Draining => words.draining.to_owned(),
        Alert::LedgerDropped => words.ledger_dropped.to_owned(),
        Alert::LedgerFailing => words.ledger_failing.to_owned(),
        Alert::LedgerUnbalanced => words.ledger_unbalanced.to_owned(),
        Alert::LedgerUnreadable => words.ledger_unreadable.to_owned(),
        Alert::ManyFail { failed, requests } => {
            (words.many_fail)(&words.language.share(*failed, *requests))
        }
        Alert::NotReady => words.not_ready.to_owned(),
        Alert::ReloadError => words.reload_refused.to_owned(),
        Alert::ServerDown { server } => (words.server_down)(server),
        Alert::ServerEjected { server } => (words.server_ejected)(server),
    }
}

/// The last two components of a path: files of certificates often differ in the folder only.
fn short(file: &str) -> &str {
    let from = file.rmatch_indices('/').nth(1).map_or(0, |(slash, _)| slash + 1);
    file.get(from..).unwrap_or(file)
}

fn traffic(model: &DashboardModel, words: &Words) -> Markup {
    let minute = &model.minute;
    let counted = &minute.counted;
    let failed = (counted.failed > 0)
        .then(|| (words.failed)(&words.language.number(minute.per_minute(counted.failed))));
    let count = |title, hint: &str, of: &dyn Fn(&Interval) -> u64| {
        let values: Vec<_> =
            model.history.iter().map(|interval| interval.as_ref().map(|s| s.rate(of(s)))).collect();
        let picture = sparkline(&values, title, &|value| words.language.number(value), words);
        tile(
            title,
            &words.language.number(minute.per_minute(of(minute))),
            words.a_minute,
            hint,
            &picture,
        )
    };
    html! {
        section aria-labelledby="title-traffic" {
            h2.again #title-traffic { (words.traffic) }
            dl.tiles {
                (count(words.requests, failed.as_deref().unwrap_or_default(), &|s| s.counted.requests))
                (count(words.kept, words.kept_hint, &|s| s.counted.kept))
                (count(words.rewritten, words.rewritten_hint, &|s| s.counted.rewritten))
                (count(words.stripped, words.stripped_hint, &|s| s.counted.stripped))
                (own_latency(model, words))
                (upstream_latency(model, words))
            }
        }
    }
}

fn own_latency(model: &DashboardModel, words: &Words) -> Markup {
    let counted = &model.minute.counted;
    let all =
        counted.request_durations.mean().map(|all| (words.in_all)(&words.language.latency(all)));
    latency(words.own_latency, counted.own_duration(), all, model, words, &|interval| {
        interval.counted.own_duration()
    })
}

fn upstream_latency(model: &DashboardModel, words: &Words) -> Markup {
    let upstream = &model.minute.counted.upstream_durations;
    let spread = upstream.quantile(500).zip(upstream.quantile(950)).map(|(half, most)| {
        (words.spread)(&words.language.latency(half), &words.language.latency(most))
    });
    latency(words.upstream_latency, upstream.mean(), spread, model, words, &|interval| {
        interval.counted.upstream_durations.mean()
    })
}

type Average = Option<Duration>;

fn latency(
    title: &str,
    average: Average,
    hint: Option<String>,
    model: &DashboardModel,
    words: &Words,
    of: &dyn Fn(&Interval) -> Average,
) -> Markup {
    let us = |average: Duration| u64::try_from(average.as_micros()).unwrap_or(u64::MAX);
    let values: Vec<_> =
        model.history.iter().map(|interval| of(interval.as_ref()?).map(us)).collect();
    let format = |us| words.language.latency(Duration::from_micros(us));
    let picture = sparkline(&values, title, &format, words);
    match average {
        Some(average) => {
            let hint = hint.unwrap_or_default();
            tile(title, &words.language.latency(average), words.average, &hint, &picture)
        }
        None => tile(title, "\u{2013}", "", words.no_requests, &picture),
    }
}

fn tile(title: &str, value: &str, unit: &str, hint: &str, picture: &Markup) -> Markup {
    html! {
        div {
            dt { (title) }
            dd {
                span.value { (value) } " " span.unit { (unit) }
                span.hint { (hint) }
                (picture)
            }
        }
    }
}

fn empty(title: &str, hint: &str) -> Markup {
    html! { div.empty { p { (title) } @if !hint.is_empty() { p.quiet { (hint) } } } }
}

fn names(model: &DashboardModel, words: &Words) -> Markup {
    let content = match &model.ledger.reading {
        LedgerReading::NotYet => empty(words.ledger_not_yet, ""),
        LedgerReading::Off => empty(words.ledger_off, words.ledger_off_hint),
        LedgerReading::Unreadable(_) => empty(words.ledger_unreadable, ""),
        LedgerReading::Read(summary, _) if summary.newest.is_empty() => {
            empty(words.names_none, words.names_none_hint)
        }
        LedgerReading::Read(summary, catalogue) => {
            names_table(summary, catalogue, model.now_unix_s, words)
        }
    };
    section("names", words.names, &content)
}

/// The names that browsers reported to the guard, and the pages with and without it.
fn reported(model: &DashboardModel, words: &Words) -> Markup {
    let content = match &model.ledger.reading {
        LedgerReading::NotYet => empty(words.ledger_not_yet, ""),
        LedgerReading::Off => empty(words.ledger_off, words.ledger_off_hint),
        LedgerReading::Unreadable(_) => empty(words.ledger_unreadable, ""),
        LedgerReading::Read(summary, catalogue) => {
            guard_content(&summary.guard, catalogue, model.now_unix_s, words)
        }
    };
    section("reported", words.reported, &content)
}

fn guard_content(
    guard: &GuardSummary,
    catalogue: &Catalogue,
    now_unix_s: u64,
    words: &Words,
) -> Markup {
    let pages = (words.guarded_pages)(
        &words.language.number(guard.guarded),
        &words.language.number(guard.unguarded),
    );
    let older = guard.names.saturating_sub(guard.reported.len());
    html! {
        @if guard.reported.is_empty() {
            (empty(words.reported_none, words.reported_none_hint))
        } @else {
            table.names {
                thead {
                    tr {
                        th scope="col" { (words.name) }
                        th scope="col" { (words.vendor) }
                        th.place scope="col" { (words.place) }
                        th.number scope="col" { (words.last_reported) }
                    }
                }
                tbody {
                    @for name in &guard.reported { (reported_row(name, catalogue, now_unix_s, words)) }
                }
            }
            @if older > 0 { p.quiet.foot { ((words.names_more)(&words.language.number(older as u64))) } }
            p.quiet.foot { (words.reported_hint) }
        }
        @if guard.guarded > 0 || guard.unguarded > 0 { p.quiet.foot { (pages) } }
    }
}

fn reported_row(
    name: &ReportedName,
    catalogue: &Catalogue,
    now_unix_s: u64,
    words: &Words,
) -> Markup {
    let vendor = catalogue.find(&name.name).filter(|_| name.kind == ScriptedKind::Cookie);
    html! {
        tr {
            th scope="row" { code { (name.name) } }
            td {
                @match vendor {
                    Some(vendor) => {
                        (vendor.platform) " " span.quiet.part { (vendor.category.word(words.language)) }
                    }
                    None => span.quiet { (words.vendor_unknown) },
                }
            }
            td.place {
                (name.tenant) " "
                span.quiet.part {
                    ((words.scripted_kind)(name.kind))
                    @if name.mode == GuardMode::Watch { ", " (words.only_watched) }
                }
            }
            td.number title={ (words.first_seen) ": " (ago(name.first_unix_s, now_unix_s, words)) } {
                (ago(name.last_unix_s, now_unix_s, words))
            }
        }
    }
}

fn names_table(
    summary: &LedgerSummary,
    catalogue: &Catalogue,
    now_unix_s: u64,
    words: &Words,
) -> Markup {
    let older = summary.names.saturating_sub(summary.newest.len());
    html! {
        table.names {
            thead {
                tr {
                    th scope="col" { (words.name) }
                    th scope="col" { (words.vendor) }
                    th.place scope="col" { (words.place) }
                    th.number scope="col" { (words.first_seen) }
                }
            }
            tbody {
                @for name in &summary.newest { (name_row(name, catalogue, now_unix_s, words)) }
            }
        }
        @if older > 0 { p.quiet.foot { ((words.names_more)(&words.language.number(older as u64))) } }
    }
}

fn name_row(name: &NewName, catalogue: &Catalogue, now_unix_s: u64, words: &Words) -> Markup {
    let from = match name.direction {
        Direction::Request => words.from_browser,
        Direction::Response => words.from_application,
    };
    html! {
        tr {
            th scope="row" { code { (name.name) } }
            td {
                @match catalogue.find(&name.name) {
                    Some(vendor) => {
                        (vendor.platform) " " span.quiet.part { (vendor.category.word(words.language)) }
                    }
                    None => span.quiet { (words.vendor_unknown) },
                }
            }
            td.place {
                (name.tenant) " "
                span.quiet.part {
                    (from)
                    @if name.mode == Mode::Report { ", " (words.watched) }
                }
            }
            td.number { (ago(name.first_unix_s, now_unix_s, words)) }
        }
    }
}

fn upstreams(model: &DashboardModel, words: &Words) -> Markup {
    let content = html! {
        table {
            thead {
                tr {
                    th scope="col" { (words.server) }
                    th scope="col" { (words.condition) }
                    th.number scope="col" { (words.connections) }
                }
            }
            @for upstream in &model.upstreams { (upstream_rows(upstream, model.upstreams.len() > 1, words)) }
        }
    };
    section("upstreams", words.upstreams, &content)
}

fn upstream_rows(upstream: &UpstreamState, has_others: bool, words: &Words) -> Markup {
    html! {
        tbody {
            @if has_others { tr { th.group colspan="3" scope="rowgroup" { (upstream.name()) } } }
            @for server in upstream.servers() { (server_row(server, words)) }
            @if upstream.queued() > 0 {
                tr { td.quiet colspan="3" { ((words.waiting)(&words.language.number(upstream.queued() as u64))) } }
            }
        }
    }
}

fn server_row(server: &ServerState, words: &Words) -> Markup {
    let (class, condition) = match (server.is_up(), server.is_ejected()) {
        (Some(false), _) => ("bad", words.down),
        (Some(true) | None, true) => ("warn", words.ejected),
        (Some(true), false) => ("good", words.up),
        (None, false) => ("none", words.unchecked),
    };
    html! {
        tr {
            th scope="row" { (server.address()) }
            td.word { span.mark.(class) { (condition) } }
            td.number {
                (words.language.number(server.connections() as u64))
                span.quiet { "/" (words.language.number(server.max_connections() as u64)) }
            }
        }
    }
}

fn certificates(model: &DashboardModel, words: &Words) -> Markup {
    let content = if model.certificates.is_empty() {
        empty(words.certificates_none, "")
    } else {
        html! {
            table {
                thead {
                    tr { th scope="col" { (words.file) } th.number scope="col" { (words.days_left) } }
                }
                tbody {
                    @for certificate in &model.certificates {
                        tr {
                            th scope="row" title=(certificate.file) { (short(&certificate.file)) }
                            td.number {
                                @match days_left(certificate, model.now_unix_s) {
                                    None => span.mark.bad { (words.expired) },
                                    Some(days) if days < SOON_DAYS => span.mark.warn { (words.language.number(days)) },
                                    Some(days) => (words.language.number(days)),
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    section("certificates", words.certificates, &content)
}

fn configuration(model: &DashboardModel, words: &Words) -> Markup {
    let status = &model.status;
    let reload = &status.last_reload;
    let content = html! {
        dl.facts {
            div { dt { (words.file) } dd { code { (status.config_file) } } }
            div { dt { (words.in_force) } dd { (ago(status.config_since_unix_s, model.now_unix_s, words)) } }
            div {
                dt { (words.last_reload) }
                dd {
                    @match (reload.at_unix_s, reload.is_refused) {
                        (None, _) => (words.reload_never),
                        (Some(at), false) => {
                            (ago(at, model.now_unix_s, words)) span.quiet.part { ((words.reload_taken)(&reload.actor)) }
                        }
                        (Some(at), true) => {
                            (ago(at, model.now_unix_s, words)) " "
                            span.mark.bad.part { ((words.reload_not_taken)(&reload.actor)) }
                        }
                    }
                }
            }
            div { dt { (words.running) } dd { (ago(status.started_unix_s, model.now_unix_s, words)) } }
        }
        @if !reload.problems.is_empty() {
            details open[reload.is_refused] {
                summary { (words.problems) }
                pre lang="en" { (reload.problems) }
            }
        }
    };
    section("configuration", words.configuration, &content)
}

fn ledger(model: &DashboardModel, words: &Words) -> Markup {
    let content = match &model.ledger.reading {
        LedgerReading::NotYet => empty(words.ledger_not_yet, ""),
        LedgerReading::Off => empty(words.ledger_off, words.ledger_off_hint),
        LedgerReading::Unreadable(why) => html! {
            (empty(words.ledger_unreadable, ""))
            pre lang="en" { (why) }
        },
        LedgerReading::Read(summary, _) => ledger_facts(summary, model, words),
    };
    section("ledger", words.ledger, &content)
}

fn ledger_facts(summary: &LedgerSummary, model: &DashboardModel, words: &Words) -> Markup {
    let totals = &summary.totals;
    let counted = totals.seen().saturating_add(totals.added.counted);
    let missing = dropped(summary);
    let [request, response, added] =
        [totals.request.difference(), totals.response.difference(), totals.added.difference()];
    let difference = request.unsigned_abs() + response.unsigned_abs() + added.unsigned_abs();
    let recorded = counted.saturating_sub(missing).saturating_sub(difference);
    html! {
        dl.facts {
            div {
                dt { (words.balance) }
                dd {
                    @if totals.is_balanced() { span.mark.good { (words.balanced) } }
                    @else { span.mark.bad { (words.unbalanced) " (" (words.language.number(difference)) ")" } }
                }
            }
            div { dt { (words.counted) } dd.number { (words.language.number(counted)) } }
            div { dt { (words.recorded) } dd.number { (words.language.number(recorded)) } }
            div {
                dt { (words.dropped) }
                dd.number { @if missing > 0 { span.mark.bad { (words.language.number(missing)) } } @else { "0" } }
            }
            div {
                dt { (words.file_state) }
                dd {
                    @if model.ledger.is_failing {
                        span.mark.bad { ((words.not_written)(&words.language.number(model.ledger.waiting))) }
                    } @else { (words.written) }
                }
            }
            div {
                dt { (words.last_closed) }
                dd {
                    @match summary.last_closed {
                        Some((number, newest)) => {
                            "#" (words.language.number(number)) ", " (ago(newest, model.now_unix_s, words))
                        }
                        None => (words.closed_none),
                    }
                }
            }
        }
    }
}
