//! Reads `[upstreams.NAME]`: the applications and their servers.

use std::{ops::RangeInclusive, time::Duration};

use http::uri::PathAndQuery;

use super::traces::{PATH_HELP, request_target};
use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    values::{BadServer, Balance, Health, ServerAddress, Upstream},
    written::{Choice, Written, quoted},
};
use crumbgate_audit::tenants::split_authority;

/// Reads every upstream, in the order of the file.
pub(super) fn read(root: &TableReader<'_>) -> Vec<Upstream> {
    let table = root.section("upstreams");
    let mut nodes: Vec<_> = table.names().collect();
    nodes.sort_by_key(Node::offset);
    if nodes.is_empty() && !table.is_misread() {
        let message = "expected at least one upstream";
        let help = "write [upstreams.app] and, below it, servers = [\"http://127.0.0.1:8000\"]";
        let problem = Problem::error(table.place(), table.key(), message);
        table.reader.push(problem.help(help.to_owned()));
    }
    if let Some(node) = nodes.get(MAX_UPSTREAMS) {
        let expected = format!("no more than {MAX_UPSTREAMS} upstreams");
        let _: Option<()> = node.refuse_name(expected, "give one upstream more than one server");
    }
    nodes.iter().filter_map(read_upstream).collect()
}

fn read_upstream(node: &Node<'_>) -> Option<Upstream> {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    if node.name().is_empty() || !node.name().bytes().all(is_allowed) {
        let help = "write a name such as [upstreams.app]";
        let _: Option<()> =
            node.refuse_name("a name of lower-case letters, digits, \"-\" and \"_\"", help);
    }
    let table = node.section()?;
    let help = "write servers = [\"http://127.0.0.1:8000\"]";
    let servers = table.required("servers", help, |node| {
        let elements = node.elements()?;
        if elements.is_empty() {
            return node.error("expected at least one server", help);
        }
        let mut servers = Vec::new();
        for element in &elements {
            if let Some(server) = read_server(element) {
                check_duplicate(element, &server, &servers);
                servers.push(server);
            }
        }
        Some(servers)
    });
    let upstream = Upstream {
        name: node.name().to_owned(),
        servers: servers.unwrap_or_default(),
        balance: table.get("balance", Balance::Least, |node| node.choice()),
        connect_timeout: table.get("connect_timeout", Upstream::DEFAULT_CONNECT_TIMEOUT, timeout),
        response_timeout: table.get(
            "response_timeout",
            Upstream::DEFAULT_RESPONSE_TIMEOUT,
            timeout,
        ),
        body_timeout: table.get("body_timeout", Upstream::DEFAULT_BODY_TIMEOUT, timeout),
        idle_timeout: table.get("idle_timeout", Upstream::DEFAULT_IDLE_TIMEOUT, timeout),
        idle_connections: table.get(
            "idle_connections",
            Upstream::DEFAULT_IDLE_CONNECTIONS,
            |node| node.number(0..=MAX_IDLE_CONNECTIONS),
        ),
        ca: table.optional("ca", |node| node.path()),
        health: read_health(&table),
        max_connections: table.get("max_connections", Upstream::DEFAULT_MAX_CONNECTIONS, |node| {
            node.number(MAX_CONNECTIONS)
        }),
        queue: table.get("queue", Upstream::DEFAULT_QUEUE, |node| node.number(0..=MAX_QUEUE)),
        queue_timeout: table.get("queue_timeout", Upstream::DEFAULT_QUEUE_TIMEOUT, timeout),
    };
    check_ca(&table, &upstream);
    Some(resolve(upstream, node))
}

fn timeout(node: Node<'_>) -> Option<Duration> {
    node.duration(TIMEOUT)
}

