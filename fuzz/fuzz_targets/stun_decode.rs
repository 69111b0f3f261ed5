//! See `floe_fuzz::stun_decode`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::stun_decode::run(data));
