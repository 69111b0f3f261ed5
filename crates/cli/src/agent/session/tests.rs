use std::future::poll_fn;
use std::net::Ipv4Addr;

use serde_json::Value;
use tokio::sync::mpsc::channel;

use super::*;

/// More lines than any of these tests makes, so that no session waits for its output to be read.
const ROOM: usize = 4096;

async fn agent(controlling: bool) -> Agent {
    let builder = Agent::builder().bind(Ipv4Addr::LOCALHOST);
    let builder = if controlling { builder.controlling() } else { builder };
    builder.start().await.unwrap()
}

/// An agent, and a connection of its peer: both on their selected pair.
async fn connected() -> (Agent, Connection) {
    let (a, b) = (agent(true).await, agent(false).await);
    a.set_remote_credentials(b.local_credentials()).unwrap();
    b.set_remote_credentials(a.local_credentials()).unwrap();
    for (from, to) in [(&a, &b), (&b, &a)] {
        loop {
            match from.next_event().await.unwrap() {
                Event::LocalCandidate { candidate, .. } => drop(to.add_remote_candidate(&candidate).unwrap()),
                Event::GatheringStateChanged(GatheringState::Complete) => break,
                _ => {}
            }
        }
    }
    let (_, peer) = tokio::join!(a.completed(), b.completed());
    (a, peer.unwrap())
}

/// All that a session says to these lines, until it has read them all.
async fn talk(agent: Agent, lines: impl IntoIterator<Item = &'static str>) -> Vec<Value> {
    let (script, input) = channel(ROOM);
    for line in lines {
        script.try_send(Ok(line.to_owned())).unwrap();
    }
    drop(script);
    let (output, mut said) = channel(ROOM);
    let session = Session::new(agent, output, Remarks::to(std::io::sink())).unwrap();
    session.run(input).await.unwrap();
    let mut lines = Vec::new();
    while let Some(line) = said.recv().await {
        lines.push(serde_json::from_str(&line).unwrap());
    }
    lines
}

fn count(said: &[Value], kind: &str) -> usize {
    said.iter().filter(|line| line["type"] == kind).count()
}

fn errors(said: &[Value]) -> Vec<&str> {
    said.iter().filter_map(|line| line["message"].as_str()).collect()
}

#[tokio::test]
async fn a_script_that_says_a_lot_still_hears_its_peer() {
    let (agent, peer) = connected().await;
    peer.send(b"hello").await.unwrap();
    let connection = agent.connection(Component::default()).unwrap();
    poll_fn(|cx| connection.poll_recv_ready(cx)).await.unwrap();
    let said = talk(agent, std::iter::repeat_n("nonsense", 1000)).await;
    assert_eq!(count(&said, "error"), 1000);
    // By chance one of the next, not when the script makes a pause.
    let heard = said.iter().position(|line| line["type"] == "data").unwrap();
    assert!(heard < 50, "after {heard} lines");
}

#[tokio::test]
async fn every_bad_line_gets_its_error_and_the_agent_goes_on() {
    const CREDENTIALS: &str =
        r#"{"type":"remote-credentials","ufrag":"abcd","pwd":"0123456789012345678901"}"#;
    let said = talk(
        agent(true).await,
        [
            "nonsense",
            CREDENTIALS,
            CREDENTIALS,
            r#"{"type":"remote-credentials","ufrag":"abce","pwd":"0123456789012345678901"}"#,
            r#"{"type":"remote-credentials","ufrag":"a","pwd":"0123456789012345678901"}"#,
            r#"{"type":"remote-candidate","candidate":"a=candidate:1 1 udp 99 192.0.2.9 5000 typ host"}"#,
            r#"{"type":"remote-candidate","candidate":"candidate:1 1 udp 99 x.local 5000 typ host"}"#,
            r#"{"type":"remote-candidate","candidate":"candidate:1 1 tcp 99 192.0.2.9 9 typ host tcptype active"}"#,
            r#"{"type":"remote-candidate","candidate":"rubbish"}"#,
            r#"{"type":"remote-candidate","candidate":""}"#,
            r#"{"type":"close"}"#,
            "never read",
        ],
    )
    .await;
    let errors = errors(&said);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert_eq!(errors[0], "not a JSON object");
    assert!(errors[1].contains("changes both"), "{errors:?}");
    assert!(errors[2].contains("less than 4 characters"), "{errors:?}");
    assert!(errors[3].starts_with("remote-candidate: "), "{errors:?}");
    assert_eq!(said.first().unwrap()["type"], "credentials");
    assert_eq!(said.last().unwrap()["state"], "closed");
}

#[tokio::test]
async fn what_is_said_too_early_is_kept_up_to_a_bound() {
    let line = r#"{"type":"send","data":"early"}"#;
    let said = talk(agent(false).await, std::iter::repeat_n(line, MAX_HELD + 2)).await;
    let errors = errors(&said);
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("64 are waiting"), "{errors:?}");
}
