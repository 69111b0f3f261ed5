//! Connections of clients: who is let in, what is read, what is written, and how long it may take.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use floe_turn::client::StreamDeframer;
use floe_turn::server::Link;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::coop;
use tokio::time::timeout;

use super::admission::Place;
use super::front::{Front, Outlet};
use super::listen::{self, Transport};
use super::outbox::Outbox;
use super::report::count;

/// After an error of the listening socket, such as that there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long it may take to say that a connection ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// One connection, as others see it.
pub(super) struct Connection {
    pub(super) transport: Transport,
    pub(super) outbox: Outbox,
    /// Whether its client has an allocation.
    allocated: watch::Sender<bool>,
    place: Place,
}

impl Connection {
    fn new(transport: Transport, place: Place) -> Self {
        Self { transport, outbox: Outbox::default(), allocated: watch::Sender::new(false), place }
    }

    pub(super) fn set_allocated(&self, allocated: bool) {
        self.place.set_waiting(!allocated);
        self.allocated.send_replace(allocated);
    }
}

/// Why a connection ended.
enum End {
    /// The client closed it, or cannot be reached.
    Closed,
    /// What came was not TURN.
    Broken,
    /// It was without an allocation for too long.
    TimedOut,
}

/// Listens for connections. Returns where.
pub(super) fn listen(
    front: &Arc<Front>,
    transport: Transport,
    address: SocketAddr,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::from_std(listen::tcp(address)?)?;
    let address = listener.local_addr()?;
    front.spawn(accept(front.clone(), transport, listener));
    Ok(address)
}

async fn accept(front: Arc<Front>, transport: Transport, listener: TcpListener) {
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let Some(place) = front.admission.admit(client.ip()) else {
            count(&front.counters.refused);
            continue;
        };
        count(&front.counters.accepted);
        // Small packets are not kept back to fill larger ones.
        let _ = stream.set_nodelay(true);
        let connection = Connection::new(transport, place);
        match transport {
            #[cfg(feature = "tls")]
            Transport::Tls => front.spawn(serve_tls(front.clone(), stream, client, connection)),
            _ => front.spawn(serve(front.clone(), stream, client, connection)),
        };
    }
}

/// One connection of TLS. The handshake has to be over within the time that a connection has for its allocation.
#[cfg(feature = "tls")]
async fn serve_tls(
    front: Arc<Front>,
    stream: tokio::net::TcpStream,
    client: SocketAddr,
    connection: Connection,
) {
    let Some(tls) = &front.tls else { return };
    match timeout(front.limits.patience, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => serve(front.clone(), stream, client, connection).await,
        Ok(Err(_)) => count(&front.counters.broken),
        Err(_) => count(&front.counters.timed_out),
    }
}

/// One connection from the beginning to the end.
async fn serve<S: AsyncRead + AsyncWrite>(
    front: Arc<Front>,
    stream: S,
    client: SocketAddr,
    connection: Connection,
) {
    let connection = Arc::new(connection);
    let link = Link::stream(front.add_outlet(Outlet::Stream(connection.clone())), client);
    let (mut reader, mut writer) = tokio::io::split(stream);
    let end = tokio::select! {
        end = read_frames(&front, link, &mut reader) => end,
        _ = write_frames(&connection.outbox, &mut writer) => End::Closed,
        () = stay_too_long(connection.allocated.subscribe(), front.limits.patience) => End::TimedOut,
    };
    front.remove_outlet(link.socket);
    front.input(|server, now| server.disconnected(link, now));
    match end {
        End::Closed => {}
        End::Broken => count(&front.counters.broken),
        End::TimedOut => count(&front.counters.timed_out),
    }
    // It is closed in any case.
    let _ = timeout(FAREWELL, writer.shutdown()).await;
}

async fn read_frames<S: AsyncRead>(front: &Arc<Front>, link: Link, reader: &mut ReadHalf<S>) -> End {
    let mut deframer = StreamDeframer::new();
    loop {
        match reader.read(deframer.space()).await {
            Ok(0) | Err(_) => return End::Closed,
            Ok(len) => deframer.filled(len),
        }
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => front.from_client(link, frame),
                Ok(None) => break,
                Err(_) => return End::Broken,
            }
        }
        coop::consume_budget().await;
    }
}

/// Ends with an error only.
async fn write_frames<S: AsyncWrite>(outbox: &Outbox, writer: &mut WriteHalf<S>) -> io::Error {
    let mut batch = Vec::new();
    loop {
        outbox.next(&mut batch).await;
        let written = match writer.write_all(&batch).await {
            Ok(()) => writer.flush().await,
            error => error,
        };
        if let Err(error) = written {
            return error;
        }
    }
}

/// Ends when the connection has been without an allocation for so long.
async fn stay_too_long(mut allocated: watch::Receiver<bool>, patience: Duration) {
    // The sender lives as long as the connection does, so nothing fails.
    while timeout(patience, allocated.wait_for(|allocated| *allocated)).await.is_ok() {
        let _ = allocated.wait_for(|allocated| !*allocated).await;
    }
}
