//! One-time codes from the clock (RFC 6238, over RFC 4226): six digits, thirty seconds, HMAC-SHA-1, which is what the
//! programs on people's phones can do. The clock's moment is given.

use aws_lc_rs::hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, Key, sign};
use pillarbox_store::mail::Millis;
use subtle::ConstantTimeEq as _;

/// Life of a code, in milliseconds (RFC 6238 §4.1).
const STEP_MS: Millis = 30_000;
/// Steps that a phone's clock may be off, either way (RFC 6238 §5.2 asks for one at most).
const DRIFT: i64 = 1;
/// Digits of a code.
const DIGITS: usize = 6;
/// Octets of a secret: those of the hash (RFC 4226 §4).
pub(crate) const SECRET_BYTES: usize = 20;

/// The code of one step.
pub(crate) fn code(secret: &[u8], step: i64) -> String {
    let key = Key::new(HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    // RFC 4226 §5.3: the last four bits say where the number stands.
    let at = usize::from(tag[tag.len() - 1] & 0xf);
    let number = tag[at..at + 4]
        .iter()
        .fold(0, |sum: u32, &byte| sum << 8 | u32::from(byte))
        & 0x7fff_ffff;
    format!("{:0DIGITS$}", number % 1_000_000)
}

/// The step at `now` or close to it whose code this is; none that is not after `used`, the last one that matched: a code is
/// good once (RFC 6238 §5.2). All steps are computed, whichever matches.
pub(crate) fn matching(secret: &[u8], given: &str, used: i64, now: Millis) -> Option<i64> {
    let current = now.div_euclid(STEP_MS);
    let mut found = None;
    for step in current - DRIFT..=current + DRIFT {
        let fits = code(secret, step).as_bytes().ct_eq(given.as_bytes());
        if bool::from(fits) && step > used {
            found = Some(step);
        }
    }
    found
}

/// The secret as people type it and `otpauth:` carries it: base32 without padding (RFC 4648 §6).
pub(crate) fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::new();
    for chunk in bytes.chunks(5) {
        let mut word = [0; 8];
        word[3..3 + chunk.len()].copy_from_slice(chunk);
        let word = u64::from_be_bytes(word);
        for letter in 0..(chunk.len() * 8).div_ceil(5) {
            let index = word >> (35 - 5 * letter) & 31;
            text.push(char::from(LETTERS[index as usize]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    /// RFC 6238 appendix B, SHA-1, the last six of its eight digits.
    #[test]
    fn the_codes_of_rfc_6238() {
        for (seconds, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code(SECRET, seconds / 30), expected);
            assert_eq!(
                matching(SECRET, expected, 0, seconds * 1000),
                Some(seconds / 30)
            );
        }
    }

    #[test]
    fn a_code_is_good_for_a_step_either_way_and_once() {
        let (now, step) = (1_234_567_890_000, 1_234_567_890 / 30);
        for (off, good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let given = code(SECRET, step + off);
            assert_eq!(matching(SECRET, &given, 0, now).is_some(), good, "{off}");
        }
        let given = code(SECRET, step);
        assert_eq!(matching(SECRET, &given, step, now), None, "again");
        assert_eq!(
            matching(SECRET, &given, step + 1, now),
            None,
            "an older one"
        );
        assert_eq!(matching(SECRET, "", 0, now), None);
        assert_eq!(matching(SECRET, "00592", 0, now), None);
    }

    /// RFC 4648 §10, without padding.
    #[test]
    fn base32_of_rfc_4648() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
            ("foobar", "MZXW6YTBOI"),
        ] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
    }
}
