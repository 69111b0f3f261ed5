//! The task of a connection: it reads frames for the agent, and writes what waits.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use floe_ice::{DriverError, StreamDeframer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Stream;
use super::tls::{self, explain};
use crate::engine::Engine;

/// How long what waits has to leave when the connection is to end.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where bytes come from.
pub(crate) enum Source {
    Tcp(Arc<TcpStream>),
    Tls(tls::Source),
}

/// Where bytes go.
pub(crate) enum Sink {
    Tcp(Arc<TcpStream>),
    Tls(tls::Sink),
}

impl Source {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => loop {
                tcp.readable().await?;
                match tcp.try_read(buffer) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
            Self::Tls(tls) => tls.read(buffer).await,
        }
    }
}

impl Sink {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(tcp) => loop {
                tcp.writable().await?;
                match tcp.try_write(bytes) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
            Self::Tls(tls) => tls.write(bytes).await,
        }
    }

    async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(_) => Ok(()),
            Self::Tls(tls) => tls.flush().await,
        }
    }

    async fn shut_down(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(tcp) => socket2::SockRef::from(&**tcp).shutdown(std::net::Shutdown::Write),
            Self::Tls(tls) => tls.shutdown().await,
        }
    }
}

/// Serves a connection until it is over, and tells why it is.
pub(crate) async fn run(
    engine: Arc<Engine>,
    stream: Arc<Stream>,
    source: Source,
    mut sink: Sink,
) -> DriverError {
    let read = read_all(&engine, &stream, source);
    let write = write_all(&stream, &mut sink);
    tokio::pin!(read, write);
    let reason = tokio::select! {
        reason = &mut read => reason,
        written = &mut write => written.map_or_else(|e| explain(&e), |()| DriverError::ConnectionClosed),
        () = stream.ending.notified() => {
            let _ = tokio::time::timeout(FAREWELL, write).await;
            DriverError::ConnectionClosed
        }
    };
    stream.fault().unwrap_or(reason)
}

async fn read_all(engine: &Engine, stream: &Stream, mut source: Source) -> DriverError {
    let mut deframer = StreamDeframer::new();
    loop {
        match source.read(deframer.space()).await {
            Ok(0) => return DriverError::ConnectionClosed,
            Ok(len) => deframer.filled(len),
            Err(e) => return explain(&e),
        }
        loop {
            match deframer.next_frame() {
                Ok(Some(frame)) => engine.take_frame(stream, frame),
                Ok(None) => break,
                Err(_) => return DriverError::NotTurn,
            }
        }
    }
}

/// Until nothing more will come.
pub(super) async fn write_all(stream: &Stream, sink: &mut Sink) -> io::Result<()> {
    let mut batch = Vec::new();
    while stream.take(&mut batch).await {
        let mut rest = batch.as_slice();
        while !rest.is_empty() {
            let written = sink.write(rest).await?;
            rest = rest.get(written..).unwrap_or_default();
        }
        sink.flush().await?;
        batch.clear();
    }
    sink.shut_down().await
}
