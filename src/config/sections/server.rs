//! `[server]`: where the gateway listens, and how it stops.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    thread::available_parallelism,
    time::Duration,
};

use ipnet::IpNet;

use crate::config::{
    Server,
    problem::{Place, Problem},
    reader::{Node, Table},
    written::quoted,
};

pub(super) fn read(root: &Table<'_>) -> Server {
    let table = root.section("server");
    let mut listeners = Vec::new();
    let https = read_listeners(&table, "https", DEFAULT_HTTPS_PORT, &mut listeners);
    let http = read_listeners(&table, "http", DEFAULT_HTTP_PORT, &mut listeners);
    refuse_clashes(&table, &listeners);
    let server = Server {
        https,
        http,
        workers: workers(table.get("workers", 0, |node| node.number(0..=MAX_WORKERS))),
        drain: table.get("drain", Server::DEFAULT_DRAIN, read_drain),
        watch: table.get("watch", false, |node| node.boolean()),
        trusted_proxies: table.list("trusted_proxies", Vec::new(), read_network),
    };
    judge_listeners(&table, &server);
    server
}

impl Server {
    /// How long open exchanges may finish at a stop, unless configured.
    pub const DEFAULT_DRAIN: Duration = Duration::from_secs(30);
}

fn workers(configured: usize) -> NonZeroUsize {
    NonZeroUsize::new(configured)
        .unwrap_or_else(|| available_parallelism().unwrap_or(NonZeroUsize::MIN))
}

fn read_drain(node: Node<'_>) -> Option<Duration> {
    let drain = node.duration(Duration::ZERO..=MAX_DRAIN)?;
    if drain.is_zero() {
        node.warn("a stop cuts every open exchange at once", "write \"30s\", the default");
    }
    Some(drain)
}

fn read_network(node: &Node<'_>) -> Option<IpNet> {
    let text = node.text()?;
    let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let Ok(network) = network else {
        return node.refuse("a network", "write it as \"10.0.0.0/8\", or one address");
    };
    if network.prefix_len() == 0 {
        let help = "name the networks of your own proxies";
        node.warn("everybody's forwarding fields are believed", help);
    }
    if network.addr() != network.network() {
        let help = format!("write \"{}\"", network.trunc());
        node.warn("has bits outside its prefix, which count for nothing", help);
    }
    Some(network.trunc())
}

/// One listener, to be compared with the others.
struct Listener {
    address: SocketAddr,
    key: &'static str,
    /// None: a default.
    place: Option<Place>,
}

fn read_listeners(
    table: &Table<'_>,
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

fn refuse_clashes(table: &Table<'_>, listeners: &[Listener]) {
    for (index, listener) in listeners.iter().enumerate() {
        let earlier = listeners.get(..index).unwrap_or_default();
        let Some(first) = earlier.iter().find(|first| clash(first.address, listener.address))
        else {
            continue;
        };
        let place = listener.place.clone().or(first.place.clone());
        let origin = if first.place.is_some() { "" } else { ", its default" };
        let message = format!(
            "{} clashes with {} of server.{}{origin}",
            listener.address, first.address, first.key
        );
        let place = place.unwrap_or_else(|| table.place());
        let problem = Problem::error(place, table.key_of(listener.key), message);
        table.reader.push(problem.help("give each listener a port of its own".to_owned()));
    }
}

/// Whether two listeners would share connections. An IPv6 listener takes IPv6 alone, so `[::]` and `0.0.0.0` don't.
/// Port 0 is another free port each time.
pub(super) fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let (one_ip, other_ip) = (one.ip().to_canonical(), other.ip().to_canonical());
    let overlap = one_ip == other_ip || one_ip.is_unspecified() || other_ip.is_unspecified();
    one.port() == other.port()
        && one.port() != 0
        && one_ip.is_ipv4() == other_ip.is_ipv4()
        && overlap
}

fn judge_listeners(table: &Table<'_>, server: &Server) {
    // A list whose elements are all wrong leaves nothing either; that has been told.
    let Some(node) = table.value("https").filter(Node::is_empty_array) else { return };
    let help = format!("write https = [{}]", quoted("0.0.0.0:8443"));
    if server.http.is_empty() {
        let _: Option<()> = node.error("the gateway listens nowhere", help);
    } else {
        node.warn("plain requests are redirected to https, where nothing listens", help);
    }
}

const DEFAULT_HTTPS_PORT: u16 = 8443;
const DEFAULT_HTTP_PORT: u16 = 8080;
const MAX_DRAIN: Duration = Duration::from_hours(24);
const MAX_WORKERS: usize = 1024;
