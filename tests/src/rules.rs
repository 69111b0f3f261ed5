//! What must hold of every packet an agent sends, whatever happens to it: read off the trace of the network, not out of the
//! agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use floe_ice::Time;
use floe_netsim::ice::IcePeer;
use floe_netsim::{Event, Handle};
use floe_stun::attributes::{
    IceControlled, IceControlling, Priority, UseCandidate, Username, XorMappedAddress,
};
use floe_stun::{Class, Key, Message, TransactionId};

use crate::scene::Scene;

/// A STUN packet that a peer sent or got.
struct Packet<'a> {
    time: Time,
    source: SocketAddr,
    destination: SocketAddr,
    message: Message<'a>,
}

/// What is to hold beside the rules that always do.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The least time between two new transactions.
    pub ta: Duration,
    /// Nomination is regular: USE-CANDIDATE only repeats a check that succeeded.
    pub regular: bool,
}

/// Checks the rules for both peers of a scene.
///
/// # Panics
/// When a packet breaks one.
pub fn check(scene: &Scene, rules: Rules) {
    for [own, other] in [scene.peers, [scene.peers[1], scene.peers[0]]] {
        let sent = packets(scene, own, true);
        let got = packets(scene, own, false);
        let sessions = [own, other].map(|peer| Sessions::of(scene, peer));
        for packet in &sent {
            assert!(packet.message.has_fingerprint(), "every message has a FINGERPRINT");
            match packet.message.class() {
                Class::Request if packet.message.has_integrity() => check_request(packet, &sessions),
                Class::Request => check_server_request(packet),
                Class::Success | Class::Error => check_answer(packet, &sessions[0], &got),
                Class::Indication => {
                    assert!(!packet.message.has_integrity(), "a keepalive has only a FINGERPRINT");
                }
            }
        }
        check_transactions(&sent);
        check_pace(scene, own, &sent, rules.ta);
        if rules.regular {
            check_nominations(&sent, &got);
        }
    }
}

fn packets(scene: &Scene, peer: Handle<IcePeer>, sent: bool) -> Vec<Packet<'_>> {
    let of_peer = move |event: &Event| match *event {
        Event::Sent { endpoint, .. } => sent && endpoint == peer.into(),
        Event::Delivered { endpoint, .. } => !sent && endpoint == peer.into(),
        _ => false,
    };
    let records = scene.net.trace().records().filter(|record| of_peer(&record.event));
    let stun = records.filter(|record| floe_stun::is_stun(record.bytes));
    stun.map(|record| {
        let message = Message::parse(record.bytes).expect("only sound messages are sent");
        Packet { time: record.time, source: record.source, destination: record.destination, message }
    })
    .collect()
}

/// What a peer was called, and signed with, in each of its sessions.
struct Sessions(Vec<(String, Key)>);

impl Sessions {
    fn of(scene: &Scene, peer: Handle<IcePeer>) -> Self {
        let all = scene.net[peer].sessions().iter();
        Self(all.map(|c| (c.ufrag().to_owned(), Key::short_term(c.pwd()))).collect())
    }

    /// The key that goes with an ufrag.
    fn key(&self, ufrag: &str) -> &Key {
        let session = self.0.iter().find(|(known, _)| known == ufrag);
        &session.expect("the ufrag is one of the peer's").1
    }
}

/// The USERNAME of a check: whom it is for, and from whom.
fn names(message: &Message<'_>) -> (String, String) {
    let username = message.get::<Username<'_>>().expect("readable").expect("a check has a USERNAME");
    let (to, from) = username.as_str().expect("text").split_once(':').expect("two ufrags");
    (to.to_owned(), from.to_owned())
}

