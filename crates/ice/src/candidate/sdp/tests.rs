//! Descriptions of the RFCs and of browsers, and what is not one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::candidate::{
    CandidateField, CandidateParseError, CredentialsError, CredentialsField, FieldProblem,
};

/// RFC 8839 §4.2.6, unfolded.
const RFC_EXAMPLE: &str = "v=0\r\n\
    o=jdoe 2890844526 2890842807 IN IP4 203.0.113.141\r\n\
    s=\r\n\
    c=IN IP4 192.0.2.3\r\n\
    t=0 0\r\n\
    a=ice-options:ice2\r\n\
    a=ice-pacing:50\r\n\
    a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
    a=ice-ufrag:8hhY\r\n\
    m=audio 45664 RTP/AVP 0\r\n\
    b=RS:0\r\n\
    b=RR:0\r\n\
    a=rtpmap:0 PCMU/8000\r\n\
    a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host\r\n\
    a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998\r\n";

const CREDENTIALS: &str = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n";

fn credentials() -> Credentials {
    Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg").expect("credentials of the RFC")
}

fn read(sdp: &str) -> Description {
    sdp.parse().unwrap_or_else(|error| panic!("{error}\n{sdp}"))
}

fn refused(sdp: &str) -> (Option<usize>, DescriptionFault) {
    let error = sdp.parse::<Description>().expect_err(sdp);
    (error.line(), error.fault().clone())
}

#[test]
fn the_example_of_rfc_8839_is_read_and_printed() {
    let description = read(RFC_EXAMPLE);
    assert_eq!(description.credentials, Some(credentials()));
    assert_eq!(description.options, IceOptions::new());
    assert_eq!(description.pacing, Some(Duration::from_millis(50)));
    assert_eq!(description.candidates.len(), 2);
    assert!(!description.lite && !description.mismatch && !description.end_of_candidates);
    assert_eq!(description.session().to_string(), "a=ice-pacing:50\r\na=ice-options:ice2\r\n");
    let candidates = RFC_EXAMPLE.split_once("PCMU/8000\r\n").expect("the rtpmap line").1;
    assert_eq!(description.media().to_string(), format!("{CREDENTIALS}{candidates}"));
}

#[test]
fn the_bare_attributes_without_a_equals_are_read_too() {
    let bare = "ice-ufrag:8hhY\nice-pwd:asd88fgpdd777uzjYhagZg\nice-options:ice2 trickle\nend-of-candidates\n\
        candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host";
    let description = read(bare);
    assert_eq!(description.credentials, Some(credentials()));
    assert!(description.options.trickle() && description.end_of_candidates);
    assert_eq!(description.candidates.len(), 1);
}

#[test]
fn names_are_compared_without_case() {
    let description = read("a=ICE-UFRAG:8hhY\r\na=Ice-Pwd:asd88fgpdd777uzjYhagZg\r\na=ICE-LITE\r\n");
    assert_eq!((description.credentials, description.lite), (Some(credentials()), true));
}

#[test]
fn the_media_level_takes_precedence_attribute_by_attribute() {
    let session = format!("{CREDENTIALS}a=ice-options:ice2\r\na=ice-lite\r\n");
    let own = read(&format!("{session}m=a\r\na=ice-ufrag:zzzz\r\na=ice-options:trickle\r\n"));
    let expected = Credentials::new("zzzz", credentials().pwd()).expect("valid");
    assert_eq!(own.credentials, Some(expected));
    // RFC 8840 §4.1: the options of both levels hold.
    assert!(own.options.ice2() && own.options.trickle() && own.lite);
}

#[test]
fn of_two_at_one_level_the_first_counts() {
    let twice = read(&format!("{CREDENTIALS}a=ice-ufrag:zzzz\r\na=ice-pacing:20\r\na=ice-pacing:30\r\n"));
    assert_eq!(twice.credentials, Some(credentials()));
    assert_eq!(twice.pacing, Some(Duration::from_millis(20)));
}

