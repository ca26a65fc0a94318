//! Statements: what verifies is what was signed, for this server, tenant and time.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| trefoil_fuzz::statement::check(data));
