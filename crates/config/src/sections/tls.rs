//! Reads `[tls]`: certificates and versions.

use std::{ops::RangeInclusive, time::Duration};

use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    values::{CertificateFiles, Server, Tls, TlsVersion},
    written::{Choice, Written},
};

/// Reads `[tls]`. The files that it names are not read here.
pub(super) fn read(root: &TableReader<'_>, server: &Server) -> Tls {
    let table = root.section("tls");
    let written = table.list("certificates", Vec::new(), read_certificate);
    let min_version = table.get("min_version", TlsVersion::V1_2, |node| node.choice());
    let hsts = table.optional("hsts", |node| node.duration(HSTS));
    let is_absent = table.value("certificates").is_none_or(|node| node.is_empty_array());
    if is_absent && !table.is_misread() && !server.https.is_empty() {
        let message =
            "found no certificate, expected at least one for the listeners of server.https";
        let help = "write certificates = [{ chain = \"certs/dev.crt\", key = \"certs/dev.key\" }]; \
                    `crumbgate certificate` creates these two files";
        let place = table.value("certificates").map_or_else(|| table.place(), |node| node.place());
        let problem = Problem::error(place, table.key_of("certificates"), message);
        table.reader.push(problem.help(help.to_owned()));
    }
    let resolve = |files: CertificateFiles| CertificateFiles {
        chain: root.reader.resolve(files.chain),
        key: root.reader.resolve(files.key),
    };
    Tls { certificates: written.into_iter().map(resolve).collect(), min_version, hsts }
}

/// Up to two years, which lists of browsers ask for at most.
const HSTS: RangeInclusive<Duration> = Duration::from_mins(1)..=Duration::from_hours(730 * 24);

pub(super) fn read_certificate(node: &Node<'_>) -> Option<CertificateFiles> {
    let table = node.element()?;
    let help = "write { chain = \"certs/dev.crt\", key = \"certs/dev.key\" }";
    let chain = table.required("chain", help, |node| node.path());
    let key = table.required("key", help, |node| node.path());
    Some(CertificateFiles { chain: chain?, key: key? })
}

impl Written for CertificateFiles {
    fn written(&self) -> String {
        format!("{{ chain = {}, key = {} }}", self.chain.written(), self.key.written())
    }
}

impl Choice for TlsVersion {
    const WORDS: &'static [(&'static str, Self)] = &[("1.2", Self::V1_2), ("1.3", Self::V1_3)];
}
