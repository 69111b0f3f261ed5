//! UDP firewalls of routers.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe_stun::Time;

use crate::hash::FastMap;
use crate::nat::Dependence;

/// What a router lets through, apart from what its NAT does.
///
/// ```
/// use floe_netsim::Firewall;
///
/// assert_eq!(Firewall::default(), Firewall::Open);
/// assert_ne!(Firewall::stateful(), Firewall::BlockUdp);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Firewall {
    /// Everything.
    #[default]
    Open,
    /// Everything from inside; from outside only what answers it.
    Stateful {
        /// What must be the same as in the packet from inside: nothing but the inside address and port, the outside
        /// address too, or address and port.
        filtering: Dependence,
        /// How long that lasts after the last packet in either direction.
        expiry: Duration,
    },
    /// No UDP in either direction. Connections can be made from inside to outside.
    BlockUdp,
}

impl Firewall {
    /// Answers come from the very address and port that was sent to, for 300 seconds, the least and the recommended
    /// time of RFC 6092 §3.2.3 being 120 and 300.
    #[must_use]
    pub const fn stateful() -> Self {
        Self::Stateful { filtering: Dependence::AddressAndPortDependent, expiry: Duration::from_secs(300) }
    }
}

/// How long a connection is remembered on which nothing comes (RFC 5382 §5).
const CONNECTION_EXPIRY: Duration = Duration::from_secs(7440);

/// A firewall with its memory.
#[derive(Debug, Default)]
pub(crate) struct FirewallState {
    pub(crate) rule: Firewall,
    sessions: FastMap<(SocketAddr, (IpAddr, u16)), Time>,
    /// The number of sessions at which expired ones are looked for.
    sweep_at: usize,
}

/// Why a firewall drops a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirewallDrop {
    Unsolicited,
    UdpBlocked,
}

const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

impl FirewallState {
    pub(crate) fn new(rule: Firewall) -> Self {
        Self { rule, ..Self::default() }
    }

    /// Forgets all sessions.
    pub(crate) fn reset(&mut self) {
        self.sessions.clear();
    }

    /// The rule, as it is for datagrams or connections.
    const fn rule_for(&self, is_stream: bool) -> Firewall {
        match self.rule {
            Firewall::BlockUdp if is_stream => Firewall::Stateful {
                filtering: Dependence::AddressAndPortDependent,
                expiry: CONNECTION_EXPIRY,
            },
            rule => rule,
        }
    }

    /// A packet on its way out.
    pub(crate) fn outbound(
        &mut self,
        inside: SocketAddr,
        outside: SocketAddr,
        is_stream: bool,
        now: Time,
    ) -> Result<(), FirewallDrop> {
        match self.rule_for(is_stream) {
            Firewall::Open => Ok(()),
            Firewall::BlockUdp => Err(FirewallDrop::UdpBlocked),
            Firewall::Stateful { filtering, expiry } => {
                if self.sessions.len() >= self.sweep_at {
                    self.sessions.retain(|_, since| *since + expiry > now);
                    self.sweep_at = (self.sessions.len() * 2).max(64);
                }
                self.sessions.insert((inside, part_of(filtering, outside)), now);
                Ok(())
            }
        }
    }

    /// A packet on its way in.
    pub(crate) fn inbound(
        &mut self,
        outside: SocketAddr,
        inside: SocketAddr,
        is_stream: bool,
        now: Time,
    ) -> Result<(), FirewallDrop> {
        match self.rule_for(is_stream) {
            Firewall::Open => Ok(()),
            Firewall::BlockUdp => Err(FirewallDrop::UdpBlocked),
            Firewall::Stateful { filtering, expiry } => {
                match self.sessions.get_mut(&(inside, part_of(filtering, outside))) {
                    Some(since) if *since + expiry > now => {
                        *since = now;
                        Ok(())
                    }
                    _ => Err(FirewallDrop::Unsolicited),
                }
            }
        }
    }
}

fn part_of(filtering: Dependence, outside: SocketAddr) -> (IpAddr, u16) {
    match filtering {
        Dependence::EndpointIndependent => (NOBODY, 0),
        Dependence::AddressDependent => (outside.ip(), 0),
        Dependence::AddressAndPortDependent => (outside.ip(), outside.port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1000)
    }

    fn addr(s: &str) -> SocketAddr {
        s.parse().unwrap()
    }

    /// Whether, after `inside` sent to [2001:db8:9::1]:7, a packet from `from` to `to` gets in.
    fn lets_in(filtering: Dependence, from: &str, to: &str) -> bool {
        let mut firewall =
            FirewallState::new(Firewall::Stateful { filtering, expiry: Duration::from_secs(120) });
        firewall.outbound(addr("[2001:db8::1]:5"), addr("[2001:db8:9::1]:7"), false, at(0)).unwrap();
        firewall.inbound(addr(from), addr(to), false, at(1)).is_ok()
    }

    #[test]
    fn answers_are_told_by_the_class_of_the_filter() {
        use Dependence::{AddressAndPortDependent, AddressDependent, EndpointIndependent};
        let inside = "[2001:db8::1]:5";
        for (filtering, same, other_port, other_address) in [
            (EndpointIndependent, true, true, true),
            (AddressDependent, true, true, false),
            (AddressAndPortDependent, true, false, false),
        ] {
            assert_eq!(lets_in(filtering, "[2001:db8:9::1]:7", inside), same);
            assert_eq!(lets_in(filtering, "[2001:db8:9::1]:8", inside), other_port);
            assert_eq!(lets_in(filtering, "[2001:db8:9::2]:7", inside), other_address);
            // Another port or host inside has sent nothing.
            assert!(!lets_in(filtering, "[2001:db8:9::1]:7", "[2001:db8::1]:6"));
            assert!(!lets_in(filtering, "[2001:db8:9::1]:7", "[2001:db8::2]:5"));
        }
    }

    #[test]
    fn sessions_expire_and_traffic_of_both_directions_keeps_them() {
        let (inside, outside) = (addr("10.0.0.1:1"), addr("192.0.2.1:2"));
        let mut firewall = FirewallState::new(Firewall::stateful());
        firewall.outbound(inside, outside, false, at(0)).unwrap();
        assert_eq!(firewall.inbound(outside, inside, false, at(299)), Ok(()));
        assert_eq!(firewall.inbound(outside, inside, false, at(598)), Ok(()));
        assert_eq!(firewall.inbound(outside, inside, false, at(898)), Err(FirewallDrop::Unsolicited));
    }

    #[test]
    fn a_blocking_firewall_blocks_both_directions() {
        let mut firewall = FirewallState::new(Firewall::BlockUdp);
        let (inside, outside) = (addr("10.0.0.1:1"), addr("192.0.2.1:2"));
        assert_eq!(firewall.outbound(inside, outside, false, at(0)), Err(FirewallDrop::UdpBlocked));
        assert_eq!(firewall.inbound(outside, inside, false, at(0)), Err(FirewallDrop::UdpBlocked));
    }

    #[test]
    fn expired_sessions_are_forgotten() {
        let mut firewall = FirewallState::new(Firewall::stateful());
        for i in 0..10_000u64 {
            let outside = SocketAddr::new(Ipv4Addr::from_bits(i as u32).into(), 1);
            firewall.outbound(addr("10.0.0.1:1"), outside, false, at(i)).unwrap();
        }
        assert!(firewall.sessions.len() < 1300, "{}", firewall.sessions.len());
    }
}
