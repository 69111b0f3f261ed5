//! See `floe_fuzz::agent_pair`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::agent_pair::run(data));
