//! What gathering brought to light, and in which words.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe::ice::candidate::CandidateKind;
use floe::{AskedServer, Candidate, Event};
use serde_json::{Value, json};

use crate::duration::short;

/// Something that gathering brought to light.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Finding {
    Candidate {
        candidate: Candidate,
        interface: Option<String>,
        /// The server that told it.
        server: Option<String>,
    },
    /// A server answered and said nothing new.
    Answer {
        server: String,
        address: SocketAddr,
        mapped: SocketAddr,
    },
    Failure {
        server: Option<String>,
        address: Option<SocketAddr>,
        reason: String,
    },
}

/// All that was found so far.
#[derive(Debug)]
pub(crate) struct Report {
    /// Names of the interfaces that addresses belong to.
    interfaces: BTreeMap<IpAddr, String>,
    servers: Vec<String>,
    candidates: usize,
    /// What servers said: the server, our address, and what it is seen as.
    answers: Vec<(String, SocketAddr, SocketAddr)>,
    /// An answer that may be followed by the candidate it is for.
    pending: Option<(String, SocketAddr, SocketAddr)>,
}

impl Report {
    /// A report on gathering at these servers, on a machine with these interfaces.
    pub(crate) fn new(interfaces: BTreeMap<IpAddr, String>, servers: &[AskedServer]) -> Self {
        let servers = servers.iter().map(ToString::to_string).collect();
        Self { interfaces, servers, candidates: 0, answers: Vec::new(), pending: None }
    }

    /// What an event says. An answer waits for the next event: if that is its candidate, the two are one finding.
    pub(crate) fn take(&mut self, event: Event) -> Vec<Finding> {
        let mut findings = Vec::new();
        let pending = self.pending.take();
        let server = match (&pending, &event) {
            (Some((server, _, mapped)), Event::LocalCandidate { candidate, .. })
                if candidate.kind() == CandidateKind::ServerReflexive && candidate.address() == *mapped =>
            {
                Some(server.clone())
            }
            _ => {
                findings.extend(pending.map(|(server, address, mapped)| Finding::Answer {
                    server,
                    address,
                    mapped,
                }));
                None
            }
        };
        match event {
            Event::LocalCandidate { candidate, .. } => {
                self.candidates += 1;
                let base = candidate.related_address().unwrap_or_else(|| candidate.address());
                let interface = self.interfaces.get(&base.ip()).cloned();
                findings.push(Finding::Candidate { candidate, interface, server });
            }
            Event::ServerAnswered { server, address, mapped } => {
                let answer = (server.to_string(), address, mapped);
                self.answers.push(answer.clone());
                self.pending = Some(answer);
            }
            Event::GatheringProblem { server, address, failure } => {
                let server = server.map(|server| server.to_string());
                findings.push(Finding::Failure { server, address, reason: failure.to_string() });
            }
            _ => {}
        }
        findings
    }

    /// The answer that still waited for its candidate.
    pub(crate) fn finish(&mut self) -> Option<Finding> {
        let (server, address, mapped) = self.pending.take()?;
        Some(Finding::Answer { server, address, mapped })
    }

    /// How many candidates there are.
    pub(crate) const fn candidates(&self) -> usize {
        self.candidates
    }

    /// The servers that did not answer from any address.
    pub(crate) fn silent_servers(&self) -> Vec<&str> {
        let answered = |server: &String| self.answers.iter().any(|(by, ..)| by == server);
        self.servers.iter().filter(|server| !answered(server)).map(String::as_str).collect()
    }

    /// What the answers say about the NAT before an address; nothing when too few servers answered.
    pub(crate) fn insights(&self) -> Vec<String> {
        let mut seen: BTreeMap<SocketAddr, Vec<(&str, SocketAddr)>> = BTreeMap::new();
        for (server, address, mapped) in &self.answers {
            seen.entry(*address).or_default().push((server, *mapped));
        }
        seen.into_iter().filter_map(|(address, answers)| insight(address, &answers)).collect()
    }
}

