//! `floe offer` and `floe answer`: two machines and no server, with a person to carry two tokens.

mod qr;
mod token;

use std::io::{self, BufReader, IsTerminal};

use floe::{Agent, Component, ConnectionState, Event, Role as IceRole};
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use crate::agent::lines;
use crate::agent_args::AgentArgs;
use crate::data::{Certificate, Peer, Role};
use crate::failure::{Failure, Outcome};
use crate::output;
use crate::talk::{Said, Screen, Step, Talk, TalkArgs};

use token::{Token, TokenError};

/// Offer a connection with a token to paste, without any server
///
/// Prints a token. Give it to the other side, which runs floe answer TOKEN and
/// gives back what that prints; paste it here. Then both chat and send files over
/// a data channel: lines that are typed are sent, /send FILE sends a file, /pairs
/// shows the candidate pairs, /quit ends it.
///
/// Whoever has the tokens can take part in the connection: give them to the other
/// side only. They hold the addresses of this machine.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct OfferArgs {
    #[command(flatten)]
    direct: DirectArgs,
}

/// Take an offer of floe offer and print the reply
///
/// Prints the reply for the other side to paste. On a terminal, press Enter when it
/// has been pasted there: both sides have to try at the same time. Then as floe
/// offer.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AnswerArgs {
    /// What floe offer printed
    #[arg(value_name = "TOKEN")]
    token: String,

    #[command(flatten)]
    direct: DirectArgs,
}

/// What both have.
#[derive(Debug, clap::Args)]
struct DirectArgs {
    /// Show the token as a QR code too
    #[arg(long)]
    qr: bool,

    #[command(flatten)]
    agent: AgentArgs,

    #[command(flatten)]
    talk: TalkArgs,
}

type Lines = Receiver<Result<String, String>>;

/// Runs `floe offer`.
pub(crate) fn offer(args: &OfferArgs) -> Outcome {
    crate::runtime::new()?.block_on(async {
        let direct = &args.direct;
        let side = Side::start(direct, IceRole::Controlling).await?;
        let ours = side.token(None);
        side.show(&ours, "Give this to the other side, and paste its reply here:")?;
        let mut lines = lines::read(BufReader::new(io::stdin()));
        let reply = read_reply(&mut lines, &ours, &side.screen).await?;
        side.talk(&reply, Role::Server, &direct.talk, lines).await
    })
}

/// Runs `floe answer`.
pub(crate) fn answer(args: &AnswerArgs) -> Outcome {
    let offer = Token::from_text(&args.token).map_err(|error| Failure::Usage(error.to_string()))?;
    if offer.replies_to.is_some() {
        return Err(Failure::Usage(TokenError::Reply.to_string()));
    }
    crate::runtime::new()?.block_on(async {
        let direct = &args.direct;
        let side = Side::start(direct, IceRole::Controlled).await?;
        let ours = side.token(Some(offer.mark()));
        if io::stdin().is_terminal() {
            side.show(&ours, "Give this to the other side, and press Enter when it is pasted there:")?;
            // Whatever is typed, or if the terminal is gone: what follows finds out.
            let _ = tokio::task::spawn_blocking(|| io::stdin().read_line(&mut String::new())).await;
        } else {
            side.show(&ours, "Give this to the other side:")?;
        }
        let lines = lines::read(BufReader::new(io::stdin()));
        side.talk(&offer, Role::Client, &direct.talk, lines).await
    })
}

/// The first line that is the reply to our offer. What is wrong with others is said.
async fn read_reply(lines: &mut Lines, offer: &Token, screen: &Screen) -> Result<Token, Failure> {
    loop {
        let line = match lines.recv().await {
            Some(Ok(line)) if line.trim().is_empty() => continue,
            Some(Ok(line)) => line,
            Some(Err(fault)) => return Err(Failure::Failed(fault)),
            None => return Err(Failure::Failed("the input ended before the reply".to_owned())),
        };
        let fault = match Token::from_text(&line) {
            Ok(reply) if reply.replies_to == Some(offer.mark()) => return Ok(reply),
            Ok(reply) if reply.replies_to.is_some() => TokenError::OtherOffer,
            Ok(_) => TokenError::Offer,
            Err(fault) => fault,
        };
        screen.say(&Said::Problem(&fault.to_string()))?;
    }
}

