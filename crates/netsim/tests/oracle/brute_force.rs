//! Every class of NAT against every other, and the arrangements that matter.

use std::net::SocketAddr;
use std::time::Duration;

use floe_netsim::{
    Attach, Dependence, Families, Firewall, Hairpinning, HostId, Link, NatConfig, NatType, Network, PathKind,
    Pooling, PortAllocation, RouterConfig, Site, Verdict,
};

use crate::puncher::{Puncher, ROUNDS};

/// A network with a STUN server and 20 ms to cross the Internet.
pub(crate) fn internet(seed: u64) -> (Network, Vec<SocketAddr>) {
    let mut net = Network::new(seed);
    net.set_segment_link(net.internet(), Link::delay_ms(20)).unwrap();
    let server = net.add_stun_server("stun", &Site::public()).unwrap();
    let addresses = net[server].addresses().to_vec();
    (net, addresses)
}

/// What brute force finds.
pub(crate) fn try_everything(
    net: &mut Network,
    servers: &[SocketAddr],
    a: HostId,
    b: HostId,
) -> Vec<PathKind> {
    let [a, b] = [a, b].map(|host| net.add_endpoint(host, Puncher::new(servers.to_vec())).unwrap());
    net.with(a, |puncher, now| puncher.start(b.id(), now));
    net.with(b, |puncher, now| puncher.start(a.id(), now));
    net.run_for(Duration::from_millis(200) * (ROUNDS + 2));
    net[a].found()
}

/// Compares the oracle with brute force; the verdict they agree on.
pub(crate) fn agree(net: &mut Network, servers: &[SocketAddr], a: HostId, b: HostId, what: &str) -> Verdict {
    let verdict = net.direct_path(a, b);
    let found = try_everything(net, servers, a, b);
    match &verdict {
        Verdict::Yes { paths, possible } => {
            let (certain, lucky): (Vec<_>, Vec<_>) = found.into_iter().partition(|path| paths.contains(path));
            assert_eq!(&certain, paths, "{what}");
            assert!(lucky.iter().all(|path| possible.contains(path)), "{what}: {verdict}, found {lucky:?}");
        }
        Verdict::No => assert_eq!(found, [], "{what}"),
        Verdict::Maybe { paths, .. } => {
            assert!(found.iter().all(|path| paths.contains(path)), "{what}: {verdict}, found {found:?}");
        }
    }
    verdict
}

fn pair(a: NatType, b: NatType) -> Verdict {
    let (mut net, servers) = internet(7);
    let [a_host, b_host] = [("a", a), ("b", b)].map(|(name, kind)| {
        let site =
            if kind == NatType::None { Site::public().families(Families::V4) } else { Site::behind(kind) };
        net.add_peer(name, &site).unwrap().host
    });
    agree(&mut net, &servers, a_host, b_host, &format!("{a} and {b}"))
}

#[test]
fn the_oracle_and_brute_force_agree_on_every_pair_of_classes() {
    let (mut yes, mut no, mut maybe) = (0, 0, 0);
    for a in NatType::all() {
        for b in NatType::all() {
            match pair(a, b) {
                Verdict::Yes { .. } => yes += 1,
                Verdict::No => no += 1,
                Verdict::Maybe { .. } => maybe += 1,
            }
        }
    }
    assert_eq!(yes + no + maybe, 900);
    assert!(yes > 400 && no > 50 && maybe > 50, "{yes} {no} {maybe}");
}

#[test]
fn the_verdict_is_the_same_from_both_sides() {
    for a in NatType::all() {
        for b in NatType::all() {
            let (mut net, _) = internet(7);
            let [a_host, b_host] = [("a", a), ("b", b)]
                .map(|(name, kind)| net.add_peer(name, &Site::behind(kind)).unwrap().host);
            let (there, back) = (net.direct_path(a_host, b_host), net.direct_path(b_host, a_host));
            assert_eq!((there.is_yes(), there.is_no()), (back.is_yes(), back.is_no()), "{a} and {b}");
        }
    }
}

#[test]
fn hosts_of_one_lan_meet_there_and_by_hairpin() {
    for kind in NatType::all_classes() {
        for hairpinning in
            [Hairpinning::Unsupported, Hairpinning::ExternalSource, Hairpinning::InternalSource]
        {
            let (mut net, servers) = internet(7);
            let nat = kind.config().unwrap().hairpinning(hairpinning);
            let a =
                net.add_peer("a", &Site::public().then_behind_router(RouterConfig::new().nat(nat))).unwrap();
            let b = net.add_neighbour("b", &a).unwrap();
            let verdict = agree(&mut net, &servers, a.host, b.host, &format!("{kind} {hairpinning:?}"));
            assert!(verdict.is_yes(), "{kind}: {verdict}");
        }
    }
}

