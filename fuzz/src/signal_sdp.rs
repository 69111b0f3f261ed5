//! Session descriptions and fragments, as a peer's signalling brings them.

use floe_ice::candidate::{Credentials, Description};
use floe_signal::sdp::{DataChannel, Fingerprint, Fragment, Sdp, Section};

/// Reads `data` as a description and as a fragment, asks everything, changes ICE's parts, and answers it.
///
/// # Panics
///
/// If what was accepted does not print as it came, or what was set is not read back.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match text.parse::<Sdp>() {
        Ok(sdp) => {
            assert_eq!(sdp.to_string(), text);
            ask(&sdp);
            change(&sdp);
            answer(&sdp);
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.line().is_none_or(|line| line <= text.split('\n').count()));
        }
    }
    if let Ok(fragment) = text.parse::<Fragment>() {
        let printed = fragment.to_string();
        let again = printed.parse::<Fragment>();
        assert_eq!(again.as_ref().map(ToString::to_string).as_ref(), Ok(&printed));
        assert!(fragment.candidates().len() <= fragment.sections.len() * (Description::MAX_CANDIDATES + 1));
    }
}

fn ask(sdp: &Sdp) {
    assert!(sdp.section_count() <= Sdp::MAX_SECTIONS);
    for section in sdp.sections().take(8) {
        if let Some(mid) = section.mid() {
            assert_eq!(sdp.section_by_mid(mid).map(Section::index), Some(section.index()));
        }
        assert!(!section.media().media.is_empty() && section.transport().index() < sdp.section_count());
        let _ = (section.setup(), section.fingerprints(), section.sctp_port(), section.max_message_size());
        if let Ok(ice) = section.ice() {
            assert_eq!(ice.credentials.as_ref().map(Credentials::ufrag), section.ufrag());
        }
    }
    assert_eq!(sdp.check_answers(sdp), Ok(()));
}

fn ours() -> Description {
    Description::new(Credentials::new("ours", "aPasswordOfTwentyTwoCh").expect("valid"))
}

fn change(sdp: &Sdp) {
    let mut changed = sdp.clone();
    for index in 0..sdp.section_count().min(4) {
        // Lines may be added only as long as there is room.
        if changed.set_ice(index, &ours()).is_err() {
            return;
        }
        let mut read = changed.section(index).expect("as many as before").ice().expect("our own");
        read.end_of_candidates = false;
        assert_eq!(read, ours());
        let destination = "192.0.2.1:5000".parse().ok();
        if changed.set_default_destination(index, destination).is_ok() {
            let section = changed.section(index).expect("as many as before");
            assert_eq!((section.media().port, section.connection()), (5000, Some("IN IP4 192.0.2.1")));
        }
    }
}

fn answer(offer: &Sdp) {
    let ours = DataChannel::new(1, ours(), Fingerprint::sha256([7; 32]));
    if let Ok(answer) = ours.answer(offer) {
        assert_eq!(answer.check_answers(offer), Ok(()));
        assert_eq!(answer.sections().filter(|section| !section.is_rejected()).count(), 1);
    }
}
