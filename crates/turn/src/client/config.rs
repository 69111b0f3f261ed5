//! What a client is told when it is made. Every default is here, with where it comes from.

use alloc::string::String;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::RetransmissionSchedule;
use floe_stun::attributes::{AddressFamily, ReservationToken};

use crate::framing::Carrier;

/// The longest user name that may be sent, in bytes (RFC 8489 §14.3).
const MAX_USERNAME: usize = 508;

/// The longest SOFTWARE, in bytes, well below the 127 characters of RFC 8489 §14.14: it is in every Allocate and Refresh.
const MAX_SOFTWARE: usize = 64;

/// User name and password of the long-term credential mechanism (RFC 8489 §9.2).
///
/// Text beyond ASCII has to be prepared with OpaqueString; see [`floe_stun::Key`]. Neither is printed.
///
/// ```
/// use floe_turn::client::Credentials;
///
/// let credentials = Credentials::new("user", "secret")?;
/// assert_eq!(format!("{credentials:?}"), "Credentials(..)");
/// # Ok::<(), floe_turn::client::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: String,
}

impl Credentials {
    /// These credentials.
    ///
    /// # Errors
    ///
    /// [`ConfigError::UsernameTooLong`] above 508 bytes (RFC 8489 §14.3).
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Result<Self, ConfigError> {
        let (username, password) = (username.into(), password.into());
        if username.len() > MAX_USERNAME {
            return Err(ConfigError::UsernameTooLong);
        }
        Ok(Self { username, password })
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// What kind of relayed address to ask for.
///
/// The combinations that RFC 8656 §7.1 forbids cannot be said: a reserved port has neither family nor EVEN-PORT, and
/// with both families no port can be reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Relayed {
    /// One address.
    One {
        /// Its family. `None` leaves REQUESTED-ADDRESS-FAMILY out, which means IPv4 and is understood by servers of
        /// RFC 5766 too.
        family: Option<AddressFamily>,
        /// Its port.
        port: PortRequest,
    },
    /// An IPv4 and an IPv6 address in one allocation (ADDITIONAL-ADDRESS-FAMILY). The server may have but one of them.
    Both {
        /// Both ports are to be even.
        even_port: bool,
    },
    /// The port that an earlier allocation with [`PortRequest::EvenAndNext`] reserved.
    Reserved(ReservationToken),
}

impl Default for Relayed {
    fn default() -> Self {
        Self::One { family: None, port: PortRequest::Any }
    }
}

impl Relayed {
    /// Whether an address of this family is what was asked for.
    pub(super) fn admits(self, family: AddressFamily) -> bool {
        match self {
            Self::One { family: wanted, .. } => family == wanted.unwrap_or(AddressFamily::Ipv4),
            Self::Both { .. } | Self::Reserved(_) => true,
        }
    }
}

/// Which port the relayed address is to have (RFC 8656 §18.7).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PortRequest {
    /// Any.
    #[default]
    Any,
    /// An even one.
    Even,
    /// An even one, and the next one is to be reserved for 30 seconds or longer:
    /// [`Allocated::reservation`](super::Allocated::reservation) names it.
    EvenAndNext,
}

/// Bounds on what a client holds. All of them are always on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Permissions at a time. Default 256.
    pub permissions: u16,
    /// Channels at a time, those counted whose number is not free again yet; at most 4096, all there are. Default 1024.
    pub channels: u16,
    /// Events not yet polled. Beyond it the oldest is lost and counted. Default 1024.
    pub events: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self { permissions: 256, channels: 1024, events: 1024 }
    }
}

