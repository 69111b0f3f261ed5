//! `floe join`: a terminal in a room of `floe serve`, with a browser or another terminal.

mod address;
mod call;
mod room;

use std::io::{self, BufReader};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use floe::{ConnectionState, Event as AgentEvent};
use floe_signal::message::{EndReason, Envelope, Message, ParticipantId, Welcome};
use floe_signal::{Config, Event, Session};
use tokio::sync::mpsc::Receiver;

use crate::agent::lines;
use crate::agent_args::AgentArgs;
use crate::direct::tell;
use crate::failure::{Failure, Outcome};
use crate::talk::{Said, Screen, Step, Talk, TalkArgs};

use address::Address;
use call::{Call, Means};
use room::{Heard, Room};

/// Enter a room of floe serve and talk to who is there
///
/// The other side may be a browser on the page of the server, or another floe join.
/// Lines that are typed are sent, /send FILE sends a file, /pairs shows the
/// candidate pairs, /restart restarts ICE, /quit ends it. It ends when its input
/// does and everything has arrived, or when the other side leaves; with --stay it
/// waits in the room for the next.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// The address of the room: http://HOST:PORT/ROOM, with
    /// #token=TOKEN where the server wants one
    #[arg(value_name = "URL", verbatim_doc_comment)]
    url: String,

    /// The name to show to the other side
    #[arg(long, default_value = "floe")]
    name: String,

    #[command(flatten)]
    agent: AgentArgs,

    #[command(flatten)]
    talk: TalkArgs,
}

/// Runs `floe join`.
pub(crate) fn run(args: &Args) -> Outcome {
    let address = Address::parse(&args.url).map_err(Failure::Usage)?;
    crate::runtime::new()?.block_on(async {
        let (room, welcome) = Room::enter(address, args.name.clone()).await?;
        let means = Means { agent: &args.agent, talk: &args.talk, begun: Instant::now() };
        let screen = Screen::new(args.talk.json);
        screen.say(&Said::State(&format!("in the room as {}", welcome.id)))?;
        let mut visit = Visit {
            room,
            welcome,
            session: None,
            peer: None,
            call: None,
            means,
            screen,
            ended: None,
            lost_room: None,
        };
        let ended = visit.stay(lines::read(BufReader::new(io::stdin()))).await;
        visit.say_goodbye().await;
        ended
    })
}

/// Our time in the room.
struct Visit<'a> {
    room: Room,
    welcome: Welcome,
    session: Option<Session>,
    /// With whom it is.
    peer: Option<ParticipantId>,
    call: Option<Call>,
    means: Means<'a>,
    screen: Screen,
    /// How it ends, once the peer has ended it.
    ended: Option<Outcome>,
    /// Why there is no way back to the room. A conversation goes on without it.
    lost_room: Option<String>,
}

/// What comes next.
enum Next {
    Heard(Heard),
    Agent(Option<AgentEvent>),
    Talk(Result<Step, Failure>),
    Line(Option<Result<String, String>>),
    Time,
}

