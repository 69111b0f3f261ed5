//! The clock, signalling, determinism, and endpoints that misbehave.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use floe_netsim::{
    Attach, DropReason, Endpoint, Event, Families, Halt, Handle, Host, HostId, Link, NatType, Network, Probe,
    Seed, Site, SocketId, Time, Transmit,
};

/// A few peers that talk through lossy links and NATs for a while; the digest of all that happened.
fn busy_network(seed: u64, recording: bool) -> u64 {
    let mut net = Network::new(seed);
    net.set_recording(recording);
    let rough = Link::delay_ms(20)
        .jitter(Duration::from_millis(9))
        .loss(0.1)
        .duplicate(0.05)
        .reorder(0.1, Duration::from_millis(30));
    net.set_segment_link(net.internet(), rough).unwrap();
    let sites = [Site::public(), Site::behind(NatType::SYMMETRIC), Site::behind(NatType::FULL_CONE)];
    let probes = sites.map(|site| {
        let peer = net.add_peer("peer", &site).unwrap();
        net.add_endpoint(peer.host, Probe::default()).unwrap()
    });
    let server = net[probes[0]].local(0).unwrap();
    for round in 0..50u8 {
        for probe in probes {
            let from = net[probe].received().last().map_or(server, |received| received.source);
            net.with(probe, |probe, _| {
                probe.send(server, &[round]);
                probe.send(from, &[round, 1]);
                probe.signal(probes[0], &[round, 2]);
            });
        }
        net.run_for(Duration::from_millis(7));
    }
    assert!(net.trace().drops(DropReason::Lost) > 5);
    assert_eq!(net.trace().is_empty(), !recording);
    net.trace().digest()
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    assert_eq!(busy_network(1, true), busy_network(1, true));
    assert_eq!(busy_network(1, true), busy_network(1, false), "whether it is recorded or not");
    assert_ne!(busy_network(1, true), busy_network(2, true));
}

#[test]
fn derived_seeds_differ_and_repeat() {
    let seeds = |seed: u64| {
        let mut net = Network::new(seed);
        [net.derive_seed(), net.derive_seed()]
    };
    assert_eq!(seeds(1), seeds(1));
    assert_ne!(seeds(1)[0], seeds(1)[1]);
    assert_ne!(seeds(1), seeds(2));
    assert_eq!(Network::new([9; 32]).seed(), Seed::from([9; 32]));
}

fn two_probes() -> (Network, Handle<Probe>, Handle<Probe>) {
    let mut net = Network::new(1);
    let [a, b] = ["a", "b"].map(|name| {
        let peer = net.add_peer(name, &Site::public()).unwrap();
        net.add_endpoint(peer.host, Probe::default()).unwrap()
    });
    (net, a, b)
}

#[test]
fn signalling_is_ordered_and_as_slow_as_it_is_told() {
    let (mut net, a, b) = two_probes();
    net.set_signal_delay(Duration::from_millis(100));
    net.with(a, |probe, _| probe.signal(b, b"first"));
    // A faster path does not overtake what is on its way.
    net.set_signal_delay_between(a, b, Duration::from_millis(10));
    net.with(a, |probe, _| probe.signal(b, b"second"));
    net.with(b, |probe, _| probe.signal(a, b"answer"));
    net.run_for(Duration::from_secs(1));
    net.with(a, |probe, _| probe.signal(b, b"third"));
    net.run_for(Duration::from_secs(1));
    let got = |probe: Handle<Probe>| {
        net[probe].signalled().iter().map(|(_, m, t)| (&m[..], *t)).collect::<Vec<_>>()
    };
    let at = Time::from_millis;
    assert_eq!(got(b), [(&b"first"[..], at(100)), (b"second", at(100)), (b"third", at(1010))]);
    assert_eq!(got(a), [(&b"answer"[..], at(100))]);
    assert_eq!(net[b].signalled()[0].0, a.id());
}

