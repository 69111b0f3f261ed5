//! How the NATs of both sides hang together.

/// What the two sides have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shared {
    /// The Internet.
    Internet,
    /// The LAN, and so every NAT.
    Lan,
    /// The outermost NAT, a provider's.
    Provider,
}

/// The address families of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    /// IPv4, translated by every NAT of the side.
    V4,
    /// Both; every router of the side has a stateful firewall for IPv6 that filters like its NAT.
    Dual,
    /// IPv6 alone, through the same firewalls.
    V6,
}

/// One arrangement of hosts and NATs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// How many NATs are between each side and the Internet, common ones included.
    pub(crate) depth: [u8; 2],
    pub(crate) shared: Shared,
    pub(crate) stacks: [Stack; 2],
}

const fn shape(name: &'static str, depth: [u8; 2], shared: Shared, stacks: [Stack; 2]) -> Shape {
    Shape { name, depth, shared, stacks }
}

const V4: [Stack; 2] = [Stack::V4; 2];
const DUAL: [Stack; 2] = [Stack::Dual; 2];
const V6: [Stack; 2] = [Stack::V6; 2];

/// Every arrangement.
pub(crate) const SHAPES: [Shape; 26] = [
    shape("open-open", [0, 0], Shared::Internet, V4),
    shape("nat-open", [1, 0], Shared::Internet, V4),
    shape("open-nat", [0, 1], Shared::Internet, V4),
    shape("nat-nat", [1, 1], Shared::Internet, V4),
    shape("cgn-open", [2, 0], Shared::Internet, V4),
    shape("open-cgn", [0, 2], Shared::Internet, V4),
    shape("cgn-nat", [2, 1], Shared::Internet, V4),
    shape("nat-cgn", [1, 2], Shared::Internet, V4),
    shape("cgn-cgn", [2, 2], Shared::Internet, V4),
    shape("same-lan", [1, 1], Shared::Lan, V4),
    shape("same-lan-in-cgn", [2, 2], Shared::Lan, V4),
    shape("same-cgn", [2, 2], Shared::Provider, V4),
    shape("same-cgn-open", [2, 1], Shared::Provider, V4),
    shape("open-same-cgn", [1, 2], Shared::Provider, V4),
    shape("dual-open-open", [0, 0], Shared::Internet, DUAL),
    shape("dual-nat-open", [1, 0], Shared::Internet, DUAL),
    shape("dual-nat-nat", [1, 1], Shared::Internet, DUAL),
    shape("dual-same-lan", [1, 1], Shared::Lan, DUAL),
    shape("dual-same-cgn", [2, 2], Shared::Provider, DUAL),
    shape("dual-v4", [1, 1], Shared::Internet, [Stack::Dual, Stack::V4]),
    shape("v4-dual", [1, 1], Shared::Internet, [Stack::V4, Stack::Dual]),
    shape("dual-v6", [1, 1], Shared::Internet, [Stack::Dual, Stack::V6]),
    shape("v6-fw-open", [1, 0], Shared::Internet, V6),
    shape("v6-fw-fw", [1, 1], Shared::Internet, V6),
    shape("v6-nested-nested", [2, 2], Shared::Internet, V6),
    shape("v6-same-outer", [2, 2], Shared::Provider, V6),
];

/// An arrangement in which only a relay can connect the two.
pub(crate) const NO_COMMON_FAMILY: Shape = shape("v4-v6", [1, 1], Shared::Internet, [Stack::V4, Stack::V6]);

impl Shape {
    /// Whether a side has a router of its own next to it, whose class is the side's.
    pub(crate) fn has_own(self, side: usize) -> bool {
        match self.shared {
            Shared::Internet => self.depth[side] >= 1,
            // The LAN's router is written down as the first side's.
            Shared::Lan => side == 0,
            Shared::Provider => self.depth[side] >= 2,
        }
    }

    /// Whether there are outer routers, a provider's; those of both sides are of one class.
    pub(crate) fn has_outer(self) -> bool {
        self.shared == Shared::Provider || self.depth.contains(&2)
    }

    /// Whether some side has its IPv4 translated.
    pub(crate) fn translates(self) -> bool {
        (0..2).any(|side| self.depth[side] > 0 && self.stacks[side] != Stack::V6)
    }

    /// Whether packets between the sides may have to turn round at a NAT that both are behind.
    pub(crate) fn may_hairpin(self) -> bool {
        self.shared != Shared::Internet && self.translates()
    }
}
