//! Reloads when the configuration file, or a file that it names, changes.
//!
//! Files are polled once a second instead of watched through inotify: polling also sees a changed symbolic link, a
//! replaced Kubernetes secret and a change on a network file system. A change takes effect when two polls in a row see
//! the same state, so a file that is still being written is not read.

use std::{collections::BTreeMap, fs, os::unix::fs::MetadataExt, path::PathBuf, time::Duration};

use tokio::time::sleep;

use super::control::Control;
use crumbgate_config::Config;

/// Device, inode, size and modification time of a file; `None` if it can't be read. Differs between two states of it.
type Fingerprint = Option<(u64, u64, u64, i64, i64)>;

type Fingerprints = BTreeMap<PathBuf, Fingerprint>;

impl Control {
    /// Polls the files until the gateway stops, and reloads on a change if `server.watch` is set.
    pub fn watch_files(&self) {
        let control = self.clone();
        self.runtime().spawn(async move {
            let mut known = control.fingerprints().await;
            let mut last = known.clone();
            loop {
                sleep(POLL_INTERVAL).await;
                let now = control.fingerprints().await;
                if now == last && now != known {
                    known.clone_from(&now);
                    if control.config(|config| config.server.watch) {
                        let control = control.clone();
                        let reload = move || drop(control.reload("file watch"));
                        // The outcome is logged and kept in `last_reload`; a panic has printed its message.
                        let _ = tokio::task::spawn_blocking(reload).await;
                    }
                }
                last = now;
            }
        });
    }

    async fn fingerprints(&self) -> Fingerprints {
        let mut files = self.config(files_of);
        files.push(self.config_file());
        let read =
            move || files.into_iter().map(|file| (file.clone(), fingerprint(file))).collect();
        tokio::task::spawn_blocking(read).await.unwrap_or_default()
    }
}

fn fingerprint(file: PathBuf) -> Fingerprint {
    let found = fs::metadata(file).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

/// The files that a configuration names and that a reload reads again.
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

/// Time between two polls.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
