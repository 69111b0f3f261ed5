//! What changes from seed to seed: the roles, the weather, and delays. Nothing that the oracle looks at.

use std::fmt;
use std::time::Duration;

use floe_ice::{Nomination, Role};
use floe_netsim::Hairpinning;
use floe_netsim::ice::Signalling;

use crate::scenario::Scenario;

/// How the two sides begin.
pub(crate) const ROLES: [[Role; 2]; 4] = [
    [Role::Controlling, Role::Controlled],
    [Role::Controlled, Role::Controlling],
    [Role::Controlling; 2],
    [Role::Controlled; 2],
];

/// What the links do to packets, and how long the agents wait for a better path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Nothing is lost.
    Clear,
    /// One side's access loses a packet of ten in one direction, and both jitter.
    Lossy,
    /// The same, but the controlling side waits for the best path until it must have come.
    LossyAndPatient,
}

pub(crate) const WEATHERS: [Weather; 3] = [Weather::Clear, Weather::Lossy, Weather::LossyAndPatient];

/// Never more transmissions of one packet are lost in a row: of the seven of a request (RFC 8489 §6.2.1, Rc), or of the answers
/// to it, the fifth at the latest comes through.
pub(crate) const LOSSES_IN_A_ROW: u8 = 4;

/// RFC 8489 §6.2.1: after so many losses the next transmission is 1 + 2 + 4 + 8 RTO after the first.
pub(crate) const AFTER_LOSSES: u32 = (1 << LOSSES_IN_A_ROW) - 1;

/// The conditions of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// Of the network, and so of all that is random in it.
    pub(crate) seed: u64,
    pub(crate) roles: [Role; 2],
    pub(crate) weather: Weather,
    pub(crate) signalling: Signalling,
    /// One way, across the Internet.
    pub(crate) internet: Duration,
    /// One way, to a side's first router.
    pub(crate) access: [Duration; 2],
    /// From each side to the other.
    pub(crate) signal_delay: [Duration; 2],
    /// The side whose access loses packets, and whether on the way up, else on the way down. Only one way between the sides
    /// does: where an answer can be lost too, no limit to losses in a row makes sure that one of seven attempts succeeds.
    pub(crate) loses: (usize, bool),
    /// What NATs do that the two sides do not share.
    pub(crate) hairpinning: Hairpinning,
}

impl Conditions {
    /// Roles × weather, twelve combinations, take turns: any twelve seeds in a row have them all.
    pub(crate) fn of(scenario: &Scenario, seed: u64) -> Self {
        let turn = scenario.number().wrapping_add(seed);
        let mut draws = Draws(turn);
        let mut millis = |range: std::ops::RangeInclusive<u64>| Duration::from_millis(draws.within(range));
        let internet = millis(5..=60);
        let access = [millis(0..=10), millis(0..=10)];
        let signal_delay = [millis(0..=200), millis(0..=200)];
        let mut coin = || draws.within(0..=1) == 1;
        Self {
            seed: turn,
            roles: ROLES[(turn % 4) as usize],
            weather: WEATHERS[(turn / 4 % 3) as usize],
            signalling: if coin() { Signalling::Trickle } else { Signalling::AtOnce },
            internet,
            access,
            signal_delay,
            loses: (usize::from(coin()), coin()),
            hairpinning: if coin() { Hairpinning::ExternalSource } else { Hairpinning::Unsupported },
        }
    }

    /// The longest RTO of a check (RFC 8445 §14.3), which the agents cut to 1 s by default. With losses it is kept to its
    /// minimum, so that everything comes before consent can expire (RFC 7675 §5.1), whose checks nobody retransmits.
    pub(crate) fn max_rto(&self) -> Duration {
        match self.weather {
            Weather::Clear => Duration::from_secs(1),
            Weather::Lossy | Weather::LossyAndPatient => Duration::from_millis(500),
        }
    }

    /// RFC 8445 §8.1.1 leaves it to the agent how long it waits. With losses the best pair may be proved 30 RTO after another
    /// one: 15 for a check to open the filters, 15 for one to be answered.
    pub(crate) fn nomination(&self) -> Nomination {
        match self.weather {
            Weather::Clear | Weather::Lossy => Nomination::default(),
            Weather::LossyAndPatient => {
                let settle = 2 * AFTER_LOSSES * self.max_rto();
                Nomination::Regular { settle, settle_relayed: settle }
            }
        }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} and {:?}, {:?}, {:?}, {:?} across the Internet, access {:?}, signalling {:?}",
            self.roles[0],
            self.roles[1],
            self.weather,
            self.signalling,
            self.internet,
            self.access,
            self.signal_delay
        )
    }
}

/// SplitMix64.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Even enough for small ranges.
    fn within(&mut self, range: std::ops::RangeInclusive<u64>) -> u64 {
        range.start() + self.next() % (range.end() - range.start() + 1)
    }
}
