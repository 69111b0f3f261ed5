//! `floe serve` on loopback, with `floe gather` for a client.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::program::floe;

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    child: Child,
    output: BufReader<ChildStdout>,
    /// What it said when it started.
    pub(crate) greeting: String,
}

impl Server {
    pub(crate) fn start(arguments: &[&str], secret: Option<&str>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
        command.arg("serve").args(arguments).env_remove("FLOE_TURN_SECRET").env_remove("FLOE_ROOM_SECRET");
        command.envs(secret.map(|secret| ("FLOE_TURN_SECRET", secret)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built");
        let output = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut server = Self { child, output, greeting: String::new() };
        loop {
            match server.line() {
                line if line.is_empty() => return server,
                line => server.greeting.push_str(&format!("{line}\n")),
            }
        }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.output.read_line(&mut line).expect("its output is text");
        assert!(read > 0, "the server ended: {:?}", self.child.wait());
        line.trim_end().to_owned()
    }

    /// What stands behind a word at the beginning of a line of the greeting.
    pub(crate) fn said(&self, word: &str) -> &str {
        let mut lines = self.greeting.lines().filter_map(|line| line.strip_prefix(word));
        lines.next().unwrap_or_else(|| panic!("no {word} in\n{}", self.greeting)).trim_start()
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill.args(["-s", name, &self.child.id().to_string()]).status();
        assert!(status.expect("kill is there").success());
    }

    /// Stops it. Returns the rest of what it said.
    pub(crate) fn stop(mut self, signal: &str) -> String {
        self.signal(signal);
        let mut rest = String::new();
        self.output.read_to_string(&mut rest).expect("its output is text");
        let status = self.child.wait().expect("it ends");
        let mut complaint = String::new();
        let stderr = self.child.stderr.take().expect("a pipe was asked for");
        BufReader::new(stderr).read_to_string(&mut complaint).expect("text");
        assert_eq!((status.code(), complaint.as_str()), (Some(0), ""), "{rest}");
        rest
    }

    /// The name and the password that it printed work.
    fn gather_as(&self, user: &str, password: &str) -> crate::program::Run {
        let uri = self.said("turn:").split_once(' ').map_or(self.said("turn:"), |(uri, _)| uri);
        let uri = format!("turn:{uri}");
        floe(&["gather", "--bind", "127.0.0.1", "--turn", &uri, "--username", user, "--password", password])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) const LOCAL: [&str; 3] = ["--listen", "127.0.0.1:0", "--allow-private-peers"];

#[test]
fn a_server_without_users_makes_one_up_that_works() {
    let mut server = Server::start(&LOCAL, None);
    for said in [
        "stun:127.0.0.1:",
        "?transport=udp\n",
        "?transport=tcp\n",
        "relays    127.0.0.1, UDP ports 49152 to 65535\n",
    ] {
        assert!(server.greeting.contains(said), "{said:?} is missing in\n{}", server.greeting);
    }
    let password = server.said("password").to_owned();
    let run = server.gather_as("floe", &password);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(run.stdout.contains("  relay   127.0.0.1:"), "{}", run.stdout);
    assert!(server.line().contains("Z allocated floe udp 127.0.0.1:"));
    assert!(server.line().contains(": deleted after "));
    let refused = server.gather_as("floe", "guessed");
    assert_eq!(refused.status, 1, "{refused:?}");
    let line = server.line();
    assert!(line.contains("Z refused   floe udp 127.0.0.1:"), "{line}");
    assert!(line.ends_with(": unknown user or wrong password"), "{line}");
    let rest = server.stop("TERM");
    assert!(rest.starts_with("statistics: 0 allocations now, 1 begun, 1 ended"), "{rest}");
    assert!(rest.contains("\nrejected 1: unknown user or wrong password\n"), "{rest}");
}

#[test]
fn the_printed_command_works_as_it_stands() {
    let server = Server::start(&LOCAL, None);
    let arguments: Vec<&str> = server.said("try").split(' ').skip(1).collect();
    assert_eq!(floe(&arguments).status, 0, "{arguments:?}");
}

#[test]
fn a_secret_in_the_environment_makes_credentials_that_work() {
    let server = Server::start(&[&LOCAL[..], &["--realm", "example.org"]].concat(), Some("north"));
    assert!(!server.greeting.contains("north"), "{}", server.greeting);
    let (user, until) = server.said("username").split_once(' ').expect("a name and until when it holds");
    assert!(user.ends_with(":test") && until.starts_with("(until 20"), "{user} {until}");
    let run = server.gather_as(user, server.said("password"));
    assert_eq!(run.status, 0, "{run:?}");
    let expired = server.gather_as("1000000000:test", server.said("password"));
    assert_eq!(expired.status, 1, "{expired:?}");
    server.stop("INT");
}

#[test]
fn statistics_are_printed_when_asked_for() {
    let mut server =
        Server::start(&[&LOCAL[..], &["--user", "alice:secret", "--user", "bob:secret"]].concat(), None);
    assert_eq!(server.said("users"), "alice, bob");
    assert!(!server.greeting.contains("secret"), "{}", server.greeting);
    assert_eq!(server.gather_as("bob", "secret").status, 0);
    assert!(server.line().contains("allocated bob "));
    assert!(server.line().contains("ended     bob "));
    server.signal("USR1");
    assert!(server.line().starts_with("statistics: 0 allocations now, 1 begun, 1 ended"));
    server.stop("INT");
}

/// A certificate and its key in files, which are removed when this is dropped.
#[cfg(feature = "tls")]
pub(crate) struct Identity([std::path::PathBuf; 2]);

#[cfg(feature = "tls")]
impl Identity {
    pub(crate) fn new(name: &str) -> Self {
        let path = |end| {
            let file = format!("{}-{name}-{end}.pem", std::process::id());
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(file)
        };
        let made = rcgen::generate_simple_self_signed(["turn.example.org".to_owned()]).expect("made");
        let identity = Self(["chain", "key"].map(path));
        std::fs::write(&identity.0[0], made.cert.pem()).expect("written");
        std::fs::write(&identity.0[1], made.signing_key.serialize_pem()).expect("written");
        identity
    }

    pub(crate) fn arguments(&self) -> [&str; 6] {
        let [chain, key] = self.0.each_ref().map(|path| path.to_str().expect("text"));
        ["--tls-listen", "127.0.0.1:0", "--tls-cert", chain, "--tls-key", key]
    }
}

#[cfg(feature = "tls")]
impl Drop for Identity {
    fn drop(&mut self) {
        // They are in a directory for such files.
        self.0.iter().for_each(|path| drop(std::fs::remove_file(path)));
    }
}

#[cfg(feature = "tls")]
#[test]
fn a_certificate_brings_tls_and_can_be_replaced() {
    let identity = Identity::new("cli");
    let mut server = Server::start(&[&LOCAL[..], &identity.arguments()].concat(), None);
    assert!(server.said("turns:").ends_with("?transport=tcp"), "{}", server.greeting);
    server.signal("HUP");
    assert!(server.line().ends_with("Z certificate read again"));
    std::fs::write(&identity.0[0], "no certificate").expect("written");
    server.signal("HUP");
    assert!(server.line().contains("Z certificate not replaced: "));
    server.stop("TERM");
    let run = floe(&[&["serve"], &LOCAL[..], &identity.arguments()].concat());
    assert!(run.error(1).contains("has no certificate in PEM"), "{run:?}");
    let run = floe(&["serve", "--stun-only", "--tls-cert", "chain.pem", "--tls-key", "key.pem"]);
    assert!(run.error(2).contains("cannot be used with"), "{run:?}");
    let run = floe(&["serve", "--tls-cert", "chain.pem"]);
    assert!(run.error(2).contains("--tls-key <FILE>"), "{run:?}");
}

#[test]
fn a_stun_server_alone_tells_addresses_and_relays_nothing() {
    let server = Server::start(&["--stun-only", "--listen", "127.0.0.1:0"], None);
    assert!(!server.greeting.contains("turn:"), "{}", server.greeting);
    let run = floe(&["gather", "--bind", "127.0.0.1", "--stun", server.greeting.trim_end()]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(server.stop("TERM").starts_with("statistics: 1 requests answered"));
}

#[test]
fn a_port_in_use_is_explained() {
    let server = Server::start(&LOCAL, None);
    let address = server.said("stun:").to_owned();
    for more in [&[][..], &["--stun-only"]] {
        let run = floe(&[&["serve", "--listen", &address], more].concat());
        assert!(run.error(1).starts_with(&format!("cannot listen on {address} (udp): ")), "{run:?}");
        assert!(run.error(1).ends_with("; stop what listens there, or take another port"), "{run:?}");
    }
}

#[test]
fn wrong_usage_is_explained() {
    for (arguments, said) in [
        (&["--listen", "nowhere"][..], "use IP:PORT, such as 0.0.0.0:3478 or [::]:3478"),
        (&["--relay-ports", "9-1"], "use MIN-MAX, such as 50000-50999"),
        (&["--user", "alice"], "NAME:PASSWORD"),
        (&["--realm", ""], "1 to 127 bytes"),
        (&["--external-ip", "203.0.113.1", "--external-ip", "203.0.113.2"], "one of each family"),
        (&["--stun-only", "--user", "alice:secret"], "cannot be used with"),
        (&["--user-quota", "0"], "0 is not in 1.."),
    ] {
        let run = floe(&[&["serve"], arguments].concat());
        assert!(run.error(2).contains(said), "{run:?}");
        assert!(!run.stderr.contains("secret"), "{run:?}");
    }
    let foreign = floe(&["serve", "--listen", "127.0.0.1:0", "--relay-ip", "192.0.2.254"]);
    assert!(foreign.error(1).starts_with("relays cannot be at 192.0.2.254: "), "{foreign:?}");
}
