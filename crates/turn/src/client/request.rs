//! From a purpose to a request, and from its answer to what becomes of it (RFC 8489 §6.1, §9.2.5).

use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

use floe_stun::attributes::{
    AdditionalAddressFamily, AddressFamily, ChannelNumber, DontFragment, EvenPort, Lifetime, MobilityTicket,
    RequestedAddressFamily, RequestedTransport, Software, XorPeerAddress,
};
use floe_stun::{Class, EncodeError, Message, MessageBuilder, Time, TransactionId};

use crate::framing::Carrier;

use super::answer::{Accepted, Judgement, is_foreign, judge};
use super::config::{PortRequest, Relayed};
use super::error::{Failure, Rejection};
use super::event::Received;
use super::transaction::{Purpose, Transaction};
use super::{Client, MAX_TRANSMIT};

/// How often one request is made anew because the server wants other credentials or another nonce (our own rule): the
/// first time there are none, and a nonce may grow stale on the way.
const MAX_CHALLENGES: u8 = 5;

impl Client {
    /// Opens a transaction.
    pub(super) fn request(&mut self, purpose: Purpose, challenges: u8, now: Time) {
        let id = self.random.transaction_id();
        match self.encode(&purpose, id) {
            Ok(packet) => {
                let schedule = match purpose {
                    Purpose::Delete => self.delete_schedule(),
                    _ => self.config.schedule(),
                };
                let protection = self.auth.protection().cloned();
                let request = (id, purpose, packet);
                self.transactions.open(Transaction::new(request, protection, challenges, schedule, now));
            }
            // A challenge is tried out when it is adopted, so every request fits.
            Err(_) => self.unsuccessful(purpose, Failure::UnusableChallenge, false, now),
        }
    }

    fn encode(&self, purpose: &Purpose, id: TransactionId) -> Result<Vec<u8>, EncodeError> {
        let mut buffer = [0; MAX_TRANSMIT];
        let builder = MessageBuilder::new(&mut buffer, Class::Request, purpose.method(), id);
        let builder = match purpose {
            Purpose::Allocate => self.allocate_attributes(builder),
            Purpose::Refresh => self.refresh_attributes(builder, self.config.lifetime_secs(), false),
            Purpose::Move => self.refresh_attributes(builder, self.config.lifetime_secs(), true),
            Purpose::Delete => self.refresh_attributes(builder, Some(0), self.deletes_by_ticket),
            Purpose::Permit(peers) => permit_attributes(builder, peers),
            Purpose::Bind(number) => self.bind_attributes(builder, *number),
        };
        let builder = self.auth.dress(builder);
        let len = match self.auth.protection() {
            Some(protection) => builder.integrity(&protection.key, protection.algorithm).finish()?,
            None => builder.finish()?,
        };
        Ok(buffer[..len].to_vec())
    }