/// Our side.
struct Side {
    agent: Agent,
    certificate: Certificate,
    screen: Screen,
    is_json: bool,
    shows_qr: bool,
}

impl Side {
    /// With all its candidates.
    async fn start(args: &DirectArgs, role: IceRole) -> Result<Self, Failure> {
        let certificate = Certificate::generate()?;
        let builder = args.agent.builder()?.role(role);
        let agent = builder.start().await.map_err(|error| Failure::of_start(&error))?;
        agent.gathered().await;
        let screen = Screen::new(args.talk.json);
        Ok(Self { agent, certificate, screen, is_json: args.talk.json, shows_qr: args.qr })
    }

    fn token(&self, replies_to: Option<[u8; 4]>) -> Token {
        Token {
            replies_to,
            credentials: self.agent.local_credentials(),
            fingerprint: self.certificate.digest(),
            candidates: self.agent.local_candidates().into_iter().map(|(_, candidate)| candidate).collect(),
        }
    }

    fn show(&self, token: &Token, what_to_do: &str) -> Outcome {
        let text = token.to_text();
        if self.is_json {
            return output::print(&format!("{}\n", json!({"type": "token", "token": text})));
        }
        let picture = if self.shows_qr { qr::picture(&text)? } else { String::new() };
        output::print(&format!("{what_to_do}\n\n{text}\n\n{picture}"))
    }

    /// Connects, and lets the users talk.
    async fn talk(self, theirs: &Token, role: Role, args: &TalkArgs, mut lines: Lines) -> Outcome {
        let Self { agent, certificate, screen, .. } = self;
        let failed = |error: floe::AgentError| Failure::Failed(error.to_string());
        agent.set_remote_credentials(theirs.credentials.clone()).map_err(failed)?;
        for candidate in &theirs.candidates {
            let _ = agent.add_remote_candidate(candidate).map_err(failed)?;
        }
        agent.end_of_remote_candidates().map_err(failed)?;
        let connection = agent.connection(Component::default()).map_err(failed)?;
        let max_message = crate::data::MAX_MESSAGE as u64;
        let peer = Peer { role, fingerprints: vec![theirs.fingerprint()], max_message };
        let mut talk = Talk::new(connection, &certificate, peer, args, screen);
        let mut input_open = true;
        loop {
            tokio::select! {
                event = agent.next_event() => match event {
                    Some(Event::StateChanged(ConnectionState::Failed)) => {
                        let connected = agent.connected().await.err();
                        let reason = connected.map_or_else(String::new, |error| error.to_string());
                        return Err(Failure::Failed(reason));
                    }
                    Some(event) => tell(&talk, &event)?,
                    None => return Ok(()),
                },
                line = lines.recv(), if input_open => match line {
                    Some(Ok(line)) => {
                        if talk.take_line(&line, &agent)? == Step::Restart {
                            talk.tell(&Said::Problem("a restart needs signalling: see floe join"))?;
                        }
                    }
                    Some(Err(fault)) => talk.tell(&Said::Problem(&fault))?,
                    None => {
                        input_open = false;
                        talk.input_ended()?;
                    }
                },
                step = talk.next() => match step? {
                    Step::Over(None) => {
                        agent.close();
                        talk.tell(&Said::State("closed"))?;
                        return talk.unfinished().map_or(Ok(()), |what| Err(Failure::Failed(what)));
                    }
                    Step::Over(Some(reason)) => return Err(Failure::Failed(reason)),
                    Step::On | Step::Restart => {}
                },
            }
        }
    }
}

/// What users want to know of what the agent does.
pub(crate) fn tell(talk: &Talk, event: &Event) -> Outcome {
    match event {
        Event::StateChanged(state) => talk.tell(&Said::State(&state.to_string())),
        Event::SelectedPairChanged { pair, .. } => {
            let side = |candidate: &floe::Candidate| {
                format!("{} {}", candidate.kind().as_str(), candidate.address())
            };
            let path = format!("path: {} <-> {}", side(&pair.local), side(&pair.remote));
            talk.tell(&Said::State(&path))
        }
        _ => Ok(()),
    }
}
