//! Rooms and who is in them, as a state machine: it takes messages and the time, and gives messages, times and events.
//!
//! A participant is one thing and its transport another: [`Rooms::enter`] makes the first, [`Rooms::connect`] gives it the second,
//! and a participant without one is kept for a while. Whoever runs a transport waits for [`Rooms::poll_wake`] to name it, and then takes
//! its messages with [`Rooms::poll_message`].

mod event;
mod participant;
#[cfg(test)]
mod tests;
mod traffic;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use floe_signal::message::{
    Envelope, ErrorCode, Join, Message, Participant as Person, ParticipantId, Welcome,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

pub(super) use event::{Departure, Over, RoomEvent, RoomStats};
use participant::{Connection, Participant};

use super::limits::Limits;

/// A participant; no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Handle(u64);

/// A connection of a participant; no number is used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct TransportId(u64);

/// Why something that a participant asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) text: String,
    /// The number of the message.
    pub(super) about: Option<u64>,
    /// Whether the participant is told; of a flood it is told once.
    pub(super) is_told: bool,
    /// Whether the participant is out.
    pub(super) is_final: bool,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), about: None, is_told: true, is_final: false }
    }

    /// The message for the participant.
    pub(super) fn to_json(&self) -> String {
        let (code, text) = (self.code.clone(), self.text.clone());
        Envelope::new(Message::Error { code, text, about: self.about }).to_json()
    }
}

/// What a transport has to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Send this message, which has this number.
    Message(u64, Arc<str>),
    /// Wait.
    Nothing,
    /// Close.
    Over(Over),
}

/// Events that are kept for whoever asks.
const EVENTS: usize = 1024;

/// All rooms of a server.
pub(super) struct Rooms {
    limits: Limits,
    random: ChaCha20Rng,
    rooms: HashMap<Box<str>, Vec<Handle>>,
    participants: HashMap<Handle, Participant>,
    ids: HashMap<ParticipantId, Handle>,
    resumes: HashMap<Box<str>, Handle>,
    transports: HashMap<TransportId, Handle>,
    /// Why transports are over whose keepers do not know it yet.
    over: HashMap<TransportId, Over>,
    /// A time for each participant, at which there may be something to do.
    deadlines: BTreeSet<(Instant, Handle)>,
    awake: VecDeque<TransportId>,
    events: VecDeque<RoomEvent>,
    stats: RoomStats,
    last: u64,
}

