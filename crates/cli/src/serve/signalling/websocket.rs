//! A participant over a WebSocket (RFC 6455).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use floe_signal::message::ErrorCode;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite;

use super::door;
use super::hall::{ClosingTime, Hall, Line};
use super::http::host;
use super::rooms::{Handle, Next, Over, Refusal};
use super::visitor::Visitor;

/// How long the first message, or writing any, may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a WebSocket is closed: RFC 6455 §7.4.1, and 4000 to 4999 for own use.
#[derive(Clone, Copy)]
struct Code(u16);

impl Code {
    const NORMAL: Self = Self(1000);
    const GOING_AWAY: Self = Self(1001);
    const PROTOCOL: Self = Self(1002);
    const POLICY: Self = Self(1008);
    const TOO_BIG: Self = Self(1009);
    const REPLACED: Self = Self(4000);
    const SILENT: Self = Self(4001);
    const SLOW: Self = Self(4002);
}

/// What becomes of a connection.
enum Fate {
    /// It is to be closed with this code.
    Close(Code, &'static str),
    /// It is gone.
    Gone,
}

/// `GET /ROOM/ws`.
pub(super) async fn open(
    State(hall): State<Arc<Hall>>,
    Path(room): Path<String>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let host = host(&headers);
    // A message that is a little too long can be answered; one much longer is not even read.
    let most = 2 * hall.with(|rooms, _| rooms.limits().message);
    let upgrade = upgrade.max_message_size(most).max_frame_size(most).read_buffer_size(8 << 10);
    upgrade.write_buffer_size(0).on_upgrade(async move |mut socket| {
        let mut closing = hall.closing_time();
        let host = host.as_str();
        let fate = attend(&hall, &visitor, [&room, host], &mut socket, &mut closing).await;
        if let Fate::Close(code, reason) = fate {
            let frame = CloseFrame { code: code.0, reason: reason.into() };
            // It may be gone already.
            let _ = timeout(PATIENCE, socket.send(Message::Close(Some(frame)))).await;
        }
    })
}

async fn attend(
    hall: &Arc<Hall>,
    visitor: &Visitor,
    [room, host]: [&str; 2],
    socket: &mut WebSocket,
    closing: &mut ClosingTime,
) -> Fate {
    let joined = tokio::select! {
        first = timeout(PATIENCE, first_text(socket)) => first,
        () = closing.come() => return Fate::Close(Code::GOING_AWAY, "the server is being stopped"),
    };
    let text = match joined {
        Ok(Ok(text)) => text,
        Ok(Err(fate)) => return fate,
        Err(_) => return Fate::Close(Code::POLICY, "no \"join\" came"),
    };
    let handle = match door::enter(hall, visitor, room, &text) {
        Ok(handle) => handle,
        Err(refusal) => return refuse(socket, &refusal).await,
    };
    let Some(line) = Line::new(hall, handle, visitor, None) else { return Fate::Gone };
    // Before anything else that the line has.
    match hall.welcome(handle, visitor, host) {
        Some(welcome) if send(socket, &welcome).await => talk(hall, &line, socket, closing).await,
        _ => Fate::Gone,
    }
}

async fn first_text(socket: &mut WebSocket) -> Result<String, Fate> {
    loop {
        match socket.recv().await {
            Some(Ok(message)) => match text_of(message) {
                Some(text) => return Ok(text),
                None => continue,
            },
            Some(Err(error)) => return Err(unreadable(socket, error).await),
            None => return Err(Fate::Gone),
        }
    }
}

/// What a message says, if it is one of the participant's and not of the protocol below.
fn text_of(message: Message) -> Option<String> {
    match message {
        Message::Text(text) => Some(text.as_str().to_owned()),
        // Not what is asked for; if it is a text in spite of that, it can be read.
        Message::Binary(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

async fn talk(hall: &Arc<Hall>, line: &Line, socket: &mut WebSocket, closing: &mut ClosingTime) -> Fate {
    loop {
        tokio::select! {
            next = line.next() => match next {
                Next::Message(_, text) if send(socket, &text).await => {}
                Next::Message(..) | Next::Nothing => return Fate::Gone,
                Next::Over(why) => return over(why),
            },
            received = socket.recv() => {
                let fate = match received {
                    Some(Ok(message)) => heard(hall, line.handle, socket, message).await,
                    Some(Err(error)) => Err(unreadable(socket, error).await),
                    None => Err(Fate::Gone),
                };
                if let Err(fate) = fate {
                    return fate;
                }
            }
            () = closing.come() => return Fate::Close(Code::GOING_AWAY, "the server is being stopped"),
        }
    }
}

async fn heard(
    hall: &Arc<Hall>,
    handle: Handle,
    socket: &mut WebSocket,
    message: Message,
) -> Result<(), Fate> {
    let done = match message {
        Message::Close(frame) => {
            if frame.is_some_and(|frame| frame.code == Code::NORMAL.0) {
                hall.with(|rooms, now| rooms.leave(handle, now));
            }
            return Err(Fate::Gone);
        }
        Message::Ping(bytes) | Message::Pong(bytes) => {
            hall.with(|rooms, now| rooms.receive_noise(handle, bytes.len(), now))
        }
        message => {
            let text = text_of(message).unwrap_or_default();
            hall.with(|rooms, now| rooms.receive(handle, &text, now))
        }
    };
    match done {
        Err(refusal) if refusal.is_final => Err(refuse(socket, &refusal).await),
        Err(refusal) if refusal.is_told && !send(socket, &refusal.to_json()).await => Err(Fate::Gone),
        _ => Ok(()),
    }
}

/// Explains and ends.
async fn refuse(socket: &mut WebSocket, refusal: &Refusal) -> Fate {
    send(socket, &refusal.to_json()).await;
    Fate::Close(Code::POLICY, "refused")
}

/// What came is no message of a WebSocket, or one that is far too long.
async fn unreadable(socket: &mut WebSocket, error: axum::Error) -> Fate {
    let error = error.into_inner();
    let (code, text, close) = match error.downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => {
            (ErrorCode::TooLarge, "a message that is much too long", Code::TOO_BIG)
        }
        Some(tungstenite::Error::Utf8(_) | tungstenite::Error::Protocol(_)) => {
            (ErrorCode::Malformed, "not a message of a WebSocket", Code::PROTOCOL)
        }
        _ => return Fate::Gone,
    };
    send(socket, &Refusal::new(code, text).to_json()).await;
    Fate::Close(close, "not readable")
}

fn over(why: Over) -> Fate {
    match why {
        Over::Replaced => Fate::Close(Code::REPLACED, "connected again from elsewhere"),
        Over::Silent => Fate::Close(Code::SILENT, "no answer to ping"),
        Over::Slow => Fate::Close(Code::SLOW, "too much waits to be read"),
        Over::Out => Fate::Close(Code::NORMAL, "left"),
    }
}

/// Whether it was written in time.
async fn send(socket: &mut WebSocket, text: &str) -> bool {
    matches!(timeout(PATIENCE, socket.send(Message::Text(text.into()))).await, Ok(Ok(())))
}