/// What a [`Client`](crate::Client) is told when it is made.
///
/// ```
/// use floe_turn::Carrier;
/// use floe_turn::client::{Config, Credentials};
///
/// let server = "192.0.2.1:3478".parse()?;
/// let seed = [0; 32]; // from the operating system
/// let config = Config {
///     carrier: Carrier::Stream,
///     mobility: true,
///     ..Config::new(server, Some(Credentials::new("user", "secret")?), seed)
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Config {
    /// The server. Datagrams from elsewhere are not its.
    pub server: SocketAddr,
    /// What carries the messages. In datagrams requests are sent again until they are answered (RFC 8489 §6.2.1); on a
    /// stream they are sent once (§6.2.2), and the driver takes it apart with
    /// [`StreamDeframer`](super::StreamDeframer). Default: datagrams.
    pub carrier: Carrier,
    /// Who is asking. `None` for a server that serves everybody (RFC 8155 §9).
    pub credentials: Option<Credentials>,
    /// What kind of address to ask for.
    pub relayed: Relayed,
    /// LIFETIME to ask for, in whole seconds. `None`, the default, leaves it to the server (10 minutes, RFC 8656 §6).
    pub lifetime: Option<Duration>,
    /// Ask for DONT-FRAGMENT (RFC 8656 §14), and use it in Send indications if the server can do it.
    pub dont_fragment: bool,
    /// Ask for a ticket, so that the allocation can move along with [`Client::moved`](crate::Client::moved) (RFC 8016).
    pub mobility: bool,
    /// SOFTWARE for Allocate and Refresh requests, at most 64 bytes. RFC 8656 §5 recommends it; `None`, the default, tells
    /// nobody on the path what is running here (RFC 8656 §21.1.6).
    pub software: Option<String>,
    /// When requests are repeated and given up. The default follows the carrier: RTO 500 ms, Rc 7 and Rm 16 (RFC 8489
    /// §6.2.1), or Ti 39.5 s (§6.2.2).
    pub retransmission: Option<RetransmissionSchedule>,
    /// Bounds.
    pub limits: Limits,
    /// 32 bytes from the operating system's generator. The same seed and the same inputs give the same bytes.
    pub seed: [u8; 32],
}

impl Config {
    /// A configuration with the defaults that the fields name.
    #[must_use]
    pub fn new(server: SocketAddr, credentials: Option<Credentials>, seed: [u8; 32]) -> Self {
        Self {
            server,
            carrier: Carrier::Datagram,
            credentials,
            relayed: Relayed::default(),
            lifetime: None,
            dont_fragment: false,
            mobility: false,
            software: None,
            retransmission: None,
            limits: Limits::default(),
            seed,
        }
    }

    /// LIFETIME in seconds, never zero, which would delete (RFC 8656 §8.1).
    pub(super) fn lifetime_secs(&self) -> Option<u32> {
        let secs = self.lifetime?.as_secs().clamp(1, u64::from(u32::MAX));
        Some(secs as u32)
    }

    pub(super) fn schedule(&self) -> RetransmissionSchedule {
        self.retransmission.unwrap_or(match self.carrier {
            Carrier::Datagram => RetransmissionSchedule::default(),
            Carrier::Stream => {
                RetransmissionSchedule::reliable(RetransmissionSchedule::DEFAULT_RELIABLE_TIMEOUT)
            }
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match &self.software {
            Some(software) if software.len() > MAX_SOFTWARE => Err(ConfigError::SoftwareTooLong),
            _ => Ok(()),
        }
    }
}

/// Neither credentials nor seed are printed.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("server", &self.server)
            .field("carrier", &self.carrier)
            .field("relayed", &self.relayed)
            .finish_non_exhaustive()
    }
}

/// What cannot be configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// The user name is longer than 508 bytes (RFC 8489 §14.3).
    UsernameTooLong,
    /// The text for SOFTWARE is longer than 64 bytes.
    SoftwareTooLong,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UsernameTooLong => write!(f, "the user name is longer than {MAX_USERNAME} bytes"),
            Self::SoftwareTooLong => write!(f, "the SOFTWARE text is longer than {MAX_SOFTWARE} bytes"),
        }
    }
}

impl core::error::Error for ConfigError {}
