//! Connections to TURN servers (RFC 8656 §3.1): what leaves on one, and the task that moves its bytes.
//!
//! A stream stands for UDP here. What finds its queue full is lost and counted, as on a network that is too slow, and nobody waits;
//! only the packets of ICE and TURN have some room to themselves. A packet that finds the queue empty goes to the system at once, in
//! the task of whoever sends it and without being copied.

mod connect;
mod proxy;
mod run;
mod tls;

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use floe_ice::{DriverError, SocketId};
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::engine::lock;

use connect::explain;
pub(crate) use connect::{Connected, Dialler, dial};
pub use proxy::HttpProxy;
pub(crate) use proxy::Proxied;
pub(crate) use run::run;
pub(crate) use tls::Tls;
#[cfg(feature = "tls")]
pub use tls::TlsClient;

/// Bytes that wait for the system to take them before data are dropped: a good second of a call with video, and some 50
/// packets. The system's own buffer comes on top.
const DATA_LIMIT: usize = 64 * 1024;
/// The same for packets of ICE and TURN.
const ICE_LIMIT: usize = 2 * DATA_LIMIT;
/// What a buffer may keep while nothing waits in it.
const KEPT_CAPACITY: usize = 16 * 1024;

/// A connection, as those who send on it see it.
pub(crate) struct Stream {
    pub(crate) id: SocketId,
    pub(crate) server: SocketAddr,
    /// What can be written to from anywhere. With TLS in between nothing can.
    direct: Option<Arc<TcpStream>>,
    outbox: Mutex<Outbox>,
    /// Something waits.
    filled: Notify,
    /// It is to end.
    ending: Notify,
}

/// What waits for the system to take it.
#[derive(Default)]
struct Outbox {
    waiting: Vec<u8>,
    /// Bytes that the task is writing.
    writing: usize,
    /// Nothing more is sent.
    over: bool,
    /// Why nothing more can be. The system says so once, to whoever asks first.
    fault: Option<DriverError>,
}

impl Outbox {
    fn len(&self) -> usize {
        self.waiting.len() + self.writing
    }
}

impl Stream {
    fn new(id: SocketId, server: SocketAddr, direct: Option<Arc<TcpStream>>) -> Self {
        let (filled, ending) = (Notify::new(), Notify::new());
        Self { id, server, direct, outbox: Mutex::default(), filled, ending }
    }

    /// Sends data, in parts that make one frame. False if it is lost.
    #[must_use]
    pub(crate) fn send_data(&self, parts: [&[u8]; 3]) -> bool {
        self.send(parts, DATA_LIMIT)
    }

    /// Sends a packet of ICE or TURN. False if it is lost.
    #[must_use]
    pub(crate) fn send_packet(&self, packet: &[u8]) -> bool {
        self.send([packet, &[], &[]], ICE_LIMIT)
    }

    fn send(&self, parts: [&[u8]; 3], limit: usize) -> bool {
        let len: usize = parts.iter().map(|part| part.len()).sum();
        let mut outbox = lock(&self.outbox);
        if outbox.over {
            return false;
        }
        let mut written = 0;
        if outbox.len() == 0
            && let Some(direct) = &self.direct
        {
            match direct.try_write_vectored(&parts.map(IoSlice::new)) {
                Ok(taken) if taken == len => return true,
                Ok(taken) => written = taken,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                // The task finds out, too, that it is over.
                Err(e) => {
                    (outbox.over, outbox.fault) = (true, Some(explain(&e)));
                    return false;
                }
            }
        }
        // What has begun has to end, or nothing after it would be understood.
        if written == 0 && outbox.len() + len > limit {
            return false;
        }
        for part in parts {
            let rest = part.get(written..).unwrap_or_default();
            written = written.saturating_sub(part.len());
            outbox.waiting.extend_from_slice(rest);
        }
        drop(outbox);
        self.filled.notify_one();
        true
    }

    /// Why a packet could not be sent at all.
    fn fault(&self) -> Option<DriverError> {
        lock(&self.outbox).fault
    }

    /// Ends the connection when what waits has left, or does not want to.
    pub(crate) fn end(&self) {
        lock(&self.outbox).over = true;
        self.ending.notify_one();
        self.filled.notify_one();
    }

    /// Takes what waits over into `batch`, which is empty; false if nothing will come any more.
    async fn take(&self, batch: &mut Vec<u8>) -> bool {
        loop {
            {
                let mut outbox = lock(&self.outbox);
                std::mem::swap(&mut outbox.waiting, batch);
                outbox.writing = batch.len();
                if !batch.is_empty() {
                    return true;
                }
                if outbox.over {
                    return false;
                }
                if batch.capacity() > KEPT_CAPACITY {
                    *batch = Vec::new();
                }
            }
            self.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(direct: Option<Arc<TcpStream>>) -> Stream {
        Stream::new(SocketId(0), SocketAddr::from(([127, 0, 0, 1], 3478)), direct)
    }

    #[tokio::test]
    async fn data_that_find_the_queue_full_are_lost_and_packets_of_ice_are_not() {
        let stream = stream(None);
        let payload = [7; 1200];
        let sent = (0..1000).take_while(|_| stream.send_data([b"head", &payload, b""])).count();
        assert_eq!(sent, DATA_LIMIT / 1204);
        assert!(stream.send_packet(&[0; 1200]), "there is room for it");
        assert!(!stream.send_data([b"", &payload, b""]));
        let packets = (0..1000).take_while(|_| stream.send_packet(&[0; 1200])).count();
        assert!(packets > 0 && packets <= ICE_LIMIT / 1200, "{packets}");
        let mut batch = Vec::new();
        assert!(stream.take(&mut batch).await);
        assert!(batch.len() <= ICE_LIMIT && batch.starts_with(b"head"));
        assert!(!stream.send_data([b"", &payload, b""]), "what is being written counts");
        batch.clear();
        stream.end();
        assert!(!stream.take(&mut batch).await);
        assert!(!stream.send_packet(b"late"));
    }

    #[tokio::test]
    async fn frames_stay_whole_and_in_order_however_little_the_system_takes() {
        use tokio::io::AsyncReadExt;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let client = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let (mut server, _) = listener.accept().await.expect("accepted");
        let client = Arc::new(client);
        client.writable().await.expect("writable");
        let stream = Arc::new(stream(Some(client.clone())));
        // More than the buffers of the system hold, so that some frames are cut, some wait and some are lost.
        let mut kept = Vec::new();
        for number in 0..20_000_u32 {
            let (head, body) = (number.to_be_bytes(), [number as u8; 1000]);
            if stream.send_data([&head, &body, b"end!"]) {
                kept.push(number);
            }
        }
        assert!(kept.len() < 20_000 && kept.len() > 64, "{}", kept.len());
        let writer = {
            let stream = stream.clone();
            tokio::spawn(async move { run::write_all(&stream, &mut run::Sink::Tcp(client)).await })
        };
        let mut frame = [0; 1008];
        for number in kept {
            server.read_exact(&mut frame).await.expect("a whole frame");
            assert_eq!((&frame[..4], &frame[1004..]), (&number.to_be_bytes()[..], &b"end!"[..]));
        }
        stream.end();
        writer.await.expect("no panic").expect("written");
        assert_eq!(server.read(&mut frame).await.expect("the end"), 0);
    }
}
