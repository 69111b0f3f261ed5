//! See `floe_fuzz::network_text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::network_text::run(data));
