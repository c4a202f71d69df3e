//! Reads `[log]`.

use crate::{
    reader::TableReader,
    values::{Log, LogFormat},
    written::Choice,
};

pub(super) fn read(root: &TableReader<'_>) -> Log {
    let table = root.section("log");
    Log {
        format: table.get("format", LogFormat::Text, |node| node.choice()),
        access: table.get("access", false, |node| node.boolean()),
    }
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}
