//! Prometheus text format, version 0.0.4.

use std::fmt::{Display, Write as _};

use super::histogram::Durations;

/// A text to which families of samples are added.
#[derive(Debug, Default)]
pub(super) struct Text(String);

/// The type of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// Its values only grow.
    Counter,
    /// Its values go up and down.
    Gauge,
    /// Its values are counts of durations.
    Histogram,
}

/// A label and its value.
pub(super) type Label<'l> = (&'static str, &'l str);

impl Text {
    /// Begins a family.
    pub(super) fn family(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        let help = Escaped { text: help, quotes: false };
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        Family { text: self, name }
    }

    /// The complete text.
    pub(super) fn finish(self) -> String {
        self.0
    }

    fn write(&mut self, words: std::fmt::Arguments<'_>) {
        // Writing to a String never fails.
        let _ = self.0.write_fmt(words);
    }
}

/// The samples of one metric.
pub(super) struct Family<'t> {
    text: &'t mut Text,
    name: &'static str,
}

impl Family<'_> {
    /// Adds a sample without labels.
    pub(super) fn value(self, value: impl Display) {
        self.text.write(format_args!("{} {value}\n", self.name));
    }

    /// Adds a sample.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl Display) {
        self.text.write(format_args!("{}", self.name));
        for (index, (label, text)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let text = Escaped { text, quotes: true };
            self.text.write(format_args!("{before}{label}=\"{text}\""));
        }
        let after = if labels.is_empty() { "" } else { "}" };
        self.text.write(format_args!("{after} {value}\n"));
    }

    /// Adds one sample per member of a set.
    pub(super) fn samples<T>(
        &mut self,
        label: &'static str,
        set: &[(T, &'static str)],
        values: &[u64],
    ) {
        for ((_, word), value) in set.iter().zip(values) {
            self.sample(&[(label, word)], value);
        }
    }

    /// Adds the samples of a histogram.
    pub(super) fn durations(self, durations: &Durations) {
        let name = self.name;
        for (bound_ns, count) in durations.cumulative() {
            let bound = Seconds(bound_ns);
            self.text.write(format_args!("{name}_bucket{{le=\"{bound}\"}} {count}\n"));
        }
        let (count, sum) = (durations.count(), Seconds(durations.sum_ns));
        self.text.write(format_args!(
            "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}\n"
        ));
    }
}

/// Nanoseconds, written as seconds.
pub(super) struct Seconds(pub(super) u64);

impl Display for Seconds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, rest) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if rest == 0 {
            return write!(out, "{whole}");
        }
        let digits = format!("{rest:09}");
        write!(out, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

struct Escaped<'t> {
    text: &'t str,
    quotes: bool,
}

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for c in self.text.chars() {
            match c {
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '"' if self.quotes => out.write_str("\\\"")?,
                c => out.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_characters_are_escaped() {
        let mut text = Text::default();
        let mut family = text.family("a_total", Kind::Counter, "one\nC:\\ \"x\"");
        family.sample(&[("path", "C:\\\"x\"\n"), ("other", "é")], 1);
        let expected = "# HELP a_total one\\nC:\\\\ \"x\"\n# TYPE a_total counter\n\
                    a_total{path=\"C:\\\\\\\"x\\\"\\n\",other=\"é\"} 1\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn nanoseconds_are_written_as_exact_seconds() {
        for (ns, expected) in
            [(0, "0"), (50_000, "0.00005"), (1_500_000_000, "1.5"), (3_000_000_001, "3.000000001")]
        {
            assert_eq!(Seconds(ns).to_string(), expected);
        }
    }
}
