//! Reads `[page]`: the path of the cookie page, and the operator that it names.

use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    written::{Written, quoted},
};
use crumbgate_pages::page::settings::{Link, Name, PagePath, PageSettings};

/// The reason why the configuration must have a page.
#[derive(Clone, Copy)]
pub(super) enum PageNeed {
    /// The defaults or a tenant of the file ask people to agree.
    Agreement,
    /// The defaults or a tenant of the file have a guard.
    Guard,
}

/// Reads `[page]`.
pub(super) fn read(root: &TableReader<'_>, need: Option<PageNeed>) -> PageSettings {
    let table = root.section("page");
    let default = Path(PageSettings::default().path);
    let Path(path) = table.get("path", default, |node| {
        let path = read_path(&node)?;
        if let (Some(need), None) = (need, &path) {
            let (message, help) = need.message();
            return node.error(message, help);
        }
        Some(Path(path))
    });
    let operator = table.optional("operator", |node| read_name(&node));
    let link = table.optional("link", |node| {
        node.parsed::<Link>("write the whole address, such as \"https://www.example.com/imprint\"")
    });
    PageSettings { path, operator, link, logo: table.optional("logo", |node| read_name(&node)) }
}

impl PageNeed {
    /// Returns the message and the help of the error about a missing page.
    fn message(self) -> (&'static str, &'static str) {
        match self {
            Self::Agreement => (
                "is required: tenants ask people to agree on this page",
                "remove the key for \"/.well-known/cookies\", or write agreement = \"off\" for all tenants",
            ),
            Self::Guard => (
                "is required: the guard's script reports to a path below it",
                "remove the key for \"/.well-known/cookies\", or write guard = \"off\" for all tenants",
            ),
        }
    }
}

/// Reports a tenant that needs the page although the configuration has none.
pub(super) fn report_missing_page(table: &TableReader<'_>, need: &str) {
    let message = format!("{need}, but this gateway has no cookie page");
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
