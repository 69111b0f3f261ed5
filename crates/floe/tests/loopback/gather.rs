//! Gathering: sockets, ports, servers, names.

use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use floe::server::StunServer;
use floe::{Agent, Event, GatheringFailure, GatheringState, ServerAddressError, StartError};

use crate::support::{LOCALHOST, local, soon};

/// Everything until gathering is complete.
async fn gathered(agent: &Agent) -> Vec<Event> {
    let mut events = Vec::new();
    loop {
        match soon(agent.next_event()).await.expect("open") {
            Event::GatheringStateChanged(GatheringState::Complete) => return events,
            event => events.push(event),
        }
    }
}

fn problems(events: &[Event]) -> Vec<GatheringFailure> {
    let problem = |event: &Event| match event {
        Event::GatheringProblem { failure, .. } => Some(*failure),
        _ => None,
    };
    events.iter().filter_map(problem).collect()
}

#[tokio::test]
async fn the_bound_address_is_the_candidate() {
    let agent = local().start().await.expect("started");
    let events = gathered(&agent).await;
    assert!(problems(&events).is_empty(), "{events:?}");
    let candidates = agent.local_candidates();
    assert_eq!(candidates.len(), 1);
    assert_eq!(candidates[0].1.address().ip(), LOCALHOST);
    let ufrag = agent.local_credentials().ufrag().to_owned();
    assert!(candidates[0].1.to_string().ends_with(&format!("typ host ufrag {ufrag}")));
}

/// The server sees the base itself, which makes its candidate redundant (RFC 8445 §5.1.3); that it was asked shows in
/// the server.
#[tokio::test]
async fn a_stun_server_is_asked() {
    let server = soon(StunServer::bind("127.0.0.1:0")).await.expect("bound");
    let agent = local().stun_server(format!("stun:{}", server.local_addr())).start().await.expect("started");
    let events = gathered(&agent).await;
    assert!(problems(&events).is_empty(), "{events:?}");
    assert_eq!(server.stats().answered, 1);
    let seen = events
        .iter()
        .any(|event| matches!(event, Event::ServerAnswered { address, mapped, .. } if address == mapped));
    assert!(seen, "{events:?}");
    let address = server.local_addr();
    soon(server.shutdown()).await;
    assert!(UdpSocket::bind(address).is_ok(), "shutdown closes the socket");
}

/// Answers one Binding request as a server on the other side of a NAT would.
fn serve_once_from_behind_a_nat(mapped: std::net::SocketAddr) -> std::net::SocketAddr {
    use floe::stun::attributes::XorMappedAddress;
    use floe::stun::{Class, Message, MessageBuilder};

    let socket = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        let (mut datagram, mut out) = ([0; 1500], [0; 100]);
        let (len, source) = socket.recv_from(&mut datagram).expect("asked");
        let request = Message::parse(&datagram[..len]).expect("a request");
        let len = MessageBuilder::response(&mut out, Class::Success, &request)
            .attribute(&XorMappedAddress(mapped))
            .finish()
            .expect("fits");
        socket.send_to(&out[..len], source).expect("answered");
    });
    address
}

#[tokio::test]
async fn what_a_server_sees_becomes_a_server_reflexive_candidate() {
    let mapped = "127.9.9.9:50000".parse().expect("an address");
    let server = serve_once_from_behind_a_nat(mapped);
    let agent = local().stun_server(server.to_string()).start().await.expect("started");
    let events = gathered(&agent).await;
    assert!(problems(&events).is_empty(), "{events:?}");
    let candidates = agent.local_candidates();
    let (host, reflexive) = (&candidates[0].1, &candidates[1].1);
    assert_eq!(reflexive.address(), mapped);
    assert_eq!(reflexive.related_address(), Some(host.address()));
    assert!(reflexive.to_string().contains("typ srflx"));
}

#[tokio::test(start_paused = true)]
async fn a_dead_server_delays_nobody_and_is_named() {
    // Bound and silent.
    let dead = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let dead = dead.local_addr().expect("bound");
    let agent = local().stun_server(dead.to_string()).start().await.expect("started");
    let begun = tokio::time::Instant::now();
    let events = gathered(&agent).await;
    assert!(matches!(events.get(1), Some(Event::LocalCandidate { .. })), "{events:?}");
    let Some(Event::GatheringProblem { server: Some(server), failure, .. }) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!((server.to_string(), *failure), (dead.to_string(), GatheringFailure::ServerTimeout));
    assert_eq!(begun.elapsed().as_secs(), 10, "the default deadline of a server");
}

/// Knows one name.
struct Names;

