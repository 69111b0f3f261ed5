//! See `floe_fuzz::signal_pair`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| floe_fuzz::signal_pair::run(data));
