//! A connection to a server over TCP or TLS, which only the driver can open. Of several addresses the first that is connected is
//! taken (RFC 8305 §5): the next one is tried when the ones before have failed, or have not answered for a while.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::Time;

use crate::candidate::canonical;
use crate::effects::Effects;
use crate::event::RelayLoss;
use crate::ids::{RequestId, SocketId};
use crate::io::{Command, DriverError};

use super::relay::{Relay, Stage, client_of};
use super::{News, Relays};

/// How long one address is tried alone (RFC 8305 §5, Connection Attempt Delay).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Where a server is that is reached over connections.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// The addresses of the configured server, in the order in which they are tried.
    pub(super) addresses: Vec<SocketAddr>,
    /// The name that its certificate is for; without one it is TCP alone.
    pub(super) name: Option<String>,
    /// The same for the server that is reached now, if it is another one.
    pub(super) alternate_name: Option<String>,
    pub(super) connecting: Connecting,
}

impl Line {
    pub(super) fn new(addresses: &[SocketAddr], name: Option<&str>) -> Self {
        let (addresses, name) = (addresses.to_vec(), name.map(String::from));
        Self { addresses, name, alternate_name: None, connecting: Connecting::default() }
    }

    fn tls_name(&self) -> Option<&String> {
        // Never less than what was configured: a redirection over TCP stays one.
        self.name.as_ref().map(|name| self.alternate_name.as_ref().unwrap_or(name))
    }
}

/// The attempts to connect.
#[derive(Clone, Debug)]
pub(super) struct Connecting {
    untried: VecDeque<SocketAddr>,
    attempts: Vec<Attempt>,
    /// When the next address has its turn.
    next: Time,
    /// Why the last attempt failed.
    failure: DriverError,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    request: RequestId,
    server: SocketAddr,
    deadline: Time,
}

impl Default for Connecting {
    fn default() -> Self {
        let (untried, attempts) = (VecDeque::new(), Vec::new());
        Self { untried, attempts, next: Time::ZERO, failure: DriverError::TimedOut }
    }
}

impl Connecting {
    /// The search among these addresses.
    pub(super) fn to(addresses: &[SocketAddr]) -> Self {
        Self { untried: addresses.iter().copied().collect(), ..Self::default() }
    }

    /// Whether the next address has its turn.
    fn is_due(&self, now: Time) -> bool {
        !self.untried.is_empty() && (self.attempts.is_empty() || self.next <= now)
    }

    fn begin(&mut self, request: RequestId, deadline: Time, now: Time) -> Option<SocketAddr> {
        let server = self.untried.pop_front()?;
        self.attempts.push(Attempt { request, server, deadline });
        self.next = now.saturating_add(ATTEMPT_DELAY);
        Some(server)
    }

    pub(super) fn next_timeout(&self) -> Option<Time> {
        let next = (!self.untried.is_empty()).then_some(self.next);
        self.attempts.iter().map(|a| a.deadline).chain(next).min()
    }

    /// The questions that may still be answered.
    pub(super) fn requests(&self) -> impl Iterator<Item = RequestId> + use<'_> {
        self.attempts.iter().map(|a| a.request)
    }

    fn is_over(&self) -> bool {
        self.untried.is_empty() && self.attempts.is_empty()
    }

    fn awaits(&self, request: RequestId) -> bool {
        self.requests().any(|asked| asked == request)
    }

    /// An attempt is over; which server it was about.
    fn take(&mut self, request: RequestId) -> Option<SocketAddr> {
        let at = self.attempts.iter().position(|a| a.request == request)?;
        Some(self.attempts.remove(at).server)
    }

    /// An attempt failed: the next address need not wait (RFC 8305 §5).
    fn failed(&mut self, failure: DriverError, now: Time) {
        self.failure = failure;
        self.next = now;
    }
}

impl Relays {
    /// Whether some relay needs a connection now.
    pub(crate) fn needs_connection(&self, now: Time) -> bool {
        self.list.iter().any(|r| r.is_dialling(now))
    }

    /// Asks the driver for that connection.
    pub(crate) fn connect(&mut self, request: RequestId, deadline: Time, now: Time, fx: &mut Effects) {
        let Some(relay) = self.list.iter_mut().find(|r| r.is_dialling(now)) else { return };
        let mut local = relay.wanted.base;
        local.set_port(0);
        let Some(line) = relay.line.as_deref_mut() else { return };
        if let Some(server) = line.connecting.begin(request, deadline, now) {
            let tls_name = line.tls_name().cloned();
            fx.command(Command::Connect { request, server, tls_name, local, deadline });
        }
    }

