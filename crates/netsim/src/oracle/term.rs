//! Symbols for transport addresses.

use std::net::IpAddr;

use crate::id::{InterfaceId, RouterId};

/// A transport address, as a place in [`Terms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct TermId(usize);

/// Where a transport address comes from. Equal terms are equal addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// A socket on an address of an interface: the only one that counts, or that of a relay.
    Base { interface: InterfaceId, ip: IpAddr, relay: Option<usize> },
    /// What a NAT makes of another one.
    Mapped { nat: RouterId, internal: TermId, remote: Part, ip: IpAddr },
}

/// The part of an address that a mapping or filter looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Nothing,
    Ip(IpSymbol),
    Whole(TermId),
}

/// An IP address, which is not always known: a NAT with several chooses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum IpSymbol {
    Known(IpAddr),
    /// The one that goes with an internal address.
    Paired(RouterId, Box<IpSymbol>),
    /// That of one mapping.
    Chosen(TermId),
    /// Whichever: all are taken for equal.
    Any(RouterId),
}

/// How a NAT with several external addresses is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pool {
    Single,
    Paired,
    Arbitrary,
    TakenAsOne,
}

/// All symbols so far, each once.
#[derive(Debug, Default)]
pub(super) struct Terms {
    terms: Vec<Term>,
}

impl Terms {
    pub(super) fn intern(&mut self, term: Term) -> TermId {
        let known = self.terms.iter().position(|other| *other == term);
        TermId(known.unwrap_or_else(|| {
            self.terms.push(term);
            self.terms.len() - 1
        }))
    }

    pub(super) fn get(&self, id: TermId) -> &Term {
        &self.terms[id.0]
    }

    /// An IP address that a packet to `id` can be sent to: where it goes does not depend on which of a pool's it is.
    pub(super) fn ip(&self, id: TermId) -> IpAddr {
        match self.get(id) {
            Term::Base { ip, .. } | Term::Mapped { ip, .. } => *ip,
        }
    }

    /// What is known of the IP address of `id`.
    pub(super) fn symbol(&self, id: TermId, pool: &impl Fn(RouterId) -> Pool) -> IpSymbol {
        match *self.get(id) {
            Term::Base { ip, .. } => IpSymbol::Known(ip),
            Term::Mapped { nat, internal, ip, .. } => match pool(nat) {
                Pool::Single => IpSymbol::Known(ip),
                Pool::Paired => IpSymbol::Paired(nat, Box::new(self.symbol(internal, pool))),
                Pool::Arbitrary => IpSymbol::Chosen(id),
                Pool::TakenAsOne => IpSymbol::Any(nat),
            },
        }
    }

    /// How often `id` was translated, counting the translations of what its mappings depend on.
    pub(super) fn depth(&self, id: TermId) -> usize {
        match self.get(id) {
            Term::Base { .. } => 0,
            Term::Mapped { internal, remote, .. } => {
                let remote = match remote {
                    Part::Whole(id) => self.depth(*id),
                    Part::Ip(symbol) => self.symbol_depth(symbol),
                    Part::Nothing => 0,
                };
                1 + remote.max(self.depth(*internal))
            }
        }
    }

    fn symbol_depth(&self, symbol: &IpSymbol) -> usize {
        match symbol {
            IpSymbol::Chosen(id) => self.depth(*id),
            IpSymbol::Paired(_, internal) => self.symbol_depth(internal),
            IpSymbol::Known(_) | IpSymbol::Any(_) => 0,
        }
    }
}
