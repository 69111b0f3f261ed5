//! SCTP (RFC 9260) over DTLS (RFC 8261): one association, and of its streams the one that both sides agreed on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sctp_proto::{
    Association as Sctp, AssociationHandle, ClientConfig, DatagramEvent, Endpoint, EndpointConfig, Payload,
    PayloadProtocolIdentifier as Ppid, ServerConfig, StreamEvent, TransportConfig,
};

use super::secure::{MAX_PAYLOAD, Role};

/// SCTP over DTLS has no addresses; the crate wants one.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5000);
/// The stream that both sides agreed on.
pub(super) const STREAM: u16 = 0;
/// What the peer may send before it is read: as much as a path of 300 Mbit/s and 100 ms holds.
const RECEIVE_WINDOW: u32 = 4 * 1024 * 1024;
/// The longest message that is taken, as the description says.
const MAX_RECEIVED: u32 = 256 * 1024;
/// RFC 9260 §16 has 1 s for the first and the least timeout, and 60 s for the most. What is under this has seen a round trip already, and a
/// path that comes back after a restart of ICE is to be used at once.
const RTO_MS: (u64, u64, u64) = (500, 400, 2_000);

/// One message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) bytes: Vec<u8>,
}

/// What happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// The association is there.
    Ready,
    /// The peer closed the stream, or the association is lost.
    Closed,
}

/// The association, once there is one.
pub(super) struct Association {
    endpoint: Endpoint,
    transport: Arc<TransportConfig>,
    sctp: Option<(AssociationHandle, Sctp)>,
    max_send: u32,
    is_ready: bool,
}

impl Association {
    /// `max_send` is the longest message that the peer takes.
    pub(super) fn new(max_send: u32) -> Self {
        let (initial, least, most) = RTO_MS;
        let transport = TransportConfig::default()
            .with_max_receive_buffer_size(RECEIVE_WINDOW)
            .with_max_receive_message_size(MAX_RECEIVED)
            .with_max_send_message_size(max_send)
            // DTLS and ICE know whether the peer is there.
            .with_max_init_retransmits(None)
            .with_max_data_retransmits(None)
            .with_rto_initial_ms(initial)
            .with_rto_min_ms(least)
            .with_rto_max_ms(most);
        let transport = Arc::new(transport);
        let mut endpoint = EndpointConfig::new();
        endpoint.max_payload_size(u32::try_from(MAX_PAYLOAD).unwrap_or(u32::MAX));
        let mut server = ServerConfig::new();
        server.transport = transport.clone();
        let endpoint = Endpoint::new(Arc::new(endpoint), Some(Arc::new(server)));
        Self { endpoint, transport, sctp: None, max_send, is_ready: false }
    }

    /// DTLS is there. The side that opened it opens this too; the other answers. (RFC 8831 §6.2 lets both begin, and browsers do: what
    /// is ignored of the peer's is repeated or answered.)
    pub(super) fn start(&mut self, role: Role) {
        if role == Role::Client {
            let mut config = ClientConfig::new();
            config.transport = self.transport.clone();
            // The only ones that it refuses are ports of 0 and a second association.
            self.sctp = self.endpoint.connect(config, NOWHERE).ok();
        }
    }

