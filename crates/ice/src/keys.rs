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

/// Our key and the peer's of every stream. None is replaced while a queued packet may need it.
#[derive(Clone)]
pub(crate) struct Keyring {
    local: Key,
    local_ufrag: Box<str>,
    peers: Vec<Option<PeerKey>>,
}

impl Keyring {
    pub(crate) fn new(local: &Credentials, streams: usize) -> Self {
        let mut peers = Vec::new();
        peers.resize_with(streams, || None);
        Self { local: Key::short_term(local.pwd()), local_ufrag: local.ufrag().into(), peers }
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

    pub(crate) fn set_peer(&mut self, stream: StreamId, credentials: &Credentials) {
        let username = format!("{}:{}", credentials.ufrag(), self.local_ufrag).into_boxed_str();
        let key = Key::short_term(credentials.pwd());
        if let Some(slot) = self.peers.get_mut(usize::from(stream.0)) {
            *slot = Some(PeerKey { username, key, credentials: credentials.clone() });
        }
    }
}
