//! Explanations for people: a line for each cookie, and the bytes that leave.
//!
//! Whatever comes from outside is shown as printable ASCII: a name or a value may hold what a terminal obeys.

use std::fmt::{self, Write as _};

use anstyle::{AnsiColor, Style};

use super::{Cookie, Explanation, Fate, Leaving, Rule, Upstream};
use crumbgate_policy::{declaration::SessionDuration, verdict::Direction};

/// Renders one exchange, in colour if requested.
pub fn render(explanation: &Explanation, colour: bool) -> String {
    let mut text = Text { out: String::new(), colour };
    // Writing to a string does not fail.
    let _ = text.explanation(explanation);
    text.out
}

struct Text {
    out: String,
    colour: bool,
}

impl Text {
    fn explanation(&mut self, explanation: &Explanation) -> fmt::Result {
        self.head(explanation)?;
        let widths = Widths::of(&explanation.cookies);
        self.cookies("Request", Direction::Request, explanation, widths)?;
        self.cookies("Response", Direction::Response, explanation, widths)?;
        self.remarks(explanation)?;
        match &explanation.enforced {
            None => self.leaving("leaves", &explanation.leaves),
            Some(enforced) => {
                self.leaving("leaves, in report mode,", &explanation.leaves)?;
                self.leaving("would leave, if the tenant enforced,", enforced)
            }
        }
    }

    /// Writes the request, its tenant, and the status of the answer.
    fn head(&mut self, explanation: &Explanation) -> fmt::Result {
        let (method, path) = (Shown::text(&explanation.method), Shown::text(&explanation.path));
        let title = format!("{method} {path}");
        self.styled(BOLD, &title)?;
        if let Some((host, tenant)) = &explanation.admitted {
            let mode = tenant.policy.mode.word();
            let session: SessionDuration = tenant.policy.session;
            write!(self.out, " at {host}, tenant {}: {mode}, session {session}", tenant.name)?;
        }
        self.out.push('\n');
        let Some(refusal) = &explanation.refusal else {
            return writeln!(self.out, "answered {} by the application", explanation.status);
        };
        let answered = format!("answered {} by the gateway", refusal.status);
        self.styled(fate_style(Fate::Stripped), &answered)?;
        let rule = refusal.rule.map(|rule| format!("{rule}, ")).unwrap_or_default();
        writeln!(self.out, ": {rule}{}", Shown::text(&refusal.reason))
    }

    fn cookies(
        &mut self,
        title: &str,
        direction: Direction,
        explanation: &Explanation,
        widths: Widths,
    ) -> fmt::Result {
        let of_direction = |cookie: &&Cookie| cookie.direction == direction;
        let mut cookies = explanation.cookies.iter().filter(of_direction).peekable();
        if cookies.peek().is_none() {
            return Ok(());
        }
        self.title(title)?;
        for cookie in cookies {
            self.cookie(cookie, widths)?;
        }
        Ok(())
    }

    fn cookie(&mut self, cookie: &Cookie, widths: Widths) -> fmt::Result {
        write!(self.out, "  {:width$}  ", name(cookie), width = widths.name)?;
        self.styled(fate_style(cookie.fate), fate_word(cookie.fate))?;
        let gap = WIDEST_FATE.saturating_sub(fate_word(cookie.fate).len());
        let rules = rules(&cookie.rules);
        let width = widths.rules;
        writeln!(self.out, "{:gap$}  {rules:width$}  {}", "", Shown::text(&cookie.reason))
    }

    fn remarks(&mut self, explanation: &Explanation) -> fmt::Result {
        if explanation.remarks.is_empty() {
            return Ok(());
        }
        self.title("Remarks")?;
        for remark in &explanation.remarks {
            let rule = remark.rule.map(|rule| format!("{rule}  ")).unwrap_or_default();
            writeln!(self.out, "  {rule}{}", Shown::text(&remark.words))?;
        }
        Ok(())
    }