#[test]
fn homes_behind_one_provider_need_its_hairpin() {
    for home in NatType::all_classes().into_iter().step_by(2) {
        for cgn in NatType::all_classes().into_iter().step_by(2) {
            for hairpinning in [Hairpinning::Unsupported, Hairpinning::ExternalSource] {
                let (mut net, servers) = internet(7);
                let config = RouterConfig::new().nat(cgn.config().unwrap().hairpinning(hairpinning));
                let cgn_router = net.add_router("cgn", net.internet(), config).unwrap();
                let site = Site::behind(home).within(net.inside(cgn_router).unwrap());
                let [a, b] = ["a", "b"].map(|name| net.add_peer(name, &site).unwrap().host);
                let what = format!("{home} behind {cgn} {hairpinning:?}");
                let verdict = agree(&mut net, &servers, a, b, &what);
                if hairpinning == Hairpinning::Unsupported {
                    assert!(!verdict.is_yes(), "{what}: {verdict}");
                }
            }
        }
    }
}

#[test]
fn two_nats_in_a_row_are_as_strict_as_the_stricter() {
    let some =
        [NatType::FULL_CONE, NatType::RESTRICTED_CONE, NatType::PORT_RESTRICTED_CONE, NatType::SYMMETRIC];
    for inner in some {
        for outer in some {
            for other in some {
                let (mut net, servers) = internet(7);
                let a = net.add_peer("a", &Site::behind(inner).then_behind(outer)).unwrap().host;
                let b = net.add_peer("b", &Site::behind(other)).unwrap().host;
                let what = format!("{inner} behind {outer}, and {other}");
                let verdict = agree(&mut net, &servers, a, b, &what);
                let weakest = pair(inner, other).is_yes() && pair(outer, other).is_yes();
                assert!(weakest || !verdict.is_yes(), "{what}: {verdict}");
            }
        }
    }
}

#[test]
fn stateful_firewalls_of_ipv6_open_for_both_sides() {
    for a in Dependence::ALL {
        for b in Dependence::ALL {
            let (mut net, servers) = internet(7);
            let [a_host, b_host] = [("a", a), ("b", b)].map(|(name, filtering)| {
                let firewall = Firewall::Stateful { filtering, expiry: Duration::from_secs(120) };
                let site = Site::behind(NatType::SYMMETRIC).ipv6(firewall).families(Families::V6);
                net.add_peer(name, &site).unwrap().host
            });
            let verdict = agree(&mut net, &servers, a_host, b_host, &format!("{a:?} {b:?}"));
            assert_eq!(verdict.to_string(), "yes: host-host over IPv6");
        }
    }
}

#[test]
fn dual_stack_hosts_have_a_path_for_each_family() {
    let (mut net, servers) = internet(7);
    let site = Site::behind(NatType::PORT_RESTRICTED_CONE).ipv6(Firewall::stateful());
    let [a, b] = ["a", "b"].map(|name| net.add_peer(name, &site).unwrap().host);
    let verdict = agree(&mut net, &servers, a, b, "dual stack");
    assert_eq!(verdict.to_string(), "yes: host-host over IPv6, srflx-srflx over IPv4");
    // One without IPv6 has to use IPv4.
    let c = net.add_peer("c", &Site::behind(NatType::FULL_CONE)).unwrap().host;
    assert_eq!(net.direct_path(a, c).to_string(), "yes: srflx-srflx over IPv4");
}

#[test]
fn without_a_server_only_public_addresses_are_known() {
    let mut net = Network::new(7);
    let a = net.add_peer("a", &Site::behind(NatType::SYMMETRIC)).unwrap().host;
    let b = net.add_peer("b", &Site::behind(NatType::FULL_CONE)).unwrap().host;
    let c = net.add_peer("c", &Site::public()).unwrap().host;
    assert!(agree(&mut net, &[], a, b, "no server").is_no());
    assert_eq!(agree(&mut net, &[], a, c, "no server").to_string(), "yes: prflx-host over IPv4");
}

