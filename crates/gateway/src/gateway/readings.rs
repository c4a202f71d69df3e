//! The metrics of a running gateway: the workers' counters, and values that are read elsewhere.

use super::control::Control;
use crate::{
    metrics::{
        self, CertificateReading, LedgerReading, Readings, ReloadReading, Sample, ServerReading,
        UpstreamReading,
    },
    process,
    proxy::upstream::{ServerState, UpstreamState},
    telemetry,
};
use crumbgate_base::lock::locked;
use crumbgate_policy::verdict::Direction;

impl Control {
    /// All metrics in Prometheus text format 0.0.4. Up to `tenant_series` tenants get series of their own. Visits every tenant
    /// that had traffic, which takes milliseconds if there are many.
    pub fn metrics_text(&self, tenant_series: usize) -> String {
        let settings = &self.0.running.settings;
        metrics::expose(&settings.metrics, &settings.counters, &self.readings(tenant_series))
    }

    /// The sums of all workers' counters. Visits every tenant that had traffic, as [`metrics_text`](Self::metrics_text) does.
    pub fn sample(&self) -> Sample {
        let settings = &self.0.running.settings;
        settings.metrics.sample(&settings.counters)
    }

    /// The server certificates, in the order of the configuration.
    pub fn certificates(&self) -> Vec<CertificateReading> {
        let current = self.current();
        let readings = current.snapshot.expiries.iter().map(|expiry| CertificateReading {
            file: expiry.file.display().to_string(),
            not_after_unix_s: expiry.not_after_unix_s,
        });
        readings.collect()
    }

    fn readings(&self, tenant_series: usize) -> Readings {
        let current = self.current();
        let ledger = self.ledger().map(|status| LedgerReading {
            rows: status.written(),
            dropped: status.dropped(),
            waiting: status.waiting(),
            is_failing: status.is_failing(),
            segments: status.segments(),
            unbalanced: status.unbalanced(),
            new_names_of_requests: status.new_names(Direction::Request),
            new_names_of_responses: status.new_names(Direction::Response),
            clock_jumps: status.clock_jumps(),
            damages: status.damages(),
            unclean_stops: status.unclean_stops(),
        });
        Readings {
            tenants: current.snapshot.tenants.len() as u64,
            tenant_series,
            reload: ReloadReading {
                succeeded: !locked(&self.0.last_reload).is_refused,
                succeeded_unix_s: current.since_unix_s,
            },
            is_draining: self.is_draining(),
            ledger,
            upstreams: current.snapshot.upstreams.iter().map(|shared| upstream(shared)).collect(),
            certificates: self.certificates(),
            lost_log_lines: telemetry::lost_lines() as u64,
            process: process::read(),
        }
    }
}

fn upstream(shared: &UpstreamState) -> UpstreamReading {
    let server = |server: &ServerState| ServerReading {
        address: server.address().to_string(),
        is_up: server.is_up(),
        is_ejected: server.is_ejected(),
        connections: server.connections() as u64,
        requests: server.requests_total(),
        failures: server.failures_total(),
        ejections: server.ejections_total(),
        checks: server.checks_total(),
        failed_checks: server.checks_failed_total(),
    };
    UpstreamReading {
        name: shared.name().to_owned(),
        queued: shared.queued() as u64,
        queued_total: shared.queued_total(),
        queue_refused: shared.queue_refused_total(),
        queue_timeouts: shared.queue_timeouts_total(),
        servers: shared.servers().iter().map(|state| server(state)).collect(),
    }
}
