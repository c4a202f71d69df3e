//! Curves as pictures: SVG on a white ground of its own, so that it reads the same on a light and on a dark page.

use std::fmt::Write as _;

/// A picture: what it shows, and one panel beside the other.
#[derive(Clone, Debug)]
pub struct Picture {
    /// The title.
    pub title: String,
    /// Under which conditions.
    pub subtitle: String,
    /// Its panels, from left to right.
    pub panels: Vec<Panel>,
}

/// Curves that have both axes in common.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The curves; each has a colour of its own, up to four.
    pub curves: Vec<Curve>,
}

/// The quantity on an axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Its name, with the unit.
    pub name: String,
    /// The scale of the axis.
    pub scale: Scale,
}

/// The scale of an axis.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scale {
    /// From zero, in equal steps.
    Linear,
    /// Each step the same number of times the one before.
    Logarithmic,
    /// As they are, with a mark for each: for a few values.
    Values,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Curve {
    /// The name in the legend, which exists for several curves.
    pub name: String,
    /// Its points, by their `x`.
    pub points: Vec<Point>,
}

/// A value that was measured, and between which bounds it was found.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// At what.
    pub x: f64,
    /// The median.
    pub y: f64,
    /// The least.
    pub low: f64,
    /// The most.
    pub high: f64,
}

impl Picture {
    /// The whole picture as an SVG file.
    pub fn to_svg(&self) -> String {
        let mut svg = Svg(String::new());
        let title = escape(&self.title);
        svg.push(format_args!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" font-family="{FONT}">
<title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#ffffff"/>"##
        ));
        svg.text(MARGIN, 34.0, Style::Title, &self.title);
        svg.text(MARGIN, 54.0, Style::Faint, &self.subtitle);
        // A picture has a few panels.
        let count = self.panels.iter().map(|_| 1.0).sum::<f64>();
        let width = (WIDTH - MARGIN - count * GAP) / count;
        let mut left = MARGIN;
        for panel in &self.panels {
            panel.draw(&mut svg, left, width);
            left += width + GAP;
        }
        svg.push(format_args!("</svg>"));
        svg.0
    }
}

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 400.0;
const MARGIN: f64 = 28.0;
/// Between panels, and behind the last.
const GAP: f64 = 36.0;
/// Left of a panel's ground, for the values of its axis.
const VALUES: f64 = 40.0;
/// Between the ends of the ground and the first and last values.
const INSET: f64 = 20.0;
const TOP: f64 = 112.0;
const BOTTOM: f64 = HEIGHT - 58.0;
const FONT: &str =
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Helvetica, Arial, sans-serif";
/// Each has a contrast of at least 4.5 with white.
const COLOURS: [&str; 4] = ["#1d5fbf", "#b3400c", "#12754a", "#7a3db8"];

impl Panel {
    fn draw(&self, svg: &mut Svg, left: f64, width: f64) {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let across = Span::over(self.x.scale, points().map(|point| point.x));
        let up = Span::over(self.y.scale, points().flat_map(|point| [point.low, point.high]));
        let ground = Ground { left: left + VALUES, right: left + width, across, up };
        svg.text(left, TOP - 30.0, Style::Name, &self.y.name);
        ground.draw(svg);
        let middle = f64::midpoint(ground.left, ground.right);
        svg.text(middle, BOTTOM + 40.0, Style::Below, &self.x.name);
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            curve.draw(svg, &ground, colour);
            for end in [Curve::first, Curve::last] {
                self.write_value(svg, &ground, end, curve, colour);
            }
        }
        if self.curves.len() > 1 {
            self.draw_legend(svg, ground.left);
        }
    }

    /// Writes the value at one end of a curve: above it, or below it where another curve ends above.
    fn write_value(
        &self,
        svg: &mut Svg,
        ground: &Ground,
        end: fn(&Curve) -> Option<&Point>,
        curve: &Curve,
        colour: &str,
    ) {
        let Some(point) = end(curve) else { return };
        let is_highest = self.curves.iter().filter_map(end).all(|other| other.y <= point.y);
        let (beside, distance) = if is_highest { (point.high, -9.0) } else { (point.low, 18.0) };
        let (x, y) = ground.place(point.x, beside);
        svg.coloured_text(x, y + distance, Style::Below, colour, &value(point.y));
    }

    fn draw_legend(&self, svg: &mut Svg, mut x: f64) {
        let y = TOP - 12.0;
        for (curve, colour) in self.curves.iter().zip(COLOURS.iter().cycle()) {
            svg.line((x, y - 4.0), (x + 18.0, y - 4.0), colour, 2.5);
            svg.text(x + 24.0, y, Style::Legend, &curve.name);
            x += 24.0 + curve.name.chars().map(|_| 6.6).sum::<f64>() + 18.0;
        }
    }
}

