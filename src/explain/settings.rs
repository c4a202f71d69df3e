//! The parts of a configuration that an explanation needs beside the tenants.

use std::sync::Arc;

use crumbgate_config::{Config, Limits};
use crumbgate_pages::page::settings::PagePath;
use crumbgate_policy::{
    seal::{Key, KeyRing, OpenError, Version},
    sealing::Sealing,
    trim,
};
use http::HeaderValue;

/// The settings by which a gateway answers requests itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The limits of a head and a body.
    pub limits: Arc<Limits>,
    /// The path of the gateway's own pages; `None` if there are none.
    pub page: Option<PagePath>,
    /// The rules of sealing, with a key that no gateway has; `None` if nothing is sealed.
    pub(super) sealing: Option<Sealing>,
}

impl Default for Settings {
    /// The settings of a gateway with every default.
    fn default() -> Self {
        let limits = Arc::new(Limits::DEFAULT);
        Self { limits, page: Some(PagePath::well_known()), sealing: None }
    }
}

impl Settings {
    /// Returns the settings of a configuration.
    pub fn of(config: &Config) -> Self {
        let cookie = config.seal.cookie.clone().filter(|_| config.seal.is_used);
        // An explanation has no keys of the gateway. This one only makes values that it opens again itself.
        let ring = KeyRing::new(vec![Key::new(&[0; Key::BYTES])]).ok();
        let sealing = cookie.zip(ring).map(|(cookie, ring)| Sealing {
            ring,
            cookie,
            version: Version([0; 8]),
            unsealed_until_unix_s: config.seal.unsealed_until_unix_s,
            ask_again: config.asking.ask_again,
            open_paths: config.asking.open_paths.clone(),
        });
        Self { limits: Arc::clone(&config.limits), page: config.page.path.clone(), sealing }
    }

    /// Returns the rules of sealing for a request with these `Cookie` fields; `None` if one of them has a sealed value:
    /// only the gateway can open it.
    pub(super) fn sealing(&self, cookies: &[HeaderValue]) -> Option<&Sealing> {
        let sealing = self.sealing.as_ref()?;
        let name = sealing.cookie.as_bytes();
        let mut pairs =
            cookies.iter().flat_map(|field| field.as_bytes().split(|byte| *byte == b';'));
        let is_sealed = pairs.any(|pair| {
            let value =
                trim(pair).strip_prefix(name).map(trim).and_then(|rest| rest.strip_prefix(b"="));
            value
                .is_some_and(|value| sealing.ring.open(name, trim(value)) == Err(OpenError::Forged))
        });
        (!is_sealed).then_some(sealing)
    }
}
