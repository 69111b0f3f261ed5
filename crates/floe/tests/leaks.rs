//! What is left of agents and servers that are gone: nothing. One test in a process of its own, as it counts what the process
//! holds.

#[path = "loopback/support.rs"]
mod support;

use floe::Agent;
use floe::server::{Transport, TurnServer};
use floe::turn::server::Credentials;
use support::{connected, deliver, exchange_credentials, local, soon, trickle};
use tokio::runtime::Handle;

/// Waits for the tasks to end that were told to.
async fn tasks_come_down_to(count: usize) {
    let ended = async {
        while Handle::current().metrics().num_alive_tasks() > count {
            tokio::task::yield_now().await;
        }
    };
    soon(ended).await;
}

/// Open files of this process, where the system shows them.
fn open_files() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/fd").ok()?.count())
}

/// Never answers.
struct Stuck;

impl floe::Resolver for Stuck {
    fn resolve(&self, _host: &str) -> floe::Resolving {
        Box::pin(std::future::pending())
    }
}

async fn dropped_at_once() {
    drop(local().start().await.expect("started"));
}

async fn dropped_while_gathering() {
    let agent = local().stun_server("stun.invalid").resolver(Stuck).start().await.expect("started");
    assert!(soon(agent.next_event()).await.is_some());
}

async fn dropped_while_checking() {
    let peer = local().start().await.expect("started");
    let agent = local().start().await.expect("started");
    exchange_credentials(&agent, &peer);
    soon(trickle(&peer, &agent)).await;
}

async fn dropped_while_connected() {
    let (_agents, (a, b)) = connected().await;
    deliver(&a, &b, b"the last words").await;
}

async fn connections_outlive_their_agents() {
    let (agents, (a, b)) = connected().await;
    drop(agents);
    deliver(&a, &b, b"the last words").await;
}

async fn dropped_with_calls_waiting() {
    let ((agent, _peer), (connection, _)) = connected().await;
    let receiving = tokio::spawn(async move { connection.recv(&mut [0; 1500]).await });
    let clone: Agent = agent.clone();
    let listening = tokio::spawn(async move { while clone.next_event().await.is_some() {} });
    tokio::task::yield_now().await;
    receiving.abort();
    listening.abort();
}

/// A server, and an agent that has a relay of it by each transport.
async fn served() -> (TurnServer, Agent) {
    let mut credentials = Credentials::new("example.org").expect("a realm");
    credentials.add_user("alice", "secret").expect("a name");
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = TurnServer::builder(credentials).listen(address).start().await.expect("started");
    let mut builder = local();
    for transport in [Transport::Udp, Transport::Tcp] {
        let address = server.local_addr(transport).expect("it listens");
        builder = builder.turn_server(format!("turn:{address}?transport={transport}"), "alice", "secret");
    }
    let agent = builder.start().await.expect("started");
    soon(agent.gathered()).await;
    assert_eq!(server.stats().allocations, 2);
    (server, agent)
}

async fn a_server_goes_before_its_client() {
    let (server, _agent) = served().await;
    soon(server.shutdown()).await;
}

async fn a_server_is_dropped_with_allocations() {
    let (server, agent) = served().await;
    drop(server);
    drop(agent);
}

async fn a_server_goes_after_its_client() {
    let (server, agent) = served().await;
    agent.close();
    while server.stats().allocations > 0 || server.stats().connections > 0 {
        tokio::task::yield_now().await;
    }
}

async fn closed_and_kept() -> Agent {
    let agent = local().start().await.expect("started");
    agent.close();
    agent
}

#[tokio::test]
async fn nothing_is_left_of_agents_and_servers_that_are_gone() {
    // What is opened once stays: the first agent does that.
    dropped_while_connected().await;
    tasks_come_down_to(0).await;
    let files = open_files();
    let mut kept = Vec::new();
    for _ in 0..10 {
        dropped_at_once().await;
        dropped_while_gathering().await;
        dropped_while_checking().await;
        dropped_while_connected().await;
        connections_outlive_their_agents().await;
        dropped_with_calls_waiting().await;
        a_server_goes_before_its_client().await;
        a_server_is_dropped_with_allocations().await;
        soon(a_server_goes_after_its_client()).await;
        kept.push(closed_and_kept().await);
    }
    tasks_come_down_to(0).await;
    assert_eq!(open_files(), files);
    assert_eq!(kept.len(), 10, "a closed agent holds no file even while its handle is kept");
}
