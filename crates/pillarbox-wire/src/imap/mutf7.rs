//! Modified UTF-7, the spelling of mailbox names before UTF8=ACCEPT (RFC 3501 §5.1.3).
//!
//! Strict: one name has one spelling. What is refused here may still be a mailbox name; how lenient to be is decided in
//! [`Mailbox::from_wire`](super::Mailbox::from_wire), not here.

/// The text is not modified UTF-7 (RFC 3501 §5.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not modified UTF-7")]
pub struct NotMutf7;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

fn is_direct(c: char) -> bool {
    (' '..='~').contains(&c)
}

/// Spells `name` in modified UTF-7; the result is printable ASCII unless the name holds control characters, which are encoded.
pub fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if is_direct(c) {
            out.push(c);
            if c == '&' {
                out.push('-');
            }
            rest = &rest[1..];
            continue;
        }
        let end = rest.find(is_direct).unwrap_or(rest.len());
        out.push('&');
        encode_shifted(&rest[..end], &mut out);
        out.push('-');
        rest = &rest[end..];
    }
    out
}

fn encode_shifted(text: &str, out: &mut String) {
    let (mut bits, mut held) = (0u32, 0u32);
    for unit in text.encode_utf16() {
        bits = (bits << 16) | u32::from(unit);
        held += 16;
        while held >= 6 {
            held -= 6;
            out.push(char::from(ALPHABET[(bits >> held & 63) as usize]));
        }
        bits &= (1 << held) - 1;
    }
    if held > 0 {
        out.push(char::from(ALPHABET[(bits << (6 - held) & 63) as usize]));
    }
}

/// Reads modified UTF-7.
///
/// # Errors
/// [`NotMutf7`] for bytes outside printable ASCII, an open or empty-but-for-bits shift, encoded printable ASCII, two shifts side
/// by side, lone surrogates and stray bits: RFC 3501 §5.1.3 forbids each, so that a name has one spelling.
pub fn decode(wire: &[u8]) -> Result<String, NotMutf7> {
    let mut out = String::with_capacity(wire.len());
    let mut at = 0;
    let mut after_shift = false;
    while at < wire.len() {
        let byte = wire[at];
        if !(b' '..=b'~').contains(&byte) {
            return Err(NotMutf7);
        }
        at += 1;
        if byte != b'&' {
            out.push(char::from(byte));
            after_shift = false;
            continue;
        }
        let length = memchr::memchr(b'-', &wire[at..]).ok_or(NotMutf7)?;
        let shifted = &wire[at..at + length];
        at += length + 1;
        if shifted.is_empty() {
            out.push('&');
            after_shift = false;
        } else if after_shift {
            return Err(NotMutf7);
        } else {
            decode_shifted(shifted, &mut out)?;
            after_shift = true;
        }
    }
    Ok(out)
}

fn decode_shifted(shifted: &[u8], out: &mut String) -> Result<(), NotMutf7> {
    let mut units = Vec::with_capacity(shifted.len() * 6 / 16);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in shifted {
        bits = (bits << 6) | value(byte)?;
        held += 6;
        if held >= 16 {
            held -= 16;
            units.push((bits >> held & 0xffff) as u16);
            bits &= (1 << held) - 1;
        }
    }
    if held >= 6 || bits != 0 {
        return Err(NotMutf7);
    }
    for c in char::decode_utf16(units) {
        let c = c.map_err(|_| NotMutf7)?;
        if is_direct(c) {
            return Err(NotMutf7);
        }
        out.push(c);
    }
    Ok(())
}

fn value(byte: u8) -> Result<u32, NotMutf7> {
    Ok(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b',' => 63,
        _ => return Err(NotMutf7),
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rfc_examples_read_both_ways() {
        for (name, wire) in [
            ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
            ("Hi Mom -☺-!", "Hi Mom -&Jjo--!"),
            ("a&b", "a&-b"),
            ("&é", "&-&AOk-"),
            ("😀", "&2D3eAA-"),
            ("", ""),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).unwrap(), name);
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for wire in [
            "&",
            "a&b",
            "&AOk",
            "&AGE-",
            "&AOk-&AOk-",
            "&2D0-",
            "&AOl-",
            "&A-",
            "&AOkA-",
            "&Jjo!-",
            "caf\u{e9}",
            "a\tb",
        ] {
            assert_eq!(decode(wire.as_bytes()), Err(NotMutf7), "{wire}");
        }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(name in ".*") {
            prop_assert_eq!(decode(encode(&name).as_bytes()).unwrap(), name);
        }

        #[test]
        fn what_is_decoded_had_this_one_spelling(wire in "[ -~]{0,30}|(&[A-Za-z0-9+,]{0,8}-?){0,3}") {
            if let Ok(name) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&name), wire);
            }
        }
    }
}
