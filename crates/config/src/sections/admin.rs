//! Reads `[admin]`: the listener of the admin interface and its access rules.

use std::path::PathBuf;

use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    values::{Admin, AdminListener, CertificateFiles, Server},
    written::{Written, quoted},
};
use crumbgate_audit::tenants::split_authority;

use super::{server::conflict, tls::read_certificate};

/// Reads `[admin]`. The files that it names are not read here.
pub(super) fn read(root: &TableReader<'_>, server: &Server) -> Admin {
    let table = root.section("admin");
    let token_file = table.optional("token_file", |node| node.path());
    let certificate = table.optional("certificate", |node| read_certificate(&node));
    let hosts = table.list("hosts", Vec::new(), read_host);
    let tenant_series = table.get("tenant_series", 0, |node| node.number(0..=MAX_TENANT_SERIES));
    let listen = table.get("listen", AdminListener::DEFAULT, read_listener);
    check_exposure(&table, &listen, token_file.is_some(), certificate.is_some());
    check_conflicts(&table, &listen, server);
    if let (Some(node), AdminListener::Unix(_)) = (table.value("certificate"), &listen) {
        node.warn("has no effect: a Unix socket has no TLS", "remove it");
    }
    Admin {
        listen: resolve_listener(root, listen),
        token_file: token_file.map(|file: PathBuf| root.reader.resolve(file)),
        certificate: certificate.map(|files: CertificateFiles| CertificateFiles {
            chain: root.reader.resolve(files.chain),
            key: root.reader.resolve(files.key),
        }),
        hosts,
        tenant_series,
    }
}

fn read_listener(node: Node<'_>) -> Option<AdminListener> {
    let text = node.text()?;
    if text == "off" {
        return Some(AdminListener::Off);
    }
    if let Some(path) = text.strip_prefix("unix:") {
        if path.is_empty() || path.starts_with("//") || path.contains('\0') {
            return node.refuse("the path of a Unix socket", "write \"unix:/run/crumbgate.sock\"");
        }
        return Some(AdminListener::Unix(path.into()));
    }
    text.parse().map(AdminListener::Tcp).ok().or_else(|| {
        let port = text.strip_prefix("localhost:").and_then(|port| port.parse::<u16>().ok());
        let help = match port {
            Some(port) => format!("write \"127.0.0.1:{port}\""),
            None => "write \"127.0.0.1:9443\", \"unix:/run/crumbgate.sock\", or \"off\"".to_owned(),
        };
        node.refuse("an address and a port, a Unix socket, or \"off\"", help)
    })
}

/// Reports a listener that other machines can reach without tokens or without TLS.
fn check_exposure(
    table: &TableReader<'_>,
    listen: &AdminListener,
    has_tokens: bool,
    has_tls: bool,
) {
    if !listen.is_reachable_from_elsewhere() {
        return;
    }
    // A key that is written but wrong was already reported.
    let is_written = |key| table.value(key).is_some();
    let lacks_tokens = !has_tokens && !is_written("token_file");
    let lacks_tls = !has_tls && !is_written("certificate");
    let (missing, help) = match (lacks_tokens, lacks_tls) {
        (true, true) => ("a token_file and a certificate", TOKEN_FILE_AND_CERTIFICATE),
        (true, false) => ("a token_file", TOKEN_FILE),
        (false, true) => ("a certificate", CERTIFICATE),
        (false, false) => return,
    };
    let message = format!("other machines can connect to it, so it needs {missing}");
    let help = format!("{help}; or listen on 127.0.0.1 or a Unix socket");
    if let Some(node) = table.value("listen") {
        let _: Option<()> = node.error(message, help);
    }
}

const TOKEN_FILE: &str = "write token_file = \"admin-tokens\"";
const CERTIFICATE: &str = "write certificate = { chain = \"admin.crt\", key = \"admin.key\" }";
const TOKEN_FILE_AND_CERTIFICATE: &str = "write token_file = \"admin-tokens\" and \
    certificate = { chain = \"admin.crt\", key = \"admin.key\" }";

fn check_conflicts(table: &TableReader<'_>, listen: &AdminListener, server: &Server) {
    let AdminListener::Tcp(address) = listen else { return };
    let listeners = [("https", &server.https), ("http", &server.http)];
    for (key, addresses) in listeners {
        let Some(other) = addresses.iter().find(|other| conflict(**other, *address)) else {
            continue;
        };
        let place = table.value("listen").map_or_else(|| table.place(), |node| node.place());
        let origin = if table.value("listen").is_some() { "" } else { " (the default)" };
        let message = format!("{address}{origin} conflicts with {other} of server.{key}");
        let problem = Problem::error(place, table.key_of("listen"), message);
        let help = "give each listener its own port, or write admin.listen = \"off\"";
        table.reader.push(problem.help(help.to_owned()));
    }
}

fn read_host(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    let help = "write only a host, such as \"admin.example\"";
    match split_authority(text) {
        Some((host, None)) => Some(host.into_owned()),
        Some((host, Some(_))) => {
            node.refuse("a host without a port", format!("write {}", quoted(&host)))
        }
        None => node.refuse("a host", help),
    }
}

fn resolve_listener(root: &TableReader<'_>, listen: AdminListener) -> AdminListener {
    match listen {
        AdminListener::Unix(path) => AdminListener::Unix(root.reader.resolve(path)),
        listen @ (AdminListener::Off | AdminListener::Tcp(_)) => listen,
    }
}

impl Written for AdminListener {
    fn written(&self) -> String {
        quoted(&self.to_string())
    }
}

/// The bound of the series that a scrape of the metrics has to read and store.
const MAX_TENANT_SERIES: usize = 100_000;
