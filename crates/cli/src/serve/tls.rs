//! TLS: its addresses, and the certificate.

use std::net::SocketAddr;
use std::path::PathBuf;

use floe::server::{Transport, TurnServer, TurnServerBuilder};

use crate::failure::{Failure, Outcome};
use crate::output;

use super::{addresses, utc};

/// The port of TURN over TLS (RFC 8656 §5).
const PORT: u16 = 5349;

/// TLS, as the arguments say it.
#[derive(Debug, clap::Args)]
pub(crate) struct TlsArgs {
    /// Listen here over TLS: IP:PORT, or IP for port
    /// 5349; can be repeated [default: 0.0.0.0 and
    /// [::], if there is a certificate]
    #[arg(long, value_name = "ADDR", value_parser = parse_listen, verbatim_doc_comment, requires = "tls_cert")]
    tls_listen: Vec<SocketAddr>,

    /// The certificate and those that vouch for it, in
    /// PEM
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        conflicts_with = "stun_only",
        verbatim_doc_comment
    )]
    tls_cert: Option<PathBuf>,

    /// The key of the certificate, in PEM. SIGHUP makes
    /// the server read both files again
    #[arg(long, value_name = "FILE", requires = "tls_cert", verbatim_doc_comment)]
    tls_key: Option<PathBuf>,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    addresses::parse_listen(text, PORT)
}

impl TlsArgs {
    /// Where to listen over TLS.
    pub(super) fn listen(&self, everywhere: impl FnOnce(u16) -> Vec<SocketAddr>) -> Vec<SocketAddr> {
        match &self.tls_cert {
            Some(_) if self.tls_listen.is_empty() => everywhere(PORT),
            _ => self.tls_listen.clone(),
        }
    }

    /// Whether there is a certificate.
    pub(super) fn has_certificate(&self) -> bool {
        self.tls_cert.is_some()
    }

    /// The same, for the server.
    pub(super) fn apply(&self, builder: TurnServerBuilder, listen: &[SocketAddr]) -> TurnServerBuilder {
        let (Some(chain), Some(key)) = (&self.tls_cert, &self.tls_key) else { return builder };
        let builder = builder.certificate(chain, key);
        listen.iter().fold(builder, |builder, &address| builder.listen_on(Transport::Tls, address))
    }
}

/// Reads the certificate again, and says how that went. The server goes on in any case.
pub(super) fn reload(server: &TurnServer) -> Outcome {
    let said = match server.reload_certificate() {
        Ok(()) => "certificate read again".to_owned(),
        Err(error) => format!("certificate not replaced: {error}"),
    };
    output::print(&format!("{} {said}\n", utc::now()))
}

/// What the server's errors mean here.
pub(super) fn failure(error: &floe::server::TlsError) -> Failure {
    Failure::Failed(format!("{error} (--tls-cert, --tls-key)"))
}
