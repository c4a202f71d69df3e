//! Reads `[server]`: the listeners, the workers and the stop.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    thread::available_parallelism,
    time::Duration,
};

use ipnet::IpNet;

use crate::{
    problem::{Place, Problem},
    reader::{Node, TableReader},
    values::Server,
    written::quoted,
};

pub(super) fn read(root: &TableReader<'_>) -> Server {
    let table = root.section("server");
    let mut listeners = Vec::new();
    let https = read_listeners(&table, "https", DEFAULT_HTTPS_PORT, &mut listeners);
    let http = read_listeners(&table, "http", DEFAULT_HTTP_PORT, &mut listeners);
    check_conflicts(&table, &listeners);
    let server = Server {
        https,
        http,
        workers: workers(table.get("workers", 0, |node| node.number(0..=MAX_WORKERS))),
        drain: table.get("drain", Server::DEFAULT_DRAIN, read_drain),
        watch: table.get("watch", false, |node| node.boolean()),
        trusted_proxies: table.list("trusted_proxies", Vec::new(), read_network),
    };
    check_listeners(&table, &server);
    server
}

fn workers(configured: usize) -> NonZeroUsize {
    NonZeroUsize::new(configured)
        .unwrap_or_else(|| available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

fn read_drain(node: Node<'_>) -> Option<Duration> {
    let drain = node.duration(Duration::ZERO..=MAX_DRAIN)?;
    if drain.is_zero() {
        node.warn(
            "open exchanges are cut as soon as the gateway stops",
            "write \"30s\", which is the default",
        );
    }
    Some(drain)
}

fn read_network(node: &Node<'_>) -> Option<IpNet> {
    let text = node.text()?;
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let Ok(network) = network else {
        return node.refuse("a network", "write a network such as \"10.0.0.0/8\", or one address");
    };
    if network.prefix_len() == 0 {
        let help = "write the networks of your own proxies";
        node.warn("the forwarding headers of every client are trusted", help);
    }
    if network.addr() != network.network() {
        let help = format!("write \"{}\"", network.trunc());
        node.warn("has bits set outside its prefix, which are ignored", help);
    }
    Some(network.trunc())
}

/// A listener, for the comparison with the others.
struct Listener {
    address: SocketAddr,
    key: &'static str,
    /// `None` for a default.
    place: Option<Place>,
}

fn read_listeners(
    table: &TableReader<'_>,
    key: &'static str,
    default_port: u16,
    listeners: &mut Vec<Listener>,
) -> Vec<SocketAddr> {
    let default = SocketAddr::from((Ipv4Addr::UNSPECIFIED, default_port));
    if table.value(key).is_none() {
        listeners.push(Listener { address: default, key, place: None });
    }
    table.list(key, vec![default], |node| {
        let address = read_address(node)?;
        listeners.push(Listener { address, key, place: Some(node.place()) });
        Some(address)
    })
}

fn read_address(node: &Node<'_>) -> Option<SocketAddr> {
    let text = node.text()?;
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
    let expected = "an address and a port";
    match port {
        Some(port) if text.starts_with("localhost") => {
            node.refuse(expected, format!("write \"127.0.0.1:{port}\""))
        }
        Some(port) => node.refuse(
            expected,
            format!("write \"0.0.0.0:{port}\" or \"[::]:{port}\" for every interface"),
        ),
        None => node.refuse(expected, "write \"0.0.0.0:8443\", or \"[::1]:8443\""),
    }
}

fn check_conflicts(table: &TableReader<'_>, listeners: &[Listener]) {
    for (index, listener) in listeners.iter().enumerate() {
        let earlier = listeners.get(..index).unwrap_or_default();
        let Some(first) = earlier.iter().find(|first| conflict(first.address, listener.address))
        else {
            continue;
        };
        let place = listener.place.clone().or(first.place.clone());
        let origin = if first.place.is_some() { "" } else { " (the default)" };
        let message = format!(
            "{} conflicts with {} of server.{}{origin}",
            listener.address, first.address, first.key
        );
        let place = place.unwrap_or_else(|| table.place());
        let problem = Problem::error(place, table.key_of(listener.key), message);
        table.reader.push(problem.help("give each listener its own port".to_owned()));
    }
}

/// Returns true if two listeners cannot be bound at the same time. `[::]` and `0.0.0.0` can, because an IPv6 listener
/// takes only IPv6. Each port 0 is a different free port.
pub(super) fn conflict(one: SocketAddr, other: SocketAddr) -> bool {
    let (one_ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    let overlap = one_ip == other_ip || one_ip.is_unspecified() || other_ip.is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && one_ip.is_ipv4() == other_ip.is_ipv4()
        && overlap
}

fn check_listeners(table: &TableReader<'_>, server: &Server) {
    // A list whose elements are all invalid is empty too, but was already reported.
    let Some(node) = table.value("https").filter(Node::is_empty_array) else { return };
    let help = format!("write https = [{}]", quoted("0.0.0.0:8443"));
    if server.http.is_empty() {
        let _: Option<()> = node.error("the gateway has no listener", help);
    } else {
        node.warn("the http listeners redirect to https, but there is no https listener", help);
    }
}

const DEFAULT_HTTPS_PORT: u16 = 8443;
const DEFAULT_HTTP_PORT: u16 = 8080;
const MAX_DRAIN: Duration = Duration::from_hours(24);
const MAX_WORKERS: usize = 1024;
