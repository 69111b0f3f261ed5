//! Servers that send us on to others: ALTERNATE-SERVER, as far as RFC 8489 §10 leaves it to whoever asks. That a redirection is
//! authentic and an answer to Allocate, and where a TURN server cannot be, is seen to by the client.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use floe_stun::Time;
use floe_turn::client::Failure;

use crate::effects::Effects;

use super::News;
use super::connecting::Connecting;
use super::relay::{Relay, Stage, client_of};

/// RFC 8489 §10: a server that was asked is not gone back to for so long.
const MEMORY: Duration = Duration::from_secs(300);
/// How many servers one relay is sent through in that time at most (our own rule).
const MAX_SERVERS: usize = 5;

/// The servers that one relay has asked.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked(Vec<(SocketAddr, Time)>);

impl Asked {
    /// It is asked now.
    pub(super) fn note(&mut self, server: SocketAddr, now: Time) {
        self.0.retain(|&(known, at)| known != server && at.saturating_add(MEMORY) > now);
        self.0.push((server, now));
    }

    /// Whether a redirection there is followed.
    pub(super) fn admits(&self, server: SocketAddr, now: Time) -> bool {
        let recent = || self.0.iter().filter(|(_, at)| at.saturating_add(MEMORY) > now);
        recent().count() < MAX_SERVERS && recent().all(|&(known, _)| known != server)
    }
}

impl Relay {
    /// RFC 8489 §10: the same request, over the same transport and with the same credentials, to the server that is named.
    pub(super) fn redirected(&mut self, now: Time, news: &mut VecDeque<News>, fx: &mut Effects) {
        let alternate = self.alternate.take();
        let (servers, domain) = alternate.map_or_else(Default::default, |a| (a.servers, a.domain));
        let ipv4 = self.wanted.base.is_ipv4();
        let Some(server) = servers.into_iter().find(|s| s.is_ipv4() == ipv4) else {
            return self.failed(Failure::BadRedirect, None, now, (news, fx));
        };
        if !self.asked.admits(server, now) {
            // What was allocated once is to be had again when the servers have thought better of it.
            return self.failed(Failure::RedirectLoop, Some(now), now, (news, fx));
        }
        self.server = server;
        self.drop_connection(fx);
        match &mut self.line {
            Some(line) => {
                // The name is that of the server before, unless the redirection has another.
                line.alternate_name = domain.or_else(|| line.alternate_name.take());
                line.connecting = Connecting::to(&[server]);
                self.stage = Stage::Connecting;
            }
            None => {
                self.renew_client(fx);
                self.ask(now);
            }
        }
    }

    /// The next attempt is at the configured server.
    pub(super) fn go_home(&mut self) {
        self.server = self.wanted.to;
        if let Some(line) = &mut self.line {
            line.alternate_name = None;
        }
    }

    /// Another server has another client.
    pub(super) fn renew_client(&mut self, fx: &mut Effects) {
        if self.client.server() != self.server
            && let Some(client) = client_of(self.server, &self.credentials, self.line.is_some(), fx)
        {
            self.client = client;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_server_is_gone_back_to_within_five_minutes_and_there_are_only_so_many() {
        let server = |last: u8| SocketAddr::from(([192, 0, 2, last], 3478));
        let mut asked = Asked::default();
        asked.note(server(1), Time::from_secs(100));
        assert!(
            !asked.admits(server(1), Time::from_secs(399)) && asked.admits(server(2), Time::from_secs(100))
        );
        assert!(asked.admits(server(1), Time::from_secs(400)));
        for last in 2..=5 {
            assert!(asked.admits(server(last), Time::from_secs(100)));
            asked.note(server(last), Time::from_secs(100));
        }
        assert!(!asked.admits(server(6), Time::from_secs(100)));
        assert!(asked.admits(server(6), Time::from_secs(400)));
    }
}
