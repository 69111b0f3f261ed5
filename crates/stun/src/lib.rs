//! STUN wire codec (RFC 8489), with the attributes of ICE (RFC 8445), TURN (RFC 8656, 8016, 6062) and NAT behaviour
//! discovery (RFC 5780).
//!
//! The crate knows bytes. It has no clock, no sockets, no random numbers and no policy: what a request must carry, and
//! what a response means, is the business of whoever uses it. It is `no_std`, needs no allocator, and **no input makes
//! it panic**.
//!
//! # Reading
//!
//! [`Message::parse`] checks the form of a datagram and its FINGERPRINT, [`Message::verify`] its integrity:
//!
//! ```
//! use floe_stun::attributes::{Username, XorMappedAddress};
//! use floe_stun::{Class, IntegrityAlgorithm, Key, Message, MessageBuilder, Method, TransactionId};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A client writes a request ...
//! let key = Key::short_term("VOkJxbRl1RmTxUk/WvJxBt");
//! let id = TransactionId::new([0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae]);
//! let mut request = [0; 128];
//! let len = MessageBuilder::new(&mut request, Class::Request, Method::BINDING, id)
//!     .attribute(&Username::new("evtj:h6vY"))
//!     .integrity(&key, IntegrityAlgorithm::Sha1)
//!     .fingerprint()
//!     .finish()?;
//!
//! // ... and a server, which has the same key, answers it.
//! let message = Message::parse(&request[..len])?;
//! let verified = message.verify(&key)?;
//! assert_eq!(verified.get::<Username>()?.map(|name| name.as_bytes()), Some(&b"evtj:h6vY"[..]));
//!
//! let source = "192.0.2.1:32853".parse()?;
//! let mut response = [0; 128];
//! let len = MessageBuilder::response(&mut response, Class::Success, &verified)
//!     .attribute(&XorMappedAddress(source))
//!     .integrity(&key, verified.algorithm())
//!     .fingerprint()
//!     .finish()?;
//!
//! let answer = Message::parse(&response[..len])?.verify(&key)?;
//! assert_eq!(answer.transaction_id(), id);
//! assert_eq!(answer.get::<XorMappedAddress>()?, Some(XorMappedAddress(source)));
//! # Ok(())
//! # }
//! ```
//!
//! # Time
//!
//! The crate is the bottom of floe's dependency graph, so two things live here that everything above needs:
//! [`Time`], the point in time that every sans-IO call takes as an argument, and [`RetransmissionSchedule`].
//! With the feature `std`, `Clock` converts between `Time` and `std::time::Instant`.
//!
//! What happens to a deadline while a machine is suspended is decided by the clock the driver reads. A clock that
//! stands still during suspend (Linux `CLOCK_MONOTONIC`, which `Instant` is there) resumes as if nothing had happened:
//! consent that had 20 s left still has 20 s, although the peer has long given up. A clock that counts on
//! (`CLOCK_BOOTTIME`, Windows) makes everything due at once. Either is safe; a driver that wants the second reads such
//! a clock and makes its `Time` from that.
//!
//! # Features
//!
//! - `std` (default): `Clock`, and detection of CPU features for CRC-32. Without it the crate is `no_std`.

#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(feature = "std", test))]
extern crate std;

mod attribute;
pub mod attributes;
mod builder;
mod channel_data;
mod classify;
#[cfg(feature = "std")]
mod clock;
mod error;
mod fingerprint;
mod header;
mod hmac;
mod integrity;
mod key;
mod message;
mod nonce;
mod retransmission;
mod time;
mod walk;

pub use attribute::{Attribute, AttributeType, RawAttribute};
pub use builder::{MessageBuilder, stage};
pub use channel_data::ChannelData;
pub use classify::{PacketKind, classify, is_stun};
#[cfg(feature = "std")]
pub use clock::Clock;
pub use error::{DecodeError, EncodeError, IntegrityError};
pub use header::{Class, HEADER_LEN, MAGIC_COOKIE, MAX_BODY_LEN, Method, TransactionId};
pub use integrity::{IntegrityAlgorithm, Verified};
pub use key::{Key, Sha1Key};
pub use message::Message;
pub use nonce::SecurityFeatures;
pub use retransmission::{RetransmissionSchedule, RetransmissionStep};
pub use time::Time;
pub use walk::Attributes;
