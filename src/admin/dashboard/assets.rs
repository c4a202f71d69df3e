//! The files of the page, and the paths under which they are served.

use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use crumbgate_base::text::hex;

/// The page and its files. They need no token, because they contain nothing about this gateway.
pub(in crate::admin) const PUBLIC: [&str; 4] = ["/", CSS, JS, ICON];

pub(super) const CSS: &str = "/dashboard/style.css";
pub(super) const JS: &str = "/dashboard/script.js";
pub(super) const ICON: &str = "/dashboard/icon.svg";

pub(super) const STYLE: &str = include_str!("page.css");
pub(super) const SCRIPT: &str = include_str!("page.js");
pub(super) const PICTURE: &str = include_str!("icon.svg");

/// A hash that changes when the program's version, the style or the script changes.
pub(super) fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let whole = [env!("CARGO_PKG_VERSION"), STYLE, SCRIPT].concat();
        let digest = digest(&SHA256, whole.as_bytes());
        hex(&digest.as_ref()[..8])
    })
}
