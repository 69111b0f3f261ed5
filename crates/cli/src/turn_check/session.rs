//! A TURN client on its line.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use floe::stun::Clock;
use floe::turn::Client;
use floe::turn::client::{
    self, Allocated, Alternate, Config, Credentials, Event, Failure, MAX_TRANSMIT, Received,
};
use floe::turn::{MAX_PADDING, MAX_PREFIX};
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::time::{Instant, timeout_at};

use super::line::Line;
use super::probe::Binding;

/// A client and what it told so far.
pub(crate) struct Session {
    client: Client,
    line: Line,
    clock: Clock,
    /// What came last, and what is sent.
    packet: Vec<u8>,
    out: Vec<u8>,
    /// A Binding request that waits for its answer.
    binding: Option<Binding>,
}

/// What came of waiting.
pub(crate) enum News {
    Event(Event),
    /// Data from a peer.
    Data(SocketAddr, Vec<u8>),
    /// The answer to the Binding request: our address as the server sees it, and the round-trip time. `None`: it was refused.
    Bound(Option<SocketAddr>, Duration),
    /// The line broke.
    Broken(io::Error),
}

/// Why a step did not work.
#[derive(Debug)]
pub(crate) enum Trouble {
    Turn(Failure),
    Line(io::Error),
    Silence,
    Redirect(Alternate),
}

impl Session {
    pub(crate) fn new(line: Line, server: SocketAddr, credentials: Option<Credentials>) -> io::Result<Self> {
        let config = Config {
            carrier: line.carrier(),
            relayed: client::Relayed::Both { even_port: false },
            ..Config::new(server, credentials, seed()?)
        };
        let (packet, out) = (Vec::new(), vec![0; MAX_TRANSMIT]);
        let client = Client::new(config).map_err(io::Error::other)?;
        let clock = Clock::new(Instant::now().into_std());
        Ok(Self { client, line, clock, packet, out, binding: None })
    }

    fn now(&self) -> floe::stun::Time {
        self.clock.time(Instant::now().into_std())
    }

    /// Sends what there is, and waits for what happens until then; `None` if nothing does.
    pub(crate) async fn next(&mut self, until: Instant) -> Option<News> {
        loop {
            if let Some(event) = self.client.poll_event() {
                return Some(News::Event(event));
            }
            while let Some(len) = self.client.poll_transmit(&mut self.out) {
                if let Err(error) = self.line.send(&self.out[..len]).await {
                    return Some(News::Broken(error));
                }
            }
            let due = self.client.poll_timeout().map(|due| Instant::from_std(self.clock.instant(due)));
            let wake = due.map_or(until, |due| due.min(until));
            match timeout_at(wake, self.line.receive(&mut self.packet)).await {
                Ok(Ok(())) => {
                    if let Some(news) = self.take() {
                        return Some(news);
                    }
                    // Whoever sends without end is not listened to without end.
                    if Instant::now() >= until {
                        return None;
                    }
                }
                Ok(Err(error)) => return Some(News::Broken(error)),
                Err(_) if Instant::now() >= until => return None,
                Err(_) => {
                    let now = self.now();
                    self.client.handle_timeout(now);
                }
            }
        }
    }

    /// Hands the packet that came to the client.
    fn take(&mut self) -> Option<News> {
        if let Some(binding) = &self.binding
            && let Some((mapped, took)) = binding.answered_by(&self.packet)
        {
            self.binding = None;
            return Some(News::Bound(mapped, took));
        }
        let (server, now) = (self.client.server(), self.now());
        match self.client.handle_datagram(server, &self.packet, now) {
            Received::Data { peer, payload } => Some(News::Data(peer, self.packet[payload].to_vec())),
            _ => None,
        }
    }

    /// Asks what address the server sees, again after half a second where packets can be lost.
    pub(crate) async fn bind_request(
        &mut self,
        patience: Duration,
    ) -> Result<(Option<SocketAddr>, Duration), Trouble> {
        let end = Instant::now() + patience;
        while Instant::now() < end {
            let binding = Binding::new(seed().map_err(Trouble::Line)?);
            self.line.send(binding.packet()).await.map_err(Trouble::Line)?;
            self.binding = Some(binding);
            let again = (Instant::now() + Duration::from_millis(500)).min(end);
            loop {
                match self.next(again).await {
                    None => break,
                    Some(News::Bound(mapped, took)) => return Ok((mapped, took)),
                    Some(News::Broken(error)) => return Err(Trouble::Line(error)),
                    Some(_) if Instant::now() >= again => break,
                    Some(_) => {}
                }
            }
        }
        self.binding = None;
        Err(Trouble::Silence)
    }

