//! What clients send, and to whom it goes (RFC 8656 §5).

use alloc::sync::Arc;

use floe_stun::attributes::Username;
use floe_stun::{Class, Message, Method, PacketKind, Time, classify};

use super::authenticate::Authenticated;
use super::binding::{Answer, MAX_RESPONSE, Silence, is_answerable};
use super::event::Event;
use super::from_client::Received;
use super::link::Link;
use super::rejection::{Rejection, count};
use super::slab::Key;
use super::{Phase, Server};
use crate::framing::Carrier;

impl Server {
    /// Handles what a client sent: a datagram, or one frame of a stream. Nothing in it makes the server panic or grow
    /// without bound, and nothing changes before its sender is authenticated.
    pub fn handle_datagram(&mut self, link: Link, datagram: &[u8], now: Time) -> Received {
        self.now = self.now.max(now);
        let received = match classify(datagram) {
            _ if self.phase == Phase::Closed => Err(Rejection::Closed),
            PacketKind::TurnChannel => self.on_channel_data(&link, datagram, now),
            PacketKind::Stun => self.on_message(link, datagram, now),
            // RFC 8656 §12: "Others: MUST be dropped".
            _ => Err(Rejection::NotTurn),
        };
        received.unwrap_or_else(|why| {
            self.fx.stats.reject(why);
            Received::Rejected(why)
        })
    }

    fn on_message(&mut self, link: Link, datagram: &[u8], now: Time) -> Result<Received, Rejection> {
        let message = Message::parse(datagram).map_err(|_| Rejection::Malformed)?;
        match (message.class(), message.method()) {
            (Class::Indication, Method::SEND) => return self.on_send(&link, datagram, &message, now),
            // A keep-alive (RFC 8489 §6.3.2).
            (Class::Indication, Method::BINDING) => {}
            (Class::Request, Method::BINDING) => self.on_binding(link, datagram, now)?,
            (
                Class::Request,
                Method::ALLOCATE | Method::REFRESH | Method::CREATE_PERMISSION | Method::CHANNEL_BIND,
            ) => self.on_request(link, message, now)?,
            _ => return Err(Rejection::UnexpectedMessage),
        }
        Ok(Received::Handled)
    }

    /// Binding asks for no credentials.
    fn on_binding(&mut self, link: Link, datagram: &[u8], now: Time) -> Result<(), Rejection> {
        let Self { binding, fx, config, .. } = self;
        let mut out = [0; MAX_RESPONSE];
        let discovery = config.discovery.iter().find(|discovery| discovery.has(link.socket));
        // Whatever Binding is answered with fits.
        let answer = match discovery.filter(|_| link.carrier == Carrier::Datagram) {
            None => binding.handle(datagram, link.client, now, &mut out).map(|answer| match answer {
                Answer::Respond(len) => Ok((len, link.socket)),
                Answer::Silent(why) => Err(why),
            }),
            Some(discovery) => {
                binding.discover(datagram, link.client, (discovery, link.socket), now, &mut out)
            }
        };
        let (len, socket) = match answer.map_err(|_| Rejection::TooLong)? {
            Ok(response) => response,
            Err(Silence::RateLimited) => return Err(Rejection::RateLimited),
            Err(Silence::NotStun(_)) => return Err(Rejection::Malformed),
            Err(_) => return Err(Rejection::UnanswerableSource),
        };
        fx.send(Link { socket, ..link }, |packet| {
            packet[..len].copy_from_slice(&out[..len]);
            Ok(len)
        })?;
        count(&mut fx.stats.bindings);
        Ok(())
    }

    /// The requests that need credentials.
    fn on_request(&mut self, link: Link, request: Message<'_>, now: Time) -> Result<(), Rejection> {
        if !is_answerable(link.mapped()) {
            return Err(Rejection::UnanswerableSource);
        }
        let auth = match self.authenticate(request, link, now) {
            Ok(auth) => auth,
            Err(refused) => {
                let why = self.refuse_stranger(&request, link, refused, now);
                // To be asked for credentials, or for a new nonce, is no refusal.
                if why == Rejection::BadCredentials {
                    let claimed = request.get::<Username<'_>>().ok().flatten();
                    let claimed = claimed.and_then(|name| core::str::from_utf8(name.as_bytes()).ok());
                    self.tell_of_refusal(request.method(), link, claimed.map(Arc::from), why);
                }
                return Err(why);
            }
        };
        // An allocation whose time is over is gone, even if its timer is late.
        if let Some(key) = self.allocations.on(&link) {
            self.expire_relays(key, now);
        }
        self.on_authenticated(&auth, now).inspect_err(|why| {
            self.refuse(&auth.reply, &request, *why, now);
            self.tell_of_refusal(request.method(), link, Some(auth.user.name.clone()), *why);
        })
    }

    /// The event that goes with the refusal of an allocation.
    pub(super) fn tell_of_refusal(
        &mut self,
        method: Method,
        link: Link,
        user: Option<Arc<str>>,
        reason: Rejection,
    ) {
        if method == Method::ALLOCATE {
            self.fx.event(Event::AllocationRefused { link, user, reason });
        }
    }

    fn on_authenticated(&mut self, auth: &Authenticated<'_>, now: Time) -> Result<(), Rejection> {
        // RFC 8489 §6.3.1: known to the authenticated only.
        if auth.request.unknown_required(self.known()).next().is_some() {
            return Err(Rejection::UnknownAttribute);
        }
        match auth.request.method() {
            Method::ALLOCATE => self.on_allocate(auth, now),
            Method::REFRESH => self.on_refresh(auth, now),
            Method::CREATE_PERMISSION => self.on_create_permission(auth, now),
            _ => self.on_channel_bind(auth, now),
        }
    }

    /// The allocation that a request other than Allocate is about: "if the 5-tuple does not identify an existing
    /// allocation", 437; if it is another user's, 441.
    pub(super) fn allocation_of(&self, auth: &Authenticated<'_>, now: Time) -> Result<Key, Rejection> {
        let key = self.allocations.on(&auth.link).ok_or(Rejection::AllocationMismatch)?;
        let allocation = self.allocations.get(key).filter(|allocation| allocation.is_live(now));
        let allocation = allocation.ok_or(Rejection::AllocationMismatch)?;
        if allocation.user == auth.user.name { Ok(key) } else { Err(Rejection::WrongCredentials) }
    }
}
