//! Offers in the form of Chromium and Firefox.

use floe_ice::candidate::{Candidate, CandidateKind, Credentials};

use super::read;
use crate::sdp::{Sdp, Setup};

const CHROMIUM_DATA: &str = "v=0\r\n\
o=- 7614219274584779017 2 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP4 0.0.0.0\r\n\
a=ice-ufrag:EsAw\r\n\
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
a=ice-options:trickle\r\n\
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:262144\r\n";

const FIREFOX_DATA: &str = "v=0\r\n\
o=mozilla...THIS_IS_SDPARTA-128.0 4962303333179871722 0 IN IP4 0.0.0.0\r\n\
s=-\r\n\
t=0 0\r\n\
a=fingerprint:sha-256 6B:8B:F0:65:5F:78:E2:51:3B:AC:6F:F3:3F:46:1B:35:DC:B8:5F:64:1A:24:C2:43:F0:A1:58:D0:A1:2C:19:08\r\n\
a=group:BUNDLE 0\r\n\
a=ice-options:trickle\r\n\
a=msid-semantic:WMS *\r\n\
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP4 0.0.0.0\r\n\
a=sendrecv\r\n\
a=ice-pwd:0c1f1b8f3cf2b3d5a2a5b6e0f1d2c3b4\r\n\
a=ice-ufrag:4b3d6e1f\r\n\
a=mid:0\r\n\
a=setup:actpass\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:1073741823\r\n";

/// Audio, video and data on one transport, after gathering.
const CHROMIUM_MEDIA: &str = "v=0\r\n\
o=- 1832347293847298374 3 IN IP4 127.0.0.1\r\n\
s=-\r\n\
t=0 0\r\n\
a=group:BUNDLE 0 1 2\r\n\
a=extmap-allow-mixed\r\n\
a=msid-semantic: WMS 5f0b2b6a-2f6e-4f6b-9a55-0d5c5a4a9b11\r\n\
m=audio 51434 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\n\
c=IN IP4 203.0.113.9\r\n\
a=rtcp:9 IN IP4 0.0.0.0\r\n\
a=candidate:2541319158 1 udp 2122260223 192.168.1.7 51434 typ host generation 0 network-id 1 network-cost 10\r\n\
a=candidate:842163049 1 udp 1685987071 203.0.113.9 51434 typ srflx raddr 192.168.1.7 rport 51434 generation 0 network-id 1 network-cost 10\r\n\
a=candidate:3578532358 1 tcp 1518280447 192.168.1.7 9 typ host tcptype active generation 0 network-id 1 network-cost 10\r\n\
a=ice-ufrag:EsAw\r\n\
a=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n\
a=ice-options:trickle\r\n\
a=fingerprint:sha-256 0F:74:31:25:CB:A2:13:EC:28:6F:6D:2C:61:FF:5D:C2:BC:B9:DB:3D:98:14:8D:1A:BB:EA:33:0C:A4:60:A8:8E\r\n\
a=setup:actpass\r\n\
a=mid:0\r\n\
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
a=sendrecv\r\n\
a=msid:5f0b2b6a-2f6e-4f6b-9a55-0d5c5a4a9b11 1f0b2b6a-2f6e-4f6b-9a55-0d5c5a4a9b12\r\n\
a=rtcp-mux\r\n\
a=rtcp-rsize\r\n\
a=rtpmap:111 opus/48000/2\r\n\
a=rtcp-fb:111 transport-cc\r\n\
a=fmtp:111 minptime=10;useinbandfec=1\r\n\
a=ssrc:1399694169 cname:Dk5pZ0Xu0yHcQwpm\r\n\
m=video 0 UDP/TLS/RTP/SAVPF 96 97\r\n\
c=IN IP4 0.0.0.0\r\n\
a=bundle-only\r\n\
a=mid:1\r\n\
a=sendrecv\r\n\
a=rtcp-mux\r\n\
a=rtpmap:96 VP8/90000\r\n\
a=rtpmap:97 rtx/90000\r\n\
a=fmtp:97 apt=96\r\n\
m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n\
c=IN IP4 0.0.0.0\r\n\
a=bundle-only\r\n\
a=mid:2\r\n\
a=sctp-port:5000\r\n\
a=max-message-size:262144\r\n";

