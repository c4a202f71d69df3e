//! The HTML pages. Text from outside is written through [`Escaped`].

use std::fmt::{self, Display, Write};

use super::{
    cookies::{BY_HEADER, BY_SCRIPT, TRACKERS},
    organizations::{Desk, Organization},
    session::Session,
};

/// Text from outside, escaped for HTML text and quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                character => f.write_char(character)?,
            }
        }
        Ok(())
    }
}

/// The frame around the content of every page.
pub(super) struct Frame<'a> {
    pub(super) organization: &'a Organization,
    /// `None`: an error page for a visitor without a session.
    pub(super) session: Option<&'a Session>,
    pub(super) path: &'a str,
    /// Marks the page's own style and script (Content Security Policy).
    pub(super) nonce: &'a str,
    /// True where the page sets trackers by script.
    pub(super) has_script: bool,
}

impl Frame<'_> {
    /// The whole document. `main` is HTML.
    pub(super) fn render(&self, title: &str, main: impl Display) -> String {
        let Self { organization, nonce, .. } = self;
        let (light, dark) = organization.accent;
        let nav = self.nav();
        let script = if self.has_script { self.script() } else { String::new() };
        format!(
            r##"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{title} · {organization}</title>
<style nonce="{nonce}">:root {{ --accent-light: {light}; --accent-dark: {dark}; }}
{STYLE}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header><div class="bar">
<a class="brand" href="/">{organization}</a>
{nav}
</div></header>
<main id="main">
{main}
</main>
{script}</body>
</html>
"##,
            title = Escaped(title),
            organization = Escaped(organization.name),
        )
    }

    fn nav(&self) -> String {
        let link = |path: &str, text: &str| {
            let current = if path == self.path { " aria-current=\"page\"" } else { "" };
            format!("<li><a href=\"{path}\"{current}>{text}</a></li>\n")
        };
        let mut items = link("/", "Home") + &link("/map-builder", "Map editor");
        items += &link("/privacy", "Cookies");
        match self.session {
            Some(Session { user: Some(user), token, .. }) => {
                let _ = writeln!(
                    items,
                    "<li><form class=\"inline\" method=\"post\" action=\"/logout\">\
                     <input type=\"hidden\" name=\"_token\" value=\"{token}\">\
                     <button class=\"plain\">Log out {user}</button></form></li>",
                    token = Escaped(token),
                    user = Escaped(user),
                );
            }
            _ => items += &link("/login", "Log in"),
        }
        format!("<nav aria-label=\"Main\"><ul>\n{items}</ul></nav>")
    }

    fn script(&self) -> String {
        let cookies: Vec<_> =
            BY_SCRIPT.iter().map(|(name, rest)| format!("{name}={rest}")).collect();
        let cookies = serde_json::Value::from(cookies).to_string().replace('<', "\\u003c");
        format!(
            "<script type=\"application/json\" id=\"trackers\">{cookies}</script>\n\
             <script nonce=\"{}\">\n{SCRIPT}</script>\n",
            self.nonce
        )
    }
}

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// The page that compares the trackers that were set, those that arrived, and those that scripts can read.
pub(super) fn home(organization: &Organization, session: &Session, received: &[Pair]) -> String {
    let arrived = |name: &str| received.iter().any(|(known, _)| known == name);
    let count = TRACKERS.iter().filter(|name| arrived(name)).count();
    let total = TRACKERS.len();
    let greeting = match &session.user {
        Some(user) => format!("Welcome, {}", Escaped(user)),
        None => format!("Welcome to {}", Escaped(organization.name)),
    };
    let number = if count == 0 { "None".to_owned() } else { count.to_string() };
    let some = if count == 0 { "" } else { " some" };
    let mut rows = String::new();
    let by_header = BY_HEADER.iter().map(|(name, _)| (*name, "Set-Cookie"));
    let by_script = BY_SCRIPT.iter().map(|(name, _)| (*name, "script"));
    for (name, set_by) in by_header.chain(by_script) {
        rows += &row(name, set_by, arrived(name));
    }
    format!(
        r#"<h1>{greeting}</h1>
<p class="quiet">Desk booking for {organization}, a sample application. It needs three cookies, and sets {total} undeclared
trackers. Open this page through the gateway and at the application's own address, and compare.</p>

<section class="card" aria-labelledby="came">
<h2 id="came">Cookies of this request</h2>
<p class="count{some}"><strong>{number}</strong> of the {total} trackers arrived.</p>
<p class="quiet">The first visit sends none: <a href="/">load the page again</a> to send the cookies that the browser has
kept.</p>
<div class="columns">
<div><h3 id="received">The <code>Cookie</code> header, as the application received it</h3>
<pre tabindex="0" aria-labelledby="received">{received}</pre></div>
<div><h3 id="live"><code>document.cookie</code>, live</h3>
<pre tabindex="0" aria-labelledby="live" id="visible-to-scripts">(scripts are off)</pre></div>
</div>
</section>

<section class="card" aria-labelledby="trackers-title">
<h2 id="trackers-title">Trackers of this application</h2>
<div class="scroll" tabindex="0" role="region" aria-labelledby="trackers-title"><table>
<caption>At the application's own address every cookie stays. Through the gateway no cell says yes (except in report
mode): the gateway removes these cookies from headers, and a script that it puts first into the page keeps this page's
script from setting them. One more tracker has no name.</caption>
<thead><tr><th scope="col">Cookie</th><th scope="col">Set by</th><th scope="col">Arrived with this request</th>
<th scope="col">Readable by scripts on arrival</th><th scope="col">Readable by scripts now</th></tr></thead>
<tbody>
{rows}</tbody>
</table></div>
</section>

<section class="card" aria-labelledby="api">
<h2 id="api">Use the application</h2>
<p>API calls need a <a href="/login">login</a> and set no cookie themselves.</p>
<p><button type="button" data-call="/api/desks">Load the desks</button>
<button type="button" data-call="/api/slow">Load them slowly</button></p>
<pre id="desks" aria-live="polite"></pre>
</section>"#,
        organization = Escaped(organization.name),
        received = Received(received),
    )
}

