//! Reads `[seal]` and `[agreement]`: the sealed cookie, its keys, and the question whether people agree (G).

use std::path::PathBuf;

use time::{Date, macros::format_description};

use crate::{
    problem::Problem,
    reader::{Node, TableReader},
    suggestion::suggestion,
    values::{Asking, Seal},
    written::{Written, quoted},
};
use crumbgate_policy::declaration::{
    CookieName, Declaration, DeclaredCookie, Lifetime, PathPattern,
};

use super::upstreams::read_path;

/// Reads `[seal]`. It is needed if the defaults or a tenant of the file seal.
pub(super) fn read(root: &TableReader<'_>, declaration: &Declaration, is_needed: bool) -> Seal {
    let table = root.section("seal");
    let keys = table.optional("keys", |node| node.path());
    let named = table.optional("cookie", |node| read_cookie(&node, declaration));
    let cookie = named.or_else(|| sealable(declaration).map(|cookie| cookie.name.clone()));
    let unsealed_until = table.optional("unsealed_until", read_day);
    let is_used = is_needed || keys.is_some();
    if is_used && cookie.is_none() && table.value("cookie").is_none() {
        report_no_cookie(&table);
    }
    Seal {
        is_used,
        keys: table.reader.resolve(keys.unwrap_or_else(|| PathBuf::from("state/seal.keys"))),
        cookie,
        unsealed_until_unix_s: unsealed_until.map(|Day(unix_s)| unix_s),
    }
}

/// Reads `[agreement]`.
pub(super) fn read_asking(root: &TableReader<'_>) -> Asking {
    let table = root.section("agreement");
    Asking {
        ask_again: table.get("ask_again", false, |node| node.boolean()),
        open_paths: table.list("open_paths", Vec::new(), |node| {
            node.parsed::<PathPattern>(
                "write \"/imprint\", or \"/legal/*\" for every path below /legal",
            )
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
            None => "write the name of a cookie in [[cookies]]".to_owned(),
        };
        return node.refuse("the name of a declared cookie", help);
    };
    if !cookie.http_only {
        let message = "scripts read this cookie, and they cannot read a sealed value";
        return node.error(message, "write the name of a cookie with http_only = true");
    }
    Some(cookie.name.clone())
}

fn report_no_cookie(table: &TableReader<'_>) {
    let message = "is missing: no declared cookie has http_only = true and lifetime = \"session\"";
    let problem = Problem::error(table.place(), table.key_of("cookie"), message);
    let help =
        "write cookie = \"…\" in [seal], with the name of a cookie that has http_only = true";
    table.reader.push(problem.help(help.to_owned()));
}

/// The beginning of a day in UTC, in seconds since the Unix epoch.
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
            "write \"2027-01-31\": unsealed values are rejected from the beginning of this day, UTC",
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

/// Returns the cookie that is sealed if none is named (G1).
fn sealable(declaration: &Declaration) -> Option<&DeclaredCookie> {
    let mut cookies = declaration.cookies().iter();
    cookies.find(|cookie| cookie.http_only && cookie.lifetime == Lifetime::Session)
}