#[test]
fn moving_credentials_between_levels_changes_nothing() {
    let at_session = read(&format!("{CREDENTIALS}m=audio 9 X 0\r\n"));
    let at_media = read(&format!("m=audio 9 X 0\r\n{CREDENTIALS}"));
    assert_eq!(at_session, at_media);
}

#[test]
fn sections_are_told_apart_and_other_sections_cannot_spoil_one() {
    let sdp = format!("{CREDENTIALS}m=a\r\na=candidate:broken\r\nm=b\r\na=end-of-candidates\r\n");
    assert!(Description::parse_section(&sdp, 0).is_err());
    assert!(Description::parse_section(&sdp, 1).expect("the second section").end_of_candidates);
    let beyond = Description::parse_section(&sdp, 2).expect_err("no third section");
    assert_eq!(beyond.fault(), &DescriptionFault::NoSuchSection);
    let last = Description::parse_section(&sdp, usize::MAX).expect_err("no such section");
    assert_eq!(last.fault(), &DescriptionFault::NoSuchSection);
    assert!(Description::parse_section(CREDENTIALS, 0).is_ok());
    assert!(Description::parse_section(CREDENTIALS, 1).is_err());
    assert!(Description::parse_section(CREDENTIALS, usize::MAX).is_err());
}

#[test]
fn end_of_candidates_of_the_session_holds_for_every_section() {
    let sdp = format!("{CREDENTIALS}a=end-of-candidates\r\nm=a\r\nm=b\r\n");
    for section in [0, 1] {
        assert!(Description::parse_section(&sdp, section).expect("a section").end_of_candidates);
    }
}

#[test]
fn candidates_before_the_first_section_belong_to_none() {
    let line = "a=candidate:1 1 UDP 1 192.0.2.1 5 typ host\r\n";
    assert_eq!(read(line).candidates.len(), 1);
    assert_eq!(read(&format!("{line}m=a\r\n")).candidates, []);
}

#[test]
fn the_default_destination_is_no_failure() {
    let sdp = format!("m=audio 9 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\n{CREDENTIALS}");
    assert_eq!(read(&sdp).candidates, []);
    let sdp = format!("m=audio 9 RTP/AVP 0\r\nc=IN IP6 ::\r\n{CREDENTIALS}");
    assert_eq!(read(&sdp).credentials, Some(credentials()));
}

#[test]
fn without_credentials_there_is_no_ice() {
    assert_eq!(read("v=0\r\nm=audio 5000 RTP/AVP 0\r\n").credentials, None);
    let missing = |field| (None, DescriptionFault::MissingCredential(field));
    assert_eq!(refused("a=ice-ufrag:8hhY\r\n"), missing(CredentialsField::Pwd));
    assert_eq!(refused("a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n"), missing(CredentialsField::Ufrag));
}

#[test]
fn bad_credentials_name_their_line() {
    let sdp = "a=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\r\na=ice-ufrag:a:b!\r\n";
    let error = CredentialsError::NotIceChars(CredentialsField::Ufrag);
    assert_eq!(refused(sdp), (Some(3), DescriptionFault::Credentials(error)));
}

#[test]
fn unsupported_candidates_are_passed_over_and_malformed_ones_are_errors() {
    let mut sdp = CREDENTIALS.to_owned();
    for line in [
        "a=candidate:1 1 SCTP 1 192.0.2.1 5 typ host",
        "a=candidate:1 1 UDP 1 turn.example.com 5 typ relay",
        "a=candidate:1 1 UDP 1 192.0.2.1 5 typ fancy",
        "a=candidate:1 1 UDP 1 1f4712db-ea17-4bcf-a596-105139dfd8bf.local 5 typ host",
        "a=candidate:1 1 UDP 1 192.0.2.1 5 typ host",
    ] {
        sdp += line;
        sdp += "\r\n";
    }
    let description = read(&sdp);
    assert_eq!((description.candidates.len(), description.mdns_candidates.len()), (1, 1));
    assert_eq!(read(&description.to_string()), description);
    sdp += "a=candidate:1 1 UDP 0 192.0.2.1 5 typ host\r\n";
    let error =
        CandidateParseError::Malformed { field: CandidateField::Priority, problem: FieldProblem::OutOfRange };
    assert_eq!(refused(&sdp), (Some(8), DescriptionFault::Candidate(error)));
}

