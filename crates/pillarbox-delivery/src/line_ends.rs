//! Line ends of a message as it comes in. Only CRLF ends a line on the way between servers (RFC 5321 §2.3.8), and a
//! program that takes a bare LF for one can be made to see two messages where another sees one.
//!
//! What programs of our own people submit is mended: a bare LF becomes CRLF, as most of them expect (RFC 6409 §8). Mail
//! from other servers is refused with one in it, since mending would break signatures. A bare CR is left as it is.

use bytes::{Bytes, BytesMut};
use memchr::memchr_iter;

/// Watches the line ends of a text given in pieces.
#[derive(Debug, Default)]
pub(crate) struct LineEnds {
    after_cr: bool,
    /// A bare line feed was seen.
    pub saw_bare_lf: bool,
}

impl LineEnds {
    /// The piece with every bare LF made a CRLF; the piece itself if there is none.
    pub fn mend(&mut self, piece: Bytes) -> Bytes {
        let bare = self.bare(&piece);
        if bare.is_empty() {
            return piece;
        }
        let mut out = BytesMut::with_capacity(piece.len() + bare.len());
        let mut from = 0;
        for at in bare {
            out.extend_from_slice(&piece[from..at]);
            out.extend_from_slice(b"\r");
            from = at;
        }
        out.extend_from_slice(&piece[from..]);
        out.freeze()
    }

    /// Takes a piece as it is, and notes whether there is a bare LF in it.
    pub fn watch(&mut self, piece: &[u8]) {
        self.bare(piece);
    }

    fn bare(&mut self, piece: &[u8]) -> Vec<usize> {
        let after_cr = self.after_cr;
        let follows_cr = |at: usize| match at.checked_sub(1) {
            Some(before) => piece[before] == b'\r',
            None => after_cr,
        };
        let bare: Vec<usize> = memchr_iter(b'\n', piece)
            .filter(|at| !follows_cr(*at))
            .collect();
        self.saw_bare_lf |= !bare.is_empty();
        if let Some(last) = piece.last() {
            self.after_cr = *last == b'\r';
        }
        bare
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mend(text: &[u8], piece: usize) -> (Vec<u8>, bool) {
        let mut ends = LineEnds::default();
        let out = text
            .chunks(piece)
            .flat_map(|piece| ends.mend(Bytes::copy_from_slice(piece)))
            .collect();
        (out, ends.saw_bare_lf)
    }

    #[test]
    fn a_bare_line_feed_gets_its_carriage_return() {
        for piece in 1..8 {
            assert_eq!(mend(b"a\r\nb\r\n", piece), (b"a\r\nb\r\n".to_vec(), false));
            assert_eq!(
                mend(b"\na\n\nb\r\n\rc\r", piece),
                (b"\r\na\r\n\r\nb\r\n\rc\r".to_vec(), true)
            );
        }
    }

    proptest! {
        #[test]
        fn nothing_bare_is_left(text in proptest::collection::vec(proptest::sample::select(&b"a.\r\n"[..]), 0..60), piece in 1..9usize) {
            let (once, _) = mend(&text, piece);
            prop_assert_eq!(mend(&once, 3), (once.clone(), false));
            let strip = |text: &[u8]| -> Vec<u8> { text.iter().copied().filter(|b| *b != b'\r').collect() };
            prop_assert_eq!(strip(&text), strip(&once));
        }
    }
}
