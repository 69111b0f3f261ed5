//! What is behind a page's `RTCPeerConnection`, as far as signalling sees it: descriptions, their states, and candidates.

use std::collections::BTreeMap;

use floe_ice::candidate::CandidateInit;
use floe_signal::SignalingState as S;
use floe_signal::message::{DescriptionType as D, SessionDescription};

/// A model of a peer connection. It panics where a browser's promise would be rejected.
#[derive(Debug)]
pub(crate) struct Browser {
    name: &'static str,
    pub(crate) state: S,
    pub(crate) current_local: Option<String>,
    pub(crate) pending_local: Option<String>,
    pub(crate) current_remote: Option<String>,
    pub(crate) pending_remote: Option<String>,
    /// Ports of candidates, by generation.
    pub(crate) sent: BTreeMap<String, Vec<u16>>,
    pub(crate) got: BTreeMap<String, Vec<u16>>,
    /// Numbers the descriptions and generations of this peer connection and all that came before it.
    serial: u32,
}

impl Browser {
    pub(crate) fn new(name: &'static str, serial: u32) -> Self {
        Self {
            name,
            state: S::Stable,
            current_local: None,
            pending_local: None,
            current_remote: None,
            pending_remote: None,
            sent: BTreeMap::new(),
            got: BTreeMap::new(),
            serial,
        }
    }

    /// A new peer connection in the place of this one.
    pub(crate) fn renew(&mut self) {
        *self = Self::new(self.name, self.serial);
    }

    /// `createOffer` and `setLocalDescription`, of a new generation if there is none or `restart` asks for it.
    pub(crate) fn offer(&mut self, restart: bool) -> SessionDescription {
        assert_eq!(self.state, S::Stable);
        let generation = self.current_local.as_deref().filter(|_| !restart).map(|sdp| ufrag(sdp).to_owned());
        let offer = SessionDescription::offer(self.describe(generation));
        self.pending_local = Some(offer.sdp.clone());
        self.state = S::HaveLocalOffer;
        offer
    }

    /// `createAnswer` and `setLocalDescription`.
    pub(crate) fn answer(&mut self) -> SessionDescription {
        assert_eq!(self.state, S::HaveRemoteOffer);
        let asked = self.pending_remote.as_deref().map(ufrag);
        let restarts = self.current_remote.as_deref().is_some_and(|current| Some(ufrag(current)) != asked);
        let generation = self.current_local.as_deref().filter(|_| !restarts).map(|sdp| ufrag(sdp).to_owned());
        let answer = SessionDescription::answer(self.describe(generation));
        self.current_local = Some(answer.sdp.clone());
        self.current_remote = self.pending_remote.take();
        self.pending_local = None;
        self.state = S::Stable;
        answer
    }

    /// `setRemoteDescription`, which rolls an own offer back by itself.
    pub(crate) fn set_remote(&mut self, description: &SessionDescription) {
        let sdp = Some(description.sdp.clone());
        match (description.kind, self.state) {
            (D::Offer, S::Stable | S::HaveRemoteOffer | S::HaveLocalOffer) => {
                (self.pending_local, self.pending_remote) = (None, sdp);
                self.state = S::HaveRemoteOffer;
            }
            (D::Answer, S::HaveLocalOffer) => {
                (self.current_local, self.current_remote) = (self.pending_local.take(), sdp);
                self.state = S::Stable;
            }
            (kind, state) => panic!("{}: {kind:?} in {state}", self.name),
        }
    }

    /// Whatever is pending is void.
    pub(crate) fn roll_back(&mut self) {
        assert_ne!(self.state, S::Stable, "{}: there is nothing to roll back", self.name);
        (self.pending_local, self.pending_remote) = (None, None);
        self.state = S::Stable;
    }

    /// A candidate of the local description, as `onicecandidate` gives it.
    pub(crate) fn candidate(&mut self) -> Option<CandidateInit> {
        let generation = ufrag(self.pending_local.as_deref().or(self.current_local.as_deref())?).to_owned();
        let ports = self.sent.entry(generation.clone()).or_default();
        let port = ports.len() as u16 + 1;
        ports.push(port);
        let mut init = CandidateInit::default();
        init.candidate = format!("candidate:1 1 UDP 2130706431 192.0.2.1 {port} typ host");
        init.sdp_mid = Some("0".into());
        init.username_fragment = Some(generation);
        Some(init)
    }

    /// `addIceCandidate`: whether a description has its generation.
    #[must_use]
    pub(crate) fn add_candidate(&mut self, candidate: &CandidateInit) -> bool {
        let generation = candidate.username_fragment.clone().unwrap_or_default();
        let mut holding = self.pending_remote.iter().chain(&self.current_remote);
        if !holding.any(|sdp| ufrag(sdp) == generation) {
            return false;
        }
        let port = candidate.to_candidate().ok().flatten().expect("a candidate").address().port();
        self.got.entry(generation).or_default().push(port);
        true
    }

    fn describe(&mut self, generation: Option<String>) -> String {
        let serial = self.serial + 1;
        let ufrag = generation.unwrap_or_else(|| format!("{}{serial:08}", self.name));
        self.serial = serial;
        format!(
            "v=0\r\no=- 1 {serial} IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\n\
             c=IN IP4 0.0.0.0\r\na=mid:0\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{ufrag}PasswordOfEnoughChars\r\n"
        )
    }
}

/// The generation of a description.
pub(crate) fn ufrag(sdp: &str) -> &str {
    let from = sdp.find("a=ice-ufrag:").expect("credentials") + "a=ice-ufrag:".len();
    sdp[from..].lines().next().expect("a line")
}
