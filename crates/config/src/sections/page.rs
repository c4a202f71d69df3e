//! Reads `[page]`: the path of the cookie page, and the operator that it names.

use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    written::{Written, quoted},
};
use crumbgate_pages::page::settings::{Link, Name, PagePath, PageSettings};

/// Reads `[page]`. The page is needed if the defaults or a tenant of the file ask people to agree.
pub(super) fn read(root: &TableReader<'_>, is_needed: bool) -> PageSettings {
    let table = root.section("page");
    let default = Path(PageSettings::default().path);
    let Path(path) = table.get("path", default, |node| {
        let path = read_path(&node)?;
        if is_needed && path.is_none() {
            return node.error("is required: tenants ask people to agree on this page", NEEDED);
        }
        Some(Path(path))
    });
    let operator = table.optional("operator", |node| read_name(&node));
    let link = table.optional("link", |node| {
        node.parsed::<Link>("write the whole address, such as \"https://www.example.com/imprint\"")
    });
    PageSettings { path, operator, link, logo: table.optional("logo", |node| read_name(&node)) }
}

const NEEDED: &str =
    "remove the key for \"/.well-known/cookies\", or write agreement = \"off\" for all tenants";

/// Reports a tenant that asks people to agree although the configuration has no page.
pub(super) fn report_missing_page(table: &TableReader<'_>) {
    let message = "asks people to agree, but this gateway has no cookie page";
    let problem = Problem::error(table.place(), table.key(), message);
    let help = "remove page.path from the configuration, and reload";
    table.reader.push(problem.help(help.to_owned()));
}

struct Path(Option<PagePath>);

fn read_path(node: &Node<'_>) -> Option<Option<PagePath>> {
    if node.as_text() == Some("off") {
        return Some(None);
    }
    node.parsed("remove the key for \"/.well-known/cookies\", or write \"off\" for no page")
        .map(Some)
}

fn read_name(node: &Node<'_>) -> Option<Name> {
    node.parsed("write it in one line")
}

impl Written for Path {
    fn written(&self) -> String {
        quoted(self.0.as_ref().map_or("off", PagePath::as_str))
    }
}

impl Written for Name {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}

impl Written for Link {
    fn written(&self) -> String {
        quoted(self.as_str())
    }
}
