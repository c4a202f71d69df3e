//! `[page]`: where people read which cookies there are, and whose site it is.

use crate::{
    config::{
        problem::Problem,
        reader::{Node, Table},
        written::{Written, quoted},
    },
    page::settings::{Link, Name, PagePath, Settings},
};

/// Reads `[page]`. `is_needed`: the defaults or a tenant of the file ask people to agree, and that is done there.
pub(super) fn read(root: &Table<'_>, is_needed: bool) -> Settings {
    let table = root.section("page");
    let default = Path(Settings::default().path);
    let Path(path) = table.get("path", default, |node| {
        let path = read_path(&node)?;
        if is_needed && path.is_none() {
            return node.error("people are asked to agree, and that is done on this page", NEEDED);
        }
        Some(Path(path))
    });
    let operator = table.optional("operator", |node| read_name(&node));
    let link = table.optional("link", |node| {
        node.parsed::<Link>("write the whole address, such as \"https://www.example.com/imprint\"")
    });
    Settings { path, operator, link, logo: table.optional("logo", |node| read_name(&node)) }
}

const NEEDED: &str = "leave it out for \"/.well-known/cookies\", or write agreement = \"off\"";

/// Refuses a tenant that asks people to agree where a configuration has no page for that.
pub(super) fn refuse_lack(table: &Table<'_>) {
    let message = "asks people to agree, and this gateway has no page for that";
    let problem = Problem::error(table.place(), table.key(), message);
    let help = "leave page.path out of the configuration, and reload";
    table.reader.push(problem.help(help.to_owned()));
}

struct Path(Option<PagePath>);

fn read_path(node: &Node<'_>) -> Option<Option<PagePath>> {
    if node.as_text() == Some("off") {
        return Some(None);
    }
    node.parsed("leave it out for \"/.well-known/cookies\", or write \"off\" for no page").map(Some)
}

fn read_name(node: &Node<'_>) -> Option<Name> {
    node.parsed("write it in one line, as people know it")
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
