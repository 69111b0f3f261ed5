//! The connections of a TURN server, and what can go wrong with them.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use floe_stun::Time;
use floe_turn::client::StreamDeframer;
use floe_turn::server::{Link, SocketId as TurnSocket};

use super::TurnServer;
use crate::host::Host;
use crate::id::SocketId;
use crate::stream::StreamEvent;

/// The connections, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Streams {
    open: BTreeMap<SocketId, Stream>,
    /// To be written to and then, perhaps, closed.
    last: Vec<(SocketId, Vec<u8>, bool)>,
}

#[derive(Debug)]
struct Stream {
    client: SocketAddr,
    deframer: StreamDeframer,
}

impl Streams {
    /// Says and closes what was asked for.
    pub(super) fn carry_out(&mut self, host: &mut Host<'_>) {
        for (socket, bytes, closes) in std::mem::take(&mut self.last) {
            host.write(socket, &bytes);
            if closes {
                host.close(socket);
            }
        }
    }
}

fn link(socket: SocketId, client: SocketAddr) -> Link {
    Link::stream(TurnSocket(socket.number().into()), client)
}

impl TurnServer {
    pub(super) fn on_stream(&mut self, event: StreamEvent<'_>, now: Time) {
        match event {
            StreamEvent::Accepted { socket, peer, .. } => {
                self.streams.open.insert(socket, Stream { client: peer, deframer: StreamDeframer::new() });
            }
            StreamEvent::Bytes { socket, bytes } => self.take_bytes(socket, bytes, now),
            StreamEvent::Ended { socket, .. } => {
                if let (Some(stream), Some(core)) = (self.streams.open.remove(&socket), &mut self.core) {
                    core.disconnected(link(socket, stream.client), now);
                }
            }
            StreamEvent::Connected { .. } => {}
        }
    }

    fn take_bytes(&mut self, socket: SocketId, mut bytes: &[u8], now: Time) {
        let Some(mut stream) = self.streams.open.remove(&socket) else { return };
        let link = link(socket, stream.client);
        while !bytes.is_empty() {
            let space = stream.deframer.space();
            let len = space.len().min(bytes.len());
            space[..len].copy_from_slice(&bytes[..len]);
            bytes = &bytes[len..];
            stream.deframer.filled(len);
            loop {
                match stream.deframer.next_frame() {
                    Ok(Some(frame)) => self.on_frame(link, frame, now),
                    Ok(None) => break,
                    // It is not TURN.
                    Err(_) => {
                        self.streams.last.push((socket, Vec::new(), true));
                        return self.core.iter_mut().for_each(|core| core.disconnected(link, now));
                    }
                }
            }
        }
        self.streams.open.insert(socket, stream);
    }

    /// Closes all connections, each after so many bytes of something that is no whole frame. How many there were.
    pub fn cut_connections(&mut self, after: usize, now: Time) -> usize {
        // ChannelData that say they are longer.
        let mut begun = vec![0x40, 0, 0xff, 0xff];
        begun.resize(after.max(4), 0x80);
        begun.truncate(after);
        let open = std::mem::take(&mut self.streams.open);
        for (&socket, stream) in &open {
            self.streams.last.push((socket, begun.clone(), true));
            self.core.iter_mut().for_each(|core| core.disconnected(link(socket, stream.client), now));
        }
        open.len()
    }

    /// Says something on all connections that is not TURN. How many there were.
    pub fn talk_nonsense(&mut self) -> usize {
        let nonsense = |&socket: &SocketId| (socket, b"SSH-2.0-server\r\n".to_vec(), false);
        self.streams.last.extend(self.streams.open.keys().map(nonsense));
        self.streams.open.len()
    }
}
