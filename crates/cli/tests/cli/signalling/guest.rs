//! Someone in a room of `floe serve`, over a WebSocket or plain HTTP, without any help of ours.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::serve::{LOCAL, Server};

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server of rooms on loopback.
pub(super) fn serve(arguments: &[&str]) -> Server {
    Server::start(&[&LOCAL[..], arguments].concat(), None)
}

/// HOST:PORT of its page.
pub(super) fn address(server: &Server) -> &str {
    let url = server.said("page");
    url.split_once("://").expect("a URL").1.trim_end_matches('/')
}

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("set");
    stream.set_nodelay(true).expect("set");
    stream
}

/// A participant over a WebSocket.
pub(super) struct Guest {
    socket: WebSocket<TcpStream>,
}

impl Guest {
    /// Opens the WebSocket of a room, as a page from `origin` if there is one. `Err` is the status of the refusal.
    pub(super) fn open(address: &str, room: &str, origin: Option<&str>) -> Result<Self, u16> {
        let mut request =
            format!("ws://{address}/{room}/ws").into_client_request().expect("a request for a WebSocket");
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().expect("a value"));
        }
        match tungstenite::client(request, connect(address)) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
                Err(answer.status().as_u16())
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The same, and joins. Returns the welcome, or the error.
    pub(super) fn join(server: &Server, room: &str, name: &str, more: &Value) -> (Self, Value) {
        let mut guest = Self::open(address(server), room, None).expect("a WebSocket");
        let mut join = json!({"v": 1, "type": "join", "room": room, "name": name});
        for (member, value) in more.as_object().into_iter().flatten() {
            join[member] = value.clone();
        }
        guest.say(&join);
        let answer = guest.hear();
        (guest, answer)
    }

    pub(super) fn enter(server: &Server, room: &str, name: &str) -> (Self, Value) {
        let (guest, welcome) = Self::join(server, room, name, &json!({}));
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        (guest, welcome)
    }

    pub(super) fn say(&mut self, message: &Value) {
        self.say_text(&message.to_string());
    }

    pub(super) fn say_text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).expect("sent");
    }

    /// Without an error if it is closed.
    pub(super) fn try_say(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).is_ok()
    }

    /// The next message, but pings, which are answered.
    pub(super) fn hear(&mut self) -> Value {
        self.hear_or_end().unwrap_or_else(|code| panic!("closed with {code}"))
    }

    /// The same, or the code with which it was closed (0: without one).
    pub(super) fn hear_or_end(&mut self) -> Result<Value, u16> {
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let message: Value = serde_json::from_str(&text).expect("JSON");
                    match message["type"].as_str() {
                        Some("ping") => drop(self.try_say(r#"{"v":1,"type":"pong"}"#)),
                        _ => return Ok(message),
                    }
                }
                Ok(Message::Close(frame)) => return Err(frame.map_or(0, |frame| frame.code.into())),
                Ok(_) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("nothing came")
                }
                Err(_) => return Err(0),
            }
        }
    }

    /// The code with which it is closed, after whatever comes before.
    pub(super) fn end(&mut self) -> u16 {
        loop {
            if let Err(code) = self.hear_or_end() {
                return code;
            }
        }
    }

    /// Says good-bye.
    pub(super) fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).expect("closed");
        while self.socket.read().is_ok() {}
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let line = |line: &'_ str| line.to_ascii_lowercase().starts_with(&format!("{name}:"));
        Some(self.head.lines().find(|text| line(text))?.split_once(':')?.1.trim())
    }
}

/// One request, with headers such as `"Origin: x"`.
pub(super) fn request(address: &str, what: &str, headers: &[&str], body: &str) -> Answer {
    let mut stream = connect(address);
    write!(stream, "{}", head(address, what, headers, body.len())).expect("written");
    // It may be refused before it is read.
    let _ = stream.write_all(body.as_bytes());
    read_answer(stream)
}

fn head(address: &str, what: &str, headers: &[&str], len: usize) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    format!("{what} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {len}\r\n{lines}\r\n")
}

fn read_answer(mut stream: impl Read) -> Answer {
    let mut text = String::new();
    // What was read before the connection was reset is the answer.
    let _ = stream.read_to_string(&mut text);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// A stream of events.
pub(super) struct Events(BufReader<TcpStream>);

impl Events {
    pub(super) fn open(address: &str, room: &str, resume: &str, has: Option<u64>) -> Self {
        let mut stream = connect(address);
        let bearer = format!("Authorization: Bearer {resume}");
        let last = format!("Last-Event-ID: {}", has.unwrap_or_default());
        let headers = if has.is_some() { vec![&*bearer, &*last] } else { vec![&*bearer] };
        write!(stream, "{}", head(address, &format!("GET /{room}/events"), &headers, 0)).expect("written");
        let mut events = Self(BufReader::new(stream));
        let status = events.line().expect("an answer");
        assert!(status.contains(" 200 "), "{status}");
        events
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("it is there in time");
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event: its number, if it has one, and its message. `None` at the end.
    pub(super) fn next(&mut self) -> Option<(Option<u64>, Value)> {
        let mut id = None;
        loop {
            let line = self.line()?;
            if let Some(number) = line.strip_prefix("id: ") {
                id = number.parse().ok();
            } else if let Some(data) = line.strip_prefix("data: ") {
                return Some((id, serde_json::from_str(data).expect("JSON")));
            }
        }
    }
}
