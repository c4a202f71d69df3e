//! Every metric: its name, its help and its values.

use super::{
    labels::{
        BeaconOutcome, ConnectionState, CutCause, Handshake, RejectionReason, STATUS_CLASSES, Side,
        SpanLoss,
    },
    readings::{ProcessReading, Readings, ServerReading, UpstreamReading},
    registry::Metrics,
    text::{Kind, Label, Seconds, Text},
    worker::Sum,
};
use crumbgate_audit::{
    AgreementEvent, CounterSnapshot, Counters, GuardOutcome, OTHER, ScriptedKind,
};
use crumbgate_pages::document::BannerOutcome;
use crumbgate_policy::verdict::{Action, Direction, Reason, SealStep};

/// All metrics in the text format of Prometheus (0.0.4, `text/plain; version=0.0.4; charset=utf-8`).
pub fn expose(metrics: &Metrics, counters: &Counters, readings: &Readings) -> String {
    let mut text = Text::default();
    write_exchanges(&mut text, &metrics.sum());
    write_cookies(&mut text, &counters.total());
    write_tenants(&mut text, counters, readings);
    write_spans(&mut text, metrics);
    write_configuration(&mut text, readings);
    write_ledger(&mut text, readings);
    write_upstreams(&mut text, &readings.upstreams);
    if let Some(process) = &readings.process {
        write_process(&mut text, process);
    }
    text.finish()
}

use Kind::{Counter, Gauge, Histogram};

fn write_exchanges(text: &mut Text, sum: &Sum) {
    let help =
        "Responses of the TLS listeners by status class, including those of the gateway itself.";
    let mut family = text.family("crumbgate_requests_total", Counter, help);
    for (class, count) in STATUS_CLASSES.iter().zip(sum.answers) {
        family.sample(&[("status_class", class)], count);
    }
    let help = "Time from a request's head to its response's head, for every response in crumbgate_requests_total.";
    text.family("crumbgate_request_duration_seconds", Histogram, help)
        .durations(&sum.request_duration);
    let help = "Time from sending a request to the head of the application's response, including opening a connection or waiting for one.";
    text.family("crumbgate_upstream_duration_seconds", Histogram, help)
        .durations(&sum.upstream_duration);
    let help =
        "Requests that the gateway rejected, and connections that it closed at once, by reason.";
    let mut family = text.family("crumbgate_rejections_total", Counter, help);
    family.samples("reason", &RejectionReason::ALL, &sum.rejections);
    let help = "Exchanges that one side ended before the response was complete.";
    let mut family = text.family("crumbgate_exchanges_ended_early_total", Counter, help);
    family.samples("side", &Side::ALL, &sum.ended_early);
    let help = "Open exchanges, including WebSockets over HTTP/2; at most a second old.";
    text.family("crumbgate_open_exchanges", Gauge, help).value(sum.open_exchanges);
    let help = "Requests of the plain HTTP listeners that were redirected to https.";
    text.family("crumbgate_redirects_total", Counter, help).value(sum.redirects);
    let help = "Page requests of people who have not agreed that were forwarded to the application, by outcome of the banner.";
    let mut family = text.family("crumbgate_banners_total", Counter, help);
    family.samples("outcome", &BannerOutcome::ALL, &sum.banners);
    let help = "Documents that were to get the guard's script, by outcome.";
    let mut family = text.family("crumbgate_guards_total", Counter, help);
    for (outcome, count) in GuardOutcome::ALL.into_iter().zip(sum.guards) {
        family.sample(&[("outcome", outcome.word())], count);
    }
    let help = "Compressed bytes of documents and scripts that were changed, as the application sent them and as they left.";
    let mut family = text.family("crumbgate_recoded_bytes_total", Counter, help);
    family.sample(&[("side", "upstream")], sum.recoded_received);
    family.sample(&[("side", "downstream")], sum.recoded_sent);
    let help =
        "Beacons of browsers about names that scripts set, by their fate; anybody can post one.";
    let mut family = text.family("crumbgate_beacons_total", Counter, help);
    family.samples("outcome", &BeaconOutcome::ALL, &sum.beacons);
    let help =
        "Names in accepted beacons, by kind; a name counts once for each page that reports it.";
    let mut family = text.family("crumbgate_scripted_names_total", Counter, help);
    for (kind, count) in ScriptedKind::ALL.into_iter().zip(sum.scripted_names) {
        family.sample(&[("kind", kind.word())], count);
    }

    let help = "Downstream connections by state; at most a second old.";
    let mut family = text.family("crumbgate_connections", Gauge, help);
    family.samples("state", &ConnectionState::ALL, &sum.connections);
    let help = "Downstream connections that were accepted, on all listeners.";
    text.family("crumbgate_connections_accepted_total", Counter, help).value(sum.accepted);
    let help = "Downstream connections that the gateway closed before their end, by cause.";
    let mut family = text.family("crumbgate_connections_cut_total", Counter, help);
    family.samples("cause", &CutCause::ALL, &sum.cuts);
    let help = "TLS handshakes by version, session resumption and outcome.";
    let mut family = text.family("crumbgate_handshakes_total", Counter, help);
    for (handshake, count) in Handshake::ALL.into_iter().zip(sum.handshakes) {
        let [version, resumed, outcome] = handshake.labels();
        family.sample(&[("version", version), ("resumed", resumed), ("outcome", outcome)], count);
    }
    let help = "Open WebSockets, over HTTP/1.1 and HTTP/2.";
    text.family("crumbgate_tunnels", Gauge, help).value(sum.open_tunnels);
    let help = "WebSockets that were opened.";
    text.family("crumbgate_tunnels_opened_total", Counter, help).value(sum.tunnels_opened);
    let help = "Worker threads.";
    text.family("crumbgate_workers", Gauge, help).value(sum.workers);
}

