//! Two agents on a perfect link: the times and packets of the RFC, and nothing else.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use std::boxed::Box;

use floe_stun::Time;

use crate::{
    Agent, Component, Config, ConnectionState, Datagram, Event, MAX_TRANSMIT, Nomination, RemoteParameters,
    Role, SocketId, StreamId,
};

/// Two agents, each with `n` host candidates, all of which reach each other.
struct Link {
    agents: [Agent; 2],
    one_way: Duration,
    flying: Vec<(Time, usize, SocketAddr, SocketAddr, Box<[u8]>)>,
    packets: usize,
    selected: [Option<Time>; 2],
    valid: [Option<Time>; 2],
    now: Time,
}

fn address(side: usize, host: usize) -> SocketAddr {
    SocketAddr::from(([10, side as u8, host as u8, 1], 5000))
}

impl Link {
    fn new(n: usize, one_way: u64, nomination: Nomination) -> Self {
        let agent = |side: usize, role| {
            let mut config = Config::new([side as u8 + 1; 32]);
            config.role = role;
            config.nomination = nomination;
            let mut agent = Agent::new(config, Time::ZERO).expect("valid");
            for host in 0..n {
                agent
                    .add_host(Component::default(), SocketId(host as u64), address(side, host), Time::ZERO)
                    .expect("a candidate");
            }
            agent.end_of_local_candidates(Time::ZERO).expect("open");
            agent
        };
        let mut agents = [agent(0, Role::Controlling), agent(1, Role::Controlled)];
        for side in 0..2 {
            let (credentials, candidates) = {
                let other = &agents[1 - side];
                let candidates: Vec<_> = other.local_candidates().map(|(_, _, c)| c.clone()).collect();
                (other.local_credentials().clone(), candidates)
            };
            for candidate in &candidates {
                let _ =
                    agents[side].add_remote_candidate(StreamId::FIRST, candidate, Time::ZERO).expect("open");
            }
            agents[side].end_of_remote_candidates(StreamId::FIRST, Time::ZERO).expect("open");
            agents[side]
                .set_remote_parameters(&RemoteParameters::new(credentials), Time::ZERO)
                .expect("open");
        }
        let one_way = Duration::from_millis(one_way);
        let (flying, now) = (Vec::new(), Time::ZERO);
        Self { agents, one_way, flying, packets: 0, selected: [None; 2], valid: [None; 2], now }
    }

    fn collect(&mut self) {
        let mut buffer = [0; MAX_TRANSMIT];
        for side in 0..2 {
            while let Some(t) = self.agents[side].poll_transmit(&mut buffer) {
                let from = address(side, t.socket.0 as usize);
                let at = self.now.saturating_add(self.one_way);
                self.flying.push((at, 1 - side, from, t.destination, buffer[..t.len].into()));
                self.packets += 1;
            }
            while let Some(event) = self.agents[side].poll_event() {
                match event {
                    Event::SelectedPairChanged { .. } => {
                        self.selected[side].get_or_insert(self.now);
                    }
                    Event::PathChanged(_) => {
                        self.valid[side].get_or_insert(self.now);
                    }
                    _ => {}
                }
            }
            self.agents[side].check_invariants();
        }
    }

    fn run_until(&mut self, end: Time) {
        self.collect();
        loop {
            let packet = self.flying.iter().map(|f| f.0).min();
            let timer = self.agents.iter().filter_map(Agent::poll_timeout).min();
            let Some(next) = packet.into_iter().chain(timer).min().filter(|&t| t <= end) else { break };
            self.now = next;
            while let Some(at) = self.flying.iter().position(|f| f.0 <= next) {
                let (_, side, from, to, bytes) = self.flying.remove(at);
                let socket = (0..255).find(|&h| address(side, h) == to).expect("an address of ours");
                let datagram = Datagram {
                    socket: SocketId(socket as u64),
                    local_ip: None,
                    source: from,
                    contents: &bytes,
                };
                let _ = self.agents[side].handle_datagram(datagram, next);
            }
            for agent in &mut self.agents {
                agent.handle_timeout(next);
            }
            self.collect();
        }
        self.now = end;
    }
}

fn millis(ms: u64) -> Option<Time> {
    Some(Time::from_millis(ms))
}

#[test]
fn regular_nomination_takes_two_round_trips() {
    for (one_way, valid, selected, packets) in [(50, 100, [200, 150], 10), (20, 40, [90, 70], 6)] {
        let mut link = Link::new(1, one_way, Nomination::default());
        link.run_until(Time::from_millis(1000));
        assert_eq!(link.valid, [millis(valid); 2]);
        assert_eq!(link.selected, selected.map(millis));
        assert_eq!(link.packets, packets);
        assert!(link.agents.iter().all(|a| a.state() == ConnectionState::Completed));
    }
}

#[test]
fn immediate_nomination_takes_one_round_trip() {
    let mut link = Link::new(1, 50, Nomination::Immediate);
    link.run_until(Time::from_millis(1000));
    assert_eq!(link.selected, [millis(100); 2]);
    assert_eq!(link.packets, 8);
}

#[test]
fn more_candidates_do_not_delay_the_best_pair() {
    for n in [4, 10] {
        let mut link = Link::new(n, 50, Nomination::default());
        link.run_until(Time::from_millis(1000));
        assert_eq!(link.selected, [millis(200), millis(150)], "{n} candidates a side");
    }
}
