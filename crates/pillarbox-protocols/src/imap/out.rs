//! What is sent: untagged lines, tagged lines, and the pieces of bodies between them, in order.

use bytes::Bytes;
use pillarbox_wire::imap::{Printer, Tag};
use std::fmt::{self, Write};

/// Pieces of at least this many bytes are sent as they are; copying smaller ones makes fewer, larger writes.
const OWN_PIECE_BYTES: usize = 16 * 1024;

/// Output in order. Small texts are gathered, stored bodies pass through without a copy.
#[derive(Debug, Default)]
pub struct Out {
    pieces: Vec<Bytes>,
    tail: Vec<u8>,
    bytes: usize,
}

impl Out {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes wait to be sent.
    #[allow(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.bytes + self.tail.len()
    }

    /// The pieces, none empty.
    pub fn into_pieces(mut self) -> Vec<Bytes> {
        self.cut();
        self.pieces
    }

    /// Appends bytes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.tail.extend_from_slice(bytes);
    }

    /// Appends text.
    pub fn text(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    /// Appends formatted text.
    pub fn put(&mut self, text: fmt::Arguments<'_>) {
        // Writing to memory does not fail.
        let _ = self.write_fmt(text);
    }

    /// Appends a whole line: the text and CRLF.
    pub fn line(&mut self, text: fmt::Arguments<'_>) {
        self.put(text);
        self.raw(b"\r\n");
    }

    /// Appends stored bytes.
    pub fn stored(&mut self, bytes: Bytes) {
        if bytes.len() < OWN_PIECE_BYTES {
            self.raw(&bytes);
        } else {
            self.cut();
            self.bytes += bytes.len();
            self.pieces.push(bytes);
        }
    }

    /// The grammar's own printer, appending here.
    pub fn printer(&mut self, utf8: bool) -> Printer<'_> {
        Printer::new(&mut self.tail, utf8)
    }

    /// Appends a number: half of all output is numbers, and the formatting machinery is slow.
    pub fn number(&mut self, number: u64) {
        self.printer(false).number(number);
    }

    /// Appends `tag SP text CRLF`.
    pub fn tagged(&mut self, tag: &Tag, text: fmt::Arguments<'_>) {
        self.text(tag.as_str());
        self.raw(b" ");
        self.line(text);
    }

    fn cut(&mut self) {
        if !self.tail.is_empty() {
            self.bytes += self.tail.len();
            self.pieces.push(std::mem::take(&mut self.tail).into());
        }
    }
}

impl Write for Out {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_kept_around_stored_pieces() {
        let mut out = Out::new();
        out.text("* 1 FETCH (BODY[] ");
        out.stored(Bytes::from(vec![b'x'; OWN_PIECE_BYTES]));
        out.text(")\r\n");
        out.number(0);
        out.number(u64::MAX);
        assert_eq!(out.len(), 18 + OWN_PIECE_BYTES + 3 + 21);
        let pieces = out.into_pieces();
        assert_eq!(pieces.len(), 3);
        assert_eq!(pieces[2], ")\r\n018446744073709551615");
    }
}
