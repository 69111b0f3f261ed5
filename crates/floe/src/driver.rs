//! The task that moves an agent's packets and does what it commands. It decides nothing about the protocol.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use floe_ice::{Command, DriverError, MAX_TRANSMIT, RequestId, SocketId, Transmit};
use tokio::net::UdpSocket;
use tokio::task::{JoinSet, coop};
use tokio::time::{Instant, Sleep};

use crate::engine::Engine;
use crate::readers::HANDOVER;
use crate::resolver::Resolver;
use crate::socket::{self, Socket, Way};
use crate::stream::{self, Connected, Dialler, dial};

/// Packets of ICE that wait for room in a socket's buffer; beyond it they are lost, as they might be in the network.
const MAX_DELAYED: usize = 64;

/// What the driver works with.
pub(crate) struct Tools {
    pub(crate) dialler: Dialler,
    pub(crate) resolver: Arc<dyn Resolver>,
    /// Where the search for a free port begins.
    pub(crate) port_offset: u16,
}

pub(crate) struct Driver {
    engine: Arc<Engine>,
    tools: Tools,
    /// What takes its time: look-ups, connections, and packets that wait for room. Dropping it ends them.
    tasks: JoinSet<Done>,
    delayed: usize,
    sockets_opened: u64,
    watch: Watch,
}

/// A task is over.
enum Done {
    Resolved(RequestId, u16, io::Result<Vec<IpAddr>>),
    Sent,
    /// There is a connection, or none.
    Connected(RequestId, Box<Result<Connected, DriverError>>),
    /// There is none any more.
    Over(SocketId, DriverError),
}

/// The driver's looking after applications that read by themselves.
struct Watch {
    next: Option<Instant>,
    /// How often each lane had been visited when it was last looked at.
    visits: Vec<u32>,
}

impl Driver {
    pub(crate) fn new(engine: Arc<Engine>, tools: Tools) -> Self {
        let watch = Watch { next: None, visits: vec![0; engine.lanes().len()] };
        Self { engine, tools, tasks: JoinSet::new(), delayed: 0, sockets_opened: 0, watch }
    }