impl Curve {
    fn draw(&self, svg: &mut Svg, ground: &Ground, colour: &str) {
        let mut path = String::new();
        for (index, point) in self.points.iter().enumerate() {
            let (x, y) = ground.place(point.x, point.y);
            // Writing to a string can't fail.
            let _ = write!(path, "{}{x:.1},{y:.1}", if index == 0 { "M" } else { "L" });
        }
        svg.push(format_args!(
            r##"<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5" stroke-linejoin="round"/>"##
        ));
        for point in &self.points {
            let (low, high) = (ground.place(point.x, point.low), ground.place(point.x, point.high));
            svg.line(low, high, colour, 1.2);
            let (x, y) = ground.place(point.x, point.y);
            svg.push(format_args!(
                r##"<circle cx="{x:.1}" cy="{y:.1}" r="4" fill="{colour}" stroke="#ffffff" stroke-width="1.5"/>"##
            ));
        }
    }

    fn first(&self) -> Option<&Point> {
        self.points.first()
    }

    fn last(&self) -> Option<&Point> {
        self.points.last()
    }
}

/// The area of a panel's curves.
struct Ground {
    left: f64,
    right: f64,
    across: Span,
    up: Span,
}

impl Ground {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (left, right) = (self.left + INSET, self.right - INSET);
        let x = left + self.across.share(x) * (right - left);
        (x, BOTTOM - self.up.share(y) * (BOTTOM - TOP))
    }

    fn draw(&self, svg: &mut Svg) {
        for mark in self.up.marks() {
            let (_, y) = self.place(self.across.low, mark);
            let colour = if y >= BOTTOM - 0.5 { "#8a94a3" } else { "#e4e8ee" };
            svg.line((self.left, y), (self.right, y), colour, 1.0);
            svg.text(self.left - 8.0, y + 4.0, Style::Value, &label(mark));
        }
        for mark in self.across.marks() {
            let (x, _) = self.place(mark, self.up.low);
            svg.line((x, BOTTOM), (x, BOTTOM + 5.0), "#8a94a3", 1.0);
            svg.text(x, BOTTOM + 20.0, Style::Below, &label(mark));
        }
    }
}

/// The values of an axis, from end to end.
struct Span {
    scale: Scale,
    low: f64,
    high: f64,
    values: Vec<f64>,
}

impl Span {
    /// The span that holds all of these.
    fn over(scale: Scale, values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let least = values.first().copied().unwrap_or(1.0);
        let most = values.last().copied().unwrap_or(1.0);
        let (low, high) = match scale {
            Scale::Linear => {
                let step = round_up(most.max(TINY) * HEADROOM / 5.0);
                (0.0, (most.max(TINY) * HEADROOM / step).ceil() * step)
            }
            Scale::Logarithmic => (round_down(least.max(TINY)), round_up(most.max(TINY * 10.0))),
            Scale::Values => {
                let room = ((most - least) / 4.0).max(0.25);
                (least - room, most + room)
            }
        };
        Self { scale, low, high, values }
    }

    /// The position of a value between the low end and the high one: 0 to 1.
    fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear | Scale::Values => (value - self.low) / (self.high - self.low),
            Scale::Logarithmic => {
                (value.max(TINY) / self.low).log10() / (self.high / self.low).log10()
            }
        }
    }

    /// The values that get a mark.
    fn marks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => {
                let step = round_up(self.high / 5.0);
                let marks = std::iter::successors(Some(0.0), |mark| Some(mark + step));
                marks.take_while(|mark| *mark <= self.high * 1.001).collect()
            }
            Scale::Logarithmic => {
                let is_wide = self.high / self.low > 200.0;
                let marks =
                    std::iter::successors(Some(self.low), |mark| Some(round_up(mark * 1.5)));
                let marks = marks.take_while(|mark| *mark <= self.high * 1.001);
                marks.filter(|mark| !is_wide || is_power(*mark)).collect()
            }
            Scale::Values => self.values.clone(),
        }
    }
}

