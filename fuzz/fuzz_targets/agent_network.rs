//! See `floe_fuzz::agent_network`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::agent_network::run(data));
