//! What programs say of themselves comes back as the same registration; a browser is sent only where a program was registered. See
//! `pillarbox_oauth::fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    pillarbox_oauth::fuzz::registration(data);
});
