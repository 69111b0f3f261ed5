//! Priorities of candidates and of pairs (RFC 8445 §5.1.2, §6.1.2.3; RFC 8421 §4).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::IpAddr;

use crate::ids::ComponentId;

/// Type preference of host candidates (RFC 8445 §5.1.2.2).
pub(super) const TYPE_PREFERENCE_HOST: u8 = 126;
/// Type preference of peer-reflexive candidates (RFC 8445 §5.1.2.2).
pub(super) const TYPE_PREFERENCE_PEER_REFLEXIVE: u8 = 110;
/// Type preference of server-reflexive candidates (RFC 8445 §5.1.2.2).
pub(super) const TYPE_PREFERENCE_SERVER_REFLEXIVE: u8 = 100;
/// Type preference of relayed candidates (RFC 8445 §5.1.2.2).
pub(super) const TYPE_PREFERENCE_RELAYED: u8 = 0;

/// The highest type preference (RFC 8445 §5.1.2.1).
pub const MAX_TYPE_PREFERENCE: u8 = 126;
/// The highest local preference: that of a candidate without rivals (RFC 8445 §5.1.2.1).
pub const MAX_LOCAL_PREFERENCE: u16 = u16::MAX;
/// The highest candidate priority that may be signalled (RFC 8445 §5.1.2).
pub const MAX_PRIORITY: u32 = (1 << 31) - 1;

/// How many sources (servers, ways to a server) of candidates one local address has room for in [`local_preference`].
pub const SOURCES_PER_ADDRESS: u16 = 256;

/// The priority of a candidate by the recommended formula (RFC 8445 §5.1.2.1):
/// 2^24 · type preference + 2^8 · local preference + (256 − component).
///
/// The result is in 1..=2^31−1: a type preference above 126 counts as 126, and the one combination that yields 0
/// (0, 0, component 256) gives 1, because a priority is positive (§5.1.2).
///
/// ```
/// use floe_ice::ComponentId;
/// use floe_ice::candidate::{CandidateKind, MAX_LOCAL_PREFERENCE, candidate_priority};
///
/// let host = CandidateKind::Host.type_preference();
/// assert_eq!(candidate_priority(host, MAX_LOCAL_PREFERENCE, ComponentId::FIRST), 2_130_706_431);
/// ```
#[must_use]
pub const fn candidate_priority(type_preference: u8, local_preference: u16, component: ComponentId) -> u32 {
    let kind = if type_preference > MAX_TYPE_PREFERENCE { MAX_TYPE_PREFERENCE } else { type_preference };
    // `as`: widening, and `From` is not const.
    let priority = ((kind as u32) << 24) | ((local_preference as u32) << 8) | component_term(component);
    if priority == 0 { 1 } else { priority }
}

/// The last term of the formula, 0..=255.
const fn component_term(component: ComponentId) -> u32 {
    256 - component.get() as u32
}

/// `priority` with the term of the component replaced by that of `component` (RFC 8445 §5.1.2.1).
pub(super) const fn for_component(priority: u32, component: ComponentId) -> u32 {
    let priority = (priority & !0xff) | component_term(component);
    if priority == 0 { 1 } else { priority }
}

/// The priority that a peer-reflexive candidate learned through a base of this priority gets: what a connectivity
/// check carries in PRIORITY (RFC 8445 §7.1.1). Only the type preference differs from the base's own.
///
/// ```
/// use floe_ice::candidate::peer_reflexive_priority;
///
/// assert_eq!(peer_reflexive_priority(2_130_706_431), 1_862_270_975);
/// ```
#[must_use]
pub const fn peer_reflexive_priority(base_priority: u32) -> u32 {
    ((TYPE_PREFERENCE_PEER_REFLEXIVE as u32) << 24) | (base_priority & 0x00ff_ffff)
}

