//! Names for the parts of a network.

use std::fmt;
use std::marker::PhantomData;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident($tag:literal);)*) => {$(
        $(#[$doc])*
        ///
        /// Valid for the network that gave it out.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) u32);

        impl $name {
            /// The number of the part: parts of a kind are counted from 0 in the order of their creation.
            #[must_use]
            pub const fn number(self) -> u32 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($tag, "{}"), self.0)
            }
        }
    )*};
}

ids! {
    /// A host.
    HostId("host");
    /// An interface of a host.
    InterfaceId("interface");
    /// A network segment: a LAN, a provider's network, or the Internet.
    SegmentId("segment");
    /// A router.
    RouterId("router");
    /// An endpoint, of whatever type. [`Handle`] knows the type too.
    EndpointId("endpoint");
    /// An open UDP socket, a connection, or the wait for connections. None is used twice.
    SocketId("socket");
}

macro_rules! indices {
    ($($name:ident)*) => {$(
        impl $name {
            pub(crate) const fn index(self) -> usize {
                self.0 as usize
            }
        }
    )*};
}

indices! { HostId InterfaceId SegmentId RouterId EndpointId }

/// A packet, from its sending to its delivery or loss. Numbered from 0 in the order of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PacketId(pub(crate) u64);

/// An [`EndpointId`] that remembers the endpoint's type.
pub struct Handle<T> {
    id: EndpointId,
    endpoint: PhantomData<fn() -> T>,
}

impl<T> Handle<T> {
    pub(crate) const fn new(id: EndpointId) -> Self {
        Self { id, endpoint: PhantomData }
    }

    /// The id without the type.
    #[must_use]
    pub const fn id(self) -> EndpointId {
        self.id
    }
}

impl<T> Clone for Handle<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Handle<T> {}

impl<T> PartialEq for Handle<T> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<T> Eq for Handle<T> {}

impl<T> fmt::Debug for Handle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl<T> From<Handle<T>> for EndpointId {
    fn from(handle: Handle<T>) -> Self {
        handle.id
    }
}
