//! A hostile peer, a hostile network, and anybody: what each can do to an agent, and what bounds it. `tests/attacks.md` is the
//! table of contents.

#![forbid(unsafe_code)]

mod amplification;
mod attributes;
mod candidates;
mod consent;
mod early;
mod forged;
mod heap;
mod mapped;
mod nominations;
mod replayed;
mod restarts;
mod roles;
mod ufrags;
mod victim;
mod wire;
