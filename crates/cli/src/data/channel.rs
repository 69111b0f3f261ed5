//! One data channel, both of whose sides know its parameters beforehand (RFC 8831 §6.5: negotiated outside), reliable and ordered.

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use floe_signal::sdp::{Fingerprint, Section, Setup};

use super::association::{self, Association};
use super::certificate::Certificate;
use super::secure::{Over, Progress, Role, Secure};

/// What the peer's description says of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Peer {
    /// Our part in the handshake.
    pub(crate) role: Role,
    /// The certificates that it may show.
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// The longest message that it takes, in bytes; 0 for any (RFC 8841 §6).
    pub(crate) max_message: u64,
}

impl Peer {
    /// From the section for data channels of the peer's description. `offered`: it is the offer, and our answer leaves the choice of the
    /// role as [`Setup::answered`] has it.
    pub(crate) fn new(section: Section<'_>, offered: bool) -> Option<Self> {
        let theirs = section.transport().setup().unwrap_or(Setup::Actpass);
        let ours = if offered { theirs.answered()? } else { theirs };
        let role = match (offered, ours) {
            (true, Setup::Active) | (false, Setup::Passive) => Role::Client,
            _ => Role::Server,
        };
        let fingerprints = section.transport().fingerprints();
        Some(Self { role, fingerprints, max_message: section.max_message_size() })
    }
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// Messages can be sent.
    Open,
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// There is room again, after [`Channel::has_room`] said no.
    Room,
    /// The channel is over; nothing comes after this. `None`: closed, by either side.
    Closed(Option<String>),
}

/// Why a message was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SendError {
    /// The channel is not open yet, or not any more.
    NotOpen,
    /// It is longer than this, which is what the peer takes.
    TooLong(usize),
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("the data channel is not open"),
            Self::TooLong(most) => write!(f, "the peer takes messages of {most} bytes at most"),
        }
    }
}

/// Who sends goes on below this many bytes that are not acknowledged, and waits above…
const HIGH: usize = 1024 * 1024;
/// …until there are no more than this.
const LOW: usize = 256 * 1024;
/// What is taken for the longest message when the peer takes any.
const MAX_SEND: u64 = 256 * 1024;

/// How long the peer has to take what was sent before the end, and to close the channel too.
const CLOSING: Duration = Duration::from_secs(15);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Opening,
    Open,
    /// We closed it, and the peer has not answered.
    Closing,
    Over,
}

/// The channel.
pub(crate) struct Channel {
    role: Role,
    secure: Secure,
    association: Association,
    state: State,
    max_send: usize,
    /// Someone waits for room.
    is_waited_for: bool,
    /// When closing is given up.
    gives_up: Option<Instant>,
    packets: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Channel {
    /// The channel to a peer that its description describes. A client's first packet is there at once.
    pub(crate) fn new(certificate: &Certificate, peer: Peer, now: Instant) -> Self {
        let max_send = if peer.max_message == 0 { MAX_SEND } else { peer.max_message.min(MAX_SEND) };
        let max_send = u32::try_from(max_send).unwrap_or(u32::MAX);
        let mut this = Self {
            role: peer.role,
            secure: Secure::new(certificate, peer.role, peer.fingerprints, now),
            association: Association::new(max_send),
            state: State::Opening,
            max_send: max_send as usize,
            is_waited_for: false,
            gives_up: None,
            packets: VecDeque::new(),
            events: VecDeque::new(),
        };
        this.handle_timeout(now);
        this
    }

    // --- the network ----------------------------------------------------------------------------------------------

    /// Takes a datagram of the peer's.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], now: Instant) {
        let taken = self.secure.handle_datagram(datagram, now);
        self.settle(taken, now);
    }

