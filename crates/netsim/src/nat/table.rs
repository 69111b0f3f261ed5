//! The mapping table of one NAT.

use std::net::{Ipv4Addr, SocketAddrV4};

use floe_stun::Time;
use rand_chacha::ChaCha8Rng;

use super::{Dependence, Hairpinning, NatConfig, Pooling, PortAllocation};
use crate::hash::FastMap;
use crate::link::up_to;

/// Why a NAT drops a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NatDrop {
    /// From outside to a port that is not mapped.
    NoMapping,
    /// Not let in by the filter, RFC 4787 §5.
    Filtered,
    /// All external ports are in use.
    PortsExhausted,
    /// Hairpinning is not supported, RFC 4787 §6.
    NoHairpinning,
}

/// A live mapping, as [`Network::nat_mappings`](crate::Network::nat_mappings) lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NatMapping {
    /// The internal endpoint.
    pub internal: SocketAddrV4,
    /// The external endpoint.
    pub external: SocketAddrV4,
    /// For dependent mappings the remote address, with port 0 unless the mapping depends on it too.
    pub remote: Option<SocketAddrV4>,
    /// When the mapping goes unless it is refreshed.
    pub expires: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    internal: SocketAddrV4,
    remote: (Ipv4Addr, u16),
}

#[derive(Debug)]
struct Mapping {
    key: Key,
    external: SocketAddrV4,
    refreshed: Time,
    /// Whom the internal endpoint sent to through this mapping, as far as the filter cares, and when last.
    permits: Vec<((Ipv4Addr, u16), Time)>,
}

/// One NAT: its behaviour and its state.
#[derive(Debug)]
pub(crate) struct Nat {
    config: NatConfig,
    pool: Vec<Ipv4Addr>,
    mappings: Vec<Mapping>,
    /// Places in `mappings` that are free for reuse; their `key` and `external` are in no index.
    free: Vec<u32>,
    by_key: FastMap<Key, u32>,
    by_external: FastMap<SocketAddrV4, u32>,
    /// Which external address an internal one is paired with, as an index into `pool`.
    pairs: FastMap<Ipv4Addr, usize>,
    /// The next port of a sequential allocation, for each external address.
    next_port: Vec<u16>,
}

impl Nat {
    pub(crate) fn new(config: NatConfig, pool: Vec<Ipv4Addr>) -> Self {
        Self {
            next_port: vec![config.first_port; pool.len()],
            config,
            pool,
            mappings: Vec::new(),
            free: Vec::new(),
            by_key: FastMap::default(),
            by_external: FastMap::default(),
            pairs: FastMap::default(),
        }
    }

    pub(crate) fn config(&self) -> &NatConfig {
        &self.config
    }

    /// Forgets everything, as a reboot does; the external addresses may change.
    pub(crate) fn reset(&mut self, pool: Vec<Ipv4Addr>) {
        *self = Self::new(self.config.clone(), pool);
    }

    /// The external source for a packet from `internal` to `remote`; creates or refreshes the mapping and its filter.
    pub(crate) fn outbound(
        &mut self,
        internal: SocketAddrV4,
        remote: SocketAddrV4,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) -> Result<SocketAddrV4, NatDrop> {
        let key = Key { internal, remote: self.config.mapping.part_of(*remote.ip(), remote.port()) };
        let index = match self.by_key.get(&key).copied() {
            Some(index) if self.is_live(index, now) => index,
            Some(stale) => {
                self.remove(stale);
                self.map(key, now, rng)?
            }
            None => self.map(key, now, rng)?,
        };
        let (filtering, expiry) = (self.config.filtering, self.config.expiry);
        let mapping = &mut self.mappings[index as usize];
        // RFC 4787 REQ-6: outbound traffic refreshes.
        mapping.refreshed = now;
        if filtering != Dependence::EndpointIndependent {
            let part = filtering.part_of(*remote.ip(), remote.port());
            permit(&mut mapping.permits, part, now, |since| since + expiry <= now);
        }
        Ok(mapping.external)
    }

    /// The internal destination of a packet from `remote` to `external`, if the filter lets it in.
    pub(crate) fn inbound(
        &mut self,
        external: SocketAddrV4,
        remote: SocketAddrV4,
        now: Time,
    ) -> Result<SocketAddrV4, NatDrop> {
        let index = self.by_external.get(&external).copied().ok_or(NatDrop::NoMapping)?;
        if !self.is_live(index, now) {
            return Err(NatDrop::NoMapping);
        }
        let (filtering, expiry) = (self.config.filtering, self.config.expiry);
        let mapping = &mut self.mappings[index as usize];
        let part = filtering.part_of(*remote.ip(), remote.port());
        let permit = mapping.permits.iter_mut().find(|(who, since)| *who == part && *since + expiry > now);
        if filtering != Dependence::EndpointIndependent && permit.is_none() {
            return Err(NatDrop::Filtered);
        }
        if self.config.inbound_refresh {
            // RFC 4787 REQ-6a.
            mapping.refreshed = now;
            if let Some((_, since)) = permit {
                *since = now;
            }
        }
        Ok(mapping.key.internal)
    }

