//! The way to the room: a WebSocket that is opened again when it breaks.

use std::time::Duration;

use floe_signal::message::{Envelope, Join, Message, Welcome};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Frame;

use super::address::Address;
use crate::failure::Failure;

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

type Socket = WebSocketStream<Box<dyn Transport>>;

/// How long a connection and its welcome may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried to come back, with a second in between: as long as the server keeps a place.
const TRIES: u32 = 30;

/// A place in a room.
pub(super) struct Room {
    address: Address,
    name: String,
    resume: Option<String>,
    socket: Socket,
}

/// What comes from the room.
#[derive(Debug)]
pub(super) enum Heard {
    Message(Box<Envelope>),
    /// The connection broke.
    Lost,
}

impl Room {
    /// Enters.
    pub(super) async fn enter(address: Address, name: String) -> Result<(Self, Welcome), Failure> {
        let (socket, welcome) = enter(&address, &name, None).await.map_err(Failure::Failed)?;
        Ok((Self { address, name, resume: welcome.resume.clone(), socket }, welcome))
    }

    /// Comes back after [`Heard::Lost`].
    pub(super) async fn come_back(&mut self) -> Result<Welcome, Failure> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match enter(&self.address, &self.name, self.resume.clone()).await {
                Ok((socket, welcome)) => {
                    self.socket = socket;
                    self.resume.clone_from(&welcome.resume);
                    return Ok(welcome);
                }
                Err(reason) => last = reason,
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(Failure::Failed(format!("the room is lost: {last}")))
    }

    /// The next message. What cannot be read is passed over. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            match self.socket.next().await {
                Some(Ok(Frame::Text(text))) => {
                    if let Ok(envelope) = Envelope::from_json(text.as_str()) {
                        return Heard::Message(Box::new(envelope));
                    }
                }
                Some(Ok(Frame::Close(_)) | Err(_)) | None => return Heard::Lost,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Sends a message; that the connection broke is heard by [`Room::next`].
    pub(super) async fn send(&mut self, envelope: &Envelope) {
        let _ = self.socket.send(Frame::text(envelope.to_json())).await;
    }

    /// Leaves for good.
    pub(super) async fn leave(mut self) {
        use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};
        let frame = CloseFrame { code: CloseCode::Normal, reason: "".into() };
        let _ = tokio::time::timeout(PATIENCE, self.socket.close(Some(frame))).await;
    }
}

async fn enter(address: &Address, name: &str, resume: Option<String>) -> Result<(Socket, Welcome), String> {
    let entering = async {
        let transport = connect(address).await?;
        let cannot = |error| format!("{} is no room of floe serve: {error}", address.websocket());
        let opened = tokio_tungstenite::client_async(address.websocket(), transport).await;
        let (mut socket, _) = opened.map_err(cannot)?;
        let mut join = Join::new(&address.room, name);
        (join.token, join.resume) = (address.token.clone(), resume);
        let join = Envelope::new(Message::Join(join)).to_json();
        socket.send(Frame::text(join)).await.map_err(cannot)?;
        while let Some(Ok(frame)) = socket.next().await {
            let Frame::Text(text) = frame else { continue };
            match Envelope::from_json(text.as_str()).map(|envelope| envelope.message) {
                Ok(Message::Welcome(welcome)) => return Ok((socket, welcome)),
                Ok(Message::Error { text, .. }) => return Err(text),
                _ => {}
            }
        }
        Err("the server closed the connection".to_owned())
    };
    let entered = tokio::time::timeout(PATIENCE, entering).await;
    entered.unwrap_or_else(|_| Err(format!("{} does not answer", address.host)))
}

async fn connect(address: &Address) -> Result<Box<dyn Transport>, String> {
    let cannot = |error: &dyn std::fmt::Display| format!("cannot connect to {}: {error}", address.host);
    let tcp = TcpStream::connect((address.host_name(), address.port)).await.map_err(|e| cannot(&e))?;
    // Signalling is many small messages.
    let _ = tcp.set_nodelay(true);
    if !address.tls {
        return Ok(Box::new(tcp));
    }
    #[cfg(feature = "tls")]
    {
        let tls = floe::TlsClient::default().connect(address.host_name(), tcp).await;
        Ok(Box::new(tls.map_err(|error| cannot(&error))?))
    }
    #[cfg(not(feature = "tls"))]
    Err(cannot(&"this program was built without TLS"))
}
