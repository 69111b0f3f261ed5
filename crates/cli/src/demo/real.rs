//! The demo on real sockets of this machine.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use floe::{Agent, ConnectionState, Event, GatheringState, Pair, Role, interfaces, interfaces::Interface};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::duration::short;
use crate::failure::{Failure, Outcome};

use super::TurnTransport;
use super::embedded::Embedded;
use super::screen::Screen;
use super::story::{End, Moment, NAMES, PairRow, What};
use super::table::{self, Side};
use super::transfer::{Asker, RoundTrips, Throughput, answer};

/// How often the table is redrawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Runs the demo on the addresses given, or on those of this machine; with relays only, if they are reached somehow.
pub(crate) fn run(bind: &[IpAddr], relays: Option<TurnTransport>) -> Outcome {
    let mut screen = Screen::of_stdout();
    let runtime = crate::runtime::with_threads()?;
    runtime.block_on(async {
        let mut meeting = Meeting::begin(bind, relays, &mut screen).await?;
        let result = meeting.watch(&mut screen).await;
        meeting.end();
        result
    })
}

/// Where the agents are.
struct Place {
    /// The addresses they bind to; none means all usual ones.
    bind: Vec<IpAddr>,
    /// Where the server is.
    server: IpAddr,
    remark: Option<&'static str>,
}

impl Place {
    fn choose(bind: &[IpAddr]) -> Result<Self, Failure> {
        if let Some(&server) = bind.first() {
            return Ok(Self { bind: bind.to_vec(), server, remark: None });
        }
        let mut found = interfaces::list()
            .map_err(|error| Failure::Failed(format!("the network interfaces cannot be listed: {error}")))?;
        found.sort_by_key(|interface| interface.address.is_ipv6());
        if let Some(usual) = found.iter().find(|&interface| reaches_others(interface)) {
            return Ok(Self { bind: Vec::new(), server: usual.address, remark: None });
        }
        let Some(loopback) = found.iter().find(|interface| interface.address.is_loopback()) else {
            return Err(Failure::Failed("no network interface is up, not even loopback".to_owned()));
        };
        let remark = Some("no network is up: the agents meet on the loopback interface only");
        Ok(Self { bind: vec![loopback.address], server: loopback.address, remark })
    }
}

/// Whether the agents will use this address by themselves.
fn reaches_others(interface: &Interface) -> bool {
    let is_local = match interface.address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local(),
    };
    interfaces::is_usual(interface) && !is_local
}

