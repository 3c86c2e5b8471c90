//! What browsers and authenticators bring: CBOR, COSE keys, new credentials and signatures of one. See `pillarbox_oauth::fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    pillarbox_oauth::fuzz::passkey(data);
});
