//! Two programs connected to each other through their JSON lines.

use std::fmt;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::conversation::{Conversation, Message};
use crate::program::{Output, Program};

/// How long a program may take to say its first word. A browser needs a second or two; the rest is for a machine that is busy with
/// other things.
const START: Duration = Duration::from_secs(120);

/// How long two programs may take from then to their end. They need tenths of a second.
const LIMIT: Duration = Duration::from_secs(40);

/// How long to wait for the next line of a program that was killed.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// How a side's candidates reach the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signalling {
    /// Each as soon as it is known (RFC 8838).
    Trickled,
    /// All after the end of gathering, as without trickle.
    Together,
}

/// How the programs are told to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Command,
    EndOfInput,
}

/// A failed meeting: why, and all that was said.
pub(crate) struct Failure {
    reason: String,
    transcript: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.reason)?;
        self.transcript.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// What happens in a meeting.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan<'a> {
    pub(crate) signalling: Signalling,
    pub(crate) ending: Ending,
    /// Both send data to each other.
    pub(crate) data: bool,
    /// Who restarts ICE, one after the other.
    pub(crate) restarts: &'a [usize],
}

struct Side {
    program: Program,
    conversation: Conversation,
    /// What the other side is told only after the end of candidates.
    held: Vec<Value>,
    has_begun: bool,
    has_exited: bool,
}

struct Meeting<'p> {
    sides: [Side; 2],
    outputs: Receiver<(usize, Output)>,
    plan: Plan<'p>,
    started: Instant,
    deadline: Instant,
    transcript: Vec<String>,
    /// What each side is to receive.
    sent_to: [Vec<String>; 2],
    is_ending: bool,
}

/// What is sent from one side to the other: the characters that escaping and encoding can spoil, and a size near
/// that of a full packet.
fn payloads(from: &str) -> [String; 5] {
    [
        format!("first from {from}"),
        format!("é ✓ 𝄞 from {from}"),
        format!("\"quoted\" \\ \t\r\n from {from}"),
        format!("{from} {}", "x".repeat(1100)),
        from.to_owned(),
    ]
}

/// Starts both programs, passes their signalling on, lets each send five payloads to the other, and ends them. In between ICE is
/// restarted, while each goes on sending to the other.
pub(crate) fn meet(commands: [Command; 2], plan: Plan<'_>) -> Result<(), Failure> {
    let (sender, outputs) = channel();
    let start = |tag, command| {
        let program = Program::start(command, tag, &sender)?;
        Ok(Side {
            program,
            conversation: Conversation::default(),
            held: Vec::new(),
            has_begun: false,
            has_exited: false,
        })
    };
    let [a, b] = commands;
    let sides = start(0, a).and_then(|a| Ok([a, start(1, b)?]));
    drop(sender);
    let sides = sides.map_err(|reason| Failure { reason, transcript: Vec::new() })?;
    let mut meeting = Meeting {
        sides,
        outputs,
        plan,
        started: Instant::now(),
        deadline: Instant::now() + START,
        transcript: Vec::new(),
        sent_to: [Vec::new(), Vec::new()],
        is_ending: false,
    };
    let result = meeting.run();
    result.map_err(|reason| Failure { reason, transcript: meeting.break_off() })
}

