//! `[seal]` and `[agreement]`: which cookie is sealed, with which keys, and how people are asked (G).

use std::path::PathBuf;

use time::{Date, macros::format_description};

use crate::{
    config::{
        Asking, Seal,
        problem::Problem,
        reader::{Node, Table, suggestion},
        written::{Written, quoted},
    },
    policy::declaration::{CookieName, Declaration, DeclaredCookie, Lifetime, PathPattern},
};

use super::upstreams::read_path;

/// Reads `[seal]`. `is_asked_for`: the defaults or a tenant of the file want values sealed.
pub(super) fn read(root: &Table<'_>, declaration: &Declaration, is_asked_for: bool) -> Seal {
    let table = root.section("seal");
    let keys = table.optional("keys", |node| node.path());
    let named = table.optional("cookie", |node| read_cookie(&node, declaration));
    let cookie = named.or_else(|| sealable(declaration).map(|cookie| cookie.name.clone()));
    let unsealed_until = table.optional("unsealed_until", read_day);
    let is_used = is_asked_for || keys.is_some();
    if is_used && cookie.is_none() && table.value("cookie").is_none() {
        refuse_lack(&table);
    }
    Seal {
        is_used,
        keys: table.reader.resolve(keys.unwrap_or_else(|| PathBuf::from("state/seal.keys"))),
        cookie,
        unsealed_until_unix_s: unsealed_until.map(|Day(unix_s)| unix_s),
    }
}

/// Reads `[agreement]`.
pub(super) fn read_asking(root: &Table<'_>) -> Asking {
    let table = root.section("agreement");
    Asking {
        ask_again: table.get("ask_again", false, |node| node.boolean()),
        open_paths: table.list("open_paths", Vec::new(), |node| {
            node.parsed::<PathPattern>("write \"/imprint\", or \"/legal/*\" for all below a path")
        }),
        logout: table.optional("logout", |node| read_path(&node, "/logout")),
    }
}

fn read_cookie(node: &Node<'_>, declaration: &Declaration) -> Option<CookieName> {
    let text = node.text()?;
    let mut cookies = declaration.cookies().iter();
    let Some(cookie) = cookies.find(|cookie| cookie.name.as_str() == text) else {
        let names = declaration.cookies().iter().map(|cookie| cookie.name.as_str());
        let help = match suggestion(text, names) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => "write the name of one of [[cookies]]".to_owned(),
        };
        return node.refuse("the name of a declared cookie", help);
    };
    if !cookie.http_only {
        let message = "is read by scripts, and what is sealed means nothing to them";
        return node.error(message, "name a cookie with http_only = true");
    }
    Some(cookie.name.clone())
}

fn refuse_lack(table: &Table<'_>) {
    let message = "is missing: none of the declared cookies lives as long as the session and is out of reach of scripts";
    let problem = Problem::error(table.place(), table.key_of("cookie"), message);
    let help =
        "write cookie = \"…\" in [seal], with the name of a cookie that has http_only = true";
    table.reader.push(problem.help(help.to_owned()));
}

/// The moment at which a day begins, in UTC.
#[derive(Clone, Copy)]
struct Day(u64);

fn read_day(node: Node<'_>) -> Option<Day> {
    let form = format_description!("[year]-[month]-[day]");
    let day = Date::parse(node.text()?, form).ok();
    let unix_s = day.map(|day| day.midnight().assume_utc().unix_timestamp());
    let unix_s = unix_s.and_then(|unix_s| u64::try_from(unix_s).ok());
    match unix_s {
        Some(unix_s) => Some(Day(unix_s)),
        None => node.refuse(
            "a day",
            "write \"2027-01-31\": values that are not sealed end with the day before, UTC",
        ),
    }
}

impl Written for Day {
    fn written(&self) -> String {
        let form = format_description!("[year]-[month]-[day]");
        let unix_s = i64::try_from(self.0).unwrap_or_default();
        let day = time::OffsetDateTime::from_unix_timestamp(unix_s).ok();
        quoted(&day.and_then(|day| day.format(form).ok()).unwrap_or_default())
    }
}

/// The cookie that is sealed where none is named (G1).
fn sealable(declaration: &Declaration) -> Option<&DeclaredCookie> {
    let mut cookies = declaration.cookies().iter();
    cookies.find(|cookie| cookie.http_only && cookie.lifetime == Lifetime::Session)
}
