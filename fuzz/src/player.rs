//! An agent under oracles on a host of the simulator, with a driver that does what it is told: late, badly, or well.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::{
    Agent, Candidate, Command, Component, Config, Datagram, DriverError, Event, InterfaceAddress, Received,
    RequestId, SocketId, StreamId, Time,
};
use floe_netsim::{Endpoint, Host, SendError, Transmit};

use crate::watched::{Packet, Watched};

/// A socket of the driver.
#[derive(Clone, Copy)]
struct Bound {
    /// In the network's numbering; the agent has the number of it.
    id: floe_netsim::SocketId,
    local: SocketAddr,
    /// The application was told that it failed.
    failed: bool,
}

/// What the driver is to do as soon as it has its host.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Task {
    Gather,
    /// Open a socket on the nth address and add it as a host candidate.
    AddHost(usize, Component),
    /// The nth socket goes without a word: the next packet cannot leave.
    CloseSocket(usize),
    /// The nth socket goes, and the agent is told.
    FailSocket(usize),
}

/// What the driver makes of the agent's next questions.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Mood {
    Helpful,
    Refusing,
    Silent,
}

/// One side.
pub(crate) struct Player {
    pub(crate) agent: Watched,
    pub(crate) mood: Mood,
    tasks: Vec<Task>,
    sockets: Vec<Bound>,
    /// Packets are kept back while the driver is busy elsewhere.
    pub(crate) holds: bool,
    /// It does not look at the clock before.
    awake_at: Time,
    /// It knows which address a datagram was sent to.
    tells_local: bool,
    outgoing: VecDeque<Packet>,
    data: VecDeque<(SocketId, SocketAddr)>,
    /// What it sent last, for those who repeat it.
    pub(crate) sent: VecDeque<Packet>,
    lookups: Vec<(Time, RequestId, Vec<SocketAddr>)>,
    /// Candidates found; the first `signalled` of them are known to the peer.
    pub(crate) candidates: Vec<(StreamId, Candidate)>,
    pub(crate) signalled: usize,
    pub(crate) received: usize,
    pub(crate) consent_lost: bool,
}

/// Packets that can be repeated.
const KEPT: usize = 16;
/// What data is.
const DATA: [u8; 20] = [0x80; 20];

impl Player {
    pub(crate) fn new(config: Config, tells_local: bool) -> Self {
        Self {
            agent: Watched::new(config),
            mood: Mood::Helpful,
            tasks: Vec::new(),
            sockets: Vec::new(),
            holds: false,
            awake_at: Time::ZERO,
            tells_local,
            outgoing: VecDeque::new(),
            data: VecDeque::new(),
            sent: VecDeque::new(),
            lookups: Vec::new(),
            candidates: Vec::new(),
            signalled: 0,
            received: 0,
            consent_lost: false,
        }
    }

    /// To be done before anything is sent.
    pub(crate) fn order(&mut self, task: Task) {
        self.tasks.push(task);
    }

    pub(crate) fn sleep(&mut self, until: Time) {
        self.awake_at = self.awake_at.max(until);
    }

    /// The address of one of its sockets.
    pub(crate) fn local(&self, nth: usize) -> Option<SocketAddr> {
        self.sockets.get(nth.checked_rem(self.sockets.len())?).map(|bound| bound.local)
    }

    /// Sends data on a component's path, if there is one.
    pub(crate) fn send(&mut self, component: Component, now: Time) -> bool {
        let Ok(path) = self.agent.agent().send_path(component) else { return false };
        assert!(!self.agent.closed);
        assert!(self.bound(path.socket).is_some(), "a path on a socket of ours");
        self.data.push_back((path.socket, path.destination));
        self.agent.call(now, |agent, now| agent.record_sent(component, 1, DATA.len() as u64, now));
        true
    }

    fn bound(&self, number: SocketId) -> Option<Bound> {
        self.sockets.iter().find(|bound| u64::from(bound.id.number()) == number.0).copied()
    }

    fn fail(&mut self, number: SocketId, now: Time) {
        let of = |bound: &&mut Bound| u64::from(bound.id.number()) == number.0;
        if let Some(bound) = self.sockets.iter_mut().find(of) {
            bound.failed = true;
        }
        self.agent.call(now, |agent, now| agent.socket_failed(number, now));
    }

    fn carry_out(&mut self, task: Task, host: &mut Host<'_>, now: Time) {
        let nth_socket = |n: usize| n.checked_rem(self.sockets.len()).map(|n| self.sockets[n].id);
        match task {
            Task::Gather => {
                let listed = host.interfaces().flat_map(|i| i.addresses.iter().map(move |&ip| (i.index, ip)));
                let interfaces: Vec<_> = listed.map(|(index, ip)| InterfaceAddress::new(index, ip)).collect();
                let _ = self.agent.call(now, |agent, now| agent.gather(&interfaces, now));
            }
            Task::AddHost(nth, component) => {
                let addresses: Vec<_> = host.addresses().collect();
                let Some(nth) = nth.checked_rem(addresses.len()) else { return };
                let Ok((id, local)) = host.open(addresses[nth], 0) else { return };
                let number = SocketId(id.number().into());
                let add = |agent: &mut Agent, now| agent.add_host(component, number, local, now);
                if self.agent.call(now, add).is_ok() {
                    self.sockets.push(Bound { id, local, failed: false });
                } else {
                    host.close(id);
                }
            }
            Task::CloseSocket(n) => {
                if let Some(id) = nth_socket(n) {
                    host.close(id);
                }
            }
            Task::FailSocket(n) => {
                if let Some(id) = nth_socket(n) {
                    host.close(id);
                    self.fail(SocketId(id.number().into()), now);
                }
            }
        }
    }

