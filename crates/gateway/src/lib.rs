//! The running gateway: the data path, its measurements, and the control of both while they run.

pub mod gateway;
pub mod metrics;
pub mod process;
pub mod proxy;
pub mod seal_keys;
pub mod telemetry;
pub mod traces;
