//! `[upstreams.NAME]`: the applications, and the servers that they run on.

use std::{ops::RangeInclusive, time::Duration};

use http::uri::PathAndQuery;

use super::traces::{PATH_HELP, request_target};
use crate::{
    config::{
        BadServer, Balance, Health, ServerAddress, Upstream,
        problem::Problem,
        reader::{Node, Table},
        written::{Choice, Written, quoted},
    },
    tenants::split_authority,
};

/// Reads every upstream, in the order written.
pub(super) fn read(root: &Table<'_>) -> Vec<Upstream> {
    let table = root.section("upstreams");
    let mut nodes: Vec<_> = table.names().collect();
    nodes.sort_by_key(Node::offset);
    if nodes.is_empty() && !table.is_misread() {
        let message = "found none, expected one at least";
        let help = "write [upstreams.app] and below it servers = [\"http://127.0.0.1:8000\"]";
        let problem = Problem::error(table.place(), table.key(), message);
        table.reader.push(problem.help(help.to_owned()));
    }
    if let Some(node) = nodes.get(MAX_UPSTREAMS) {
        let expected = format!("no more than {MAX_UPSTREAMS} upstreams");
        let _: Option<()> = node.refuse_name(expected, "give one upstream several servers");
    }
    nodes.iter().filter_map(read_upstream).collect()
}

fn read_upstream(node: &Node<'_>) -> Option<Upstream> {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    if node.name().is_empty() || !node.name().bytes().all(is_allowed) {
        let help = "write it as [upstreams.app]";
        let _: Option<()> = node.refuse_name("a name of lower-case letters, digits, - and _", help);
    }
    let table = node.section()?;
    let help = "write servers = [\"http://127.0.0.1:8000\"]";
    let servers = table.required("servers", help, |node| {
        let elements = node.elements()?;
        if elements.is_empty() {
            return node.error("found none, expected one at least", help);
        }
        let mut servers = Vec::new();
        for element in &elements {
            if let Some(server) = read_server(element) {
                judge_twice(element, &server, &servers);
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
        max_connections: table.optional("max_connections", |node| node.number(MAX_CONNECTIONS)),
        queue: table.get("queue", 0, |node| node.number(0..=MAX_QUEUE)),
        queue_timeout: table.get("queue_timeout", Upstream::DEFAULT_QUEUE_TIMEOUT, timeout),
    };
    judge_queue(&table, &upstream);
    judge_ca(&table, &upstream);
    Some(resolve(upstream, node))
}

impl Upstream {
    /// To an open connection, unless configured.
    pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
    /// To the response's head, unless configured.
    pub const DEFAULT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
    /// Between two parts of the response's body, unless configured.
    pub const DEFAULT_BODY_TIMEOUT: Duration = Duration::from_mins(5);
    /// How long an unused connection is kept, unless configured: less than the 5 s after which common PHP servers
    /// close theirs.
    pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(4);
    /// How many unused connections each worker keeps for each server, unless configured.
    pub const DEFAULT_IDLE_CONNECTIONS: usize = 32;
    /// How long an exchange waits for a connection, unless configured.
    pub const DEFAULT_QUEUE_TIMEOUT: Duration = Duration::from_secs(5);
}

fn timeout(node: Node<'_>) -> Option<Duration> {
    node.duration(TIMEOUT)
}

fn read_health(table: &Table<'_>) -> Option<Health> {
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
        // A shorter interval takes the default down with it; only a time that somebody wrote can contradict.
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

/// Reads what a request may ask for, such as `example`.
pub(super) fn read_path(node: &Node<'_>, example: &str) -> Option<PathAndQuery> {
    let text = node.text()?;
    if !text.starts_with('/') || text.contains('#') {
        return node.refuse("a path", format!("write {}", quoted(example)));
    }
    request_target(text).or_else(|| node.refuse("a path that a request can have", PATH_HELP))
}

impl Written for PathAndQuery {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

fn read_host(node: Node<'_>) -> Option<String> {
    let text = node.text()?;
    let is_authority = split_authority(text).is_some();
    let help = "write \"acme.example\", with a port where it is not the scheme's own";
    is_authority.then(|| text.to_owned()).or_else(|| node.refuse("a host", help))
}

impl Default for Health {
    fn default() -> Self {
        Self {
            path: PathAndQuery::from_static("/up"),
            host: None,
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            fall: 3,
            rise: 2,
        }
    }
}

/// The gateway tells servers apart by their addresses: in its metrics, too.
fn judge_twice(node: &Node<'_>, server: &ServerAddress, before: &[ServerAddress]) {
    let same = |other: &ServerAddress| resolved(other, node) == resolved(server, node);
    if before.iter().any(same) {
        let message = format!("is the same server as an earlier one, {}", server.written());
        let _: Option<()> = node.error(message, "list each server once");
    }
}

fn judge_queue(table: &Table<'_>, upstream: &Upstream) {
    if upstream.max_connections.is_some() || upstream.queue == 0 {
        return;
    }
    if let Some(node) = table.value("queue") {
        let help = "write max_connections too, or leave both out";
        node.warn("nobody ever waits: there is no max_connections", help);
    }
}

fn judge_ca(table: &Table<'_>, upstream: &Upstream) {
    let is_tls = |server: &ServerAddress| matches!(server, ServerAddress::Tls { .. });
    if upstream.ca.is_none() || upstream.servers.is_empty() || upstream.servers.iter().any(is_tls) {
        return;
    }
    if let Some(node) = table.value("ca") {
        node.warn("is asked for by no server", "write https:// where the connection is TLS");
    }
}

/// Makes the paths of files relative to the configuration's folder.
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
        let bracketed = |host: &str| {
            if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
        };
        quoted(&match self {
            Self::Plain { host, port } => format!("http://{}:{port}", bracketed(host)),
            Self::Tls { host, port } => format!("https://{}:{port}", bracketed(host)),
            Self::Unix(path) => format!("unix:{}", path.display()),
        })
    }
}

/// A tenant keeps its upstream as a number of 16 bits.
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
