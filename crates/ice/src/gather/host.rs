//! Host candidates (RFC 8445 §5.1.1.1): a socket of its own for every address and component.

use alloc::vec::Vec;
use core::net::SocketAddr;

use floe_stun::Time;

use crate::candidate::canonical;
use crate::effects::Effects;
use crate::event::GatheringFailure;
use crate::ids::{Component, RequestId, SocketId};
use crate::io::{Command, DriverError};

use super::filter::LocalAddress;
use super::{Base, Found, Gatherer, OwnSocket, report};

/// The sockets that the driver was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Openings(Vec<Opening>);

#[derive(Clone, Copy, Debug)]
struct Opening {
    request: RequestId,
    component: Component,
    local: LocalAddress,
    deadline: Time,
    /// Nobody waits for it any longer. It is remembered, so that the socket gets closed.
    late: bool,
}

impl Openings {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.0.iter().any(|o| !o.late)
    }

    /// The addresses of the sockets that may still come.
    pub(super) fn awaited(&self) -> impl Iterator<Item = SocketAddr> + use<'_> {
        self.0.iter().filter(|o| !o.late).map(|o| o.local.address)
    }

    pub(super) fn next_timeout(&self) -> Time {
        self.0.iter().filter(|o| !o.late).map(|o| o.deadline).min().unwrap_or(Time::MAX)
    }

    /// Whether one for this component and address may still come.
    pub(super) fn awaits(&self, component: Component, address: SocketAddr) -> bool {
        self.0.iter().any(|o| !o.late && o.component == component && o.local.address == address)
    }

    /// None but those at these addresses is waited for.
    pub(super) fn keep_only(&mut self, addresses: &[LocalAddress]) {
        for opening in &mut self.0 {
            opening.late |= !addresses.iter().any(|a| a.address == opening.local.address);
        }
    }

    /// All of them, none waited for.
    pub(super) fn into_late(mut self) -> Self {
        for opening in &mut self.0 {
            opening.late = true;
        }
        self
    }

    fn take(&mut self, request: RequestId) -> Option<Opening> {
        let at = self.0.iter().position(|o| o.request == request)?;
        Some(self.0.remove(at))
    }
}

impl Gatherer {
    /// Asks the driver for a socket.
    pub(super) fn open(&mut self, component: Component, local: LocalAddress, now: Time, fx: &mut Effects) {
        let request = self.request_id();
        let deadline = now.saturating_add(self.config().driver_deadline);
        let opening = Opening { request, component, local, deadline, late: false };
        self.work.get_or_insert_default().openings.0.push(opening);
        fx.command(Command::OpenUdp { request, address: local.address });
    }

    /// The driver's answer. Whatever we do not use is to be closed again: a socket that came too late, or that is not what
    /// was asked for.
    pub(crate) fn opened(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        fx: &mut Effects,
    ) {
        let Some(opening) = self.work.as_mut().and_then(|w| w.openings.take(request)) else { return };
        let asked = opening.local.address;
        let (socket, bound) = match answer {
            Ok(answer) => answer,
            Err(_) if opening.late => return,
            Err(error) => return report(fx, None, Some(asked), GatheringFailure::Driver(error)),
        };
        if self.has_base(socket) || self.owns(socket) {
            // Two sockets of one number cannot be told apart; the one in use stays.
            return report(fx, None, Some(asked), GatheringFailure::Driver(DriverError::Other));
        }
        self.sockets.push(OwnSocket { id: socket, leaving: false });
        // The filters passed this address and no other, whatever the driver bound to.
        let usable = bound.port() != 0 && canonical(bound).ip() == asked.ip();
        if opening.late || !usable {
            self.release(socket, fx);
        }
        if !usable && !opening.late {
            let failure = GatheringFailure::Driver(DriverError::AddressNotAvailable);
            return report(fx, None, Some(asked), failure);
        }
        if usable && !opening.late {
            self.base_opened(&opening, socket, bound.port());
        }
    }

    fn base_opened(&mut self, opening: &Opening, socket: SocketId, port: u16) {
        let LocalAddress { mut address, rank } = opening.local;
        address.set_port(port);
        let component = opening.component;
        let host = self.host_candidate(address, true);
        let found = Found::Base { component, socket, address, rank, host };
        self.work.get_or_insert_default().found.push_back(found);
        self.use_base(Base { component, socket, address, rank, dead: false, extra: 0 });
    }

    /// A new base: what is known of it beforehand, and what the servers are to be asked.
    pub(super) fn use_base(&mut self, base: Base) {
        let work = self.work.get_or_insert_default();
        work.bases.push(Base { address: canonical(base.address), ..base });
        let at = work.bases.len() - 1;
        self.add_mappings(at);
        self.query_servers(at);
    }

    /// Whether a living base has this socket, ours or the embedder's.
    fn has_base(&self, socket: SocketId) -> bool {
        let mut bases = self.work.iter().flat_map(|w| &w.bases).filter(|b| !b.dead);
        bases.any(|b| b.socket == socket)
    }

    pub(super) fn expire_openings(&mut self, now: Time, fx: &mut Effects) {
        let Some(work) = &mut self.work else { return };
        for opening in work.openings.0.iter_mut().filter(|o| !o.late && o.deadline <= now) {
            opening.late = true;
            let address = opening.local.address;
            report(fx, None, Some(address), GatheringFailure::NoAnswerFromDriver);
        }
    }
}
