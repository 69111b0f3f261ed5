//! The ways that datagrams take.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use floe::{Agent, Connection};
use floe_benches::timing;
use tokio::net::UdpSocket;

/// Bytes of a datagram.
pub(crate) const SIZE: usize = 1200;

/// A way from one end to the other, on loopback.
pub(crate) trait Lane: Sized {
    const NAME: &'static str;

    async fn open() -> Self;
    async fn send(&self, payload: &[u8]);
    async fn receive(&self, buffer: &mut [u8]) -> usize;
}

/// Processor time of sending so many datagrams and receiving them.
pub(crate) async fn burst<L: Lane>(lane: &L, count: u32) -> Duration {
    let (payload, mut buffer) = ([0x80; SIZE], [0; 1500]);
    let begun = timing::now();
    for _ in 0..count {
        lane.send(&payload).await;
    }
    for _ in 0..count {
        assert_eq!(lane.receive(&mut buffer).await, SIZE);
    }
    timing::now().saturating_sub(begun)
}

/// Two sockets of tokio.
pub(crate) struct Bare {
    from: UdpSocket,
    to: UdpSocket,
    address: SocketAddr,
}

impl Lane for Bare {
    const NAME: &'static str = "tokio UdpSocket";

    async fn open() -> Self {
        let bind = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (from, to) = (bind().await.expect("a socket"), bind().await.expect("a socket"));
        let address = to.local_addr().expect("it is bound");
        Self { from, to, address }
    }

    async fn send(&self, payload: &[u8]) {
        self.from.send_to(payload, self.address).await.expect("sent");
    }

    async fn receive(&self, buffer: &mut [u8]) -> usize {
        self.to.recv_from(buffer).await.expect("received").0
    }
}

/// Two agents of `floe`.
pub(crate) struct Floe {
    from: Connection,
    to: Connection,
}

impl Lane for Floe {
    const NAME: &'static str = "floe";

    async fn open() -> Self {
        let start = |builder: floe::Builder| builder.bind(Ipv4Addr::LOCALHOST).start();
        let here = start(Agent::builder().controlling()).await.expect("an agent");
        let there = start(Agent::builder()).await.expect("an agent");
        for (from, to) in [(&here, &there), (&there, &here)] {
            to.set_remote_credentials(from.local_credentials()).expect("set once");
            from.gathered().await;
            for (_, candidate) in from.local_candidates() {
                let _ = to.add_remote_candidate(&candidate).expect("the agent is open");
            }
            to.end_of_remote_candidates().expect("the agent is open");
        }
        let (from, to) = tokio::try_join!(here.completed(), there.completed()).expect("connected");
        Self { from, to }
    }

    async fn send(&self, payload: &[u8]) {
        self.from.send(payload).await.expect("sent");
    }

    async fn receive(&self, buffer: &mut [u8]) -> usize {
        self.to.recv(buffer).await.expect("received")
    }
}

#[cfg(feature = "peers")]
pub(crate) use webrtc::WebrtcIce;

#[cfg(feature = "peers")]
mod webrtc {
    //! Two agents of `webrtc-ice`.

    use std::sync::Arc;

    use tokio::sync::mpsc;
    use webrtc_ice::agent::Agent;
    use webrtc_ice::agent::agent_config::AgentConfig;
    use webrtc_ice::candidate::Candidate;
    use webrtc_ice::candidate::candidate_base::unmarshal_candidate;
    use webrtc_ice::mdns::MulticastDnsMode;
    use webrtc_ice::network_type::NetworkType;
    use webrtc_util::Conn;

    use super::Lane;

    pub(crate) struct WebrtcIce {
        from: Arc<dyn Conn + Send + Sync>,
        to: Arc<dyn Conn + Send + Sync>,
        /// They live as long as their agents do, and the senders keep the connection from being cancelled.
        _agents: [Arc<Agent>; 2],
        _cancel: [mpsc::Sender<()>; 2],
    }

    async fn agent() -> Arc<Agent> {
        let config = AgentConfig {
            network_types: vec![NetworkType::Udp4],
            include_loopback: true,
            ip_filter: Arc::new(Some(Box::new(|ip| ip.is_loopback()))),
            multicast_dns_mode: MulticastDnsMode::Disabled,
            ..AgentConfig::default()
        };
        Arc::new(Agent::new(config).await.expect("an agent"))
    }

    fn trickle(from: &Agent, to: &Arc<Agent>) {
        let to = to.clone();
        from.on_candidate(Box::new(move |candidate: Option<Arc<dyn Candidate + Send + Sync>>| {
            let to = to.clone();
            Box::pin(async move {
                let Some(candidate) = candidate else { return };
                let copy = unmarshal_candidate(&candidate.marshal()).expect("its own candidate");
                let copy: Arc<dyn Candidate + Send + Sync> = Arc::new(copy);
                to.add_remote_candidate(&copy).expect("a usable candidate");
            })
        }));
    }

    impl Lane for WebrtcIce {
        const NAME: &'static str = "webrtc-ice";

        async fn open() -> Self {
            let (a, b) = (agent().await, agent().await);
            trickle(&a, &b);
            trickle(&b, &a);
            a.gather_candidates().expect("gathering");
            b.gather_candidates().expect("gathering");
            let (a_ufrag, a_pwd) = a.get_local_user_credentials().await;
            let (b_ufrag, b_pwd) = b.get_local_user_credentials().await;
            let (cancel_a, a_cancelled) = mpsc::channel(1);
            let (cancel_b, b_cancelled) = mpsc::channel(1);
            let dial = a.dial(a_cancelled, b_ufrag, b_pwd);
            let accept = b.accept(b_cancelled, a_ufrag, a_pwd);
            let (from, to) = tokio::try_join!(dial, accept).expect("connected");
            Self { from, to, _agents: [a, b], _cancel: [cancel_a, cancel_b] }
        }

        async fn send(&self, payload: &[u8]) {
            self.from.send(payload).await.expect("sent");
        }

        async fn receive(&self, buffer: &mut [u8]) -> usize {
            self.to.recv(buffer).await.expect("received")
        }
    }
}
