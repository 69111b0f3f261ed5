//! DTLS (RFC 8827 §6.5): nothing is taken from a peer whose certificate is not the one that was signalled.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use dimpl::{Config, Dtls, Output};
use floe_signal::sdp::Fingerprint;

use super::certificate::{Certificate, is_named};

/// Who opens the DTLS connection (RFC 8842 §5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Role {
    /// We do: `a=setup:active`.
    Client,
    /// The peer does: `a=setup:passive`.
    Server,
}

/// What came out of the connection.
#[derive(Debug)]
pub(super) enum Progress {
    /// The handshake is over, and the peer is who it should be.
    Ready,
    /// What the peer sent.
    Data(Bytes),
    /// The connection is over.
    Over(Over),
}

/// Why a DTLS connection is over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Over {
    /// The peer closed it.
    Closed,
    /// The peer's certificate is another than the one that was signalled.
    Stranger,
    /// It failed, for this reason.
    Failed(String),
}

/// The largest datagram that is sent, in bytes: fits an IPv6 path of the least MTU, 1280 (RFC 8200 §5), through a TURN server
/// (48 of a Send indication).
const MTU: usize = 1_184;
/// What DTLS 1.2 with AES-GCM adds to each record: header, explicit nonce and tag (RFC 5288 §3).
pub(super) const OVERHEAD: usize = 13 + 8 + 16;
/// The largest payload of a record.
pub(super) const MAX_PAYLOAD: usize = MTU - OVERHEAD;
/// How many records may wait inside for [`Secure::poll`]. It is polled after each input, so a few would do.
const QUEUE: usize = 256;
/// The longest record that is read, whatever the peer's MTU is.
const MAX_RECORD: usize = 16_384 + 256;

/// One DTLS connection.
pub(super) struct Secure {
    dtls: Dtls,
    peer: Vec<Fingerprint>,
    is_peer: bool,
    over: bool,
    timeout: Option<Instant>,
    output: Vec<u8>,
}

impl Secure {
    pub(super) fn new(certificate: &Certificate, role: Role, peer: Vec<Fingerprint>, now: Instant) -> Self {
        let config = Config::builder()
            .mtu(MTU)
            .max_queue_rx(QUEUE)
            .max_queue_tx(QUEUE)
            // ICE has seen that the peer is where it says (RFC 8445 §7), so a cookie shows nothing more.
            .use_server_cookie(false)
            // A path can be gone for a while in the middle: the handshake is repeated for as long as a call may take.
            .flight_start_rto(Duration::from_millis(250))
            .flight_retries(10)
            .with_crypto_provider(dimpl::crypto::rust_crypto::default_provider())
            .build();
        // The values above are constants, and in their ranges.
        let config = config.expect("constants that are in range");
        let mut dtls = Dtls::new_12(Arc::new(config), certificate.of_dtls(), now);
        dtls.set_active(role == Role::Client);
        Self { dtls, peer, is_peer: false, over: false, timeout: Some(now), output: vec![0; MAX_RECORD] }
    }

    /// Takes a datagram of the peer's.
    pub(super) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) -> Result<(), Over> {
        self.check(|dtls| dtls.handle_timeout(now).and_then(|()| dtls.handle_packet(datagram)))
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) -> Result<(), Over> {
        self.check(|dtls| dtls.handle_timeout(now))
    }

    /// Sends a payload. Poll after each.
    pub(super) fn send(&mut self, payload: &[u8]) -> Result<(), Over> {
        self.check(|dtls| dtls.send_application_data(payload).map(drop))
    }

    /// Tells the peer that nothing more comes.
    pub(super) fn close(&mut self) {
        // What is over already has nothing to tell.
        let _ = self.check(Dtls::close);
    }

    pub(super) const fn poll_timeout(&self) -> Option<Instant> {
        if self.over { None } else { self.timeout }
    }

    /// Appends what is to be sent to `packets`, and gives what happened, until there is nothing more.
    pub(super) fn poll(&mut self, packets: &mut VecDeque<Vec<u8>>) -> Option<Progress> {
        while !self.over {
            match self.dtls.poll_output(&mut self.output) {
                Output::Packet(packet) => packets.push_back(packet.to_vec()),
                Output::BufferTooSmall { needed } => self.output.resize(needed, 0),
                Output::Timeout(at) => {
                    self.timeout = Some(at);
                    return None;
                }
                Output::PeerCert(certificate) => {
                    self.is_peer = is_named(certificate, &self.peer);
                    if !self.is_peer {
                        self.over = true;
                        return Some(Progress::Over(Over::Stranger));
                    }
                }
                // A peer without certificate is refused by the handshake itself; this is for the case that it is not.
                Output::Connected | Output::ApplicationData(_) if !self.is_peer => {
                    self.over = true;
                    return Some(Progress::Over(Over::Stranger));
                }
                Output::Connected => return Some(Progress::Ready),
                Output::ApplicationData(data) => return Some(Progress::Data(Bytes::copy_from_slice(data))),
                Output::CloseNotify => {
                    self.over = true;
                    return Some(Progress::Over(Over::Closed));
                }
                _ => {}
            }
        }
        None
    }

    fn check(&mut self, act: impl FnOnce(&mut Dtls) -> Result<(), dimpl::Error>) -> Result<(), Over> {
        if self.over {
            return Ok(());
        }
        act(&mut self.dtls).map_err(|error| {
            self.over = true;
            match error {
                dimpl::Error::ConnectionClosed => Over::Closed,
                error => Over::Failed(error.to_string()),
            }
        })
    }
}
