//! The connections of an agent to its TURN servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use floe_ice::{Datagram, DriverError, Received, RequestId, StreamDeframer};
use floe_stun::Time;

use super::{Data, IcePeer};
use crate::host::Host;
use crate::id::SocketId;
use crate::stream::{StreamEnd, StreamEvent};

/// The connections, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Streams(BTreeMap<SocketId, Stream>);

#[derive(Debug)]
struct Stream {
    server: SocketAddr,
    local: SocketAddr,
    /// The agent's question, while it waits.
    request: Option<RequestId>,
    deframer: StreamDeframer,
}

impl IcePeer {
    /// What the network has no TLS for, it connects to all the same: that is a matter of the bytes.
    pub(super) fn connect(
        &mut self,
        request: RequestId,
        (server, local): (SocketAddr, SocketAddr),
        host: &mut Host<'_>,
        now: Time,
    ) {
        match host.connect(local.ip(), server) {
            Ok((socket, local)) => {
                let (request, deframer) = (Some(request), StreamDeframer::new());
                self.streams.0.insert(socket, Stream { server, local, request, deframer });
            }
            Err(_) => self.agent.0.connected(request, Err(DriverError::AddressNotAvailable), now),
        }
    }

    pub(super) fn forget_stream(&mut self, socket: SocketId) {
        self.streams.0.remove(&socket);
    }

    pub(super) fn on_stream(&mut self, event: StreamEvent<'_>, now: Time) {
        match event {
            StreamEvent::Connected { socket } => {
                let Some(stream) = self.streams.0.get_mut(&socket) else { return };
                let answer = Ok((floe_ice::SocketId(socket.number().into()), stream.local));
                if let Some(request) = stream.request.take() {
                    self.agent.0.connected(request, answer, now);
                }
            }
            StreamEvent::Bytes { socket, bytes } => self.take_bytes(socket, bytes, now),
            StreamEvent::Ended { socket, end } => {
                let Some(stream) = self.streams.0.remove(&socket) else { return };
                let reason = match end {
                    StreamEnd::Refused => DriverError::ConnectionRefused,
                    StreamEnd::Closed => DriverError::ConnectionClosed,
                    StreamEnd::Reset => DriverError::ConnectionReset,
                };
                self.stream_over(socket, stream.request, reason, now);
            }
            StreamEvent::Accepted { .. } => {}
        }
    }

    fn stream_over(&mut self, socket: SocketId, request: Option<RequestId>, reason: DriverError, now: Time) {
        match request {
            Some(request) => self.agent.0.connected(request, Err(reason), now),
            None => self.agent.0.disconnected(floe_ice::SocketId(socket.number().into()), reason, now),
        }
    }

    fn take_bytes(&mut self, socket: SocketId, mut bytes: &[u8], now: Time) {
        let Self { agent, streams, received, .. } = self;
        let Some(stream) = streams.0.get_mut(&socket) else { return };
        let id = floe_ice::SocketId(socket.number().into());
        while !bytes.is_empty() {
            let space = stream.deframer.space();
            let len = space.len().min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            bytes = &bytes[len..];
            stream.deframer.filled(len);
            loop {
                let frame = match stream.deframer.next_frame() {
                    Ok(Some(frame)) => frame,
                    Ok(None) => break,
                    Err(_) => return agent.0.disconnected(id, DriverError::NotTurn, now),
                };
                let local_ip = Some(stream.local.ip());
                let datagram = Datagram { socket: id, local_ip, source: stream.server, contents: frame };
                if let Received::Data { component, payload } = agent.0.handle_datagram(datagram, now) {
                    let bytes = frame.get(payload).unwrap_or_default().to_vec();
                    received.push(Data { time: now, component, bytes });
                }
            }
        }
    }
}
