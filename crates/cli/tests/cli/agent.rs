//! `floe agent`: what a script sees.

use serde_json::{Value, json};

use crate::program::{Running, floe};

/// A running agent on loopback.
struct Agent(Running);

impl Agent {
    fn start(arguments: &[&str]) -> Self {
        Self(Running::start(&[&["agent"], arguments].concat()))
    }

    fn say_raw(&mut self, line: &str) {
        self.0.say(line);
    }

    fn say(&mut self, line: &Value) {
        self.say_raw(&line.to_string());
    }

    fn next(&self) -> Value {
        self.0.next()
    }

    fn next_of(&self, kind: &str) -> Value {
        self.0.next_of(kind)
    }

    /// Reads until the end of candidates, and gives what a peer is to be told.
    fn description(&self) -> Vec<Value> {
        let credentials = self.next();
        assert_eq!(credentials["type"], "credentials");
        let mut said = vec![
            json!({"type": "remote-credentials", "ufrag": credentials["ufrag"], "pwd": credentials["pwd"]}),
        ];
        assert_eq!(self.next(), json!({"type": "state", "state": "gathering"}));
        loop {
            let line = self.next();
            match line["type"].as_str() {
                Some("candidate") => {
                    said.push(json!({"type": "remote-candidate", "candidate": line["candidate"]}));
                }
                Some("end-of-candidates") => {
                    assert_eq!(line["ufrag"], credentials["ufrag"]);
                    said.push(json!({"type": "remote-end-of-candidates", "ufrag": line["ufrag"]}));
                    return said;
                }
                _ => panic!("not to be said while gathering: {line}"),
            }
        }
    }

    /// The same after a restart: states may come in between.
    fn next_description(&self) -> Vec<Value> {
        let credentials = self.next_of("credentials");
        let ufrag = credentials["ufrag"].as_str().expect("text").to_owned();
        let mut said = vec![json!({"type": "remote-credentials", "ufrag": ufrag, "pwd": credentials["pwd"]})];
        loop {
            let line = self.next();
            match line["type"].as_str() {
                Some("candidate") => {
                    let candidate = line["candidate"].as_str().expect("text");
                    assert!(candidate.ends_with(&format!(" ufrag {ufrag}")), "{candidate}");
                    said.push(json!({"type": "remote-candidate", "candidate": candidate}));
                }
                Some("end-of-candidates") => {
                    said.push(json!({"type": "remote-end-of-candidates", "ufrag": ufrag}));
                    return said;
                }
                Some("state") => {}
                _ => panic!("not to be said while gathering: {line}"),
            }
        }
    }

    fn wait_for_state(&self, state: &str) {
        while self.next_of("state")["state"] != state {}
    }

    /// What it still says, which ends with "closed", after which it exits with status 0.
    fn last_words(self) -> Vec<Value> {
        let (said, succeeded) = self.0.last_words();
        assert_eq!(said.last(), Some(&json!({"type": "state", "state": "closed"})), "{said:?}");
        assert!(succeeded);
        said
    }
}

/// Two agents that know of each other.
fn introduced() -> [Agent; 2] {
    let mut agents = [Agent::start(&["--controlling"]), Agent::start(&["--controlled"])];
    let descriptions = agents.each_ref().map(Agent::description);
    for (agent, description) in agents.iter_mut().rev().zip(&descriptions) {
        description.iter().for_each(|line| agent.say(line));
    }
    agents
}

#[test]
fn two_agents_connect_and_exchange_any_text() {
    let [mut a, mut b] = introduced();
    for agent in [&a, &b] {
        agent.wait_for_state("connected");
    }
    let texts = ["first", "é ✓ 𝄞", "\"quoted\" \\ \t\r\n", "", &"x".repeat(1200)];
    for text in texts {
        a.say(&json!({"type": "send", "data": text}));
        assert_eq!(b.next_of("data")["data"], *text);
        b.say(&json!({"type": "send", "data": text}));
        assert_eq!(a.next_of("data")["data"], *text);
    }
    a.say(&json!({"type": "close"}));
    a.last_words();
    b.0.end_input();
    b.last_words();
}

#[test]
fn both_select_the_same_pair() {
    let agents = introduced();
    let [a, b] = agents.each_ref().map(|agent| agent.next_of("selected-pair"));
    assert_eq!((&a["local"], &a["remote"]), (&b["remote"], &b["local"]));
    assert!(a["local"].as_str().is_some_and(|line| line.starts_with("candidate:")), "{a}");
    for agent in &agents {
        agent.wait_for_state("completed");
    }
}

