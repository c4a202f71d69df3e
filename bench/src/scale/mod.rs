//! The growth of the gateway's costs with tenants, names, connections and workers.
//!
//! Each growth is measured at a few points, on a gateway that is started for it; its curves are drawn, and all that
//! was measured is in `scale.json`. The load is this process (see [`clients`](crate::clients)), so it has to run on
//! the load's core.

mod growths;
mod requests;

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use serde::Serialize;

use crate::{
    about::About,
    clients::{
        Endpoint,
        closed::{Closed, Until},
    },
    load::Watch,
    picture::{self, Axis, Curve, Panel, Picture, Point},
    results::Spread,
    targets::{Ground, Running},
    traffic::DOMAIN,
    upstream::Nginx,
};

/// The thoroughness of the measurements.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The number of measurements of each point.
    pub rounds: usize,
    /// For how long each time.
    pub window: Duration,
    /// The greatest numbers of tenants, names and connections that are tried; those that a growth has not are left out.
    pub most: u64,
}

/// A quantity that grows, and its cost.
#[derive(Clone, Debug, Serialize)]
pub struct Growth {
    /// A word for it, also that of its picture's file.
    pub name: &'static str,
    /// The title.
    pub title: &'static str,
    /// Under which conditions.
    pub conditions: &'static str,
    /// The measurements: one series beside the other.
    pub series: Vec<Series>,
}

/// The points of one way to measure it.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// A remark.
    pub name: &'static str,
    /// Its points, by how much there was.
    pub points: Vec<Measured>,
}

/// One point: a figure for each round.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Measured {
    /// The number of tenants, names, connections or workers.
    pub at: u64,
    /// Microseconds on a core for each request.
    pub cpu_us: Vec<f64>,
    /// Requests a second.
    pub rate_per_s: Vec<f64>,
    /// Memory after the round (PSS), in MiB.
    pub memory_mib: Vec<f64>,
    /// The share of the round in which other programs had the gateway's core.
    pub foreign: Vec<f64>,
    /// The share of the round in which the machine below gave that core to others.
    pub stolen: Vec<f64>,
}

/// Measures all growths, and writes `scale.md`, `scale.json` and a picture of each into the folder `out`; returns the
/// first.
pub async fn run(
    ground: &Ground,
    application: &Nginx,
    plan: Plan,
    out: &Path,
) -> anyhow::Result<String> {
    ensure!(plan.rounds > 0, "a measurement has one round at least");
    let about = About::now(&ground.crumbgate)?;
    let growths = [
        growths::tenants(ground, application, plan).await.context("tenants")?,
        growths::names(ground, application, plan).await.context("names")?,
        growths::connections(ground, application, plan).await.context("connections")?,
        growths::workers(ground, application, plan).await.context("workers")?,
    ];
    fs::create_dir_all(out).with_context(|| format!("can't make {}", out.display()))?;
    for growth in &growths {
        write(&out.join(growth.picture_name()), &growth.picture().to_svg())?;
    }
    let report = growths.iter().map(Growth::to_markdown).collect::<Vec<_>>().join("\n");
    write(&out.join("scale.md"), &report)?;
    let json = serde_json::to_string_pretty(&Scale { about, growths })?;
    write(&out.join("scale.json"), &(json + "\n"))?;
    Ok(report)
}

/// All that was measured.
#[derive(Serialize)]
struct Scale {
    about: About,
    growths: [Growth; 4],
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

/// The measurement of a point.
struct Probe<'a> {
    running: &'a Running,
    load: Closed,
    in_flight: usize,
    plan: Plan,
}

impl<'a> Probe<'a> {
    /// Opens that many connections to a gateway.
    async fn open(
        ground: &Ground,
        running: &'a Running,
        connections: usize,
        plan: Plan,
    ) -> anyhow::Result<Self> {
        // The name is no tenant's: so that each connection may carry requests for all of them.
        let endpoint = Endpoint { server_name: DOMAIN.to_owned(), ..running.endpoint(ground) };
        let load = Closed::open(&endpoint, &requests::first(), connections).await?;
        Ok(Self { running, load, in_flight: connections.min(IN_FLIGHT), plan })
    }

    /// Sends that many requests, and then measures.
    async fn measure(
        &self,
        at: u64,
        before: u64,
        mut write: impl FnMut(&mut Vec<u8>),
    ) -> anyhow::Result<Measured> {
        self.send(Until::Requests(before.max(WARM_UP)), &mut write).await?;
        let mut measured = Measured { at, ..Measured::default() };
        for _ in 0..self.plan.rounds {
            let watch = Watch::start(&self.running.process)?;
            let requests = self.send(Until::Time(self.plan.window), &mut write).await?;
            let window = watch.stop()?;
            measured.cpu_us.push(window.cpu_us(requests));
            measured.rate_per_s.push(window.rate(requests));
            measured.memory_mib.push(count(window.memory_kib) / 1024.0);
            measured.foreign.push(window.foreign);
            measured.stolen.push(window.stolen);
        }
        Ok(measured)
    }

