//! The mapping table against the requirements of RFC 4787.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use floe_stun::Time;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
use super::*;

const X: &str = "192.168.1.2:5000";
const Y1: &str = "198.51.100.1:1000";
const Y1_OTHER_PORT: &str = "198.51.100.1:2000";
const Y2: &str = "198.51.100.2:1000";

/// A NAT with a clock and a seed.
struct Bench {
    nat: Nat,
    now: Time,
    rng: ChaCha8Rng,
}

impl Bench {
    fn new(config: NatConfig) -> Self {
        Self::with_pool(config, 1)
    }

    fn with_pool(config: NatConfig, addresses: u8) -> Self {
        let pool = (1..=addresses).map(|n| Ipv4Addr::new(203, 0, 113, n)).collect();
        Self { nat: Nat::new(config, pool), now: Time::ZERO, rng: ChaCha8Rng::seed_from_u64(1) }
    }

    fn of(mapping: Dependence, filtering: Dependence, ports: PortAllocation) -> Self {
        Self::new(NatConfig::new(mapping, filtering, ports))
    }

    fn out(&mut self, internal: &str, remote: &str) -> Result<SocketAddrV4, NatDrop> {
        self.nat.outbound(addr(internal), addr(remote), self.now, &mut self.rng)
    }

    fn back(&mut self, external: SocketAddrV4, remote: &str) -> Result<SocketAddrV4, NatDrop> {
        self.nat.inbound(external, addr(remote), self.now)
    }

    fn hairpin(&mut self, internal: &str, external: SocketAddrV4) -> Result<(String, String), NatDrop> {
        let (source, destination) = self.nat.hairpin(addr(internal), external, self.now, &mut self.rng)?;
        Ok((source.to_string(), destination.to_string()))
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }
}

fn addr(s: &str) -> SocketAddrV4 {
    s.parse().unwrap()
}

#[test]
fn mappings_are_reused_as_their_class_says() {
    // RFC 4787 §4.1: same port for another port of the same address, and for another address.
    for (mapping, other_port, other_address) in [
        (EndpointIndependent, true, true),
        (AddressDependent, true, false),
        (AddressAndPortDependent, false, false),
    ] {
        for ports in PortAllocation::ALL {
            let mut nat = Bench::of(mapping, EndpointIndependent, ports);
            let first = nat.out(X, Y1).unwrap();
            assert_eq!(nat.out(X, Y1), Ok(first));
            assert_eq!(nat.out(X, Y1_OTHER_PORT) == Ok(first), other_port, "{mapping:?} {ports:?}");
            assert_eq!(nat.out(X, Y2) == Ok(first), other_address, "{mapping:?} {ports:?}");
            assert_ne!(nat.out("192.168.1.2:5002", Y1), Ok(first), "another internal endpoint");
        }
    }
}

#[test]
fn filters_let_in_what_their_class_says() {
    // RFC 4787 §5, REQ-8.
    for (filtering, other_port, other_address) in [
        (EndpointIndependent, true, true),
        (AddressDependent, true, false),
        (AddressAndPortDependent, false, false),
    ] {
        let mut nat = Bench::of(EndpointIndependent, filtering, PortAllocation::Preserving);
        let external = nat.out(X, Y1).unwrap();
        assert_eq!(nat.back(external, Y1), Ok(addr(X)));
        let verdict = |let_in: bool| if let_in { Ok(addr(X)) } else { Err(NatDrop::Filtered) };
        assert_eq!(nat.back(external, Y1_OTHER_PORT), verdict(other_port));
        assert_eq!(nat.back(external, Y2), verdict(other_address));
        // Sending there opens the filter.
        nat.out(X, Y2).unwrap();
        assert_eq!(nat.back(external, Y2), Ok(addr(X)));
    }
}

#[test]
fn a_filter_belongs_to_one_mapping() {
    let mut nat = Bench::of(AddressAndPortDependent, AddressDependent, PortAllocation::Random);
    let (to_y1, to_y2) = (nat.out(X, Y1).unwrap(), nat.out(X, Y2).unwrap());
    assert_eq!(nat.back(to_y1, Y2), Err(NatDrop::Filtered));
    assert_eq!(nat.back(to_y2, Y2), Ok(addr(X)));
}

#[test]
fn nothing_gets_in_without_a_mapping() {
    let mut nat = Bench::of(EndpointIndependent, EndpointIndependent, PortAllocation::Preserving);
    assert_eq!(nat.back(addr("203.0.113.1:5000"), Y1), Err(NatDrop::NoMapping));
}

