//! ICE restarts (RFC 8445 §9): the sockets stay, and everything that was asked is asked anew. The interfaces may have changed.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::Time;

use crate::effects::Effects;
use crate::event::GatheringState;
use crate::ids::{Component, SocketId};

use super::filter::LocalAddress;
use super::{Base, Gatherer, Work};

impl Gatherer {
    /// Begins anew with the bases that there are. Sockets that the driver was asked for may still come; the servers are looked up
    /// and asked again, and answers to what was asked before mean nothing any more.
    pub(crate) fn restart(
        &mut self,
        bases: impl Iterator<Item = (Component, SocketId, SocketAddr, u8)>,
        now: Time,
        fx: &mut Effects,
    ) {
        fx.discard_resolutions();
        self.state = GatheringState::New;
        let openings = self.work.take().map(|work| work.openings).unwrap_or_default();
        if !openings.is_empty() {
            self.work = Some(Box::new(Work { openings, ..Work::default() }));
        }
        let asks = self.has_servers();
        for (component, socket, address, rank) in bases {
            // Of a base that nobody asks for, only whether its socket stays is of interest.
            if !asks && !self.is_mapped(address) && !self.owns(socket) {
                continue;
            }
            if asks {
                self.state = GatheringState::Gathering;
                self.find_servers(now, fx);
            }
            self.use_base(Base { component, socket, address, rank, dead: false, extra: 0 });
        }
        if self.work.as_ref().is_some_and(|work| work.openings.is_waiting()) {
            self.state = GatheringState::Gathering;
        }
    }

    /// The sockets of addresses that the machine does not have any more are on their way out, as soon as no path needs them.
    pub(super) fn leave_all_but(&mut self, addresses: &[LocalAddress]) -> Vec<SocketId> {
        let Some(work) = &mut self.work else { return Vec::new() };
        work.openings.keep_only(addresses);
        let mut gone = Vec::new();
        for (at, base) in work.bases.iter_mut().enumerate() {
            let stays = addresses.iter().any(|a| is_at(base.address, a.address));
            let own = self.sockets.iter_mut().find(|s| s.id == base.socket);
            let Some(own) = own.filter(|_| !base.dead && !stays) else { continue };
            (base.dead, own.leaving) = (true, true);
            work.queries.abandon(at);
            gone.push(base.socket);
        }
        gone
    }

    /// Whether the component has its socket at this address from before a restart, or will have it.
    pub(super) fn has_socket_for(&self, component: Component, local: &LocalAddress) -> bool {
        let Some(work) = &self.work else { return false };
        let serves = |b: &Base| {
            !b.dead && b.component == component && is_at(b.address, local.address) && self.owns(b.socket)
        };
        work.openings.awaits(component, local.address) || work.bases.iter().any(serves)
    }

    /// A socket on its way out that nothing `needs` any more is closed.
    pub(crate) fn release_leaving(
        &mut self,
        needs: impl Fn(SocketId) -> bool,
        fx: &mut Effects,
    ) -> Option<SocketId> {
        let unused = self.sockets.iter().find(|s| s.leaving && !needs(s.id))?.id;
        self.release(unused, fx);
        Some(unused)
    }

    /// Whether a socket was opened for the agent.
    pub(super) fn owns(&self, socket: SocketId) -> bool {
        self.sockets.iter().any(|s| s.id == socket)
    }
}

/// Whether a base is at this address of the machine, whose port is not its own.
fn is_at(base: SocketAddr, address: SocketAddr) -> bool {
    let zone = |a: SocketAddr| if let SocketAddr::V6(a) = a { a.scope_id() } else { 0 };
    base.ip() == address.ip() && zone(base) == zone(address)
}
