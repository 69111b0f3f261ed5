//! Two NATs deep on either side, and under one provider: the oracle against brute force.

use std::time::Duration;

use floe_netsim::{
    Dependence, Families, Firewall, Hairpinning, NatConfig, NatType, PortAllocation, RouterConfig, Site,
    Verdict,
};

use crate::brute_force::{agree, internet};

const HAIRPINNING: [Hairpinning; 3] =
    [Hairpinning::Unsupported, Hairpinning::ExternalSource, Hairpinning::InternalSource];

/// The nine classes with ports that nobody can tell, so that the oracle has no doubt.
fn classes() -> Vec<NatConfig> {
    let of =
        |mapping| Dependence::ALL.map(|filtering| NatConfig::new(mapping, filtering, PortAllocation::Random));
    Dependence::ALL.into_iter().flat_map(of).collect()
}

fn router(nat: &NatConfig, hairpinning: Hairpinning) -> RouterConfig {
    RouterConfig::new().nat(nat.clone().hairpinning(hairpinning))
}

fn behind(nat: &NatConfig) -> Site {
    Site::public().then_behind_router(router(nat, Hairpinning::Unsupported))
}

/// Yes and no, so that a test can tell that there were both.
#[derive(Debug, Default)]
struct Seen {
    yes: usize,
    no: usize,
}

impl Seen {
    fn note(&mut self, verdict: &Verdict, what: &str) {
        match verdict {
            Verdict::Yes { .. } => self.yes += 1,
            Verdict::No => self.no += 1,
            Verdict::Maybe { .. } => panic!("{what}: {verdict}, and nothing is left to luck"),
        }
    }
}

#[test]
fn two_nats_deep_on_both_sides() {
    let mut seen = Seen::default();
    for a in classes() {
        for b in classes() {
            for outer in classes() {
                let (mut net, servers) = internet(7);
                let [a_host, b_host] = [("a", &a), ("b", &b)].map(|(name, own)| {
                    let site = behind(own).then_behind_router(router(&outer, Hairpinning::Unsupported));
                    net.add_peer(name, &site).unwrap().host
                });
                let what = format!("{a:?} and {b:?} in {outer:?} each");
                seen.note(&agree(&mut net, &servers, a_host, b_host, &what), &what);
            }
        }
    }
    assert!(seen.yes > 100 && seen.no > 100, "{seen:?}");
}

#[test]
fn two_nats_deep_on_one_side() {
    let mut seen = Seen::default();
    for inner in classes() {
        for outer in classes() {
            for other in classes() {
                let (mut net, servers) = internet(7);
                let site = behind(&inner).then_behind_router(router(&outer, Hairpinning::Unsupported));
                let a = net.add_peer("a", &site).unwrap().host;
                let b = net.add_peer("b", &behind(&other)).unwrap().host;
                let what = format!("{inner:?} in {outer:?} and {other:?}");
                seen.note(&agree(&mut net, &servers, a, b, &what), &what);
            }
        }
    }
    assert!(seen.yes > 100 && seen.no > 100, "{seen:?}");
}

#[test]
fn two_homes_under_one_provider_whose_nat_alone_may_hairpin() {
    let mut seen = Seen::default();
    for a in classes() {
        for b in classes() {
            for outer in classes() {
                for hairpinning in HAIRPINNING {
                    let (mut net, servers) = internet(7);
                    let provider =
                        net.add_router("provider", net.internet(), router(&outer, hairpinning)).unwrap();
                    let inside = net.inside(provider).unwrap();
                    let [a_host, b_host] = [("a", &a), ("b", &b)]
                        .map(|(name, own)| net.add_peer(name, &behind(own).within(inside)).unwrap().host);
                    let what = format!("{a:?} and {b:?} in one {outer:?}, {hairpinning:?}");
                    let verdict = agree(&mut net, &servers, a_host, b_host, &what);
                    assert!(hairpinning != Hairpinning::Unsupported || verdict.is_no(), "{what}: {verdict}");
                    seen.note(&verdict, &what);
                }
            }
        }
    }
    assert!(seen.yes > 100 && seen.no > 100, "{seen:?}");
}