fn write_cookies(text: &mut Text, snapshot: &CounterSnapshot) {
    let help = "Verdicts on cookies: each cookie seen is kept, rewritten or stripped (A1); evict, inject and renew add cookies.";
    let mut family = text.family("crumbgate_cookies_total", Counter, help);
    for (direction, action) in verdicts() {
        let labels = verdict_labels(direction, action);
        family.sample(&labels, snapshot.of(direction, action));
    }
    let help = "Session cookies of tenants that seal: opened, sealed, unsealed (from before sealing began), too_large (sent unsealed).";
    let mut family = text.family("crumbgate_seals_total", Counter, help);
    for step in SealStep::ALL {
        family.sample(&[("step", step.word())], snapshot.of_seal(step));
    }
    let help = "Events on the gateway's own pages: shown, agreed, declined, withdrawn.";
    let mut family = text.family("crumbgate_agreements_total", Counter, help);
    for event in AgreementEvent::ALL {
        family.sample(&[("event", event.word())], snapshot.agreements(event));
    }
}

/// Every possible verdict, in the order of the text.
fn verdicts() -> impl Iterator<Item = (Direction, Action)> {
    let strip = Reason::ALL.map(Action::Strip);
    let request = [Action::Keep].into_iter().chain(strip);
    let added = [Action::Evict, Action::Inject, Action::Renew];
    let response = [Action::Keep, Action::Rewrite].into_iter().chain(strip).chain(added);
    let request = request.map(|action| (Direction::Request, action));
    request.chain(response.map(|action| (Direction::Response, action)))
}

fn verdict_labels(direction: Direction, action: Action) -> [Label<'static>; 3] {
    let reason = action.reason().map_or("", Reason::word);
    [("direction", direction.word()), ("action", action.word()), ("reason", reason)]
}

fn write_tenants(text: &mut Text, counters: &Counters, readings: &Readings) {
    let help = "Tenants of the configuration file and those set at run time.";
    text.family("crumbgate_tenants", Gauge, help).value(readings.tenants);
    if readings.tenant_series == 0 {
        return;
    }
    let (snapshots, others) = counters.first(readings.tenant_series);
    let mut snapshots: Vec<(&str, &CounterSnapshot)> =
        snapshots.iter().map(|(tenant, snapshot)| (&**tenant, snapshot)).collect();
    snapshots.push((OTHER, &others));
    let help = "Requests whose cookies were judged, by tenant; tenants beyond the limit on series share one.";
    let mut family = text.family("crumbgate_tenant_requests_total", Counter, help);
    for (tenant, snapshot) in &snapshots {
        family.sample(&[("tenant", tenant)], snapshot.requests);
    }
    let help =
        "Verdicts on cookies by tenant, as in crumbgate_cookies_total, without their reasons.";
    let mut family = text.family("crumbgate_tenant_cookies_total", Counter, help);
    for (tenant, snapshot) in &snapshots {
        for direction in Direction::ALL {
            let [direction_label, ..] = verdict_labels(direction, Action::Keep);
            let mut sample = |action, count| {
                family.sample(&[("tenant", tenant), direction_label, ("action", action)], count);
            };
            sample("keep", snapshot.of(direction, Action::Keep));
            sample("strip", snapshot.stripped(direction));
            if direction == Direction::Response {
                sample("rewrite", snapshot.of(direction, Action::Rewrite));
                sample("evict", snapshot.of(direction, Action::Evict));
                sample("inject", snapshot.of(direction, Action::Inject));
                sample("renew", snapshot.of(direction, Action::Renew));
            }
        }
    }
    let help = "Events on the gateway's own pages by tenant, as in crumbgate_agreements_total.";
    let mut family = text.family("crumbgate_tenant_agreements_total", Counter, help);
    for (tenant, snapshot) in &snapshots {
        for event in AgreementEvent::ALL {
            let labels = [("tenant", *tenant), ("event", event.word())];
            family.sample(&labels, snapshot.agreements(event));
        }
    }
}

