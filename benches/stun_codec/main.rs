//! What the STUN codec costs: time by default, instructions and allocations with `-- --meter`.
//!
//! The messages are those of a connectivity check: a request of 100 bytes (USERNAME, role, PRIORITY, USE-CANDIDATE,
//! MESSAGE-INTEGRITY, FINGERPRINT) and a success response of 64. "Parse" checks FINGERPRINT and decodes every
//! attribute; "verify" is that and the integrity; "respond" verifies the request and writes the response. A key is
//! made once, as it is once per credential.

#![forbid(unsafe_code)]

mod operations;
#[cfg(feature = "peers")]
mod peers;
mod tables;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Duration;

use floe_benches::floor::Floor;
use floe_benches::meter::Case;
use floe_benches::timing;
use operations::{Fixture, REQUEST_LEN, RESPONSE_LEN};
#[cfg(feature = "peers")]
use peers::{Codec as _, Is, RtcStun, StunTypes, repeat};

/// A case that repeats `$operation` on a fixture. The budgets are instructions under callgrind.
macro_rules! case {
    ($name:literal, $budget:expr, $operation:expr) => {
        Case {
            name: $name,
            repetitions: 1_000,
            instructions: $budget,
            allocations: Some(0.0),
            run: |repetitions| {
                let mut fixture = Fixture::new();
                timing::of(|| {
                    for _ in 0..repetitions {
                        let operation: fn(&mut Fixture) -> _ = $operation;
                        black_box(operation(black_box(&mut fixture)));
                    }
                })
            },
        }
    };
}

const FLOE: [Case; 8] = [
    case!("floe, parse request", None, |f| f.parse_request()),
    case!("floe, verify request", Some(4_900), |f| f.verify_request()),
    case!("floe, encode request", Some(4_600), |f| f.encode_request()),
    case!("floe, parse response", None, |f| f.parse_response()),
    case!("floe, verify response", None, |f| f.verify_response()),
    case!("floe, encode response", None, |f| f.encode_response()),
    case!("floe, respond", None, |f| f.respond()),
    case!("floe, make key", None, |f| f.make_key()),
];

/// An operation of the hand-written floor or of another codec.
const fn case(name: &'static str, run: fn(u32) -> Duration) -> Case {
    Case { name, repetitions: 1_000, instructions: None, allocations: None, run }
}

fn floor<R>(repetitions: u32, operation: fn(&mut Floor) -> R) -> Duration {
    let mut floor = Floor::new();
    timing::of(|| {
        for _ in 0..repetitions {
            black_box(operation(black_box(&mut floor)));
        }
    })
}

const FLOOR: [Case; 4] = [
    case("hand-written floor, parse request", |n| floor(n, |f| f.parse_request())),
    case("hand-written floor, verify request", |n| floor(n, |f| f.verify_request())),
    case("hand-written floor, encode request", |n| floor(n, Floor::encode_request)),
    case("hand-written floor, parse response", |n| floor(n, |f| f.parse_response())),
];

#[cfg(feature = "peers")]
const PEERS: [Case; 12] = [
    case("is, parse request", |n| repeat(n, Is::parse_request)),
    case("is, verify request", |n| repeat(n, Is::verify_request)),
    case("is, encode request", |n| repeat(n, Is::encode_request)),
    case("is, parse response", |n| repeat(n, Is::parse_response)),
    case("stun-types, parse request", |n| repeat(n, StunTypes::parse_request)),
    case("stun-types, verify request", |n| repeat(n, StunTypes::verify_request)),
    case("stun-types, encode request", |n| repeat(n, StunTypes::encode_request)),
    case("stun-types, parse response", |n| repeat(n, StunTypes::parse_response)),
    case("rtc-stun, parse request", |n| repeat(n, RtcStun::parse_request)),
    case("rtc-stun, verify request", |n| repeat(n, RtcStun::verify_request)),
    case("rtc-stun, encode request", |n| repeat(n, RtcStun::encode_request)),
    case("rtc-stun, parse response", |n| repeat(n, RtcStun::parse_response)),
];
#[cfg(not(feature = "peers"))]
const PEERS: [Case; 0] = [];

fn all_cases() -> Vec<Case> {
    FLOOR.into_iter().chain(FLOE).chain(PEERS).collect()
}

fn main() -> ExitCode {
    assert_eq!(Fixture::new().encode_request(), REQUEST_LEN);
    assert_eq!(Fixture::new().encode_response(), RESPONSE_LEN);
    floe_benches::run::main("stun_codec", &all_cases(), tables::report)
}
