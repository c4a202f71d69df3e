//! The table of tenants: the first hosts that match a search, and the number of all matches.

use std::time::Duration;

use maud::{Markup, html};

use super::words::Words;
use crate::admin::tokens::Role;
use crumbgate_config as config;
use crumbgate_gateway::gateway::TenantView;
use crumbgate_policy::Mode;

/// The result of a search for tenants.
pub(super) struct SearchResult {
    /// The text that was searched for. Empty: all tenants.
    pub(super) text: String,
    pub(super) tenants: Vec<TenantView>,
    pub(super) count: usize,
    /// See [`Control::tenants_version`](crumbgate_gateway::gateway::Control::tenants_version).
    pub(super) version: String,
}

/// The limit of shown tenants.
pub(super) const SHOWN: usize = 50;

/// Renders the table, with edit buttons for operators.
pub(super) fn table(found: &SearchResult, role: Role, words: &Words) -> Markup {
    let is_of_file = |view: &TenantView| view.keys.is_none();
    html! {
        div.found data-version=(found.version) {
            @if found.tenants.is_empty() {
                @if found.text.is_empty() {
                    div.empty { p { (words.tenants_none) } p.quiet { (words.tenants_none_hint) } }
                } @else {
                    div.empty { p { ((words.found_none)(&found.text)) } }
                }
            } @else {
                table.hosts {
                    thead {
                        tr {
                            th scope="col" { (words.host) }
                            th.number scope="col" { (words.session) }
                            th.place scope="col" { (words.upstream) }
                            th.act scope="col" { span.again { (words.action) } }
                        }
                    }
                    tbody { @for view in &found.tenants { (row(view, role, words)) } }
                }
                (foot(found, words))
                @if role == Role::Operator && found.tenants.iter().any(is_of_file) {
                    p.quiet.foot { (words.file_note) }
                }
            }
            @if role == Role::Auditor { p.quiet.foot { (words.auditor_note) } }
        }
    }
}

fn row(view: &TenantView, role: Role, words: &Words) -> Markup {
    let policy = &view.tenant.policy;
    let host = &*view.tenant.name;
    let session = config::format_duration(Duration::from_secs(policy.session.seconds().into()));
    html! {
        tr data-host=(host) {
            th scope="row" {
                (host)
                @if policy.mode == Mode::Report { " " span.tag { (words.watched) } }
            }
            td.number.session { (session) }
            td.place { (view.upstream) }
            td.act {
                @match (&view.keys, role) {
                    (Some(_), Role::Operator) => {
                        button.edit type="button" { (words.change) " " span.again { (host) } }
                    }
                    (Some(_), Role::Auditor) => "",
                    (None, _) => span.quiet { (words.in_file) },
                }
            }
        }
    }
}

fn foot(found: &SearchResult, words: &Words) -> Markup {
    let shown = found.tenants.len();
    let rest = found.count.saturating_sub(shown);
    let text = if rest == 0 {
        (words.tenants_all)(&words.language.number(found.count as u64), found.count == 1)
    } else {
        (words.tenants_rest)(
            &words.language.number(shown as u64),
            &words.language.number(rest as u64),
        )
    };
    html! { p.quiet.foot { (text) } }
}