impl Meeting<'_> {
    fn run(&mut self) -> Result<(), String> {
        self.wait_until("both have a selected pair", |side| side.conversation.path().is_some())?;
        self.exchange("")?;
        self.check_paths()?;
        for (count, &by) in (1..).zip(self.plan.restarts) {
            self.restart(by, count)?;
        }
        self.end()
    }

    /// Each sends the other five payloads.
    fn exchange(&mut self, when: &str) -> Result<(), String> {
        self.send(when);
        self.wait_for_data()
    }

    fn send(&mut self, when: &str) {
        if !self.plan.data {
            return;
        }
        for (to, from) in [(0, "B"), (1, "A")] {
            for payload in payloads(&format!("{from}{when}")) {
                self.tell(1 - to, &json!({"type": "send", "data": payload}));
                self.sent_to[to].push(payload);
            }
        }
    }

    /// Everything that was sent arrives, on loopback.
    fn wait_for_data(&mut self) -> Result<(), String> {
        for to in 0..2 {
            let expected = self.sent_to[to].len();
            let what = format!("{} has received {expected} payloads", name(to));
            while self.sides[to].conversation.received().len() < expected {
                self.take_next(&what)?;
            }
        }
        self.check_received()
    }

    /// Restart `count`, by one side: data goes on before the other one hears of it, while both connect anew, and afterwards.
    fn restart(&mut self, by: usize, count: usize) -> Result<(), String> {
        self.sides.iter_mut().for_each(|side| side.conversation.expect_restart());
        self.tell(by, &json!({"type": "restart"}));
        self.exchange(&format!(" during restart {count}"))?;
        // A browser's state is that of all it does.
        let data = self.plan.data;
        let restarted = |side: &Side| {
            side.conversation.sessions() > count
                && side.conversation.path().is_some()
                && (!data || side.conversation.state() == Some("completed"))
        };
        self.wait_until("both have selected a pair of the new session", restarted)?;
        self.exchange(&format!(" after restart {count}"))?;
        self.check_paths()
    }

    fn check_received(&self) -> Result<(), String> {
        for (tag, (side, expected)) in self.sides.iter().zip(&self.sent_to).enumerate() {
            let (mut received, mut expected) = (side.conversation.received().to_vec(), expected.clone());
            received.sort();
            expected.sort();
            if received != expected {
                return Err(format!("{} received {received:?} instead of {expected:?}", name(tag)));
            }
        }
        Ok(())
    }

    /// With one address on each side there is one path, and both must name it.
    fn check_paths(&self) -> Result<(), String> {
        match self.sides.each_ref().map(|side| side.conversation.path()) {
            [Some((a_local, a_remote)), Some(b)] if b == (a_remote, a_local) => Ok(()),
            [a, b] => Err(format!("the sides name different paths: {a:?} and {b:?}")),
        }
    }

    fn end(&mut self) -> Result<(), String> {
        self.is_ending = true;
        for tag in 0..2 {
            if self.plan.ending == Ending::Command {
                self.tell(tag, &json!({"type": "close"}));
            } else {
                self.note(tag, "<- end of input");
                self.sides[tag].program.end_input();
            }
        }
        self.wait_until("both have ended", |side| side.has_exited)?;
        self.check_received()?;
        for (tag, side) in self.sides.iter_mut().enumerate() {
            let status = side.program.exit_status(self.deadline)?;
            if !status.success() || side.conversation.state() != Some("closed") {
                let state = side.conversation.state();
                return Err(format!("{} ended with {status} in the state {state:?}", name(tag)));
            }
        }
        Ok(())
    }

    /// Kills both programs and gives all that was said, their last words included.
    fn break_off(mut self) -> Vec<String> {
        for side in &mut self.sides {
            side.program.kill();
        }
        while let Ok((tag, output)) = self.outputs.recv_timeout(LAST_WORDS) {
            self.note(tag, &output.to_string());
        }
        self.transcript
    }

    /// Passes messages on until `done` holds for both sides.
    fn wait_until(&mut self, what: &str, done: impl Fn(&Side) -> bool) -> Result<(), String> {
        while !self.sides.iter().all(&done) {
            self.take_next(what)?;
        }
        Ok(())
    }

    /// The next thing that one of them says. `what` is waited for.
    fn take_next(&mut self, what: &str) -> Result<(), String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let (tag, output) = self.outputs.recv_timeout(left).map_err(|_| {
            let taken = self.started.elapsed().as_secs();
            format!("not within {taken} s: {what}")
        })?;
        self.take(tag, output).map_err(|reason| format!("{}: {reason}", name(tag)))
    }

    fn take(&mut self, tag: usize, output: Output) -> Result<(), String> {
        self.note(tag, &output.to_string());
        match output {
            Output::Complaint(_) => {}
            Output::End => {
                self.sides[tag].has_exited = true;
                if !self.is_ending {
                    let status = self.sides[tag].program.exit_status(self.deadline)?;
                    return Err(format!("it ended early, with {status}"));
                }
            }
            Output::Line(line) => {
                if !std::mem::replace(&mut self.sides[tag].has_begun, true)
                    && self.sides.iter().all(|side| side.has_begun)
                {
                    self.deadline = Instant::now() + LIMIT;
                }
                let message = Message::parse(&line)?;
                self.sides[tag].conversation.take(&message)?;
                self.pass_on(tag, message)?;
            }
        }
        Ok(())
    }

    /// Tells the other side what it must know of `message`.
    fn pass_on(&mut self, from: usize, message: Message) -> Result<(), String> {
        let signal = match message {
            Message::Credentials { ufrag, pwd } => {
                json!({"type": "remote-credentials", "ufrag": ufrag, "pwd": pwd})
            }
            Message::Candidate(line) => json!({"type": "remote-candidate", "candidate": line}),
            Message::EndOfCandidates { ufrag: Some(ufrag) } => {
                json!({"type": "remote-end-of-candidates", "ufrag": ufrag})
            }
            Message::EndOfCandidates { ufrag: None } => json!({"type": "remote-end-of-candidates"}),
            Message::State(state)
                if !self.is_ending && matches!(state.as_str(), "failed" | "disconnected") =>
            {
                return Err(format!("it is {state}"));
            }
            Message::State(_) | Message::SelectedPair { .. } | Message::Data(_) => return Ok(()),
        };
        self.sides[from].held.push(signal);
        if self.plan.signalling == Signalling::Trickled || self.sides[from].conversation.has_ended() {
            for signal in std::mem::take(&mut self.sides[from].held) {
                self.tell(1 - from, &signal);
            }
        }
        Ok(())
    }

    fn tell(&mut self, tag: usize, message: &Value) {
        self.note(tag, &format!("<- {message}"));
        self.sides[tag].program.write_line(&message.to_string());
    }

    fn note(&mut self, tag: usize, what: &str) {
        let at = self.started.elapsed().as_secs_f64();
        self.transcript.push(format!("{at:7.3} {} {what}", name(tag)));
    }
}

fn name(tag: usize) -> &'static str {
    if tag == 0 { "A" } else { "B" }
}
