//! What is refused, with its line, and in bounded time.

use floe_ice::candidate::{CredentialsError, CredentialsField};

use super::{HEAD, read, refused};
use crate::sdp::{Sdp, SdpFault as Fault};

#[test]
fn the_first_lines_are_version_origin_and_name() {
    assert_eq!(refused(""), (None, Fault::Missing("v=")));
    assert_eq!(refused("o=- 1 1 IN IP4 0.0.0.0\r\n"), (Some(1), Fault::Missing("v=")));
    assert_eq!(refused("v=0\r\n"), (None, Fault::Missing("o=")));
    assert_eq!(refused("v=0\r\ns=-\r\n"), (Some(2), Fault::Missing("o=")));
    assert_eq!(refused("v=1\r\no=- 1 1 IN IP4 0\r\ns=-\r\nt=0 0\r\n"), (Some(1), Fault::Malformed("v=")));
    assert_eq!(refused("v=0\r\no=- 1 1 IN IP4\r\ns=-\r\nt=0 0\r\n"), (Some(2), Fault::Malformed("o=")));
    assert_eq!(refused("v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\n"), (None, Fault::Missing("t=")));
    assert_eq!(refused("v=0\r\no=- 1 1 IN IP4 0\r\ns=-\r\nm=a 9 b 0\r\n"), (Some(4), Fault::Missing("t=")));
}

#[test]
fn lines_stand_in_their_order() {
    assert_eq!(refused(&format!("{HEAD}a=x\r\nc=IN IP4 0.0.0.0\r\n")), (Some(6), Fault::Misplaced));
    assert_eq!(refused(&format!("{HEAD}s=-\r\n")), (Some(5), Fault::Misplaced));
    assert_eq!(refused(&format!("{HEAD}y=x\r\n")), (Some(5), Fault::Misplaced));
    assert_eq!(refused(&format!("{HEAD}m=a 9 b 0\r\na=x\r\nb=AS:1\r\n")), (Some(7), Fault::Misplaced));
    assert_eq!(refused(&format!("{HEAD}m=a 9 b 0\r\nt=0 0\r\n")), (Some(6), Fault::Misplaced));
    read(&format!(
        "{HEAD}r=7d 1h 0 25h\r\nt=1 2\r\nz=1 -1h\r\nk=prompt\r\na=x\r\nm=a 9 b 0\r\ni=x\r\nc=IN IP4 0\r\nb=AS:1\r\na=x\r\n"
    ));
}

#[test]
fn each_line_is_a_letter_and_a_value_without_control_characters() {
    for bad in ["x", "ab=c", "=x", "A=x", " a=x", "1=x"] {
        assert_eq!(refused(&format!("{HEAD}{bad}\r\n")), (Some(5), Fault::NotALine), "{bad:?}");
    }
    assert_eq!(refused(&format!("{HEAD}\r\na=x\r\n")), (Some(5), Fault::NotALine));
    assert_eq!(refused(&format!("{HEAD}a=x\0y\r\n")), (Some(5), Fault::ControlCharacter));
    assert_eq!(refused(&format!("{HEAD}a=x\r\r\n")), (Some(5), Fault::ControlCharacter));
    // Behind the last line there may be empty ones.
    let text = format!("{HEAD}a=x\r\n\r\n\n");
    assert_eq!(read(&text).to_string(), text);
}

#[test]
fn values_that_are_known_are_checked() {
    let media = |line: &str| refused(&format!("{HEAD}{line}\r\n"));
    for bad in [
        "m=audio",
        "m=audio 9",
        "m=audio 9 RTP/AVP",
        "m=audio x RTP/AVP 0",
        "m=audio 65536 RTP/AVP 0",
        "m=audio +9 RTP/AVP 0",
        "m=audio 9/x RTP/AVP 0",
        "m= 9 RTP/AVP 0",
    ] {
        assert_eq!(media(bad), (Some(5), Fault::Malformed("m=")), "{bad}");
    }
    assert_eq!(read(&format!("{HEAD}m=audio 9/2 RTP/AVP 0\r\n")).section(0).map(|s| s.media().port), Some(9));
    for (bad, what) in [
        ("c=IN IP4", "c="),
        ("b=AS", "b="),
        ("b=AS:x", "b="),
        ("a=mid:", "mid"),
        ("a=mid:a b", "mid"),
        ("a=group:", "group"),
        ("a=group:BUNDLE  x", "group"),
        ("a=setup:both", "setup"),
        ("a=fingerprint:sha-256", "fingerprint"),
        ("a=fingerprint:sha-256 A:BC", "fingerprint"),
        ("a=fingerprint:sha-256 +A", "fingerprint"),
        ("a=sctp-port:65536", "sctp-port"),
        ("a=sctp-port:+5", "sctp-port"),
        ("a=max-message-size:-1", "max-message-size"),
        ("a=max-message-size:99999999999999999999", "max-message-size"),
    ] {
        let text = format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{bad}\r\n");
        assert_eq!(refused(&text), (Some(6), Fault::Malformed(what)), "{bad}");
    }
    let long = format!("a=fingerprint:sha-512 {}", vec!["AB"; 65].join(":"));
    assert_eq!(media(&long), (Some(5), Fault::Malformed("fingerprint")));
}

