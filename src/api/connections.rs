//! Counting connections: in all, and for each address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use crate::limits::{HTTP_CONNECTIONS_MAX, HTTP_CONNECTIONS_PER_ADDRESS_MAX};

/// The open connections.
#[derive(Debug, Default)]
pub struct Connections(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One connection's place; dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    /// A place for a connection from `address`; `None` when a bound is reached.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = counted(address);
        let mut counts = self.0.lock().expect("no holder panics");
        let own = counts.by_address.get(&address).copied().unwrap_or(0);
        if counts.all >= HTTP_CONNECTIONS_MAX || own >= HTTP_CONNECTIONS_PER_ADDRESS_MAX {
            return None;
        }
        counts.all += 1;
        counts.by_address.insert(address, own + 1);
        Some(Place { connections: Arc::clone(self), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.connections.0.lock().expect("no holder panics");
        counts.all -= 1;
        if let Some(own) = counts.by_address.get_mut(&self.address) {
            *own -= 1;
            if *own == 0 {
                counts.by_address.remove(&self.address);
            }
        }
    }
}

/// What counts as one address: an IPv4 address, however written; the /64 of an IPv6 address, which one host has to itself.
fn counted(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_takes_its_share_and_gives_it_back() {
        let connections = Arc::new(Connections::default());
        let own: IpAddr = "192.0.2.1".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let mut places: Vec<_> = (0..HTTP_CONNECTIONS_PER_ADDRESS_MAX).map(|_| connections.enter(own).unwrap()).collect();
        assert!(connections.enter(mapped).is_none());
        assert!(connections.enter("192.0.2.2".parse().unwrap()).is_some());
        places.pop();
        assert!(connections.enter(mapped).is_some());
        drop(places);
        assert!(connections.0.lock().unwrap().by_address.is_empty());
    }

    #[test]
    fn all_addresses_together_have_a_bound() {
        let connections = Arc::new(Connections::default());
        let address = |index: usize| IpAddr::from([10, 0, 0, u8::try_from(index).unwrap()]);
        let _places: Vec<_> = (0..HTTP_CONNECTIONS_MAX).map(|index| connections.enter(address(index / 60)).unwrap()).collect();
        assert!(connections.enter("192.0.2.1".parse().unwrap()).is_none());
    }
}
