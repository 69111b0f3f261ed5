//! `rice-proto`, the agent of librice. It knows no consent (RFC 7675), and so sends nothing once it is connected.

use rice_proto::agent::{Agent as RiceAgent, AgentPoll};
use rice_proto::candidate::{Candidate, CandidateType, TransportType};
use rice_proto::stream::Credentials;
use stun_proto::Instant;
use stun_proto::agent::Transmit;

use crate::world::{Agent, Nanos, Packet, Setup, Side, host};

/// An agent of `rice-proto`.
pub struct Rice {
    agent: RiceAgent,
    stream: usize,
    component: usize,
    /// When it wants to be polled again; `None` if it has to be asked.
    wake: Option<Nanos>,
    nominated: bool,
}

fn instant(now: Nanos) -> Instant {
    Instant::from_nanos(i64::try_from(now).unwrap_or(i64::MAX))
}

impl Rice {
    /// Asks what is to be done, until it is to wait.
    fn poll(&mut self, now: Nanos) {
        loop {
            match self.agent.poll(instant(now)) {
                AgentPoll::WaitUntil(at) => {
                    self.wake = Some(u64::try_from(at.as_nanos()).unwrap_or(0));
                    return;
                }
                AgentPoll::Closed => {
                    self.wake = Some(Nanos::MAX);
                    return;
                }
                AgentPoll::SelectedPair(_) => self.nominated = true,
                _ => {}
            }
        }
    }
}

impl Agent for Rice {
    const NAME: &'static str = "rice-proto";
    const SIZE: usize = size_of::<RiceAgent>();

    fn new(side: Side, setup: Setup) -> Self {
        let mut agent = RiceAgent::builder().controlling(side == Side::A).build();
        let stream = agent.add_stream();
        let mut own = agent.mut_stream(stream).expect("the stream was just added");
        let component = own.add_component().expect("the first component");
        let credentials = || (rice_proto::random_string(4), rice_proto::random_string(22));
        let (ufrag, pwd) = credentials();
        own.set_local_credentials(Credentials::new(ufrag, pwd));
        for n in 0..setup.hosts {
            let address = host(side, n);
            let priority = Candidate::calculate_priority(
                CandidateType::Host,
                TransportType::Udp,
                None,
                65_535 - u32::from(n),
                component,
            );
            // The foundation: each address is a base of its own.
            let foundation = n.to_string();
            let udp = TransportType::Udp;
            let candidate = Candidate::builder(component, CandidateType::Host, udp, &foundation, address)
                .priority(priority)
                .build();
            assert!(own.add_local_candidate(candidate), "a new candidate");
        }
        own.end_of_local_candidates();
        Self { agent, stream, component, wake: None, nominated: false }
    }

    fn introduce_to(&self, peer: &mut Self) {
        let ours = self.agent.stream(self.stream).expect("it was added");
        let mut theirs = peer.agent.mut_stream(peer.stream).expect("it was added");
        theirs.set_remote_credentials(ours.local_credentials().expect("they were set"));
        for candidate in ours.local_candidates() {
            theirs.add_remote_candidate(candidate.clone());
        }
        theirs.end_of_remote_candidates();
    }

    fn receive(&mut self, packet: &mut Packet, now: Nanos) {
        let transmit = Transmit::new(packet.contents(), TransportType::Udp, packet.from, packet.to);
        let mut stream = self.agent.mut_stream(self.stream).expect("it was added");
        stream.handle_incoming_data(self.component, transmit, instant(now));
        self.wake = None;
    }

    fn timeout(&mut self, now: Nanos) {
        self.poll(now);
    }

    fn next_timeout(&mut self) -> Option<Nanos> {
        self.wake
    }

    fn transmit(&mut self, out: &mut Packet, now: Nanos) -> bool {
        if self.wake.is_none() {
            self.poll(now);
        }
        let Some(transmit) = self.agent.poll_transmit(instant(now)) else { return false };
        let transmit = transmit.transmit;
        out.fill(transmit.from, transmit.to, &transmit.data);
        true
    }

    fn drain(&mut self, _now: Nanos) {}

    fn is_usable(&self) -> bool {
        self.nominated
    }

    fn is_nominated(&self) -> bool {
        self.nominated
    }
}
