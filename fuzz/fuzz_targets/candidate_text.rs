//! See `floe_fuzz::candidate_text`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::candidate_text::run(data));
