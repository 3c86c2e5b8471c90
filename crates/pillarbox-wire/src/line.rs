//! Lines of SMTP and POP3 cut out of bytes as they arrive. Only CRLF ends a line: a bare LF or CR stays inside it, for
//! the grammar to refuse, so that no two programs on a path can disagree about where a command ends.
//!
//! It does not read IMAP, whose literals span lines, nor message text: see [`crate::dot`] for that.

/// Longest SMTP line read at all, CRLF included, in bytes: AUTH needs 12,288 (RFC 4954 §4), wire §2.1 asks for 16 KiB.
/// Commands other than AUTH have their own, lower limit.
pub const LINE_BYTES_MAX: usize = 16 * 1024;
/// An empty reader gives memory back when it holds more than this, in bytes.
const KEPT_BYTES: usize = 1024;

/// A line was longer than the reader's limit; all of it has been skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line too long")]
pub struct LineTooLong;

/// Holds bytes that have arrived and gives them out line by line, or raw where the protocol leaves lines.
///
/// It holds no more than was fed: whoever feeds reads from the peer only when [`LineReader::next_line`] has nothing.
#[derive(Debug)]
pub struct LineReader {
    bytes: Vec<u8>,
    /// Everything before has been given out.
    start: usize,
    /// No line ends between `start` and here.
    searched: usize,
    line_bytes_max: usize,
    /// Bytes of the overlong line dropped so far, when in one.
    skipped: Option<u64>,
}

impl LineReader {
    /// A reader whose lines are at most `line_bytes_max` bytes long, CRLF included.
    #[must_use]
    pub fn new(line_bytes_max: usize) -> Self {
        Self {
            bytes: Vec::new(),
            start: 0,
            searched: 0,
            line_bytes_max,
            skipped: None,
        }
    }

    /// Takes in what arrived.
    pub fn feed(&mut self, arrived: &[u8]) {
        self.reclaim();
        self.bytes.extend_from_slice(arrived);
    }

    /// The next whole line without its CRLF, or nothing until more arrives. An overlong line is reported once, when its
    /// end has come, so that replies to pipelined commands keep their order.
    pub fn next_line(&mut self) -> Option<Result<&[u8], LineTooLong>> {
        let Some(end) = self.find_crlf() else {
            self.skip_if_overlong();
            return None;
        };
        let begin = self.start;
        self.start = end + 2;
        self.searched = self.start;
        if self.skipped.take().is_some() || self.start - begin > self.line_bytes_max {
            return Some(Err(LineTooLong));
        }
        Some(Ok(&self.bytes[begin..end]))
    }

    /// All bytes not given out yet: for DATA, BDAT, or to see whether anything was pipelined.
    #[must_use]
    pub fn pending(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Marks the first `count` of the pending bytes as given out, at most all of them.
    pub fn consume(&mut self, count: usize) {
        self.start = self.bytes.len().min(self.start.saturating_add(count));
        self.searched = self.start;
        self.reclaim();
    }

    /// Drops everything pending, as STARTTLS must (RFC 3207 §4.2), and says how many bytes that was.
    pub fn discard(&mut self) -> usize {
        let count = self.pending().len();
        self.consume(count);
        self.skipped = None;
        count
    }

    /// Bytes of the current overlong line dropped so far; 0 when not in one. A conversation closes on a peer whose line
    /// never ends.
    #[must_use]
    pub fn skipped_bytes(&self) -> u64 {
        self.skipped.unwrap_or(0)
    }

    /// Gives the buffer back when there is nothing in it, as before a long wait.
    pub fn release(&mut self) {
        self.reclaim();
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
    }

    fn find_crlf(&mut self) -> Option<usize> {
        let mut from = self.searched;
        while let Some(found) = memchr::memchr(b'\n', &self.bytes[from..]) {
            let lf = from + found;
            if lf > self.start && self.bytes[lf - 1] == b'\r' {
                return Some(lf - 1);
            }
            from = lf + 1;
        }
        self.searched = self.bytes.len();
        None
    }

    /// Drops what has come of a line that can no longer fit, except a CR that may be half of its end.
    fn skip_if_overlong(&mut self) {
        let held = self.pending().len();
        if self.skipped.is_none() && held < self.line_bytes_max {
            return;
        }
        let kept = usize::from(self.bytes.last() == Some(&b'\r') && held > 0);
        let dropped = held - kept;
        self.start += dropped;
        self.searched = self.bytes.len();
        self.skipped = Some(self.skipped_bytes().saturating_add(dropped as u64));
    }

    /// Moves what is left to the front once it is the smaller part, so that moving stays cheap.
    fn reclaim(&mut self) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
        } else {
            return;
        }
        self.searched -= self.start;
        self.start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(input: &[u8], piece: usize, max: usize) -> Vec<Option<Vec<u8>>> {
        let mut reader = LineReader::new(max);
        let mut out = Vec::new();
        for piece in input.chunks(piece) {
            reader.feed(piece);
            while let Some(line) = reader.next_line() {
                out.push(line.ok().map(<[u8]>::to_vec));
            }
        }
        out
    }