    /// The driver's answer.
    pub(crate) fn connected(
        &mut self,
        request: RequestId,
        answer: Result<(SocketId, SocketAddr), DriverError>,
        now: Time,
        fx: &mut Effects,
    ) {
        let asked =
            self.list.iter_mut().find(|r| r.line.as_ref().is_some_and(|l| l.connecting.awaits(request)));
        match (asked, answer) {
            (Some(relay), Ok(connection)) => self.late.extend(relay.connected(request, connection, now, fx)),
            (Some(relay), Err(failure)) => relay.attempt_failed(request, failure, now, &mut self.news),
            (None, answer) => self.came_late(request, answer.ok().map(|(socket, _)| socket), fx),
        }
        self.take_events(now, fx);
    }

    /// A stream is over, and with it every allocation that was reached through it.
    pub(crate) fn disconnected(
        &mut self,
        socket: SocketId,
        reason: DriverError,
        now: Time,
        fx: &mut Effects,
    ) {
        if let Some(relay) = self.list.iter_mut().find(|r| r.line.is_some() && r.socket() == Some(socket)) {
            relay.disconnected(reason, now, fx);
            self.take_events(now, fx);
        }
    }

    /// Attempts that took too long. What comes of them is closed again.
    pub(super) fn expire_attempts(&mut self, now: Time) {
        for relay in &mut self.list {
            while let Some(request) = relay.overdue(now) {
                self.late.push(request);
                relay.attempt_failed(request, DriverError::TimedOut, now, &mut self.news);
            }
        }
    }
}

impl Relay {
    fn is_dialling(&self, now: Time) -> bool {
        self.stage == Stage::Connecting && self.line.as_ref().is_some_and(|l| l.connecting.is_due(now))
    }

    fn overdue(&self, now: Time) -> Option<RequestId> {
        let attempts = self.line.iter().flat_map(|l| &l.connecting.attempts);
        attempts.into_iter().find(|a| a.deadline <= now).map(|a| a.request)
    }

    /// The first connection is used. Gives the requests of the others, whose connections are to be closed.
    fn connected(
        &mut self,
        request: RequestId,
        (socket, local): (SocketId, SocketAddr),
        now: Time,
        fx: &mut Effects,
    ) -> Vec<RequestId> {
        let Some(line) = self.line.as_deref_mut() else { return Vec::new() };
        let Some(server) = line.connecting.take(request) else { return Vec::new() };
        let others = line.connecting.requests().collect();
        line.connecting = Connecting::default();
        (self.own, self.local) = (Some(socket), canonical(local));
        self.reached(server, now, fx);
        others
    }

    fn attempt_failed(
        &mut self,
        request: RequestId,
        failure: DriverError,
        now: Time,
        news: &mut VecDeque<News>,
    ) {
        let Some(line) = self.line.as_deref_mut() else { return };
        if line.connecting.take(request).is_none() {
            return;
        }
        line.connecting.failed(failure, now);
        if line.connecting.is_over() {
            let failure = line.connecting.failure;
            self.unreachable(failure, now, news);
        }
    }

    /// There is a connection to this server.
    pub(super) fn reached(&mut self, server: SocketAddr, now: Time, fx: &mut Effects) {
        self.server = server;
        if core::mem::take(&mut self.moves) {
            self.stage = Stage::Asking;
            // It is what the client asked for.
            let _ = self.client.new_port(now);
            return;
        }
        if let Some(client) = client_of(server, &self.credentials, true, fx) {
            self.client = client;
        }
        self.ask(now);
    }

    /// No connection to the server is to be had.
    pub(super) fn unreachable(&mut self, failure: DriverError, now: Time, news: &mut VecDeque<News>) {
        self.moves = false;
        self.give_up(RelayLoss::Connection(failure), Some(now), now, news);
    }

    /// The connection is gone, and the allocation with it (RFC 8656 §3.1).
    pub(super) fn disconnected(&mut self, reason: DriverError, now: Time, fx: &mut Effects) {
        self.drop_connection(fx);
        self.cut = Some(reason);
        self.client.disconnected(now);
    }

    pub(super) fn drop_connection(&mut self, fx: &mut Effects) {
        if self.line.is_some()
            && let Some(socket) = self.own.take()
        {
            fx.command(Command::CloseSocket { socket });
        }
    }

    /// 437 (RFC 8656 §7.4): over TCP another port means another connection.
    pub(super) fn needs_port(&mut self, fx: &mut Effects) {
        self.drop_connection(fx);
        self.stage = match &mut self.line {
            None => Stage::NeedsPort,
            Some(line) => {
                line.connecting = Connecting::to(&[self.server]);
                self.moves = true;
                Stage::Connecting
            }
        };
    }
}