#[test]
fn what_is_sent_too_early_arrives_in_order_when_there_is_a_path() {
    let mut agents = [Agent::start(&["--controlling"]), Agent::start(&[])];
    let descriptions = agents.each_ref().map(Agent::description);
    for number in 0..65 {
        agents[0].say(&json!({"type": "send", "data": format!("{number}")}));
    }
    let refused = agents[0].next();
    assert_eq!(refused["message"], "send: 64 are waiting for the connection already");
    for (agent, description) in agents.iter_mut().rev().zip(&descriptions) {
        description.iter().for_each(|line| agent.say(line));
    }
    for number in 0..64 {
        assert_eq!(agents[1].next_of("data")["data"], format!("{number}"));
    }
}

#[test]
fn a_bad_line_is_answered_and_the_agent_goes_on() {
    let mut agent = Agent::start(&[]);
    agent.description();
    let candidate = |line: &str| json!({"type": "remote-candidate", "candidate": line}).to_string();
    let send = |size: usize| json!({"type": "send", "data": "x".repeat(size)}).to_string();
    for (line, expected) in [
        ("nonsense", "not a JSON object"),
        (r#"{"type":"sing"}"#, "unknown variant `sing`"),
        (r#"{"type":"send"}"#, "missing field `data`"),
        (r#"{"type":"remote-credentials","ufrag":"a","pwd":"b"}"#, "remote-credentials: "),
        (&candidate("candidate:1 1 UDP"), "remote-candidate: candidate line: "),
        (&send(65_508), "send: the datagram is too large"),
        (&"x".repeat(2 << 20), "a line of more than 1048576 bytes"),
    ] {
        agent.say_raw(line);
        let error = agent.next();
        assert_eq!(error["type"], "error", "{error}");
        assert!(error["message"].as_str().is_some_and(|said| said.starts_with(expected)), "{error}");
    }
    // Candidates for others are no errors, and neither is an empty line.
    agent.say_raw(&candidate("candidate:1 1 UDP 5 1f4712db.local 7 typ host"));
    agent.say_raw(&candidate("candidate:1 1 SCTP 5 192.0.2.1 7 typ host"));
    agent.say_raw("");
    agent.say(&json!({"type": "close"}));
    assert_eq!(agent.last_words().len(), 1);
}

#[test]
fn the_end_of_the_input_ends_it() {
    let mut agent = Agent::start(&["--controlled"]);
    agent.description();
    agent.0.end_input();
    assert_eq!(agent.last_words().len(), 1);
}

#[test]
fn other_credentials_of_the_peer_restart_and_halves_of_them_are_refused() {
    let mut agent = Agent::start(&[]);
    let first = agent.description();
    let credentials = |ufrag: &str, pwd: &str| {
        let pwd = pwd.repeat(22);
        json!({"type": "remote-credentials", "ufrag": ufrag, "pwd": pwd})
    };
    agent.say(&credentials("abcd", "a"));
    agent.say(&credentials("abcd", "a"));
    agent.say(&credentials("efgh", "a"));
    let message = agent.next()["message"].to_string();
    assert!(message.contains("changes both ufrag and pwd"), "{message}");
    agent.say(&credentials("efgh", "b"));
    let second = agent.next_description();
    assert_eq!(first.len(), second.len());
    assert!(first.iter().all(|line| !second.contains(line)), "{first:?} {second:?}");
    agent.say(&credentials("abcd", "a"));
    let message = agent.next()["message"].to_string();
    assert!(message.contains("from before an ICE restart"), "{message}");
}

#[test]
fn a_restart_prints_new_credentials_and_candidates_and_data_goes_on() {
    let [mut a, mut b] = introduced();
    for agent in [&a, &b] {
        agent.wait_for_state("completed");
    }
    let exchange = |a: &mut Agent, b: &mut Agent, text: &str| {
        a.say(&json!({"type": "send", "data": text}));
        assert_eq!(b.next_of("data")["data"], *text);
        b.say(&json!({"type": "send", "data": text}));
        assert_eq!(a.next_of("data")["data"], *text);
    };
    for round in 0..3 {
        exchange(&mut a, &mut b, "before");
        a.say(&json!({"type": "restart"}));
        let offer = a.next_description();
        exchange(&mut a, &mut b, "the peer does not know of it");
        offer.iter().for_each(|line| b.say(line));
        let answer = b.next_description();
        exchange(&mut a, &mut b, "the answer is on its way");
        answer.iter().for_each(|line| a.say(line));
        for agent in [&a, &b] {
            agent.wait_for_state("completed");
        }
        exchange(&mut a, &mut b, &format!("after restart {round}"));
    }
}

#[test]
fn wrong_arguments_are_explained() {
    assert!(floe(&["agent", "--controlling", "--controlled"]).error(2).contains("cannot be used with"));
    assert!(floe(&["agent", "--stun", "stun:"]).error(2).contains("server \"stun:\""));
    assert!(floe(&["agent", "--bind", "0.0.0.0"]).error(2).contains("cannot bind to 0.0.0.0"));
    assert!(
        floe(&["agent", "--bind", "localhost"])
            .error(2)
            .contains("invalid value 'localhost' for '--bind <IP>'")
    );
}