/// The priority of a pair, `controlling` (G) being the priority of the controlling agent's candidate and `controlled`
/// (D) that of the other's: 2^32 · min(G, D) + 2 · max(G, D) + (1 if G > D) (RFC 8445 §6.1.2.3).
///
/// Exact for all values a peer may send and for all others but one: G = D = 2^32−1 is the only pair that does not
/// fit 64 bits, and saturates.
///
/// ```
/// use floe_ice::candidate::pair_priority;
///
/// let (host, reflexive) = (2_130_706_431, 1_694_498_815);
/// assert!(pair_priority(host, host) > pair_priority(host, reflexive));
/// assert_eq!(pair_priority(host, reflexive), pair_priority(reflexive, host) + 1);
/// ```
#[must_use]
pub const fn pair_priority(controlling: u32, controlled: u32) -> u64 {
    let (min, max) =
        if controlling < controlled { (controlling, controlled) } else { (controlled, controlling) };
    let low = 2 * (max as u64) + (controlling > controlled) as u64;
    ((min as u64) << 32).saturating_add(low)
}

/// Ranks local addresses so that the families alternate (RFC 8421 §4): entry `i` of the result is the rank of
/// `addresses[i]`, 0 the most preferred. Every rank occurs once.
///
/// `addresses` holds (interface index, address) in the order of the caller's preference. IPv6 begins, then the
/// families take turns until one is used up, so a family without connectivity delays the other by one check at a time.
/// Within a family the first address of every interface comes before the second of any: two addresses of one interface
/// usually share its fate, another interface is another path.
///
/// ```
/// use floe_ice::candidate::family_ranks;
///
/// let addresses = [
///     (1, "192.0.2.1".parse()?),
///     (1, "2001:db8::1".parse()?),
///     (1, "2001:db8::2".parse()?),
///     (2, "198.51.100.1".parse()?),
/// ];
/// assert_eq!(family_ranks(&addresses), [1, 0, 2, 3]);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn family_ranks(addresses: &[(u32, IpAddr)]) -> Vec<usize> {
    let mut seen: BTreeMap<(bool, u32), usize> = BTreeMap::new();
    let mut order: Vec<(usize, bool, usize)> = Vec::with_capacity(addresses.len());
    for (index, (interface, ip)) in addresses.iter().enumerate() {
        let v4 = ip.to_canonical().is_ipv4();
        let nth = seen.entry((v4, *interface)).or_default();
        order.push((*nth, v4, index));
        *nth += 1;
    }
    // By turn on the interface, then by the caller's order; the family's own numbering follows.
    order.sort_unstable_by_key(|&(nth, _, index)| (nth, index));
    let mut turns = [0, 0];
    for (turn, v4, _) in &mut order {
        let next = &mut turns[usize::from(*v4)];
        *turn = *next;
        *next += 1;
    }
    // Turn by turn, IPv6 (false) first.
    order.sort_unstable();
    let mut ranks = alloc::vec![0; addresses.len()];
    for (rank, &(_, _, index)) in order.iter().enumerate() {
        if let Some(slot) = ranks.get_mut(index) {
            *slot = rank;
        }
    }
    ranks
}

/// The local preference of a candidate: unique among the candidates of one type, component and stream as long as no
/// two have the same `address_rank` and `source_rank` (RFC 8445 §5.1.2.1).
///
/// `address_rank` is the base's rank among the local addresses, see [`family_ranks`]; an address that appears later takes the next
/// free rank. `source_rank` tells apart candidates of the same type from the same base: 0 for host candidates, for
/// others the rank of the server and of the way to it (§5.1.2.2), UDP before TCP before TLS. The first of all gets 65535.
///
/// `None` when a rank is above 255: there is no room for such a candidate, and it should not be gathered.
///
/// ```
/// use floe_ice::candidate::local_preference;
///
/// assert_eq!(local_preference(0, 0), Some(65535));
/// assert_eq!(local_preference(0, 1), Some(65534));
/// assert_eq!(local_preference(1, 0), Some(65279));
/// assert_eq!(local_preference(256, 0), None);
/// ```
#[must_use]
pub fn local_preference(address_rank: usize, source_rank: usize) -> Option<u16> {
    let address = u8::try_from(address_rank).ok()?;
    let source = u8::try_from(source_rank).ok()?;
    // TCP candidates will need 13 of these bits beside their direction (RFC 6544 §4.2); with a type preference one below
    // that of UDP they do not meet these.
    Some(MAX_LOCAL_PREFERENCE - u16::from(address) * SOURCES_PER_ADDRESS - u16::from(source))
}

