//! The way to the room: a WebSocket that is opened again when it breaks.

use std::pin::Pin;
use std::time::Duration;

use floe_signal::message::{Envelope, Join, Message, ParticipantId, Welcome};
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

/// A place, or why there is none.
type Entered = Result<(Socket, Welcome), String>;

/// How long a connection and its welcome may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is tried to come back, and how long it is waited in between: as long as the server keeps a place.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

/// A place in a room.
pub(super) struct Room {
    place: Place,
    socket: Socket,
    way: Way,
}

/// Whose place it is.
#[derive(Clone)]
struct Place {
    address: Address,
    name: String,
    id: ParticipantId,
    resume: Option<String>,
}

/// How the socket is.
enum Way {
    Open,
    /// It broke, and another is being opened.
    Returning(Pin<Box<dyn Future<Output = Entered>>>),
    /// The place is lost for good.
    Gone,
}

/// What comes from the room.
#[derive(Debug)]
pub(super) enum Heard {
    Message(Box<Envelope>),
    /// The connection broke. [`Heard::Back`] or [`Heard::Gone`] follows.
    Lost,
    /// There is a connection again.
    Back(Box<Welcome>),
    /// There is none any more, and why. Nothing follows.
    Gone(String),
}

impl Room {
    /// Enters.
    pub(super) async fn enter(address: Address, name: String) -> Result<(Self, Welcome), Failure> {
        let (socket, welcome) = enter(&address, &name, None).await.map_err(Failure::Failed)?;
        let (id, resume) = (welcome.id.clone(), welcome.resume.clone());
        let place = Place { address, name, id, resume };
        Ok((Self { place, socket, way: Way::Open }, welcome))
    }

    /// What comes next; a connection that broke is opened again meanwhile. Messages that cannot be read are passed over. Dropping the
    /// future loses nothing.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            let returning = match &mut self.way {
                Way::Open => match self.socket.next().await {
                    Some(Ok(Frame::Text(text))) => match Envelope::from_json(text.as_str()) {
                        Ok(envelope) => return Heard::Message(Box::new(envelope)),
                        Err(_) => continue,
                    },
                    Some(Ok(Frame::Close(_)) | Err(_)) | None => {
                        self.way = Way::Returning(Box::pin(come_back(self.place.clone())));
                        return Heard::Lost;
                    }
                    Some(Ok(_)) => continue,
                },
                Way::Returning(returning) => returning.await,
                Way::Gone => return std::future::pending().await,
            };
            return match returning {
                Ok((socket, welcome)) => {
                    (self.socket, self.way) = (socket, Way::Open);
                    self.place.resume.clone_from(&welcome.resume);
                    Heard::Back(Box::new(welcome))
                }
                Err(reason) => {
                    self.way = Way::Gone;
                    Heard::Gone(reason)
                }
            };
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

/// Another connection for the same participant.
async fn come_back(place: Place) -> Entered {
    let mut last = String::new();
    for _ in 0..TRIES {
        match enter(&place.address, &place.name, place.resume.clone()).await {
            Ok((_, welcome)) if welcome.id != place.id => {
                return Err("the room has forgotten this participant".to_owned());
            }
            Ok(entered) => return Ok(entered),
            Err(reason) => last = reason,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!("the room is lost: {last}"))
}

async fn enter(address: &Address, name: &str, resume: Option<String>) -> Entered {
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
