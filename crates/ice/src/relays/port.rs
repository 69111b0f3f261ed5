//! Another client port, where the server has an allocation of somebody else's, or of an earlier life of ours, on the one we have
//! (437, RFC 8656 §7.4). It takes another socket, which only the driver can open.

use core::net::SocketAddr;

use floe_stun::Time;

use crate::effects::Effects;
use crate::ids::{RequestId, SocketId};
use crate::io::{Command, DriverError};

use super::Relays;
use super::relay::Stage;

impl Relays {
    /// The address to bind the next socket to that some relay needs.
    pub(crate) fn needs_port(&self) -> Option<SocketAddr> {
        let relay = self.list.iter().find(|r| r.stage == Stage::NeedsPort)?;
        Some(SocketAddr::new(relay.wanted.base.ip(), 0))
    }

    /// Asks the driver for that socket.
    pub(crate) fn open(&mut self, request: RequestId, address: SocketAddr, deadline: Time, fx: &mut Effects) {
        let needs = |r: &&mut super::Relay| r.stage == Stage::NeedsPort && r.wanted.base.ip() == address.ip();
        if let Some(relay) = self.list.iter_mut().find(needs) {
            relay.stage = Stage::Opening { request, deadline };
            fx.command(Command::OpenUdp { request, address });
        }
    }

    /// The driver's answer; false if it is to no question of these.
    pub(crate) fn opened(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        now: Time,
        fx: &mut Effects,
    ) -> bool {
        let is_asked = |r: &&mut super::Relay| r.opening().is_some_and(|(asked, _)| asked == request);
        if let Some(relay) = self.list.iter_mut().find(is_asked) {
            match answer {
                Ok((socket, _)) => relay.move_to(socket, now, fx),
                Err(_) => relay.stay_without_port(&mut self.news),
            }
            self.forget_over(fx);
            return true;
        }
        if !self.late.contains(&request) {
            return false;
        }
        self.came_late(request, answer.ok().map(|(socket, _)| socket), fx);
        true
    }

    /// What nobody waits for any more is closed again.
    pub(super) fn came_late(&mut self, request: RequestId, socket: Option<SocketId>, fx: &mut Effects) {
        let Some(at) = self.late.iter().position(|&late| late == request) else { return };
        self.late.swap_remove(at);
        if let Some(socket) = socket {
            fx.command(Command::CloseSocket { socket });
        }
    }

    /// Drivers that did not answer in time. What they open later is closed again.
    pub(super) fn expire_openings(&mut self, now: Time) {
        for relay in &mut self.list {
            if let Some((request, _)) = relay.opening().filter(|&(_, deadline)| deadline <= now) {
                self.late.push(request);
                relay.stay_without_port(&mut self.news);
            }
        }
    }
}
