//! Data all the time, and whether any was lost by anything but the network.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use floe_ice::{Component, Time};
use floe_netsim::{DropReason, Event};

use crate::scene::{LIMIT, Scene};

const INTERVAL: Duration = Duration::from_millis(5);

/// A stream of numbered datagrams in both directions, one of each every 5 ms.
#[derive(Debug, Default)]
pub struct Load {
    sent: [BTreeMap<u64, Time>; 2],
    refused: [u64; 2],
    next: u64,
}

impl Load {
    fn payload(number: u64) -> [u8; 12] {
        let mut payload = [0x80; 12];
        payload[4..].copy_from_slice(&number.to_be_bytes());
        payload
    }

    fn number(payload: &[u8]) -> Option<u64> {
        let number = payload.get(4..12).filter(|_| payload.len() == 12 && payload[..4] == [0x80; 4])?;
        Some(u64::from_be_bytes(number.try_into().expect("eight bytes")))
    }

    /// Goes on for a while.
    pub fn run(&mut self, scene: &mut Scene, duration: Duration) {
        let end = scene.net.now() + duration;
        while scene.net.now() < end {
            for side in 0..2 {
                let number = self.next;
                self.next += 1;
                let sent = scene.net.with(scene.peers[side], |peer, now| {
                    peer.send(Component::default(), &Self::payload(number), now)
                });
                match sent {
                    Some(Ok(())) => {
                        self.sent[side].insert(number, scene.net.now());
                    }
                    _ => self.refused[side] += 1,
                }
            }
            scene.net.run_for(INTERVAL);
        }
    }

    /// Goes on until this holds.
    ///
    /// # Panics
    /// When it does not come to that.
    pub fn run_until(&mut self, scene: &mut Scene, done: impl Fn(&Scene) -> bool) {
        let end = scene.net.now() + LIMIT;
        while !done(scene) && scene.net.now() < end {
            self.run(scene, 4 * INTERVAL);
        }
        assert!(done(scene), "{}", scene.net.chart());
    }

    /// Everything that was sent has arrived, but for what the link itself lost, and there was a path all the time.
    ///
    /// # Panics
    /// When something is missing.
    pub fn assert_nothing_lost(&self, scene: &mut Scene, what: &str) {
        scene.net.run_for(Duration::from_secs(2));
        assert_eq!(self.refused, [0, 0], "{what}: there is a path all the time");
        let mut lost_on_the_way = BTreeSet::new();
        for record in scene.net.trace().records() {
            if let Event::Dropped { reason, .. } = record.event
                && let Some(number) = Self::number(record.bytes)
            {
                assert_eq!(reason, DropReason::Lost, "{what}: packet {number}");
                lost_on_the_way.insert(number);
            }
        }
        for side in 0..2 {
            let received = scene.net[scene.peers[1 - side]].received().iter();
            let received: BTreeSet<u64> = received.filter_map(|data| Self::number(&data.bytes)).collect();
            let lost: Vec<_> = self.sent[side]
                .iter()
                .filter(|(number, _)| !received.contains(number) && !lost_on_the_way.contains(number))
                .collect();
            assert!(lost.is_empty(), "{what}: {lost:?} of side {side} were lost\n{}", scene.net.chart());
            assert!(self.sent[side].len() > 100, "{what}: there is a load");
        }
    }
}
