//! Reloads when a file changes: the configuration, or one that it names.
//!
//! Files are looked at, and not listened to: that sees what a change of a link, a mounted secret or a network's disk
//! does, too. A change is acted on when it has been the same for two looks, so that half of it is never read.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use tokio::time::sleep;

use super::control::Control;
use crumbgate_config::Config;

/// What tells one state of a file from another; none: it can't be looked at.
type Print = Option<(u64, u64, u64, i64, i64)>;

type Prints = BTreeMap<PathBuf, Print>;

impl Control {
    /// Looks at the files for as long as the gateway runs, whenever `server.watch` says so.
    pub fn watch_files(&self) {
        let control = self.clone();
        self.runtime().spawn(async move {
            let mut known = control.look().await;
            let mut last = known.clone();
            loop {
                sleep(INTERVAL).await;
                let now = control.look().await;
                if now == last && now != known {
                    known.clone_from(&now);
                    if control.config(|config| config.server.watch) {
                        let control = control.clone();
                        let reload = move || drop(control.reload("file watch"));
                        // How it went is logged, and kept for who asks. It panics only where it has told why.
                        let _ = tokio::task::spawn_blocking(reload).await;
                    }
                }
                last = now;
            }
        });
    }

    async fn look(&self) -> Prints {
        let mut files = self.config(files_of);
        files.push(self.config_file());
        let look = move || files.into_iter().map(|file| (file.clone(), print(file))).collect();
        tokio::task::spawn_blocking(look).await.unwrap_or_default()
    }
}

fn print(file: PathBuf) -> Print {
    let found = fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

/// The files that a configuration names and that are read with it.
fn files_of(config: &Config) -> Vec<PathBuf> {
    let certificates = config.tls.certificates.iter();
    let certificates = certificates.flat_map(|files| [files.chain.clone(), files.key.clone()]);
    let bundles = config.upstreams.iter().filter_map(|upstream| upstream.ca.clone());
    let admin = &config.admin;
    let of_admin =
        admin.certificate.iter().flat_map(|files| [files.chain.clone(), files.key.clone()]);
    let of_admin = of_admin.chain(admin.token_file.clone());
    let of_seal = config.seal.is_used.then(|| config.seal.keys.clone());
    certificates.chain(bundles).chain(of_admin).chain(of_seal).collect()
}

/// How often files are looked at.
const INTERVAL: Duration = Duration::from_secs(1);
