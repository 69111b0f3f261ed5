//! Two pages of `floe serve` in Chromium call each other.

use std::process::Command;
use std::sync::{Mutex, PoisonError};

use crate::peers::{python, source};
use crate::relays::Server;

/// Two browsers at a time are enough for a machine.
static ONE_CALL: Mutex<()> = Mutex::new(());

/// Plays what pages.py has under this name.
fn play(scenario: &str) {
    let _turn = ONE_CALL.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::start();
    // Pictures of the pages, for people.
    let pictures = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&pictures).expect("a directory for pictures");
    let mut command = Command::new(python());
    command.arg(source("pages.py")).args([scenario, server.page()]).arg(&pictures);
    let output = command.output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{scenario}: {}\n{said}", output.status);
    println!("evidence: two pages in Chromium, {scenario}");
}

#[test]
fn two_pages_call_each_other_and_talk() {
    play("a_call");
}

#[test]
fn two_pages_that_want_relays_meet_at_those_of_the_server() {
    play("relayed");
}

#[test]
fn a_call_can_be_ended_and_made_again() {
    play("again");
}

#[test]
fn two_pages_that_call_at_the_same_time_have_one_call() {
    play("glare");
}

#[test]
fn without_camera_and_microphone_a_call_goes_on_with_data() {
    play("refused");
}

#[test]
fn a_page_that_is_loaded_again_goes_on_calling() {
    play("reload");
}

#[test]
fn a_restart_of_ice_does_not_stop_the_picture() {
    play("restart");
}

#[test]
fn a_page_that_opens_no_web_socket_uses_plain_requests() {
    play("requests");
}
