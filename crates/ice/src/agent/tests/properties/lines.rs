//! Connections to TURN servers, whatever the servers and the driver do: nothing is lost sight of, nothing is tried without a pause.

use std::vec::Vec;

use proptest::prelude::*;

use super::cases;
use crate::agent::tests::line_net::{FIRST, LineNet, Place, SECOND, THIRD, sending_to, turn};
use crate::agent::tests::relay_net::at;
use crate::{ConnectionState, DriverError, RelayTransport, ServerAddress};

/// Something that happens.
#[derive(Clone, Debug)]
enum Deed {
    /// So many milliseconds go by.
    Run(u16),
    /// What is at one of the addresses changes.
    Become(u8, Kind),
    /// The oldest connection ends.
    Cut(bool),
    /// Garbage comes on it.
    Hear(Vec<u8>),
    Restart,
    Close,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Turn,
    Full,
    Refusing,
    Mute,
    Gone,
}

fn deed() -> impl Strategy<Value = Deed> {
    let kinds = [Kind::Turn, Kind::Full, Kind::Refusing, Kind::Mute, Kind::Gone];
    prop_oneof![
        8 => (0..3_000_u16).prop_map(Deed::Run),
        1 => (10_000..60_000_u16).prop_map(Deed::Run),
        4 => (0..3_u8, prop::sample::select(kinds.to_vec())).prop_map(|(at, kind)| Deed::Become(at, kind)),
        3 => any::<bool>().prop_map(Deed::Cut),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Deed::Hear),
        1 => Just(Deed::Restart),
    ]
}

fn place(address: &str, kind: Kind) -> Option<Place> {
    match kind {
        Kind::Turn => Some(turn(address, |_| {}).1),
        Kind::Full => Some(sending_to(address, if address == FIRST { SECOND } else { FIRST }).1),
        Kind::Refusing => Some(Place::Refusing),
        Kind::Mute => Some(Place::Mute),
        Kind::Gone => None,
    }
}

fn perform(net: &mut LineNet, deed: &Deed) {
    match deed {
        Deed::Run(ms) => net.run((*ms).into()),
        Deed::Become(number, kind) => {
            let address = [FIRST, SECOND, THIRD][usize::from(*number)];
            match place(address, *kind) {
                Some(place) => net.places.insert(at(address), place),
                None => net.places.remove(&at(address)),
            };
        }
        Deed::Cut(reset) if !net.streams.is_empty() => {
            net.cut(if *reset { DriverError::ConnectionReset } else { DriverError::ConnectionClosed });
        }
        Deed::Hear(bytes) => {
            if let Some((&socket, &(source, _))) = net.streams.iter().next() {
                let datagram = crate::Datagram { socket, local_ip: None, source, contents: bytes };
                let _ = net.agent.handle_datagram(datagram, net.now);
            }
        }
        Deed::Restart => net.restart(),
        Deed::Close => net.agent.close(net.now),
        Deed::Cut(_) => {}
    }
    net.run(0);
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn connections_are_never_lost_sight_of_and_never_asked_for_without_a_pause(
        tls in any::<bool>(),
        deeds in prop::collection::vec(deed(), 1..40),
    ) {
        let transport = if tls { RelayTransport::Tls } else { RelayTransport::Tcp };
        let mut net = LineNet::new(transport, [turn(FIRST, |_| {})], |config| {
            let host = "turn.example.org".into();
            config.gather.relays[0].address = ServerAddress::Name { host, port: 3478 };
        });
        net.names = [FIRST, SECOND, THIRD].map(at).to_vec();
        for deed in &deeds {
            perform(&mut net, deed);
            prop_assert!(net.streams.len() <= 1, "one relay has one connection: {:?}", net.streams);
        }
        // An address is tried again after a second at the soonest, but where it ended itself.
        let asked = net.connects();
        for server in [FIRST, SECOND, THIRD].map(at) {
            let times: Vec<_> = asked.iter().filter(|(_, to)| *to == server).map(|(ms, _)| *ms).collect();
            let crowded = times.windows(6).filter(|times| times[5] - times[0] < 1_000).count();
            prop_assert_eq!(crowded, 0, "{:?}", asked);
        }
        // With a server that works there is an allocation again, at the latest when the last one is found to be gone.
        perform(&mut net, &Deed::Become(0, Kind::Turn));
        // A restart joins what is under way, and shares its fate.
        perform(&mut net, &Deed::Restart);
        net.run(70_000);
        perform(&mut net, &Deed::Restart);
        net.run(1_300_000);
        prop_assert!([FIRST, SECOND, THIRD].iter().any(|server| net.allocations(server) > 0));
        perform(&mut net, &Deed::Close);
        net.run(20_000);
        prop_assert!(net.streams.is_empty(), "a closed agent leaves nothing open");
        prop_assert_eq!(net.agent.state(), ConnectionState::Closed);
        prop_assert_eq!(net.agent.poll_timeout(), None);
    }
}