/// The local preferences of the host candidates of `addresses`, in the same order: [`family_ranks`] turned into
/// [`local_preference`]. Addresses ranked beyond the 256th get `None`.
///
/// ```
/// use floe_ice::candidate::local_preferences;
///
/// let addresses = [(1, "192.0.2.1".parse()?), (1, "2001:db8::1".parse()?)];
/// assert_eq!(local_preferences(&addresses), [Some(65279), Some(65535)]);
/// # Ok::<(), core::net::AddrParseError>(())
/// ```
#[must_use]
pub fn local_preferences(addresses: &[(u32, IpAddr)]) -> Vec<Option<u16>> {
    family_ranks(addresses).into_iter().map(|rank| local_preference(rank, 0)).collect()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn component(id: u16) -> ComponentId {
        ComponentId::new(id).expect("1..=256")
    }

    /// A letter for the family and interface of each address, in the order of rank.
    fn ranked(addresses: &[(u32, &str)]) -> Vec<alloc::string::String> {
        let parsed: Vec<_> = addresses.iter().map(|(i, a)| (*i, a.parse().expect("an address"))).collect();
        let mut out = alloc::vec![alloc::string::String::new(); addresses.len()];
        for (rank, (_, address)) in family_ranks(&parsed).into_iter().zip(addresses) {
            out[rank] = (*address).into();
        }
        out
    }

    #[test]
    fn the_formula_gives_the_values_printed_in_the_rfcs() {
        // RFC 8839 §4.2.6.
        assert_eq!(candidate_priority(TYPE_PREFERENCE_HOST, 65535, component(1)), 2_130_706_431);
        assert_eq!(candidate_priority(TYPE_PREFERENCE_SERVER_REFLEXIVE, 65535, component(1)), 1_694_498_815);
        // RFC 8421 §5, components 1 and 2.
        assert_eq!(candidate_priority(TYPE_PREFERENCE_HOST, 60000, component(1)), 2_129_289_471);
        assert_eq!(candidate_priority(TYPE_PREFERENCE_HOST, 60000, component(2)), 2_129_289_470);
        assert_eq!(candidate_priority(TYPE_PREFERENCE_RELAYED, 60000, component(1)), 15_360_255);
    }

    #[test]
    fn a_priority_is_positive_and_fits_31_bits() {
        assert_eq!(candidate_priority(0, 0, component(256)), 1);
        assert_eq!(for_component(255, component(256)), 1);
        assert!(candidate_priority(255, 65535, component(1)) <= MAX_PRIORITY);
    }

    #[test]
    fn a_check_announces_the_type_preference_of_peer_reflexive() {
        let base = candidate_priority(TYPE_PREFERENCE_HOST, 4711, component(3));
        let prflx = candidate_priority(TYPE_PREFERENCE_PEER_REFLEXIVE, 4711, component(3));
        assert_eq!(peer_reflexive_priority(base), prflx);
    }

    #[test]
    fn pair_priorities_neither_overflow_nor_lose_bits() {
        assert_eq!(pair_priority(1, 1), (1 << 32) + 2);
        assert_eq!(pair_priority(2, 1), (1 << 32) + 5);
        assert_eq!(pair_priority(1, 2), (1 << 32) + 4);
        let top = MAX_PRIORITY;
        assert_eq!(pair_priority(top, top), (u64::from(top) << 32) + 2 * u64::from(top));
        assert_eq!(pair_priority(u32::MAX, u32::MAX), u64::MAX);
        assert_eq!(pair_priority(u32::MAX, u32::MAX - 1), u64::MAX);
        assert_eq!(pair_priority(u32::MAX - 1, u32::MAX), u64::MAX - 1);
    }

    #[test]
    fn families_take_turns_and_ipv6_begins() {
        let order = ranked(&[
            (1, "10.0.0.1"),
            (1, "10.0.0.2"),
            (1, "2001:db8::1"),
            (1, "2001:db8::2"),
            (1, "2001:db8::3"),
        ]);
        assert_eq!(order, ["2001:db8::1", "10.0.0.1", "2001:db8::2", "10.0.0.2", "2001:db8::3"]);
    }

    #[test]
    fn every_interface_has_a_turn_before_any_has_a_second() {
        let order = ranked(&[(1, "2001:db8::1"), (1, "2001:db8::2"), (2, "2001:db8:1::1"), (2, "10.0.0.1")]);
        assert_eq!(order, ["2001:db8::1", "10.0.0.1", "2001:db8:1::1", "2001:db8::2"]);
    }

    #[test]
    fn a_single_address_gets_the_highest_local_preference() {
        assert_eq!(local_preferences(&[(7, "10.0.0.1".parse().expect("an address"))]), [Some(65535)]);
        assert_eq!(local_preferences(&[]), []);
    }

    #[test]
    fn beyond_256_addresses_there_is_no_room() {
        let addresses: Vec<_> =
            (0..300u32).map(|i| (i, IpAddr::from((0x0a00_0000 + i).to_be_bytes()))).collect();
        let preferences = local_preferences(&addresses);
        assert_eq!(preferences.iter().flatten().collect::<BTreeSet<_>>().len(), 256);
        assert_eq!(preferences[255], Some(255));
        assert_eq!(preferences[256], None);
    }

    fn any_ip() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<u32>().prop_map(|v| IpAddr::from(v.to_be_bytes())),
            any::<u128>().prop_map(|v| IpAddr::from(v.to_be_bytes()))
        ]
    }

    proptest! {
        #[test]
        fn ranks_are_a_permutation_and_preferences_unique(list in prop::collection::vec((0u32..4, any_ip()), 0..64)) {
            let ranks: BTreeSet<_> = family_ranks(&list).into_iter().collect();
            prop_assert_eq!(ranks, (0..list.len()).collect::<BTreeSet<_>>());
            let mut all = BTreeSet::new();
            for rank in family_ranks(&list) {
                for source in 0..4 {
                    prop_assert!(all.insert(local_preference(rank, source).expect("in range")));
                }
            }
        }

        #[test]
        fn while_both_families_last_neighbours_differ(list in prop::collection::vec((0u32..4, any_ip()), 0..64)) {
            let v4 = list.iter().filter(|(_, ip)| ip.to_canonical().is_ipv4()).count();
            let shared = 2 * v4.min(list.len() - v4);
            for (rank, (_, ip)) in family_ranks(&list).into_iter().zip(&list) {
                if rank < shared {
                    prop_assert_eq!(ip.to_canonical().is_ipv4(), rank % 2 == 1);
                }
            }
        }

        #[test]
        fn priorities_of_one_stream_are_unique(
            a in (0usize..4, 0usize..256, 0usize..256, 1u16..=256),
            b in (0usize..4, 0usize..256, 0usize..256, 1u16..=256),
        ) {
            let types = [126, 110, 100, 0];
            let priority = |(kind, rank, source, id): (usize, usize, usize, u16)| {
                candidate_priority(types[kind], local_preference(rank, source).expect("in range"), component(id))
            };
            prop_assert!((1..=MAX_PRIORITY).contains(&priority(a)));
            // The one collision is the clamped zero: last relay of the last source, components 255 and 256.
            if priority(a) > 1 && a != b {
                prop_assert_ne!(priority(a), priority(b));
            }
        }

        #[test]
        fn a_pair_priority_orders_as_in_128_bits(g in any::<u32>(), d in any::<u32>()) {
            let exact = (u128::from(g.min(d)) << 32) + 2 * u128::from(g.max(d)) + u128::from(g > d);
            prop_assert_eq!(u128::from(pair_priority(g, d)), exact.min(u128::from(u64::MAX)));
        }
    }
}
