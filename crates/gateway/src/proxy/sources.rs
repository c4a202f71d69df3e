//! The open connections of each source on one worker: one source must not take every place.

use std::{cell::RefCell, collections::HashMap, net::IpAddr, rc::Rc};

/// The sources that have open connections. It has as many entries as the worker has connections at most, and one takes some
/// 30 bytes.
#[derive(Default)]
pub(crate) struct Sources {
    connections: RefCell<HashMap<Source, u32, foldhash::fast::RandomState>>,
}

/// A source of connections: an IPv4 address, or an IPv6 network of 64 bits, which is what one household gets.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
enum Source {
    V4(u32),
    V6(u64),
}

/// A connection of a source, until it is dropped.
pub(crate) struct SourcePlace {
    sources: Rc<Sources>,
    source: Source,
}

impl Sources {
    /// Counts another connection of this address's source. `None` if the source has `limit` connections.
    pub(crate) fn enter(self: &Rc<Self>, address: IpAddr, limit: usize) -> Option<SourcePlace> {
        let source = Source::of(address);
        let mut connections = self.connections.borrow_mut();
        let count = connections.entry(source).or_default();
        if *count as usize >= limit {
            return None;
        }
        *count += 1;
        Some(SourcePlace { sources: Rc::clone(self), source })
    }
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => Self::V6((address.to_bits() >> 64) as u64),
        }
    }
}

impl Drop for SourcePlace {
    fn drop(&mut self) {
        let mut connections = self.sources.connections.borrow_mut();
        let Some(count) = connections.get_mut(&self.source) else { return };
        *count -= 1;
        if *count == 0 {
            connections.remove(&self.source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_has_a_limited_number_of_connections() {
        let sources = Rc::new(Sources::default());
        let enter = |address: &str| sources.enter(address.parse().unwrap(), 2);
        for (own, same, other) in [
            ("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:1:2::9", "2001:db8:0:2::1"),
        ] {
            let first = enter(own).unwrap();
            let second = enter(same).unwrap();
            assert!(enter(own).is_none() && enter(same).is_none());
            assert!(enter(other).is_some());
            drop(first);
            let third = enter(same).unwrap();
            assert!(enter(own).is_none());
            drop((second, third));
            assert!(sources.connections.borrow().is_empty(), "{own}");
        }
    }
}