#[test]
fn the_number_of_candidates_is_bounded() {
    let mut sdp = String::new();
    for port in 0..Description::MAX_CANDIDATES {
        sdp += &format!("a=candidate:1 1 UDP 1 192.0.2.1 {port} typ host\r\n");
    }
    assert_eq!(read(&sdp).candidates.len(), Description::MAX_CANDIDATES);
    // One that is passed over does not count.
    sdp += "a=candidate:1 1 UDP 1 example.com 5 typ host\r\n";
    assert_eq!(read(&sdp).candidates.len(), Description::MAX_CANDIDATES);
    sdp += "a=candidate:1 1 UDP 1 x.local 5 typ host\r\n";
    let line = Some(Description::MAX_CANDIDATES + 2);
    assert_eq!(refused(&sdp), (line, DescriptionFault::TooManyCandidates));
}

#[test]
fn pacing_is_1_to_10_digits_and_a_lite_agent_sends_none() {
    let with = |value: &str| format!("a=ice-pacing:{value}\r\n");
    assert_eq!(read(&with("9999999999")).pacing, Some(Duration::from_millis(9_999_999_999)));
    assert_eq!(read(&with("0")).pacing, Some(Duration::ZERO));
    assert_eq!(read("").pacing, None);
    for bad in ["", "50ms", "-1", "+5", "12345678901"] {
        assert_eq!(refused(&with(bad)), (Some(1), DescriptionFault::Pacing), "{bad}");
    }
    let mut description = Description::new(credentials());
    description.pacing = Some(Duration::from_micros(20_001));
    assert!(description.to_string().contains("a=ice-pacing:21\r\n"));
    description.pacing = Some(Duration::MAX);
    assert!(description.to_string().contains("a=ice-pacing:9999999999\r\n"));
    description.lite = true;
    let printed = description.to_string();
    assert!(printed.contains("a=ice-lite\r\n") && !printed.contains("ice-pacing"), "{printed}");
}

#[test]
fn options_keep_what_they_do_not_know() {
    let options = |line: &str| read(line).options;
    let peer = options("a=ice-options:google-ice trickle renomination rtp+ecn trickle google-ice\r\n");
    assert!(!peer.ice2() && peer.trickle() && peer.renomination());
    assert_eq!(peer.others().collect::<Vec<_>>(), ["google-ice", "rtp+ecn"]);
    assert_eq!(peer.to_string(), "trickle renomination google-ice rtp+ecn");
    assert_eq!(read("").to_string(), "");
    let many: Vec<String> = (0..100).map(|i| format!("x{i}")).collect();
    let flood = format!("a=ice-options:{} {} ice2\r\n", many.join(" "), "y".repeat(100));
    assert_eq!(options(&flood).others().count(), 32);
    assert!(options(&flood).ice2());
}

#[test]
fn remote_candidates_are_one_for_each_component() {
    let entry = |id, address: &str| RemoteCandidate {
        component: ComponentId::new(id).expect("1..=256"),
        address: address.parse().expect("a socket address"),
    };
    let expected = [entry(1, "192.0.2.3:45664"), entry(2, "[2001:db8::3]:45665")];
    let one_line = "a=remote-candidates:1 192.0.2.3 45664 2 2001:db8::3 45665\r\n";
    let two_lines = "a=remote-candidates:1 192.0.2.3 45664\r\na=remote-candidates:2 2001:db8::3 45665\r\n";
    assert_eq!(read(one_line).remote_candidates, expected);
    assert_eq!(read(two_lines).remote_candidates, expected);
    assert_eq!(read(one_line).to_string(), one_line);
    for bad in ["", "1", "1 192.0.2.3", "0 192.0.2.3 5", "1 example.com 5", "1 192.0.2.3 5 1 192.0.2.3 6"] {
        let sdp = format!("a=remote-candidates:{bad}\r\n");
        assert_eq!(refused(&sdp), (Some(1), DescriptionFault::RemoteCandidates), "{bad}");
    }
}