#[test]
fn running_until_a_condition_stops_at_once_or_at_the_limit() {
    let (mut net, a, b) = two_probes();
    net.set_segment_link(net.internet(), Link::delay_ms(30)).unwrap();
    let to = net[b].local(0).unwrap();
    net.with(a, |probe, _| probe.send(to, b"x"));
    assert!(net.run_until(Duration::from_secs(5), |net| !net[b].received().is_empty()));
    assert_eq!(net.now(), Time::from_millis(30));
    assert!(!net.run_until(Duration::from_secs(5), |net| net[b].received().len() > 1));
    assert_eq!(net.now(), Time::from_millis(5030));
    assert!(!net.step(), "nothing is left to happen");
}

#[test]
fn injected_packets_may_lie_about_their_source() {
    let (mut net, _, b) = two_probes();
    let to = net[b].local(0).unwrap();
    let id = net.inject(net.internet(), "192.0.2.66:53".parse().unwrap(), to, b"lie").unwrap();
    net.run_for(Duration::from_millis(1));
    assert_eq!(net[b].received()[0].source, "192.0.2.66:53".parse().unwrap());
    let delivered = net.trace().delivered_to(b).next().unwrap();
    assert_eq!((delivered.packet, delivered.bytes), (id, &b"lie"[..]));
}

#[test]
fn the_trace_tells_each_record_once_and_knows_its_limit() {
    let (mut net, a, b) = two_probes();
    let to = net[b].local(0).unwrap();
    net.with(a, |probe, _| probe.send(to, b"one"));
    net.run_for(Duration::from_millis(1));
    let seen = net.trace().len();
    net.note("here");
    net.with(a, |probe, _| probe.send(to, b"two"));
    net.run_for(Duration::from_millis(1));
    let new: Vec<_> = net.trace().since(seen).map(|r| r.bytes.to_vec()).collect();
    assert_eq!(new, [b"here".to_vec(), b"two".to_vec(), b"two".to_vec()]);
    assert_eq!(net.trace().sent_by(a).count(), 2);
    net.clear_trace();
    assert!(net.trace().is_empty());
    net.set_trace_limit(1);
    net.with(a, |probe, _| probe.send(to, b"three"));
    net.run_for(Duration::from_millis(1));
    assert_eq!((net.trace().len(), net.trace().omitted()), (1, 1));
    assert_eq!(net.trace().records().next().unwrap().bytes, b"three");
    assert_eq!(net.trace().since(9).len(), 0);
}

/// An endpoint that never finds its peace.
struct Restless {
    timer: Option<Time>,
    output: bool,
}

impl Endpoint for Restless {
    fn poll_transmit(&mut self, _out: &mut [u8]) -> Option<Transmit> {
        let nowhere = "192.0.2.1:1".parse().unwrap();
        self.output.then(|| Transmit::new(SOCKET.with(|s| *s), nowhere, 0))
    }

    fn poll_timeout(&self) -> Option<Time> {
        self.timer
    }
}

/// An endpoint whose deadline is always the next nanosecond.
struct Creeping(Time);

impl Endpoint for Creeping {
    fn handle_timeout(&mut self, now: Time) {
        self.0 = now + Duration::from_nanos(1);
    }

    fn poll_timeout(&self) -> Option<Time> {
        Some(self.0)
    }
}

thread_local! {
    /// A socket of some other endpoint.
    static SOCKET: SocketId = {
        let (net, a, _) = two_probes();
        net[a].socket(0).unwrap()
    };
}

