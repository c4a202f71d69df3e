//! Figures as Markdown and JSON.

mod goals;
mod tables;

use std::{fs, path::Path};

use anyhow::{Context, Result};

pub use self::goals::{Against, Goal, goals};
use crate::results::{Results, What};

/// Writes `results.json`, with every round, and `report.md` into a folder.
pub fn write(results: &Results, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("can't make {}", folder.display()))?;
    fs::write(folder.join("report.md"), markdown(results)).context("can't write report.md")?;
    let json = serde_json::to_string_pretty(results)?;
    fs::write(folder.join("results.json"), json + "\n").context("can't write results.json")
}

/// The report.
pub fn markdown(results: &Results) -> String {
    let mut text = String::from("# Benchmark\n\n");
    text += &about(results);
    text += &goals::table(results);
    text += &tables::all(results);
    text += DIFFERENCES;
    if !results.failures.is_empty() {
        text += "\n## Not measured\n\n";
        for failure in &results.failures {
            text += &format!("- {}, {}: {}\n", failure.load, failure.target, failure.error);
        }
    }
    text
}

fn about(results: &Results) -> String {
    let about = &results.about;
    let versions = about.versions.iter().map(|(name, version)| format!("{name} {version}"));
    let versions: Vec<_> = versions.collect();
    let mut text = format!(
        "{} UTC, commit {}. {}, {} cores, Linux {}.\n{}.\n\n",
        about.date,
        about.commit,
        about.processor,
        about.cores,
        about.kernel,
        versions.join(", ")
    );
    text += METHOD;
    text += &disturbance(results);
    text
}

/// The share of the measured core that other processes used: where it is large, the figures mean little.
fn disturbance(results: &Results) -> String {
    let shares = |what: What| {
        let figures = results.figures.iter().filter(move |figure| figure.what == what);
        let mut values: Vec<_> = figures.flat_map(|figure| figure.rounds.clone()).collect();
        values.sort_by(f64::total_cmp);
        let median = values.get(values.len() / 2).copied().unwrap_or(0.0);
        (median * 100.0, values.last().copied().unwrap_or(0.0) * 100.0)
    };
    let ((foreign, most_foreign), (stolen, most_stolen)) =
        (shares(What::Foreign), shares(What::Stolen));
    format!(
        "Other programs had the measured core {foreign:.1} % of the time (median; {most_foreign:.1} % at most), the \
         hypervisor took {stolen:.1} % of it ({most_stolen:.1} % at most).\n\n"
    )
}

const METHOD: &str = "\
The proxy has one worker and a core for itself; load and application share the other core. All: TLS 1.3, \
AES-256-GCM, X25519, the same ECDSA P-256 certificate, connections to the application kept, no access log. Crumbgate has \
everything on: policy, renewal, eviction, ledger, metrics, administration, limits and timeouts at their defaults, \
100 tenants. A request carries about 1 KB of cookies unless another size is given: 3 declared and 8 undeclared (the page: 5). \
Targets take turns in each round. A figure is the median of the rounds (least–greatest); CPU is user and system time \
of the proxy's whole process tree.

";

const DIFFERENCES: &str = "
## What the peers leave out

To their advantage, for it costs them nothing:

- None evicts: cookies that scripts have set stay in the browser. (Nothing is evicted under the loads but *navigation*.)
- None counts what it strips, keeps evidence, or knows tenants: all hosts are one.
- None recognises a deletion (`Max-Age=0`, a past `Expires`): with their rules nobody could log out.
- None remembers superseded values: a slow request would undo a login or a logout.
- None looks at the status, `Cache-Control` or the method before it renews.
- None injects `visitedMapBuilder`, keeps the application's stricter `SameSite`, checks values and their sizes, or filters \
  trailers.
- HAProxy's rules write the kept cookies in the declaration's order, and keep the last of two with one name.
- None adds forwarding fields (`X-Forwarded-*`, `Forwarded`, `Via`) or request ids.
";
