//! One agent, between a script and its peer.

use std::collections::VecDeque;

use floe::{
    Agent, Candidate, Component, Connection, ConnectionState, Credentials, Event, GatheringState, SendError,
};
use tokio::sync::mpsc::{Receiver, Sender};

use super::protocol::{Input, Output, State};
use super::remarks::Remarks;

/// Data that was to be sent before there was a path, kept until there is one.
const MAX_HELD: usize = 64;

/// The largest payload of a UDP datagram over IPv4, in bytes.
const MAX_PAYLOAD: usize = 65_507;

/// Nobody reads the output any more.
#[derive(Debug)]
pub(crate) struct OutputClosed;

/// The agent, and what is still to be sent.
pub(crate) struct Session {
    agent: Agent,
    connection: Connection,
    held: VecDeque<String>,
    /// What the agent is called in this session of ICE.
    ufrag: String,
    /// There is something to receive: until the agent has failed, and again when it is restarted.
    receiving: bool,
    output: Sender<String>,
    remarks: Remarks,
}

/// What comes next.
enum Next {
    Event(Option<Event>),
    Line(Option<Result<String, String>>),
    Data(Option<usize>),
}

impl Session {
    /// A session of an agent that has just been started.
    pub(crate) fn new(
        agent: Agent,
        output: Sender<String>,
        remarks: Remarks,
    ) -> Result<Self, floe::AgentError> {
        let connection = agent.connection(Component::default())?;
        let (held, ufrag) = (VecDeque::new(), String::new());
        Ok(Self { agent, connection, held, ufrag, receiving: true, output, remarks })
    }

    /// Talks until the input ends or says so; then the agent is closed.
    pub(crate) async fn run(
        mut self,
        mut input: Receiver<Result<String, String>>,
    ) -> Result<(), OutputClosed> {
        self.say_credentials(self.agent.local_credentials()).await?;
        self.say(&Output::State { state: State::Gathering }).await?;
        let mut buffer = vec![0; usize::from(u16::MAX)];
        loop {
            let next = tokio::select! {
                biased; // what happened is told before what was received because of it
                event = self.agent.next_event() => Next::Event(event),
                next = line_or_data(&mut input, &self.connection, &mut buffer, self.receiving) => next,
            };
            match next {
                Next::Event(Some(event)) => self.take_event(event).await?,
                Next::Line(Some(line)) => {
                    if self.take_line(line).await?.is_break() {
                        break;
                    }
                }
                Next::Data(Some(len)) => {
                    let data = String::from_utf8_lossy(buffer.get(..len).unwrap_or_default()).into_owned();
                    self.say(&Output::Data { data }).await?;
                }
                Next::Data(None) => self.receiving = false,
                Next::Event(None) | Next::Line(None) => break,
            }
        }
        self.agent.close();
        self.say(&Output::State { state: State::Closed }).await
    }

    async fn say_credentials(&mut self, credentials: Credentials) -> Result<(), OutputClosed> {
        credentials.ufrag().clone_into(&mut self.ufrag);
        let (ufrag, pwd) = (credentials.ufrag().to_owned(), credentials.pwd().to_owned());
        self.say(&Output::Credentials { ufrag, pwd }).await
    }

    async fn say(&self, output: &Output) -> Result<(), OutputClosed> {
        self.output.send(output.to_line()).await.map_err(|_| OutputClosed)
    }

    // --- from the agent -------------------------------------------------------------------------------------------

    async fn take_event(&mut self, event: Event) -> Result<(), OutputClosed> {
        match event {
            Event::LocalCandidate { candidate, .. } => self.say(&Output::candidate(&candidate)).await?,
            Event::GatheringStateChanged(GatheringState::Complete) => {
                self.say(&Output::EndOfCandidates { ufrag: self.ufrag.clone() }).await?;
            }
            Event::GatheringProblem { server, address, failure } => {
                let server = server.map_or_else(String::new, |server| format!(" from {server}"));
                let address = address.map_or_else(String::new, |address| format!(" at {address}"));
                self.remarks.say(&format!("gathering{server}{address}: {failure}"));
            }
            Event::Restarted { credentials, .. } => {
                self.receiving = true;
                self.say_credentials(credentials).await?;
            }
            Event::StateChanged(state) => self.take_state(state).await?,
            Event::SelectedPairChanged { pair, .. } => {
                self.say(&Output::selected_pair(&pair.local, &pair.remote)).await?;
            }
            _ => {}
        }
        self.send_held().await
    }

