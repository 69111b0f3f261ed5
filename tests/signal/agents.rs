//! Two ICE agents that know of each other only what their sessions say: descriptions for data channels, and trickled candidates.

use std::time::Duration;

use floe_ice::candidate::{CandidateInit, Description, IceOptions};
use floe_ice::{Component, ConnectionState, GatheringState, RemoteParameters, StreamId, Time};
use floe_netsim::ice::{IcePeer, Signalling};
use floe_netsim::{NatType, Site};
use floe_signal::message::{DescriptionType, Envelope, ParticipantId, SessionDescription};
use floe_signal::sdp::{DataChannel, Fingerprint, Fragment, Sdp};
use floe_signal::{Config, Event, Session, SignalingState};
use floe_tests::scene::{Scene, Setup};

/// What a program keeps beside its agent.
struct Driver {
    session: Session,
    data: DataChannel,
    /// Of which generation how many candidates went out, and whether their end did.
    told: (String, usize, bool),
}

fn driver(own: &str, peer: &str, digest: u8) -> Driver {
    let id = |text| ParticipantId::new(text).expect("an id");
    let session = Session::new(Config::new(id(own), id(peer), 1)).expect("good settings");
    let nothing: Description = "".parse().expect("no line, no fault");
    let data = DataChannel::new(u64::from(digest), nothing, Fingerprint::sha256([digest; 32]));
    Driver { session, data, told: (String::new(), 0, false) }
}

impl Driver {
    /// The agent's part of the next description. Candidates follow.
    fn describe(&mut self, peer: &IcePeer) {
        self.data.ice = Description::new(peer.agent().local_credentials().clone());
        self.data.ice.options = IceOptions::new().with_trickle();
        self.data.version += 1;
    }

    fn offer(&mut self, peer: &IcePeer, now: Time) {
        self.describe(peer);
        let offer = self.data.offer().expect("a good mid").to_string();
        self.session.set_local_description(SessionDescription::offer(offer), now).expect("stable");
    }

    /// What the agent found since the last time.
    fn trickle(&mut self, peer: &IcePeer, now: Time) {
        let (agent, ufrag) = (peer.agent(), peer.agent().local_credentials().ufrag());
        // Before the description that has this generation nothing is said of it.
        let described = self.session.local_description().and_then(|sdp| sdp.section(0)?.ufrag());
        if described != Some(ufrag) {
            return;
        }
        if self.told.0 != ufrag {
            self.told = (ufrag.to_owned(), 0, false);
        }
        for (_, _, candidate) in agent.local_candidates().skip(self.told.1) {
            let mut init = CandidateInit::new(candidate);
            (init.sdp_mid, init.username_fragment) = (Some("0".into()), Some(ufrag.to_owned()));
            self.session.add_local_candidate(init, now).expect("in a call");
            self.told.1 += 1;
        }
        if agent.gathering_state() == GatheringState::Complete && !self.told.2 {
            let mut end = CandidateInit::end_of_candidates(ufrag);
            end.sdp_mid = Some("0".into());
            self.session.add_local_candidate(end, now).expect("in a call");
            self.told.2 = true;
        }
    }