fn write_spans(text: &mut Text, metrics: &Metrics) {
    let help = "Trace spans that the collector accepted.";
    text.family("crumbgate_trace_spans_exported_total", Counter, help)
        .value(metrics.spans().exported());
    let help =
        "Trace spans that were lost: the queue was full, or the collector did not accept them.";
    let lost = SpanLoss::ALL.map(|(loss, _)| metrics.spans().lost(loss));
    let mut family = text.family("crumbgate_trace_spans_dropped_total", Counter, help);
    family.samples("reason", &SpanLoss::ALL, &lost);
}

fn write_configuration(text: &mut Text, readings: &Readings) {
    let help = "Always 1; the labels describe the running program.";
    let mut family = text.family("crumbgate_build_info", Gauge, help);
    let (version, system) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS);
    let architecture = std::env::consts::ARCH;
    family.sample(&[("version", version), ("system", system), ("architecture", architecture)], 1);
    let help = "1 if the last reload was accepted, otherwise 0; 1 before the first reload.";
    text.family("crumbgate_config_last_reload_success", Gauge, help)
        .value(u8::from(readings.reload.succeeded));
    let help = "Time at which the current configuration came into force.";
    text.family("crumbgate_config_last_reload_timestamp_seconds", Gauge, help)
        .value(readings.reload.succeeded_unix_s);
    let help = "1 while the gateway stops and finishes open exchanges, otherwise 0.";
    text.family("crumbgate_draining", Gauge, help).value(u8::from(readings.is_draining));
    let help = "Expiry time of each certificate in the configuration.";
    let mut family = text.family("crumbgate_certificate_expiry_timestamp_seconds", Gauge, help);
    for certificate in &readings.certificates {
        family.sample(&[("file", &certificate.file)], certificate.not_after_unix_s);
    }
    let help = "Log lines that were lost because standard error was not read in time.";
    text.family("crumbgate_log_lines_lost_total", Counter, help).value(readings.lost_log_lines);
}

fn write_ledger(text: &mut Text, readings: &Readings) {
    // Without a ledger all values are 0: series that appear and disappear would break alerts.
    let ledger = readings.ledger.unwrap_or_default();
    let help = "Entries written to the ledger's file.";
    text.family("crumbgate_audit_rows_total", Counter, help).value(ledger.rows);
    let help =
        "Cookies and page events that are in no entry of the ledger because there was no room.";
    text.family("crumbgate_audit_dropped_total", Counter, help).value(ledger.dropped);
    let help = "Entries in memory that are not written yet.";
    text.family("crumbgate_audit_waiting_rows", Gauge, help).value(ledger.waiting);
    let help = "1 while the ledger's file can't be written, otherwise 0.";
    text.family("crumbgate_audit_failing", Gauge, help).value(u8::from(ledger.is_failing));
    let help = "Closed segments of the ledger.";
    text.family("crumbgate_audit_segments_total", Counter, help).value(ledger.segments);
    let help = "Difference between the entries of closed segments and the counters, in cookies and page events; anything but 0 is a fault.";
    text.family("crumbgate_audit_unbalanced_total", Counter, help).value(ledger.unbalanced);
    let help = "Ledger events after which earlier entries may be missing, by kind.";
    let mut family = text.family("crumbgate_audit_gaps_total", Counter, help);
    let gaps = [
        ("clock", ledger.clock_jumps),
        ("damage", ledger.damages),
        ("unclean_stop", ledger.unclean_stops),
    ];
    for (kind, count) in gaps {
        family.sample(&[("kind", kind)], count);
    }
    let help = "Names of undeclared cookies that are new to the ledger, by the direction in which they were first seen.";
    let mut family = text.family("crumbgate_audit_new_names_total", Counter, help);
    family.sample(&[("direction", "request")], ledger.new_names_of_requests);
    family.sample(&[("direction", "response")], ledger.new_names_of_responses);
}

