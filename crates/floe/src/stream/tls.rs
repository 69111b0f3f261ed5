//! TLS over a connection (RFC 8489 §6.2.3), by rustls. Without the feature `tls` there is none.

#[cfg(feature = "tls")]
pub use with::TlsClient;
#[cfg(feature = "tls")]
pub(crate) use with::{Sink, Source, Tls, explain};
#[cfg(not(feature = "tls"))]
pub(crate) use without::*;

#[cfg(feature = "tls")]
mod with {
    use std::io;
    use std::sync::{Arc, OnceLock};

    use floe_ice::DriverError;
    use rustls_platform_verifier::BuilderVerifierExt;
    use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
    use tokio::net::TcpStream;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
    use tokio_rustls::rustls::{ClientConfig, Error, RootCertStore};
    use tokio_rustls::{TlsConnector, client::TlsStream};

    /// The protocol inside (RFC 7443 §3).
    const PROTOCOL: &[u8] = b"stun.turn";

    pub(crate) type Source = ReadHalf<TlsStream<TcpStream>>;
    pub(crate) type Sink = WriteHalf<TlsStream<TcpStream>>;

    /// Whom to trust. Cheap to clone; what it takes is found out once, when it is needed.
    #[derive(Clone, Default)]
    pub(crate) struct Tls {
        /// Instead of those of the system.
        roots: Option<Arc<RootCertStore>>,
        config: Arc<OnceLock<Result<Arc<ClientConfig>, Error>>>,
    }

    impl Tls {
        /// Trusts the certificates in a text of PEM and no others. `None` if there is none that can be used.
        pub(crate) fn with_roots(pem: &[u8]) -> Option<Self> {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem) {
                roots.add(certificate.ok()?).ok()?;
            }
            (!roots.is_empty()).then(|| Self { roots: Some(Arc::new(roots)), config: Arc::default() })
        }

        /// The handshake.
        pub(crate) async fn connect(
            &self,
            name: String,
            tcp: TcpStream,
        ) -> Result<(Source, Sink), DriverError> {
            let name = ServerName::try_from(name).map_err(|_| DriverError::Certificate)?;
            let tls = self.clone();
            // The system's roots are read from files.
            let config = tokio::task::spawn_blocking(move || tls.config()).await;
            let config = config.map_err(|_| DriverError::Other)?.map_err(|e| of_tls(&e))?;
            let stream = TlsConnector::from(config).connect(name, tcp).await;
            Ok(tokio::io::split(stream.map_err(|e| explain(&e))?))
        }

        fn config(&self) -> Result<Arc<ClientConfig>, Error> {
            self.config.get_or_init(|| self.make_config().map(Arc::new)).clone()
        }

        fn make_config(&self) -> Result<ClientConfig, Error> {
            let provider = Arc::new(ring::default_provider());
            let builder =
                ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
            let builder = match &self.roots {
                Some(roots) => builder.with_root_certificates(roots.clone()),
                None => builder.with_platform_verifier()?,
            };
            let mut config = builder.with_no_client_auth();
            config.alpn_protocols = vec![PROTOCOL.to_vec()];
            Ok(config)
        }
    }

    /// TLS to a TURN server as the agents of this crate have it (RFC 8489 §6.2.3, RFC 7443), for programs that talk to a server by
    /// themselves, with [`floe_turn::Client`].
    ///
    /// ```
    /// use floe::TlsClient;
    ///
    /// async fn connect(server: std::net::SocketAddr) -> Result<(), Box<dyn std::error::Error>> {
    ///     let tls = TlsClient::default(); // trusts what the system trusts
    ///     let stream = tls.connect("turn.example.org", tokio::net::TcpStream::connect(server).await?).await?;
    ///     // Read from it into a floe_turn::client::StreamDeframer, and write what the client has to send.
    ///     drop(stream);
    ///     Ok(())
    /// }
    /// # drop(connect("192.0.2.1:5349".parse()?));
    /// assert!(TlsClient::with_roots("no certificate").is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[derive(Clone, Default)]
    pub struct TlsClient(Tls);

    impl TlsClient {
        /// Trusts the certificates in this text (PEM) and no others. `None` if there is none that can be used.
        #[must_use]
        pub fn with_roots(pem: impl AsRef<[u8]>) -> Option<Self> {
            Tls::with_roots(pem.as_ref()).map(Self)
        }

        /// The handshake, with a server whose certificate has to be for `name`.
        ///
        /// # Errors
        /// [`DriverError::Certificate`], [`DriverError::Tls`], or what became of the connection.
        pub async fn connect(
            &self,
            name: &str,
            connection: TcpStream,
        ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>, DriverError> {
            let connected = self.0.connect(name.to_owned(), connection).await;
            connected.map(|(source, sink)| tokio::io::join(source, sink))
        }
    }

    impl std::fmt::Debug for TlsClient {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("TlsClient").finish_non_exhaustive()
        }
    }

    /// What an error on a connection with TLS means.
    pub(crate) fn explain(error: &io::Error) -> DriverError {
        let of_tls_itself = error.get_ref().and_then(|inner| inner.downcast_ref());
        of_tls_itself.map_or_else(|| super::super::explain(error), of_tls)
    }

    fn of_tls(error: &Error) -> DriverError {
        match error {
            Error::InvalidCertificate(_) | Error::NoCertificatesPresented => DriverError::Certificate,
            _ => DriverError::Tls,
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::convert::Infallible;

    use floe_ice::DriverError;
    use tokio::net::TcpStream;

    pub(in crate::stream) use super::super::connect::explain;

    /// Nothing is ever read from one.
    pub(crate) type Source = tokio::io::ReadHalf<TcpStream>;
    pub(crate) type Sink = tokio::io::WriteHalf<TcpStream>;

    #[derive(Clone, Default)]
    pub(crate) struct Tls {}

    impl Tls {
        pub(crate) async fn connect(
            &self,
            _name: String,
            tcp: TcpStream,
        ) -> Result<(Source, Sink), DriverError> {
            drop(tcp);
            Err::<Infallible, _>(DriverError::TlsNotSupported).map(|never| match never {})
        }
    }
}
