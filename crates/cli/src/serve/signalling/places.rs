//! How many connections there may be, and how many of one source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Connections in total.
const TOTAL: usize = 50_000;

/// The places for connections.
pub(super) struct Places {
    of_a_source: usize,
    taken: Mutex<Taken>,
    refused: AtomicU64,
}

#[derive(Default)]
struct Taken {
    total: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Places {
    pub(super) fn new(of_a_source: usize) -> Arc<Self> {
        Arc::new(Self { of_a_source, taken: Mutex::default(), refused: AtomicU64::new(0) })
    }

    /// A place for a connection from there, until it is dropped.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let source = source(client);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_source.get(&source).copied().unwrap_or_default();
        if taken.total >= TOTAL || here >= self.of_a_source {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        taken.total += 1;
        taken.by_source.insert(source, here + 1);
        Some(Place { places: self.clone(), source })
    }

    /// Connections now, and those that were refused.
    pub(super) fn counts(&self) -> (usize, u64) {
        let now = self.taken.lock().unwrap_or_else(PoisonError::into_inner).total;
        (now, self.refused.load(Ordering::Relaxed))
    }
}

/// Who can have as many addresses as they like in an IPv6 /64 is one source.
fn source(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((ip.to_bits() >> 64 << 64).into()),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// The place of one connection.
pub(super) struct Place {
    places: Arc<Places>,
    source: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.total -= 1;
        if let Some(here) = taken.by_source.get_mut(&self.source) {
            *here -= 1;
            if *here == 0 {
                taken.by_source.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn a_source_has_so_many_places_and_gives_them_back() {
        let places = Places::new(2);
        let held = [places.take(ip("192.0.2.1")), places.take(ip("::ffff:192.0.2.1"))];
        assert!(held.iter().all(Option::is_some));
        assert!(places.take(ip("192.0.2.1")).is_none());
        assert!(places.take(ip("192.0.2.2")).is_some());
        assert_eq!(places.counts(), (2, 1));
        drop(held);
        assert_eq!(places.counts(), (0, 1));
        assert!(places.take(ip("192.0.2.1")).is_some());
        assert!(places.taken.lock().expect("no panic").by_source.is_empty());
    }

    #[test]
    fn the_addresses_of_a_64_are_one_source() {
        let places = Places::new(1);
        let held = places.take(ip("2001:db8::1"));
        assert!(held.is_some() && places.take(ip("2001:db8::2:1")).is_none());
        assert!(places.take(ip("2001:db8:0:1::1")).is_some());
    }
}
