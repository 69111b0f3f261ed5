//! What holds for any text.

use proptest::prelude::*;

use super::{HEAD, trickling};
use crate::sdp::{Fragment, Sdp};

/// A line that is one, or nearly.
fn line() -> impl Strategy<Value = String> {
    let begin = prop_oneof![
        Just("m=audio 9 RTP/AVP "),
        Just("m=application 9 UDP/DTLS/SCTP webrtc-datachannel"),
        Just("c=IN IP4 "),
        Just("a=mid:"),
        Just("a=group:BUNDLE "),
        Just("a=candidate:1 1 UDP 1 192.0.2.1 5 typ host "),
        Just("a=candidate:"),
        Just("a=ice-ufrag:user"),
        Just("a=ice-pwd:aPasswordOfTwentyTwoCh"),
        Just("a=ice-options:"),
        Just("a=fingerprint:sha-256 AB"),
        Just("a=sctp-port:5000"),
        Just("a=end-of-candidates"),
        Just("a=x"),
        Just(""),
    ];
    (begin, prop_oneof![3 => Just(String::new()), 1 => "[ -~]{0,12}", 1 => "[a-z]{1,3}"])
        .prop_map(|(a, b)| a.to_owned() + &b)
}

proptest! {
    #[test]
    fn what_is_read_prints_as_it_came(lines in prop::collection::vec(line(), 0..14), end in prop_oneof![Just("\n"), Just("\r\n")]) {
        let text = format!("{HEAD}{}", lines.iter().map(|line| line.clone() + end).collect::<String>());
        if let Ok(sdp) = text.parse::<Sdp>() {
            prop_assert_eq!(sdp.to_string(), text);
            for section in sdp.sections() {
                let _ = (section.ice().is_ok(), section.fingerprints(), section.transport().index());
            }
        }
    }

    #[test]
    fn what_is_set_is_read_back(lines in prop::collection::vec(line(), 0..14)) {
        let text = format!("{HEAD}{}", lines.iter().map(|line| line.clone() + "\r\n").collect::<String>());
        let Ok(mut sdp) = text.parse::<Sdp>() else { return Ok(()) };
        let ice = trickling("newU");
        for index in 0..sdp.section_count() {
            prop_assert_eq!(sdp.set_ice(index, &ice), Ok(()), "{}", sdp);
            let section = sdp.section(index).expect("as many as before");
            let mut read = section.ice().expect("our own");
            // An end of candidates at session level holds for all sections, and stays.
            read.end_of_candidates = false;
            prop_assert_eq!(read, ice.clone());
        }
        let own = |line: &&str| !["a=ice-", "a=candidate", "a=remote-c", "a=end-of"].iter().any(|name| line.starts_with(name));
        let after = sdp.to_string();
        prop_assert!(sdp.section_count() == 0 || text.lines().filter(own).eq(after.lines().filter(own)), "{}", after);
    }

    #[test]
    fn no_text_makes_a_panic(text in any::<String>(), lines in prop::collection::vec(line(), 0..14)) {
        for text in [text, lines.join("\r\n")] {
            let _ = text.parse::<Sdp>();
            if let Ok(fragment) = text.parse::<Fragment>() {
                prop_assert_eq!(fragment.to_string().parse::<Fragment>(), Ok(fragment));
            }
        }
    }
}
