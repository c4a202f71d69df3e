//! `[state]`, `[audit]`, `[admin]`: read and checked as the design has them, and without effect in this version.

use std::{net::SocketAddr, ops::RangeInclusive, path::PathBuf, time::Duration};

use crate::config::{
    problem::Problem,
    reader::{Node, Table},
    written::{Written, quoted},
};

/// Checks the tables that are written.
pub(super) fn read(root: &Table<'_>) {
    read_table(root, "state", |table| {
        table.get("path", PathBuf::from("state/crumbgate.db"), |node| node.path());
    });
    read_table(root, "audit", |table| {
        table.get("window", Duration::from_mins(5), |node| node.duration(WINDOW));
        table.get("retention", Duration::from_hours(365 * 24), |node| node.duration(RETENTION));
    });
    read_table(root, "admin", read_admin);
}

fn read_table(root: &Table<'_>, key: &'static str, read: impl FnOnce(&Table<'_>)) {
    let table = root.section(key);
    if !table.is_written() {
        return;
    }
    read(&table);
    let problem = Problem::warning(table.place(), table.key(), NO_EFFECT);
    table.reader.push(problem.help("it is checked, so that it can stay".to_owned()));
}

fn read_admin(table: &Table<'_>) {
    let token_file = table.optional("token_file", |node| node.path());
    table.get("listen", Listen("127.0.0.1:9443".to_owned()), |node| {
        let listen = read_listen(node)?;
        if !listen.is_local() && token_file.is_none() {
            let help = "write token_file, or listen on 127.0.0.1 or a Unix socket";
            return node.error("is reachable from elsewhere, expected a token_file", help);
        }
        Some(listen)
    });
}

fn read_listen(node: Node<'_>) -> Option<Listen> {
    let text = node.text()?;
    let is_socket = text.strip_prefix("unix:").is_some_and(|path| !path.is_empty());
    if is_socket || text.parse::<SocketAddr>().is_ok() {
        return Some(Listen(text.to_owned()));
    }
    let help = "write \"127.0.0.1:9443\", or \"unix:/run/crumbgate.sock\"";
    node.refuse("an address and a port, or a Unix socket", help)
}

/// An address or a Unix socket, as written.
struct Listen(String);

impl Listen {
    fn is_local(&self) -> bool {
        self.0
            .parse::<SocketAddr>()
            .map_or(true, |address| address.ip().to_canonical().is_loopback())
    }
}

impl Written for Listen {
    fn written(&self) -> String {
        quoted(&self.0)
    }
}

/// What is said of a key that nothing reads yet.
pub(super) const NO_EFFECT: &str = "has no effect in this version";

const WINDOW: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(24);
const RETENTION: RangeInclusive<Duration> =
    Duration::from_hours(24)..=Duration::from_hours(3_653 * 24);