impl Rooms {
    /// No rooms. The seed has to be random: who guesses a `resume` is someone else.
    pub(super) fn new(limits: Limits, seed: [u8; 32]) -> Self {
        Self {
            limits,
            random: ChaCha20Rng::from_seed(seed),
            rooms: HashMap::new(),
            participants: HashMap::new(),
            ids: HashMap::new(),
            resumes: HashMap::new(),
            transports: HashMap::new(),
            over: HashMap::new(),
            deadlines: BTreeSet::new(),
            awake: VecDeque::new(),
            events: VecDeque::new(),
            stats: RoomStats::default(),
            last: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn stats(&self) -> RoomStats {
        RoomStats { rooms: self.rooms.len(), participants: self.participants.len(), ..self.stats.clone() }
    }

    /// Someone wants to enter a room, or to come back to it.
    pub(super) fn enter(&mut self, join: &Join, client: SocketAddr, now: Instant) -> Result<Handle, Refusal> {
        if let Some(handle) = self.returning(join) {
            return Ok(handle);
        }
        if let Err(refusal) = self.check(join) {
            self.refuse(join, client, refusal.code.clone());
            return Err(refusal);
        }
        let id = self.unused_id();
        let resume: Box<str> = self.random_text(32).into();
        let person = Person::new(id.clone(), &join.name);
        let handle = Handle(self.number());
        let (name, client_id) = (join.name.clone(), id.as_str().to_owned());
        let participant = Participant::new(person, &join.room, resume.clone(), client, &self.limits, now);
        self.deadlines.insert((participant.looked_after, handle));
        self.participants.insert(handle, participant);
        self.ids.insert(id, handle);
        self.resumes.insert(resume, handle);
        self.rooms.entry(join.room.as_str().into()).or_default().push(handle);
        self.stats.entered += 1;
        self.tell(RoomEvent::Entered { room: join.room.as_str().into(), name, id: client_id, client });
        self.announce(handle, now);
        Ok(handle)
    }

    /// Counts and tells that someone was not let in.
    pub(super) fn refuse(&mut self, join: &Join, client: SocketAddr, code: ErrorCode) {
        self.stats.refused += 1;
        self.tell(RoomEvent::Refused { room: join.room.clone(), client, code });
    }

    /// Whether this is one who was there, and may come back without showing anything else.
    pub(super) fn returning(&self, join: &Join) -> Option<Handle> {
        let handle = self.resuming(join.resume.as_deref()?)?;
        (*self.participants.get(&handle)?.room == *join.room).then_some(handle)
    }

    /// Who has this `resume`.
    pub(super) fn resuming(&self, resume: &str) -> Option<Handle> {
        self.resumes.get(resume).copied()
    }

    /// The room of a participant.
    pub(super) fn room_of(&self, handle: Handle) -> Option<&str> {
        self.participants.get(&handle).map(|participant| &*participant.room)
    }

    fn check(&self, join: &Join) -> Result<(), Refusal> {
        let refuse = |code, text: &str| Err(Refusal::new(code, text));
        if ParticipantId::new(&join.room).is_none() {
            return refuse(
                ErrorCode::Malformed,
                "the name of a room is 1 to 64 letters, digits, \"-\" and \"_\"",
            );
        }
        if join.name.chars().count() > Limits::NAME || join.name.chars().any(char::is_control) {
            return refuse(
                ErrorCode::Malformed,
                "a name has at most 64 characters, none of them for control",
            );
        }
        let Some(others) = self.rooms.get(join.room.as_str()) else {
            return if self.rooms.len() < self.limits.rooms {
                Ok(())
            } else {
                refuse(ErrorCode::RateLimited, "there are as many rooms as there may be")
            };
        };
        let mut names = others.iter().filter_map(|other| Some(&self.participants.get(other)?.person.name));
        if !join.name.is_empty() && names.any(|name| *name == join.name) {
            return refuse(ErrorCode::NameTaken, "someone in the room has this name");
        }
        if others.len() >= self.limits.room_size {
            return refuse(ErrorCode::RoomFull, "the room takes no more participants");
        }
        Ok(())
    }

    /// Gives a participant a transport, in the place of the one it had, which got everything up to the message with the number
    /// `has`, or up to the last ping it answered.
    pub(super) fn connect(
        &mut self,
        handle: Handle,
        client: SocketAddr,
        has: Option<u64>,
        now: Instant,
    ) -> Option<TransportId> {
        let transport = TransportId(self.number());
        let is_back = self.participants.get(&handle)?.can_resume;
        self.end_transport(handle, Over::Replaced);
        let participant = self.participants.get_mut(&handle)?;
        if let Some(has) = has {
            participant.confirm(has, now);
        }
        participant.connect(transport, client, now);
        self.transports.insert(transport, handle);
        self.schedule(handle);
        self.wake(handle);
        if is_back {
            let event = self.participants.get(&handle).map(|back| RoomEvent::Resumed {
                room: back.room.clone(),
                name: back.person.name.clone(),
                id: back.id().to_string(),
                client,
            });
            self.stats.resumed += 1;
            event.into_iter().for_each(|event| self.tell(event));
            self.announce(handle, now);
        }
        Some(transport)
    }

    /// The participant's welcome, without servers.
    pub(super) fn welcome(&self, handle: Handle) -> Option<Welcome> {
        let participant = self.participants.get(&handle)?;
        let mut welcome = Welcome::new(participant.id().clone());
        welcome.participants = self
            .others(handle)
            .filter_map(|other| Some(self.participants.get(&other)?.person.clone()))
            .collect();
        welcome.resume = Some(participant.resume.as_ref().to_owned());
        Some(welcome)
    }

    /// A transport was lost. Whoever had it may come back with another.
    pub(super) fn disconnected(&mut self, transport: TransportId, now: Instant) {
        self.over.remove(&transport);
        let Some(handle) = self.transports.remove(&transport) else { return };
        self.lost(handle, now);
    }

    fn lost(&mut self, handle: Handle, now: Instant) {
        let Some(participant) = self.participants.get_mut(&handle) else { return };
        participant.connection = Connection::Down(now);
        if participant.can_resume {
            self.schedule(handle);
        } else {
            self.remove(handle, Departure::Lost, now);
        }
    }

    /// A participant leaves for good.
    pub(super) fn leave(&mut self, handle: Handle, now: Instant) {
        self.remove(handle, Departure::Left, now);
    }

    /// Tells everybody else in the room that someone is there. Those without a transport learn it from their next welcome.
    fn announce(&mut self, handle: Handle, now: Instant) {
        let Some(participant) = self.participants.get(&handle) else { return };
        let text = Envelope::new(Message::Joined(participant.person.clone())).to_json();
        self.tell_others(handle, &text.into(), now);
    }

    fn tell_others(&mut self, handle: Handle, text: &Arc<str>, now: Instant) {
        let others: Vec<Handle> = self.others(handle).collect();
        for other in others {
            if self.participants.get(&other).is_some_and(Participant::is_up) {
                self.push(other, text, now);
            }
        }
    }

    fn others(&self, handle: Handle) -> impl Iterator<Item = Handle> + '_ {
        let room = self.participants.get(&handle).and_then(|participant| self.rooms.get(&participant.room));
        room.into_iter().flatten().copied().filter(move |other| *other != handle)
    }

    fn remove(&mut self, handle: Handle, why: Departure, now: Instant) {
        let Some(participant) = self.participants.get(&handle) else { return };
        let text = Envelope::new(Message::Left(participant.id().clone())).to_json();
        self.tell_others(handle, &text.into(), now);
        self.end_transport(handle, Over::Out);
        let Some(participant) = self.participants.remove(&handle) else { return };
        self.deadlines.remove(&(participant.looked_after, handle));
        self.ids.remove(participant.id());
        self.resumes.remove(&participant.resume);
        if let Some(room) = self.rooms.get_mut(&participant.room) {
            room.retain(|other| *other != handle);
            if room.is_empty() {
                self.rooms.remove(&participant.room);
            }
        }
        let stayed = now.saturating_duration_since(participant.entered);
        let id = participant.id().to_string();
        let Participant { room, client, person, .. } = participant;
        self.tell(RoomEvent::Left { room, name: person.name, id, client, why, stayed });
    }

    /// The next message of a transport.
    pub(super) fn poll_message(&mut self, transport: TransportId) -> Next {
        if let Some(why) = self.over.get(&transport) {
            return Next::Over(*why);
        }
        let handle = self.transports.get(&transport);
        let Some(participant) = handle.and_then(|handle| self.participants.get_mut(handle)) else {
            return Next::Over(Over::Out);
        };
        participant.take().map_or(Next::Nothing, |(number, text)| Next::Message(number, text))
    }

    /// The next transport that has something to do.
    pub(super) fn poll_wake(&mut self) -> Option<TransportId> {
        self.awake.pop_front()
    }

    /// What happened next.
    pub(super) fn poll_event(&mut self) -> Option<RoomEvent> {
        self.events.pop_front()
    }

    /// Whether something happened that nobody was told.
    pub(super) fn has_event(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`Self::handle_timeout`] has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Does what is due.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some((_, handle)) = self.deadlines.first().copied().filter(|(at, _)| *at <= now) {
            self.deadlines.pop_first();
            let Some(participant) = self.participants.get_mut(&handle) else { continue };
            let due = participant.deadline(&self.limits);
            participant.looked_after = due;
            self.deadlines.insert((due, handle));
            if due > now {
                continue;
            }
            if !participant.is_up() {
                self.remove(handle, Departure::Lost, now);
            } else if let Some(why) = participant.lapse(now) {
                self.end_transport(handle, why);
                self.lost(handle, now);
            } else {
                self.schedule(handle);
                self.wake(handle);
            }
        }
    }

