//! The gateway over real sockets and real TLS: a scripted application behind it, a browser with a jar before it.
//!
//! A folder for each topic, a file for each group of rules or behaviours; `harness/` has the application, the
//! gateway, the browser, and raw connections for what no well-behaved client would send.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod admin;
mod agreement;
mod commands;
mod connections;
mod cookies;
mod evidence;
mod guard;
mod harness;
mod operation;
mod project;
mod tenants;
mod upstreams;

use crumbgate_testkit::ledger;