    /// Does everything that is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        let taken = self.secure.handle_timeout(now);
        self.association.handle_timeout(now);
        if self.gives_up.is_some_and(|at| now >= at) {
            self.over(None);
        }
        self.settle(taken, now);
    }

    /// The next datagram to send.
    pub(crate) fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.packets.pop_front()
    }

    /// When [`Channel::handle_timeout`] has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        if self.state == State::Over {
            return None;
        }
        [self.secure.poll_timeout(), self.association.poll_timeout(), self.gives_up]
            .into_iter()
            .flatten()
            .min()
    }

    // --- the application ------------------------------------------------------------------------------------------

    /// What happened next. Messages that are not asked for make the peer wait.
    pub(crate) fn poll_event(&mut self) -> Option<Event> {
        // What arrived before the end is told before it.
        if self.events.front().is_some_and(|event| !matches!(event, Event::Closed(_))) {
            return self.events.pop_front();
        }
        while let Some(message) = self.association.read() {
            if !message.is_text {
                return Some(Event::Bytes(message.bytes));
            }
            // Text that is none has no effect.
            if let Ok(text) = String::from_utf8(message.bytes) {
                return Some(Event::Text(text));
            }
        }
        if self.is_waited_for && self.state == State::Open && self.association.buffered() <= LOW {
            self.is_waited_for = false;
            return Some(Event::Room);
        }
        self.events.pop_front()
    }

    /// Sends a text.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) fn send_text(&mut self, text: &str, now: Instant) -> Result<(), SendError> {
        self.send(true, text.as_bytes(), now)
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// [`SendError`].
    pub(crate) fn send_bytes(&mut self, bytes: &[u8], now: Instant) -> Result<(), SendError> {
        self.send(false, bytes, now)
    }

    /// Whether more should be sent now. After a no, [`Event::Room`] comes.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.state == State::Open && !self.is_waited_for {
            self.is_waited_for = self.association.buffered() >= HIGH;
        }
        self.state == State::Open && !self.is_waited_for
    }

    /// Closes the channel behind what was sent. [`Event::Closed`] comes when the peer has closed it too.
    pub(crate) fn close(&mut self, now: Instant) {
        match self.state {
            State::Open => {
                self.association.close();
                self.state = State::Closing;
                self.gives_up = Some(now + CLOSING);
                self.settle(Ok(()), now);
            }
            State::Opening => {
                self.over(None);
                self.settle(Ok(()), now);
            }
            State::Closing | State::Over => {}
        }
    }

    fn send(&mut self, is_text: bool, bytes: &[u8], now: Instant) -> Result<(), SendError> {
        if bytes.len() > self.max_send {
            return Err(SendError::TooLong(self.max_send));
        }
        if self.state != State::Open || !self.association.write(is_text, bytes) {
            return Err(SendError::NotOpen);
        }
        self.settle(Ok(()), now);
        Ok(())
    }

    // --- in between -----------------------------------------------------------------------------------------------

    /// Carries what there is between the layers until nothing moves.
    fn settle(&mut self, taken: Result<(), Over>, now: Instant) {
        if let Err(over) = taken {
            self.secure_is_over(&over);
        }
        while self.carry(now) {}
        // What closing makes.
        while self.secure.poll(&mut self.packets).is_some() {}
    }

    /// Once around; whether anything moved down.
    fn carry(&mut self, now: Instant) -> bool {
        while let Some(progress) = self.secure.poll(&mut self.packets) {
            match progress {
                Progress::Ready => self.association.start(self.role),
                Progress::Data(packet) => self.association.handle_packet(packet, now),
                Progress::Over(over) => self.secure_is_over(&over),
            }
        }
        while let Some(progress) = self.association.poll() {
            match progress {
                association::Progress::Ready if self.state == State::Opening => {
                    self.state = State::Open;
                    self.events.push_back(Event::Open);
                }
                association::Progress::Ready => {}
                association::Progress::Closed => self.over(None),
            }
        }
        self.state != State::Over && self.transmit(now)
    }

    /// Hands what SCTP has to DTLS; whether there was anything.
    fn transmit(&mut self, now: Instant) -> bool {
        let Some(packets) = self.association.poll_transmit(now) else { return false };
        for packet in packets {
            let sent = self.secure.send(&packet);
            if let Err(over) = sent {
                self.secure_is_over(&over);
                return false;
            }
            // One at a time: the records are made when they are polled.
            while let Some(progress) = self.secure.poll(&mut self.packets) {
                if let Progress::Over(over) = progress {
                    self.secure_is_over(&over);
                }
            }
        }
        true
    }

    fn secure_is_over(&mut self, over: &Over) {
        self.over(match over {
            Over::Closed => None,
            Over::Stranger => Some("the peer's certificate is not the one that was signalled".to_owned()),
            Over::Failed(reason) => Some(format!("DTLS: {reason}")),
        });
    }

    fn over(&mut self, reason: Option<String>) {
        if self.state != State::Over {
            self.state = State::Over;
            self.secure.close();
            self.events.push_back(Event::Closed(reason));
        }
    }
}