    fn leaving(&mut self, leaves: &str, leaving: &Leaving) -> fmt::Result {
        let (note, text) = match &leaving.upstream {
            Upstream::Absent => ("", "no Cookie field: none came".to_owned()),
            Upstream::Refused => ("", "nothing: it is not asked".to_owned()),
            Upstream::Removed => ("", "no Cookie field: it is removed".to_owned()),
            Upstream::Replaced(field) => ("", format!("Cookie: {}", Shown(field))),
            Upstream::Untouched(field) => (" (untouched)", format!("Cookie: {}", Shown(field))),
        };
        self.title(&format!("What {leaves} for the application{note}"))?;
        writeln!(self.out, "  {text}")?;
        self.title(&format!("What {leaves} for the browser"))?;
        if leaving.downstream.is_empty() {
            self.out += "  no Set-Cookie field\n";
        }
        let mut fields = leaving.downstream.iter();
        fields.try_for_each(|field| writeln!(self.out, "  Set-Cookie: {}", Shown(field)))
    }

    fn title(&mut self, title: &str) -> fmt::Result {
        self.out.push('\n');
        self.styled(BOLD, title)?;
        self.out.push('\n');
        Ok(())
    }

    fn styled(&mut self, style: Style, text: &str) -> fmt::Result {
        if self.colour {
            write!(self.out, "{style}{text}{style:#}")
        } else {
            self.out.write_str(text)
        }
    }
}

const BOLD: Style = Style::new().bold();

fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Evicted => "evicted",
        Fate::Injected => "injected",
        Fate::Kept => "kept",
        Fate::NotEvicted => "not evicted",
        Fate::NotRenewed => "not renewed",
        Fate::Renewed => "renewed",
        Fate::Rewritten => "rewritten",
        Fate::Stripped => "stripped",
    }
}

const WIDEST_FATE: usize = "not evicted".len();

fn fate_style(fate: Fate) -> Style {
    let colour = |colour: AnsiColor| Style::new().fg_color(Some(colour.into()));
    match fate {
        Fate::Evicted | Fate::Stripped => colour(AnsiColor::Red),
        Fate::Injected | Fate::Kept | Fate::Renewed => colour(AnsiColor::Green),
        Fate::NotEvicted | Fate::NotRenewed => Style::new().dimmed(),
        Fate::Rewritten => colour(AnsiColor::Yellow),
    }
}

/// The widths of the columns.
#[derive(Clone, Copy)]
struct Widths {
    name: usize,
    rules: usize,
}

impl Widths {
    fn of(cookies: &[Cookie]) -> Self {
        let names = cookies.iter().map(|cookie| name(cookie).len());
        let rules = cookies.iter().map(|cookie| rules(&cookie.rules).len());
        Self { name: names.max().unwrap_or(0).min(WIDEST_NAME), rules: rules.max().unwrap_or(0) }
    }
}

/// Longer names push the rest of their line to the right.
const WIDEST_NAME: usize = 32;

/// Returns a cookie's name, cut if it is too long to be read (A4).
fn name(cookie: &Cookie) -> String {
    match cookie.name.get(..LONGEST_NAME) {
        _ if cookie.name.is_empty() => "(no name)".to_owned(),
        Some(start) if cookie.name.len() > LONGEST_NAME => format!("{}...", Shown(start)),
        Some(_) | None => Shown(&cookie.name).to_string(),
    }
}

const LONGEST_NAME: usize = 128;

fn rules(rules: &[Rule]) -> String {
    rules.iter().map(Rule::to_string).collect::<Vec<_>>().join(" ")
}

/// Bytes as printable ASCII. Every other byte, and the backslash, is escaped, so that the text is exact.
struct Shown<'b>(&'b [u8]);

impl<'b> Shown<'b> {
    fn text(text: &'b str) -> Self {
        Self(text.as_bytes())
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b'\\' => f.write_str("\\\\"),
            b' '..=b'~' => f.write_char(char::from(*byte)),
            byte => write!(f, "\\x{byte:02x}"),
        })
    }
}
