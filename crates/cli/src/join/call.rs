//! One call: an agent, the session that speaks for it, and the conversation on top.

use std::time::Instant;

use floe::ice::Time;
use floe::ice::candidate::{CandidateInit, Description, IceOptions};
use floe::{Agent, Candidate, Component, Credentials, GatheringState, IceServer, RemoteParameters};
use floe_signal::message::{DescriptionType, SessionDescription, Welcome};
use floe_signal::sdp::{DataChannel, Fingerprint, Sdp, Section, Setup};
use floe_signal::{Event, Session};
use rand::TryRng;

use crate::agent_args::AgentArgs;
use crate::data::{Certificate, Peer, Role};
use crate::failure::Failure;
use crate::talk::{Screen, Talk, TalkArgs};

/// What a call is made with.
pub(super) struct Means<'a> {
    pub(super) agent: &'a AgentArgs,
    pub(super) talk: &'a TalkArgs,
    pub(super) begun: Instant,
}

impl Means<'_> {
    pub(super) fn now(&self) -> Time {
        Time::ZERO + self.begun.elapsed()
    }
}

/// A call with its agent.
pub(super) struct Call {
    pub(super) agent: Agent,
    certificate: Certificate,
    data: DataChannel,
    /// Of which generation how many candidates went out, and whether their end did.
    told: (String, usize, bool),
    pub(super) talk: Option<Talk>,
    /// ICE is to be restarted when the state is stable.
    wants_offer: bool,
}

impl Call {
    pub(super) async fn new(means: &Means<'_>, welcome: &Welcome, offers: bool) -> Result<Self, Failure> {
        let servers = welcome.ice_servers.iter().map(|server| {
            let known = IceServer::new(server.urls.clone());
            match (&server.username, &server.credential) {
                (Some(name), Some(credential)) => known.with_account(name, credential),
                _ => known,
            }
        });
        let builder = means.agent.builder()?.ice_servers(servers);
        let builder = if offers { builder.controlling() } else { builder };
        let agent = builder.start().await.map_err(|error| Failure::of_start(&error))?;
        let certificate = Certificate::generate()?;
        let fingerprint = Fingerprint::sha256(certificate.digest());
        let ice = Description::new(agent.local_credentials());
        let mut random = [0; 8];
        rand::rngs::SysRng
            .try_fill_bytes(&mut random)
            .map_err(|error| Failure::Failed(format!("the system gives no random numbers: {error}")))?;
        let data = DataChannel::new(u64::from_be_bytes(random), ice, fingerprint);
        Ok(Self {
            agent,
            certificate,
            data,
            told: (String::new(), 0, false),
            talk: None,
            wants_offer: offers,
        })
    }

