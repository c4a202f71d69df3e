//! The configuration: `config.toml` and the `CRUMBGATE_…` variables as checked values.
//!
//! [`Config::load`] reads both and reports every problem at once, each with its place and a suggested fix. The modules
//! depend on each other in one direction:
//!
//! - `values`: the checked values; they need nothing else of the configuration but the text forms of `written`.
//! - `written`, `suggestion`, `problem`, `record`, `environment`: text forms, problems, origins, variables.
//! - `reader`: walks a TOML document, returns values and collects problems.
//! - `sections`: one file for each table of the configuration.
//! - `keys`, `parse`, `effective`, `document`, `live`: whole documents, and tenants that are set at run time.

mod document;
mod effective;
mod environment;
mod keys;
mod live;
mod parse;
mod problem;
mod reader;
mod record;
mod sections;
mod suggestion;
mod values;
mod written;

pub use document::{ConfigHash, Loaded, find_admin};
pub use effective::Effective;
pub use keys::known_keys;
pub use live::TenantKeys;
pub use problem::{Place, Problem, Problems, Severity, Source};
pub use values::{
    Admin, AdminListener, Asking, BadServer, Balance, CertificateFiles, Collector, Config,
    Evidence, Health, Limits, Log, LogFormat, Ratio, Seal, Server, ServerAddress, TenantDefaults,
    Tls, TlsVersion, Traces, Upstream,
};
pub use written::{format_duration, quoted};
