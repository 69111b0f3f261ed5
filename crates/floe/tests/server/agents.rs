//! Agents that reach each other through the server only.

use std::net::Ipv4Addr;

use floe::ice::candidate::CandidateKind;
use floe::server::{Transport, TurnServer};
use floe::{Agent, Role};

use crate::scene::{PASSWORD, USER, at, settings, soon, start};

async fn agent(server: &TurnServer, role: Role) -> Agent {
    let uri = format!("turn:{}", at(server, Transport::Udp));
    let builder = Agent::builder().role(role).bind(Ipv4Addr::LOCALHOST);
    builder.turn_server(uri, USER, PASSWORD).relay_only().start().await.expect("started")
}

#[tokio::test]
async fn agents_that_use_relays_only_exchange_data() {
    let server = start(settings()).await;
    let agents = [agent(&server, Role::Controlling).await, agent(&server, Role::Controlled).await];
    for (from, to) in [(&agents[0], &agents[1]), (&agents[1], &agents[0])] {
        to.set_remote_credentials(from.local_credentials()).expect("new");
        soon(from.gathered()).await;
        for (_, candidate) in from.local_candidates() {
            assert_eq!(candidate.kind(), CandidateKind::Relayed, "nothing else is shown");
            let _ = to.add_remote_candidate(&candidate).expect("open");
        }
        to.end_of_remote_candidates().expect("open");
    }
    let (a, b) = soon(async { tokio::join!(agents[0].completed(), agents[1].completed()) }).await;
    let (a, b) = (a.expect("connected"), b.expect("connected"));
    let mut buffer = [0; 2048];
    for round in 0..100 {
        for (from, to) in [(&a, &b), (&b, &a)] {
            let payload = vec![0x80 | round; 1 + 12 * usize::from(round)];
            from.send(&payload).await.expect("sent");
            let len = soon(to.recv(&mut buffer)).await.expect("received");
            assert_eq!(&buffer[..len], payload);
        }
    }
    agents.iter().for_each(Agent::close);
    crate::scene::until(&server, |stats| stats.allocations == 0).await;
}