#[test]
fn what_ice_says_is_checked() {
    let media = |line: &str| refused(&format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{line}\r\n"));
    let short = Fault::Credentials(CredentialsError::TooShort(CredentialsField::Ufrag));
    assert_eq!(media("a=ice-ufrag:abc"), (Some(6), short));
    let chars = Fault::Credentials(CredentialsError::NotIceChars(CredentialsField::Pwd));
    assert_eq!(media("a=ice-pwd:a password with spaces in it"), (Some(6), chars));
    for bad in [
        "a=candidate:1 1 UDP",
        "a=candidate:1 300 UDP 1 192.0.2.1 5 typ host",
        "a=remote-candidates:1",
        "a=ice-pacing:x",
    ] {
        let (line, fault) = media(bad);
        assert!(matches!(fault, Fault::Ice(_)) && line == Some(6), "{bad}: {fault:?}");
    }
    let hell = format!("a=candidate:{} 1 UDP 99999999999999999999 ::: 70000 typ \u{1f525}", "x".repeat(4000));
    assert!(matches!(media(&hell), (Some(6), Fault::Ice(_))));
    // RFC 8839 §5.1: what is only unknown is passed over.
    read(&format!("{HEAD}m=audio 9 RTP/AVP 0\r\na=candidate:1 1 SCTP 1 192.0.2.1 5 typ host\r\n"));
}

#[test]
fn credentials_come_in_pairs() {
    let sdp = read(&format!("{HEAD}a=x\r\nm=audio 9 RTP/AVP 0\r\na=ice-ufrag:8hhY\r\n"));
    let error = sdp.section(0).expect("a section").ice().expect_err("half of the credentials");
    assert!(matches!(error.fault(), Fault::Ice(_)), "{error}");
}

#[test]
fn sections_with_one_username_fragment_have_one_password() {
    let section = |pwd: &str| format!("m=audio 9 RTP/AVP 0\r\na=ice-ufrag:8hhY\r\na=ice-pwd:{pwd}\r\n");
    let (one, other) = (section("aPasswordOfTwentyTwoCh"), section("anotherOfTwentyTwoChar"));
    assert_eq!(read(&format!("{HEAD}{one}{one}")).section_count(), 2);
    assert_eq!(refused(&format!("{HEAD}{one}{other}")), (Some(8), Fault::TwoPasswords));
}

#[test]
fn a_data_channel_has_an_sctp_port_and_a_mid_is_unique() {
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    assert_eq!(refused(&format!("{HEAD}{data}")), (Some(5), Fault::Missing("sctp-port")));
    read(&format!("{HEAD}{}", data.replace(" 9 ", " 0 ")));
    let twice = format!("{HEAD}m=a 9 b 0\r\na=mid:0\r\nm=a 9 b 0\r\na=mid:0\r\n");
    assert_eq!(refused(&twice), (Some(7), Fault::DuplicateMid));
}

#[test]
fn size_is_bounded_in_every_direction() {
    assert_eq!(refused(&"a".repeat(Sdp::MAX_LEN + 1)), (None, Fault::TooLong));
    let long = format!("{HEAD}a={}\r\n", "x".repeat(Sdp::MAX_LINE));
    assert_eq!(refused(&long), (Some(5), Fault::LineTooLong));
    let many = format!("{HEAD}{}", "a=x\r\n".repeat(Sdp::MAX_LINES));
    assert_eq!(refused(&many), (Some(Sdp::MAX_LINES + 1), Fault::TooManyLines));
    let sections = |count| format!("{HEAD}{}", "m=a 9 b 0\r\n".repeat(count));
    assert_eq!(read(&sections(Sdp::MAX_SECTIONS)).section_count(), Sdp::MAX_SECTIONS);
    assert_eq!(
        refused(&sections(Sdp::MAX_SECTIONS + 1)),
        (Some(5 + Sdp::MAX_SECTIONS), Fault::TooManySections)
    );
    let candidates = "a=candidate:1 1 UDP 1 192.0.2.1 5 typ host\r\n".repeat(300);
    let sdp = read(&format!("{HEAD}m=a 9 b 0\r\n{candidates}"));
    assert_eq!(sdp.section(0).expect("a section").ice().expect_err("300").line(), Some(5 + 257));
}
