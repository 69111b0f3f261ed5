//! See `floe_fuzz::signal_sdp`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::signal_sdp::run(data));
