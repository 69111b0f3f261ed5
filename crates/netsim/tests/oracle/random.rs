//! Random networks: the oracle and brute force agree on those too.

use std::time::Duration;

use floe_netsim::{
    Dependence, Firewall, Hairpinning, Link, NatConfig, Pooling, PortAllocation, RouterConfig, Site,
};
use proptest::prelude::*;

use crate::brute_force::{agree, internet};

fn dependence() -> impl Strategy<Value = Dependence> {
    prop::sample::select(&Dependence::ALL[..])
}

fn router() -> impl Strategy<Value = RouterConfig> {
    let hairpinning = [Hairpinning::Unsupported, Hairpinning::ExternalSource, Hairpinning::InternalSource];
    let nat = (
        (dependence(), dependence(), prop::sample::select(&PortAllocation::ALL[..])),
        prop::sample::select(hairpinning.to_vec()),
        prop::sample::select(vec![Pooling::Paired, Pooling::Arbitrary]),
    )
        .prop_map(|((mapping, filtering, ports), hairpinning, pooling)| {
            NatConfig::new(mapping, filtering, ports).hairpinning(hairpinning).pooling(pooling)
        });
    (prop::option::weighted(0.8, nat), firewall(), 1..4usize).prop_map(|(nat, firewall, pool)| {
        let config = RouterConfig::new().firewall(firewall).pool(pool);
        nat.into_iter().fold(config, RouterConfig::nat)
    })
}

fn firewall() -> impl Strategy<Value = Firewall> {
    let stateful =
        dependence().prop_map(|filtering| Firewall::Stateful { filtering, expiry: Duration::from_secs(60) });
    prop_oneof![4 => Just(Firewall::Open), 2 => stateful, 1 => Just(Firewall::BlockUdp)]
}

/// Routers, the innermost first, and the firewall that all have for IPv6.
type Chain = (Vec<RouterConfig>, Option<Firewall>);

fn chain() -> impl Strategy<Value = Chain> {
    (prop::collection::vec(router(), 0..4), prop::option::of(firewall()))
}

#[derive(Clone, Debug)]
enum Place {
    Own(Chain),
    /// In the LAN of the other peer.
    Beside,
    /// Behind routers of its own in the LAN of the other peer.
    Within(Vec<RouterConfig>),
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        6 => chain().prop_map(Place::Own),
        1 => Just(Place::Beside),
        3 => prop::collection::vec(router(), 1..3).prop_map(Place::Within),
    ]
}

fn site((chain, ipv6): &Chain) -> Site {
    let site = chain.iter().cloned().fold(Site::public(), Site::then_behind_router);
    ipv6.iter().fold(site, |site, firewall| site.ipv6(*firewall))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_oracle_and_brute_force_agree_on_random_networks(
        seed in any::<u64>(),
        first in chain(),
        second in place(),
        delay in 0..30u64,
    ) {
        let (mut net, servers) = internet(seed);
        net.set_chart_on_panic(false);
        net.set_segment_link(net.internet(), Link::delay_ms(delay)).unwrap();
        let a = net.add_peer("a", &site(&first)).unwrap();
        let b = match &second {
            Place::Own(chain) => net.add_peer("b", &site(chain)).unwrap(),
            Place::Beside => net.add_neighbour("b", &a).unwrap(),
            Place::Within(chain) => {
                net.add_peer("b", &site(&(chain.clone(), None)).within(a.segment)).unwrap()
            }
        };
        agree(&mut net, &servers, a.host, b.host, &format!("{first:?}\n{second:?}"));
    }
}
