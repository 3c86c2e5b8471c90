//! Text search in one message (RFC 3501 §6.4.4, TEXT and BODY): decoded, without regard to case, in bounded memory.
//! Indexes and search languages belong elsewhere.

use std::ops::Range;

use crate::charset::decode_charset;
use crate::header::header_fields;
use crate::transfer::decode_transfer;
use crate::words::decode_words;
use crate::{Encoding, Kind, Part};

/// Decoded bytes that are held at once while searching.
const CHUNK_BYTES: usize = 256 << 10;

/// Text to look for, case folded once.
#[derive(Clone, Debug)]
pub struct Needle {
    folded: String,
}

impl Needle {
    /// A needle; an empty one is found everywhere (RFC 3501 has it match).
    pub fn new(text: &str) -> Self {
        Self {
            folded: text.to_lowercase(),
        }
    }

    /// Does `text` contain it, case ignored?
    pub fn is_in(&self, text: &str) -> bool {
        if self.folded.is_empty() {
            return true;
        }
        if text.is_ascii() {
            return self.is_in_ascii(text.as_bytes());
        }
        memchr::memmem::find(text.to_lowercase().as_bytes(), self.folded.as_bytes()).is_some()
    }

    /// Without a lowered copy: nearly all mail is ASCII.
    fn is_in_ascii(&self, text: &[u8]) -> bool {
        let needle = self.folded.as_bytes();
        let Some(last) = text.len().checked_sub(needle.len()) else {
            return false;
        };
        if !needle.is_ascii() {
            return false;
        }
        let first = needle[0];
        memchr::memchr2_iter(first, first.to_ascii_uppercase(), &text[..=last])
            .any(|at| text[at..at + needle.len()].eq_ignore_ascii_case(needle))
    }
}

/// Where a search looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Text parts (SEARCH BODY).
    Body,
    /// Text parts and all headers, of inner messages too (SEARCH TEXT).
    Text,
}

/// Does the message contain the needle in its decoded text? Bodies that are not text are not searched.
pub fn message_contains(raw: &[u8], parts: &[Part], needle: &Needle, scope: Scope) -> bool {
    parts.iter().any(|part| {
        let in_header = scope == Scope::Text && header_contains(slice(raw, &part.header), needle);
        in_header || part.kind == Kind::Text && body_contains(slice(raw, &part.body), part, needle)
    })
}

fn header_contains(header: &[u8], needle: &Needle) -> bool {
    header_fields(header).any(|field| {
        let line = &header[field.range.start..field.value_range.end];
        needle.is_in(&decode_words(line))
    })
}

fn body_contains(body: &[u8], part: &Part, needle: &Needle) -> bool {
    let charset = part.charset.as_deref().unwrap_or_default().as_bytes();
    let overlap = (needle.folded.len() * 4).max(16);
    let mut rest = body;
    loop {
        // Cut the encoded text at a line end, where neither encoding holds a character in two pieces for long.
        let cut = if rest.len() <= CHUNK_BYTES {
            rest.len()
        } else {
            line_cut(&rest[..CHUNK_BYTES])
        };
        let bytes = decode_transfer(&rest[..cut], part.encoding, usize::MAX);
        if needle.is_in(&decode_charset(charset, &bytes)) {
            return true;
        }
        if cut == rest.len() {
            return false;
        }
        // The next piece begins somewhat before the cut, again at a line start, so that no match falls between.
        let back = cut.saturating_sub(overlap.min(CHUNK_BYTES / 4));
        let next = line_cut(&rest[..back.max(1)]);
        rest = &rest[if next > cut / 2 { next } else { cut }..];
    }
}

/// Length of `piece` up to its last line end; without one, whole groups of base64.
fn line_cut(piece: &[u8]) -> usize {
    memchr::memrchr(b'\n', piece).map_or((piece.len() / 4 * 4).max(1), |i| i + 1)
}

/// Decoded text of a text part, at most about `max` bytes. `body` is the part's body, or its beginning.
pub fn decode_text(body: &[u8], part: &Part, max: usize) -> String {
    decode(
        body,
        part.encoding,
        part.charset.as_deref().unwrap_or_default().as_bytes(),
        max,
    )
}

pub(crate) fn decode(body: &[u8], encoding: Encoding, charset: &[u8], max: usize) -> String {
    decode_charset(charset, &decode_transfer(body, encoding, max))
}

fn slice<'a>(raw: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    usize::try_from(range.start)
        .ok()
        .zip(usize::try_from(range.end).ok())
        .and_then(|(a, b)| raw.get(a..b))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles() {
        assert!(Needle::new("WORLD").is_in("hello World"));
        assert!(Needle::new("ÄRGER").is_in("großer Ärger"));
        assert!(!Needle::new("x").is_in("hello"));
        assert!(Needle::new("").is_in(""));
        assert!(!Needle::new("longer").is_in("long"));
    }

    #[test]
    fn matches_across_pieces_of_a_long_body() {
        let mut body = Vec::new();
        while body.len() < CHUNK_BYTES - 40 {
            body.extend_from_slice(b"filler filler filler filler =\r\n");
        }
        body.extend_from_slice(b"the need=\r\nle is here, before and beh=\r\nind the cut of the chunk, some=\r\nwhere\r\n");
        body.extend_from_slice(&body.clone());
        let part = Part {
            parent: None,
            kind: Kind::Text,
            header: 0..0,
            body: 0..body.len() as u64,
            lines: 0,
            media_type: "text".into(),
            subtype: "plain".into(),
            charset: None,
            encoding: Encoding::QuotedPrintable,
            attachment: false,
        };
        for (text, found) in [
            ("needle is here", true),
            ("behind the cut of the chunk, somewhere", true),
            ("needles", false),
        ] {
            assert_eq!(
                message_contains(
                    &body,
                    std::slice::from_ref(&part),
                    &Needle::new(text),
                    Scope::Body
                ),
                found,
                "{text}"
            );
        }
    }
}
