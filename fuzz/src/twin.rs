//! The same agent once more, polled late: when outputs are polled must not change what they are.

use std::collections::VecDeque;

use floe_ice::{Agent, Command, Config, Event, MAX_TRANSMIT, Time};

use crate::watched::Packet;

/// It is polled after so many packets or inputs at the latest: its queues are far from full then, which would make a
/// difference.
const PACKETS: usize = 48;
const INPUTS: u32 = 40;
/// A queue that has room for them and for what one input can add.
const ROOM: u16 = 256;

/// An agent with the seed and the inputs of another one.
pub(crate) struct Twin {
    pub(crate) agent: Agent,
    /// What the other one put out since this one was polled.
    packets: VecDeque<Packet>,
    events: VecDeque<Event>,
    inputs: u32,
}

impl Twin {
    /// None where the queue is so short that late polling loses packets.
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let agent = Agent::new(config.clone(), Time::ZERO).expect("a valid configuration");
        let (packets, events) = (VecDeque::new(), VecDeque::new());
        (config.limits.queued_packets >= ROOM).then_some(Self { agent, packets, events, inputs: 0 })
    }

    /// The other one put this out, after an input that both had.
    pub(crate) fn expect(&mut self, packets: &[Packet], commands: &[Command], events: &[Event]) {
        self.packets.extend(packets.iter().cloned());
        self.events.extend(events);
        // What a restart or the end makes needless is not asked for any more, if nobody has polled it yet.
        let asked = std::iter::from_fn(|| self.agent.poll_command());
        assert!(asked.eq(commands.iter().cloned()), "other questions than {commands:?}");
        self.inputs += 1;
        if self.packets.len() >= PACKETS || self.inputs >= INPUTS {
            self.compare();
        }
    }

    /// Everything that was expected is there, and nothing else.
    pub(crate) fn compare(&mut self) {
        self.inputs = 0;
        // In another order than the other one.
        while let Some(event) = self.agent.poll_event() {
            assert_eq!(self.events.pop_front(), Some(event));
        }
        let mut buffer = [0; MAX_TRANSMIT];
        while let Some(transmit) = self.agent.poll_transmit(&mut buffer) {
            let expected = self.packets.pop_front().expect("no packet more");
            let ends = (transmit.socket, transmit.src_ip, transmit.destination);
            assert_eq!(ends, (expected.socket, expected.src_ip, expected.destination));
            assert_eq!(buffer[..transmit.len], expected.bytes);
        }
        assert!(self.packets.is_empty() && self.events.is_empty());
    }
}
