//! Queries of Prometheus, as far as a test reads them: which metrics and labels they name.

use std::collections::{BTreeMap, BTreeSet};

/// Every metric with its labels, and every value that each label has.
pub(crate) struct Vocabulary(pub(crate) BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Vocabulary {
    /// The names in an exposition.
    pub(crate) fn of(text: &str) -> Self {
        let mut metrics = BTreeMap::<String, BTreeMap<_, BTreeSet<_>>>::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (series, _) = line.rsplit_once(' ').unwrap();
            let mut selectors = Selector::all(series);
            let Selector { metric, matchers } = selectors.remove(0);
            let labels = metrics.entry(metric).or_default();
            for (label, _, value) in matchers {
                labels.entry(label).or_default().insert(value);
            }
        }
        Self(metrics)
    }

    /// True where a query uses only existing metrics and labels.
    #[track_caller]
    pub(crate) fn assert_knows(&self, query: &str) {
        let selectors = Selector::all(query);
        assert!(!selectors.is_empty(), "{query} asks for nothing");
        let mut known = BTreeSet::from(ADDED_BY_PROMETHEUS);
        for Selector { metric, matchers } in &selectors {
            if metric == "up" {
                continue; // Prometheus's own.
            }
            let labels = self.0.get(metric).unwrap_or_else(|| panic!("{metric}, of {query}"));
            known.extend(labels.keys().map(String::as_str));
            for (label, operator, value) in matchers {
                if ADDED_BY_PROMETHEUS.contains(&&**label) {
                    continue;
                }
                let values = labels.get(label);
                let values = values.unwrap_or_else(|| panic!("{metric} has no {label}: {query}"));
                let words =
                    if operator == "=~" { value.split('|').collect() } else { vec![&**value] };
                for word in words.into_iter().filter(|word| !word.starts_with('$')) {
                    assert!(values.contains(word), "{label} of {metric} is never {word}: {query}");
                }
            }
        }
        for label in grouped_by(query) {
            assert!(known.contains(&*label), "{label} is on no metric of {query}");
        }
    }

    /// True where a series could be one of these.
    #[track_caller]
    pub(crate) fn assert_has(&self, series: &Selector) {
        if series.metric == "up" {
            return;
        }
        let named: BTreeSet<_> = series.matchers.iter().map(|(label, ..)| &**label).collect();
        let labels = self.0.get(&series.metric).unwrap_or_else(|| panic!("{series:?}"));
        let expected = labels.keys().map(String::as_str).chain(ADDED_BY_PROMETHEUS);
        assert_eq!(named, expected.collect(), "{series:?}");
    }

    /// The labels of a query's metrics.
    pub(crate) fn labels_of(&self, query: &str) -> BTreeSet<String> {
        let metrics = Selector::all(query).into_iter().filter_map(|it| self.0.get(&it.metric));
        let own = metrics.flat_map(|labels| labels.keys().cloned());
        own.chain(ADDED_BY_PROMETHEUS.map(str::to_owned)).collect()
    }
}

/// The labels by which Prometheus distinguishes its targets.
pub(crate) const ADDED_BY_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// A metric that a query asks for, and its matchers: label, operator, value.
#[derive(Debug)]
pub(crate) struct Selector {
    pub(crate) metric: String,
    pub(crate) matchers: Vec<(String, String, String)>,
}

impl Selector {
    /// All of them, in the order of the query. promtool has to say whether the query is one.
    pub(crate) fn all(query: &str) -> Vec<Self> {
        let (mut found, mut rest) = (Vec::new(), query);
        while let Some((word, after)) = next_word(rest) {
            let follows = after.trim_start();
            rest = after;
            if LISTS.contains(&word) {
                rest = follows.split_once(')').expect("a list of labels ends").1;
            } else if let Some(matchers) = follows.strip_prefix('{') {
                let (matchers, after) = read_matchers(matchers);
                found.push(Self { metric: word.to_owned(), matchers });
                rest = after;
            } else if !is_called(follows) && !OPERATORS.contains(&word) {
                found.push(Self { metric: word.to_owned(), matchers: Vec::new() });
            }
        }
        found
    }
}

/// True where the text after a word makes it a function, or an aggregation such as `sum by (job) (…)`.
fn is_called(follows: &str) -> bool {
    let aggregates = ["by", "without"].iter().any(|word| {
        follows.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with('('))
    });
    aggregates || follows.starts_with('(')
}

/// The part that names labels, in parentheses.
const LISTS: [&str; 6] = ["by", "group_left", "group_right", "ignoring", "on", "without"];
const OPERATORS: [&str; 5] = ["and", "bool", "offset", "or", "unless"];

/// The next word that is no part of a number, a duration or a variable; and what follows it.
fn next_word(text: &str) -> Option<(&str, &str)> {
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '$');
    let mut rest = text;
    loop {
        let rest_from = |at| rest.get(at..);
        rest = rest_from(rest.find(is_of_word)?)?;
        let end = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            return Some((word, after));
        }
        rest = after;
    }
}

/// The matchers up to the brace that ends them, and what follows.
fn read_matchers(mut text: &str) -> (Vec<(String, String, String)>, &str) {
    let mut matchers = Vec::new();
    loop {
        text = text.trim_start_matches([' ', ',']);
        if let Some(rest) = text.strip_prefix('}') {
            return (matchers, rest);
        }
        let (begin, rest) = text.split_once('"').expect("a matcher has a value");
        let (value, rest) = rest.split_once('"').expect("which ends");
        let label = begin.trim_end_matches(['=', '~', '!']);
        let operator = &begin[label.len()..];
        matchers.push((label.to_owned(), operator.to_owned(), value.to_owned()));
        text = rest;
    }
}

/// The labels of `by (…)` and its like.
pub(crate) fn grouped_by(query: &str) -> Vec<String> {
    let (mut labels, mut rest) = (Vec::new(), query);
    while let Some((word, after)) = next_word(rest) {
        rest = after;
        if LISTS.contains(&word) {
            let (list, after) = after.split_once(')').expect("a list of labels ends");
            let list = list.trim_start().trim_start_matches('(').split(',').map(str::trim);
            labels.extend(list.filter(|label| !label.is_empty()).map(str::to_owned));
            rest = after;
        }
    }
    labels
}

#[test]
fn a_query_is_read_as_prometheus_reads_it() {
    let query = "sum by (le, job) (rate(a_bucket{x=~\"1|2\", y!=\"}\"}[5m])) / (b > bool 0.5) or on (job) c offset 1h";
    let found: Vec<_> = Selector::all(query).into_iter().map(|it| it.metric).collect();
    assert_eq!(found, ["a_bucket", "b", "c"]);
    let matchers = &Selector::all(query)[0].matchers;
    let is = |label: &str, operator: &str, value: &str| {
        (label.to_owned(), operator.to_owned(), value.to_owned())
    };
    assert_eq!(*matchers, [is("x", "=~", "1|2"), is("y", "!=", "}")]);
    assert_eq!(grouped_by(query), ["le", "job", "job"]);
}
