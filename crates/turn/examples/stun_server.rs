//! A STUN server on a UDP socket: `cargo run -p floe-turn --example stun_server -- 127.0.0.1:3478`.

use std::net::UdpSocket;
use std::time::Instant;

use floe_stun::Clock;
use floe_turn::{Answer, BindingConfig, BindingServer, MAX_RESPONSE};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3478".to_owned());
    let socket = UdpSocket::bind(&address).map_err(|error| format!("cannot bind {address}: {error}"))?;
    println!("answering Binding requests on {}", socket.local_addr()?);

    let clock = Clock::new(now());
    let mut server = BindingServer::new(BindingConfig::default().with_software("floe stun_server example")?);
    let (mut datagram, mut out) = ([0; 1500], [0; MAX_RESPONSE]);
    loop {
        // An error here reports an ICMP message about an earlier response, which is none of our concern.
        let Ok((len, source)) = socket.recv_from(&mut datagram) else { continue };
        match server.handle(&datagram[..len], source, clock.time(now()), &mut out)? {
            Answer::Respond(len) => {
                let sent = socket.send_to(&out[..len], source);
                println!(
                    "{source}: {}",
                    sent.map_or_else(|error| error.to_string(), |_| "answered".to_owned())
                );
            }
            Answer::Silent(why) => println!("{source}: {why:?}"),
        }
    }
}

/// The driver is where the clock is read.
#[expect(clippy::disallowed_methods, reason = "an example is a driver, not protocol code")]
fn now() -> Instant {
    Instant::now()
}
