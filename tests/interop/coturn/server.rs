//! A running coturn.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use floe_stun::{Class, MessageBuilder, Method, TransactionId};

pub(crate) const USER: &str = "a-user";
pub(crate) const PASSWORD: &str = "a-secret";

/// The name in its certificate.
pub(crate) const TLS_NAME: &str = "turn.example.org";

/// How often another port is tried where the first one is taken.
const ATTEMPTS: usize = 5;

/// The longest that it takes to start, with much to spare.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer is waited for before it is asked again.
const RESPONSE: Duration = Duration::from_millis(200);

/// Dropping it kills the process and removes its files.
pub(crate) struct Coturn {
    process: Child,
    files: PathBuf,
    pub(crate) address: SocketAddr,
    /// The same over TLS.
    pub(crate) tls: SocketAddr,
    /// The certificate of the authority that vouches for it.
    pub(crate) roots: String,
    /// One at a time, so that none takes the port that another one is about to bind.
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Coturn {
    /// A server on a port of the system's choice whose nonces last for a second.
    pub(crate) fn start() -> Self {
        let account = format!("{USER}:{PASSWORD}");
        Self::start_with(&["--stale-nonce=1", "-u", &account])
    }

    /// With these switches beside those of every server here.
    pub(crate) fn start_with(more: &[&str]) -> Self {
        (0..ATTEMPTS).find_map(|_| Self::try_start(more)).expect("turnserver starts: tests/run installs it")
    }

    fn try_start(more: &[&str]) -> Option<Self> {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let free = UdpSocket::bind("127.0.0.1:0").ok()?;
        let address = free.local_addr().ok()?;
        let files = std::env::temp_dir().join(format!("floe-coturn-{}", address.port()));
        std::fs::create_dir_all(&files).ok()?;
        let free_for_tls = TcpListener::bind("127.0.0.1:0").ok()?;
        let tls = free_for_tls.local_addr().ok()?;
        let roots = certify(&files)?;
        drop((free, free_for_tls));
        let mut command = Command::new("turnserver");
        command.args(["-n", "-a", "--allow-loopback-peers", "--no-dtls", "--no-cli", "--mobility"]);
        command.args(["--log-file", "stdout", "--simple-log", "-r", "floe"]).args(more);
        command.args(["-L", "127.0.0.1", "-E", "127.0.0.1", "-p", &address.port().to_string()]);
        command.arg("--tls-listening-port").arg(tls.port().to_string());
        command.arg("--cert").arg(files.join("certificate")).arg("--pkey").arg(files.join("key"));
        command.arg("-b").arg(files.join("db")).arg("--pidfile").arg(files.join("pid"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let mut server = Self { process, files, address, tls, roots, _turn };
        let deadline = Instant::now() + PATIENCE;
        while [address, tls].into_iter().any(|at| TcpStream::connect(at).is_err())
            || !answers_over_udp(address)
        {
            // The port was taken in the meantime, perhaps for UDP alone: then it listens on TCP only.
            let ended = server.process.try_wait().ok()?.is_some();
            if ended || Instant::now() > deadline {
                return None;
            }
            thread::yield_now();
        }
        Some(server)
    }
}

/// A key and a certificate for the server among its files, and whom to trust for it.
fn certify(files: &Path) -> Option<String> {
    let key = rcgen::KeyPair::generate().ok()?;
    let params = rcgen::CertificateParams::new([TLS_NAME.to_owned()]).ok()?;
    let certificate = params.self_signed(&key).ok()?.pem();
    std::fs::write(files.join("key"), key.serialize_pem()).ok()?;
    std::fs::write(files.join("certificate"), &certificate).ok()?;
    Some(certificate)
}

/// Whether a Binding request is answered soon.
fn answers_over_udp(server: SocketAddr) -> bool {
    let mut request = [0; 20];
    let id = TransactionId::new(*b"is it there?");
    MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id).finish().expect("it fits");
    let ask = || {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(RESPONSE))?;
        socket.send(&request)?;
        socket.recv(&mut [0; 1500])
    };
    ask().is_ok_and(|len| len >= request.len())
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_dir_all(&self.files);
    }
}
