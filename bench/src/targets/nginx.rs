//! nginx: a master and one worker.

use std::{fs, path::Path};

use anyhow::Result;

use super::{CONNECTIONS, Ground, Running, fill, free_address};
use crate::{
    process::{PROXY_CORE, pinned},
    upstream::Place,
};

/// The implementation of the policy, which decides on parts of its configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The modules that are loaded.
    modules: &'static str,
    /// The directives in `http`.
    before: &'static str,
    /// The directives in `location`.
    rules: &'static str,
    /// A script beside the configuration, and its name.
    script: (&'static str, &'static str),
}

/// Leaves cookies alone.
pub(super) const PLAIN: Rules = Rules { modules: "", before: "", rules: "", script: ("none", "") };

/// Does the policy with Lua.
pub(super) const LUA: Rules = Rules {
    modules: "load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;",
    before: "    lua_package_path \"@FOLDER@/?.lua;;\";
    init_by_lua_block { policy = require \"policy\" }",
    rules:
        "            set_by_lua_block $kept_cookies { return policy.request(ngx.var.http_cookie) }
            proxy_set_header Cookie $kept_cookies;
            header_filter_by_lua_block { policy.response() }",
    script: ("policy.lua", include_str!("../../peers/nginx-lua.lua")),
};

/// Does the policy with JavaScript.
pub(super) const NJS: Rules = Rules {
    modules: "load_module /usr/lib/nginx/modules/ngx_http_js_module.so;",
    before: "    js_path @FOLDER@;
    js_import policy from policy.js;
    js_set $kept_cookies policy.request;",
    rules: "            proxy_set_header Cookie $kept_cookies;
            js_header_filter policy.response;",
    script: ("policy.js", include_str!("../../peers/nginx-njs.js")),
};

/// Starts it with its files in this folder. It may not listen yet.
pub(super) fn launch(
    rules: Rules,
    run: &Ground,
    folder: &Path,
    application: &Place,
) -> Result<Running> {
    let address = free_address()?;
    let server = match application {
        Place::Tcp(address) => address.to_string(),
        Place::Unix(path) => format!("unix:{}", path.display()),
    };
    fs::write(folder.join(rules.script.0), rules.script.1)?;
    let written = fill(
        include_str!("../../peers/nginx.conf"),
        &[
            ("MODULES", rules.modules),
            ("BEFORE", rules.before),
            ("RULES", rules.rules),
            ("FOLDER", &folder.display().to_string()),
            // Each request needs a second one, to the application.
            ("SLOTS", &(CONNECTIONS + 2_000).to_string()),
            ("ADDRESS", &address.to_string()),
            ("CHAIN", &run.certificate.chain.display().to_string()),
            ("KEY", &run.certificate.key.display().to_string()),
            ("SERVER", &server),
        ],
    );
    let config = folder.join("nginx.conf");
    fs::write(&config, written)?;
    let mut command = pinned(&PROXY_CORE.to_string(), Path::new("nginx"));
    command.arg("-c").arg(&config).arg("-p").arg(folder);
    Running::launch(&mut command, folder, address)
}
