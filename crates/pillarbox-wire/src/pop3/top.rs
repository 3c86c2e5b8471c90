//! The part of a message that TOP sends: the header, the blank line and some lines of the body (RFC 1939 §7).

/// Cuts a message given in pieces. Lines end in LF, with or without a CR before it, as the message was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopCutter {
    at: At,
    body_lines: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// At the start of a header line.
    HeaderLine,
    /// After a CR at the start of a header line: the blank line, if an LF follows.
    HeaderCr,
    /// Inside a header line.
    Header,
    Body,
}

impl TopCutter {
    /// Lets the header, the blank line and `body_lines` lines through.
    #[must_use]
    pub fn new(body_lines: u64) -> Self {
        Self {
            at: At::HeaderLine,
            body_lines,
        }
    }

    /// The part of `input` to send, from its start on. Shorter than `input` only when the cut has come.
    pub fn take<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let mut taken = 0;
        while taken < input.len() && !self.is_done() {
            taken += self.step(&input[taken..]);
        }
        &input[..taken]
    }

    /// Whether all there is to send has been let through, so that no more of the message need be read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == At::Body && self.body_lines == 0
    }

    fn step(&mut self, input: &[u8]) -> usize {
        let (next, taken) = match (self.at, input[0]) {
            (At::HeaderLine | At::HeaderCr, b'\n') => (At::Body, 1),
            (At::HeaderLine, b'\r') => (At::HeaderCr, 1),
            (At::HeaderLine | At::HeaderCr, _) => (At::Header, 0),
            (At::Header, _) => match memchr::memchr(b'\n', input) {
                Some(lf) => (At::HeaderLine, lf + 1),
                None => (At::Header, input.len()),
            },
            (At::Body, _) => (At::Body, self.body_line(input)),
        };
        self.at = next;
        taken
    }

    fn body_line(&mut self, input: &[u8]) -> usize {
        match memchr::memchr(b'\n', input) {
            Some(lf) => {
                self.body_lines -= 1;
                lf + 1
            }
            None => input.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top(message: &str, lines: u64, piece: usize) -> (String, bool) {
        let (mut cutter, mut out) = (TopCutter::new(lines), Vec::new());
        for piece in message.as_bytes().chunks(piece) {
            let part = cutter.take(piece);
            out.extend_from_slice(part);
            assert!(part.len() == piece.len() || cutter.is_done());
        }
        (String::from_utf8_lossy(&out).into_owned(), cutter.is_done())
    }

    #[test]
    fn cuts_after_header_and_lines() {
        let message = "A: b\r\n\tc\r\n\r\none\r\n\r\nthree\r\nfour";
        for piece in 1..40 {
            for (lines, want) in [
                (0, "A: b\r\n\tc\r\n\r\n"),
                (1, "A: b\r\n\tc\r\n\r\none\r\n"),
                (2, "A: b\r\n\tc\r\n\r\none\r\n\r\n"),
                (3, "A: b\r\n\tc\r\n\r\none\r\n\r\nthree\r\n"),
            ] {
                assert_eq!(top(message, lines, piece), (want.into(), true));
            }
            for lines in [4, u64::MAX] {
                assert_eq!(top(message, lines, piece), (message.into(), false));
            }
        }
    }

    #[test]
    fn odd_messages() {
        for piece in 1..10 {
            assert_eq!(top("A: b\n\nx\ny\n", 1, piece).0, "A: b\n\nx\n");
            assert_eq!(top("\r\nx\r\ny\r\n", 1, piece).0, "\r\nx\r\n");
            assert_eq!(
                top("A: b\r\n\r x\r\n\r\ny", 0, piece).0,
                "A: b\r\n\r x\r\n\r\n"
            );
            assert_eq!(top("A: b\r\n", 5, piece).0, "A: b\r\n");
            assert_eq!(top("", 5, piece), (String::new(), false));
        }
    }
}