/// A cookie's name and value.
pub(super) type Pair = (String, String);

fn row(name: &str, set_by: &str, arrived: bool) -> String {
    let (class, word) = if arrived { ("yes", "yes") } else { ("no", "no") };
    format!(
        "<tr data-name=\"{name}\"><th scope=\"row\"><code>{name}</code></th><td>{set_by}</td>\
         <td><span class=\"{class}\">{word}</span></td>\
         <td class=\"on-arrival\"><span class=\"no\">?</span></td>\
         <td class=\"now\"><span class=\"no\">?</span></td></tr>\n",
        name = Escaped(name),
    )
}

/// The pairs that arrived, one per line.
struct Received<'a>(&'a [Pair]);

impl Display for Received<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(nothing)");
        }
        for (name, value) in self.0 {
            // Scripts can read this page, so it must not contain the value of an HttpOnly cookie.
            let value = if name == "flexopus_session" { "(hidden: HttpOnly)" } else { value };
            writeln!(f, "{}={}", Escaped(name), Escaped(value))?;
        }
        Ok(())
    }
}

/// The login form, with an error message if there was an error.
pub(super) fn login(session: &Session, error: Option<&str>) -> String {
    let alert = match error {
        Some(error) => format!("<p class=\"alert\" role=\"alert\" id=\"error\">{error}</p>\n"),
        None => String::new(),
    };
    let described =
        if error.is_some() { " aria-invalid=\"true\" aria-describedby=\"error\"" } else { "" };
    format!(
        r#"<h1>Log in</h1>
<p class="quiet">Enter any name. There is no password: this is a sample.</p>
<form class="card" method="post" action="/login">
{alert}<input type="hidden" name="_token" value="{token}">
<label for="user">Name</label>
<input id="user" name="user" autocomplete="username" required maxlength="100"{described}>
<div><button>Log in</button></div>
</form>"#,
        token = Escaped(&session.token),
    )
}

/// The map editor: a floor plan with the organization's desks.
pub(super) fn map_editor(organization: &Organization) -> String {
    let rows = organization.desks.len().div_ceil(PLAN_COLUMNS);
    let height = rows * 110 + 30;
    let mut desks = String::new();
    for (index, desk) in organization.desks.iter().enumerate() {
        let (x, y) = (30 + index % PLAN_COLUMNS * 200, 30 + index / PLAN_COLUMNS * 110);
        let class = if desk.is_free { "free" } else { "taken" };
        let _ = writeln!(
            desks,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"170\" height=\"80\" rx=\"10\"/>\
             <text x=\"{}\" y=\"{}\">{}</text>",
            x + 85,
            y + 45,
            Escaped(desk.id),
        );
    }
    let list: String = organization.desks.iter().map(desk_item).collect();
    format!(
        r#"<h1>Map editor</h1>
<p class="quiet">The application remembers this visit in <code>visitedMapBuilder</code>.
<a href="/map-builder/help">Help</a></p>
<div class="card"><svg class="plan" viewBox="0 0 630 {height}" role="img" aria-labelledby="plan">
<title id="plan">Floor plan; the list below has the same content</title>
<rect class="room" x="8" y="8" width="614" height="{}" rx="16"/>
{desks}</svg></div>
<div class="card"><h2>Desks</h2><ul>{list}</ul></div>"#,
        height - 16,
    )
}

const PLAN_COLUMNS: usize = 3;

fn desk_item(desk: &Desk) -> String {
    let state = if desk.is_free { "free" } else { "taken" };
    format!("<li>{}, {}: {state}</li>", Escaped(desk.id), Escaped(desk.room))
}

/// The help page of the map editor, without a script.
pub(super) const MAP_EDITOR_HELP: &str = r#"<h1>Help for the map editor</h1>
<p>Coloured desks are free, grey ones are taken.</p>
<p class="quiet">This page runs no script, so no tracker is set while it is shown.</p>
<p><a class="button" href="/map-builder">Back to the map</a></p>"#;

/// The declaration that the operator of such an application would publish.
pub(super) const PRIVACY: &str = r#"<h1>Cookies</h1>
<p>These cookies are technically necessary. No other is declared.</p>
<div class="card scroll" tabindex="0" role="region" aria-label="Declared cookies"><table>
<thead><tr><th scope="col">Cookie</th><th scope="col">Kept for</th><th scope="col">Purpose</th></tr></thead>
<tbody>
<tr><th scope="row"><code>XSRF-TOKEN</code></th><td>the session's duration</td>
<td>authentication process</td></tr>
<tr><th scope="row"><code>flexopus_session</code></th><td>the session's duration</td>
<td>keeps the user logged in</td></tr>
<tr><th scope="row"><code>visitedMapBuilder</code></th><td>3 weeks</td>
<td>user friendliness of the map editor</td></tr>
</tbody>
</table></div>
<p class="quiet">This page runs no script, so no tracker is set while it is shown.</p>"#;

/// An error page.
pub(super) fn problem(title: &str, text: &str) -> String {
    format!(
        "<h1>{}</h1>\n<p>{}</p>\n<p><a class=\"button\" href=\"/\">Home</a></p>",
        Escaped(title),
        Escaped(text)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_can_neither_open_a_tag_nor_close_a_quote() {
        assert_eq!(
            Escaped(r#"<a b='c' d="e">&amp;"#).to_string(),
            "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;amp;"
        );
    }
}
