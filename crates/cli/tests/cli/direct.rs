//! `floe offer` and `floe answer`: two programs and no server.

use std::path::PathBuf;

use serde_json::Value;

use crate::program::{Running, floe};

/// A side that prints JSON lines.
pub(crate) fn start(arguments: &[&str]) -> Running {
    Running::start(&[arguments, &["--json"]].concat())
}

fn token_of(side: &Running) -> String {
    side.next_of("token")["token"].as_str().expect("a token is a text").to_owned()
}

/// A directory of a test's own.
pub(crate) struct Place(pub(crate) PathBuf);

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("floe-direct-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a directory can be made");
        Self(path)
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).expect("it can be written");
        path.to_str().expect("our paths are UTF-8").to_owned()
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().expect("our paths are UTF-8")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn connect(offer: &[&str], answer: &[&str]) -> (Running, Running) {
    let mut offering = start(&[&["offer"], offer].concat());
    let token = token_of(&offering);
    let answering = start(&[&["answer", &token], answer].concat());
    let reply = token_of(&answering);
    offering.say(&reply);
    (offering, answering)
}

#[test]
fn two_programs_talk_and_exchange_files_with_nothing_but_two_tokens() {
    let (from, to) = (Place::new("from"), Place::new("to"));
    let big: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let big_path = from.file("big.bin", &big);
    let empty_path = from.file("empty", b"");
    let (mut offering, mut answering) =
        connect(&["--directory", to.path()], &["--send", &big_path, "--directory", to.path()]);
    offering.next_of("open");
    answering.next_of("open");

    offering.say("hello, \"you\" é");
    assert_eq!(answering.next_of("chat")["text"], "hello, \"you\" é");
    answering.say("//slash");
    assert_eq!(offering.next_of("chat")["text"], "/slash");

    offering.say(&format!("/send {empty_path}"));
    assert_eq!(answering.next_of("received")["size"], 0);
    assert_eq!(offering.next_of("received")["size"], big.len());
    answering.next_of("sent");
    assert!(std::fs::read(to.0.join("big.bin")).expect("it was received") == big);
    assert_eq!(std::fs::read(to.0.join("empty")).expect("it was received"), b"");

    offering.say("/pairs");
    assert!(
        offering.next_of("pairs")["pairs"][0].as_str().is_some_and(|pair| pair.contains("host 127.0.0.1"))
    );
    assert!(offering.end(), "who ends it succeeds");
    assert!(answering.end(), "and so does the other");
}

#[test]
fn a_file_that_is_not_wanted_is_refused_and_the_talk_goes_on() {
    let place = Place::new("refused");
    let path = place.file("two", &vec![0; 2_000_000]);
    let (offering, mut answering) =
        connect(&["--max-file", "1", "--directory", place.path()], &["--send", &path]);
    assert_eq!(answering.next_of("not-sent")["reason"], "too-large");
    answering.say("/send /no/such/file");
    answering.next_of("problem");
    answering.say("then not");
    assert_eq!(offering.next_of("chat")["text"], "then not");
}

#[test]
fn what_is_no_reply_to_this_offer_is_explained_and_waited_for_again() {
    let mut offering = start(&["offer"]);
    let token = token_of(&offering);
    offering.say("hello");
    let text = |line: Value| line["text"].as_str().expect("a text").to_owned();
    assert!(text(offering.next_of("problem")).contains("no token of floe"));
    offering.say(&token);
    assert!(text(offering.next_of("problem")).contains("this is an offer"));
    let other = token_of(&start(&["offer"]));
    let reply = token_of(&start(&["answer", &other]));
    offering.say(&reply);
    assert!(text(offering.next_of("problem")).contains("another offer"));
    offering.say(&token[..token.len() - 4]);
    assert!(text(offering.next_of("problem")).contains("damaged"));
    assert!(!offering.end());

    for (wrong, why) in
        [("floe1.AAAA", "damaged"), ("nonsense", "no token of floe"), (&*reply, "this is a reply")]
    {
        assert!(floe(&["answer", wrong]).error(2).contains(why), "{wrong}");
    }
}
