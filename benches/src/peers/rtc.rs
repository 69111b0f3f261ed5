//! `rtc-ice`, the agent of webrtc-rs. It has no pace (Ta): every pair is checked at once, every 200 ms.

use std::sync::Arc;

use bytes::BytesMut;
use rtc_ice::Credentials;
use rtc_ice::agent::agent_config::AgentConfig;
use rtc_ice::agent::{Agent as RtcAgent, Event};
use rtc_ice::candidate::CandidateConfig;
use rtc_ice::candidate::candidate_host::CandidateHostConfig;
use rtc_ice::mdns::MulticastDnsMode;
use rtc_shared::{TaggedBytesMut, TransportContext};
use sansio::Protocol;

use super::{instant, nanos};
use crate::world::{Agent, Nanos, Packet, Setup, Side, host};

/// An agent of `rtc-ice`.
pub struct Rtc {
    agent: RtcAgent,
    controlling: bool,
    nominated: bool,
}

impl Agent for Rtc {
    const NAME: &'static str = "rtc-ice";
    const SIZE: usize = size_of::<RtcAgent>();

    fn new(side: Side, setup: Setup) -> Self {
        let controlling = side == Side::A;
        let config = AgentConfig {
            is_controlling: controlling,
            multicast_dns_mode: MulticastDnsMode::Disabled,
            ..AgentConfig::default()
        };
        let crypto = rtc_ice::crypto::default_provider().expect("it is built in");
        let mut agent = RtcAgent::new(instant(0), Arc::new(config), crypto).expect("a valid configuration");
        for n in 0..setup.hosts {
            let address = host(side, n);
            let base_config = CandidateConfig {
                network: "udp".to_owned(),
                address: address.ip().to_string(),
                port: address.port(),
                component: 1,
                ..CandidateConfig::default()
            };
            let config = CandidateHostConfig { base_config, ..CandidateHostConfig::default() };
            let candidate = config.new_candidate_host().expect("a usable address");
            assert!(agent.add_local_candidate(candidate).expect("a usable candidate"), "a new candidate");
        }
        Self { agent, controlling, nominated: false }
    }

    fn introduce_to(&self, peer: &mut Self) {
        for candidate in self.agent.get_local_candidates() {
            let added = peer.agent.add_remote_candidate(candidate.clone());
            assert!(added.expect("a usable candidate"), "a new candidate");
        }
        let Credentials { ufrag, pwd } = self.agent.get_local_credentials().clone();
        let started = peer.agent.start_connectivity_checks(instant(0), peer.controlling, ufrag, pwd);
        started.expect("it was not started before");
    }

    fn receive(&mut self, packet: &mut Packet, now: Nanos) {
        let transport =
            TransportContext { local_addr: packet.to, peer_addr: packet.from, ..TransportContext::default() };
        let message = BytesMut::from(packet.contents());
        let _ = self.agent.handle_read(TaggedBytesMut { now: instant(now), transport, message });
    }

    fn timeout(&mut self, now: Nanos) {
        let _ = self.agent.handle_timeout(instant(now));
    }

    fn next_timeout(&mut self) -> Option<Nanos> {
        self.agent.poll_timeout().map(nanos)
    }

    fn transmit(&mut self, out: &mut Packet, _now: Nanos) -> bool {
        let Some(write) = self.agent.poll_write() else { return false };
        out.fill(write.transport.local_addr, write.transport.peer_addr, &write.message);
        true
    }

    fn drain(&mut self, _now: Nanos) {
        while let Some(tagged) = self.agent.poll_event() {
            self.nominated |= matches!(tagged.event, Event::SelectedCandidatePairChange(..));
        }
    }

    fn is_usable(&self) -> bool {
        self.nominated
    }

    fn is_nominated(&self) -> bool {
        self.nominated
    }
}
