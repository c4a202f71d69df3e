//! `[admin]`: read and checked as the design has it, and without effect in this version.

use std::net::SocketAddr;

use crate::config::{
    problem::Problem,
    reader::{Node, Table},
    written::{Written, quoted},
};

/// Checks the table, if it is written.
pub(super) fn read(root: &Table<'_>) {
    let table = root.section("admin");
    if !table.is_written() {
        return;
    }
    read_admin(&table);
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
const NO_EFFECT: &str = "has no effect in this version";
