//! Tokens, proofs and assertions of strangers: whatever is let in was signed by who it says, says what it must, and is good no
//! oftener than it may be. See `pillarbox_oauth::fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    pillarbox_oauth::fuzz::token(data);
});