fn write_upstreams(text: &mut Text, upstreams: &[UpstreamReading]) {
    let mut write = |name, kind, help, value: &dyn Fn(&ServerReading) -> Option<u64>| {
        let mut family = text.family(name, kind, help);
        for upstream in upstreams {
            for server in &upstream.servers {
                if let Some(value) = value(server) {
                    let labels = [("upstream", &*upstream.name), ("server", &*server.address)];
                    family.sample(&labels, value);
                }
            }
        }
    };
    let help = "1 if the health checks find the server healthy, otherwise 0; absent without health checks and before the first one ends.";
    write("crumbgate_upstream_server_up", Gauge, help, &|server| server.is_up.map(u64::from));
    let help = "1 while the server is ejected because it failed, otherwise 0.";
    write("crumbgate_upstream_server_ejected", Gauge, help, &|server| {
        Some(u64::from(server.is_ejected))
    });
    let help = "Open connections to the server.";
    write("crumbgate_upstream_server_connections", Gauge, help, &|server| Some(server.connections));
    let help = "Requests sent to the server.";
    write("crumbgate_upstream_server_requests_total", Counter, help, &|server| {
        Some(server.requests)
    });
    let help = "Requests and connections that failed because of the server.";
    write("crumbgate_upstream_server_failures_total", Counter, help, &|server| {
        Some(server.failures)
    });
    let help = "Number of times that the server was ejected because it failed.";
    write("crumbgate_upstream_server_ejections_total", Counter, help, &|server| {
        Some(server.ejections)
    });
    let help = "Completed health checks of the server.";
    write("crumbgate_upstream_server_checks_total", Counter, help, &|server| Some(server.checks));
    let help = "Health checks that the server failed.";
    write("crumbgate_upstream_server_failed_checks_total", Counter, help, &|server| {
        Some(server.failed_checks)
    });
    let mut write = |name, kind, help, value: &dyn Fn(&UpstreamReading) -> u64| {
        let mut family = text.family(name, kind, help);
        for upstream in upstreams {
            family.sample(&[("upstream", &upstream.name)], value(upstream));
        }
    };
    let help = "Exchanges that wait for a connection to the application.";
    write("crumbgate_upstream_queue_length", Gauge, help, &|upstream| upstream.queued);
    let help = "Exchanges that had to wait for a connection to the application.";
    write("crumbgate_upstream_queued_total", Counter, help, &|upstream| upstream.queued_total);
    let help = "Exchanges that found the queue for a connection full.";
    write("crumbgate_upstream_queue_refused_total", Counter, help, &|upstream| {
        upstream.queue_refused
    });
    let help = "Exchanges that got no connection within queue_timeout.";
    write("crumbgate_upstream_queue_timeouts_total", Counter, help, &|upstream| {
        upstream.queue_timeouts
    });
}

fn write_process(text: &mut Text, process: &ProcessReading) {
    let mut write = |name, kind, help, value| text.family(name, kind, help).value(value);
    let processor_ns = u64::try_from(process.processor_time.as_nanos()).unwrap_or(u64::MAX);
    let help = "Total user and system CPU time spent in seconds.";
    write("process_cpu_seconds_total", Counter, help, Seconds(processor_ns).to_string());
    let mut write = |name, kind, help, value| text.family(name, kind, help).value(value);
    let help = "Start time of the process since unix epoch in seconds.";
    write("process_start_time_seconds", Gauge, help, process.started_unix_s);
    let help = "Resident memory size in bytes.";
    write("process_resident_memory_bytes", Gauge, help, process.resident_bytes);
    let help = "Virtual memory size in bytes.";
    write("process_virtual_memory_bytes", Gauge, help, process.virtual_bytes);
    let help = "Number of open file descriptors.";
    write("process_open_fds", Gauge, help, process.open_files);
    let help = "Maximum number of open file descriptors.";
    write("process_max_fds", Gauge, help, process.max_open_files);
    let help = "Number of OS threads in the process.";
    write("process_threads", Gauge, help, process.threads);
}
