//! How much of everything there may be.

use std::time::Duration;

/// What is bounded about rooms.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Rooms at a time.
    pub(super) rooms: usize,
    /// Participants in a room.
    pub(super) room_size: usize,
    /// Bytes of a message.
    pub(super) message: usize,
    /// Messages of a participant in a second; four times as many at once.
    pub(super) messages_per_second: u32,
    /// Bytes of a participant in a second; eight times as many at once.
    pub(super) bytes_per_second: u32,
    /// How long someone who lost the connection may come back.
    pub(super) resume: Duration,
}

impl Limits {
    /// Messages that wait for a participant, or that it has not confirmed.
    pub(super) const QUEUE: usize = 256;

    /// Their bytes. One message always fits.
    pub(super) const QUEUE_BYTES: usize = 1 << 20;

    /// After so many messages, or bytes, a participant is asked to confirm them.
    pub(super) const CONFIRM: usize = 32;
    pub(super) const CONFIRM_BYTES: usize = 128 << 10;

    /// After so long without a message from a participant it is asked whether it is there.
    pub(super) const QUIET: Duration = Duration::from_secs(15);

    /// How long it may take to answer.
    pub(super) const PATIENCE: Duration = Duration::from_secs(15);

    /// How many messages above the rate are refused before their sender is put out.
    pub(super) const STRIKES: u32 = 64;

    /// Characters of a name.
    pub(super) const NAME: usize = 64;

    /// How many messages may come at once.
    pub(super) const fn messages_at_once(&self) -> u32 {
        self.messages_per_second.saturating_mul(4)
    }

    /// How many bytes may come at once.
    pub(super) const fn bytes_at_once(&self) -> u32 {
        self.bytes_per_second.saturating_mul(8)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rooms: 10_000,
            room_size: 2,
            message: 64 << 10,
            messages_per_second: 50,
            bytes_per_second: 64 << 10,
            resume: Duration::from_secs(30),
        }
    }
}
