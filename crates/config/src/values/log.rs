//! `[log]`

/// `[log]`
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Log {
    /// The form of log lines.
    pub format: LogFormat,
    /// Writes a line for each exchange.
    pub access: bool,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object in each line.
    Json,
    /// Text for people.
    Text,
}