#[test]
fn offers_of_browsers_print_as_they_came() {
    for text in [CHROMIUM_DATA, FIREFOX_DATA, CHROMIUM_MEDIA] {
        assert_eq!(read(text).to_string(), text);
        let unix = text.replace("\r\n", "\n");
        assert_eq!(read(&unix).to_string(), unix);
        assert_eq!(read(unix.trim_end()).to_string(), unix.trim_end());
    }
}

#[test]
fn a_data_channel_offer_of_chromium_says_all_that_a_transport_needs() {
    let sdp = read(CHROMIUM_DATA);
    let data = sdp.section(0).expect("a section");
    assert!(data.is_data_channel() && !data.is_rejected() && !sdp.ice_lite());
    assert_eq!((data.index(), data.mid(), data.media().port), (0, Some("0"), 9));
    assert_eq!(data.connection(), Some("IN IP4 0.0.0.0"));
    assert_eq!(
        (data.setup(), data.sctp_port(), data.max_message_size()),
        (Some(Setup::Actpass), Some(5000), 262_144)
    );
    assert_eq!(sdp.bundle(), ["0"]);
    let [fingerprint] = &data.fingerprints()[..] else { panic!("one fingerprint") };
    assert_eq!((fingerprint.algorithm(), fingerprint.bytes().len()), ("sha-256", 32));
    let ice = data.ice().expect("ICE");
    assert!(ice.options.trickle() && !ice.options.ice2());
    assert_eq!(ice.credentials.as_ref().map(Credentials::ufrag), Some("EsAw"));
    assert_eq!((data.ufrag(), data.pwd()), (Some("EsAw"), Some("P2uYro0UCOQ4zxjKXaWCBui1")));
}

#[test]
fn what_firefox_says_at_session_level_holds_for_its_section() {
    let sdp = read(FIREFOX_DATA);
    let data = sdp.section_by_mid("0").expect("a section");
    assert_eq!(data.fingerprints().len(), 1);
    assert_eq!(data.max_message_size(), 1_073_741_823);
    let ice = data.ice().expect("ICE");
    assert!(ice.options.trickle());
    assert_eq!(ice.credentials.as_ref().map(Credentials::ufrag), Some("4b3d6e1f"));
}

#[test]
fn bundled_sections_use_the_transport_of_the_first() {
    let sdp = read(CHROMIUM_MEDIA);
    assert_eq!((sdp.section_count(), sdp.bundle()), (3, vec!["0", "1", "2"]));
    let data = sdp.sections().find(|section| section.is_data_channel()).expect("a data channel");
    // Bundle-only is no refusal, though its port is 0 as well.
    assert!(!data.is_rejected());
    let transport = data.transport();
    assert_eq!((data.index(), transport.index()), (2, 0));
    assert!(transport.rtcp_mux());
    let ice = transport.ice().expect("ICE");
    let kinds: Vec<CandidateKind> = ice.candidates.iter().map(Candidate::kind).collect();
    assert_eq!(kinds, [CandidateKind::Host, CandidateKind::ServerReflexive, CandidateKind::Host]);
    assert_eq!(sdp.section(0).map(|audio| audio.transport().index()), Some(0));
}

#[test]
fn debug_output_does_not_show_the_description() {
    let shown = format!("{:?}", read(CHROMIUM_DATA));
    assert_eq!(shown, "Sdp(17 lines, 1 sections)");
}

#[test]
fn an_offer_without_sections_is_one() {
    let sdp: Sdp = read("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=msid-semantic: WMS\r\n");
    assert_eq!((sdp.section_count(), sdp.bundle().len()), (0, 0));
    assert!(sdp.section(0).is_none());
}
