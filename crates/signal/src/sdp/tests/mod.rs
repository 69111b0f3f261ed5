//! Descriptions as they come, and as they must not.

mod browsers;
mod building;
mod changing;
mod fragments;
mod garbage;
mod properties;

use floe_ice::candidate::{Credentials, Description, IceOptions};

use super::{Sdp, SdpFault};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n";
const PWD: &str = "asd88fgpdd777uzjYhagZg";

fn read(text: &str) -> Sdp {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// Line and fault.
fn refused(text: &str) -> (Option<usize>, SdpFault) {
    let error = text.parse::<Sdp>().expect_err("refused");
    assert!(!error.to_string().is_empty());
    (error.line(), error.fault().clone())
}

fn credentials(ufrag: &str) -> Credentials {
    Credentials::new(ufrag, PWD).expect("valid")
}

fn trickling(ufrag: &str) -> Description {
    let mut ice = Description::new(credentials(ufrag));
    ice.options = IceOptions::new().with_trickle();
    ice
}