impl Visit<'_> {
    async fn stay(&mut self, mut lines: Receiver<Result<String, String>>) -> Outcome {
        // Who enters calls who is there.
        if let Some(peer) = self.welcome.participants.first().map(|peer| peer.id.clone()) {
            self.meet(peer)?;
            let now = self.means.now();
            if let Some(session) = &mut self.session {
                session.start(now).map_err(|error| Failure::Failed(error.to_string()))?;
            }
            self.call = Some(Call::new(&self.means, &self.welcome, true).await?);
        }
        let mut input_open = true;
        loop {
            self.settle().await?;
            if let Some(ended) = self.ended.take() {
                return ended;
            }
            // Lines wait for someone to hear them.
            let has_talk = self.call.as_ref().is_some_and(|call| call.talk.is_some());
            if let Some(reason) = self.lost_room.take_if(|_| !has_talk) {
                return Err(Failure::Failed(reason));
            }
            let next = self.next(&mut lines, input_open && has_talk).await;
            match next {
                Next::Heard(Heard::Message(envelope)) => self.take_message(*envelope).await?,
                Next::Heard(Heard::Lost) => {
                    self.screen.say(&Said::State("the way to the room is lost"))?;
                    if let Some(session) = &mut self.session {
                        session.transport_lost(self.means.now());
                    }
                }
                Next::Heard(Heard::Back(welcome)) => self.come_back(*welcome)?,
                Next::Heard(Heard::Gone(reason)) => {
                    self.screen.say(&Said::Problem(&reason))?;
                    self.lost_room = Some(reason);
                }
                Next::Agent(Some(event)) => self.take_agent_event(&event)?,
                Next::Agent(None) | Next::Time => {}
                Next::Line(line) => {
                    input_open &= line.is_some();
                    self.take_line(line)?;
                }
                Next::Talk(step) => match step? {
                    Step::Over(reason) => {
                        if let Some(ended) = self.over(reason)? {
                            return ended;
                        }
                    }
                    Step::On | Step::Restart => {}
                },
            }
        }
    }

    async fn next(&mut self, lines: &mut Receiver<Result<String, String>>, listens: bool) -> Next {
        let now = self.means.now();
        let due = self.session.as_ref().and_then(Session::poll_timeout);
        let due = due.map(|due| tokio::time::Instant::now() + due.saturating_since(now));
        let (agent, talk) = match &mut self.call {
            Some(call) => (Some(&call.agent), call.talk.as_mut()),
            None => (None, None),
        };
        tokio::select! {
            heard = self.room.next() => Next::Heard(heard),
            event = async { match agent { Some(agent) => agent.next_event().await, None => std::future::pending().await } } => Next::Agent(event),
            step = async { match talk { Some(talk) => talk.next().await, None => std::future::pending().await } } => Next::Talk(step),
            line = lines.recv(), if listens => Next::Line(line),
            () = async { match due { Some(due) => tokio::time::sleep_until(due).await, None => std::future::pending().await } } => Next::Time,
        }
    }

    /// A session with this participant.
    fn meet(&mut self, peer: ParticipantId) -> Outcome {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let number = u64::try_from(since.as_millis()).unwrap_or(1);
        self.peer = Some(peer.clone());
        let session = Session::new(Config::new(self.welcome.id.clone(), peer, number));
        self.session = Some(session.map_err(|error| Failure::Failed(error.to_string()))?);
        Ok(())
    }

    // --- from the room --------------------------------------------------------------------------------------------

    async fn take_message(&mut self, envelope: Envelope) -> Outcome {
        match (&envelope.message, &envelope.from) {
            (Message::Ping, _) => self.room.send(&Envelope::new(Message::Pong)).await,
            (Message::Left(id), _) if self.peer.as_ref() == Some(id) => {
                if let Some(session) = &mut self.session {
                    session.peer_left();
                }
            }
            (Message::Error { text, .. }, None) => self.screen.say(&Said::Problem(text))?,
            (_, Some(from)) => {
                // Without a call, whoever speaks is the next.
                if self.session.is_none() || self.call.is_none() && self.peer.as_ref() != Some(from) {
                    self.meet(from.clone())?;
                }
                let now = self.means.now();
                if let Some(session) = &mut self.session {
                    // What does not fit is answered by the session itself.
                    let _ = session.handle_message(envelope, now);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn come_back(&mut self, welcome: Welcome) -> Outcome {
        self.welcome = welcome;
        if let Some(session) = &mut self.session {
            session.transport_resumed(self.means.now());
        }
        self.screen.say(&Said::State("back in the room"))
    }

    // --- from the agent and the user ------------------------------------------------------------------------------

    fn take_agent_event(&mut self, event: &AgentEvent) -> Outcome {
        let Some(call) = &mut self.call else { return Ok(()) };
        if let AgentEvent::StateChanged(ConnectionState::Failed) = event {
            return Err(Failure::Failed("no path to the other side works".to_owned()));
        }
        call.talk.as_ref().map_or(Ok(()), |talk| tell(talk, event))
    }

    fn take_line(&mut self, line: Option<Result<String, String>>) -> Outcome {
        let Some(call) = &mut self.call else { return Ok(()) };
        let Some(talk) = &mut call.talk else { return Ok(()) };
        match line {
            Some(Ok(line)) => {
                if talk.take_line(&line, &call.agent)? == Step::Restart {
                    call.restart()?;
                }
                Ok(())
            }
            Some(Err(fault)) => talk.tell(&Said::Problem(&fault)),
            None => talk.input_ended(),
        }
    }

    /// The conversation is over: how the visit ends, if it does.
    fn over(&mut self, reason: Option<String>) -> Result<Option<Outcome>, Failure> {
        let unfinished = self.call.take().and_then(|call| {
            call.agent.close();
            call.talk.and_then(|talk| talk.unfinished())
        });
        if let Some(session) = &mut self.session {
            // The peer may have hung up already.
            let _ = session.hang_up(EndReason::HangUp, self.means.now());
        }
        self.screen.say(&Said::State("closed"))?;
        match reason.or(unfinished) {
            Some(reason) if self.means.talk.stay => self.screen.say(&Said::Problem(&reason)).map(|()| None),
            Some(reason) => Ok(Some(Err(Failure::Failed(reason)))),
            None if self.means.talk.stay => Ok(None),
            None => Ok(Some(Ok(()))),
        }
    }

    // --- in between -----------------------------------------------------------------------------------------------

    /// Lets the session do what is due, and sends what it says.
    async fn settle(&mut self) -> Outcome {
        let now = self.means.now();
        let Some(session) = &mut self.session else { return Ok(()) };
        session.handle_timeout(now);
        let mut misfit = None;
        while let Some(event) = session.poll_event() {
            match &event {
                Event::Started { incoming: true } => {
                    self.call = Some(Call::new(&self.means, &self.welcome, false).await?);
                }
                Event::Ended(reason) => {
                    self.screen.say(&Said::State(&format!("the call ended: {reason:?}")))?;
                    // A conversation that the peer closed is told by itself; others are over now.
                    if let Some(call) = self.call.take() {
                        call.agent.close();
                        let unfinished = call.talk.as_ref().map(Talk::unfinished);
                        self.ended = match unfinished {
                            _ if self.means.talk.stay => None,
                            Some(None) => Some(Ok(())),
                            Some(Some(reason)) => Some(Err(Failure::Failed(reason))),
                            None => Some(Err(Failure::Failed("the other side left".to_owned()))),
                        };
                    }
                }
                event => {
                    if let Some(call) = &mut self.call {
                        misfit = call.take(event, session, &self.means)?;
                    }
                    if misfit.is_some() {
                        break;
                    }
                }
            }
        }
        if misfit.is_some() {
            self.ended = self.over(misfit)?;
        } else if let Some(call) = &mut self.call {
            call.speak(session, now)?;
        }
        let Some(session) = &mut self.session else { return Ok(()) };
        while let Some(message) = session.poll_message() {
            self.room.send(&message).await;
        }
        Ok(())
    }

    /// Tells the peer that we go, and leaves.
    async fn say_goodbye(mut self) {
        if let Some(call) = self.call.take() {
            call.agent.close();
        }
        if let Some(session) = &mut self.session {
            let _ = session.hang_up(EndReason::HangUp, self.means.now());
            while let Some(message) = session.poll_message() {
                self.room.send(&message).await;
            }
        }
        self.room.leave().await;
    }
}