#[test]
fn ports_are_preserved_until_they_collide() {
    let mut nat = Bench::of(EndpointIndependent, EndpointIndependent, PortAllocation::Preserving);
    assert_eq!(nat.out(X, Y1).unwrap().port(), 5000);
    // REQ-3: no port overloading; REQ-4: the next port of the same parity.
    assert_eq!(nat.out("192.168.1.3:5000", Y1).unwrap().port(), 5002);
    assert_eq!(nat.out("192.168.1.3:5001", Y1).unwrap().port(), 5001);
    // REQ-3a: well-known ports stay in their range.
    assert_eq!(nat.out("192.168.1.2:500", Y1).unwrap().port(), 500);
    assert_eq!(nat.out("192.168.1.3:500", Y1).unwrap().port(), 502);
}

#[test]
fn sequential_ports_follow_each_other() {
    let config = NatConfig::new(AddressAndPortDependent, EndpointIndependent, PortAllocation::Sequential)
        .parity(false);
    let mut nat = Bench::new(config.port_range(40_000, 40_003));
    let ports =
        ["198.51.100.1:1", "198.51.100.1:2", "198.51.100.1:3"].map(|to| nat.out(X, to).unwrap().port());
    assert_eq!(ports, [40_000, 40_001, 40_002]);
    // At the end of the range it starts again, past ports in use.
    assert_eq!(nat.out(X, "198.51.100.1:4").unwrap().port(), 40_003);
    nat.wait(200);
    for to in ["198.51.100.1:1", "198.51.100.1:2"] {
        nat.out(X, to).unwrap();
    }
    nat.wait(200);
    assert_eq!(nat.out(X, "198.51.100.1:5").unwrap().port(), 40_002);
}

#[test]
fn random_ports_keep_parity_and_their_seed() {
    let ports = |seed| {
        let mut nat = Bench::of(AddressAndPortDependent, EndpointIndependent, PortAllocation::Random);
        nat.rng = ChaCha8Rng::seed_from_u64(seed);
        (1..100).map(|n| nat.out(X, &format!("198.51.100.1:{n}")).unwrap().port()).collect::<Vec<_>>()
    };
    let first = ports(1);
    // REQ-4, REQ-3a.
    assert!(first.iter().all(|port| port % 2 == 0 && *port >= 1024), "{first:?}");
    assert_eq!(first, ports(1));
    assert_ne!(first, ports(2));
    let mut unique = first.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), first.len(), "REQ-3");
}

#[test]
fn a_nat_can_run_out_of_ports_and_recover() {
    for ports in PortAllocation::ALL {
        let config = NatConfig::new(AddressAndPortDependent, EndpointIndependent, ports);
        let mut nat = Bench::new(config.port_range(40_000, 40_002).expiry(Duration::from_secs(10)));
        for n in 1..=3 {
            // Parity gives way to need.
            assert!(nat.out(X, &format!("198.51.100.1:{n}")).is_ok());
        }
        assert_eq!(nat.out(X, Y2), Err(NatDrop::PortsExhausted));
        assert_eq!(nat.nat.live(nat.now).len(), 3);
        nat.wait(10);
        assert!(nat.out(X, Y2).is_ok());
        assert_eq!(nat.nat.live(nat.now).len(), 1);
    }
    let config = NatConfig::new(EndpointIndependent, EndpointIndependent, PortAllocation::Random);
    assert_eq!(Bench::new(config.port_range(9, 8)).out(X, Y1), Err(NatDrop::PortsExhausted));
}

#[test]
fn outbound_packets_refresh_a_mapping() {
    // REQ-5, REQ-6.
    let mut nat = Bench::of(EndpointIndependent, EndpointIndependent, PortAllocation::Preserving);
    let external = nat.out(X, Y1).unwrap();
    nat.wait(299);
    nat.out(X, Y1).unwrap();
    nat.wait(299);
    assert_eq!(nat.back(external, Y1), Ok(addr(X)));
    nat.wait(1);
    assert_eq!(nat.back(external, Y1), Err(NatDrop::NoMapping));
}

#[test]
fn inbound_packets_refresh_a_mapping_if_so_configured() {
    // REQ-6a.
    for refresh in [false, true] {
        let config = NatConfig::new(EndpointIndependent, AddressDependent, PortAllocation::Preserving)
            .inbound_refresh(refresh);
        let mut nat = Bench::new(config);
        let external = nat.out(X, Y1).unwrap();
        nat.wait(200);
        assert_eq!(nat.back(external, Y2), Err(NatDrop::Filtered), "refreshes nothing");
        assert_eq!(nat.back(external, Y1), Ok(addr(X)));
        nat.wait(200);
        assert_eq!(nat.back(external, Y1).is_ok(), refresh);
    }
}

