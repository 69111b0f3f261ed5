//! ICE's parts changed in place.

use floe_ice::candidate::Candidate;

use super::{HEAD, PWD, read, trickling};
use crate::sdp::{SdpFault, Section};

#[test]
fn only_the_lines_of_ice_change() {
    let text = format!(
        "{HEAD}a=ice-options:trickle\r\na=x-session\r\nm=audio 9 RTP/AVP 0\r\na=x-first\r\na=ice-pwd:{PWD}\r\n\
         a=x-second\r\na=ice-ufrag:oldU\r\na=candidate:1 1 UDP 1 192.0.2.1 5 typ host\r\na=x-third"
    );
    let mut sdp = read(&text);
    let mut ice = trickling("newU");
    ice.end_of_candidates = true;
    sdp.set_ice(0, &ice).expect("section 0");
    assert_eq!(
        sdp.to_string(),
        format!(
            "{HEAD}a=x-session\r\na=ice-options:ice2 trickle\r\nm=audio 9 RTP/AVP 0\r\na=x-first\r\na=ice-ufrag:newU\r\n\
             a=ice-pwd:{PWD}\r\na=end-of-candidates\r\na=x-second\r\na=x-third"
        )
    );
    assert_eq!(sdp.section(0).expect("section 0").ice().expect("ICE"), ice);
}

#[test]
fn a_section_without_ice_gets_it_at_its_end_and_others_keep_theirs() {
    let text = format!(
        "{HEAD}a=ice-ufrag:sess\r\na=ice-pwd:{PWD}\r\nm=audio 9 RTP/AVP 0\r\na=mid:a\r\nm=video 9 RTP/AVP 96\r\na=mid:v"
    );
    let mut sdp = read(&text);
    sdp.set_ice(1, &trickling("newU")).expect("section 1");
    assert!(sdp.to_string().ends_with(&format!("a=mid:v\r\na=ice-ufrag:newU\r\na=ice-pwd:{PWD}\r\n")));
    let ufrags: Vec<_> = sdp.sections().map(Section::ufrag).collect();
    assert_eq!(ufrags, [Some("sess"), Some("newU")]);
    sdp.set_ice(0, &trickling("more")).expect("section 0");
    let ufrags: Vec<_> = sdp.sections().map(Section::ufrag).collect();
    assert_eq!(ufrags, [Some("more"), Some("newU")]);
}

#[test]
fn the_default_destination_is_two_lines() {
    let mut sdp = read(&format!("{HEAD}m=audio 9 RTP/AVP 0\r\ni=words\r\na=mid:a\r\n"));
    sdp.set_default_destination(0, Some("[2001:db8::1]:7000".parse().expect("an address")))
        .expect("section 0");
    let expected = format!("{HEAD}m=audio 7000 RTP/AVP 0\r\ni=words\r\nc=IN IP6 2001:db8::1\r\na=mid:a\r\n");
    assert_eq!(sdp.to_string(), expected);
    sdp.set_default_destination(0, None).expect("section 0");
    let expected = format!("{HEAD}m=audio 9 RTP/AVP 0\r\ni=words\r\nc=IN IP4 0.0.0.0\r\na=mid:a\r\n");
    assert_eq!(sdp.to_string(), expected);
}

#[test]
fn there_must_be_such_a_section_and_room_for_it() {
    let mut sdp = read(&format!("{HEAD}m=audio 9 RTP/AVP 0\r\n{}", "a=x\r\n".repeat(8180)));
    let before = sdp.clone();
    assert_eq!(
        sdp.set_ice(1, &trickling("8hhY")).expect_err("no section 1").fault(),
        &SdpFault::NoSuchSection
    );
    let none = sdp.set_default_destination(1, None).expect_err("no section 1");
    assert_eq!(none.fault(), &SdpFault::NoSuchSection);
    let mut ice = trickling("8hhY");
    ice.candidates = vec![Candidate::host("192.0.2.1:5".parse().expect("an address")); 20];
    assert_eq!(sdp.set_ice(0, &ice).expect_err("too long").fault(), &SdpFault::TooManyLines);
    assert!(sdp == before);
}
