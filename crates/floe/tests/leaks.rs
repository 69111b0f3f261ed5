//! What is left of agents that are gone: nothing. One test in a process of its own, as it counts what the process
//! holds.

#[path = "loopback/support.rs"]
mod support;

use floe::Agent;
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

async fn closed_and_kept() -> Agent {
    let agent = local().start().await.expect("started");
    agent.close();
    agent
}

#[tokio::test]
async fn nothing_is_left_of_agents_that_are_gone() {
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
        kept.push(closed_and_kept().await);
    }
    tasks_come_down_to(0).await;
    assert_eq!(open_files(), files);
    assert_eq!(kept.len(), 10, "a closed agent holds no file even while its handle is kept");
}