    /// Both translations of a packet from inside to one of our external addresses, RFC 4787 §6: its new source and
    /// destination.
    pub(crate) fn hairpin(
        &mut self,
        internal: SocketAddrV4,
        external: SocketAddrV4,
        now: Time,
        rng: &mut ChaCha8Rng,
    ) -> Result<(SocketAddrV4, SocketAddrV4), NatDrop> {
        if self.config.hairpinning == Hairpinning::Unsupported {
            return Err(NatDrop::NoHairpinning);
        }
        let source = self.outbound(internal, external, now, rng)?;
        let destination = self.inbound(external, source, now)?;
        match self.config.hairpinning {
            Hairpinning::InternalSource => Ok((internal, destination)),
            _ => Ok((source, destination)),
        }
    }

    /// The mappings that are alive at `now`, oldest place first.
    pub(crate) fn live(&self, now: Time) -> Vec<NatMapping> {
        let mapped = |m: &&Mapping| self.by_external.contains_key(&m.external) && self.alive(m, now);
        let remote = |m: &Mapping| {
            (self.config.mapping != Dependence::EndpointIndependent)
                .then(|| SocketAddrV4::new(m.key.remote.0, m.key.remote.1))
        };
        let view = |m: &Mapping| NatMapping {
            internal: m.key.internal,
            external: m.external,
            remote: remote(m),
            expires: m.refreshed + self.config.expiry,
        };
        self.mappings.iter().filter(mapped).map(view).collect()
    }

    fn alive(&self, mapping: &Mapping, now: Time) -> bool {
        mapping.refreshed + self.config.expiry > now
    }

    fn is_live(&self, index: u32, now: Time) -> bool {
        self.alive(&self.mappings[index as usize], now)
    }

    fn remove(&mut self, index: u32) {
        let mapping = &mut self.mappings[index as usize];
        mapping.permits.clear();
        self.by_key.remove(&mapping.key);
        self.by_external.remove(&mapping.external);
        // A place without a mapping must not look alive.
        mapping.external = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        self.free.push(index);
    }

    fn map(&mut self, key: Key, now: Time, rng: &mut ChaCha8Rng) -> Result<u32, NatDrop> {
        let external = self.allocate(key.internal, now, rng).ok_or(NatDrop::PortsExhausted)?;
        let index = match self.free.pop() {
            Some(index) => {
                let mapping = &mut self.mappings[index as usize];
                (mapping.key, mapping.external, mapping.refreshed) = (key, external, now);
                index
            }
            None => {
                self.mappings.push(Mapping { key, external, refreshed: now, permits: Vec::new() });
                (self.mappings.len() - 1) as u32
            }
        };
        self.by_key.insert(key, index);
        self.by_external.insert(external, index);
        Ok(index)
    }

    fn allocate(&mut self, internal: SocketAddrV4, now: Time, rng: &mut ChaCha8Rng) -> Option<SocketAddrV4> {
        let place = self.pool_index(*internal.ip(), rng)?;
        // RFC 4787 REQ-3a: well-known ports stay well-known ports.
        let (first, last) = match internal.port() {
            0..=1023 => (1, 1023),
            _ => (self.config.first_port.max(1), self.config.last_port),
        };
        let span = u32::from(last.checked_sub(first)?) + 1;
        let in_range = (first..=last).contains(&internal.port());
        let start = match self.config.ports {
            PortAllocation::Preserving if in_range => internal.port(),
            PortAllocation::Preserving => first,
            PortAllocation::Sequential => self.next_port[place].clamp(first, last),
            PortAllocation::Random => first + up_to(rng, u64::from(span - 1)) as u16,
        };
        let port_at = |i: u32| first + ((u32::from(start - first) + i) % span) as u16;
        let ip = self.pool[place];
        let take = |nat: &mut Self, parity: Option<u16>| {
            let fits = |port: u16| parity.is_none_or(|p| port % 2 == p);
            (0..span).map(port_at).find(|&port| fits(port) && nat.reclaim(SocketAddrV4::new(ip, port), now))
        };
        // RFC 4787 REQ-4: parity as long as there are such ports.
        let parity = self.config.parity.then_some(internal.port() % 2);
        let port = parity.and_then(|p| take(self, Some(p))).or_else(|| take(self, None))?;
        if internal.port() >= 1024 {
            self.next_port[place] = if port == last { first } else { port + 1 };
        }
        Some(SocketAddrV4::new(ip, port))
    }

    /// Whether `external` is free, also by removing a mapping that has expired.
    fn reclaim(&mut self, external: SocketAddrV4, now: Time) -> bool {
        match self.by_external.get(&external).copied() {
            Some(index) if self.is_live(index, now) => false,
            Some(expired) => {
                self.remove(expired);
                true
            }
            None => true,
        }
    }

    fn pool_index(&mut self, internal: Ipv4Addr, rng: &mut ChaCha8Rng) -> Option<usize> {
        let last = self.pool.len().checked_sub(1)?;
        if last == 0 {
            return Some(0);
        }
        match self.config.pooling {
            Pooling::Arbitrary => Some(up_to(rng, last as u64) as usize),
            Pooling::Paired => {
                let turn = self.pairs.len() % (last + 1);
                Some(*self.pairs.entry(internal).or_insert(turn))
            }
        }
    }
}

/// Notes that traffic went to `who`; forgets what has `expired` when the list would grow.
pub(crate) fn permit<T: PartialEq>(
    permits: &mut Vec<(T, Time)>,
    who: T,
    now: Time,
    expired: impl Fn(Time) -> bool,
) {
    if let Some((_, since)) = permits.iter_mut().find(|(known, _)| *known == who) {
        *since = now;
        return;
    }
    if permits.len() == permits.capacity() {
        permits.retain(|(_, since)| !expired(*since));
    }
    permits.push((who, now));
}
