//! Records: what verifies is byte for byte what was signed, and opens to no other key.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trefoil_fuzz::record::check(data));