#[test]
fn a_permission_expires_though_its_mapping_lives() {
    let mut nat = Bench::of(EndpointIndependent, AddressDependent, PortAllocation::Preserving);
    let external = nat.out(X, Y1).unwrap();
    nat.wait(200);
    nat.out(X, Y2).unwrap();
    nat.wait(200);
    assert_eq!(nat.back(external, Y1), Err(NatDrop::Filtered));
    assert_eq!(nat.back(external, Y2), Ok(addr(X)));
}

#[test]
fn an_expired_mapping_is_made_anew() {
    let mut nat = Bench::of(EndpointIndependent, EndpointIndependent, PortAllocation::Sequential);
    let first = nat.out(X, Y1).unwrap();
    nat.wait(300);
    let second = nat.out(X, Y1).unwrap();
    assert_ne!(first, second);
    assert_eq!(nat.back(first, Y1), Err(NatDrop::NoMapping));
    assert_eq!(nat.back(second, Y1), Ok(addr(X)));
}

#[test]
fn hairpinning_shows_the_source_it_is_told_to() {
    // REQ-9, REQ-9a.
    let inside = "192.168.1.3:6000";
    let show = |hairpinning| {
        let config = NatConfig::new(EndpointIndependent, EndpointIndependent, PortAllocation::Preserving);
        let mut nat = Bench::new(config.hairpinning(hairpinning));
        let external = nat.out(inside, Y1).unwrap();
        nat.hairpin(X, external)
    };
    let seen = |source: &str| Ok((source.to_owned(), inside.to_owned()));
    assert_eq!(show(Hairpinning::ExternalSource), seen("203.0.113.1:5000"));
    assert_eq!(show(Hairpinning::InternalSource), seen(X));
    assert_eq!(show(Hairpinning::Unsupported), Err(NatDrop::NoHairpinning));
}

#[test]
fn hairpinned_packets_meet_the_filter() {
    let mut nat = Bench::of(EndpointIndependent, AddressAndPortDependent, PortAllocation::Preserving);
    let [a, b] = ["192.168.1.2:5000", "192.168.1.3:6000"];
    let (external_a, external_b) = (nat.out(a, Y1).unwrap(), nat.out(b, Y1).unwrap());
    assert_eq!(nat.hairpin(a, external_b), Err(NatDrop::Filtered));
    // The first attempt opened the way back, and the way back opens the way there.
    assert!(nat.hairpin(b, external_a).is_ok());
    assert!(nat.hairpin(a, external_b).is_ok());
}

#[test]
fn paired_pooling_gives_a_host_one_external_address() {
    // REQ-2.
    let config = NatConfig::new(AddressAndPortDependent, EndpointIndependent, PortAllocation::Random);
    let externals = |config: NatConfig, host: &str| {
        let mut nat = Bench::with_pool(config, 4);
        nat.out("192.168.1.9:1024", Y1).unwrap();
        let mut ips: Vec<_> =
            (1..50).map(|n| *nat.out(host, &format!("198.51.100.1:{n}")).unwrap().ip()).collect();
        ips.sort_unstable();
        ips.dedup();
        ips
    };
    assert_eq!(externals(config.clone(), X), [Ipv4Addr::new(203, 0, 113, 2)]);
    assert_eq!(externals(config.pooling(Pooling::Arbitrary), X).len(), 4);
}

#[test]
fn live_mappings_can_be_listed() {
    let mut nat = Bench::of(AddressDependent, EndpointIndependent, PortAllocation::Preserving);
    let external = nat.out(X, Y1).unwrap();
    let remote = Some(SocketAddrV4::new(*addr(Y1).ip(), 0));
    let expires = Time::from_millis(300_000);
    assert_eq!(nat.nat.live(nat.now), [NatMapping { internal: addr(X), external, remote, expires }]);
    nat.nat.reset(vec![Ipv4Addr::new(203, 0, 113, 9)]);
    assert_eq!(nat.nat.live(nat.now), []);
    assert_eq!(nat.out(X, Y1).unwrap().ip(), &Ipv4Addr::new(203, 0, 113, 9));
}

#[test]
fn a_nat_without_addresses_drops_everything() {
    let config = NatConfig::new(EndpointIndependent, EndpointIndependent, PortAllocation::Random);
    assert_eq!(Bench::with_pool(config, 0).out(X, Y1), Err(NatDrop::PortsExhausted));
}