    /// RFC 8656 §7.1.
    fn allocate_attributes<'b>(&self, builder: MessageBuilder<'b>) -> MessageBuilder<'b> {
        let mut builder = builder.attribute(&RequestedTransport::UDP);
        match self.config.relayed {
            Relayed::One { family, port } => {
                let even = match port {
                    PortRequest::Any => None,
                    PortRequest::Even => Some(EvenPort { reserve_next: false }),
                    PortRequest::EvenAndNext => Some(EvenPort { reserve_next: true }),
                };
                builder = builder.maybe(family.map(RequestedAddressFamily).as_ref()).maybe(even.as_ref());
            }
            Relayed::Both { even_port } => {
                let even = even_port.then_some(EvenPort { reserve_next: false });
                builder =
                    builder.attribute(&AdditionalAddressFamily(AddressFamily::Ipv6)).maybe(even.as_ref());
            }
            Relayed::Reserved(token) => builder = builder.attribute(&token),
        }
        builder
            .maybe(self.config.lifetime_secs().map(Lifetime).as_ref())
            .maybe(self.attempt.dont_fragment.then_some(&DontFragment))
            // RFC 8016 §3.1.1.
            .maybe(self.attempt.ticket.then_some(&MobilityTicket(&[])))
            .maybe(self.software().as_ref())
    }

    /// RFC 8656 §8.1. Without REQUESTED-ADDRESS-FAMILY it is about all addresses of the allocation. The ticket is there
    /// only after our address has changed (RFC 8016 §3.2.1).
    fn refresh_attributes<'b>(
        &self,
        builder: MessageBuilder<'b>,
        lifetime: Option<u32>,
        ticket: bool,
    ) -> MessageBuilder<'b> {
        let allocation = self.allocation.as_ref().filter(|_| ticket);
        let ticket = allocation.and_then(|allocation| allocation.ticket.as_deref()).map(MobilityTicket);
        builder.maybe(lifetime.map(Lifetime).as_ref()).maybe(ticket.as_ref()).maybe(self.software().as_ref())
    }

    /// RFC 8656 §12.1.
    fn bind_attributes<'b>(&self, builder: MessageBuilder<'b>, number: ChannelNumber) -> MessageBuilder<'b> {
        let peer = self.channels.owner(number).map(XorPeerAddress);
        builder.attribute(&number).maybe(peer.as_ref())
    }

    fn software(&self) -> Option<Software<'_>> {
        self.config.software.as_deref().map(Software::new)
    }

    /// A response came in.
    pub(super) fn on_response(&mut self, message: Message<'_>, now: Time) -> Received {
        let Some(transaction) = self.transactions.get_mut(message.transaction_id()) else {
            return Received::Rejected(Rejection::UnknownTransaction);
        };
        if message.method() != transaction.purpose.method() {
            return Received::Rejected(Rejection::UnexpectedMessage);
        }
        let judgement = judge(message, transaction);
        if let Judgement::Discard(rejection) = judgement {
            transaction.bad_answer = true;
            // RFC 8489 §9.2.5: nothing else will come on a stream.
            if self.config.carrier == Carrier::Stream
                && let Some(transaction) = self.transactions.remove(message.transaction_id())
            {
                self.unsuccessful(transaction.purpose, Failure::IntegrityViolated, false, now);
            }
            return Received::Rejected(rejection);
        }
        if let Some(transaction) = self.transactions.remove(message.transaction_id()) {
            match judgement {
                Judgement::Challenge(code) => self.on_challenge(transaction, code, &message, now),
                Judgement::Success(answer) => self.on_success(transaction, &answer, now),
                Judgement::Error(answer, failure) => self.on_error(transaction, &answer, failure, now),
                Judgement::Discard(_) => {}
            }
        }
        Received::Turn
    }

    /// 401 and 438 (RFC 8489 §9.2.5).
    fn on_challenge(&mut self, transaction: Transaction, code: u16, answer: &Message<'_>, now: Time) {
        let adopted = match Message::parse(&transaction.packet) {
            _ if is_foreign(answer) => Err(Failure::MalformedAnswer),
            _ if transaction.challenges >= MAX_CHALLENGES => Err(Failure::of_code(code)),
            Ok(request) => self.auth.adopt(code, answer, &request),
            Err(_) => Err(Failure::UnusableChallenge),
        };
        match adopted {
            Ok(()) => self.request(transaction.purpose, transaction.challenges + 1, now),
            Err(failure) => self.unsuccessful(transaction.purpose, failure, false, now),
        }
    }

    fn on_success(&mut self, transaction: Transaction, answer: &Accepted<'_>, now: Time) {
        let asked = transaction.started;
        if transaction.protection.is_some() {
            self.auth.succeeded();
        }
        match transaction.purpose {
            Purpose::Allocate => self.on_allocated(answer, asked, now),
            Purpose::Refresh => self.on_refreshed(answer, asked, now),
            Purpose::Move => self.on_moved(answer, asked, now),
            Purpose::Delete => self.deleted(now),
            Purpose::Permit(peers) => self.on_permitted(&peers, asked),
            Purpose::Bind(number) => self.on_bound(number, asked, now),
        }
    }

    fn on_error(&mut self, transaction: Transaction, answer: &Accepted<'_>, failure: Failure, now: Time) {
        match transaction.purpose {
            Purpose::Allocate => self.on_allocate_error(answer, failure, now),
            purpose => self.unsuccessful(purpose, failure, false, now),
        }
    }

    /// No answer came in time.
    pub(super) fn on_failed(&mut self, transaction: Transaction, now: Time) {
        // RFC 8489 §9.2.5: not a timeout, if something came that could not be trusted.
        let failure = if transaction.bad_answer { Failure::IntegrityViolated } else { Failure::NoAnswer };
        self.unsuccessful(transaction.purpose, failure, true, now);
    }

    /// A request has failed, without an answer in time or with one.
    pub(super) fn unsuccessful(&mut self, purpose: Purpose, failure: Failure, timed_out: bool, now: Time) {
        match purpose {
            Purpose::Allocate => self.allocate_failed(failure, now),
            Purpose::Delete => self.deleted(now),
            Purpose::Move => self.lose(failure, now),
            // RFC 8656 §5: the allocation does not exist any more.
            _ if failure == Failure::AllocationMismatch => self.lose(failure, now),
            Purpose::Refresh => self.refresh_failed(failure, timed_out, now),
            Purpose::Permit(peers) => self.permit_failed(&peers, failure, timed_out),
            Purpose::Bind(number) => self.bind_failed(number, failure, timed_out, now),
        }
    }
}

/// RFC 8656 §10.1. The port means nothing: this is the one of the discard protocol.
fn permit_attributes<'b>(builder: MessageBuilder<'b>, peers: &[IpAddr]) -> MessageBuilder<'b> {
    peers.iter().fold(builder, |builder, peer| builder.attribute(&XorPeerAddress(SocketAddr::new(*peer, 9))))
}
