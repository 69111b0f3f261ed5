//! What the STUN codec costs: time by default, instructions and allocations with `-- --meter`.
//!
//! The messages are those of a connectivity check: a request of 100 bytes (USERNAME, role, PRIORITY, USE-CANDIDATE,
//! MESSAGE-INTEGRITY, FINGERPRINT) and a success response of 64. "Parse" checks FINGERPRINT and decodes every
//! attribute; "verify" is that and the integrity; "respond" verifies the request and writes the response. A key is
//! made once, as it is once per credential.

#![forbid(unsafe_code)]

mod operations;

use std::hint::black_box;
use std::process::ExitCode;

use floe_benches::meter::Case;
use operations::{Fixture, REQUEST_LEN, RESPONSE_LEN};

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
                for _ in 0..repetitions {
                    let operation: fn(&mut Fixture) -> _ = $operation;
                    black_box(operation(black_box(&mut fixture)));
                }
            },
        }
    };
}

const CASES: [Case; 8] = [
    case!("parse request", None, |f| f.parse_request()),
    case!("verify request", Some(4_900), |f| f.verify_request()),
    case!("encode request", Some(4_600), |f| f.encode_request()),
    case!("parse response", None, |f| f.parse_response()),
    case!("verify response", None, |f| f.verify_response()),
    case!("encode response", None, |f| f.encode_response()),
    case!("respond", None, |f| f.respond()),
    case!("make key", None, |f| f.make_key()),
];

fn main() -> ExitCode {
    assert_eq!(Fixture::new().encode_request(), REQUEST_LEN);
    assert_eq!(Fixture::new().encode_response(), RESPONSE_LEN);
    floe_benches::run::main("stun_codec", &CASES)
}