    /// Allocates, and asks for another port as often as the server wants one.
    pub(crate) async fn allocate(&mut self, patience: Duration) -> Result<Allocated, Trouble> {
        let now = self.now();
        // A new client can always be asked.
        let _ = self.client.allocate(now);
        let mut alternate = None;
        let granted = self
            .wait(patience, |news| match news {
                Event::Allocated(granted) => Some(Ok(granted.clone())),
                Event::NeedNewPort => Some(Err(Trouble::Turn(Failure::AllocationMismatch))),
                Event::AlternateServer(to) => {
                    alternate = Some(to.clone());
                    None
                }
                Event::Failed { reason, .. } => Some(Err(Trouble::Turn(*reason))),
                _ => None,
            })
            .await;
        match alternate {
            Some(to) => Err(Trouble::Redirect(to)),
            None => granted,
        }
    }

    pub(crate) async fn permit(&mut self, peer: IpAddr, patience: Duration) -> Result<(), Trouble> {
        let now = self.now();
        if self.client.permit(peer, now).is_err() {
            return Err(Trouble::Turn(Failure::PeerFamilyMismatch));
        }
        if self.client.is_permitted(peer) {
            return Ok(());
        }
        self.wait(patience, |event| match event {
            Event::PermissionCreated { .. } => Some(Ok(())),
            Event::PermissionFailed { reason, .. } | Event::Lost { reason, .. } => {
                Some(Err(Trouble::Turn(*reason)))
            }
            _ => None,
        })
        .await
    }

    pub(crate) async fn bind_channel(
        &mut self,
        peer: SocketAddr,
        patience: Duration,
    ) -> Result<u16, Trouble> {
        let now = self.now();
        if self.client.bind(peer, now).is_err() {
            return Err(Trouble::Turn(Failure::PeerFamilyMismatch));
        }
        self.wait(patience, |event| match event {
            Event::ChannelBound { channel, .. } => Some(Ok(channel.0)),
            Event::ChannelFailed { reason, .. } | Event::Lost { reason, .. } => {
                Some(Err(Trouble::Turn(*reason)))
            }
            _ => None,
        })
        .await
    }

    /// Deletes the allocation.
    pub(crate) async fn close(&mut self, patience: Duration) -> Result<(), Trouble> {
        let now = self.now();
        self.client.close(now);
        self.wait(patience, |event| matches!(event, Event::Closed).then_some(Ok(()))).await
    }

    /// Sends to a peer through the relay.
    pub(crate) async fn send(&mut self, peer: SocketAddr, payload: &[u8]) -> Result<(), Trouble> {
        let mut path = self.client.relay_path(peer).ok_or(Trouble::Turn(Failure::Expired))?;
        let place = MAX_PREFIX..MAX_PREFIX + payload.len();
        let mut buffer = vec![0; place.end + MAX_PADDING];
        buffer[place.clone()].copy_from_slice(payload);
        // Payloads of this program are short, and there is room around this one.
        let framed = path.frame(&mut buffer, place).map_err(|_| Trouble::Turn(Failure::BadRequest))?;
        self.line.send(&buffer[framed]).await.map_err(Trouble::Line)
    }

    /// The next data from a peer.
    pub(crate) async fn receive(&mut self, until: Instant) -> Result<Option<(SocketAddr, Vec<u8>)>, Trouble> {
        loop {
            match self.next(until).await {
                None => return Ok(None),
                Some(News::Data(peer, payload)) => return Ok(Some((peer, payload))),
                Some(News::Event(Event::Lost { reason, .. })) => return Err(Trouble::Turn(reason)),
                Some(News::Broken(error)) => return Err(Trouble::Line(error)),
                Some(_) if Instant::now() >= until => return Ok(None),
                Some(_) => {}
            }
        }
    }

    async fn wait<T>(
        &mut self,
        patience: Duration,
        mut answer: impl FnMut(&Event) -> Option<Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let end = Instant::now() + patience;
        loop {
            match self.next(end).await {
                None => return Err(Trouble::Silence),
                Some(News::Event(event)) => {
                    if let Some(result) = answer(&event) {
                        return result;
                    }
                }
                Some(News::Broken(error)) => return Err(Trouble::Line(error)),
                Some(_) => {}
            }
            if Instant::now() >= end {
                return Err(Trouble::Silence);
            }
        }
    }
}

/// Random bytes of the operating system.
fn seed<const N: usize>() -> io::Result<[u8; N]> {
    let mut seed = [0; N];
    SysRng.try_fill_bytes(&mut seed).map_err(io::Error::other)?;
    Ok(seed)
}