/// The space above the highest point of a linear axis.
const HEADROOM: f64 = 1.12;
/// The values that a logarithmic axis can't show.
const TINY: f64 = 1e-3;
const STEPS: [f64; 4] = [1.0, 2.0, 5.0, 10.0];

/// The least of 1, 2 and 5 times a power of ten that is not below the value.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let step = STEPS.into_iter().find(|step| step * power >= value * 0.999);
    step.unwrap_or(10.0) * power
}

/// The greatest of 1, 2 and 5 times a power of ten that is not above the value.
fn round_down(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let step = STEPS.into_iter().rev().find(|step| step * power <= value * 1.001);
    step.unwrap_or(1.0) * power
}

fn is_power(value: f64) -> bool {
    let power = value.log10();
    (power - power.round()).abs() < 1e-6
}

/// A mark's value: 5, 500, 5k, 5M.
fn label(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", trimmed(value / 1e6)),
        1e3.. => format!("{}k", trimmed(value / 1e3)),
        _ => trimmed(value),
    }
}

fn trimmed(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A point's value, with three digits.
fn value(value: f64) -> String {
    match value {
        1e6.. => format!("{:.2}M", value / 1e6),
        1e4.. => format!("{:.1}k", value / 1e3),
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The style of a text.
#[derive(Clone, Copy)]
enum Style {
    /// Below an axis or above a point, centred.
    Below,
    Faint,
    Legend,
    Name,
    Title,
    /// Left of an axis.
    Value,
}

struct Svg(String);

impl Svg {
    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string can't fail.
        let _ = writeln!(self.0, "{element}");
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), colour: &str, width: f64) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r##"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" stroke="{colour}" stroke-width="{width}"/>"##
        ));
    }

    fn text(&mut self, x: f64, y: f64, style: Style, text: &str) {
        let colour = match style {
            Style::Name | Style::Title | Style::Legend => "#1c2430",
            Style::Below | Style::Faint | Style::Value => "#5a6473",
        };
        self.coloured_text(x, y, style, colour, text);
    }

    fn coloured_text(&mut self, x: f64, y: f64, style: Style, colour: &str, text: &str) {
        let (size, weight, anchor) = match style {
            Style::Title => (18, 600, "start"),
            Style::Name => (13, 600, "start"),
            Style::Faint => (12, 400, "start"),
            Style::Legend => (12, 400, "start"),
            Style::Below => (12, 400, "middle"),
            Style::Value => (12, 400, "end"),
        };
        let text = escape(text);
        self.push(format_args!(
            r##"<text x="{x:.1}" y="{y:.1}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}" fill="{colour}">{text}</text>"##
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, points: &[(f64, f64)]) -> Curve {
        let point = |&(x, y)| Point { x, y, low: y * 0.97, high: y * 1.03 };
        Curve { name: name.to_owned(), points: points.iter().map(point).collect() }
    }

    fn axis(name: &str, scale: Scale) -> Axis {
        Axis { name: name.to_owned(), scale }
    }

    #[test]
    fn marks_are_round_and_hold_every_value() {
        let marks = |scale, values: &[f64]| Span::over(scale, values.iter().copied()).marks();
        assert_eq!(marks(Scale::Linear, &[3.0, 8.8]), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(marks(Scale::Linear, &[52.0]), [0.0, 20.0, 40.0, 60.0]);
        assert_eq!(marks(Scale::Logarithmic, &[7.0, 90.0]), [5.0, 10.0, 20.0, 50.0, 100.0]);
        let decades = marks(Scale::Logarithmic, &[1.0, 1e6]).into_iter().map(label);
        assert_eq!(decades.collect::<Vec<_>>(), ["1", "10", "100", "1k", "10k", "100k", "1M"]);
        assert_eq!(marks(Scale::Values, &[1.0, 2.0]), [1.0, 2.0]);
    }

    #[test]
    fn a_picture_names_what_it_shows() {
        let picture = Picture {
            title: "Cost & memory".to_owned(),
            subtitle: "HTTP/1.1, 32 connections".to_owned(),
            panels: vec![Panel {
                x: axis("tenants", Scale::Logarithmic),
                y: axis("CPU per request (µs)", Scale::Linear),
                curves: vec![curve("one", &[(1.0, 9.0)]), curve("other", &[(1e6, 11.0)])],
            }],
        };
        let svg = picture.to_svg();
        for text in ["Cost &amp; memory", ">tenants<", ">CPU per request (µs)<", ">one<", ">other<"]
        {
            assert!(svg.contains(text), "{text} is missing");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
