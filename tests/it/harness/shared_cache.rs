//! A shared cache before the gateway: Debian's nginx, which stores whatever the fields of an answer allow.

use std::process::Stdio;

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    process::{Child, Command},
};

use super::{ACME, CONDITION_TIMEOUT, Running};

/// A running nginx. It ends when it is dropped.
pub(crate) struct SharedCache {
    folder: TempDir,
    /// Kills it when dropped.
    _nginx: Child,
}

impl SharedCache {
    /// A cache before this gateway. Like many CDNs, it stores answers with `Set-Cookie` as any others, and serves them to
    /// everybody who asks for the same target. Below `/heuristic/` it stores answers that say nothing about it.
    pub(crate) async fn before(gateway: &Running) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().display();
        let proxy = format!("proxy_pass https://{};", gateway.https());
        let paths = ["client_body", "fastcgi", "proxy", "scgi", "uwsgi"]
            .map(|name| format!("{name}_temp_path {root}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off;\nmaster_process off;\npid {root}/pid;\nerror_log stderr;\nevents {{}}\n\
             http {{\naccess_log off;\n{paths}proxy_cache_path {root}/stored keys_zone=shared:1m;\n\
             server {{\nlisten unix:{root}/socket;\n\
             proxy_http_version 1.1;\nproxy_set_header Host {ACME};\nproxy_set_header Connection \"\";\n\
             proxy_ssl_server_name on;\nproxy_ssl_name {ACME};\n\
             proxy_cache shared;\nproxy_cache_key $request_uri;\nproxy_ignore_headers Set-Cookie;\n\
             add_header x-cache $upstream_cache_status always;\n\
             location / {{ {proxy} }}\n\
             location /heuristic/ {{ {proxy} proxy_cache_valid 200 1m; }}\n}}\n}}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text).unwrap();
        let nginx = Command::new("/usr/sbin/nginx")
            .args(["-p".as_ref(), folder.path().as_os_str()])
            .args(["-e", "stderr", "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("nginx starts; scripts/test installs it");
        let cache = Self { folder, _nginx: nginx };
        let deadline = tokio::time::Instant::now() + CONDITION_TIMEOUT;
        while cache.connect().await.is_err() {
            assert!(tokio::time::Instant::now() < deadline, "nginx does not listen");
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        cache
    }

    async fn connect(&self) -> std::io::Result<UnixStream> {
        UnixStream::connect(self.folder.path().join("socket")).await
    }

    /// Sends a request that accepts what a browser's navigation does, with these lines. Returns the whole answer as text.
    pub(crate) async fn get(&self, target: &str, lines: &[String]) -> String {
        let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
        let mut stream = self.connect().await.unwrap();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: {ACME}\r\naccept: text/html,*/*;q=0.8\r\n\
             connection: close\r\n{lines}\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }
}
