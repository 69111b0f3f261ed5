//! What participant and server say to each other.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::ParticipantId;

/// `join`: what a participant asks for.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Join {
    /// The room.
    pub room: String,
    /// The name to show to others. A server may want it to be unique in the room ([`ErrorCode::NameTaken`](super::ErrorCode)).
    pub name: String,
    /// What lets the participant in, where not everyone may.
    pub token: Option<String>,
    /// The `resume` of the last welcome: the transport was lost and this is the same participant, who keeps its id.
    pub resume: Option<String>,
}

impl Join {
    /// To enter `room` as `name`.
    #[must_use]
    pub fn new(room: &str, name: &str) -> Self {
        Self { room: room.to_owned(), name: name.to_owned(), ..Self::default() }
    }
}

impl fmt::Debug for Join {
    /// Without the tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join").field("room", &self.room).field("name", &self.name).finish_non_exhaustive()
    }
}

/// `welcome`: what a participant needs to know.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Welcome {
    /// The participant's own id.
    pub id: ParticipantId,
    /// The others in the room.
    pub participants: Vec<Participant>,
    /// For `new RTCPeerConnection({iceServers})`, as they are.
    pub ice_servers: Vec<IceServer>,
    /// To be sent with the next `join` when the transport was lost.
    pub resume: Option<String>,
}

impl Welcome {
    /// The most participants, and the most ICE servers, that are read.
    pub const MAX_LIST: usize = 1024;

    /// For an empty room and without servers.
    #[must_use]
    pub const fn new(id: ParticipantId) -> Self {
        Self { id, participants: Vec::new(), ice_servers: Vec::new(), resume: None }
    }
}

impl fmt::Debug for Welcome {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Welcome")
            .field("id", &self.id)
            .field("participants", &self.participants)
            .field("ice_servers", &self.ice_servers)
            .finish_non_exhaustive()
    }
}

/// Someone in a room.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Participant {
    /// The id.
    pub id: ParticipantId,
    /// The name to show, which others may have as well.
    #[serde(default)]
    pub name: String,
}

impl Participant {
    /// With a name.
    #[must_use]
    pub fn new(id: ParticipantId, name: &str) -> Self {
        Self { id, name: name.to_owned() }
    }
}

/// An element of `iceServers`: `RTCIceServer`.
///
/// ```
/// use floe_signal::message::IceServer;
///
/// let server = IceServer::turn("turn:turn.example.com:3478?transport=udp", "1732500000:bob", "secret");
/// assert_eq!(
///     serde_json::to_string(&server)?,
///     r#"{"urls":["turn:turn.example.com:3478?transport=udp"],"username":"1732500000:bob","credential":"secret"}"#
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IceServer {
    /// One or several `stun:`, `turn:` and `turns:` URIs (RFC 7064, RFC 7065). A single string is read as well.
    #[serde(deserialize_with = "one_or_more")]
    pub urls: Vec<String>,
    /// Of TURN servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Of TURN servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl IceServer {
    /// A STUN server.
    #[must_use]
    pub fn stun(url: &str) -> Self {
        Self { urls: vec![url.to_owned()], username: None, credential: None }
    }

    /// A TURN server.
    #[must_use]
    pub fn turn(url: &str, username: &str, credential: &str) -> Self {
        let (username, credential) = (Some(username.to_owned()), Some(credential.to_owned()));
        Self { urls: vec![url.to_owned()], username, credential }
    }
}

impl fmt::Debug for IceServer {
    /// Without the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Urls {
        One(String),
        More(Vec<String>),
    }
    Ok(match Urls::deserialize(deserializer)? {
        Urls::One(url) => vec![url],
        Urls::More(urls) => urls,
    })
}
