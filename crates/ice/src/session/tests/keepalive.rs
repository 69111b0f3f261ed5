//! RFC 8445 §11 and §12.1: keepalives where consent is off, and where data goes.

use alloc::vec::Vec;
use core::time::Duration;

use floe_stun::Class;

use crate::agent::tests::script::{Script, Sent, component, host, local, millis, remote};
use crate::{Component, Config, Event, Role, SendError};

fn without_consent(c: &mut Config) {
    c.consent = false;
}

fn indications(sent: Vec<Sent>) -> Vec<Sent> {
    sent.into_iter().filter(|s| s.class == Class::Indication).collect()
}

#[test]
fn without_consent_checks_a_keepalive_goes_out_every_15_seconds() {
    let mut script = Script::connected(Role::Controlled, without_consent);
    let start = script.now;
    script.take();
    script.to(300_000);
    let sent = script.take();
    let keepalives = indications(sent.clone());
    assert_eq!(keepalives.len(), sent.len(), "nothing else is sent");
    let times: Vec<_> = keepalives.iter().map(|k| k.at.saturating_since(start).as_secs()).collect();
    assert_eq!(times, (1..=20).map(|n| n * 15).collect::<Vec<_>>());
    for keepalive in &keepalives {
        assert_eq!((keepalive.from, keepalive.to), (local(1), remote(1)));
        // Not authenticated, FINGERPRINT and nothing else.
        assert_eq!((keepalive.attributes, keepalive.has_integrity), (1, false));
        assert!(keepalive.has_fingerprint);
    }
    assert!(keepalives.windows(2).all(|w| w[0].id != w[1].id));
}

#[test]
fn none_goes_out_while_data_is_sent() {
    let mut script = Script::connected(Role::Controlled, without_consent);
    script.take();
    for ms in (10_000..100_000).step_by(10_000) {
        script.to(ms);
        script.agent.record_sent(Component::default(), 1, 100, script.now);
    }
    assert_eq!(indications(script.take()).len(), 0);
    script.to(105_000);
    let keepalives = indications(script.take());
    assert_eq!(
        keepalives.iter().map(|k| k.at).collect::<Vec<_>>(),
        [millis(105_000)],
        "15 s after the last data"
    );
}

#[test]
fn none_goes_out_where_consent_is_checked() {
    let mut script = Script::connected(Role::Controlled, |_| {});
    script.take();
    script.answering_to(100_000);
    assert_eq!(indications(script.take()).len(), 0);
}

#[test]
fn after_selection_the_selected_pair_alone_has_keepalives() {
    let mut script = Script::with(Role::Controlled, 1, without_consent);
    script.signal(&host(1));
    script.signal(&host(2));
    let checks = [script.check(), script.check()];
    for check in &checks {
        script.reply(check, |_| {});
    }
    script.ask(|a| (a.from, a.nominate) = (remote(2), true));
    assert_eq!(script.selected(), Some((local(1), remote(2))));
    script.take();
    script.to(100_000);
    let keepalives = indications(script.take());
    assert_eq!(keepalives.len(), 6);
    assert!(keepalives.iter().all(|k| k.to == remote(2)));
}

#[test]
fn the_interval_is_configurable_and_never_shorter() {
    let keepalive = Duration::from_secs(40);
    let mut script = Script::connected(Role::Controlled, |c| (c.consent, c.keepalive) = (false, keepalive));
    let start = script.now;
    script.take();
    script.to(100_000);
    let times: Vec<_> = indications(script.take()).iter().map(|k| k.at.saturating_since(start)).collect();
    assert_eq!(times, [keepalive, 2 * keepalive]);
    let mut config = Config::new([0; 32]);
    config.keepalive = Duration::from_millis(14_999);
    assert_eq!(config.validate(), Err(crate::ConfigError::Keepalive));
}

#[test]
fn closing_ends_them() {
    let mut script = Script::connected(Role::Controlled, without_consent);
    script.take();
    script.agent.close(script.now);
    script.to(100_000);
    assert_eq!(script.take().len(), 0);
    assert_eq!(script.agent.poll_timeout(), None);
}

#[test]
fn data_may_go_on_the_best_valid_pair_before_one_is_selected() {
    // §12.1.
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    assert_eq!(script.agent.send_path(Component::default()), Err(SendError::NotConnected));
    let checks = [script.check(), script.check()];
    script.reply(&checks[1], |_| {});
    assert_eq!(script.path(), Some(remote(2)));
    script.reply(&checks[0], |_| {});
    assert_eq!(script.path(), Some(remote(1)));
    script.ask(|a| (a.from, a.nominate) = (remote(2), true));
    assert_eq!(script.path(), Some(remote(2)), "the selected pair only");
    let changes = script.events.iter().filter(|e| matches!(e, Event::PathChanged(_))).count();
    let epoch = script.agent.send_path(Component::default()).map(|p| p.epoch);
    assert_eq!((changes, epoch), (3, Ok(3)));
}

#[test]
fn data_waits_until_every_component_of_the_stream_has_a_pair() {
    let mut script = Script::new(|c| (c.role, c.streams) = (Role::Controlled, [2, 1].to_vec()));
    let address = |n: u16| core::net::SocketAddr::from(([10, 0, 0, 1], 5000 + n));
    for (n, at) in (0..).zip([component(0, 1), component(0, 2), component(1, 1)]) {
        script.host_at(at, address(n));
    }
    script.know_peer();
    script.signal(&host(1));
    let check = script.check();
    script.reply(&check, |_| {});
    assert!(script.agent.send_path(component(0, 1)).is_err());
    script.signal(&host(2).with_component(crate::ComponentId::new(2).expect("two")));
    let check = script.check();
    script.reply(&check, |_| {});
    assert!(
        script.agent.send_path(component(0, 1)).is_ok() && script.agent.send_path(component(0, 2)).is_ok()
    );
    assert_eq!(script.agent.send_path(component(1, 1)), Err(SendError::NotConnected), "another stream");
    assert_eq!(script.agent.send_path(component(3, 1)), Err(SendError::UnknownComponent));
}

#[test]
fn traffic_is_counted_for_the_pair_that_carried_it() {
    let mut script = Script::controlled(1);
    script.signal(&host(1));
    script.signal(&host(2));
    let checks = [script.check(), script.check()];
    script.reply(&checks[1], |_| {});
    script.agent.record_sent(Component::default(), 2, 200, script.now);
    let _ = script.deliver(remote(2), local(1), &[0x80; 50]);
    let _ = script.deliver(remote(1), local(1), &[0x80; 10]);
    script.reply(&checks[0], |_| {});
    script.agent.record_sent(Component::default(), 1, 100, script.now);
    let stats = |n| {
        let id = script.pair(local(1), remote(n)).expect("a pair").id;
        script.agent.pair_stats(id).expect("statistics")
    };
    assert_eq!((stats(2).packets_sent, stats(2).bytes_sent, stats(2).bytes_received), (2, 200, 50));
    assert_eq!((stats(1).packets_sent, stats(1).bytes_sent, stats(1).bytes_received), (1, 100, 10));
}

#[test]
fn payload_that_the_peer_would_take_for_stun_is_refused() {
    let script = Script::connected(Role::Controlled, |_| {});
    let path = script.agent.send_path(Component::default()).expect("a path");
    let mut stun = [0; 20];
    stun[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
    assert_eq!(path.admit(&stun), Err(SendError::LooksLikeStun));
    assert_eq!(path.admit(&stun[..19]), Ok(()));
}
