//! The servers, each a process.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use floe::server::{Transport, TurnServer};
use floe::turn::server::{Credentials, RelayAddress};
use floe_stun::{Class, MessageBuilder, Method, TransactionId};

use crate::PATIENCE;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "secret";
const REALM: &str = "bench";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// With this argument the program is the server itself.
pub(crate) const SERVE: &str = "--serve";

/// Ticks of the processor time in `/proc`, which is what Linux shows to programs whatever its own clock.
const TICKS_A_SECOND: u64 = 100;

/// A server that listens on loopback. Dropping it kills the process.
pub(crate) struct Server {
    process: Child,
    files: Option<PathBuf>,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The server of `floe`, in a process of this program.
    pub(crate) fn floe() -> Self {
        let program = std::env::current_exe().expect("a program that runs");
        let mut process =
            Command::new(program).arg(SERVE).stdout(Stdio::piped()).spawn().expect("it starts again");
        let mut line = String::new();
        let output = process.stdout.take().expect("a pipe was asked for");
        BufReader::new(output).read_line(&mut line).expect("it says where it listens");
        let address = line.trim().parse().expect("an address");
        Self { process, files: None, address }
    }

    /// coturn; `None` where it is not installed.
    pub(crate) fn coturn() -> Option<Self> {
        let free = UdpSocket::bind((LOOPBACK, 0)).ok()?;
        let address = free.local_addr().ok()?;
        drop(free);
        let files = std::env::temp_dir().join(format!("floe-bench-coturn-{}", address.port()));
        std::fs::create_dir_all(&files).ok()?;
        let mut command = Command::new("turnserver");
        command.args(["-n", "-a", "--allow-loopback-peers", "--no-tls", "--no-dtls", "--no-cli", "--no-tcp"]);
        command.args(["--log-file", "/dev/null", "-r", REALM, "-L", "127.0.0.1", "-E", "127.0.0.1"]);
        command.arg("-p").arg(address.port().to_string()).arg("-u").arg(format!("{USER}:{PASSWORD}"));
        command.arg("-b").arg(files.join("db")).arg("--pidfile").arg(files.join("pid"));
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let server = Self { process, files: Some(files), address };
        let deadline = Instant::now() + PATIENCE;
        while !server.answers() {
            if Instant::now() > deadline {
                return None;
            }
        }
        Some(server)
    }

    /// Whether a Binding request is answered soon.
    fn answers(&self) -> bool {
        let mut request = [0; 20];
        let id = TransactionId::new(*b"is it there?");
        MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id).finish().expect("it fits");
        let ask = || {
            let socket = UdpSocket::bind((LOOPBACK, 0))?;
            socket.connect(self.address)?;
            socket.set_read_timeout(Some(Duration::from_millis(200)))?;
            socket.send(&request)?;
            socket.recv(&mut [0; 1500])
        };
        ask().is_ok()
    }

    /// Processor time so far, of all threads, in the program and in the system for it.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // After the name, which is in parentheses: fields 14 and 15 of proc(5).
        let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
        let ticks: u64 =
            after.split_whitespace().skip(11).take(2).filter_map(|f| f.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 1000 / TICKS_A_SECOND)
    }

    /// Bytes of memory that are resident.
    pub(crate) fn resident(&self) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kibibytes.unwrap_or(0) * 1024
    }

    fn proc(&self, what: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{what}", self.process.id())).expect("the server runs")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(files) = &self.files {
            let _ = std::fs::remove_dir_all(files);
        }
    }
}

/// Serves until it is killed: on one thread, as coturn's are not counted either.
pub(crate) fn serve() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut credentials = Credentials::new(REALM).expect("a realm");
        credentials.add_user(USER, PASSWORD).expect("a name");
        let server = TurnServer::builder(credentials)
            .listen_on(Transport::Udp, SocketAddr::new(LOOPBACK, 0))
            .relay_address(RelayAddress::direct(LOOPBACK))
            .configure(|config| {
                config.peers.allow_loopback = true;
                config.peers.allow_own = true;
                config.limits.allocations = 20_000;
                config.limits.allocations_per_user = 20_000;
                config.challenges = None;
            })
            .start()
            .await
            .expect("loopback has room");
        println!("{}", server.local_addr(Transport::Udp).expect("it listens"));
        while server.next_event().await.is_some() {}
    });
    ExitCode::SUCCESS
}
