//! `is`, the agent of str0m. It sends FINGERPRINT and does not check it; nothing is ever frozen.

use is::stun::{StunMessage, StunPacket};
use is::{Candidate, IceAgent, IceAgentEvent, IceCreds, Protocol};

use super::{instant, nanos};
use crate::world::{Agent, Nanos, Packet, Setup, Side, host};

/// An agent of `is`.
pub struct Is {
    agent: IceAgent,
    nominated: bool,
}

impl Agent for Is {
    const NAME: &'static str = "is";
    const SIZE: usize = size_of::<IceAgent>();

    fn new(side: Side, setup: Setup) -> Self {
        let mut agent = IceAgent::new(IceCreds::new());
        agent.set_controlling(side == Side::A);
        for n in 0..setup.hosts {
            let candidate = Candidate::host(host(side, n), "udp").expect("a usable address");
            assert!(agent.add_local_candidate(candidate).is_some(), "a new candidate");
        }
        Self { agent, nominated: false }
    }

    fn introduce_to(&self, peer: &mut Self) {
        peer.agent.set_remote_credentials(self.agent.local_credentials().clone());
        for candidate in self.agent.local_candidates() {
            peer.agent.add_remote_candidate(candidate);
        }
    }

    fn start(&mut self) {
        self.agent.handle_timeout(instant(0));
    }

    fn receive(&mut self, packet: &mut Packet, now: Nanos) {
        let Ok(message) = StunMessage::parse(packet.contents()) else { return };
        let packet =
            StunPacket { proto: Protocol::Udp, source: packet.from, destination: packet.to, message };
        self.agent.handle_packet(instant(now), packet);
    }

    fn timeout(&mut self, now: Nanos) {
        self.agent.handle_timeout(instant(now));
    }

    fn next_timeout(&mut self) -> Option<Nanos> {
        self.agent.poll_timeout().map(nanos)
    }

    fn transmit(&mut self, out: &mut Packet, _now: Nanos) -> bool {
        let Some(transmit) = self.agent.poll_transmit() else { return false };
        out.fill(transmit.source, transmit.destination, &transmit.contents);
        true
    }

    fn drain(&mut self, _now: Nanos) {
        while let Some(event) = self.agent.poll_event() {
            self.nominated |= matches!(event, IceAgentEvent::NominatedSend { .. });
        }
    }

    fn is_usable(&self) -> bool {
        self.nominated
    }

    fn is_nominated(&self) -> bool {
        self.nominated
    }
}
