//! Share reconstruction: never a wrong secret, never a wrong blame.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trefoil_fuzz::reconstruct::check(data));
