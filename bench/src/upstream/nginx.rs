use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::Place;
use crate::{
    process::{LOAD_CORE, Process, pinned},
    targets::{fill, free_address},
    traffic::{self, Answer},
};

/// An nginx that answers what [`traffic::answers`] says.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    socket: PathBuf,
    _process: Process,
}

impl Nginx {
    /// Starts it, with its files in this folder.
    pub fn start(folder: &Path) -> Result<Self> {
        let address = free_address()?;
        let socket = folder.join("upstream.sock");
        let mut locations = String::new();
        for (index, answer) in traffic::answers().iter().enumerate() {
            let file = folder.join(format!("answer{index}"));
            fs::write(&file, &answer.body)?;
            locations += &location(answer, &file);
        }
        let written = fill(
            include_str!("../../peers/upstream-nginx.conf"),
            &[
                ("FOLDER", &folder.display().to_string()),
                ("ADDRESS", &address.to_string()),
                ("SOCKET", &socket.display().to_string()),
                ("LOCATIONS", &locations),
            ],
        );
        let config = folder.join("upstream.conf");
        fs::write(&config, written)?;
        let mut command = pinned(&LOAD_CORE.to_string(), Path::new("nginx"));
        command.arg("-c").arg(&config).arg("-p").arg(folder);
        let mut process = Process::start(&mut command, &folder.join("upstream.log"))?;
        process
            .wait_for("nginx as the application", |_| TcpStream::connect(address).ok())
            .context("nginx as the application does not start")?;
        Ok(Self { address, socket, _process: process })
    }

    /// Its TCP port.
    pub fn tcp(&self) -> Place {
        Place::Tcp(self.address)
    }

    /// Its Unix socket.
    pub fn unix(&self) -> Place {
        Place::Unix(self.socket.clone())
    }

    /// The number of connections that it has accepted, and of requests that it has answered, since its start.
    pub fn counts(&self) -> Result<Counts> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"GET /status HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Counts::parse(&text).with_context(|| format!("no counts in {text:?}"))
    }
}

/// The counters of nginx.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counts {
    /// Connections that it has accepted.
    pub connections: u64,
    /// Requests that it has begun to answer.
    pub requests: u64,
}

impl Counts {
    /// Reads `stub_status`: below "server accepts handled requests" are three numbers.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("server accepts handled requests")?;
        let mut numbers = rest.split_whitespace().map(str::parse);
        let connections = numbers.next()?.ok()?;
        let requests = numbers.nth(1)?.ok()?;
        Some(Self { connections, requests })
    }

    /// The difference between an earlier moment and this one, without the request for the counters itself.
    pub fn since(self, earlier: Self) -> Result<Self> {
        ensure!(self.requests > earlier.requests, "the application was not asked");
        Ok(Self {
            connections: self.connections - earlier.connections - 1,
            requests: self.requests - earlier.requests - 1,
        })
    }
}

fn location(answer: &Answer, file: &Path) -> String {
    let mut text = format!("        location = {} {{\n", answer.path);
    text += &format!("            default_type \"{}\";\n", answer.content_type);
    text += "            add_header Cache-Control \"no-cache, private\";\n";
    for field in &answer.set_cookies {
        text += &format!("            add_header Set-Cookie \"{field}\";\n");
    }
    // A parameter of the configuration has 4 KiB at most.
    text += &if answer.body.len() < 1024 {
        format!("            return 200 '{}';\n", answer.body)
    } else {
        format!("            alias {};\n", file.display())
    };
    text + "        }\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_stub_status_says() {
        let text = "Active connections: 3 \nserver accepts handled requests\n 12 12 345 \nReading: 0 Writing: 1\n";
        assert_eq!(Counts::parse(text), Some(Counts { connections: 12, requests: 345 }));
    }
}