    async fn take_state(&mut self, state: ConnectionState) -> Result<(), OutputClosed> {
        match State::of(state) {
            // It is said at the very end.
            None | Some(State::Closed) => Ok(()),
            Some(state) => self.say(&Output::State { state }).await,
        }
    }

    // --- from the script ------------------------------------------------------------------------------------------

    async fn take_line(
        &mut self,
        line: Result<String, String>,
    ) -> Result<std::ops::ControlFlow<()>, OutputClosed> {
        let done = match line.and_then(|line| Input::parse(&line)) {
            Ok(Input::Close) => return Ok(std::ops::ControlFlow::Break(())),
            Ok(Input::Send { data }) => {
                self.send(data).await?;
                Ok(())
            }
            Ok(Input::RemoteCredentials { ufrag, pwd }) => self.set_credentials(&ufrag, &pwd),
            Ok(Input::RemoteCandidate { candidate }) => self.add_candidate(&candidate),
            Ok(Input::RemoteEndOfCandidates { ufrag }) => self.end_of_candidates(ufrag.as_deref()),
            Ok(Input::Restart) => self.agent.restart().map_err(|error| format!("restart: {error}")),
            Err(fault) => Err(fault),
        };
        if let Err(message) = done {
            self.say(&Output::error(message)).await?;
        }
        Ok(std::ops::ControlFlow::Continue(()))
    }

    fn set_credentials(&self, ufrag: &str, pwd: &str) -> Result<(), String> {
        let credentials =
            Credentials::new(ufrag, pwd).map_err(|error| format!("remote-credentials: {error}"))?;
        self.agent.set_remote_credentials(credentials).map_err(|error| format!("remote-credentials: {error}"))
    }

    /// An empty line means the end of candidates, as in `RTCIceCandidate`. A candidate of a kind that the agent does not
    /// speak is no error: it is for others.
    fn add_candidate(&self, line: &str) -> Result<(), String> {
        if line.is_empty() {
            return self.end_of_candidates(None);
        }
        let candidate: Candidate = match line.parse() {
            Ok(candidate) => candidate,
            Err(error) if error.is_ignorable() => {
                self.remarks.say(&format!("remote candidate ignored: {error}"));
                return Ok(());
            }
            Err(error) => return Err(format!("remote-candidate: {error}")),
        };
        match self.agent.add_remote_candidate(&candidate) {
            Ok(floe::AddedCandidate::Ignored(why)) => {
                self.remarks.say(&format!("remote candidate ignored: {why}"));
                Ok(())
            }
            Ok(_) => Ok(()),
            Err(error) => Err(format!("remote-candidate: {error}")),
        }
    }

    fn end_of_candidates(&self, ufrag: Option<&str>) -> Result<(), String> {
        let ended = match ufrag {
            Some(ufrag) => self.agent.end_of_remote_candidates_of(ufrag),
            None => self.agent.end_of_remote_candidates(),
        };
        ended.map_err(|error| format!("remote-end-of-candidates: {error}"))
    }

    // --- to the peer ----------------------------------------------------------------------------------------------

    /// Sends, or keeps what is to be sent until there is a path.
    async fn send(&mut self, data: String) -> Result<(), OutputClosed> {
        if data.len() > MAX_PAYLOAD {
            return self.not_sent(SendError::TooLarge).await;
        }
        if self.held.len() >= MAX_HELD {
            return self
                .say(&Output::error(format!("send: {MAX_HELD} are waiting for the connection already")))
                .await;
        }
        self.held.push_back(data);
        self.send_held().await
    }

    /// Sends what was kept, in its order.
    async fn send_held(&mut self) -> Result<(), OutputClosed> {
        while let Some(data) = self.held.front() {
            match self.connection.send(data.as_bytes()).await {
                Ok(()) => {}
                Err(SendError::NotConnected) if self.agent.state() != ConnectionState::Failed => {
                    return Ok(());
                }
                Err(SendError::NotConnected) => self.not_sent("there is no path to the peer").await?,
                Err(error) => self.not_sent(error).await?,
            }
            self.held.pop_front();
        }
        Ok(())
    }

    async fn not_sent(&self, error: impl std::fmt::Display) -> Result<(), OutputClosed> {
        self.say(&Output::error(format!("send: {error}"))).await
    }
}

/// What the script or the peer says next, in no order: neither keeps the other from being heard by saying a lot.
async fn line_or_data(
    input: &mut Receiver<Result<String, String>>,
    connection: &Connection,
    buffer: &mut [u8],
    receiving: bool,
) -> Next {
    tokio::select! {
        line = input.recv() => Next::Line(line),
        received = connection.recv(buffer), if receiving => Next::Data(received.ok()),
    }
}

#[cfg(test)]
mod tests;
