use std::time::Duration;

use floe_signal::message::IceServer;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Rooms, and a clock that stands still until it is moved.
struct World {
    rooms: Rooms,
    now: Instant,
}

/// Someone in a room with a transport.
#[derive(Clone, Copy)]
struct Guest {
    handle: Handle,
    transport: TransportId,
}

fn client() -> SocketAddr {
    "192.0.2.1:5".parse().expect("an address")
}

impl World {
    fn new(limits: Limits) -> Self {
        Self { rooms: Rooms::new(limits, [7; 32]), now: Instant::now() }
    }

    fn join(&mut self, join: &Join) -> Result<Guest, ErrorCode> {
        let handle = self.rooms.enter(join, client(), self.now).map_err(|refusal| refusal.code)?;
        Ok(self.connect(handle, None))
    }

    fn enter(&mut self, room: &str, name: &str) -> Guest {
        self.join(&Join::new(room, name)).expect("let in")
    }

    fn connect(&mut self, handle: Handle, has: Option<u64>) -> Guest {
        let transport = self.rooms.connect(handle, client(), has, self.now).expect("there");
        Guest { handle, transport }
    }

    fn resume(&mut self, guest: Guest) -> Guest {
        let mut join = Join::new(self.rooms.room_of(guest.handle).expect("a room"), "whoever");
        join.resume = self.rooms.welcome(guest.handle).expect("there").resume;
        self.join(&join).expect("let in again")
    }

    fn lose(&mut self, guest: Guest) {
        self.rooms.disconnected(guest.transport, self.now);
    }

    fn id(&self, guest: Guest) -> String {
        self.rooms.welcome(guest.handle).expect("there").id.to_string()
    }

    fn pass(&mut self, after: Duration) {
        let end = self.now + after;
        while let Some(at) = self.rooms.poll_timeout().filter(|at| *at <= end) {
            self.now = at;
            self.rooms.handle_timeout(at);
        }
        self.now = end;
    }

    fn say(&mut self, guest: Guest, text: &str) -> Result<(), Refusal> {
        self.rooms.receive(guest.handle, text, self.now)
    }

    /// `{to, call: 1, seq}`, of the type `start`.
    fn send(&mut self, from: Guest, to: Guest, seq: u64) -> Result<(), Refusal> {
        let to = self.id(to);
        self.say(from, &format!(r#"{{"v":1,"type":"start","to":"{to}","call":1,"seq":{seq}}}"#))
    }

    fn heard(&mut self, guest: Guest) -> Vec<Envelope> {
        let mut all = Vec::new();
        while let Next::Message(_, text) = self.rooms.poll_message(guest.transport) {
            all.push(Envelope::from_json(&text).expect("what the server says is right"));
        }
        all
    }

    /// The types of what came, without pings, which are answered.
    fn names(&mut self, guest: Guest) -> Vec<&'static str> {
        let mut names = Vec::new();
        for envelope in self.heard(guest) {
            match envelope.message {
                Message::Ping => self.say(guest, PONG).expect("taken"),
                message => names.push(message.name()),
            }
        }
        names
    }

    fn seqs(&mut self, guest: Guest) -> Vec<u64> {
        self.heard(guest).iter().filter_map(|envelope| envelope.seq).collect()
    }
}

const PONG: &str = r#"{"v":1,"type":"pong"}"#;

#[test]
fn who_enters_is_welcomed_and_the_others_are_told() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    let bob = world.enter("kitchen", "Bob");
    let welcome = world.rooms.welcome(bob.handle).expect("there");
    assert_eq!(welcome.participants.len(), 1);
    assert_eq!(welcome.participants[0].name, "Ann");
    assert_eq!(welcome.participants[0].id.as_str(), world.id(ann));
    assert_eq!(welcome.ice_servers, Vec::<IceServer>::new());
    assert!(welcome.resume.is_some_and(|resume| resume.len() == 32));
    assert_eq!(world.names(ann), ["joined"]);
    assert!(world.names(bob).is_empty());
    world.rooms.leave(ann.handle, world.now);
    assert_eq!(world.names(bob), ["left"]);
    assert_eq!(world.rooms.poll_message(ann.transport), Next::Over(Over::Out));
    assert_eq!(world.rooms.stats().participants, 1);
}

