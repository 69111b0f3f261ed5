//! How many connections there may be, and how many of them without an allocation.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use super::builder::StreamLimits;
use crate::engine::lock;

/// Counts the connections.
pub(super) struct Admission {
    limits: StreamLimits,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    all: usize,
    /// Those without an allocation, and how many of them each source has.
    waiting: usize,
    by_source: HashMap<IpAddr, usize>,
}

impl Admission {
    pub(super) fn new(limits: StreamLimits) -> Arc<Self> {
        Arc::new(Self { limits, counts: Mutex::default() })
    }

    pub(super) fn connections(&self) -> usize {
        lock(&self.counts).all
    }

    /// A place for a new connection, which waits for an allocation; `None` where there is no room for it.
    pub(super) fn admit(self: &Arc<Self>, source: IpAddr) -> Option<Place> {
        let source = network(source);
        let mut counts = lock(&self.counts);
        let of_source = counts.by_source.get(&source).copied().unwrap_or_default();
        let room = counts.all < self.limits.connections
            && counts.waiting < self.limits.waiting
            && of_source < self.limits.waiting_per_source;
        if !room {
            return None;
        }
        counts.all += 1;
        counts.wait(source);
        drop(counts);
        Some(Place { admission: self.clone(), source, waiting: Mutex::new(true) })
    }
}

impl Counts {
    fn wait(&mut self, source: IpAddr) {
        self.waiting += 1;
        *self.by_source.entry(source).or_default() += 1;
    }

    fn wait_no_more(&mut self, source: IpAddr) {
        self.waiting -= 1;
        if let Some(count) = self.by_source.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.by_source.remove(&source);
            }
        }
    }
}

/// What counts as one source: an IPv4 address, or an IPv6 /64, of which one customer has all addresses.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX)).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// The place that one connection takes. Dropping it leaves it.
pub(super) struct Place {
    admission: Arc<Admission>,
    source: IpAddr,
    waiting: Mutex<bool>,
}

impl Place {
    /// Says whether the connection is without an allocation.
    pub(super) fn set_waiting(&self, waiting: bool) {
        let mut is_waiting = lock(&self.waiting);
        if *is_waiting != waiting {
            *is_waiting = waiting;
            let mut counts = lock(&self.admission.counts);
            if waiting { counts.wait(self.source) } else { counts.wait_no_more(self.source) }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.set_waiting(false);
        lock(&self.admission.counts).all -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(connections: usize, waiting: usize, waiting_per_source: usize) -> Arc<Admission> {
        let limits = StreamLimits { connections, waiting, waiting_per_source, ..StreamLimits::default() };
        Admission::new(limits)
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_source_cannot_take_every_place() {
        let admission = admission(10, 4, 2);
        let taken = [admission.admit(ip("192.0.2.1")), admission.admit(ip("192.0.2.1"))];
        assert!(taken.iter().all(Option::is_some));
        assert!(admission.admit(ip("192.0.2.1")).is_none());
        assert!(admission.admit(ip("::ffff:192.0.2.1")).is_none(), "the same source");
        let others = [admission.admit(ip("2001:db8::1")), admission.admit(ip("2001:db8::2:3:4:5"))];
        assert!(others.iter().all(Option::is_some));
        assert!(admission.admit(ip("192.0.2.2")).is_none(), "all may wait so many");
        drop(taken);
        assert!(admission.admit(ip("2001:db8::6")).is_none(), "one network");
        assert!(admission.admit(ip("2001:db8:0:1::6")).is_some());
        drop(others);
        assert_eq!(admission.connections(), 0);
        assert!(lock(&admission.counts).by_source.is_empty());
    }

    #[test]
    fn who_has_an_allocation_waits_no_more() {
        let admission = admission(3, 1, 1);
        let places: Vec<Place> = (0..3)
            .map(|_| {
                let place = admission.admit(ip("192.0.2.1")).expect("there is room");
                place.set_waiting(false);
                place.set_waiting(false);
                place
            })
            .collect();
        assert!(admission.admit(ip("192.0.2.9")).is_none(), "there are as many as there may be");
        places[0].set_waiting(true);
        drop(places);
        let counts = lock(&admission.counts);
        assert_eq!((counts.all, counts.waiting, counts.by_source.len()), (0, 0, 0));
    }
}
