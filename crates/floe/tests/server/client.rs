//! A TURN client on a socket.

use std::net::{IpAddr, SocketAddr};

use floe::server::{Transport, TurnServer};
use floe::stun::Clock;
use floe::turn::client::{Config, Credentials, Event, Failure, MAX_TRANSMIT, Received, StreamDeframer};
use floe::turn::{Carrier, Client, MAX_PADDING, MAX_PREFIX};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::Instant;

use crate::scene::{PASSWORD, USER, at, soon};

/// A connection, whatever it is made of.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

enum Wire {
    Datagrams(UdpSocket),
    Stream(Box<dyn Stream>, Box<StreamDeframer>),
}

pub(crate) struct TurnClient {
    client: Client,
    clock: Clock,
    wire: Wire,
    heard: Vec<(SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

impl TurnClient {
    pub(crate) async fn new(server: &TurnServer, transport: Transport) -> Self {
        Self::of_user(server, transport, USER, PASSWORD).await
    }

    pub(crate) async fn of_user(
        server: &TurnServer,
        transport: Transport,
        user: &str,
        password: &str,
    ) -> Self {
        let address = at(server, transport);
        let (wire, carrier) = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0").await.expect("bound");
                socket.connect(address).await.expect("there is a way");
                (Wire::Datagrams(socket), Carrier::Datagram)
            }
            Transport::Tcp => {
                (Wire::Stream(Box::new(connect(address).await), Box::default()), Carrier::Stream)
            }
            #[cfg(feature = "tls")]
            Transport::Tls => {
                let stream = crate::tls::connect(address).await.expect("the certificate is good");
                (Wire::Stream(Box::new(stream), Box::default()), Carrier::Stream)
            }
            other => panic!("{other} is unknown"),
        };
        let credentials = Credentials::new(user, password).expect("a name");
        let config = Config { carrier, ..Config::new(address, Some(credentials), [7; 32]) };
        let client = Client::new(config).expect("a configuration");
        let clock = Clock::new(Instant::now().into_std());
        Self { client, clock, wire, heard: Vec::new(), events: Vec::new() }
    }

    fn now(&self) -> floe::stun::Time {
        self.clock.time(Instant::now().into_std())
    }

    /// Asks for an allocation. Returns the relay, or why there is none.
    pub(crate) async fn allocate(&mut self) -> Result<SocketAddr, Failure> {
        self.client.allocate(self.now()).expect("there is none yet");
        let outcome = self.until(|event| matches!(event, Event::Allocated(_) | Event::Failed { .. })).await;
        match outcome {
            Event::Allocated(allocated) => Ok(allocated.relayed),
            Event::Failed { reason, .. } => Err(reason),
            other => panic!("{other:?} was not waited for"),
        }
    }

    /// A client with an allocation, and its relay.
    pub(crate) async fn allocated(server: &TurnServer, transport: Transport) -> (Self, SocketAddr) {
        let mut client = Self::new(server, transport).await;
        let relay = client.allocate().await.expect("allocated");
        (client, relay)
    }

    pub(crate) async fn permit(&mut self, peer: IpAddr) -> Result<(), Failure> {
        self.client.permit(peer, self.now()).expect("it can be a peer");
        let outcome = self
            .until(|event| matches!(event, Event::PermissionCreated { .. } | Event::PermissionFailed { .. }));
        match outcome.await {
            Event::PermissionFailed { reason, .. } => Err(reason),
            _ => Ok(()),
        }
    }

    pub(crate) async fn bind(&mut self, peer: SocketAddr) {
        self.client.bind(peer, self.now()).expect("it can be a peer");
        self.until(|event| matches!(event, Event::ChannelBound { .. })).await;
    }

    pub(crate) async fn close(&mut self) {
        self.client.close(self.now());
        self.until(|event| matches!(event, Event::Closed)).await;
    }

    /// What has to be written to send `payload` to `peer`.
    pub(crate) fn framed(&mut self, peer: SocketAddr, payload: &[u8]) -> Vec<u8> {
        let mut path = self.client.relay_path(peer).expect("there is a permission");
        let place = MAX_PREFIX..MAX_PREFIX + payload.len();
        let mut buffer = vec![0; place.end + MAX_PADDING];
        buffer[place.clone()].copy_from_slice(payload);
        let packet = path.frame(&mut buffer, place).expect("there is room");
        buffer[packet].to_vec()
    }

    pub(crate) async fn send(&mut self, peer: SocketAddr, payload: &[u8]) {
        let packet = self.framed(peer, payload);
        write(&mut self.wire, &packet).await;
    }

    /// The next data from a peer.
    pub(crate) async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        soon(async {
            while self.heard.is_empty() {
                self.step().await;
            }
            self.heard.remove(0)
        })
        .await
    }

    /// Waits for the server to end the connection.
    pub(crate) async fn until_disconnected(&mut self) {
        let Wire::Stream(stream, _) = &mut self.wire else { panic!("not a connection") };
        let mut rest = Vec::new();
        // A reset, where the server had not read everything.
        let _ = soon(stream.read_to_end(&mut rest)).await;
    }

    async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Event {
        soon(async {
            loop {
                while let Some(event) = self.client.poll_event() {
                    self.events.push(event);
                }
                if let Some(at) = self.events.iter().position(&wanted) {
                    return self.events.remove(at);
                }
                self.step().await;
            }
        })
        .await
    }

    /// Sends what there is to send, then waits for something to arrive or to be due.
    async fn step(&mut self) {
        let mut packet = [0; MAX_TRANSMIT];
        while let Some(len) = self.client.poll_transmit(&mut packet) {
            write(&mut self.wire, &packet[..len]).await;
        }
        let due = self.client.poll_timeout().map(|due| Instant::from_std(self.clock.instant(due)));
        let due = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None if self.client.is_closed() => {}
                None => std::future::pending().await,
            }
        };
        let mut arrived = Vec::new();
        tokio::select! {
            () = due => {}
            frames = read(&mut self.wire) => arrived = frames,
        }
        let (server, now) = (self.client.server(), self.now());
        for frame in arrived {
            if let Received::Data { peer, payload } = self.client.handle_datagram(server, &frame, now) {
                self.heard.push((peer, frame[payload].to_vec()));
            }
        }
        self.client.handle_timeout(now);
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("accepted");
    stream.set_nodelay(true).expect("set");
    stream
}

async fn write(wire: &mut Wire, packet: &[u8]) {
    match wire {
        Wire::Datagrams(socket) => drop(socket.send(packet).await.expect("sent")),
        Wire::Stream(stream, _) => {
            stream.write_all(packet).await.expect("written");
            stream.flush().await.expect("written");
        }
    }
}

async fn read(wire: &mut Wire) -> Vec<Vec<u8>> {
    match wire {
        Wire::Datagrams(socket) => {
            let mut buffer = vec![0; 65_535];
            let len = socket.recv(&mut buffer).await.expect("received");
            buffer.truncate(len);
            vec![buffer]
        }
        Wire::Stream(stream, deframer) => {
            let len = stream.read(deframer.space()).await.expect("read");
            assert!(len > 0, "the server closed the connection");
            deframer.filled(len);
            let mut frames = Vec::new();
            while let Some(frame) = deframer.next_frame().expect("the server speaks TURN") {
                frames.push(frame.to_vec());
            }
            frames
        }
    }
}
