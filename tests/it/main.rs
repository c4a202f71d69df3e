//! The gateway over real sockets and real TLS: a scripted application behind it, a browser with a jar before it.
//!
//! A file for each group of rules or behaviours; `harness/` has the application, the gateway, the browser, and raw
//! connections for what no well-behaved client would send.

#![allow(clippy::unwrap_used, reason = "a test that can not go on fails")]

mod admin;
mod admin_safety;
mod agreement;
mod audit;
mod backup;
mod banner;
mod cli;
mod control;
mod corpus;
mod dashboard;
mod documents;
mod ejection;
mod eviction;
mod evidence;
mod evidence_agreements;
mod evidence_faults;
mod evidence_metrics;
mod explain;
mod export;
mod forwarding;
mod handover;
mod harness;
mod health;
mod init;
mod layering;
mod lifecycle;
mod limits;
mod live_tenants;
mod logs;
mod metrics;
mod monitoring;
mod package;
mod page;
mod queue;
mod redirect;
mod reference;
mod reload;
mod renewal;
mod report;
mod requests;
mod responses;
mod resting;
mod schemathesis;
mod seal;
mod seal_keys;
mod selftest;
mod smuggling;
mod state;
mod streaming;
mod tamper;
mod tenants;
mod tenants_live;
mod terminal;
mod tls;
mod traces;
mod upgrade;
mod upstream;

use crumbgate_testkit::ledger;
