//! `floe decode`.

use std::fs;
use std::path::PathBuf;

use crate::program::{floe, floe_with_input};

/// RFC 5769 §2.2.
const RESPONSE: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643\
    000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96";

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";

fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the directory for temporary files can be written");
    path
}

#[test]
fn a_message_is_read_from_arguments_input_and_files() {
    let expected = floe(&["decode", RESPONSE]);
    assert_eq!((expected.status, expected.stderr.as_str()), (0, ""));
    assert!(expected.stdout.starts_with("STUN Binding success response, 80 bytes\n"), "{}", expected.stdout);
    assert!(expected.stdout.contains("XOR-MAPPED-ADDRESS  192.0.2.1:32853\n"), "{}", expected.stdout);

    let (first, second) = RESPONSE.split_at(50);
    let raw: Vec<u8> = (0..RESPONSE.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&RESPONSE[at..at + 2], 16).unwrap())
        .collect();
    let raw_file = file("response.bin", &raw);
    let digits_file = file("response.hex", RESPONSE.as_bytes());
    for run in [
        floe(&["decode", first, second]),
        floe_with_input(&["decode"], RESPONSE.as_bytes()),
        floe_with_input(&["decode", "-"], &raw),
        floe(&["decode", "--file", raw_file.to_str().unwrap()]),
        floe(&["decode", "--file", digits_file.to_str().unwrap()]),
    ] {
        assert_eq!((run.status, &run.stdout), (0, &expected.stdout));
    }
}

#[test]
fn the_password_decides() {
    let right = floe(&["decode", RESPONSE, "--password", PASSWORD]);
    assert_eq!(right.status, 0);
    assert!(
        right.stdout.contains("MESSAGE-INTEGRITY: right, with short-term credentials"),
        "{}",
        right.stdout
    );
    let wrong = floe(&["decode", RESPONSE, "--password", "nonsense"]);
    assert_eq!(
        wrong.error(1),
        "not a good STUN message: byte 52: MESSAGE-INTEGRITY: does not match the message and the short-term credentials"
    );
    assert!(!wrong.stdout.contains("nonsense"), "a password is never printed");
    let half = floe(&["decode", RESPONSE, "--password", PASSWORD, "--username", "u"]);
    assert!(half.error(2).contains("--realm is needed"));
}

#[test]
fn a_bad_message_is_still_shown_and_fails() {
    let run = floe(&["decode", &RESPONSE[..100]]);
    assert!(run.error(1).starts_with("not a good STUN message: byte 2: the length field promises 60 bytes"));
    assert!(run.stdout.contains("\"test vector\""), "{}", run.stdout);
    let other = floe(&["decode", "16fefd0000"]);
    assert!(other.error(1).starts_with("not a STUN message: byte 0: "));
    assert!(other.stdout.starts_with("not STUN: looks like DTLS 1.2, handshake"), "{}", other.stdout);
}

#[test]
fn channel_data_is_understood() {
    let run = floe(&["decode", "0x40 0x01 0x00 0x05", "68:65:6c:6c:6f"]);
    assert_eq!(run.status, 0);
    assert!(run.stdout.contains("channel  0x4001\n"), "{}", run.stdout);
}

#[test]
fn json_has_everything_in_one_line() {
    let run = floe(&["decode", "--json", RESPONSE]);
    assert_eq!((run.status, run.stdout.lines().count()), (0, 1));
    let object: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(object["good"], true);
    assert_eq!(object["header"]["method"], "Binding");
    assert_eq!(object["attributes"][1]["name"], "XOR-MAPPED-ADDRESS");
    assert_eq!(object["attributes"][1]["value"], "192.0.2.1:32853");
    assert_eq!(object["fingerprint"], "right");

    let bad = floe(&["decode", "--json", &RESPONSE[..100]]);
    bad.error(1);
    let object: serde_json::Value = serde_json::from_str(&bad.stdout).unwrap();
    assert_eq!((&object["good"], &object["faults"][0]["offset"]), (&false.into(), &2.into()));
}

#[test]
fn what_cannot_be_read_is_said() {
    assert_eq!(floe(&["decode", "0001 00zz"]).error(2), "'z' is not a hexadecimal digit at line 1, column 8");
    assert_eq!(floe(&["decode"]).error(1), "standard input: no hexadecimal digits");
    assert!(
        floe(&["decode", "--file", "/nowhere/packet"]).error(1).starts_with("cannot read /nowhere/packet: ")
    );
    assert!(floe(&["decode", "00", "--file", "x"]).error(2).contains("cannot be used with"));
}
