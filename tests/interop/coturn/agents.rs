//! Two agents of the crate `floe` that reach each other through coturn only.

use std::net::Ipv4Addr;
use std::time::Duration;

use floe::ice::candidate::CandidateKind;
use floe::{Agent, Connection};

use crate::server::{Coturn, PASSWORD, USER};

/// More than anything here takes; only a failing test waits so long.
const DEADLINE: Duration = Duration::from_secs(60);

async fn agent(server: &Coturn, controlling: bool) -> Agent {
    let uri = format!("turn:{}?transport=udp", server.address);
    let builder = Agent::builder().bind(Ipv4Addr::LOCALHOST).turn_server(uri, USER, PASSWORD).relay_only();
    let builder = if controlling { builder.controlling() } else { builder };
    builder.start().await.expect("started")
}

/// Two connected agents: the first is controlling.
async fn connect(server: &Coturn) -> ([Agent; 2], [Connection; 2]) {
    let agents = [agent(server, true).await, agent(server, false).await];
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

#[tokio::test]
async fn agents_that_use_relays_only_exchange_data_through_coturn() {
    let server = Coturn::start();
    let work = async {
        let (agents, [a, b]) = connect(&server).await;
        for connection in [&a, &b] {
            let pair = connection.selected_pair().expect("selected");
            assert_eq!([pair.local.kind(), pair.remote.kind()], [CandidateKind::Relayed; 2]);
        }
        let mut buffer = [0; 2048];
        for round in 0..100 {
            for (from, to) in [(&a, &b), (&b, &a)] {
                let payload = vec![0x80 | round; 1 + 12 * usize::from(round)];
                from.send(&payload).await.expect("sent");
                let len = to.recv(&mut buffer).await.expect("received");
                assert_eq!(&buffer[..len], payload, "in Send indications first, in a channel then");
            }
        }
        for agent in agents {
            agent.close();
        }
    };
    tokio::time::timeout(DEADLINE, work).await.expect("done within the deadline");
}
