//! Encoded words of header text (RFC 2047, RFC 2231 §5) to text.

use crate::charset::decode_charset;
use crate::header::unfold;
use crate::transfer::{base64, quoted_printable};

/// Decodes a header value: unfolds, decodes `=?charset?B|Q?text?=` wherever it stands (also in quotes and parameters, where
/// it is not allowed but sent), reads other 8-bit text as UTF-8 if it is, else as Windows-1252.
pub fn decode_words(value: &[u8]) -> String {
    let value = unfold(value);
    let mut out = String::with_capacity(value.len());
    let mut rest = &*value;
    // Bytes of neighbouring words in one charset, joined because some senders cut characters in two.
    let mut pending: Option<(Vec<u8>, Vec<u8>)> = None;
    while !rest.is_empty() {
        let start = memchr::memmem::find(rest, b"=?").unwrap_or(rest.len());
        let (plain, tail) = rest.split_at(start);
        // Blanks between two encoded words are not shown (RFC 2047 §6.2).
        let between = pending.is_some() && plain.iter().all(u8::is_ascii_whitespace);
        let word = encoded_word(tail);
        if !(between && word.is_some()) {
            flush(&mut pending, &mut out);
            out.push_str(&decode_charset(b"", plain));
        }
        match word {
            Some(word) => {
                rest = &tail[word.length..];
                match &mut pending {
                    Some((charset, bytes)) if charset.eq_ignore_ascii_case(word.charset) => {
                        bytes.extend(word.bytes)
                    }
                    _ => {
                        flush(&mut pending, &mut out);
                        pending = Some((word.charset.to_vec(), word.bytes));
                    }
                }
            }
            None => {
                let skip = tail.len().min(2);
                out.push_str(&decode_charset(b"", &tail[..skip]));
                rest = &tail[skip..];
            }
        }
    }
    flush(&mut pending, &mut out);
    // Encoded words can hide line ends and NULs.
    if out.contains(['\r', '\n', '\0']) {
        out.replace(['\r', '\n', '\0'], " ")
    } else {
        out
    }
}

fn flush(pending: &mut Option<(Vec<u8>, Vec<u8>)>, out: &mut String) {
    if let Some((charset, bytes)) = pending.take() {
        out.push_str(&decode_charset(&charset, &bytes));
    }
}

struct Word<'a> {
    charset: &'a [u8],
    bytes: Vec<u8>,
    length: usize,
}

/// `"=?" charset ["*" language] "?" encoding "?" encoded-text "?="` at the start of `text`.
fn encoded_word(text: &[u8]) -> Option<Word<'_>> {
    let inner = text.strip_prefix(b"=?")?;
    // RFC 2047 §2 says 75 characters; longer names than 64 exist nowhere, and the bound keeps the search linear.
    let name = inner[..inner.len().min(64)]
        .iter()
        .position(|&b| b == b'?')?;
    let charset = inner[..name]
        .split(|&b| b == b'*')
        .next()
        .unwrap_or_default();
    let [encoding, b'?', encoded @ ..] = &inner[name + 1..] else {
        return None;
    };
    let end = memchr::memchr(b'?', encoded).filter(|&end| encoded[end..].starts_with(b"?="))?;
    let bytes = match encoding {
        b'b' | b'B' => base64(&encoded[..end], usize::MAX),
        b'q' | b'Q' => quoted_printable(&encoded[..end], usize::MAX, true),
        _ => return None,
    };
    Some(Word {
        charset,
        bytes,
        length: 2 + name + 3 + end + 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc2047_examples() {
        for (coded, shown) in [
            (
                "=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>",
                "Keith Moore <moore@cs.utk.edu>",
            ),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("(=?ISO-8859-1?Q?a?= b)", "(a b)"),
            ("(=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=)", "(ab)"),
            ("(=?ISO-8859-1?Q?a_b?=)", "(a b)"),
            ("=?US-ASCII*EN?Q?Keith_Moore?=", "Keith Moore"),
        ] {
            assert_eq!(decode_words(coded.as_bytes()), shown);
        }
    }

    #[test]
    fn odd_words() {
        assert_eq!(decode_words(b"=?utf-8?Q?=C3?= =?utf-8?Q?=A4?="), "ä");
        assert_eq!(decode_words(b"=?utf-8?Q?x"), "=?utf-8?Q?x");
        assert_eq!(decode_words(b"=?x?Z?y?="), "=?x?Z?y?=");
        assert_eq!(decode_words(b"caf\xe9 =?utf-8?Q?a=0D=0Ab?="), "café a  b");
    }
}
