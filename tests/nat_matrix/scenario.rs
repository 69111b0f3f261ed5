//! Every scenario, by name.

use std::fmt;

use floe_netsim::{Dependence, Firewall, Hairpinning, NatConfig, PortAllocation, RouterConfig};

use crate::shape::{NO_COMMON_FAMILY, SHAPES, Shape, Shared, Stack};

/// A class of NAT, RFC 4787 §4.1 and §5; of a firewall for IPv6 the filtering alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) mapping: Dependence,
    pub(crate) filtering: Dependence,
}

impl Class {
    /// All nine.
    pub(crate) fn all() -> Vec<Self> {
        let of = |mapping| Dependence::ALL.map(|filtering| Self { mapping, filtering });
        Dependence::ALL.into_iter().flat_map(of).collect()
    }

    /// One for each filtering.
    fn all_filters() -> Vec<Self> {
        Dependence::ALL.map(|filtering| Self { mapping: Dependence::EndpointIndependent, filtering }).into()
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |dependence| match dependence {
            Dependence::EndpointIndependent => "ei",
            Dependence::AddressDependent => "ad",
            Dependence::AddressAndPortDependent => "apd",
        };
        write!(f, "{}m-{}f", name(self.mapping), name(self.filtering))
    }
}

/// Everything that the oracle looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    pub(crate) shape: Shape,
    /// The class of each side's own router, if it has one.
    pub(crate) own: [Option<Class>; 2],
    /// The class of the outer routers, if there are any.
    pub(crate) outer: Option<Class>,
    /// How the NATs of each side choose ports; common ones do it like the first side's.
    pub(crate) ports: [PortAllocation; 2],
    /// What the NATs that both sides are behind do. `None` where there are none: there the seed chooses, for all NATs.
    pub(crate) hairpinning: Option<Hairpinning>,
    /// Which sides have a relay on a TURN server that is in the open Internet.
    pub(crate) relays: [bool; 2],
}

const HAIRPINNING: [Hairpinning; 3] =
    [Hairpinning::Unsupported, Hairpinning::ExternalSource, Hairpinning::InternalSource];

/// All scenarios without relays, each once.
pub(crate) fn direct() -> Vec<Scenario> {
    SHAPES.into_iter().flat_map(of_shape).collect()
}

/// All of them, and those in which nothing else connects, with a relay of one side, of the other, and of both.
pub(crate) fn relayed() -> Vec<Scenario> {
    let with = |scenario: Scenario| {
        [[true, false], [false, true], [true, true]].map(|relays| Scenario { relays, ..scenario })
    };
    direct().into_iter().chain(of_shape(NO_COMMON_FAMILY)).flat_map(with).collect()
}

/// All scenarios of a shape: every combination of what it has.
fn of_shape(shape: Shape) -> Vec<Scenario> {
    let mut all = Vec::new();
    for a in own_classes(shape, 0) {
        for b in own_classes(shape, 1) {
            for outer in outer_classes(shape) {
                for ports in ports(shape) {
                    for hairpinning in hairpinning(shape) {
                        all.push(Scenario {
                            shape,
                            own: [a, b],
                            outer,
                            ports,
                            hairpinning,
                            relays: [false; 2],
                        });
                    }
                }
            }
        }
    }
    all
}

/// The classes of a side's own router. Without IPv4 only the filtering is of consequence.
fn own_classes(shape: Shape, side: usize) -> Vec<Option<Class>> {
    let classes = match shape.stacks[side] {
        Stack::V6 => Class::all_filters(),
        Stack::V4 | Stack::Dual => Class::all(),
    };
    if shape.has_own(side) { classes.into_iter().map(Some).collect() } else { vec![None] }
}

fn outer_classes(shape: Shape) -> Vec<Option<Class>> {
    let classes = if shape.translates() { Class::all() } else { Class::all_filters() };
    if shape.has_outer() { classes.into_iter().map(Some).collect() } else { vec![None] }
}

/// Both sides alike; of the plainest shape every combination.
fn ports(shape: Shape) -> Vec<[PortAllocation; 2]> {
    if !shape.translates() {
        return vec![[PortAllocation::Random; 2]];
    }
    if shape.name == "nat-nat" {
        let with = |a| PortAllocation::ALL.map(|b| [a, b]);
        return PortAllocation::ALL.into_iter().flat_map(with).collect();
    }
    PortAllocation::ALL.map(|ports| [ports; 2]).into()
}

fn hairpinning(shape: Shape) -> Vec<Option<Hairpinning>> {
    if shape.may_hairpin() { HAIRPINNING.map(Some).into() } else { vec![None] }
}

impl Scenario {
    /// The router next to a side.
    pub(crate) fn own_router(&self, side: usize, any: Hairpinning) -> Option<RouterConfig> {
        let class = self.own[side]?;
        // Where only the outer NAT is common, only that is asked to turn packets round.
        let hairpinning = match (self.shape.shared, self.hairpinning) {
            (Shared::Provider, Some(_)) => Hairpinning::Unsupported,
            (_, hairpinning) => hairpinning.unwrap_or(any),
        };
        Some(self.router(class, self.shape.stacks[side], self.ports[side], hairpinning))
    }

    /// A provider's router for a side.
    pub(crate) fn outer_router(&self, side: usize, any: Hairpinning) -> Option<RouterConfig> {
        let hairpinning = self.hairpinning.unwrap_or(any);
        Some(self.router(self.outer?, self.shape.stacks[side], self.ports[side], hairpinning))
    }

    fn router(
        &self,
        class: Class,
        stack: Stack,
        ports: PortAllocation,
        hairpinning: Hairpinning,
    ) -> RouterConfig {
        let nat = NatConfig::new(class.mapping, class.filtering, ports).hairpinning(hairpinning);
        // RFC 6092 §3.2.3: two minutes at least.
        let expiry = std::time::Duration::from_secs(120);
        let firewall = Firewall::Stateful { filtering: class.filtering, expiry };
        match stack {
            Stack::V4 => RouterConfig::new().nat(nat),
            Stack::Dual => RouterConfig::new().nat(nat).ipv6(firewall),
            Stack::V6 => RouterConfig::new().without_ipv4().ipv6(firewall),
        }
    }

    /// The same for every run: what the seeds of a scenario's runs are derived from.
    pub(crate) fn number(&self) -> u64 {
        // FNV-1a.
        let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, step)
    }
}

/// What `FLOE_SCENARIO` takes: the shape, the classes of both sides' own and of the outer routers as far as there are any, the
/// ports, what common NATs do, and who has relays.
impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shape.name)?;
        for class in self.own.iter().flatten() {
            write!(f, ":{class}")?;
        }
        if let Some(outer) = self.outer {
            write!(f, ":in:{outer}")?;
        }
        let [a, b] = self.ports.map(|ports| match ports {
            PortAllocation::Preserving => "preserving",
            PortAllocation::Sequential => "sequential",
            _ => "random",
        });
        if self.shape.translates() {
            write!(f, ":{a}")?;
        }
        if a != b {
            write!(f, "-{b}")?;
        }
        f.write_str(match self.hairpinning {
            None => "",
            Some(Hairpinning::Unsupported) => ":no-hairpin",
            Some(Hairpinning::ExternalSource) => ":hairpin",
            Some(_) => ":hairpin-internal",
        })?;
        f.write_str(match self.relays {
            [false, false] => "",
            [true, false] => ":relay-of-alice",
            [false, true] => ":relay-of-bob",
            [true, true] => ":two-relays",
        })
    }
}
