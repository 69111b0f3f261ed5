//! `floe serve`, and agents that use nothing but its relays.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::peers::floe;

const USER: &str = "alice";
const PASSWORD: &str = "correct horse";

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Udp,
    Tcp,
}

/// A running server. Dropping it kills the process.
pub(crate) struct Server {
    process: Child,
    /// How its clients call it.
    uris: Vec<String>,
    /// Where its page is.
    page: String,
}

impl Server {
    /// Starts one on loopback, at ports of the system's choice.
    pub(crate) fn start() -> Self {
        let mut command = Command::new(floe());
        command.args(["serve", "--listen", "127.0.0.1:0", "--allow-private-peers"]);
        command.arg("--user").arg(format!("{USER}:{PASSWORD}"));
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it was built");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe was asked for")).lines();
        let greeting = lines.by_ref().map(|line| line.expect("text")).take_while(|line| !line.is_empty());
        let greeting: Vec<String> = greeting.collect();
        let page = greeting.iter().find_map(|line| line.strip_prefix("page")).expect("it has a page");
        let page = page.trim().to_owned();
        let uris = greeting.into_iter().filter(|line| line.starts_with("turn:")).collect();
        // What it says about its allocations has to be read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, uris, page }
    }

    /// The address of its page.
    pub(crate) fn page(&self) -> &str {
        &self.page
    }

    /// The arguments of an agent that uses it, and nothing else.
    pub(crate) fn arguments(&self, transport: Transport) -> [&str; 7] {
        let ending = match transport {
            Transport::Udp => "?transport=udp",
            Transport::Tcp => "?transport=tcp",
        };
        let uri = self.uris.iter().find(|uri| uri.ends_with(ending)).expect("it listens");
        ["--turn", uri, "--username", USER, "--password", PASSWORD, "--relay-only"]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if the process has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
