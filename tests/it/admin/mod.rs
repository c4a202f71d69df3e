//! The admin API, its access control, its commands and the dashboard.

mod access;
mod api;
mod commands;
mod dashboard;
mod schemathesis;
