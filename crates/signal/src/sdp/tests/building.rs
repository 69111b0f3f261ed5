//! Offers and answers of ours.

use floe_ice::candidate::{Candidate, Description};

use super::{HEAD, PWD, credentials, read, trickling};
use crate::sdp::{DataChannel, Fingerprint, Sdp, SdpFault, Section, Setup};

fn ours(ufrag: &str) -> DataChannel {
    DataChannel::new(4_611_731_400_430_051_336, trickling(ufrag), Fingerprint::sha256([0xab; 32]))
}

fn lines(sdp: &Sdp) -> Vec<String> {
    sdp.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn an_offer_before_gathering_is_as_jsep_has_it() {
    let offer = ours("8hhY").offer().expect("an offer");
    let fingerprint = format!("a=fingerprint:{}", Fingerprint::sha256([0xab; 32]));
    assert_eq!(
        lines(&offer),
        [
            "v=0",
            "o=- 4611731400430051336 1 IN IP4 0.0.0.0",
            "s=-",
            "t=0 0",
            "a=group:BUNDLE 0",
            "a=ice-options:ice2 trickle",
            "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
            "c=IN IP4 0.0.0.0",
            "a=mid:0",
            "a=ice-ufrag:8hhY",
            &format!("a=ice-pwd:{PWD}"),
            &fingerprint,
            "a=setup:actpass",
            "a=sctp-port:5000",
            "a=max-message-size:262144",
        ]
    );
    assert!(offer.to_string().ends_with("\r\n"));
}

#[test]
fn the_session_id_is_of_63_bits() {
    let mut data = ours("8hhY");
    data.session_id = u64::MAX;
    assert!(data.offer().expect("an offer").to_string().contains("o=- 9223372036854775807 1 "));
}

#[test]
fn gathered_candidates_make_the_default_destination() {
    let mut data = ours("8hhY");
    let host = Candidate::host("192.0.2.1:50000".parse().expect("an address"));
    let mapped = "203.0.113.9:50001".parse().expect("an address");
    data.ice.candidates = vec![host.clone(), Candidate::server_reflexive(mapped, host.address())];
    let offer = data.offer().expect("an offer");
    let section = offer.section(0).expect("a section");
    // RFC 8839 §4.2.1.2: relayed, then reflexive, then host candidates.
    assert_eq!((section.media().port, section.connection()), (50001, Some("IN IP4 203.0.113.9")));
    assert_eq!(section.ice().expect("ICE"), data.ice);
}

#[test]
fn an_answer_takes_mid_and_role_from_the_offer_and_refuses_what_is_no_data_channel() {
    let text = format!(
        "{HEAD}a=group:BUNDLE a d\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\n\
         a=ice-ufrag:zzzz\r\na=ice-pwd:{PWD}\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=rtcp-mux\r\n\
         m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=bundle-only\r\na=mid:d\r\na=sctp-port:5000\r\n\
         a=setup:active\r\n"
    );
    let offer = read(&text);
    let answer = ours("8hhY").answer(&offer).expect("an answer");
    assert_eq!(answer.check_answers(&offer), Ok(()));
    assert_eq!(answer.bundle(), ["d"]);
    let (audio, data) = (answer.section(0).expect("audio"), answer.section(1).expect("data"));
    assert!(audio.is_rejected() && !data.is_rejected());
    assert_eq!((audio.mid(), data.mid()), (Some("a"), Some("d")));
    assert_eq!(audio.ufrag(), None);
    assert_eq!((data.setup(), data.ufrag(), data.media().port), (Some(Setup::Passive), Some("8hhY"), 9));
}

#[test]
fn a_role_that_was_negotiated_stays() {
    let offer = ours("8hhY").offer().expect("an offer");
    let mut theirs = ours("zzzz");
    theirs.setup = Some(Setup::Passive);
    let answer = theirs.answer(&offer).expect("an answer");
    assert_eq!(answer.section(0).and_then(Section::setup), Some(Setup::Passive));
}

#[test]
fn an_offer_that_cannot_be_answered_says_why() {
    let fault = |offer: &str| ours("8hhY").answer(&read(offer)).expect_err("no answer").fault().clone();
    let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=sctp-port:5000\r\n";
    let ice = format!("a=ice-ufrag:zzzz\r\na=ice-pwd:{PWD}\r\n");
    assert_eq!(fault(HEAD), SdpFault::NoDataChannel);
    assert_eq!(fault(&format!("{HEAD}{}", data.replace(" 9 ", " 0 "))), SdpFault::NoDataChannel);
    assert_eq!(fault(&format!("{HEAD}{data}")), SdpFault::Missing("ice-ufrag or ice-pwd"));
    assert_eq!(fault(&format!("{HEAD}{data}{ice}")), SdpFault::Missing("fingerprint"));
    let held = format!("{HEAD}{data}{ice}a=fingerprint:sha-256 AB\r\na=setup:holdconn\r\n");
    assert_eq!(fault(&held), SdpFault::NoDataChannel);
}

#[test]
fn an_answer_has_the_sections_of_its_offer() {
    let offer = ours("8hhY").offer().expect("an offer");
    let none = read(HEAD).check_answers(&offer).expect_err("no sections");
    assert_eq!((none.line(), none.fault()), (None, &SdpFault::NotTheOfferedSections));
    let audio = read(&format!("{HEAD}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
    assert_eq!(audio.check_answers(&offer).expect_err("audio").line(), Some(5));
}

#[test]
fn a_lite_agent_says_so_at_session_level() {
    let mut ice = Description::new(credentials("8hhY"));
    ice.lite = true;
    let offer = DataChannel::new(1, ice, Fingerprint::sha256([1; 32])).offer().expect("an offer");
    assert!(offer.ice_lite());
    assert_eq!(lines(&offer)[5], "a=ice-lite");
}