#[test]
fn messages_go_to_whom_they_are_for_with_their_sender_on_them() {
    let mut world = World::new(Limits::default());
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    let eve = world.enter("cellar", "Eve");
    for guest in [ann, bob, eve] {
        world.names(guest);
    }
    let (to, liar) = (world.id(bob), world.id(eve));
    let text = format!(r#"{{"v":1,"type":"start","to":"{to}","from":"{liar}","call":1,"seq":1,"x":[2]}}"#);
    assert_eq!(world.say(ann, &text), Ok(()));
    let heard = world.heard(bob);
    assert_eq!(heard.len(), 1);
    assert_eq!(heard[0].from.as_ref().map(ToString::to_string), Some(world.id(ann)));
    // Nobody is reached in another room.
    let refused = world.send(ann, eve, 9).expect_err("another room");
    assert_eq!((refused.code, refused.about), (ErrorCode::UnknownParticipant, Some(9)));
    assert!(world.heard(eve).is_empty());
}

#[test]
fn what_is_of_no_use_is_explained_and_the_room_goes_on() {
    let mut world = World::new(Limits::default());
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    let long = format!("\"{}\"", "x".repeat(70_000));
    for (text, code) in [
        ("", ErrorCode::Malformed),
        ("{\"v\":1,", ErrorCode::Malformed),
        ("[[[[[[[[[[1]]]]]]]]]]", ErrorCode::TooLarge),
        (&*long, ErrorCode::TooLarge),
        (r#"{"v":2,"type":"ping"}"#, ErrorCode::Version),
        (r#"{"v":1,"type":"dance"}"#, ErrorCode::UnknownType),
        (r#"{"v":1,"type":"join","room":"kitchen"}"#, ErrorCode::WrongState),
        (r#"{"v":1,"type":"left","id":"x"}"#, ErrorCode::Malformed),
        (r#"{"v":1,"type":"welcome","id":"x"}"#, ErrorCode::Malformed),
        (r#"{"v":1,"type":"start","call":1,"seq":3}"#, ErrorCode::Malformed),
        (r#"{"v":1,"type":"start","to":"nobody","call":1,"seq":3}"#, ErrorCode::UnknownParticipant),
        (r#"{"v":1,"type":"candidate","to":"a b","call":1,"seq":3,"candidate":null}"#, ErrorCode::Malformed),
    ] {
        let refusal = world.say(ann, text).expect_err(text);
        assert_eq!(refusal.code, code, "{text}");
        assert!(refusal.is_told && !refusal.is_final);
        let told = Envelope::from_json(&refusal.to_json()).expect("a message");
        assert!(matches!(told.message, Message::Error { .. }));
    }
    assert_eq!(world.rooms.stats().useless, 12);
    assert_eq!(world.send(ann, bob, 1), Ok(()));
    assert_eq!(world.names(bob), ["start"]);
    assert_eq!(world.say(ann, r#"{"v":1,"type":"ping"}"#), Ok(()));
    assert_eq!(world.names(ann), ["joined", "pong"]);
}

#[test]
fn a_name_is_taken_once_and_a_room_takes_so_many() {
    let mut world = World::new(Limits { rooms: 2, ..Limits::default() });
    world.enter("kitchen", "Ann");
    let refused = |world: &mut World, room: &str, name: &str| world.join(&Join::new(room, name)).err();
    assert_eq!(refused(&mut world, "kitchen", "Ann"), Some(ErrorCode::NameTaken));
    let other = world.enter("cellar", "Ann");
    world.enter("cellar", "");
    assert_eq!(refused(&mut world, "cellar", ""), Some(ErrorCode::RoomFull));
    assert_eq!(refused(&mut world, "attic", "Ann"), Some(ErrorCode::RateLimited));
    for (room, name) in [("", "A"), ("a b", "A"), (&*"x".repeat(65), "A"), ("kitchen", "A\n")] {
        assert_eq!(refused(&mut world, room, name), Some(ErrorCode::Malformed), "{room:?} {name:?}");
    }
    assert_eq!(refused(&mut world, "kitchen", &"x".repeat(65)), Some(ErrorCode::Malformed));
    world.rooms.leave(other.handle, world.now);
    world.enter("cellar", "Ann");
    assert_eq!(world.rooms.stats().refused, 8);
}

#[test]
fn who_comes_back_in_time_is_the_same_and_misses_nothing() {
    let mut world = World::new(Limits::default());
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    world.names(ann);
    world.names(bob);
    world.send(ann, bob, 1).expect("passed");
    assert_eq!(world.seqs(bob), [1], "taken by a transport that may not have brought it");
    world.lose(bob);
    world.send(ann, bob, 2).expect("passed");
    world.pass(29 * SECOND);
    let (id, old) = (world.id(bob), bob.transport);
    let bob = world.resume(bob);
    assert_eq!(world.id(bob), id);
    assert_eq!(world.seqs(bob), [1, 2]);
    assert_eq!(world.names(ann), ["joined"], "and never left");
    // The old one ends late; that changes nothing.
    world.rooms.disconnected(old, world.now);
    world.send(ann, bob, 3).expect("passed");
    assert_eq!(world.seqs(bob), [3]);
    assert_eq!(world.rooms.stats().resumed, 1);
}

#[test]
fn what_was_confirmed_does_not_come_again() {
    let mut world = World::new(Limits::default());
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    world.names(ann);
    world.names(bob);
    for seq in 1..=40 {
        world.send(ann, bob, seq).expect("passed");
    }
    // The ping after 32 is answered here.
    assert_eq!(world.names(bob).len(), 40);
    let bob = world.resume(bob);
    assert_eq!(world.seqs(bob), (33..=40).collect::<Vec<_>>());
    world.send(ann, bob, 41).expect("passed");
    let numbers: Vec<u64> = std::iter::from_fn(|| match world.rooms.poll_message(bob.transport) {
        Next::Message(number, _) => Some(number),
        _ => None,
    })
    .collect();
    let bob = world.connect(bob.handle, numbers.last().copied());
    assert!(world.seqs(bob).is_empty());
}

#[test]
fn who_does_not_come_back_is_out_after_the_time_for_it() {
    let mut world = World::new(Limits::default());
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    world.names(ann);
    world.names(bob);
    world.lose(bob);
    for _ in 0..29 {
        world.pass(SECOND);
        assert!(world.names(ann).is_empty());
    }
    world.pass(2 * SECOND);
    assert_eq!(world.names(ann), ["left"]);
    // A `resume` that is not known any more makes a new participant.
    let mut join = Join::new("kitchen", "Bob");
    join.resume = Some("nothing".to_owned());
    let again = world.join(&join).expect("let in");
    assert_ne!(again.handle, bob.handle);
}

#[test]
fn who_never_got_the_welcome_leaves_the_name_at_once() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    world.lose(ann);
    world.enter("kitchen", "Ann");
    assert_eq!(world.rooms.stats().participants, 1);
}

#[test]
fn silence_is_asked_about_and_ends_the_connection() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    world.names(ann);
    for _ in 0..20 {
        world.pass(14 * SECOND);
        world.names(ann);
    }
    assert_eq!(world.rooms.poll_message(ann.transport), Next::Nothing, "she answers");
    world.pass(31 * SECOND);
    assert_eq!(world.rooms.poll_message(ann.transport), Next::Over(Over::Silent));
    let ann = world.resume(ann);
    assert_eq!(world.rooms.stats().participants, 1);
    world.names(ann);
    world.pass(100 * SECOND);
    assert_eq!(world.rooms.stats(), RoomStats { entered: 1, resumed: 1, ..RoomStats::default() });
    assert_eq!(world.rooms.poll_timeout(), None);
}

#[test]
fn a_second_connection_takes_the_place_of_the_first() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    world.names(ann);
    let there = world.resume(ann);
    assert_eq!(world.rooms.poll_message(ann.transport), Next::Over(Over::Replaced));
    world.lose(ann);
    assert_eq!(world.rooms.poll_message(ann.transport), Next::Over(Over::Out));
    assert_eq!(world.names(there).len(), 0);
}

#[test]
fn a_flood_is_refused_and_then_its_sender_is_put_out() {
    let mut world = World::new(Limits { room_size: 3, ..Limits::default() });
    let [ann, bob, eve] = ["Ann", "Bob", "Eve"].map(|name| world.enter("kitchen", name));
    for guest in [ann, bob, eve] {
        world.names(guest);
    }
    let mut told = 0;
    let refusals: Vec<Refusal> = (0..400).filter_map(|_| world.say(eve, "rubbish").err()).collect();
    for refusal in refusals.iter().filter(|refusal| refusal.code == ErrorCode::RateLimited) {
        told += usize::from(refusal.is_told);
    }
    assert_eq!(told, 2, "at the first one and at the end");
    assert!(refusals.iter().any(|refusal| refusal.is_final));
    assert_eq!(refusals.last().map(|refusal| refusal.code.clone()), Some(ErrorCode::Unauthorized));
    assert_eq!(world.names(ann), ["left"]);
    assert_eq!(world.names(bob), ["left"]);
    assert_eq!(world.rooms.poll_message(eve.transport), Next::Over(Over::Out));
    world.send(ann, bob, 1).expect("the others go on");
    assert_eq!(world.names(bob), ["start"]);
}

#[test]
fn who_is_a_little_too_fast_now_and_then_is_not_put_out() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    for _ in 0..50 {
        let refused = (0..210).filter(|_| world.say(ann, PONG).is_err()).count();
        assert!((10..=12).contains(&refused), "{refused}");
        world.pass(4 * SECOND);
        world.names(ann);
    }
    assert_eq!(world.rooms.stats().participants, 1);
}

#[test]
fn bytes_are_counted_as_well() {
    let mut world = World::new(Limits::default());
    let ann = world.enter("kitchen", "Ann");
    let noise = |world: &mut World| world.rooms.receive_noise(ann.handle, 60_000, world.now).is_ok();
    assert_eq!((0..20).filter(|_| noise(&mut world)).count(), 8);
    world.pass(SECOND);
    assert!(noise(&mut world) && !noise(&mut world));
}

#[test]
fn a_queue_is_bounded_whether_its_reader_is_there_or_not() {
    let limits = Limits { messages_per_second: 1000, ..Limits::default() };
    let mut world = World::new(limits);
    let (ann, bob) = (world.enter("kitchen", "Ann"), world.enter("kitchen", "Bob"));
    world.names(bob);
    for seq in 1..=300 {
        world.send(ann, bob, seq).expect("the sender is not at fault");
    }
    assert_eq!(world.rooms.poll_message(bob.transport), Next::Over(Over::Slow));
    let stats = world.rooms.stats();
    assert_eq!(stats.passed + stats.dropped, 300);
    assert!(stats.passed < 256 && stats.participants == 2);
    let bob = world.resume(bob);
    assert_eq!(world.seqs(bob), (1..=stats.passed).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_of_rooms_that_are_over() {
    let mut world = World::new(Limits::default());
    for round in 0..100 {
        let room = format!("room-{round}");
        let (ann, bob) = (world.enter(&room, "Ann"), world.enter(&room, "Bob"));
        world.names(ann);
        world.names(bob);
        for seq in 1..=20 {
            world.send(ann, bob, seq).expect("passed");
        }
        world.lose(bob);
        world.rooms.leave(ann.handle, world.now);
        world.lose(ann);
        world.pass(31 * SECOND);
        while world.rooms.poll_wake().is_some() || world.rooms.poll_event().is_some() {}
    }
    let Rooms { rooms, participants, ids, resumes, transports, over, deadlines, .. } = &world.rooms;
    let left = [
        rooms.len(),
        participants.len(),
        ids.len(),
        resumes.len(),
        transports.len(),
        over.len(),
        deadlines.len(),
    ];
    assert_eq!(left, [0; 7]);
}

#[test]
fn the_same_seed_gives_the_same_ids_and_another_gives_others() {
    let ids = |seed: u8| {
        let mut rooms = Rooms::new(Limits::default(), [seed; 32]);
        let now = Instant::now();
        let handle = rooms.enter(&Join::new("kitchen", "Ann"), client(), now).expect("let in");
        let welcome = rooms.welcome(handle).expect("there");
        (welcome.id, welcome.resume)
    };
    assert_eq!(ids(1), ids(1));
    assert_ne!(ids(1), ids(2));
}
