//! The time line as an SVG chart, with a text alternative for screen readers.

use maud::{Markup, html};

use crate::{period::Period, report::Report, timeline::Bucket, words::Words};
use crumbgate_base::format::minute;

/// The chart and its legend. The areas differ in brightness and pattern, so the chart is readable in black and white.
pub(super) fn picture(report: &Report, words: &Words) -> Markup {
    let scale = Scale::of(report);
    let description = description(report, words);
    html! {
        figure {
            svg.timeline viewBox={ "0 0 " (WIDTH) " " (HEIGHT + AXIS) } role="img"
                aria-labelledby="timeline-name timeline-description" {
                title #timeline-name { (words.timeline) }
                desc #timeline-description { (description) }
                defs {
                    (pattern("watched-pattern", "M0 6 6 0"))
                    (pattern("gap-pattern", "M0 0 6 6M0 6 6 0"))
                }
                @for gap in &report.gaps {
                    @let (left, width) = scale.stretch(gap.period);
                    rect.gap x=(decimal(left)) y="0" width=(decimal(width)) height=(HEIGHT) fill="url(#gap-pattern)" {}
                }
                @for bucket in &report.timeline.buckets { (bar(bucket, &scale)) }
                @for gap in &report.gaps {
                    @let (left, width) = scale.stretch(gap.period);
                    rect.gap-mark x=(decimal(left)) y=(HEIGHT + 1) width=(decimal(width)) height="5" {}
                }
                line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                @for (part, anchor) in [(0.0, "start"), (0.5, "middle"), (1.0, "end")] {
                    text x=(decimal(part * f64::from(WIDTH))) y=(HEIGHT + AXIS - 4) text-anchor=(anchor) {
                        (minute(scale.moment(part)))
                    }
                }
            }
            figcaption {
                span { span.key.passed {} (words.passed) }
                span { span.key.stripped {} (words.held_back) }
                @if report.totals.only_watched() > 0 { span { span.key.watched {} (words.only_watched) } }
                @if !report.gaps.is_empty() { span { span.key.gap {} (words.timeline_gap) } }
                span { ((words.timeline_highest)(&words.language.number(report.timeline.highest()))) }
            }
        }
    }
}

/// The text alternative. The numbers are in the table below the chart.
fn description(report: &Report, words: &Words) -> String {
    let totals = &report.totals;
    let counts = [
        (words.passed, totals.passed()),
        (words.held_back, totals.held_back()),
        (words.only_watched, totals.only_watched()),
        (words.gaps, report.gaps.len() as u64),
    ];
    counts.map(|(title, count)| format!("{title}: {}.", words.language.number(count))).join(" ")
}

/// A hatch pattern, for areas that must be distinguishable without colour.
fn pattern(id: &str, path: &str) -> Markup {
    html! {
        pattern id=(id) width="6" height="6" patternUnits="userSpaceOnUse" { path d=(path) {} }
    }
}

/// The bar of a bucket, from the bottom: passed, stripped, only watched.
fn bar(bucket: &Bucket, scale: &Scale) -> Markup {
    let left = scale.x(bucket.start_unix_s);
    let width =
        (scale.x(bucket.start_unix_s.saturating_add(scale.bucket_s)) - left - SPACE).max(MIN_WIDTH);
    let mut top = f64::from(HEIGHT);
    let parts = [
        ("passed", bucket.passed),
        ("stripped", bucket.stripped),
        ("watched", bucket.only_watched),
    ];
    html! {
        @for (class, number) in parts {
            @if number > 0 {
                @let height = scale.height(number);
                @let () = top -= height;
                rect class=(class) x=(decimal(left)) y=(decimal(top)) width=(decimal(width)) height=(decimal(height))
                    fill=[(class == "watched").then_some("url(#watched-pattern)")] {}
            }
        }
    }
}

/// The scale of times and counts.
struct Scale {
    first_unix_s: u64,
    length_s: u64,
    bucket_s: u64,
    highest: u64,
}

impl Scale {
    fn of(report: &Report) -> Self {
        let timeline = &report.timeline;
        let first = timeline.buckets.first();
        let buckets = timeline.buckets.len().max(1) as u64;
        Self {
            first_unix_s: first.map_or(report.period.since_unix_s, |bucket| bucket.start_unix_s),
            length_s: buckets.saturating_mul(timeline.bucket_s).max(1),
            bucket_s: timeline.bucket_s,
            highest: timeline.highest().max(1),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture has fewer dots than a number digits")]
    fn x(&self, unix_s: u64) -> f64 {
        let part = unix_s.saturating_sub(self.first_unix_s).min(self.length_s) as f64;
        part / self.length_s as f64 * f64::from(WIDTH)
    }

    /// The position and width of a period, with a minimum width so that it stays visible.
    fn stretch(&self, period: Period) -> (f64, f64) {
        let left = self.x(period.since_unix_s);
        (left, (self.x(period.until_unix_s) - left).max(MIN_WIDTH))
    }

    #[expect(clippy::cast_precision_loss, reason = "a picture has fewer dots than a number digits")]
    fn height(&self, number: u64) -> f64 {
        number as f64 / self.highest as f64 * f64::from(HEIGHT)
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a part of a length is no longer than it"
    )]
    fn moment(&self, part: f64) -> u64 {
        self.first_unix_s.saturating_add((self.length_s as f64 * part) as u64)
    }
}

fn decimal(number: f64) -> String {
    format!("{number:.1}")
}

const WIDTH: u32 = 960;
const HEIGHT: u32 = 160;
/// The height of the labels below.
const AXIS: u32 = 22;
/// The space between two bars.
const SPACE: f64 = 2.0;
/// The smallest visible width.
const MIN_WIDTH: f64 = 1.5;