/// RFC 4787 §4.1, as far as a few answers can tell.
fn insight(address: SocketAddr, answers: &[(&str, SocketAddr)]) -> Option<String> {
    let (first_server, first) = answers.first()?;
    if answers.iter().all(|(_, mapped)| *mapped == address) {
        return Some(format!("{address} is seen as it is: no NAT"));
    }
    if answers.iter().any(|(_, mapped)| mapped != first) {
        return Some(format!(
            "{address} is seen differently by different servers: its NAT maps by destination (symmetric), so peers \
             behind such NATs need a relay"
        ));
    }
    let several = answers.iter().any(|(server, _)| server != first_server);
    several.then(|| format!("{address} is seen as {first} by every server: its NAT suits direct connections"))
}

impl Finding {
    /// A line for people.
    pub(crate) fn to_line(&self, at: Duration) -> String {
        let at = short(at);
        match self {
            Self::Candidate { candidate, interface, server } => {
                let address = candidate.address().to_string();
                let interface = interface.as_deref().unwrap_or("-");
                let server = server.as_ref().map_or_else(String::new, |server| format!("  told by {server}"));
                let kind = candidate.kind().to_string();
                format!("{at:>8}  {kind:6}  {address:24}  {interface}{server}")
            }
            Self::Answer { server, address, mapped } if address == mapped => {
                format!("{at:>8}  answer  {server} sees {address} as it is: no new candidate")
            }
            Self::Answer { server, address, mapped } => {
                format!("{at:>8}  answer  {server} sees {address} as {mapped}: no new candidate")
            }
            Self::Failure { server, address, reason } => {
                let address = address.map(|address| match address.port() {
                    0 => address.ip().to_string(), // a socket that was not even opened
                    _ => address.to_string(),
                });
                let what = match (server, address) {
                    (Some(server), Some(address)) => format!("{server} (from {address})"),
                    (Some(server), None) => server.clone(),
                    (None, Some(address)) => address,
                    (None, None) => "this machine".to_owned(),
                };
                format!("{at:>8}  failed  {what}: {reason}")
            }
        }
    }

    /// An object for programs.
    pub(crate) fn to_json(&self, at: Duration) -> Value {
        let mut object = match self {
            Self::Candidate { candidate, interface, server } => json!({
                "type": "candidate",
                "candidate": candidate.to_string(),
                "kind": candidate.kind().to_string(),
                "address": candidate.address(),
                "relatedAddress": candidate.related_address(),
                "interface": interface,
                "server": server,
            }),
            Self::Answer { server, address, mapped } => {
                json!({ "type": "answer", "server": server, "address": address, "mapped": mapped })
            }
            Self::Failure { server, address, reason } => {
                json!({ "type": "failure", "server": server, "address": address, "message": reason })
            }
        };
        object["milliseconds"] = (at.as_micros() as f64 / 1e3).into();
        object
    }
}

#[cfg(test)]
mod tests {
    use floe::{GatheringFailure, GatheringState, StreamId};

    use super::*;

    const BASE: &str = "192.168.1.5:5000";
    const MAPPED: &str = "203.0.113.9:6000";
    const AT: Duration = Duration::from_millis(45);

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn server(name: &str) -> AskedServer {
        floe::ServerAddress::Name { host: name.to_owned(), port: 3478 }.into()
    }

    fn report() -> Report {
        let interfaces = BTreeMap::from([(address(BASE).ip(), "eth0".to_owned())]);
        Report::new(interfaces, &[server("one"), server("two")])
    }

    fn answer(name: &str, mapped: &str) -> Event {
        Event::ServerAnswered { server: server(name), address: address(BASE), mapped: address(mapped) }
    }

    fn found(candidate: Candidate) -> Event {
        Event::LocalCandidate { stream: StreamId::FIRST, candidate }
    }

