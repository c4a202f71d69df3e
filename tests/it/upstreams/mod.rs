//! The servers of applications: choice, connections, health checks, ejection and queues.

mod connections;
mod ejection;
mod health;
mod queue;