    /// Fails where one request does.
    async fn send(&self, until: Until, write: impl FnMut(&mut Vec<u8>)) -> anyhow::Result<u64> {
        let answers = self.load.run(self.in_flight, until, write).await?;
        let first_error = answers.first_error.unwrap_or_default();
        ensure!(answers.errors == 0, "{} requests failed: {first_error}", answers.errors);
        ensure!(answers.requests > 0, "no request was answered");
        Ok(answers.requests)
    }
}

/// The number of requests that are under way at once, for any number of connections.
const IN_FLIGHT: usize = 32;
/// The minimum number of requests before a measurement.
const WARM_UP: u64 = 20_000;

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn count(number: u64) -> f64 {
    number as f64
}

impl Growth {
    fn picture_name(&self) -> String {
        format!("scale-{}.svg", self.name)
    }

    /// Its curves.
    pub fn picture(&self) -> Picture {
        let cpu = |point: &Measured| Spread::of(&point.cpu_us);
        let memory = |point: &Measured| Spread::of(&point.memory_mib);
        let rate = |point: &Measured| Spread::of(&point.rate_per_s);
        let cpu = self.panel("CPU per request (µs)", picture::Scale::Linear, cpu);
        let panels = if self.name == WORKERS {
            vec![self.panel("Requests per second", picture::Scale::Linear, rate), cpu]
        } else {
            vec![cpu, self.panel("Memory (PSS, MiB)", picture::Scale::Logarithmic, memory)]
        };
        let (title, subtitle) = (self.title.to_owned(), self.conditions.to_owned());
        Picture { title, subtitle, panels }
    }

    fn panel(
        &self,
        y: &str,
        scale: picture::Scale,
        of: impl Fn(&Measured) -> Option<Spread>,
    ) -> Panel {
        let across =
            if self.name == WORKERS { picture::Scale::Values } else { picture::Scale::Logarithmic };
        let point = |point: &Measured| {
            let Spread { median, min, max } = of(point)?;
            Some(Point { x: count(point.at), y: median, low: min, high: max })
        };
        let curve = |series: &Series| Curve {
            name: series.name.to_owned(),
            points: series.points.iter().filter_map(point).collect(),
        };
        Panel {
            x: Axis { name: self.name.to_owned(), scale: across },
            y: Axis { name: y.to_owned(), scale },
            curves: self.series.iter().map(curve).collect(),
        }
    }

    /// Its picture and its points in Markdown: medians, with minimum and maximum.
    pub fn to_markdown(&self) -> String {
        let Self { name, title, conditions, .. } = self;
        let mut table = format!(
            "## {title}\n\n{conditions}.\n\n![{title}]({})\n\n\
             | {name} | | CPU µs per request | requests per second | memory, MiB |\n\
             |---:|---|---:|---:|---:|\n",
            self.picture_name()
        );
        for series in &self.series {
            for point in &series.points {
                table += &format!(
                    "| {} | {} | {} | {} | {} |\n",
                    point.at,
                    series.name,
                    written(&point.cpu_us, 2),
                    written(&point.rate_per_s, 0),
                    written(&point.memory_mib, 1),
                );
            }
        }
        table + &self.disturbance()
    }

    /// The share of the gateway's core that other processes used: where it is large, the figures mean little.
    fn disturbance(&self) -> String {
        if self.name == WORKERS {
            // There the gateway has no core for itself.
            return String::new();
        }
        let points = self.series.iter().flat_map(|series| &series.points);
        let shares: Vec<f64> = points.flat_map(|point| &point.foreign).copied().collect();
        Spread::of(&shares).map_or_else(String::new, |Spread { median, max, .. }| {
            format!(
                "\nOther programs had the gateway's core {:.1} % of the time (median; {:.1} % at most).\n",
                median * 100.0,
                max * 100.0
            )
        })
    }
}

const WORKERS: &str = "workers";

fn written(figures: &[f64], digits: usize) -> String {
    let Some(Spread { median, min, max }) = Spread::of(figures) else { return "–".to_owned() };
    format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growth_is_written_with_its_picture_and_what_disturbed_it() {
        let point = Measured {
            at: 10,
            cpu_us: vec![3.0, 1.0, 2.0],
            foreign: vec![0.01],
            ..Measured::default()
        };
        let growth = Growth {
            name: "tenants",
            title: "Tenants",
            conditions: "one worker",
            series: vec![Series { name: "one is asked", points: vec![point] }],
        };
        let text = growth.to_markdown();
        for part in [
            "![Tenants](scale-tenants.svg)",
            "| 10 | one is asked | 2.00 (1.00–3.00) | – | – |",
            "core 1.0 % of the time",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }
}