    fn reflexive(mapped: &str) -> Event {
        found(Candidate::server_reflexive(address(mapped), address(BASE)))
    }

    fn lines(report: &mut Report, events: impl IntoIterator<Item = Event>) -> Vec<String> {
        let mut findings: Vec<Finding> = events.into_iter().flat_map(|event| report.take(event)).collect();
        findings.extend(report.finish());
        findings.iter().map(|finding| finding.to_line(AT)).collect()
    }

    #[test]
    fn each_candidate_is_told_with_where_it_comes_from() {
        let mut report = report();
        let told = lines(
            &mut report,
            [
                found(Candidate::host(address(BASE))),
                answer("one", MAPPED),
                reflexive(MAPPED),
                answer("two", MAPPED),
            ],
        );
        assert_eq!(
            told,
            [
                " 45.0 ms  host    192.168.1.5:5000          eth0",
                " 45.0 ms  srflx   203.0.113.9:6000          eth0  told by one:3478",
                " 45.0 ms  answer  two:3478 sees 192.168.1.5:5000 as 203.0.113.9:6000: no new candidate",
            ]
        );
        assert_eq!(report.candidates(), 2);
        assert!(report.silent_servers().is_empty());
        assert_eq!(
            report.insights(),
            [
                "192.168.1.5:5000 is seen as 203.0.113.9:6000 by every server: its NAT suits direct connections"
            ]
        );
    }

    #[test]
    fn a_server_that_failed_is_told_with_the_reason() {
        let mut report = report();
        let failure = |server, address| Event::GatheringProblem {
            server,
            address,
            failure: GatheringFailure::ServerTimeout,
        };
        let told = lines(
            &mut report,
            [
                answer("one", BASE),
                failure(Some(server("two")), Some(address(BASE))),
                failure(None, None),
                failure(None, Some(address("192.168.1.6:0"))),
                Event::GatheringStateChanged(GatheringState::Complete),
            ],
        );
        assert_eq!(
            told,
            [
                " 45.0 ms  answer  one:3478 sees 192.168.1.5:5000 as it is: no new candidate",
                " 45.0 ms  failed  two:3478 (from 192.168.1.5:5000): the server did not answer",
                " 45.0 ms  failed  this machine: the server did not answer",
                " 45.0 ms  failed  192.168.1.6: the server did not answer",
            ]
        );
        assert_eq!(report.silent_servers(), ["two:3478"]);
        assert_eq!(report.insights(), ["192.168.1.5:5000 is seen as it is: no NAT"]);
    }

    #[test]
    fn a_nat_that_maps_by_destination_is_noticed_and_one_answer_tells_nothing() {
        let mut report = report();
        lines(&mut report, [answer("one", MAPPED)]);
        assert!(report.insights().is_empty());
        lines(&mut report, [answer("two", "203.0.113.9:6001")]);
        let insights = report.insights();
        assert!(insights[0].contains("maps by destination (symmetric)"), "{insights:?}");
    }

    #[test]
    fn json_has_what_the_lines_have() {
        let mut report = report();
        let findings: Vec<Value> = [answer("one", MAPPED), reflexive(MAPPED), answer("two", MAPPED)]
            .into_iter()
            .flat_map(|event| report.take(event))
            .map(|finding| finding.to_json(AT))
            .collect();
        let candidate = &findings[0];
        assert_eq!(candidate["type"], "candidate");
        assert_eq!(candidate["address"], MAPPED);
        assert_eq!(candidate["relatedAddress"], BASE);
        assert_eq!((&candidate["interface"], &candidate["server"]), (&json!("eth0"), &json!("one:3478")));
        assert_eq!(candidate["milliseconds"], 45.0);
        let answer = report.finish().unwrap().to_json(AT);
        assert_eq!((&answer["type"], &answer["mapped"]), (&json!("answer"), &json!(MAPPED)));
    }
}
