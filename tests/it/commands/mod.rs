//! The commands that work without a running gateway, and the output at a terminal.

mod cli;
mod explain;
mod guard;
mod init;
mod seal_keys;
mod terminal;
