//! The agent of `floe-ice` in the world of the benchmarks.

use floe_ice::{
    AddedCandidate, Agent, Component, Config, Datagram, Event, Nomination, RemoteParameters, Role, SocketId,
    StreamId, Time,
};

use crate::world::{self, Nanos, Packet, Setup, Side, host};

/// An agent of `floe-ice`.
pub struct Floe {
    /// The agent itself.
    pub agent: Agent,
    side: Side,
    usable: bool,
    nominated: bool,
}

impl Floe {
    fn socket(&self, packet: &Packet) -> SocketId {
        // The hosts of a side differ in the third byte of their address.
        match packet.to {
            std::net::SocketAddr::V4(to) => SocketId(u64::from(to.ip().octets()[2])),
            std::net::SocketAddr::V6(_) => SocketId(u64::MAX),
        }
    }
}

impl world::Agent for Floe {
    const NAME: &'static str = "floe";
    const SIZE: usize = size_of::<Agent>();

    fn new(side: Side, setup: Setup) -> Self {
        let mut config = Config::new([side as u8 + 1; 32]);
        config.role = if side == Side::A { Role::Controlling } else { Role::Controlled };
        if setup.immediate {
            config.nomination = Nomination::Immediate;
        }
        let mut agent = Agent::new(config, Time::ZERO).expect("the configuration is valid");
        for n in 0..setup.hosts {
            let socket = SocketId(u64::from(n));
            agent.add_host(Component::default(), socket, host(side, n), Time::ZERO).expect("a new address");
        }
        agent.end_of_local_candidates(Time::ZERO).expect("the agent is open");
        Self { agent, side, usable: false, nominated: false }
    }

    fn introduce_to(&self, peer: &mut Self) {
        for (_, stream, candidate) in self.agent.local_candidates() {
            let added = peer.agent.add_remote_candidate(stream, candidate, Time::ZERO);
            assert!(matches!(added, Ok(AddedCandidate::Added(_))), "a new candidate: {added:?}");
        }
        peer.agent.end_of_remote_candidates(StreamId::FIRST, Time::ZERO).expect("the stream exists");
        let parameters = RemoteParameters::new(self.agent.local_credentials().clone());
        peer.agent.set_remote_parameters(&parameters, Time::ZERO).expect("the first credentials");
    }

    fn receive(&mut self, packet: &mut Packet, now: Nanos) {
        let datagram = Datagram {
            socket: self.socket(packet),
            local_ip: None,
            source: packet.from,
            contents: packet.contents(),
        };
        let _ = self.agent.handle_datagram(datagram, Time::from_nanos(now));
    }

    fn timeout(&mut self, now: Nanos) {
        self.agent.handle_timeout(Time::from_nanos(now));
    }

    fn next_timeout(&mut self) -> Option<Nanos> {
        self.agent.poll_timeout().map(Time::as_nanos)
    }

    fn transmit(&mut self, out: &mut Packet, _now: Nanos) -> bool {
        let Some(transmit) = self.agent.poll_transmit(&mut out.bytes) else { return false };
        out.len = transmit.len;
        out.to = transmit.destination;
        out.from = host(self.side, u8::try_from(transmit.socket.0).unwrap_or(u8::MAX));
        true
    }

    fn drain(&mut self, _now: Nanos) {
        while let Some(event) = self.agent.poll_event() {
            match event {
                Event::PathChanged(component) => self.usable = self.agent.send_path(component).is_ok(),
                Event::SelectedPairChanged { .. } => self.nominated = true,
                _ => {}
            }
        }
    }

    fn is_usable(&self) -> bool {
        self.usable
    }

    fn is_nominated(&self) -> bool {
        self.nominated
    }
}
