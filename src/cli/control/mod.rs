//! `crumbgate tenants`, `reload` and `status`: commands that use the API of the running gateway.

mod client;
mod reload;
mod reply;
mod status;
mod tenants;

pub(super) use client::Api;
pub(super) use reload::run as reload;
pub(super) use status::run as status;
pub(super) use tenants::{Command as TenantsCommand, run as tenants};
