//! The page, as a browser gets it.

use super::guest::{address, request, serve};

#[test]
fn the_page_comes_with_everything_it_is_made_of_and_may_run_nothing_else() {
    let server = serve(&[]);
    let at = address(&server);
    for path in ["/", "/kitchen"] {
        let page = request(at, &format!("GET {path}"), &[], "");
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(
            !page.body.contains("<script>") && !page.body.contains(" style=\""),
            "inline code would not run"
        );
        let parts = page.body.split(['"', '\'']).filter(|text| text.starts_with('/') && text.contains('.'));
        let mut count = 0;
        for part in parts {
            let found = request(at, &format!("GET {part}"), &[], "");
            assert_eq!(found.status, 200, "{part}");
            assert!(!found.body.is_empty(), "{part}");
            count += 1;
        }
        assert!(count >= 3, "it has a style and a script");
    }
    for nothing in ["/a%20b", "/nothing.js", "/kitchen/nothing", "/..%2fsecret"] {
        assert_eq!(request(at, &format!("GET {nothing}"), &[], "").status, 404, "{nothing}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn with_a_certificate_the_page_is_secure() {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::Arc;

    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

    use crate::serve::Identity;

    let identity = Identity::new("page");
    let server = serve(&identity.arguments());
    let url = server.said("page");
    let at = url.strip_prefix("https://").expect("a secure one").trim_end_matches('/');
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(identity.arguments()[3]).expect("PEM")).expect("a certificate");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("usual versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "turn.example.org".try_into().expect("a name");
    let client = ClientConnection::new(Arc::new(config), name).expect("a client");
    let mut stream = StreamOwned::new(client, TcpStream::connect(at).expect("it listens"));
    let asked = "GET /kitchen/ws HTTP/1.1\r\nHost: turn.example.org\r\nConnection: close\r\n\r\n";
    stream.write_all(asked.as_bytes()).expect("written");
    let mut answer = String::new();
    // It may be closed without a farewell of TLS.
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 400 "), "a WebSocket has to be asked for: {answer}");
    // Without TLS nothing is understood.
    let mut plain = TcpStream::connect(at).expect("it listens");
    plain.write_all(asked.as_bytes()).expect("written");
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
