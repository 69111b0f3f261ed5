//! Names for kinds of NAT.

use std::fmt;
use std::str::FromStr;

use super::{Dependence, NatConfig, PortAllocation};

/// What stands between a site and the network outside, by name: for command lines and tables of tests.
///
/// | name | meaning |
/// |---|---|
/// | `none` | public addresses, nothing in between |
/// | `firewall` | public addresses behind a stateful firewall |
/// | `blocked` | no UDP at all |
/// | `full-cone` | `eim-eif-preserving` |
/// | `restricted-cone` | `eim-adf-preserving` |
/// | `port-restricted-cone` | `eim-apdf-preserving` |
/// | `symmetric` | `apdm-apdf-random` |
/// | *mapping*`-`*filtering*`-`*ports* | any class of RFC 4787: `eim`, `adm` or `apdm`; `eif`, `adf` or `apdf`; `preserving`, `sequential` or `random` (left out: `preserving`) |
///
/// ```
/// use floe_netsim::{Dependence, NatType};
///
/// let kind: NatType = "apdm-adf-sequential".parse()?;
/// assert_eq!(kind.config().map(|nat| nat.filtering), Some(Dependence::AddressDependent));
/// assert_eq!(kind.to_string(), "apdm-adf-sequential");
/// assert_eq!("eim-eif".parse::<NatType>()?.to_string(), "full-cone");
/// assert_eq!(NatType::all().len(), 30);
/// # Ok::<(), floe_netsim::ParseNatTypeError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NatType {
    /// Public addresses, nothing in between.
    None,
    /// Public addresses behind a stateful firewall.
    Firewall,
    /// A router that passes no UDP.
    Blocked,
    /// A NAT of this class of RFC 4787.
    Nat {
        /// The mapping class.
        mapping: Dependence,
        /// The filtering class.
        filtering: Dependence,
        /// The way of choosing ports.
        ports: PortAllocation,
    },
}

impl NatType {
    /// `eim-eif-preserving`.
    pub const FULL_CONE: Self = Self::cone(Dependence::EndpointIndependent);
    /// `eim-adf-preserving`.
    pub const RESTRICTED_CONE: Self = Self::cone(Dependence::AddressDependent);
    /// `eim-apdf-preserving`.
    pub const PORT_RESTRICTED_CONE: Self = Self::cone(Dependence::AddressAndPortDependent);
    /// `apdm-apdf-random`.
    pub const SYMMETRIC: Self = Self::Nat {
        mapping: Dependence::AddressAndPortDependent,
        filtering: Dependence::AddressAndPortDependent,
        ports: PortAllocation::Random,
    };

    const NAMED: [(&'static str, Self); 7] = [
        ("none", Self::None),
        ("firewall", Self::Firewall),
        ("blocked", Self::Blocked),
        ("full-cone", Self::FULL_CONE),
        ("restricted-cone", Self::RESTRICTED_CONE),
        ("port-restricted-cone", Self::PORT_RESTRICTED_CONE),
        ("symmetric", Self::SYMMETRIC),
    ];

    const fn cone(filtering: Dependence) -> Self {
        Self::Nat { mapping: Dependence::EndpointIndependent, filtering, ports: PortAllocation::Preserving }
    }

    /// Every kind, each once: those with a name of their own first, then the other classes.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all: Vec<Self> = Self::NAMED.iter().map(|&(_, kind)| kind).collect();
        for class in Self::all_classes() {
            if !all.contains(&class) {
                all.push(class);
            }
        }
        all
    }

    /// The 27 classes of NAT: mapping × filtering × port allocation.
    #[must_use]
    pub fn all_classes() -> Vec<Self> {
        let mut all = Vec::with_capacity(27);
        for mapping in Dependence::ALL {
            for filtering in Dependence::ALL {
                for ports in PortAllocation::ALL {
                    all.push(Self::Nat { mapping, filtering, ports });
                }
            }
        }
        all
    }

