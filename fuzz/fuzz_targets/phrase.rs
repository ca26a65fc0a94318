//! Phrases: what parses writes itself again; a wrong word is named.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trefoil_fuzz::phrase::check(data));
