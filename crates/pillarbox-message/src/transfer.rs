//! Content-Transfer-Encoding undone (RFC 2045 §6.7, §6.8): tolerant, bounded by what the caller asks for.

use std::borrow::Cow;

use crate::Encoding;

/// Decodes a body, at most `max` bytes of it. Characters outside the base64 alphabet are passed over; broken
/// quoted-printable stays as it is (RFC 2045 §6.7, notes).
pub fn decode_transfer(body: &[u8], encoding: Encoding, max: usize) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Identity => Cow::Borrowed(&body[..body.len().min(max)]),
        Encoding::Base64 => Cow::Owned(base64(body, max)),
        Encoding::QuotedPrintable => Cow::Owned(quoted_printable(body, max, false)),
    }
}

/// Encoded bytes that are enough to decode `max` bytes of ordinary mail; for range reads of the beginning of a body.
pub fn transfer_decoder_input_max(encoding: Encoding, max: usize) -> usize {
    match encoding {
        Encoding::Identity => max,
        Encoding::Base64 => max.saturating_mul(3) / 2,
        Encoding::QuotedPrintable => max.saturating_mul(4),
    }
}

const SKIP: u8 = 0xff;
const PAD: u8 = 0xfe;

/// Own table instead of the `base64` crate, which refuses the line ends, blanks and stray bytes that mail is full of.
const ALPHABET: [u8; 256] = {
    let mut table = [SKIP; 256];
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut i = 0;
    while i < 64 {
        table[letters[i] as usize] = i as u8;
        i += 1;
    }
    table[b'=' as usize] = PAD;
    table
};

pub(crate) fn base64(body: &[u8], max: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity((body.len() / 4 * 3 + 3).min(max.saturating_add(3)));
    let (mut bits, mut have) = (0u32, 0u32);
    for &b in body {
        match ALPHABET[usize::from(b)] {
            SKIP => {}
            // Padding ends a piece; several pieces in one body are decoded on.
            PAD => (bits, have) = (0, 0),
            six => {
                bits = bits << 6 | u32::from(six);
                have += 6;
                if have >= 8 {
                    have -= 8;
                    out.push((bits >> have) as u8);
                    bits &= (1 << have) - 1;
                    if out.len() >= max {
                        break;
                    }
                }
            }
        }
    }
    out
}

/// With `words`, `_` is a blank (the Q encoding, RFC 2047 §4.2).
pub(crate) fn quoted_printable(body: &[u8], max: usize, words: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().min(max));
    let mut rest = body;
    // Where the blanks end that were written as themselves.
    let mut solid = 0;
    while let [first, tail @ ..] = rest {
        if out.len() >= max {
            break;
        }
        rest = tail;
        match first {
            b'=' => match escape(tail) {
                Some((byte, used)) => {
                    out.extend(byte);
                    solid = out.len();
                    rest = &tail[used..];
                }
                None => out.push(b'='),
            },
            b'_' if words => out.push(b' '),
            b'\n' if !words => {
                // Blanks before a line end were added on the way (RFC 2045 §6.7, rule 3).
                let cr = out.len() > solid && out.last() == Some(&b'\r');
                out.truncate(out.len() - usize::from(cr));
                let blanks = out[solid..]
                    .iter()
                    .rev()
                    .take_while(|b| matches!(b, b' ' | b'\t'))
                    .count();
                out.truncate(out.len() - blanks);
                out.extend_from_slice(if cr { b"\r\n" } else { b"\n" });
            }
            &b => out.push(b),
        }
    }
    out
}

/// What follows a `=`: two hexadecimal digits, or a line end (with blanks before it) that is left out.
fn escape(tail: &[u8]) -> Option<(Option<u8>, usize)> {
    if let [hi, lo, ..] = tail
        && let (Some(hi), Some(lo)) = ((*hi as char).to_digit(16), (*lo as char).to_digit(16))
    {
        return Some((Some((hi * 16 + lo) as u8), 2));
    }
    let blanks = tail
        .iter()
        .take(80)
        .take_while(|b| matches!(b, b' ' | b'\t'))
        .count();
    match &tail[blanks..] {
        [] => Some((None, blanks)),
        [b'\n', ..] => Some((None, blanks + 1)),
        [b'\r', b'\n', ..] => Some((None, blanks + 2)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn qp(text: &str) -> String {
        String::from_utf8_lossy(&quoted_printable(text.as_bytes(), 1000, false)).into_owned()
    }

    #[test]
    fn rfc2045_quoted_printable() {
        let text = "Now's the time =\r\nfor all folk to come=\r\n to the aid of their country.";
        assert_eq!(
            qp(text),
            "Now's the time for all folk to come to the aid of their country."
        );
        assert_eq!(
            qp("a=3Db=c3=A9 \t\r\nx=  \r\ny=ZZ=20 \r\n="),
            "a=bé\r\nxy=ZZ \r\n"
        );
    }

    #[test]
    fn base64_forgives() {
        assert_eq!(base64(b"aGVs\r\nbG8=", 100), b"hello");
        assert_eq!(base64(b"aGVsbG8", 100), b"hello");
        assert_eq!(base64(b"aG!Vs bG8=aGk=", 100), b"hellohi");
        assert_eq!(base64(b"aGVsbG8=", 2), b"he");
    }
}
