//! Help, versions, wrong usage, and readers that go away.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use crate::program::floe;

const COMMANDS: [&str; 8] = ["demo", "gather", "agent", "join", "offer", "answer", "serve", "decode"];

#[test]
fn help_is_there_for_everything_and_fits_a_terminal() {
    let mut pages = vec![floe(&["--help"]), floe(&["-h"])];
    for command in COMMANDS {
        assert!(pages[0].stdout.contains(command));
        pages.extend([floe(&[command, "--help"]), floe(&[command, "-h"])]);
    }
    for page in pages {
        assert_eq!((page.status, page.stderr.as_str()), (0, ""));
        assert!(page.stdout.contains("Usage: floe"), "{}", page.stdout);
        let long: Vec<&str> = page.stdout.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(long.is_empty(), "{long:#?}");
    }
}

#[test]
fn the_version_is_the_packages() {
    let expected = format!("floe {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["-V", "--version"] {
        let run = floe(&[flag]);
        assert_eq!((run.status, run.stdout), (0, expected.clone()));
    }
}

#[test]
fn wrong_usage_is_one_line_and_status_2() {
    let error = floe(&["decode", "--pasword", "x"]);
    assert_eq!(
        error.error(2),
        "unexpected argument '--pasword' found; a similar argument exists: '--password' (see floe decode --help)"
    );
    assert!(floe(&["sing"]).error(2).starts_with("unrecognized subcommand 'sing'"));
    assert!(floe(&["decode", "--file"]).error(2).contains("--file <PATH>"));
}

#[test]
fn no_command_at_all_gives_the_help_and_status_2() {
    let run = floe(&[]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("Usage: floe <COMMAND>"), "{}", run.stderr);
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    let (reader, writer) = std::io::pipe().expect("there are pipes");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    let output = command.arg("--help").stdout(writer).stderr(Stdio::piped()).output().expect("it runs");
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    let mut command = Command::new(env!("CARGO_BIN_EXE_floe"));
    let output = command.arg("--help").stdout(full).stderr(Stdio::piped()).output().expect("it runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint.starts_with("floe: cannot write to the standard output: "), "{complaint}");
}

#[test]
fn a_turn_server_needs_a_user_and_a_transport_that_is_supported() {
    let turn = |arguments: &[&str]| floe(&[&["gather", "--bind", "127.0.0.1", "--turn"], arguments].concat());
    assert_eq!(
        turn(&["turn:127.0.0.1"]).error(2),
        "a TURN server needs --username and --password (or FLOE_TURN_PASSWORD)"
    );
    let user = ["--username", "alice", "--password", "secret"];
    let dtls = turn(&[&["turns:example.org?transport=udp"], &user[..]].concat());
    assert!(dtls.error(2).contains("DTLS is not supported"), "{}", dtls.stderr);
    let nameless = turn(&[&["turns:127.0.0.1"], &user[..]].concat());
    assert!(nameless.error(2).contains("needs a host name"), "{}", nameless.stderr);
    let alone = floe(&["gather", "--relay-only"]);
    assert!(alone.error(2).contains("--turn <URI>"), "{}", alone.stderr);
}
