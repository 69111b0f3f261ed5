//! TURN over TLS: whom to trust, by which name, and with which protocol inside.

use std::net::SocketAddr;
use std::sync::Arc;

use floe::ice::DriverError;
use floe::ice::candidate::CandidateKind;
use floe::{Builder, GatheringFailure, IceServer, RelayServer, RelayTransport, StartError};
use rcgen::{CertificateParams, Issuer, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::relays::{address_of, problems, server};
use crate::support::{both_completed, deliver, local, pair_of, soon};

const NAME: &str = "turn.example.org";

/// An authority of our own, and a server with a certificate of it.
struct Front {
    address: SocketAddr,
    /// The certificate of the authority.
    roots: String,
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// Takes TLS off and hands what is inside to the server behind.
async fn front(behind: SocketAddr, name: &str, protocol: &[u8]) -> Front {
    let mut authority = CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority_key = key();
    let roots = authority.self_signed(&authority_key).expect("signed");
    let issuer = Issuer::from_params(&authority, &authority_key);
    let server_key = key();
    let params = CertificateParams::new([name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&server_key, &issuer).expect("signed");
    let private = PrivateKeyDer::try_from(server_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config = config.with_no_client_auth();
    let mut config =
        config.with_single_cert(vec![certificate.der().clone()], private).expect("a certificate");
    config.alpn_protocols = vec![protocol.to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut inside) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(behind).await.expect("it listens");
                let _ = tokio::io::copy_bidirectional(&mut inside, &mut behind).await;
            });
        }
    });
    Front { address, roots: roots.pem() }
}

/// An agent that may use nothing but a relay over TLS.
fn through(front: &Front, name: &str) -> Builder {
    let server = RelayServer::new(floe::ServerAddress::Address(front.address), "alice", "secret");
    let server = server.with_transport(RelayTransport::Tls).with_tls_name(name);
    local().configure(|config| config.gather.relays.push(server)).relay_only()
}

#[tokio::test]
async fn agents_exchange_data_through_relays_over_tls() {
    let server = server().await;
    let front = front(address_of(&server), NAME, b"stun.turn").await;
    let agent = || through(&front, NAME).tls_roots(&front.roots);
    let (a, b) = soon(pair_of(agent(), agent())).await;
    let (a_end, b_end) = soon(both_completed(&a, &b)).await;
    assert_eq!(a_end.selected_pair().expect("selected").local.kind(), CandidateKind::Relayed);
    for round in 0..100_u8 {
        let payload = vec![0x80 | round; 1 + 14 * usize::from(round)];
        deliver(&a_end, &b_end, &payload).await;
        deliver(&b_end, &a_end, &payload).await;
    }
}

#[tokio::test]
async fn a_certificate_has_to_be_of_somebody_we_trust_and_for_the_name_of_the_server() {
    let server = server().await;
    let refused = [GatheringFailure::Driver(DriverError::Certificate)];
    let front = front(address_of(&server), NAME, b"stun.turn").await;
    // Nobody that the system trusts knows this authority.
    let stranger = through(&front, NAME).start().await.expect("started");
    assert_eq!(problems(&stranger).await, refused);
    let misnamed = through(&front, "other.example.org").tls_roots(&front.roots);
    assert_eq!(problems(&misnamed.start().await.expect("started")).await, refused);
    // RFC 8489 §6.2.3: nothing of ours was sent.
    assert_eq!(server.stats().accepted, 0);
}

#[tokio::test]
async fn a_server_for_another_protocol_is_refused() {
    let server = server().await;
    let front = front(address_of(&server), NAME, b"http/1.1").await;
    let agent = through(&front, NAME).tls_roots(&front.roots).start().await.expect("started");
    assert_eq!(problems(&agent).await, [GatheringFailure::Driver(DriverError::Tls)]);
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).await.expect("a handshake");
            assert_eq!(hello[0], 22, "RFC 8446 §5.1");
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    let front = Front { address, roots: String::new() };
    let agent = through(&front, NAME).start().await.expect("started");
    assert_eq!(problems(&agent).await, [GatheringFailure::Driver(DriverError::Tls)]);
}

#[tokio::test]
async fn what_is_no_certificate_is_refused_at_the_start() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let error = local().tls_roots(pem).start().await.expect_err("refused");
        assert!(matches!(error, StartError::TlsRoots), "{error:?}");
    }
}

#[tokio::test]
async fn servers_as_browsers_are_told_of_them() {
    let server = server().await;
    let uri = format!("turn:{}?transport=tcp", address_of(&server));
    let servers = [IceServer::new([uri]).with_account("alice", "secret")];
    let agent = local().ice_servers(servers).relay_only().start().await.expect("started");
    assert_eq!(problems(&agent).await, []);
    assert_eq!(agent.local_candidates().len(), 1);
    let printed = format!("{:?}", IceServer::new(["turn:a"]).with_account("alice", "secret"));
    assert!(!printed.contains("alice") && !printed.contains("secret"), "{printed}");
    let bare = local().ice_servers([IceServer::new(["stun:127.0.0.1", "TURNS:example.org"])]);
    let error = bare.start().await.expect_err("refused");
    assert!(matches!(&error, StartError::NoAccount(url) if url == "TURNS:example.org"), "{error:?}");
    let odd = local().ice_servers([IceServer::new(["http://example.org"])]);
    assert!(matches!(odd.start().await.expect_err("refused"), StartError::Server(..)));
}