    /// Takes a packet of the peer's.
    pub(super) fn handle_packet(&mut self, packet: Bytes, now: Instant) {
        let is_first = self.sctp.is_none();
        self.endpoint_accepts(is_first);
        match self.endpoint.handle(now, NOWHERE, None, None, packet) {
            Some((handle, DatagramEvent::NewAssociation(made))) if is_first => {
                self.sctp = Some((handle, made));
            }
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                if let Some((_, sctp)) = &mut self.sctp {
                    sctp.handle_event(event);
                }
            }
            _ => {}
        }
    }

    /// There is one association, whatever the peer begins.
    fn endpoint_accepts(&mut self, is_first: bool) {
        if !is_first {
            self.endpoint.reject_new_associations();
        }
    }

    pub(super) fn handle_timeout(&mut self, now: Instant) {
        if let Some((_, sctp)) = &mut self.sctp {
            sctp.handle_timeout(now);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.sctp.as_ref().and_then(|(_, sctp)| sctp.poll_timeout())
    }

    /// The next packets to send, in order.
    pub(super) fn poll_transmit(&mut self, now: Instant) -> Option<Vec<Bytes>> {
        let next = match &mut self.sctp {
            Some((_, sctp)) => sctp.poll_transmit(now),
            None => None,
        };
        match next.or_else(|| self.endpoint.poll_transmit())?.payload {
            Payload::RawEncode(packets) => Some(packets),
            Payload::PartialDecode(_) => None,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Progress> {
        loop {
            let (handle, sctp) = self.sctp.as_mut()?;
            while let Some(event) = sctp.poll_endpoint_event() {
                let _ = self.endpoint.handle_event(*handle, event);
            }
            match sctp.poll()? {
                sctp_proto::Event::Connected => {
                    // The peer's first message may have made it already.
                    let _ = sctp.open_stream(STREAM, Ppid::Binary);
                    sctp.set_max_send_message_size(self.max_send);
                    self.is_ready = true;
                    return Some(Progress::Ready);
                }
                sctp_proto::Event::Stream(StreamEvent::Finished { id: STREAM })
                | sctp_proto::Event::HandshakeFailed { .. }
                | sctp_proto::Event::AssociationLost { .. } => return Some(Progress::Closed),
                sctp_proto::Event::Stream(StreamEvent::Opened { id } | StreamEvent::Readable { id }) => {
                    let _ = sctp.accept_stream();
                    if id != STREAM {
                        pass_over(sctp, id);
                    }
                }
                _ => {}
            }
        }
    }

    /// The next message of the peer's. Those that are not read close the window, and the peer waits.
    pub(super) fn read(&mut self) -> Option<Message> {
        let (_, sctp) = self.sctp.as_mut()?;
        loop {
            let chunks = sctp.stream(STREAM).ok()?.read_sctp().ok()??;
            let is_text = match chunks.ppi {
                Ppid::String | Ppid::StringEmpty => true,
                Ppid::Binary | Ppid::BinaryEmpty => false,
                // RFC 8831 §8: nothing that a channel carries.
                _ => continue,
            };
            // RFC 8831 §6.6: SCTP has no empty messages, so these have one byte that says nothing.
            let is_empty = matches!(chunks.ppi, Ppid::StringEmpty | Ppid::BinaryEmpty);
            let mut bytes = vec![0; if is_empty { 0 } else { chunks.len() }];
            // An empty one does not fit, and is not read.
            let _ = chunks.read(&mut bytes);
            return Some(Message { is_text, bytes });
        }
    }

    /// Sends a message. `false`: there is no association (any more), or it is longer than the peer takes.
    pub(super) fn write(&mut self, is_text: bool, bytes: &[u8]) -> bool {
        let ppid = match (is_text, bytes.is_empty()) {
            (true, false) => Ppid::String,
            (false, false) => Ppid::Binary,
            (true, true) => Ppid::StringEmpty,
            (false, true) => Ppid::BinaryEmpty,
        };
        let bytes = if bytes.is_empty() { &[0] } else { bytes };
        let Some((_, sctp)) = self.sctp.as_mut().filter(|_| self.is_ready) else { return false };
        sctp.stream(STREAM).is_ok_and(|mut stream| stream.write_with_ppi(bytes, ppid).is_ok())
    }

    /// The bytes of messages that were sent and are not acknowledged.
    pub(super) fn buffered(&mut self) -> usize {
        let Some((_, sctp)) = &mut self.sctp else { return 0 };
        sctp.stream(STREAM).ok().and_then(|stream| stream.buffered_amount().ok()).unwrap_or(0)
    }

    /// Closes the stream (RFC 8831 §6.7) behind what was sent.
    pub(super) fn close(&mut self) {
        if let Some((_, sctp)) = &mut self.sctp
            && let Ok(mut stream) = sctp.stream(STREAM)
        {
            let _ = stream.close();
        }
    }
}

/// Reads and forgets what came on a stream that nobody agreed on, so that it does not fill the window.
fn pass_over(sctp: &mut Sctp, id: u16) {
    if let Ok(mut stream) = sctp.stream(id) {
        while let Ok(Some(_)) = stream.read_sctp() {}
    }
}
