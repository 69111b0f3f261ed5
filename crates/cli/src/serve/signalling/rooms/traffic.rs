//! What participants send: what it costs them, whether it can be used, and to whom it goes.

use std::sync::Arc;
use std::time::Instant;

use floe_signal::message::{Envelope, ErrorCode, Message, ParticipantId};

use super::participant::Charge;
use super::{Departure, Handle, Over, Refusal, RoomStats, Rooms};

impl Rooms {
    /// A message from a participant.
    pub(in super::super) fn receive(
        &mut self,
        handle: Handle,
        text: &str,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.charge(handle, text.len(), now)?;
        self.take(handle, text, now)
    }

    /// Something from a participant that says nothing, of so many bytes. It shows that somebody is there.
    pub(in super::super) fn receive_noise(
        &mut self,
        handle: Handle,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Refusal> {
        self.charge(handle, bytes, now)
    }

    fn charge(&mut self, handle: Handle, bytes: usize, now: Instant) -> Result<(), Refusal> {
        let Some(participant) = self.participants.get_mut(&handle) else {
            return Err(Refusal::new(ErrorCode::Unauthorized, "there is no such participant any more"));
        };
        let mut refusal = Refusal::new(ErrorCode::RateLimited, "too many messages in a second");
        match participant.charge(bytes, now) {
            Charge::Passes => {
                participant.heard(now);
                return Ok(());
            }
            Charge::Refused { first } => refusal.is_told = first,
            Charge::Out => {
                self.remove(handle, Departure::PutOut, now);
                refusal.is_final = true;
            }
        }
        self.stats.limited += 1;
        Err(refusal)
    }

    fn take(&mut self, handle: Handle, text: &str, now: Instant) -> Result<(), Refusal> {
        let useless = |stats: &mut RoomStats, refusal| {
            stats.useless += 1;
            Err(refusal)
        };
        if text.len() > self.limits.message {
            let what = format!("a message of more than {} bytes", self.limits.message);
            return useless(&mut self.stats, Refusal::new(ErrorCode::TooLarge, what));
        }
        let envelope = match Envelope::from_json(text) {
            Ok(envelope) => envelope,
            Err(error) => {
                return useless(&mut self.stats, Refusal::new(error.code(), error.to_string()));
            }
        };
        let about = envelope.seq;
        self.handle(handle, envelope, now)
            .or_else(|refusal| useless(&mut self.stats, Refusal { about, ..refusal }))
    }

    fn handle(&mut self, handle: Handle, envelope: Envelope, now: Instant) -> Result<(), Refusal> {
        let of_a_call = envelope.message.is_of_a_call();
        match (&envelope.message, &envelope.to) {
            (_, Some(to)) if of_a_call => {
                let to = to.clone();
                self.pass(handle, &to, envelope, now)
            }
            (Message::Ping, None) => {
                self.push(handle, &Envelope::new(Message::Pong).to_json().into(), now);
                Ok(())
            }
            (Message::Pong, None) => {
                if let Some(participant) = self.participants.get_mut(&handle) {
                    participant.confirm_ping(now);
                }
                Ok(())
            }
            // Errors are never answered.
            (Message::Error { .. }, None) => Ok(()),
            (Message::Join(_), _) => Err(Refusal::new(ErrorCode::WrongState, "you are in a room already")),
            (message, None) if of_a_call => Err(Refusal::new(
                ErrorCode::Malformed,
                format!("a message of type {:?} has a member \"to\", and this one does not", message.name()),
            )),
            (message, _) => Err(Refusal::new(
                ErrorCode::Malformed,
                format!("a message of type {:?} is not a participant's to send", message.name()),
            )),
        }
    }

    fn pass(
        &mut self,
        from: Handle,
        to: &ParticipantId,
        envelope: Envelope,
        now: Instant,
    ) -> Result<(), Refusal> {
        let nobody = || Refusal::new(ErrorCode::UnknownParticipant, "nobody in the room has this id");
        let sender = self.participants.get(&from).ok_or_else(nobody)?;
        let receiver = self.ids.get(to).filter(|receiver| self.room_of(**receiver) == Some(&sender.room));
        let receiver = *receiver.ok_or_else(nobody)?;
        let text: Arc<str> = envelope.from(sender.id().clone()).to_json().into();
        if self.push(receiver, &text, now) {
            self.stats.passed += 1;
            self.stats.passed_bytes += text.len() as u64;
        } else {
            // Its sender repeats it until it is acknowledged.
            self.stats.dropped += 1;
        }
        Ok(())
    }

    /// Queues a message. If too many wait, the transport has to prove that it is there: it is closed, and whoever had it may come
    /// back.
    pub(super) fn push(&mut self, handle: Handle, text: &Arc<str>, now: Instant) -> bool {
        let Some(participant) = self.participants.get_mut(&handle) else { return false };
        let has_room = participant.push(text.clone(), now);
        if !has_room && participant.is_up() {
            self.end_transport(handle, Over::Slow);
            self.lost(handle, now);
        }
        self.schedule(handle);
        self.wake(handle);
        has_room
    }
}