#[test]
fn endpoints_without_end_stop_the_network() {
    let (mut net, _, _) = two_probes();
    let host = net.hosts().next().unwrap();
    let busy = net.add_endpoint(host, Restless { timer: Some(Time::from_millis(5)), output: false }).unwrap();
    assert!(!net.run_until(Duration::from_secs(1), |_| false));
    assert_eq!(net.halted(), Some(Halt::BusyTimer(busy.id())));
    assert_eq!(net.now(), Time::from_millis(5));

    // A nanosecond at a time is no better.
    let (mut net, _, _) = two_probes();
    let host = net.hosts().next().unwrap();
    let busy = net.add_endpoint(host, Creeping(Time::ZERO)).unwrap();
    net.run_for(Duration::from_secs(1));
    assert_eq!(net.halted(), Some(Halt::BusyTimer(busy.id())));

    let (mut net, _, _) = two_probes();
    net.set_recording(false);
    let host = net.hosts().next().unwrap();
    let endless = net.add_endpoint(host, Restless { timer: None, output: true }).unwrap();
    assert_eq!(net.halted(), Some(Halt::EndlessOutput(endless.id())));
    assert!(!net.step());
}

/// An endpoint that looks around.
#[derive(Default)]
struct Tourist {
    host: Option<HostId>,
    seen: Vec<String>,
}

impl Endpoint for Tourist {
    fn handle_start(&mut self, host: &mut Host<'_>, _now: Time) {
        self.host = Some(host.id());
        let interfaces = host.interfaces().map(|i| format!("{}/{}: {:?}", i.name, i.index, i.addresses));
        self.seen = interfaces.collect();
        self.seen.push(host.name().to_owned());
        for name in ["known.example", "unknown.example"] {
            self.seen.push(format!("{:?}", host.resolve(name).map(|r| (r.addresses.to_vec(), r.delay))));
        }
    }
}

#[test]
fn an_endpoint_sees_its_host_and_the_names_of_the_network() {
    let mut net = Network::new(1);
    let host = net.add_host("inn");
    for name in ["eth0", "wlan0"] {
        net.attach(host, net.internet(), Attach::default().name(name).families(Families::V4)).unwrap();
    }
    let down = net.interfaces(host).next().unwrap().id;
    net.detach(down).unwrap();
    net.set_name("known.example", vec!["192.0.2.1".parse().unwrap()], Duration::from_millis(30));
    let tourist = net.add_endpoint(host, Tourist::default()).unwrap();
    let seen = ["wlan0/2: [203.0.113.2]", "inn", "Some(([192.0.2.1], 30ms))", "None"];
    assert_eq!(net[tourist].seen, seen);
    assert_eq!(net[tourist].host, Some(host));
    assert_eq!(net.host_of(tourist), Some(host));
}

#[test]
fn a_deadline_that_never_comes_is_never_called() {
    let (mut net, _, _) = two_probes();
    let host = net.hosts().next().unwrap();
    net.add_endpoint(host, Restless { timer: Some(Time::MAX), output: false }).unwrap();
    net.run_for(Duration::from_secs(1_000_000));
    assert_eq!(net.halted(), None);
    assert!(!net.trace().records().any(|r| matches!(r.event, Event::Refused { .. })));
}

#[test]
fn a_failing_test_prints_its_seed_and_its_chart() {
    // In a process of its own, because this one's output is what is looked at.
    let this = std::env::current_exe().unwrap();
    let fail = |on: &str| {
        let mut command = std::process::Command::new(&this);
        command
            .args(["--exact", "the_child_of_the_failing_test", "--nocapture"])
            .env("FLOE_NETSIM_CHILD", on);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (success, text) = fail("chart");
    assert!(!success && text.contains("seed 1\n") && text.contains("5 B hello"), "{text}");
    let (success, text) = fail("quiet");
    assert!(!success && !text.contains("seed"), "{text}");
}

#[test]
fn the_child_of_the_failing_test() {
    let Ok(mode) = std::env::var("FLOE_NETSIM_CHILD") else { return };
    let (mut net, a, b) = two_probes();
    net.set_chart_on_panic(mode == "chart");
    let to = net[b].local(0).unwrap();
    net.with(a, |probe, _| probe.send(to, b"hello"));
    assert!(net[b].received().len() == 1, "nobody let time go by");
}
