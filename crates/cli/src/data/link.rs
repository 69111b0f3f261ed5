//! A channel on a connection: the part that waits.

use std::time::Instant;

use floe::{Connection, RecvError, SendError as PathError};

use super::channel::{Channel, Event, SendError};

/// Datagrams that are read before what they cause is sent, so that one acknowledgement is for many.
const BATCH: usize = 32;
/// A datagram: more than any path takes.
const BUFFER: usize = 2048;

/// A channel, and the connection under it.
pub(crate) struct Link {
    connection: Connection,
    channel: Channel,
    buffer: Vec<u8>,
    /// What the socket had no room for.
    unsent: Option<Vec<u8>>,
    /// No path works, and there is nothing to read.
    is_dead: bool,
}

impl Link {
    pub(crate) fn new(connection: Connection, channel: Channel) -> Self {
        Self { connection, channel, buffer: vec![0; BUFFER], unsent: None, is_dead: false }
    }

    /// Works until something happens. Dropping the future loses nothing.
    pub(crate) async fn next(&mut self) -> Event {
        loop {
            self.flush();
            if let Some(event) = self.channel.poll_event() {
                return event;
            }
            self.wait().await;
        }
    }

    pub(crate) fn send_text(&mut self, text: &str) -> Result<(), SendError> {
        self.channel.send_text(text, Instant::now())
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> Result<(), SendError> {
        self.channel.send_bytes(bytes, Instant::now())
    }

    /// Whether more should be sent now. After a no, [`Event::Room`] comes.
    pub(crate) fn has_room(&mut self) -> bool {
        self.channel.has_room()
    }

    /// Closes the channel behind what was sent; [`Event::Closed`] comes.
    pub(crate) fn close(&mut self) {
        self.channel.close(Instant::now());
    }

    /// Sends what is there, as far as the socket has room.
    pub(crate) fn flush(&mut self) {
        while let Some(packet) = self.unsent.take().or_else(|| self.channel.poll_transmit()) {
            // Without a path it is lost, as it might be on one: SCTP sends it again.
            if self.connection.try_send(&packet) == Err(PathError::WouldBlock) {
                self.unsent = Some(packet);
                return;
            }
        }
    }

    async fn wait(&mut self) {
        let Self { connection, channel, buffer, unsent, is_dead } = self;
        let timeout = channel.poll_timeout();
        tokio::select! {
            received = connection.recv(buffer), if !*is_dead => match received {
                Ok(len) => {
                    channel.handle_datagram(buffer.get(..len).unwrap_or_default(), Instant::now());
                    for _ in 1..BATCH {
                        let Ok(len) = connection.try_recv(buffer) else { break };
                        channel.handle_datagram(buffer.get(..len).unwrap_or_default(), Instant::now());
                    }
                }
                Err(RecvError::Closed) => {
                    *is_dead = true;
                    channel.close(Instant::now());
                }
                Err(_) => *is_dead = true,
            },
            () = until(timeout) => channel.handle_timeout(Instant::now()),
            _ = std::future::poll_fn(|cx| connection.poll_send_ready(cx)), if unsent.is_some() => {}
        }
    }
}

/// For ever, when there is no such time.
async fn until(timeout: Option<Instant>) {
    match timeout {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
