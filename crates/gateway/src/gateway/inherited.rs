//! Listening sockets that another process has opened: a predecessor, or a service manager.

use std::{
    io,
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixListener},
};

use listenfd::ListenFd;

/// Listening sockets that another process has opened and no listener has taken yet.
#[derive(Debug, Default)]
pub struct Inherited {
    sockets: Vec<InheritedSocket>,
    from: From,
}

/// The process that opened the sockets.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum From {
    /// This process.
    #[default]
    Nobody,
    /// The gateway that is replaced.
    Predecessor,
    /// systemd, or another service manager with its protocol.
    ServiceManager,
}

#[derive(Debug)]
struct InheritedSocket {
    /// The listener's configuration key, such as `server.https`; `None` if a service manager opened it.
    key: Option<String>,
    /// Its address in the configuration; from a service manager the address that it is bound to.
    address: String,
    socket: OwnedFd,
}

impl Inherited {
    /// The sockets that a service manager has opened (`LISTEN_FDS`, `sd_listen_fds(3)`).
    ///
    /// # Errors
    ///
    /// Fails if one of them is neither a TCP nor a Unix listening socket.
    pub fn of_service_manager() -> io::Result<Self> {
        let mut handed = ListenFd::from_env();
        let mut inherited = Self { from: From::ServiceManager, ..Self::default() };
        for index in 0..handed.len() {
            inherited.sockets.extend(of_service_manager(&mut handed, index)?);
        }
        Ok(inherited)
    }

    /// Sockets of a predecessor, each with its key and its address in the configuration.
    pub(super) fn of_predecessor(sockets: Vec<(String, String, OwnedFd)>) -> Self {
        let sockets = sockets.into_iter();
        let sockets = sockets.map(|(key, address, socket)| InheritedSocket {
            key: Some(key),
            address,
            socket,
        });
        Self { sockets: sockets.collect(), from: From::Predecessor }
    }

    /// A socket that this process has opened itself, for the listener with this key and address.
    pub fn of_this_process(key: &str, address: &str, socket: OwnedFd) -> Self {
        let (key, address) = (Some(key.to_owned()), address.to_owned());
        Self { sockets: vec![InheritedSocket { key, address, socket }], ..Self::default() }
    }

    /// Takes the sockets of the listener with this key and address.
    pub fn take(&mut self, key: &str, address: &str) -> Vec<OwnedFd> {
        let is_requested = |socket: &mut InheritedSocket| {
            let fits = socket.key.as_deref().is_none_or(|known| known == key);
            fits && (socket.address == address || is_dual(&socket.address, address))
        };
        self.sockets.extract_if(.., is_requested).map(|socket| socket.socket).collect()
    }

    /// The addresses that a service manager listens on and no listener has taken: connections to them would wait for ever.
    /// A predecessor's sockets are not listed: they close when it ends, as the configuration intends.
    pub fn unclaimed(&self) -> Vec<&str> {
        match self.from {
            From::ServiceManager => self.sockets.iter().map(|socket| &*socket.address).collect(),
            From::Nobody | From::Predecessor => Vec::new(),
        }
    }
}

fn of_service_manager(handed: &mut ListenFd, index: usize) -> io::Result<Option<InheritedSocket>> {
    let with_address = |address: String, socket| InheritedSocket { key: None, address, socket };
    match handed.take_tcp_listener(index) {
        Ok(listener) => listener
            .map(|listener: TcpListener| {
                Ok(with_address(listener.local_addr()?.to_string(), listener.into()))
            })
            .transpose(),
        Err(not_tcp) => {
            let listener = handed.take_unix_listener(index).map_err(|_| not_tcp)?;
            let named = |listener: UnixListener| {
                let address = listener.local_addr()?;
                let path = address.as_pathname().map(|path| path.display().to_string());
                Ok(with_address(format!("unix:{}", path.unwrap_or_default()), listener.into()))
            };
            listener.map(named).transpose()
        }
    }
}

/// Returns `true` if `bound` is `[::]` and `configured` is `0.0.0.0`, with the same port: systemd's `ListenStream=8443` binds
/// `[::]` and accepts IPv4 connections too.
fn is_dual(bound: &str, configured: &str) -> bool {
    let port = |address: &str, of: &str| address.strip_prefix(of).map(str::to_owned);
    port(bound, "[::]:").is_some_and(|port_| Some(port_) == port(configured, "0.0.0.0:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some_socket() -> OwnedFd {
        TcpListener::bind("127.0.0.1:0").unwrap().into()
    }

    #[test]
    fn a_listener_takes_the_sockets_of_its_key_and_address_and_no_others() {
        let socket = |key: &str, address: &str| (key.to_owned(), address.to_owned(), some_socket());
        let mut inherited = Inherited::of_predecessor(vec![
            socket("server.https", "127.0.0.1:0"),
            socket("server.http", "127.0.0.1:0"),
            socket("server.https", "127.0.0.1:0"),
        ]);
        assert_eq!(inherited.take("server.https", "127.0.0.1:1").len(), 0);
        assert_eq!(inherited.take("server.https", "127.0.0.1:0").len(), 2);
        assert_eq!(inherited.take("server.https", "127.0.0.1:0").len(), 0);
        assert!(inherited.unclaimed().is_empty(), "a predecessor's socket is not reported");
    }

    #[test]
    fn sockets_of_a_service_manager_are_found_by_address_and_a_dual_stack_one_serves_ipv4_too() {
        let of_manager = |address: &str| Inherited {
            sockets: vec![InheritedSocket {
                key: None,
                address: address.to_owned(),
                socket: some_socket(),
            }],
            from: From::ServiceManager,
        };
        assert_eq!(of_manager("[::]:8443").take("server.https", "0.0.0.0:8443").len(), 1);
        assert_eq!(of_manager("[::]:8443").take("server.https", "0.0.0.0:443").len(), 0);
        assert_eq!(of_manager("0.0.0.0:8443").take("server.https", "[::]:8443").len(), 0);
        assert_eq!(of_manager("unix:/run/a").take("admin.listen", "unix:/run/a").len(), 1);
        assert_eq!(of_manager("[::]:80").unclaimed(), ["[::]:80"]);
    }
}
