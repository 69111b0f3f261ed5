//! Agents that reach each other through the server only.

use std::net::Ipv4Addr;

use floe::ice::candidate::CandidateKind;
use floe::server::{Transport, TurnServer};
use floe::{Agent, Builder, RelayServer, Role};

use crate::scene::{PASSWORD, USER, at, settings, soon, start, until};

fn builder(server: &TurnServer, transport: Transport) -> Builder {
    let address = at(server, transport);
    let builder = Agent::builder().bind(Ipv4Addr::LOCALHOST).relay_only();
    let add =
        |builder: Builder, relay: RelayServer| builder.configure(|config| config.gather.relays.push(relay));
    let relay = |uri: String| RelayServer::from_uri(&uri, USER, PASSWORD).expect("a URI");
    match transport {
        #[cfg(feature = "tls")]
        Transport::Tls => {
            let relay = relay(format!("turns:{address}")).with_tls_name(crate::tls::NAME);
            add(builder.tls_roots(crate::tls::root()), relay)
        }
        plain => add(builder, relay(format!("turn:{address}?transport={plain}"))),
    }
}

async fn meet(server: &TurnServer, transport: Transport) {
    let start = async |role| builder(server, transport).role(role).start().await.expect("started");
    let agents = [start(Role::Controlling).await, start(Role::Controlled).await];
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
    until(server, |stats| stats.allocations == 0 && stats.connections == 0).await;
}

#[tokio::test]
async fn agents_that_use_relays_only_exchange_data_over_every_transport() {
    let server = start(settings()).await;
    for transport in [Transport::Udp, Transport::Tcp] {
        meet(&server, transport).await;
    }
    #[cfg(feature = "tls")]
    meet(&server, Transport::Tls).await;
}
