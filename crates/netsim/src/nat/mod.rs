//! IPv4 network address translation as RFC 4787 classifies it.

use std::net::Ipv4Addr;
use std::time::Duration;

mod kind;
mod table;
#[cfg(test)]
mod tests;

pub use kind::{NatType, ParseNatTypeError};
pub use table::NatMapping;
pub(crate) use table::{Nat, NatDrop};

/// What a mapping or a filter depends on besides the internal endpoint: the three classes of RFC 4787 §4.1 and §5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dependence {
    /// Nothing else.
    EndpointIndependent,
    /// The other side's IP address.
    AddressDependent,
    /// The other side's IP address and port.
    AddressAndPortDependent,
}

impl Dependence {
    /// The three classes, the most permissive first.
    pub const ALL: [Self; 3] =
        [Self::EndpointIndependent, Self::AddressDependent, Self::AddressAndPortDependent];

    /// The part of a remote address that this class looks at; the rest is zero.
    pub(crate) fn part_of(self, ip: Ipv4Addr, port: u16) -> (Ipv4Addr, u16) {
        match self {
            Self::EndpointIndependent => (Ipv4Addr::UNSPECIFIED, 0),
            Self::AddressDependent => (ip, 0),
            Self::AddressAndPortDependent => (ip, port),
        }
    }
}

/// How a NAT chooses an external port, RFC 4787 §4.2.1. No port serves two mappings at a time (REQ-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PortAllocation {
    /// The internal port if it is free, else the next free one above it.
    Preserving,
    /// One after the other.
    Sequential,
    /// Any free one.
    Random,
}

impl PortAllocation {
    /// All ways to allocate.
    pub const ALL: [Self; 3] = [Self::Preserving, Self::Sequential, Self::Random];
}

/// What happens to a packet from inside to an external address of the same NAT, RFC 4787 §6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Hairpinning {
    /// It is dropped.
    Unsupported,
    /// It is delivered with its external source address (REQ-9a).
    ExternalSource,
    /// It is delivered with its internal source address, which confuses many applications.
    InternalSource,
}

/// How a NAT with several external addresses chooses one, RFC 4787 §4.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pooling {
    /// One internal address always gets the same external address (REQ-2).
    Paired,
    /// Each mapping may get another one.
    Arbitrary,
}

/// The behaviour of a NAT. [`NatConfig::new`] gives one that meets RFC 4787 apart from the three classes it is told.
///
/// ```
/// use std::time::Duration;
/// use floe_netsim::{Dependence, NatConfig, PortAllocation};
///
/// let symmetric = NatConfig::new(
///     Dependence::AddressAndPortDependent,
///     Dependence::AddressAndPortDependent,
///     PortAllocation::Random,
/// );
/// assert_eq!(symmetric.expiry, Duration::from_secs(300));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatConfig {
    /// When an internal endpoint's packets share a mapping, RFC 4787 §4.1 (REQ-1 asks for endpoint-independent).
    pub mapping: Dependence,
    /// Which packets a mapping lets in, RFC 4787 §5 (REQ-8). The filter belongs to the mapping: what an endpoint sent
    /// through one mapping opens no other.
    pub filtering: Dependence,
    /// How external ports are chosen, RFC 4787 §4.2.1.
    pub ports: PortAllocation,
    /// How long a mapping, and the permission to send in through it, lasts without refresh. 300 seconds by default
    /// (REQ-5c); REQ-5 forbids less than 120, many NATs do not care.
    pub expiry: Duration,
    /// Whether packets that are let in refresh a mapping too; outbound ones always do (REQ-6, REQ-6a). Off by default.
    pub inbound_refresh: bool,
    /// Hairpinning, [`Hairpinning::ExternalSource`] by default (REQ-9, REQ-9a).
    pub hairpinning: Hairpinning,
    /// Choice among several external addresses, [`Pooling::Paired`] by default (REQ-2).
    pub pooling: Pooling,
    /// Whether even ports map to even ports and odd to odd as long as there are free ones (REQ-4). On by default.
    pub parity: bool,
    /// The lowest external port for internal ports from 1024 on, 1024 by default. Internal ports below map to 1–1023
    /// (REQ-3a).
    pub first_port: u16,
    /// The highest external port, 65 535 by default. A narrow range makes a NAT run out of ports.
    pub last_port: u16,
}

impl NatConfig {
    /// A NAT of this class, otherwise with the default that each field tells.
    #[must_use]
    pub const fn new(mapping: Dependence, filtering: Dependence, ports: PortAllocation) -> Self {
        Self {
            mapping,
            filtering,
            ports,
            expiry: Duration::from_secs(300),
            inbound_refresh: false,
            hairpinning: Hairpinning::ExternalSource,
            pooling: Pooling::Paired,
            parity: true,
            first_port: 1024,
            last_port: u16::MAX,
        }
    }

    /// Sets [`NatConfig::expiry`].
    #[must_use]
    pub const fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Sets [`NatConfig::inbound_refresh`].
    #[must_use]
    pub const fn inbound_refresh(mut self, on: bool) -> Self {
        self.inbound_refresh = on;
        self
    }

    /// Sets [`NatConfig::hairpinning`].
    #[must_use]
    pub const fn hairpinning(mut self, hairpinning: Hairpinning) -> Self {
        self.hairpinning = hairpinning;
        self
    }

    /// Sets [`NatConfig::pooling`].
    #[must_use]
    pub const fn pooling(mut self, pooling: Pooling) -> Self {
        self.pooling = pooling;
        self
    }

    /// Sets [`NatConfig::parity`].
    #[must_use]
    pub const fn parity(mut self, on: bool) -> Self {
        self.parity = on;
        self
    }

    /// Sets [`NatConfig::first_port`] and [`NatConfig::last_port`]. An empty range leaves no ports at all.
    #[must_use]
    pub const fn port_range(mut self, first: u16, last: u16) -> Self {
        self.first_port = first;
        self.last_port = last;
        self
    }
}
