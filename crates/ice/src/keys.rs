//! Keys of a session, computed once for each credential (RFC 8445 §7.2.2, §10).

use alloc::vec::Vec;

use floe_stun::{IntegrityError, Key, Message, Sha1Key, Verified};

use crate::candidate::Credentials;
use crate::ids::StreamId;

/// What checks to the peer of one stream are signed with.
#[derive(Clone)]
pub(crate) struct PeerKey {
    pub(crate) key: Sha1Key,
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
    /// Our own.
    credentials: Credentials,
    /// What nearly every request to us is signed with.
    local: Sha1Key,
    peers: Vec<Option<PeerKey>>,
}

impl Keyring {
    pub(crate) fn new(generation: Generation, credentials: Credentials, streams: usize) -> Self {
        let mut peers = Vec::with_capacity(streams);
        peers.resize_with(streams, || None);
        Self { generation, local: Sha1Key::short_term(credentials.pwd()), credentials, peers }
    }

    pub(crate) fn generation(&self) -> Generation {
        self.generation
    }

    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// For answers to requests with MESSAGE-INTEGRITY.
    pub(crate) fn local(&self) -> &Sha1Key {
        &self.local
    }

    /// For a peer that sends MESSAGE-INTEGRITY-SHA256, which none that we know of does. Made each time it is needed, in a tenth of
    /// a microsecond, it takes no room in the agents that never need it.
    #[cold]
    pub(crate) fn local_sha256(&self) -> Key {
        Key::short_term(self.credentials.pwd())
    }

    /// Checks a request to us, by the algorithm it uses.
    pub(crate) fn verify<'a>(&self, request: &Message<'a>) -> Result<Verified<'a>, IntegrityError> {
        match request.verify_sha1(&self.local) {
            Err(IntegrityError::OtherAlgorithm) => request.verify(&self.local_sha256()),
            verified => verified,
        }
    }

    pub(crate) fn peer(&self, stream: StreamId) -> Option<&PeerKey> {
        self.peers.get(usize::from(stream.0))?.as_ref()
    }

    /// The peer's credentials, of every stream that has them.
    pub(crate) fn peers(&self) -> impl Iterator<Item = &PeerKey> {
        self.peers.iter().flatten()
    }

    pub(crate) fn set_peer(&mut self, stream: StreamId, credentials: &Credentials) {
        let key = Sha1Key::short_term(credentials.pwd());
        if let Some(slot) = self.peers.get_mut(usize::from(stream.0)) {
            *slot = Some(PeerKey { key, credentials: credentials.clone() });
        }
    }
}
