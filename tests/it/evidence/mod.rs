//! Rules A: the ledger, its reports and exports, and their verification.

pub(crate) mod agreements;
mod backup;
mod balance;
mod entries;
mod export;
mod faults;
mod guard;
mod metrics;
mod report;
mod selftest;
mod tamper;