    /// Runs until the agent is closed. However it ends, by a shutdown of the runtime for one, the agent ends with it.
    pub(crate) async fn run(mut self) {
        let mut sleep = Box::pin(tokio::time::sleep_until(Instant::now()));
        while !self.engine.is_closed() {
            // Lets other tasks run now and then.
            coop::consume_budget().await;
            self.engine.agent_timeout();
            self.watch.look(&self.engine);
            let more = self.engine.read_unattended();
            self.carry_out();
            if more {
                self.engine.signal.notify();
            }
            let timer = rearm(sleep.as_mut(), self.next_timeout());
            tokio::select! {
                () = self.engine.signal.notified() => {}
                () = sleep.as_mut(), if timer => {}
                Some(done) = self.tasks.join_next() => self.finished(done),
            }
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        let agent = self.engine.agent().poll_timeout().map(|time| self.engine.instant(time));
        agent.into_iter().chain(self.watch.next).min()
    }

    /// Everything the agent wants done.
    fn carry_out(&mut self) {
        let mut packet = [0; MAX_TRANSMIT];
        loop {
            let transmit = self.engine.agent().poll_transmit(&mut packet);
            if let Some(transmit) = transmit {
                self.send(&transmit, packet.get(..transmit.len).unwrap_or_default());
                continue;
            }
            let command = self.engine.agent().poll_command();
            match command {
                Some(Command::OpenUdp { request, address }) => self.open(request, address),
                Some(Command::Resolve { request, host, port }) => self.resolve(request, host, port),
                Some(Command::Connect { request, server, tls_name, local, deadline }) => {
                    let dialled = dial(server, local, tls_name, self.tools.dialler.clone());
                    self.connect(request, dialled, self.engine.instant(deadline));
                }
                Some(Command::CloseSocket { socket }) => self.engine.remove(socket),
                // One that this driver is too old for: the agent's deadline answers it.
                Some(_) => {}
                None => break,
            }
        }
    }

    // Every socket is bound to one address, so `src_ip` needs no care.
    fn send(&mut self, transmit: &Transmit, packet: &[u8]) {
        let socket = match self.engine.way(transmit.socket) {
            Some(Way::Socket(socket)) => socket,
            Some(Way::Stream(stream)) => {
                // What finds no room is lost; a connection that is stuck so long will be given up.
                let _ = stream.send_packet(packet);
                return;
            }
            None => return,
        };
        match socket.io.try_send_to(packet, transmit.destination) {
            Ok(_) => {}
            Err(e) if e.kind() == io::ErrorKind::WouldBlock && self.delayed < MAX_DELAYED => {
                self.delayed += 1;
                let (packet, destination) = (packet.to_vec(), transmit.destination);
                self.tasks.spawn(async move {
                    // Lost if it fails: checks are repeated.
                    let _ = socket.io.send_to(&packet, destination).await;
                    Done::Sent
                });
            }
            // The path may be dead, or the shortage passes: the agent finds out by the missing answer.
            Err(_) => self.engine.count_send_failure(transmit.socket),
        }
    }

    fn open(&mut self, request: RequestId, address: SocketAddr) {
        let opened = self.bind(address);
        let id = SocketId(self.sockets_opened);
        self.sockets_opened += 1;
        let answer = opened.as_ref().map(|(_, address)| (id, *address)).map_err(|&e| e);
        let component = self.engine.input(|agent, now| {
            agent.opened(request, answer, now);
            agent.socket_component(id)
        });
        // Without a component the agent does not want it any more, and dropping it closes it.
        let (Ok((io, _)), Some(component)) = (opened, component) else { return };
        let Some(lane) = self.engine.find_lane(component).and_then(|at| self.engine.lanes().get(at)) else {
            return;
        };
        self.engine.add_socket(lane, Socket::new(id, io, lane.readers.clone()));
        self.engine.signal.notify();
    }

    fn bind(&self, address: SocketAddr) -> Result<(UdpSocket, SocketAddr), DriverError> {
        let socket = socket::open(address, &self.tools.dialler.options, self.tools.port_offset)?;
        let bound = socket.local_addr().map_err(|_| DriverError::Other)?;
        let socket = UdpSocket::from_std(socket).map_err(|_| DriverError::Other)?;
        Ok((socket, bound))
    }

    fn connect<D>(&mut self, request: RequestId, dialled: D, deadline: Instant)
    where
        D: Future<Output = Result<Connected, DriverError>> + Send + 'static,
    {
        self.tasks.spawn(async move {
            let connected = tokio::time::timeout_at(deadline, dialled).await;
            Done::Connected(request, Box::new(connected.unwrap_or(Err(DriverError::TimedOut))))
        });
    }

    /// The agent may not want it any more; then it says so, and the stream is in the table to be found.
    fn connected(&mut self, request: RequestId, connected: Result<Connected, DriverError>) {
        let id = SocketId(self.sockets_opened);
        self.sockets_opened += 1;
        let answer = connected.map(|connected| {
            let local = connected.local;
            let (stream, source, sink) = connected.into_stream(id);
            let stream = Arc::new(stream);
            self.engine.add_stream(&stream);
            let engine = self.engine.clone();
            self.tasks.spawn(async move { Done::Over(id, stream::run(engine, stream, source, sink).await) });
            (id, local)
        });
        self.engine.input(|agent, now| agent.connected(request, answer, now));
    }

    fn resolve(&mut self, request: RequestId, host: String, port: u16) {
        let resolver = self.tools.resolver.clone();
        self.tasks.spawn(async move { Done::Resolved(request, port, resolver.resolve(&host).await) });
    }

    fn finished(&mut self, done: Result<Done, tokio::task::JoinError>) {
        match done {
            Ok(Done::Resolved(request, port, answer)) => {
                let answer = addresses(answer, port);
                self.engine
                    .input(|agent, now| agent.resolved(request, answer.as_deref().map_err(|&e| e), now));
            }
            Ok(Done::Connected(request, connected)) => self.connected(request, *connected),
            Ok(Done::Over(stream, reason)) => {
                self.engine.input(|agent, now| agent.disconnected(stream, reason, now));
                self.engine.remove(stream);
            }
            Ok(Done::Sent) => self.delayed = self.delayed.saturating_sub(1),
            // A resolver that panicked: the agent keeps the deadline.
            Err(_) => {}
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.engine.close();
    }
}

fn addresses(answer: io::Result<Vec<IpAddr>>, port: u16) -> Result<Vec<SocketAddr>, DriverError> {
    match answer {
        Ok(found) if found.is_empty() => Err(DriverError::NameNotFound),
        Ok(found) => Ok(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(DriverError::NameNotFound),
        Err(_) => Err(DriverError::NameServiceFailed),
    }
}

/// Whether there is something to sleep for.
fn rearm(sleep: Pin<&mut Sleep>, deadline: Option<Instant>) -> bool {
    if let Some(deadline) = deadline
        && sleep.deadline() != deadline
    {
        sleep.reset(deadline);
    }
    deadline.is_some()
}

impl Watch {
    fn look(&mut self, engine: &Engine) {
        let now = Instant::now();
        match self.next {
            None if engine.signal.is_watching() => {}
            Some(next) if next <= now => {
                // Before looking: who is woken meanwhile asks for the next look.
                engine.signal.set_watching(false);
                let mut again = false;
                for (lane, before) in engine.lanes().iter().zip(&self.visits) {
                    again |= lane.readers.look_after(*before);
                }
                self.next = None;
                if !again && !engine.signal.is_watching() {
                    return;
                }
                engine.signal.set_watching(true);
            }
            _ => return,
        }
        self.next = Some(now + HANDOVER);
        for (lane, visits) in engine.lanes().iter().zip(&mut self.visits) {
            *visits = lane.readers.visits();
        }
    }
}
