//! Keys of strangers, and what providers publish: what is read is public and can be used, and no name stands for two keys. See
//! `pillarbox_oauth::fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    pillarbox_oauth::fuzz::keys(data);
});
