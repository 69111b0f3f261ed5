//! TLS for connections: the certificate, and how it is replaced while the server runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::engine::lock;

/// Why a certificate cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// An address for TLS was named, and no certificate.
    NoIdentity,
    /// The file cannot be read.
    Read(PathBuf, io::Error),
    /// The file has no certificate in PEM.
    NoCertificate(PathBuf),
    /// The file has no private key in PEM.
    NoKey(PathBuf),
    /// They cannot be used, and why: the key is not that of the certificate, or is of an unknown kind.
    Unusable(String),
}

impl std::fmt::Display for TlsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoIdentity => f.write_str("TLS needs a certificate and its key"),
            Self::Read(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::NoCertificate(path) => {
                write!(f, "{} has no certificate in PEM (-----BEGIN CERTIFICATE-----)", path.display())
            }
            Self::NoKey(path) => {
                write!(f, "{} has no private key in PEM (-----BEGIN PRIVATE KEY-----)", path.display())
            }
            Self::Unusable(why) => write!(f, "the certificate cannot be used: {why}"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read(_, error) => Some(error),
            _ => None,
        }
    }
}

/// A certificate, first, with those that vouch for it, and its key.
pub(super) enum Identity {
    Files { chain: PathBuf, key: PathBuf },
    Memory { chain: Vec<u8>, key: Vec<u8> },
}

impl Identity {
    /// Chain and key in PEM, each with what it is called.
    fn read(&self) -> Result<[(PathBuf, Vec<u8>); 2], TlsError> {
        Ok(match self {
            Self::Files { chain, key } => [(chain.clone(), read(chain)?), (key.clone(), read(key)?)],
            Self::Memory { chain, key } => {
                [("the chain".into(), chain.clone()), ("the key".into(), key.clone())]
            }
        })
    }
}

/// The certificate in use.
pub(super) struct Tls {
    identity: Identity,
    config: Mutex<Arc<ServerConfig>>,
}

impl Tls {
    pub(super) fn new(identity: Identity) -> Result<Self, TlsError> {
        let config = Mutex::new(load(&identity)?);
        Ok(Self { identity, config })
    }

    /// Reads the files again. If they are no good, the certificate stays.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let config = load(&self.identity)?;
        *lock(&self.config) = config;
        Ok(())
    }

    /// What takes the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(lock(&self.config).clone())
    }
}

fn load(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let [(chain_name, chain), (key_name, key)] = identity.read()?;
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&chain).collect();
    let chain = chain.ok().filter(|chain| !chain.is_empty());
    let chain = chain.ok_or(TlsError::NoCertificate(chain_name))?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| TlsError::NoKey(key_name))?;
    let unusable = |error: tokio_rustls::rustls::Error| TlsError::Unusable(error.to_string());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError::Read(path.to_owned(), error))
}