#[test]
fn what_exists_at_media_level_only_means_nothing_at_session_level() {
    let lines = "a=remote-candidates:1 192.0.2.3 5\r\na=remote-candidates:1 192.0.2.3 5\r\na=candidate:from hell\r\n\
                 a=ice-mismatch\r\n";
    let read = |session: &str| read(&format!("v=0\r\n{session}m=audio 9 RTP/AVP 0\r\n{CREDENTIALS}"));
    assert_eq!(read(lines), read(""));
    // Without a section they are those of one.
    assert_eq!(refused(lines), (Some(2), DescriptionFault::RemoteCandidates));
}

#[test]
fn a_mismatch_answer_has_no_candidates() {
    let mut description = Description::new(credentials());
    description.candidates = vec!["1 1 UDP 1 192.0.2.1 5 typ host".parse().expect("a candidate")];
    description.mismatch = true;
    let printed = description.media().to_string();
    assert_eq!(printed, format!("{CREDENTIALS}a=ice-mismatch\r\n"));
    assert!(read(&printed).mismatch);
}

#[test]
fn neither_debug_nor_errors_show_the_password() {
    assert!(!format!("{:?}", read(RFC_EXAMPLE)).contains("asd88"));
    let error = "a=ice-ufrag:8hhY\r\na=ice-pwd:secret!".parse::<Description>().expect_err("too short");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

fn any_description() -> impl Strategy<Value = Description> {
    let candidates = prop::collection::vec((any::<u32>(), any::<u16>(), 1u32..), 0..4);
    let flags = any::<[bool; 5]>();
    (prop::option::of(0u64..=9_999_999_999), flags, candidates, any::<bool>()).prop_map(
        |(pacing, [lite, end, trickle, renomination, credible], candidates, remote)| {
            let mut description = Description::new(credentials());
            description.credentials = credible.then(credentials);
            description.lite = lite;
            description.pacing = pacing.filter(|_| !lite).map(Duration::from_millis);
            description.end_of_candidates = end;
            let options = IceOptions::new();
            let options = if trickle { options.with_trickle() } else { options };
            description.options = if renomination { options.with_renomination() } else { options };
            for (ip, port, priority) in candidates {
                let address = SocketAddr::new(core::net::Ipv4Addr::from(ip).into(), port);
                description.candidates.push(Candidate::host(address).with_priority(priority));
                if remote && description.remote_candidates.is_empty() {
                    description
                        .remote_candidates
                        .push(RemoteCandidate { component: ComponentId::FIRST, address });
                }
            }
            description
        },
    )
}

proptest! {
    #[test]
    fn a_printed_description_parses_to_an_equal_one(description in any_description()) {
        prop_assert_eq!(&read(&description.to_string()), &description);
        let sdp = format!("v=0\r\n{}m=x\r\n{}m=y\r\n", description.session(), description.media());
        prop_assert_eq!(&read(&sdp), &description);
    }

    #[test]
    fn arbitrary_text_never_panics(text in any::<String>(), lines in prop::collection::vec(near_line(), 0..12)) {
        for text in [text, lines.join("\r\n")] {
            if let Ok(description) = text.parse::<Description>() {
                prop_assert_eq!(read(&description.to_string()).credentials, description.credentials);
            }
        }
    }
}

fn near_line() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("a=candidate:1 1 UDP 1 "),
        Just("a=ice-ufrag:"),
        Just("ice-pwd:"),
        Just("a=ice-options:"),
        Just("a=ice-pacing:"),
        Just("a=remote-candidates:"),
        Just("m="),
        Just("a=ice-lite"),
        Just("end-of-candidates"),
    ];
    (name, "[ -~]{0,30}").prop_map(|(name, value)| name.to_owned() + &value)
}