    fn execute(&mut self, command: Command, host: &mut Host<'_>, now: Time) {
        match (command, self.mood) {
            (Command::CloseSocket { socket }, _) => {
                let bound = self.bound(socket).expect("its own socket");
                host.close(bound.id);
                self.sockets.retain(|other| other.id != bound.id);
            }
            (_, Mood::Silent) => {}
            (Command::Resolve { request, .. }, Mood::Refusing) => {
                self.agent
                    .call(now, |agent, now| agent.resolved(request, Err(DriverError::NameNotFound), now));
            }
            (Command::OpenUdp { request, .. }, Mood::Refusing) => {
                self.agent.call(now, |agent, now| agent.opened(request, Err(DriverError::NoPortFree), now));
            }
            (Command::Resolve { request, host: name, port }, Mood::Helpful) => {
                let found = host.resolve(&name).map(|found| (found.addresses.to_vec(), found.delay));
                let (addresses, delay) = found.unwrap_or_default();
                let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect();
                self.lookups.push((now + delay, request, addresses));
            }
            (Command::OpenUdp { request, address }, Mood::Helpful) => {
                let opened = host.open(address.ip(), address.port());
                let answer = opened.map(|(id, local)| {
                    self.sockets.push(Bound { id, local, failed: false });
                    (SocketId(id.number().into()), local)
                });
                let answer = answer.map_err(|_| DriverError::AddressNotAvailable);
                self.agent.call(now, |agent, now| agent.opened(request, answer, now));
            }
            (other, Mood::Helpful | Mood::Refusing) => panic!("no driver knows {other:?}"),
        }
    }

    fn answer_lookups(&mut self, now: Time) {
        while let Some(at) = self.lookups.iter().position(|(due, ..)| *due <= now) {
            let (_, request, addresses) = self.lookups.remove(at);
            self.agent.call(now, |agent, now| agent.resolved(request, Ok(&addresses), now));
        }
    }

    fn take_events(&mut self) {
        for event in std::mem::take(&mut self.agent.events) {
            self.consent_lost |= matches!(event, Event::ConsentLost { .. });
            if let Event::LocalCandidate(id) = event {
                let agent = self.agent.agent();
                // One from before a restart is gone when the event is looked at late.
                let Some(candidate) = agent.local_candidate(id) else { continue };
                let component = agent.local_component(id).expect("announced");
                let candidate = candidate.clone().with_ufrag(agent.local_credentials().ufrag());
                self.candidates.push((component.stream, candidate.expect("a ufrag")));
            }
        }
    }
}

impl Endpoint for Player {
    fn handle_datagram(&mut self, datagram: floe_netsim::Datagram<'_>, now: Time) {
        let socket = SocketId(datagram.socket.number().into());
        let local_ip = self.tells_local.then(|| datagram.local.ip());
        let contents = Datagram { socket, local_ip, source: datagram.source, contents: datagram.contents };
        if let Received::Data { .. } = self.agent.datagram(contents, now) {
            self.received += 1;
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.answer_lookups(now);
        self.agent.wake(now);
    }

    fn handle_send_error(&mut self, failed: Transmit, error: SendError, now: Time) {
        assert_ne!(error, SendError::TooLong, "{} bytes", failed.len);
        let number = SocketId(failed.socket.number().into());
        if error != SendError::NoRoute && self.bound(number).is_some() {
            self.fail(number, now);
        }
    }

    fn poll_host(&mut self, host: &mut Host<'_>, now: Time) {
        for task in std::mem::take(&mut self.tasks) {
            self.carry_out(task, host, now);
        }
        // An answer may cause the next command.
        while !self.agent.commands.is_empty() {
            for command in std::mem::take(&mut self.agent.commands) {
                self.execute(command, host, now);
            }
            self.answer_lookups(now);
        }
        self.take_events();
    }

    fn poll_transmit(&mut self, out: &mut [u8]) -> Option<Transmit> {
        self.outgoing.extend(std::mem::take(&mut self.agent.packets));
        if self.holds {
            return None;
        }
        while let Some((number, destination)) = self.data.pop_front() {
            // What was queued before the socket went has nowhere to go.
            let Some(bound) = self.bound(number) else { continue };
            out[..DATA.len()].copy_from_slice(&DATA);
            return Some(Transmit::new(bound.id, destination, DATA.len()));
        }
        loop {
            let packet = self.outgoing.pop_front()?;
            let Some(bound) = self.bound(packet.socket).filter(|bound| !bound.failed) else { continue };
            out[..packet.bytes.len()].copy_from_slice(&packet.bytes);
            let transmit = Transmit::new(bound.id, packet.destination, packet.bytes.len());
            let transmit = Transmit { source_ip: packet.src_ip, ..transmit };
            self.sent.push_back(packet);
            let surplus = self.sent.len().saturating_sub(KEPT);
            self.sent.drain(..surplus);
            return Some(transmit);
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        let lookup = self.lookups.iter().map(|(due, ..)| *due).min();
        let due = [self.agent.agent().poll_timeout(), lookup].into_iter().flatten().min()?;
        Some(due.max(self.awake_at))
    }
}

/// A driver that looked away for so long.
pub(crate) const LOOKED_AWAY: Duration = Duration::from_secs(2);
