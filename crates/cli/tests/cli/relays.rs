//! `floe gather` through `floe serve`, over each transport.

use crate::program::floe;
use crate::serve::Server;

const USER: [&str; 4] = ["--username", "alice", "--password", "secret"];

fn gather(uri: &str, more: &[&str]) -> crate::program::Run {
    floe(&[&["gather", "--relay-only", "--bind", "127.0.0.1", "--turn", uri], &USER[..], more].concat())
}

#[test]
fn a_relay_is_reached_over_udp_and_over_tcp() {
    let server = Server::start(&["--listen", "127.0.0.1:0", "--user", "alice:secret"], None);
    for transport in ["udp", "tcp"] {
        let lines = server.greeting.split_whitespace().filter(|word| word.starts_with("turn:"));
        let uri =
            lines.filter(|uri| uri.ends_with(transport)).map(str::to_owned).next().expect("a URI for it");
        let run = gather(&uri, &[]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains(" relay "), "{run:?}");
    }
}

#[test]
fn a_connection_that_is_refused_is_explained() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let address = nobody.local_addr().expect("bound");
    drop(nobody);
    let run = gather(&format!("turn:{address}?transport=tcp"), &[]);
    assert_eq!(run.status, 1);
    let told = format!("{address} over TCP");
    let line = run.stdout.lines().find(|line| line.contains("the server refused the connection"));
    assert!(line.is_some_and(|line| line.contains(&told)), "{run:?}");
}

#[cfg(feature = "tls")]
mod tls {
    use std::path::PathBuf;

    use super::gather;
    use crate::serve::Server;

    /// A file that is there as long as the test runs.
    struct File(PathBuf);

    impl File {
        fn new(name: &str, content: &str) -> Self {
            let file = format!("{}-relays-{name}.pem", std::process::id());
            let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
            std::fs::write(&path, content).expect("written");
            Self(path)
        }

        fn path(&self) -> &str {
            self.0.to_str().expect("text")
        }
    }

    impl Drop for File {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn a_relay_is_reached_over_tls_if_its_certificate_is_trusted() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
        let (chain, key) =
            (File::new("chain", &made.cert.pem()), File::new("key", &made.signing_key.serialize_pem()));
        let tls = ["--tls-listen", "127.0.0.1:0", "--tls-cert", chain.path(), "--tls-key", key.path()];
        let server =
            Server::start(&[&["--listen", "127.0.0.1:0", "--user", "alice:secret"], &tls[..]].concat(), None);
        let mut words = server.greeting.split_whitespace();
        let uri = words.find(|word| word.starts_with("turns:")).expect("a URI for it");
        let uri = uri.replace("127.0.0.1", "localhost");
        let run = gather(&uri, &["--tls-ca", chain.path()]);
        assert_eq!(run.status, 0, "{run:?} {}", server.greeting);
        assert!(run.stdout.contains(" relay "), "{run:?}");
        let run = gather(&uri, &[]);
        assert_eq!(run.status, 1);
        assert!(run.stdout.contains("the server's certificate is not valid for it"), "{run:?}");
        let run = gather(&uri, &["--tls-ca", key.path()]);
        assert!(run.error(2).contains("no certificates to trust"), "{run:?}");
        let run = gather(&uri, &["--tls-ca", "/nowhere/ca.pem"]);
        assert!(run.error(2).starts_with("cannot read /nowhere/ca.pem: "), "{run:?}");
    }
}
