//! The client of coturn against the server of floe, which is the example of `floe-turn`.
//!
//! It binds no channels: the numbers it chooses are those of RFC 5766, most of which RFC 8656 has taken away.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The example; dropping it kills it.
struct FloeServer {
    process: Child,
    address: SocketAddr,
}

impl FloeServer {
    fn start() -> Self {
        let example = ["run", "--quiet", "-p", "floe-turn", "--example", "turn_server", "--"];
        let mut process = Command::new(env!("CARGO"))
            .args(example)
            .args(["127.0.0.1:0", "alice", "secret"])
            .current_dir(floe_tests::workspace_root())
            .stdout(Stdio::piped())
            .spawn()
            .expect("cargo, which runs this test, can be started");
        let output = process.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines().map_while(Result::ok);
        let first = lines.next().expect("the server says where it is");
        let address = first.rsplit(' ').next().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address: {first}"));
        // What else it says must not fill the pipe.
        std::thread::spawn(move || lines.count());
        Self { process, address }
    }
}

impl Drop for FloeServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What coturn's client has to say at the end.
fn uclient(server: &FloeServer, options: &[&str]) -> String {
    let output = Command::new("turnutils_uclient")
        .args(["-u", "alice", "-w", "secret", "-n", "20", "-p", &server.address.port().to_string()])
        .args(options)
        .arg("127.0.0.1")
        .output()
        .expect("turnutils_uclient is there: tests/run installs it");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn coturns_clients_talk_to_each_other_through_our_server() {
    let server = FloeServer::start();
    // Two clients, by Send indications; then with more requests than are needed; then with dual allocations.
    for options in
        [&["-s", "-y", "-c", "-m", "2"][..], &["-s", "-y", "-c", "-m", "2", "-G"], &["-s", "-y", "-Z", "-X"]]
    {
        let said = uclient(&server, options);
        assert!(said.contains("Total lost packets 0 "), "{options:?}: {said}");
    }
}
