//! 1:1 NATs that are known beforehand: a cloud's floating address in front of the machine.

use alloc::vec::Vec;
use core::net::SocketAddr;

use crate::config::{AddressMapping, AddressPolicy};
use crate::locals::Reflexive;

use super::{Found, Gatherer, HostCandidate};

impl Gatherer {
    /// What becomes of a base's own address. For one that the embedder adds, the policy does not count (`hidden`): it was
    /// said to be a candidate.
    pub(crate) fn host_candidate(&self, address: SocketAddr, by_policy: bool) -> HostCandidate {
        if self.is_relay_only() || (by_policy && self.is_hidden()) {
            return HostCandidate::Hidden;
        }
        let ip = address.ip().to_canonical();
        let replaced = self.config().mappings.iter().find(|m| m.replace && m.local == ip);
        replaced.map_or(HostCandidate::Plain, |m| {
            HostCandidate::Mapped(SocketAddr::new(m.external, address.port()))
        })
    }

    /// The candidates that the mappings add to a base. They are server-reflexive ones that no server was needed for.
    pub(super) fn add_mappings(&mut self, at: usize) {
        if self.is_relay_only() {
            return;
        }
        let hidden = self.is_hidden();
        let (Some(work), Some(config)) = (&mut self.work, &self.config) else { return };
        let Some(base) = work.bases.get_mut(at) else { return };
        // Where the host candidate is hidden, one that takes its place would only be an address without a base.
        let added = |m: &&AddressMapping| (!m.replace || hidden) && m.local == base.address.ip();
        let external: Vec<_> = config.mappings.iter().filter(added).map(|m| m.external).collect();
        for ip in external {
            let mapped = SocketAddr::new(ip, base.address.port());
            let reflexive = Reflexive {
                mapped,
                server: None,
                source_rank: base.next_extra(config.server_count()),
                reveal_related: config.reveal_related && !hidden,
            };
            work.found.push_back(Found::Reflexive { socket: base.socket, address: base.address, reflexive });
        }
    }

    /// RFC 8828 §5.2, mode 3: no private address is told to anybody.
    pub(super) fn is_hidden(&self) -> bool {
        self.config().policy == AddressPolicy::DefaultRouteOnly
    }

    /// Whether some 1:1 NAT stands before this address.
    pub(super) fn is_mapped(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        self.config().mappings.iter().any(|m| m.local == ip)
    }
}
