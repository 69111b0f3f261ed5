//! Which of two local candidates says nothing that the other does not (RFC 8445 §5.1.3).

use core::net::SocketAddr;

use super::{Candidate, CandidateKind, canonical};

/// What becomes of a newly gathered candidate beside one that is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Redundancy {
    /// Both stay.
    Distinct,
    /// The new one is dropped.
    DropNew,
    /// The one that is there is dropped.
    DropExisting,
}

/// Compares a newly gathered local candidate with an existing one of the same stream; each comes with its base.
///
/// Redundant are two candidates of the same component and transport with the same address and the same base (RFC 8445
/// §5.1.3), and a relayed candidate whose address is that of a host candidate. The one of lower priority
/// goes; when the existing one was already signalled (`trickled`) it stays, whatever the priorities (RFC 8838 §9).
///
/// ```
/// use floe_ice::candidate::{Candidate, Redundancy, redundancy};
///
/// let address = "192.0.2.1:50000".parse()?;
/// let host = Candidate::host(address);
/// // Without a NAT the server sees the very address of the host.
/// let reflexive = Candidate::server_reflexive(address, address);
/// assert_eq!(redundancy((&reflexive, address), (&host, address), false), Redundancy::DropNew);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn redundancy(
    new: (&Candidate, SocketAddr),
    existing: (&Candidate, SocketAddr),
    trickled: bool,
) -> Redundancy {
    let (new, new_base) = new;
    let (old, old_base) = existing;
    let same_address = new.component() == old.component()
        && new.transport() == old.transport()
        && new.address() == old.address();
    let kinds = (new.kind(), old.kind());
    let relay_of_host = matches!(
        kinds,
        (CandidateKind::Host, CandidateKind::Relayed) | (CandidateKind::Relayed, CandidateKind::Host)
    );
    if !same_address || !(relay_of_host || canonical(new_base) == canonical(old_base)) {
        return Redundancy::Distinct;
    }
    if trickled || new.priority() <= old.priority() { Redundancy::DropNew } else { Redundancy::DropExisting }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ComponentId;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("a socket address")
    }

    #[test]
    fn the_lower_priority_goes_unless_the_other_was_signalled() {
        let a = address("192.0.2.1:5000");
        let (host, srflx) = (Candidate::host(a), Candidate::server_reflexive(a, a));
        assert_eq!(redundancy((&srflx, a), (&host, a), false), Redundancy::DropNew);
        assert_eq!(redundancy((&host, a), (&srflx, a), false), Redundancy::DropExisting);
        assert_eq!(redundancy((&host, a), (&srflx, a), true), Redundancy::DropNew);
        assert_eq!(
            redundancy((&srflx, address("[::ffff:192.0.2.1]:5000")), (&host, a), false),
            Redundancy::DropNew
        );
    }

    #[test]
    fn the_same_address_from_another_base_is_another_candidate() {
        let (mapped, a, b) =
            (address("203.0.113.1:7000"), address("10.0.0.1:5000"), address("10.1.0.1:5000"));
        let (one, two) = (Candidate::server_reflexive(mapped, a), Candidate::server_reflexive(mapped, b));
        assert_eq!(redundancy((&two, b), (&one, a), false), Redundancy::Distinct);
    }

    #[test]
    fn other_addresses_and_components_are_distinct() {
        let (a, b) = (address("10.0.0.1:5000"), address("10.0.0.1:5001"));
        let second = ComponentId::new(2).expect("a component");
        assert_eq!(
            redundancy((&Candidate::host(b), b), (&Candidate::host(a), a), false),
            Redundancy::Distinct
        );
        let rtcp = Candidate::host(a).with_component(second);
        assert_eq!(redundancy((&rtcp, a), (&Candidate::host(a), a), false), Redundancy::Distinct);
    }

    #[test]
    fn a_relayed_candidate_equal_to_a_host_candidate_goes() {
        let (host, mapped) = (address("198.51.100.1:5000"), address("203.0.113.1:7000"));
        let relay = Candidate::relayed(host, mapped);
        assert_eq!(redundancy((&relay, host), (&Candidate::host(host), mapped), false), Redundancy::DropNew);
        assert_eq!(
            redundancy((&Candidate::host(host), mapped), (&relay, host), false),
            Redundancy::DropExisting
        );
    }
}
