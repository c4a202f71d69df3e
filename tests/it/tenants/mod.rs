//! Rules T: the tenant of a request, and tenants that are set while the gateway runs.

mod changes;
mod operators;
mod rules;
mod state_file;
