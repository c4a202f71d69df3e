//! The life of the process: start, stop, reload, replacement, and what monitoring sees of it.

mod files;
mod handover;
mod lifecycle;
mod logs;
mod metrics;
mod monitoring;
mod reload;
mod traces;
