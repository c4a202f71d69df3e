//! Output of the API's responses.

use std::process::ExitCode;

use anyhow::Result;

use super::client::Reply;
use crate::cli::output::{complain, print};

/// Writes the problem of an error response to standard error, and returns the exit code for it.
pub(super) fn refuse(reply: &Reply) -> ExitCode {
    complain(&reply.problem());
    ExitCode::FAILURE
}

/// Prints a response as JSON.
pub(super) fn print_json(value: &serde_json::Value) -> Result<()> {
    print(serde_json::to_string_pretty(value)? + "\n")
}