fn read_health(table: &TableReader<'_>) -> Option<Health> {
    let table = table.inner("health");
    if !table.is_written() {
        return None;
    }
    let Health { path, host: _, interval, timeout, fall, rise } = Health::default();
    let interval = table.get("interval", interval, |node| node.duration(HEALTH_INTERVAL));
    Some(Health {
        path: table.get("path", path, |node| read_path(&node, "/up")),
        host: table.optional("host", read_host),
        interval,
        // A shorter interval lowers the default; only a time in the file can contradict it.
        timeout: table.get("timeout", timeout.min(interval), |node| {
            let timeout = node.duration(HEALTH_TIMEOUT)?;
            if timeout > interval {
                let expected =
                    format!("no more than the interval, which is {}", interval.written());
                return node.refuse(expected, "lower it, or raise the interval");
            }
            Some(timeout)
        }),
        fall: table.get("fall", fall, |node| node.number(HEALTH_IN_A_ROW)),
        rise: table.get("rise", rise, |node| node.number(HEALTH_IN_A_ROW)),
    })
}

/// Reads the target of a request. `example` is suggested if the value is not a path.
pub(super) fn read_path(node: &Node<'_>, example: &str) -> Option<PathAndQuery> {
    let text = node.text()?;
    if !text.starts_with('/') || text.contains('#') {
        return node.refuse("a path", format!("write {}", quoted(example)));
    }
    request_target(text).or_else(|| node.refuse("a path that is valid in a request", PATH_HELP))
}

impl Written for PathAndQuery {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

fn read_host(node: Node<'_>) -> Option<String> {
    let text = node.text()?;
    let is_authority = split_authority(text).is_some();
    let help = "write \"acme.example\", and a port if it is not the default of the scheme";
    is_authority.then(|| text.to_owned()).or_else(|| node.refuse("a host", help))
}

/// Reports a server that is listed more than once: metrics and health are kept by address.
fn check_duplicate(node: &Node<'_>, server: &ServerAddress, before: &[ServerAddress]) {
    let same = |other: &ServerAddress| resolved(other, node) == resolved(server, node);
    if before.iter().any(same) {
        let message =
            format!("is the same server as {}, which is listed before it", server.written());
        let _: Option<()> = node.error(message, "list each server once");
    }
}

fn check_ca(table: &TableReader<'_>, upstream: &Upstream) {
    let is_tls = |server: &ServerAddress| matches!(server, ServerAddress::Tls { .. });
    if upstream.ca.is_none() || upstream.servers.is_empty() || upstream.servers.iter().any(is_tls) {
        return;
    }
    if let Some(node) = table.value("ca") {
        node.warn(
            "has no effect: no server is https://",
            "write https:// for servers that use TLS",
        );
    }
}

/// Resolves the paths of files against the folder of the configuration.
fn resolve(mut upstream: Upstream, node: &Node<'_>) -> Upstream {
    upstream.ca = upstream.ca.map(|path| node.reader.resolve(path));
    for server in &mut upstream.servers {
        *server = resolved(server, node);
    }
    upstream
}

fn resolved(server: &ServerAddress, node: &Node<'_>) -> ServerAddress {
    match server {
        ServerAddress::Unix(path) => ServerAddress::Unix(node.reader.resolve(path)),
        ServerAddress::Plain { .. } | ServerAddress::Tls { .. } => server.clone(),
    }
}

fn read_server(node: &Node<'_>) -> Option<ServerAddress> {
    match node.text()?.parse() {
        Ok(server) => Some(server),
        Err(BadServer { message, help }) => node.error(message, help),
    }
}

impl Choice for Balance {
    const WORDS: &'static [(&'static str, Self)] =
        &[("least", Self::Least), ("random2", Self::Random2)];
}

impl Written for ServerAddress {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

/// The bound of the index of an upstream that a tenant holds, 16 bits.
const MAX_UPSTREAMS: usize = 65_536;
const MAX_IDLE_CONNECTIONS: usize = 10_000;
const MAX_CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;
const MAX_QUEUE: usize = 100_000;
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(24);
const HEALTH_INTERVAL: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_hours(1);
const HEALTH_TIMEOUT: RangeInclusive<Duration> =
    Duration::from_millis(100)..=Duration::from_hours(1);
const HEALTH_IN_A_ROW: RangeInclusive<u32> = 1..=100;
