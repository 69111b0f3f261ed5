//! Two agents of the crate `floe` that reach each other through coturn only.

use std::net::Ipv4Addr;
use std::time::Duration;

use floe::ice::candidate::CandidateKind;
use floe::{Agent, Connection, Event, RelayLoss, RelayServer, RelayTransport, ServerAddress};

use crate::server::{Coturn, PASSWORD, TLS_NAME, USER};

/// More than anything here takes; only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

async fn agent(server: &Coturn, transport: RelayTransport, controlling: bool) -> Agent {
    let address = if transport == RelayTransport::Tls { server.tls } else { server.address };
    let relay = RelayServer::new(ServerAddress::Address(address), USER, PASSWORD);
    let relay = relay.with_transport(transport).with_tls_name(TLS_NAME);
    let builder = Agent::builder().bind(Ipv4Addr::LOCALHOST).relay_only().tls_roots(&server.roots);
    let builder = builder.configure(|config| config.gather.relays.push(relay));
    let builder = if controlling { builder.controlling() } else { builder };
    builder.start().await.expect("started")
}

/// Two connected agents: the first is controlling. Each reaches the server in its own way.
async fn connect(server: &Coturn, by: [RelayTransport; 2]) -> ([Agent; 2], [Connection; 2]) {
    let agents = [agent(server, by[0], true).await, agent(server, by[1], false).await];
    for (from, to) in [(&agents[0], &agents[1]), (&agents[1], &agents[0])] {
        to.set_remote_credentials(from.local_credentials()).expect("new");
        from.gathered().await;
        for (_, candidate) in from.local_candidates() {
            assert_eq!(candidate.kind(), CandidateKind::Relayed, "nothing else is shown");
            let _ =
                to.add_remote_candidate(&candidate.to_string().parse().expect("a candidate")).expect("open");
        }
        to.end_of_remote_candidates().expect("open");
    }
    let (a, b) = tokio::join!(agents[0].completed(), agents[1].completed());
    let connections = [a.expect("connected"), b.expect("connected")];
    (agents, connections)
}

/// Data in both directions, in Send indications first and in channels then.
async fn exchange([a, b]: &[Connection; 2]) {
    let mut buffer = [0; 2048];
    for round in 0..100 {
        for (from, to) in [(a, b), (b, a)] {
            let payload = vec![0x80 | round; 1 + 12 * usize::from(round)];
            from.send(&payload).await.expect("sent");
            let len = to.recv(&mut buffer).await.expect("received");
            assert_eq!(&buffer[..len], payload);
        }
    }
}

async fn meet(by: [RelayTransport; 2]) {
    let server = Coturn::start();
    let work = async {
        let (agents, connections) = connect(&server, by).await;
        for connection in &connections {
            let pair = connection.selected_pair().expect("selected");
            assert_eq!([pair.local.kind(), pair.remote.kind()], [CandidateKind::Relayed; 2]);
        }
        exchange(&connections).await;
        agents.iter().for_each(Agent::close);
    };
    tokio::time::timeout(DEADLINE, work).await.expect("done within the deadline");
}

#[tokio::test]
async fn agents_that_use_relays_only_exchange_data_through_coturn() {
    meet([RelayTransport::Udp; 2]).await;
}

#[tokio::test]
async fn agents_reach_coturn_over_tcp() {
    meet([RelayTransport::Tcp; 2]).await;
}

#[tokio::test]
async fn agents_reach_coturn_over_tls() {
    meet([RelayTransport::Tls; 2]).await;
}

#[tokio::test]
async fn agents_reach_coturn_each_in_its_own_way() {
    meet([RelayTransport::Tls, RelayTransport::Udp]).await;
    meet([RelayTransport::Udp, RelayTransport::Tcp]).await;
}

#[tokio::test]
async fn a_coturn_that_dies_takes_its_relays_along_and_the_agent_says_so() {
    for by in [RelayTransport::Tcp, RelayTransport::Tls] {
        let server = Coturn::start();
        let work = async {
            let (agents, _connections) = connect(&server, [by; 2]).await;
            drop(server);
            loop {
                if let Some(Event::RelayLost { failure, .. }) = agents[0].next_event().await {
                    assert!(matches!(failure, RelayLoss::Connection(_)), "{failure:?}");
                    break;
                }
            }
        };
        tokio::time::timeout(DEADLINE, work).await.expect("done within the deadline");
    }
}