    /// Restarts ICE.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        self.wants_offer = true;
        self.agent.restart().map_err(|error| Failure::Failed(error.to_string()))
    }

    /// Says what there is to say: an offer that is wanted, and candidates.
    pub(super) fn speak(&mut self, session: &mut Session, now: Time) -> Result<(), Failure> {
        if self.wants_offer && session.state() == floe_signal::SignalingState::Stable {
            self.describe();
            let offer = self.data.offer().map_err(|error| failed(&error))?.to_string();
            let set = session.set_local_description(SessionDescription::offer(offer), now);
            set.map_err(|error| failed(&error))?;
            self.wants_offer = false;
        }
        self.trickle(session, now).map_err(|error| failed(&error))
    }

    fn describe(&mut self) {
        self.data.ice = Description::new(self.agent.local_credentials());
        self.data.ice.options = IceOptions::new().with_trickle();
        self.data.version += 1;
    }

    fn trickle(&mut self, session: &mut Session, now: Time) -> Result<(), floe_signal::SessionError> {
        let credentials = self.agent.local_credentials();
        let ufrag = credentials.ufrag();
        // Before the description that has this generation nothing is said of it.
        let section = session.local_description().and_then(data_section);
        let described = section.and_then(Section::ufrag);
        if described != Some(ufrag) {
            return Ok(());
        }
        if self.told.0 != ufrag {
            self.told = (ufrag.to_owned(), 0, false);
        }
        let mid = section.and_then(Section::mid).map(str::to_owned);
        for (_, candidate) in self.agent.local_candidates().iter().skip(self.told.1) {
            let mut init = CandidateInit::new(candidate);
            (init.sdp_mid, init.username_fragment) = (mid.clone(), Some(ufrag.to_owned()));
            session.add_local_candidate(init, now)?;
            self.told.1 += 1;
        }
        if self.agent.gathering_state() == GatheringState::Complete && !self.told.2 {
            let mut end = CandidateInit::end_of_candidates(ufrag);
            end.sdp_mid = mid;
            session.add_local_candidate(end, now)?;
            self.told.2 = true;
        }
        Ok(())
    }

    /// Does what the session says. What there is of the peer's that makes the call impossible, if anything.
    pub(super) fn take(
        &mut self,
        event: &Event,
        session: &mut Session,
        means: &Means<'_>,
    ) -> Result<Option<String>, Failure> {
        match event {
            Event::RestartedByPeer => self.agent.restart().map_err(|error| failed(&error))?,
            Event::RolledBack | Event::OfferRejected => {
                self.wants_offer = matches!(event, Event::RolledBack) && self.talk.is_some();
            }
            Event::RemoteDescription(description) => {
                let is_offer = description.kind == DescriptionType::Offer;
                match Theirs::read(description) {
                    Ok(theirs) => self.described(theirs, is_offer, session, means)?,
                    // What goes on does so without it.
                    Err(_) if is_offer && self.talk.is_some() => {
                        session.reject_offer(means.now()).map_err(|error| failed(&error))?;
                    }
                    Err(reason) => return Ok(Some(reason)),
                }
            }
            Event::Candidate(candidate) => {
                // What is of a kind that the agent does not speak is for others.
                if let Ok(Some(candidate)) = candidate.to_candidate() {
                    let _ = self.agent.add_remote_candidate(&candidate);
                }
            }
            Event::EndOfCandidates { ufrag: Some(ufrag), .. } => {
                let _ = self.agent.end_of_remote_candidates_of(ufrag);
            }
            _ => {}
        }
        Ok(None)
    }

    fn described(
        &mut self,
        theirs: Theirs,
        is_offer: bool,
        session: &mut Session,
        means: &Means<'_>,
    ) -> Result<(), Failure> {
        let Theirs { sdp, credentials, candidates, peer } = theirs;
        let parameters = RemoteParameters::new(credentials);
        self.agent.set_remote_parameters(&parameters).map_err(|error| failed(&error))?;
        for candidate in &candidates {
            let _ = self.agent.add_remote_candidate(candidate);
        }
        if self.talk.is_none() {
            // RFC 8842 §5.3: the roles stay as they are over restarts.
            let ours = if peer.role == Role::Client { Setup::Active } else { Setup::Passive };
            self.data.setup = Some(ours);
            let connection = self.agent.connection(Component::default()).map_err(|error| failed(&error))?;
            let screen = Screen::new(means.talk.json);
            self.talk = Some(Talk::new(connection, &self.certificate, peer, means.talk, screen));
        }
        if is_offer {
            self.describe();
            let answer = self.data.answer(&sdp).map_err(|error| failed(&error))?.to_string();
            let set = session.set_local_description(SessionDescription::answer(answer), means.now());
            set.map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// What a description of the peer's says to us.
struct Theirs {
    sdp: Sdp,
    credentials: Credentials,
    candidates: Vec<Candidate>,
    peer: Peer,
}

impl Theirs {
    /// Or what is wrong with it.
    fn read(description: &SessionDescription) -> Result<Self, String> {
        let sdp: Sdp = description.sdp.parse().map_err(|error| format!("the other side's SDP: {error}"))?;
        let section = data_section(&sdp).ok_or("the other side offers no data channel")?;
        let ice = section.transport().ice().map_err(|error| format!("the other side's ICE: {error}"))?;
        let credentials = ice.credentials.clone().ok_or("the other side has no credentials for ICE")?;
        let is_offer = description.kind == DescriptionType::Offer;
        let peer = Peer::new(section, is_offer).ok_or("the other side wants no DTLS")?;
        let candidates = ice.candidates.clone();
        Ok(Self { sdp, credentials, candidates, peer })
    }
}

/// The section of the data channel. Where a page offers media too, others are before it, and refused in our answer.
fn data_section(sdp: &Sdp) -> Option<Section<'_>> {
    sdp.sections().find(|section| section.is_data_channel() && !section.is_rejected())
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::Failed(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_channel_is_found_behind_media_that_is_refused() {
        let offer = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
            m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n\
            a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=ice-ufrag:8hhY\r\n\
            a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=sctp-port:5000\r\n";
        let offer: Sdp = offer.parse().expect("good SDP");
        let ice = Description::new(Credentials::new("9uB6", "YH75Fviy6338Vbrhrlp8Yh").expect("good ones"));
        let answer =
            DataChannel::new(1, ice, Fingerprint::sha256([1; 32])).answer(&offer).expect("an answer");
        let section = data_section(&answer).expect("it has the channel");
        assert_eq!((section.mid(), section.ufrag()), (Some("1"), Some("9uB6")));
    }

    #[test]
    fn a_description_that_does_not_fit_says_what_is_wrong() {
        let good = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n\
            m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:8hhY\r\n\
            a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=fingerprint:sha-256 AB:CD\r\na=setup:actpass\r\na=sctp-port:5000\r\n";
        let read =
            |text: String| Theirs::read(&SessionDescription::offer(text)).map(|theirs| theirs.peer.role);
        assert_eq!(read(good.to_owned()), Ok(Role::Client), "the answer chooses to begin");
        for (from, to, wrong) in [
            ("v=0", "garbage", "the other side's SDP: "),
            ("m=application 9 ", "m=application 0 ", "no data channel"),
            (
                "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
                "m=audio 9 UDP/TLS/RTP/SAVPF 111",
                "no data channel",
            ),
            ("a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n", "", "no credentials"),
            ("a=setup:actpass", "a=setup:holdconn", "no DTLS"),
        ] {
            let error = read(good.replace(from, to)).expect_err(wrong);
            assert!(error.contains(wrong), "{error}");
        }
    }
}