    fn handle_events(&mut self, peer: &mut IcePeer, now: Time) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::RestartedByPeer => peer.restart(now),
                Event::RemoteDescription(description) => self.described(peer, &description, now),
                Event::Candidate(candidate) => {
                    let candidate = candidate.to_candidate().expect("a good line").expect("a candidate");
                    let _ = peer.agent_mut().add_remote_candidate(StreamId::FIRST, &candidate, now);
                }
                Event::EndOfCandidates { ufrag, .. } => {
                    let ufrag = ufrag.expect("ours name it");
                    let agent = peer.agent_mut();
                    agent.end_of_remote_candidates_of(StreamId::FIRST, &ufrag, now).expect("a stream");
                }
                Event::Started { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn described(&mut self, peer: &mut IcePeer, description: &SessionDescription, now: Time) {
        let sdp: Sdp = description.sdp.parse().expect("a session hands on good SDP only");
        let ice = sdp.section(0).expect("a section").transport().ice().expect("both credentials");
        let parameters = RemoteParameters::new(ice.credentials.expect("checked by whoever answers"));
        peer.agent_mut().set_remote_parameters(&parameters, now).expect("open");
        if description.kind == DescriptionType::Offer {
            self.describe(peer);
            let answer = self.data.answer(&sdp).expect("a data channel").to_string();
            self.session.set_local_description(SessionDescription::answer(answer), now).expect("an offer");
        }
    }
}

/// Lets agents and sessions work until `done`.
fn run(scene: &mut Scene, drivers: &mut [Driver; 2], done: impl Fn(&Scene) -> bool) {
    for _ in 0..500 {
        scene.net.run_for(Duration::from_millis(20));
        for side in 0..2 {
            let mut said: Vec<String> = Vec::new();
            scene.net.with(scene.peers[side], |peer, now| {
                let driver = &mut drivers[side];
                driver.session.handle_timeout(now);
                driver.handle_events(peer, now);
                driver.trickle(peer, now);
                said.extend(std::iter::from_fn(|| driver.session.poll_message()).map(|m| m.to_json()));
            });
            scene.net.with(scene.peers[1 - side], |_, now| {
                for message in &said {
                    let message = Envelope::from_json(message).expect("ours");
                    let _ = drivers[1 - side].session.handle_message(message, now);
                }
            });
        }
        if done(scene) {
            return;
        }
    }
    panic!("not within ten seconds: {:?}", scene.states());
}

#[test]
fn agents_behind_nats_connect_and_restart_with_nothing_but_their_sessions() {
    let sites = [NatType::PORT_RESTRICTED_CONE; 2].map(Site::behind);
    let setup = Setup { signalling: Signalling::Manual, stun_server: true, sites, ..Setup::default() };
    let mut scene = setup.build();
    let [a, b] = scene.peers;
    let mut drivers = [driver("ann", "bob", 1), driver("bob", "ann", 2)];
    scene.net.connect_ice(a, b);
    scene.net.with(a, |peer, now| {
        drivers[0].session.start(now).expect("no call yet");
        drivers[0].offer(peer, now);
    });
    let connected = |scene: &Scene| scene.states() == [ConnectionState::Completed; 2];
    run(&mut scene, &mut drivers, connected);
    scene.exchange_data(&[Component::default()]);
    for (driver, peer) in drivers.iter().zip(scene.peers) {
        assert_eq!(driver.session.role(), Some(scene.net[peer].agent().role()));
        assert_eq!(driver.session.state(), SignalingState::Stable);
    }

    scene.net.with(b, |peer, now| {
        peer.restart(now);
        drivers[1].offer(peer, now);
    });
    run(&mut scene, &mut drivers, |scene| {
        connected(scene) && scene.peers.iter().all(|peer| scene.net[*peer].sessions().len() == 2)
    });
    scene.exchange_data(&[Component::default()]);
    // Who offered the restart does not become controlling (RFC 8445 §9).
    for (driver, peer) in drivers.iter().zip(scene.peers) {
        assert_eq!(driver.session.role(), Some(scene.net[peer].agent().role()));
    }
}

#[test]
fn a_fragment_brings_an_agent_each_candidate_once() {
    let mut scene = Setup { signalling: Signalling::Manual, ..Setup::default() }.build();
    let [a, b] = scene.peers;
    scene.net.connect_ice(a, b);
    scene.net.run_for(Duration::from_millis(200));
    let agent = scene.net[a].agent();
    let mut fragment = Fragment::new("0", agent.local_credentials());
    fragment.sections[0].ice.candidates = agent.local_candidates().map(|(_, _, c)| c.clone()).collect();
    let (credentials, body) = (agent.local_credentials().clone(), fragment.to_string());
    scene.net.with(b, |peer, now| {
        let agent = peer.agent_mut();
        agent.set_remote_parameters(&RemoteParameters::new(credentials), now).expect("the first ones");
        let read: Fragment = body.parse().expect("our own");
        let mut added = Vec::new();
        // Every body repeats what those before it had (RFC 8840 §4.4).
        for _ in 0..2 {
            for init in read.candidates() {
                let candidate = init.to_candidate().expect("a good line").expect("a candidate");
                added.push(agent.add_remote_candidate(StreamId::FIRST, &candidate, now).expect("a stream"));
            }
        }
        let new = |added: &&floe_ice::AddedCandidate| matches!(added, floe_ice::AddedCandidate::Added(_));
        assert_eq!(added.iter().filter(new).count(), read.candidates().len(), "{added:?}");
    });
}
