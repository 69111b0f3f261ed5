//! Messages of signalling, as a server or a peer brings them: as text, and into a session that waits for them.

use floe_ice::Time;
use floe_signal::message::{Envelope, MAX_MESSAGE, ParticipantId};
use floe_signal::{Config, Session};

/// Reads each line of `data` as a message, and hands what is one to a session in a call.
///
/// # Panics
///
/// If a message does not survive writing, or if a session that hears it says more than it was asked.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut session = session();
    for line in text.lines() {
        match Envelope::from_json(line) {
            Ok(envelope) => {
                let again = envelope.to_json();
                assert_eq!(Envelope::from_json(&again).as_ref(), Ok(&envelope), "{again}");
                hear(&mut session, envelope);
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && error.to_string().len() < 1000);
                assert!(!error.code().as_str().is_empty());
            }
        }
    }
    assert!(text.len() <= MAX_MESSAGE || Envelope::from_json(&text).is_err());
}

/// Ann, who has begun a call with Bob.
fn session() -> Session {
    let id = |text| ParticipantId::new(text).expect("an id");
    let mut session = Session::new(Config::new(id("ann"), id("bob"), 7)).expect("good settings");
    session.start(Time::ZERO).expect("no call yet");
    while session.poll_message().is_some() {}
    session
}

fn hear(session: &mut Session, envelope: Envelope) {
    let _ = session.handle_message(envelope, Time::ZERO);
    let messages = std::iter::from_fn(|| session.poll_message()).count();
    // A start, an error for each message that waited for this one, and an acknowledgement.
    assert!(messages <= 2 + 65, "{messages} messages for one");
    while session.poll_event().is_some() {}
    let (early, held, unacknowledged) = session.waiting();
    assert!(early <= 64 && held <= 256 && unacknowledged <= 1, "{early} {held} {unacknowledged}");
}