    fn some(line: &str) -> Option<Vec<u8>> {
        Some(line.into())
    }

    #[test]
    fn only_crlf_ends_a_line() {
        for piece in 1..30 {
            let got = lines(b"a\nb\rc\r\n\r\n\n\r\r\nrest", piece, 100);
            assert_eq!(got, [some("a\nb\rc"), some(""), some("\n\r")], "{piece}");
        }
    }

    #[test]
    fn an_overlong_line_is_one_error() {
        let input = [
            &[b'x'; 50][..],
            b"\r\nshort\r\n12345678\r\n123456789\r\nend\r\n",
        ]
        .concat();
        for piece in 1..80 {
            let got = lines(&input, piece, 10);
            let want = [None, some("short"), some("12345678"), None, some("end")];
            assert_eq!(got, want, "{piece}");
        }
    }

    #[test]
    fn an_endless_line_costs_no_memory() {
        let mut reader = LineReader::new(512);
        for _ in 0..1000 {
            reader.feed(&[b'x'; 1000]);
            assert_eq!(reader.next_line(), None);
            assert!(reader.bytes.capacity() < 10_000);
        }
        assert_eq!(reader.skipped_bytes(), 1_000_000);
        reader.feed(b"\r");
        assert_eq!(reader.next_line(), None);
        reader.feed(b"\n");
        assert_eq!(reader.next_line(), Some(Err(LineTooLong)));
        assert_eq!(reader.skipped_bytes(), 0);
    }

    #[test]
    fn the_rest_is_there_for_data() {
        let mut reader = LineReader::new(512);
        reader.feed(b"DATA\r\nhello\r\n.\r\nQUIT\r\n");
        assert_eq!(reader.next_line(), Some(Ok(b"DATA".as_slice())));
        assert_eq!(reader.pending(), b"hello\r\n.\r\nQUIT\r\n");
        reader.consume(10);
        assert_eq!(reader.next_line(), Some(Ok(b"QUIT".as_slice())));
        reader.feed(b"STARTTLS\r\nRSET\r\n");
        assert_eq!(reader.next_line(), Some(Ok(b"STARTTLS".as_slice())));
        assert_eq!(reader.discard(), 6);
        assert_eq!(reader.next_line(), None);
        reader.consume(100);
        assert_eq!(reader.pending(), b"");
    }

    #[test]
    fn an_idle_reader_gives_its_buffer_back() {
        let mut reader = LineReader::new(LINE_BYTES_MAX);
        reader.feed(&[b"NOOP\r\n".as_slice(); 1000].concat());
        while reader.next_line().is_some() {}
        reader.release();
        assert_eq!(reader.bytes.capacity(), 0);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(input in proptest::collection::vec(
            proptest::sample::select(&b"ab\r\n"[..]), 0..200), piece in 1..20usize, max in 2..20usize) {
            prop_assert_eq!(lines(&input, piece, max), lines(&input, 1000, max));
        }
    }
}