impl floe::Resolver for Names {
    fn resolve(&self, host: &str) -> floe::Resolving {
        let host = host.to_owned();
        Box::pin(async move {
            match host.as_str() {
                "stun.example" => Ok(vec![LOCALHOST]),
                "empty.example" => Ok(Vec::new()),
                "broken.example" => Err(std::io::Error::other("no name server")),
                "stuck.example" => std::future::pending().await,
                _ => panic!("{host} was not asked for"),
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_resolved_and_each_failure_is_told_apart() {
    let server = soon(StunServer::bind("127.0.0.1:0")).await.expect("bound");
    let port = server.local_addr().port();
    let mut builder = local().resolver(Names);
    for name in ["stun.example", "empty.example", "broken.example", "stuck.example"] {
        builder = builder.stun_server(format!("stun:{name}:{port}"));
    }
    let agent = builder.start().await.expect("started");
    let events = gathered(&agent).await;
    assert_eq!(server.stats().answered, 1);
    use floe::ice::DriverError;
    let mut found: Vec<(String, GatheringFailure)> = events
        .iter()
        .filter_map(|event| match event {
            Event::GatheringProblem { server: Some(server), failure, .. } => {
                Some((server.to_string(), *failure))
            }
            _ => None,
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        found,
        [
            (format!("broken.example:{port}"), GatheringFailure::Driver(DriverError::NameServiceFailed)),
            (format!("empty.example:{port}"), GatheringFailure::Driver(DriverError::NameNotFound)),
            (format!("stuck.example:{port}"), GatheringFailure::NoAnswerFromDriver),
        ]
    );
}

/// `.invalid` never exists (RFC 6761 §6.4), and the system says so or does not answer; either way gathering
/// completes.
#[tokio::test]
async fn the_systems_resolver_fails_in_time() {
    let agent = local()
        .stun_server("floe.invalid")
        .configure(|config| config.gather.driver_deadline = std::time::Duration::from_secs(2))
        .start()
        .await
        .expect("started");
    assert_eq!(problems(&gathered(&agent).await).len(), 1);
}

#[tokio::test]
async fn the_systems_resolver_knows_this_machine() {
    use floe::Resolver;
    let found = soon(floe::SystemResolver.resolve("localhost")).await.expect("resolved");
    assert!(found.iter().all(IpAddr::is_loopback) && !found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn ports_in_use_are_passed_over_until_none_is_left() {
    // Three ports in a row, of which the middle one is taken.
    let (first, taken) = loop {
        let taken = UdpSocket::bind("127.0.0.1:0").expect("bound");
        let port = taken.local_addr().expect("bound").port();
        let free = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (2..u16::MAX).contains(&port) && free(port - 1) && free(port + 1) {
            break (port - 1, taken);
        }
    };
    let ports = first..=first + 2;
    let mut agents = Vec::new();
    for _ in 0..2 {
        let agent = local().port_range(ports.clone()).start().await.expect("started");
        assert!(problems(&gathered(&agent).await).is_empty());
        agents.push(agent);
    }
    let mut used: Vec<u16> = agents.iter().map(|a| a.local_candidates()[0].1.address().port()).collect();
    used.sort_unstable();
    assert_eq!(used, [first, first + 2]);

    let late = local().port_range(ports.clone()).start().await.expect("started");
    use floe::ice::DriverError;
    let events = gathered(&late).await;
    assert!(problems(&events).contains(&GatheringFailure::Driver(DriverError::NoPortFree)), "{events:?}");
    assert!(late.local_candidates().is_empty());
    drop((agents, taken));
    let next = local().port_range(ports).start().await.expect("started");
    gathered(&next).await;
    assert_eq!(next.local_candidates().len(), 1, "the ports are free again");
}

#[tokio::test]
async fn an_address_of_another_machine_is_a_problem_and_no_error() {
    let elsewhere = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 77));
    let agent = local().bind(elsewhere).start().await.expect("started");
    let events = gathered(&agent).await;
    let problem = events.iter().find_map(|event| match event {
        Event::GatheringProblem { address, .. } => *address,
        _ => None,
    });
    assert_eq!(problem.map(|address| address.ip()), Some(elsewhere), "{events:?}");
    assert_eq!(agent.local_candidates().len(), 1, "the other address works");
}

#[tokio::test]
async fn without_an_interface_gathering_completes_and_says_why() {
    let agent = Agent::builder().interface_filter(|_| false).start().await.expect("started");
    assert_eq!(problems(&gathered(&agent).await), [GatheringFailure::NoInterface]);
}

#[tokio::test]
async fn loopback_is_not_gathered_unless_bound() {
    let agent = Agent::builder().start().await.expect("started");
    gathered(&agent).await;
    assert!(agent.local_candidates().iter().all(|(_, c)| !c.address().ip().is_loopback()));
}

#[tokio::test]
async fn bad_settings_are_refused_with_what_to_do() {
    let error = |builder: floe::Builder| async { builder.start().await.expect_err("refused") };
    let unspecified = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    assert!(
        matches!(error(local().bind(unspecified)).await, StartError::BindAddress(ip) if ip == unspecified)
    );
    assert!(matches!(error(local().port_range(0..=10)).await, StartError::PortRange));
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
    let reversed = 10..=9;
    assert!(matches!(error(local().port_range(reversed)).await, StartError::PortRange));
    assert!(matches!(error(local().dscp(64)).await, StartError::Dscp(64)));
    assert!(matches!(error(local().streams([])).await, StartError::Config(_)));
    let server = error(local().stun_server("stun://example.org")).await;
    assert!(matches!(&server, StartError::Server(_, ServerAddressError::Hierarchical)));
    assert_eq!(
        server.to_string(),
        "server \"stun://example.org\": the URI has no //: write stun:host[:port] or turn:host[:port]"
    );
    let relay = error(local().turn_server("stun:example.org", "alice", "secret")).await;
    assert!(matches!(&relay, StartError::Server(_, ServerAddressError::UnsupportedScheme)));
    let relay = error(local().turn_server("turns:192.0.2.1", "alice", "secret")).await;
    assert!(matches!(&relay, StartError::Config(floe::ice::ConfigError::RelayName)));
    let name = "x".repeat(509);
    let relay = error(local().turn_server("turn:example.org", name, "secret")).await;
    assert!(matches!(&relay, StartError::Config(floe::ice::ConfigError::RelayCredentials)));
}

#[test]
fn outside_a_runtime_there_is_an_error() {
    let mut starting = Box::pin(local().start());
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    let std::task::Poll::Ready(result) = starting.as_mut().poll(&mut cx) else {
        panic!("nothing to wait for")
    };
    assert!(matches!(result, Err(StartError::NoRuntime)));
}

#[tokio::test]
async fn sockets_get_the_options() {
    let builder = local().dscp(46).receive_buffer(64 * 1024).send_buffer(64 * 1024);
    let agent = builder.start().await.expect("started");
    assert!(problems(&gathered(&agent).await).is_empty());
    assert_eq!(agent.local_candidates().len(), 1);
}

/// Strangers get no answer and do no harm, and are counted.
#[tokio::test]
async fn garbage_is_counted() {
    let agent = local().start().await.expect("started");
    gathered(&agent).await;
    let target = agent.local_candidates()[0].1.address();
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("bound");
    for datagram in [&b"data of nobody"[..], &[0; 20], &[]] {
        stranger.send_to(datagram, target).expect("sent");
    }
    let counted = async {
        while agent.counters().rejected(floe::ice::Rejection::UnknownSource) < 3 {
            tokio::task::yield_now().await;
        }
    };
    soon(counted).await;
    assert_eq!(agent.state(), floe::ConnectionState::New);
    assert_eq!(agent.counters().packets_sent, 0);
}

#[tokio::test]
async fn gathered_is_answered_at_any_time_and_when_the_agent_is_closed() {
    let agent = Agent::builder().bind(Ipv4Addr::LOCALHOST).start().await.expect("it starts");
    soon(agent.gathered()).await;
    assert_eq!(agent.gathering_state(), GatheringState::Complete);
    soon(agent.gathered()).await;
    assert_eq!(agent.local_candidates().len(), 1);

    let stuck = Agent::builder()
        .bind(Ipv4Addr::LOCALHOST)
        .stun_server("127.0.0.1:9")
        .start()
        .await
        .expect("it starts");
    let waiting = tokio::spawn({
        let stuck = stuck.clone();
        async move { stuck.gathered().await }
    });
    stuck.close();
    soon(waiting).await.expect("it does not panic");
}

#[tokio::test(start_paused = true)]
async fn agents_of_one_runtime_keep_one_pace() {
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("bound");
    let address = server.local_addr().expect("bound").to_string();
    let mut agents = Vec::new();
    for _ in 0..10 {
        agents.push(local().stun_server(&address).start().await.expect("started"));
    }
    let mut times = std::collections::BTreeMap::new();
    while times.len() < agents.len() {
        let mut request = [0; 1500];
        let (len, source) = soon(server.recv_from(&mut request)).await.expect("received");
        assert!(len >= 20, "each asks the server");
        times.entry(source).or_insert_with(tokio::time::Instant::now);
    }
    let mut times: Vec<_> = times.into_values().collect();
    times.sort();
    for two in times.windows(2) {
        assert!((two[1] - two[0]).as_millis() >= 5, "RFC 8445 §14.2: {times:?}");
    }
}