/// RFC 8445 §7.1, §7.2.2.
fn check_request(packet: &Packet<'_>, [own, other]: &[Sessions; 2]) {
    let (to, from) = names(&packet.message);
    let message = packet.message.verify(other.key(&to)).expect("a check is signed with the peer's password");
    own.key(&from);
    let priority = message.get::<Priority>().expect("readable").expect("a check has a PRIORITY");
    assert_eq!(priority.0 >> 24, 110, "it is that of a peer-reflexive candidate");
    let controlling = message.get::<IceControlling>().expect("readable").is_some();
    let controlled = message.get::<IceControlled>().expect("readable").is_some();
    assert!(controlling != controlled, "a check has one role");
    let nominates = message.get::<UseCandidate>().expect("readable").is_some();
    assert!(controlling || !nominates, "only the controlling side nominates");
}

/// RFC 8445 §5.1.1.2: nothing in it says who we are.
fn check_server_request(packet: &Packet<'_>) {
    assert!(packet.message.get::<Username<'_>>().expect("readable").is_none());
    assert_eq!(packet.message.attributes().count(), 1, "only a FINGERPRINT");
}

/// RFC 8445 §7.3.1.2: answers a request that came, to where it came from, with what we saw.
fn check_answer(packet: &Packet<'_>, own: &Sessions, got: &[Packet<'_>]) {
    let id = packet.message.transaction_id();
    assert!(packet.message.get::<Username<'_>>().expect("readable").is_none(), "answers have no USERNAME");
    let request =
        got.iter().find(|r| r.message.transaction_id() == id && r.message.class() == Class::Request);
    let request = request.expect("an answer needs a request");
    let (to, _) = names(&request.message);
    packet.message.verify(own.key(&to)).expect("an answer is signed with the password that was asked for");
    assert_eq!((packet.source, packet.destination), (request.destination, request.source));
    if packet.message.class() == Class::Success {
        let mapped =
            packet.message.get::<XorMappedAddress>().expect("readable").expect("a success tells the address");
        assert_eq!(mapped.0, request.source);
    }
}

/// RFC 8489 §5, §6.2.1: an id stands for one request, and a retransmission is the same bytes on the same way.
fn check_transactions(sent: &[Packet<'_>]) {
    let mut seen: BTreeMap<TransactionId, (&[u8], SocketAddr, SocketAddr)> = BTreeMap::new();
    for packet in sent.iter().filter(|p| p.message.class() == Class::Request) {
        let this = (packet.message.as_bytes(), packet.source, packet.destination);
        let first = *seen.entry(packet.message.transaction_id()).or_insert(this);
        assert_eq!(first, this, "two requests have one transaction id");
    }
}

/// RFC 8445 §14.2, for as long as no consent check, which is outside the pace, can have been sent: RFC 7675 §5.1 has the first
/// one at least four seconds after the first answer.
fn check_pace(scene: &Scene, peer: Handle<IcePeer>, sent: &[Packet<'_>], ta: Duration) {
    let mut paths =
        scene.net[peer].events().iter().filter(|(_, e)| matches!(e, floe_ice::Event::PathChanged(_)));
    let end = paths.next().map_or(Time::MAX, |&(time, _)| time + Duration::from_millis(3_500));
    let mut seen = BTreeSet::new();
    let mut last: Option<Time> = None;
    for packet in sent.iter().filter(|p| p.message.class() == Class::Request && p.time <= end) {
        if !seen.insert(packet.message.transaction_id()) {
            continue;
        }
        if let Some(last) = last {
            assert!(
                packet.time - last >= ta,
                "two transactions began within Ta, at {last:?} and {:?}",
                packet.time
            );
        }
        last = Some(packet.time);
    }
}

/// RFC 8445 §8.1.1: USE-CANDIDATE repeats a check that was answered.
fn check_nominations(sent: &[Packet<'_>], got: &[Packet<'_>]) {
    for nomination in sent.iter().filter(|p| p.message.get::<UseCandidate>() == Ok(Some(UseCandidate))) {
        let proved = got.iter().any(|answer| {
            answer.time <= nomination.time
                && answer.message.class() == Class::Success
                && (answer.source, answer.destination) == (nomination.destination, nomination.source)
                && sent.iter().any(|check| check.message.transaction_id() == answer.message.transaction_id())
        });
        assert!(proved, "a pair is nominated before its check has succeeded");
    }
}
