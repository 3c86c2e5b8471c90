//! Bytes of a named charset to text. The WHATWG set through `encoding_rs`, and UTF-7 (RFC 2152), which it leaves out.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

/// Decodes text; never fails. US-ASCII, unknown or missing names are read as UTF-8 if that fits, else as Windows-1252.
pub fn decode_charset(charset: &[u8], bytes: &[u8]) -> String {
    let label = charset.trim_ascii();
    if label.eq_ignore_ascii_case(b"utf-7") || label.eq_ignore_ascii_case(b"unicode-1-1-utf-7") {
        return utf7(bytes);
    }
    let ascii = label.is_empty()
        || label.eq_ignore_ascii_case(b"us-ascii")
        || label.eq_ignore_ascii_case(b"ascii");
    match Encoding::for_label(label).filter(|_| !ascii) {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0.into_owned(),
        None => guess(bytes),
    }
}

fn guess(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        // A piece cut from longer text may end within a character.
        Err(e) if e.error_len().is_none() && !bytes[..e.valid_up_to()].is_ascii() => {
            UTF_8.decode_without_bom_handling(bytes).0.into_owned()
        }
        Err(_) => WINDOWS_1252
            .decode_without_bom_handling(bytes)
            .0
            .into_owned(),
    }
}

/// `+` begins UTF-16 in base64 without padding, `-` or any character outside the alphabet ends it; `+-` is a plus.
fn utf7(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(plus) = memchr::memchr(b'+', rest) {
        out.push_str(&String::from_utf8_lossy(&rest[..plus]));
        rest = &rest[plus + 1..];
        let len = rest
            .iter()
            .position(|b| !(b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')))
            .unwrap_or(rest.len());
        let ended = rest.get(len) == Some(&b'-');
        if len == 0 && ended {
            out.push('+');
        } else {
            let bytes = crate::transfer::base64(&rest[..len], usize::MAX);
            let units = bytes
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            out.extend(char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
        }
        rest = &rest[len + usize::from(ended)..];
    }
    out.push_str(&String::from_utf8_lossy(rest));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc2152_examples() {
        assert_eq!(decode_charset(b"UTF-7", b"A+ImIDkQ."), "A\u{2262}\u{391}.");
        assert_eq!(
            decode_charset(b"utf-7", b"Hi Mom -+Jjo--!"),
            "Hi Mom -\u{263a}-!"
        );
        assert_eq!(decode_charset(b"utf-7", b"1 +- 1"), "1 + 1");
        assert_eq!(decode_charset(b"utf-7", b"+"), "");
    }

    #[test]
    fn known_unknown_and_wrong_names() {
        assert_eq!(decode_charset(b"iso-8859-1", b"\xe9"), "é");
        assert_eq!(decode_charset(b"us-ascii", "é".as_bytes()), "é");
        assert_eq!(decode_charset(b"no-such", b"\xe9"), "é");
        assert_eq!(decode_charset(b"iso-2022-jp", b"\x1b$B$\"\x1b(B"), "あ");
    }
}
