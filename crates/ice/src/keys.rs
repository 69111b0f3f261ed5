//! Keys and user names of a session, computed once for each credential (RFC 8445 §7.2.2, §10).

use alloc::boxed::Box;
use alloc::format;
use alloc::vec::Vec;

use floe_stun::Key;

use crate::candidate::Credentials;
use crate::ids::StreamId;

/// What checks to the peer of one stream are signed with.
#[derive(Clone)]
pub(crate) struct PeerKey {
    /// `remote:local` (§7.2.2).
    pub(crate) username: Box<str>,
    pub(crate) key: Key,
    pub(crate) credentials: Credentials,
}

/// Which session's credentials a packet is signed with: an ICE restart changes them (RFC 8445 §9), and a packet that was queued
/// before it keeps its bytes. Counted from 0 over the life of an agent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Generation(u32);

impl Generation {
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Our key and the peer's of every stream. None is replaced while a queued packet may need it.
#[derive(Clone)]
pub(crate) struct Keyring {
    generation: Generation,
    local: Key,
    local_ufrag: Box<str>,
    peers: Vec<Option<PeerKey>>,
}

impl Keyring {
    pub(crate) fn new(generation: Generation, local: &Credentials, streams: usize) -> Self {
        let mut peers = Vec::new();
        peers.resize_with(streams, || None);
        Self { generation, local: Key::short_term(local.pwd()), local_ufrag: local.ufrag().into(), peers }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn local(&self) -> &Key {
        &self.local
    }

    pub(crate) fn local_ufrag(&self) -> &str {
        &self.local_ufrag
    }

    pub(crate) fn peer(&self, stream: StreamId) -> Option<&PeerKey> {
        self.peers.get(usize::from(stream.0))?.as_ref()
    }

    /// The peer's credentials, of every stream that has them.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &PeerKey> {
        self.peers.iter().flatten()
    }

    pub(crate) fn set_peer(&mut self, stream: StreamId, credentials: &Credentials) {
        let username = format!("{}:{}", credentials.ufrag(), self.local_ufrag).into_boxed_str();
        let key = Key::short_term(credentials.pwd());
        if let Some(slot) = self.peers.get_mut(usize::from(stream.0)) {
            *slot = Some(PeerKey { username, key, credentials: credentials.clone() });
        }
    }
}
