//! TLS: the certificate, and clients that do not like it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use floe::server::{ServeError, StreamLimits, TlsError, Transport, TurnServer, TurnServerBuilder};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::client::TurnClient;
use crate::scene::{at, credentials, loopback, settings, soon, start, until};

pub(crate) const NAME: &str = "turn.example.org";

/// A file of a test.
pub(crate) struct File(PathBuf);

impl File {
    fn new(name: &str, contents: &str) -> Self {
        let file =
            Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", std::process::id())));
        file.write(contents);
        file
    }

    /// Replaces the file at once, so that nobody reads a half of it.
    fn write(&self, contents: &str) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, contents).and_then(|()| std::fs::rename(&new, &self.0)).expect("written");
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.clone()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // It is in a directory for such files.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn made() -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([NAME.to_owned()]).expect("made")
}

/// The certificate of the servers of all tests.
static IDENTITY: LazyLock<CertifiedKey<KeyPair>> = LazyLock::new(made);
pub(crate) static CHAIN: LazyLock<File> = LazyLock::new(|| File::new("chain.pem", &IDENTITY.cert.pem()));
pub(crate) static KEY: LazyLock<File> =
    LazyLock::new(|| File::new("key.pem", &IDENTITY.signing_key.serialize_pem()));

/// What vouches for the certificate: itself.
pub(crate) fn root() -> String {
    IDENTITY.cert.pem()
}

/// Connects to a server that has to show this certificate.
async fn connect_trusting(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).expect("a name");
    soon(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

pub(crate) async fn connect(address: SocketAddr) -> std::io::Result<TlsStream<TcpStream>> {
    connect_trusting(address, IDENTITY.cert.der()).await
}

#[tokio::test]
async fn a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on() {
    let (first, second) = (made(), made());
    let chain = File::new("reloaded-chain.pem", &first.cert.pem());
    let key = File::new("reloaded-key.pem", &first.signing_key.serialize_pem());
    let settings = TurnServer::builder(credentials()).listen_on(Transport::Tls, loopback());
    let server = start(settings.certificate(chain.path(), key.path())).await;
    let address = at(&server, Transport::Tls);
    let mut old = connect_trusting(address, first.cert.der()).await.expect("the first is shown");

    chain.write(&second.cert.pem());
    let error = server.reload_certificate().expect_err("the key is still the old one");
    assert!(matches!(error, TlsError::Unusable(_)), "{error:?}");
    connect_trusting(address, first.cert.der()).await.expect("the first is still shown");

    key.write(&second.signing_key.serialize_pem());
    server.reload_certificate().expect("both are new");
    connect_trusting(address, second.cert.der()).await.expect("the second is shown");
    assert!(connect_trusting(address, first.cert.der()).await.is_err());
    old.write_all(b"\x00\x01\x00\x00\x21\x12\xa4\x42transaction!").await.expect("written");
    let mut answer = [0; 32];
    soon(old.read_exact(&mut answer)).await.expect("answered");
}

#[tokio::test]
async fn a_certificate_may_be_in_memory_and_is_then_never_another() {
    let made = made();
    let settings = TurnServer::builder(credentials()).listen_on(Transport::Tls, loopback());
    let server = start(settings.certificate_pem(made.cert.pem(), made.signing_key.serialize_pem())).await;
    server.reload_certificate().expect("there is nothing to read");
    connect_trusting(at(&server, Transport::Tls), made.cert.der()).await.expect("it is shown");
    let nothing = refusal(TurnServer::builder(credentials()).certificate_pem("", "")).await;
    assert_eq!(nothing.to_string(), "the chain has no certificate in PEM (-----BEGIN CERTIFICATE-----)");
}

async fn refusal(settings: TurnServerBuilder) -> TlsError {
    match settings.listen_on(Transport::Tls, loopback()).start().await {
        Err(ServeError::Tls(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_that_is_none_is_refused_with_what_to_do() {
    let with = |chain, key| TurnServer::builder(credentials()).certificate(chain, key);
    let none = refusal(TurnServer::builder(credentials())).await;
    assert!(matches!(none, TlsError::NoIdentity), "{none:?}");
    let missing = refusal(with(PathBuf::from("/nowhere/chain.pem"), KEY.path())).await;
    assert!(missing.to_string().starts_with("cannot read /nowhere/chain.pem: "), "{missing}");
    let swapped = refusal(with(KEY.path(), CHAIN.path())).await;
    assert!(matches!(&swapped, TlsError::NoCertificate(path) if *path == KEY.path()), "{swapped:?}");
    let twice = refusal(with(CHAIN.path(), CHAIN.path())).await;
    assert!(matches!(&twice, TlsError::NoKey(path) if *path == CHAIN.path()), "{twice:?}");
    let other = File::new("other-key.pem", &made().signing_key.serialize_pem());
    let foreign = refusal(with(CHAIN.path(), other.path())).await;
    assert!(matches!(foreign, TlsError::Unusable(_)), "{foreign:?}");
}

#[tokio::test]
async fn what_is_no_tls_ends_the_connection() {
    let server = start(settings()).await;
    let mut stream = TcpStream::connect(at(&server, Transport::Tls)).await.expect("accepted");
    stream.write_all(&[0; 300]).await.expect("written");
    let mut rest = Vec::new();
    // A reset, where the server had not read everything.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    until(&server, |stats| stats.broken == 1 && stats.connections == 0).await;
    TurnClient::allocated(&server, Transport::Tls).await;
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_is_given_up() {
    let patience = std::time::Duration::from_millis(100);
    let server = start(settings().stream_limits(StreamLimits { patience, ..StreamLimits::default() })).await;
    let mut stream = TcpStream::connect(at(&server, Transport::Tls)).await.expect("accepted");
    let mut rest = Vec::new();
    soon(stream.read_to_end(&mut rest)).await.expect("closed");
    assert_eq!(rest, b"");
    until(&server, |stats| stats.timed_out == 1 && stats.connections == 0).await;
}