#[test]
fn a_host_with_two_ways_out_takes_either() {
    let (mut net, servers) = internet(7);
    let a = net.add_host("a");
    for kind in [NatType::SYMMETRIC, NatType::RESTRICTED_CONE] {
        let router = net.add_router("way", net.internet(), RouterConfig::of(kind)).unwrap();
        net.attach(a, net.inside(router).unwrap(), Attach::default()).unwrap();
    }
    let b = net.add_peer("b", &Site::behind(NatType::SYMMETRIC)).unwrap().host;
    let verdict = agree(&mut net, &servers, a, b, "two ways");
    assert_eq!(verdict.to_string(), "yes: srflx-prflx over IPv4");
}

#[test]
fn overlapping_homes_are_told_apart() {
    for kind in [NatType::FULL_CONE, NatType::PORT_RESTRICTED_CONE, NatType::SYMMETRIC] {
        let (mut net, servers) = internet(7);
        let block = RouterConfig::of(kind).inside("192.168.1.0/24".parse().unwrap());
        let site = Site::public().then_behind_router(block);
        let [a, b] = ["a", "b"].map(|name| net.add_peer(name, &site).unwrap().host);
        let verdict = agree(&mut net, &servers, a, b, &format!("{kind}"));
        assert_eq!(verdict.is_yes(), kind != NatType::SYMMETRIC, "{kind}: {verdict}");
    }
}

#[test]
fn several_external_addresses_are_a_doubt_only_where_a_filter_cares() {
    for pooling in [Pooling::Paired, Pooling::Arbitrary] {
        for filtering in Dependence::ALL {
            for mapping in Dependence::ALL {
                let (mut net, servers) = internet(7);
                let nat = NatConfig::new(mapping, Dependence::EndpointIndependent, PortAllocation::Random);
                let config = RouterConfig::new().nat(nat.pooling(pooling)).pool(4);
                let a = net.add_peer("a", &Site::public().then_behind_router(config)).unwrap().host;
                let other =
                    NatConfig::new(Dependence::EndpointIndependent, filtering, PortAllocation::Preserving);
                let site = Site::public().then_behind_router(RouterConfig::new().nat(other));
                let b = net.add_peer("b", &site).unwrap().host;
                agree(&mut net, &servers, a, b, &format!("{pooling:?} {filtering:?} {mapping:?}"));
            }
        }
    }
}

#[test]
fn doubts_say_what_the_answer_depends_on() {
    let verdict = |a: RouterConfig, link: Link| {
        let (mut net, _) = internet(7);
        net.set_segment_link(net.internet(), link).unwrap();
        let a = net.add_peer("a", &Site::public().then_behind_router(a)).unwrap().host;
        let b = net.add_peer("b", &Site::behind(NatType::PORT_RESTRICTED_CONE)).unwrap().host;
        net.direct_path(a, b).to_string()
    };
    let cone = || NatType::FULL_CONE.config().unwrap();
    let nat = |config| RouterConfig::new().nat(config);
    let paths = "srflx-srflx over IPv4";
    let clear = Link::IDEAL;
    assert_eq!(verdict(nat(cone()), clear.clone()), format!("yes: {paths}"));
    let short = nat(cone().expiry(Duration::from_secs(5)));
    assert_eq!(verdict(short, clear.clone()), format!("maybe: {paths}, if not for: router0 forgets soon"));
    let few = nat(cone().port_range(5000, 5010));
    assert_eq!(verdict(few, clear.clone()), format!("maybe: {paths}, if not for: router0 has few ports"));
    let guess: NatType = "apdm-apdf-sequential".parse().unwrap();
    let expected = format!("maybe: {paths}, if not for: the ports of router0 can only be guessed");
    assert_eq!(verdict(RouterConfig::of(guess), clear.clone()), expected);
    assert_eq!(verdict(RouterConfig::of(NatType::SYMMETRIC), clear), "no");
    let lossy = Link::IDEAL.loss(0.5);
    assert_eq!(verdict(nat(cone()), lossy.clone()), format!("maybe: {paths}, if not for: a link loses much"));
    assert_eq!(verdict(nat(cone()), lossy.max_loss_run(4)), format!("yes: {paths}"));
    let narrow = Link::IDEAL.mtu(500);
    assert_eq!(verdict(nat(cone()), narrow), format!("maybe: {paths}, if not for: a link has a small MTU"));
    assert_eq!(verdict(nat(cone()), Link::IDEAL.loss(1.0)), "no");
}

#[test]
fn interfaces_that_are_down_do_not_count() {
    let (mut net, _) = internet(7);
    let a = net.add_peer("a", &Site::public()).unwrap();
    let b = net.add_peer("b", &Site::public()).unwrap();
    assert!(net.direct_path(a.host, b.host).is_yes());
    net.detach(b.interface).unwrap();
    assert!(net.direct_path(a.host, b.host).is_no());
}