/// Two agents and what is going on between them.
struct Meeting {
    started: Instant,
    server: Embedded,
    agents: [Agent; 2],
    moments: mpsc::UnboundedReceiver<Moment>,
    states: watch::Receiver<[ConnectionState; 2]>,
    first: Arc<OnceLock<Instant>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Meeting {
    async fn begin(
        bind: &[IpAddr],
        relays: Option<TurnTransport>,
        screen: &mut Screen<std::io::Stdout>,
    ) -> Result<Self, Failure> {
        let place = Place::choose(bind)?;
        let server = Embedded::start(place.server, relays).await?;
        let mut heading = format!("two agents on this machine; {}\n", server.describe());
        if let Some(remark) = place.remark {
            heading.push_str(remark);
            heading.push('\n');
        }
        screen.tell(&heading)?;
        let started = Instant::now();
        let start = async |role| {
            let builder = server.apply(Agent::builder().role(role));
            let builder = place.bind.iter().fold(builder, |builder, &ip| builder.bind(ip));
            builder.start().await.map_err(|error| Failure::of_start(&error))
        };
        let agents = [start(Role::Controlling).await?, start(Role::Controlled).await?];
        let (moment, moments) = mpsc::unbounded_channel();
        let (state, states) = watch::channel([ConnectionState::New; 2]);
        let state = Arc::new(state);
        let mut tasks = Vec::new();
        for who in 0..2 {
            let signalling = Signalling {
                who,
                started,
                own: agents[who].clone(),
                other: agents[1 - who].clone(),
                moment: moment.clone(),
                state: state.clone(),
            };
            tasks.push(tokio::spawn(signalling.run()));
        }
        let first = Arc::new(OnceLock::new());
        tasks.push(tokio::spawn(answer(first_connection(&agents[1])?, first.clone())));
        Ok(Self { started, server, agents, moments, states, first, tasks })
    }

    /// Shows what happens while the agents connect and exchange data, and then the figures.
    async fn watch(&mut self, screen: &mut Screen<std::io::Stdout>) -> Outcome {
        let asker = Asker::new(first_connection(&self.agents[0])?);
        let exchange =
            exchange(self.started, asker, self.agents[0].clone(), self.states.clone(), self.first.clone());
        let mut exchange = std::pin::pin!(exchange);
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let figures = loop {
            tokio::select! {
                biased;
                Some(moment) = self.moments.recv() => {
                    screen.tell(&moment.to_string())?;
                    self.draw(screen)?;
                }
                _ = redraw.tick() => self.draw(screen)?,
                figures = &mut exchange => break figures,
            }
        };
        while let Ok(moment) = self.moments.try_recv() {
            screen.tell(&moment.to_string())?;
        }
        // What stays is all of it.
        screen.draw("")?;
        screen.print(&self.table(usize::MAX, screen))?;
        let figures = figures.map_err(Failure::Failed)?;
        screen.print(&format!("\n{}{}\n", self.report(&figures, screen), self.server.report()))
    }

    fn draw(&self, screen: &mut Screen<std::io::Stdout>) -> Outcome {
        if screen.is_live() { screen.draw(&self.table(table::FEW, screen)) } else { Ok(()) }
    }

    fn table(&self, most: usize, screen: &Screen<std::io::Stdout>) -> String {
        let mut text = String::new();
        for (name, agent) in NAMES.into_iter().zip(&self.agents) {
            let pairs = agent.pairs().iter().map(row).collect();
            let candidates = agent.local_candidates().into_iter().map(|(_, candidate)| candidate).collect();
            let side = Side { name, role: agent.role(), state: agent.state(), candidates, pairs };
            text.push('\n');
            text.push_str(&table::side(&side, most, screen.style()));
        }
        text
    }

    fn report(&self, figures: &Figures, screen: &Screen<std::io::Stdout>) -> String {
        let pair = self.agents[0].pairs().into_iter().find(|pair| pair.selected);
        let selected = pair.map_or_else(
            || "none".to_owned(),
            |pair| format!("{} -> {}", End(&pair.local), End(&pair.remote)),
        );
        format!(
            "{}      {selected}\nfirst byte    after {}\nround trip    {}\nthroughput    {}\n",
            screen.style().good("selected"),
            short(figures.first_byte),
            figures.round_trips,
            figures.throughput
        )
    }

    fn end(self) {
        for agent in &self.agents {
            agent.close();
        }
        for task in self.tasks {
            task.abort();
        }
    }
}

fn first_connection(agent: &Agent) -> Result<floe::Connection, Failure> {
    agent.connection(floe::Component::default()).map_err(|error| Failure::Failed(error.to_string()))
}

/// What was measured.
struct Figures {
    first_byte: Duration,
    round_trips: RoundTrips,
    throughput: Throughput,
}

/// Sends as soon as there is a path, and measures once both sides have selected it.
async fn exchange(
    started: Instant,
    mut asker: Asker,
    agent: Agent,
    mut states: watch::Receiver<[ConnectionState; 2]>,
    first: Arc<OnceLock<Instant>>,
) -> Result<Figures, String> {
    agent.connected().await.map_err(|error| error.to_string())?;
    asker.ping().await?;
    let first_byte = first.get().map_or(Duration::ZERO, |first| *first - started);
    let is_settled =
        |state: &ConnectionState| matches!(state, ConnectionState::Completed | ConnectionState::Failed);
    // The senders live as long as the agents do.
    let _ = states.wait_for(|states| states.iter().all(is_settled)).await;
    let round_trips = asker.round_trips().await?;
    let throughput = asker.throughput().await?;
    Ok(Figures { first_byte, round_trips, throughput })
}

/// One direction of the signalling: what an agent says goes to the other one, and to the screen.
struct Signalling {
    who: usize,
    started: Instant,
    own: Agent,
    other: Agent,
    moment: mpsc::UnboundedSender<Moment>,
    state: Arc<watch::Sender<[ConnectionState; 2]>>,
}

impl Signalling {
    async fn run(self) {
        // The other agent is new and takes them; when it is closed nothing matters any more. The same goes for candidates.
        let _ = self.other.set_remote_credentials(self.own.local_credentials());
        while let Some(event) = self.own.next_event().await {
            match &event {
                Event::LocalCandidate { candidate, .. } => {
                    let _ = self.other.add_remote_candidate(candidate);
                }
                Event::GatheringStateChanged(GatheringState::Complete) => {
                    let _ = self.other.end_of_remote_candidates();
                }
                Event::StateChanged(state) => self.state.send_modify(|states| states[self.who] = *state),
                _ => {}
            }
            if let Some(what) = tell(event) {
                // Nobody watches at the end.
                let _ = self.moment.send(Moment { at: self.started.elapsed(), who: self.who, what });
            }
        }
    }
}

/// What an event means, if it is of interest.
fn tell(event: Event) -> Option<What> {
    Some(match event {
        Event::LocalCandidate { candidate, .. } => What::Found(candidate),
        Event::GatheringProblem { address: Some(address), failure, .. } => {
            What::Problem(format!("{address}: {failure}"))
        }
        Event::GatheringProblem { failure, .. } => What::Problem(failure.to_string()),
        Event::RemoteCandidateDiscovered { candidate, .. } => What::Learned(candidate),
        Event::StateChanged(state) => What::State(state),
        Event::RoleChanged(role) => What::Role(role),
        Event::SelectedPairChanged { pair, reason } => {
            What::Selected { local: pair.local, remote: pair.remote, reason }
        }
        _ => return None,
    })
}

fn row(pair: &Pair) -> PairRow {
    PairRow {
        local: pair.local.clone(),
        remote: pair.remote.clone(),
        state: pair.state,
        nominated: pair.nominated,
        selected: pair.selected,
        rtt: pair.stats.current_round_trip_time,
    }
}
