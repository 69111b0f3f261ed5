//! The agents that meet: how each is built, found and started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use floe_tests::workspace_root;
use serde_json::Value;

/// An implementation of ICE behind the JSON lines of `floe agent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The `floe` program of this workspace.
    Floe,
    /// aioice, which nominates aggressively (RFC 5245 §8.1.1.2).
    Aioice,
    /// libnice as it comes, which nominates aggressively.
    Libnice,
    /// libnice with regular nomination (RFC 8445 §8.1.1).
    LibniceRegular,
    /// The `RTCPeerConnection` of Chromium, of which ICE alone is used: it carries no data.
    Chromium,
}

/// The role in which an agent begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Controlling,
    Controlled,
}

impl Peer {
    /// The command that starts this agent on the loopback address.
    ///
    /// # Panics
    /// If the program cannot be built or is not installed; the message says what to do.
    pub(crate) fn command(self, role: Role) -> Command {
        let mut command = match self {
            Self::Floe => Command::new(floe()),
            Self::Aioice | Self::Chromium => Command::new(python()),
            Self::Libnice | Self::LibniceRegular => Command::new(libnice()),
        };
        match self {
            Self::Floe => command.arg("agent"),
            Self::Aioice => command.arg(source("aioice_agent.py")),
            Self::Chromium => command.arg(source("chromium_agent.py")),
            Self::Libnice => &mut command,
            Self::LibniceRegular => command.arg("--regular-nomination"),
        };
        command.args(["--bind", "127.0.0.1"]).arg(match role {
            Role::Controlling => "--controlling",
            Role::Controlled => "--controlled",
        });
        command
    }
}

impl Peer {
    /// Whether it sends and receives data.
    pub(crate) fn has_data(self) -> bool {
        self != Self::Chromium
    }
}

pub(crate) fn source(name: &str) -> PathBuf {
    workspace_root().join("tests/interop").join(name)
}

/// The `floe` program, built by cargo as a user would build it.
pub(crate) fn floe() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(workspace_root()).args(["build", "--package", "floe-cli", "--bin", "floe"]);
        cargo.args(["--message-format", "json-render-diagnostics"]);
        let messages = output_of(cargo, "building floe failed");
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            let is_floe = message["target"]["name"] == "floe" && message["target"]["kind"][0] == "bin";
            message["executable"].as_str().filter(|_| is_floe).map(PathBuf::from)
        });
        executable.expect("cargo says where it put the program it built")
    })
}

/// The Python that has aioice, and Playwright for Chromium.
pub(crate) fn python() -> PathBuf {
    let python = workspace_root().join("tests/.env/bin/python");
    assert!(python.exists(), "{} is missing: tests/run makes it", python.display());
    python
}

/// The libnice agent, compiled here.
fn libnice() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let hint = "tests/run installs libnice-dev, pkg-config and gcc";
        let mut pkg_config = Command::new("pkg-config");
        pkg_config.args(["--cflags", "--libs", "nice", "gio-2.0"]);
        let flags = output_of(pkg_config, hint);
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nice_agent");
        let mut cc = Command::new("cc");
        cc.args(["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-o"]);
        cc.arg(&program).arg(source("nice_agent.c")).args(flags.split_whitespace());
        output_of(cc, hint);
        program
    })
}

/// What `command` printed.
///
/// # Panics
/// If it failed, with what it complained of and `hint`.
fn output_of(mut command: Command, hint: &str) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {hint}"));
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}; {hint}\n{complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}