#[test]
fn a_home_and_a_host_right_behind_the_same_provider() {
    for own in classes() {
        for outer in classes() {
            for hairpinning in HAIRPINNING {
                let (mut net, servers) = internet(7);
                let provider =
                    net.add_router("provider", net.internet(), router(&outer, hairpinning)).unwrap();
                let inside = net.inside(provider).unwrap();
                let a = net.add_peer("a", &behind(&own).within(inside)).unwrap().host;
                let b = net.add_peer("b", &Site::public().within(inside)).unwrap().host;
                let what = format!("{own:?} and nothing in one {outer:?}, {hairpinning:?}");
                let verdict = agree(&mut net, &servers, a, b, &what);
                // B's address in the provider's network can be reached from the home.
                assert!(verdict.is_yes(), "{what}: {verdict}");
            }
        }
    }
}

#[test]
fn one_lan_two_nats_deep_meets_at_home_whatever_hairpins() {
    for own in classes() {
        for outer in classes() {
            for inner_does in HAIRPINNING {
                for outer_does in HAIRPINNING {
                    let (mut net, servers) = internet(7);
                    let site = Site::public()
                        .then_behind_router(router(&own, inner_does))
                        .then_behind_router(router(&outer, outer_does));
                    let a = net.add_peer("a", &site).unwrap();
                    let b = net.add_neighbour("b", &a).unwrap();
                    let what = format!("{own:?} {inner_does:?} in {outer:?} {outer_does:?}");
                    let verdict = agree(&mut net, &servers, a.host, b.host, &what);
                    let best = verdict.best().map(|path| path.to_string());
                    assert_eq!(best.as_deref(), Some("host-host over IPv4"), "{what}");
                }
            }
        }
    }
}

#[test]
fn firewalls_of_ipv6_in_a_row_and_under_one_provider() {
    let stateful = |filtering| Firewall::Stateful { filtering, expiry: Duration::from_secs(120) };
    let v6 = |filtering| RouterConfig::new().without_ipv4().ipv6(stateful(filtering));
    for a in Dependence::ALL {
        for b in Dependence::ALL {
            for outer in Dependence::ALL {
                for shared in [false, true] {
                    let (mut net, servers) = internet(7);
                    let provider = net.add_router("provider", net.internet(), v6(outer)).unwrap();
                    let inside = net.inside(provider).unwrap();
                    let [a_host, b_host] = [("a", a), ("b", b)].map(|(name, own)| {
                        let site = Site::public().then_behind_router(v6(own)).families(Families::V6);
                        let site =
                            if shared { site.within(inside) } else { site.then_behind_router(v6(outer)) };
                        net.add_peer(name, &site).unwrap().host
                    });
                    let what = format!("{a:?} and {b:?} in {outer:?}, shared: {shared}");
                    let verdict = agree(&mut net, &servers, a_host, b_host, &what);
                    assert_eq!(verdict.to_string(), "yes: host-host over IPv6", "{what}");
                }
            }
        }
    }
}

#[test]
fn the_best_path_is_the_one_of_the_highest_priority() {
    // At home IPv6 is before IPv4, and either is before the way over the outside.
    let (mut net, servers) = internet(7);
    let site = Site::behind(NatType::FULL_CONE).ipv6(Firewall::stateful());
    let a = net.add_peer("a", &site).unwrap();
    let b = net.add_neighbour("b", &a).unwrap();
    let verdict = agree(&mut net, &servers, a.host, b.host, "one LAN");
    let Verdict::Yes { mut paths, .. } = verdict.clone() else { panic!("{verdict}") };
    paths.sort_by_key(|path| std::cmp::Reverse(path.rank()));
    let names: Vec<_> = paths.iter().map(ToString::to_string).collect();
    assert_eq!(names[..2], ["host-host over IPv6", "host-host over IPv4"], "{names:?}");
    assert_eq!(verdict.best(), paths.first().copied());
    assert!(paths.iter().all(|&path| verdict.allows(path)) && !Verdict::No.allows(paths[0]));
    assert_eq!(Verdict::No.best(), None);
}
