//! Envelopes: arbitrary and altered bytes never open.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trefoil_fuzz::envelope::check(data));