    /// Sets the time for a participant if it has become an earlier one. If it has become a later one, that is noticed in time.
    fn schedule(&mut self, handle: Handle) {
        let Some(participant) = self.participants.get_mut(&handle) else { return };
        let due = participant.deadline(&self.limits);
        if due < participant.looked_after {
            self.deadlines.remove(&(participant.looked_after, handle));
            self.deadlines.insert((due, handle));
            participant.looked_after = due;
        }
    }

    fn wake(&mut self, handle: Handle) {
        if let Some(Connection::Up(transport)) = self.participants.get(&handle).map(|at| at.connection)
            && self.awake.back() != Some(&transport)
        {
            self.awake.push_back(transport);
        }
    }

    /// Lets the keeper of the transport know that it is over.
    fn end_transport(&mut self, handle: Handle, why: Over) {
        let Some(participant) = self.participants.get(&handle) else { return };
        let Connection::Up(transport) = participant.connection else { return };
        self.transports.remove(&transport);
        self.over.insert(transport, why);
        self.awake.push_back(transport);
    }

    fn tell(&mut self, event: RoomEvent) {
        if self.events.len() < EVENTS {
            self.events.push_back(event);
        } else {
            self.stats.untold += 1;
        }
    }

    fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn unused_id(&mut self) -> ParticipantId {
        loop {
            let id = ParticipantId::new(&self.random_text(8)).filter(|id| !self.ids.contains_key(id));
            if let Some(id) = id {
                return id;
            }
        }
    }

    /// So many letters and digits, with 5 random bits each.
    fn random_text(&mut self, len: usize) -> String {
        const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
        let mut bytes = vec![0; len];
        self.random.fill_bytes(&mut bytes);
        bytes.iter().map(|byte| char::from(DIGITS[usize::from(byte % 32)])).collect()
    }
}
