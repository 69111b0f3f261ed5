//! Connections of browsers: who is let in, over TLS or without, and how long a request may take.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use floe::server::TurnServer;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

use super::hall::Hall;
use super::visitor::Visitor;

/// After an error of the listening socket, such as that there are no more file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a handshake of TLS, or the head of a request, may take. An idle connection is closed after this time too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of the head of a request that are kept.
const HEAD: usize = 16 << 10;

/// Opens a socket for browsers.
pub(super) fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => tokio::net::TcpSocket::new_v4()?,
        SocketAddr::V6(_) => tokio::net::TcpSocket::new_v6()?,
    };
    // So that a server can be started again while connections of the last one linger. Elsewhere it would mean to share.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1024)
}

/// Lets browsers in, until the task is ended.
pub(super) async fn accept(
    listener: TcpListener,
    hall: Arc<Hall>,
    router: Router,
    tls: Option<Arc<TurnServer>>,
) {
    loop {
        let Ok((stream, client)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        let (Some(place), Ok(local)) = (hall.places.take(client.ip()), stream.local_addr()) else { continue };
        // Small messages are not kept back to fill larger packets.
        let _ = stream.set_nodelay(true);
        let visitor = Visitor { client, local, _place: Arc::new(place) };
        tokio::spawn(greet(stream, hall.clone(), router.clone(), visitor, tls.clone()));
    }
}

async fn greet(
    stream: TcpStream,
    hall: Arc<Hall>,
    router: Router,
    visitor: Visitor,
    tls: Option<Arc<TurnServer>>,
) {
    match tls {
        None => serve(stream, &hall, router, visitor).await,
        #[cfg(feature = "tls")]
        Some(tls) => {
            if let Ok(Ok(stream)) = tokio::time::timeout(PATIENCE, tls.accept_tls(stream)).await {
                serve(stream, &hall, router, visitor).await;
            }
        }
        #[cfg(not(feature = "tls"))]
        Some(_) => {}
    }
}

/// The requests of one connection.
async fn serve<S>(stream: S, hall: &Hall, router: Router, visitor: Visitor)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut closing = hall.closing_time();
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(visitor.clone());
        router.call(request)
    });
    let mut settings = http1::Builder::new();
    settings.timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(HEAD);
    let connection = settings.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    // How it ends is the visitor's affair.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = closing.come() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