    /// The NAT's behaviour, `None` when the kind translates nothing.
    #[must_use]
    pub const fn config(self) -> Option<NatConfig> {
        match self {
            Self::Nat { mapping, filtering, ports } => Some(NatConfig::new(mapping, filtering, ports)),
            _ => None,
        }
    }
}

const fn mapping_name(class: Dependence) -> &'static str {
    match class {
        Dependence::EndpointIndependent => "eim",
        Dependence::AddressDependent => "adm",
        Dependence::AddressAndPortDependent => "apdm",
    }
}

const fn filtering_name(class: Dependence) -> &'static str {
    match class {
        Dependence::EndpointIndependent => "eif",
        Dependence::AddressDependent => "adf",
        Dependence::AddressAndPortDependent => "apdf",
    }
}

const fn ports_name(ports: PortAllocation) -> &'static str {
    match ports {
        PortAllocation::Preserving => "preserving",
        PortAllocation::Sequential => "sequential",
        PortAllocation::Random => "random",
    }
}

impl fmt::Display for NatType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = Self::NAMED.iter().find(|(_, kind)| kind == self) {
            return f.pad(name);
        }
        match *self {
            Self::Nat { mapping, filtering, ports } => f.pad(&format!(
                "{}-{}-{}",
                mapping_name(mapping),
                filtering_name(filtering),
                ports_name(ports)
            )),
            Self::None | Self::Firewall | Self::Blocked => Ok(()), // all named above
        }
    }
}

impl FromStr for NatType {
    type Err = ParseNatTypeError;

    fn from_str(s: &str) -> Result<Self, ParseNatTypeError> {
        if let Some((_, kind)) = Self::NAMED.iter().find(|(name, _)| *name == s) {
            return Ok(*kind);
        }
        let mut parts = s.split('-');
        let mut next = || parts.next();
        let mapping = next().and_then(|p| find(&Dependence::ALL, p, mapping_name));
        let filtering = next().and_then(|p| find(&Dependence::ALL, p, filtering_name));
        let ports =
            next().map_or(Some(PortAllocation::Preserving), |p| find(&PortAllocation::ALL, p, ports_name));
        match (mapping, filtering, ports, next()) {
            (Some(mapping), Some(filtering), Some(ports), None) => {
                Ok(Self::Nat { mapping, filtering, ports })
            }
            _ => Err(ParseNatTypeError),
        }
    }
}

fn find<T: Copy>(all: &[T], text: &str, name: fn(T) -> &'static str) -> Option<T> {
    all.iter().copied().find(|&t| name(t) == text)
}

/// Not the name of a kind of NAT; [`NatType`] lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseNatTypeError;

impl fmt::Display for ParseNatTypeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "not a NAT type: use none, firewall, blocked, full-cone, restricted-cone, port-restricted-cone, symmetric, \
             or MAPPING-FILTERING[-PORTS] such as apdm-adf-random (eim|adm|apdm, eif|adf|apdf, \
             preserving|sequential|random)",
        )
    }
}

impl core::error::Error for ParseNatTypeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_listed_once_and_survives_its_name() {
        let all = NatType::all();
        for (i, kind) in all.iter().enumerate() {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
            assert!(!all[..i].contains(kind), "{kind} twice");
        }
        assert_eq!(all.len(), 3 + 27);
    }

    #[test]
    fn long_forms_of_named_kinds_are_the_same_kind() {
        assert_eq!("eim-apdf-preserving".parse(), Ok(NatType::PORT_RESTRICTED_CONE));
        assert_eq!("apdm-apdf-random".parse(), Ok(NatType::SYMMETRIC));
        assert_eq!(format!("{:>10}", NatType::None), "      none");
    }

    #[test]
    fn other_text_is_refused() {
        for bad in
            ["", "cone", "eim", "eim-", "eif-eim", "eim-eif-", "eim-eif-random-x", "Symmetric", "none "]
        {
            assert_eq!(bad.parse::<NatType>(), Err(ParseNatTypeError), "{bad:?}");
        }
    }
}
