//! `application/trickle-ice-sdpfrag`.

use floe_ice::candidate::CandidateKind;

use super::{PWD, credentials};
use crate::sdp::{Fragment, FragmentSection, SdpFault};

/// In the form of the figure in RFC 8840 §4.4: credentials of the session, two sections, of which one has ended.
fn two_sections() -> String {
    format!(
        "a=ice-pwd:{PWD}\r\na=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
         a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\n\
         a=candidate:1 2 UDP 2130706432 2001:db8:a0b:12f0::1 5001 typ host\r\na=end-of-candidates\r\n\
         m=audio 9 RTP/AVP 0\r\na=mid:2\r\na=x-extension:1\r\n\
         a=candidate:2 1 UDP 1694498815 192.0.2.3 5010 typ srflx raddr 192.168.1.1 rport 8998\r\n"
    )
}

fn read(text: &str) -> Fragment {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn candidates_come_in_their_order_and_with_their_section() {
    let fragment = read(&two_sections());
    assert!(fragment.is_of("8hhY", PWD));
    assert!(
        !fragment.is_of("9hhY", PWD)
            && !fragment.is_of("8hhY", "another-password-of-2")
            && !fragment.is_of("", "")
    );
    let candidates = fragment.candidates();
    let seen: Vec<(Option<&str>, bool)> =
        candidates.iter().map(|init| (init.sdp_mid.as_deref(), init.candidate.is_empty())).collect();
    assert_eq!(seen, [(Some("1"), false), (Some("1"), false), (Some("1"), true), (Some("2"), false)]);
    assert!(candidates.iter().all(|init| init.username_fragment.as_deref() == Some("8hhY")));
    let last = candidates[3].to_candidate().expect("a good line").expect("a candidate");
    assert_eq!(last.kind(), CandidateKind::ServerReflexive);
}

#[test]
fn a_fragment_prints_its_credentials_at_their_level_and_the_mid_before_the_candidates() {
    let mut fragment = read(&two_sections());
    assert_eq!(read(&fragment.to_string()), fragment);
    fragment.bundle = vec!["1".into(), "2".into()];
    fragment.sections[0].rtcp_mux = true;
    let printed = fragment.to_string();
    assert!(printed.starts_with(&format!("a=group:BUNDLE 1 2\r\na=ice-ufrag:8hhY\r\na=ice-pwd:{PWD}\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\na=rtcp-mux\r\na=candidate:")), "{printed}");
    assert_eq!(read(&printed), fragment);
    let mut whip = Fragment::new("0", &credentials("8hhY"));
    whip.sections.push(FragmentSection::new("1", Some(&credentials("9hhY"))));
    assert_eq!(read(&whip.to_string()), whip);
    assert!(!whip.is_of("8hhY", PWD));
}

#[test]
fn an_end_before_the_sections_is_one_of_all() {
    let fragment = read(&format!("a=end-of-candidates\r\n{}", two_sections()));
    let ends: Vec<_> =
        fragment.candidates().into_iter().filter(|c| c.candidate.is_empty()).map(|c| c.sdp_mid).collect();
    assert_eq!(ends, [Some("1".to_owned()), Some("2".to_owned())]);
}

#[test]
fn attributes_are_taken_in_any_case() {
    let shouted = format!("m=x\r\na=MID:0\r\na=ICE-UFRAG:8hhY\r\na=Ice-Pwd:{PWD}\r\na=End-Of-Candidates\r\n");
    let fragment = read(&shouted);
    assert!(fragment.is_of("8hhY", PWD) && fragment.sections[0].ice.end_of_candidates);
}

#[test]
fn a_bad_fragment_names_its_line() {
    let refused = |text: &str| {
        let error = text.parse::<Fragment>().expect_err("refused");
        (error.line(), error.fault().clone())
    };
    assert_eq!(refused("a=ice-lite\r\nm=audio 9 RTP/AVP 0\r\na=x\r\n"), (Some(2), SdpFault::Missing("mid")));
    let (line, fault) = refused("a=x\r\nm=x\r\na=mid:0\r\na=candidate:1 1 UDP\r\n");
    assert!(matches!((line, fault), (Some(4), SdpFault::Ice(_))));
    let (line, _) = refused("m=x\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n");
    assert_eq!(line, Some(1));
    assert_eq!(refused("nonsense"), (Some(1), SdpFault::NotALine));
    let many = "m=x\r\na=mid:0\r\n".repeat(600);
    assert_eq!(refused(&many), (Some(1025), SdpFault::TooManySections));
}
