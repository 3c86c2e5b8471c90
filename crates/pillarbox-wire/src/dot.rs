//! Dot transparency: how SMTP's DATA and POP3's multi-line replies carry text that a lone dot ends (RFC 5321 §4.5.2,
//! RFC 1939 §3). Streaming, in both directions; nothing is kept but a few bytes of state.
//!
//! It does not judge the text: bare line feeds are passed on and reported, and the conversation decides.

use memchr::memmem::Finder;
use std::sync::LazyLock;

/// Where a stuffed line or the end begins. Built once: lines are short and the search is called for each of them.
static CRLF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\r\n."));

/// Undoes dot-stuffing and finds the end of the text. Only CRLF `.` CRLF ends it, or `.` CRLF at its very start.
#[derive(Clone, Debug)]
pub struct DataReader {
    at: At,
    bytes: u64,
    saw_bare_lf: bool,
    saw_bare_cr: bool,
}

/// What the bytes so far end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// A dot at the start of a line; it has not been passed on.
    Dot,
    /// The same and a CR, not passed on either.
    DotCr,
    /// A CR that has been passed on.
    Cr,
    Text,
    End,
}

/// How far [`DataReader::read`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So many bytes of the input were taken; less than all only at the end of the text.
    pub used: usize,
    /// The closing dot was found.
    pub done: bool,
}

impl Default for DataReader {
    fn default() -> Self {
        Self::new()
    }
}

impl DataReader {
    /// A reader before the first byte.
    #[must_use]
    pub fn new() -> Self {
        Self {
            at: At::LineStart,
            bytes: 0,
            saw_bare_lf: false,
            saw_bare_cr: false,
        }
    }

    /// Takes some input and hands the text in it to `sink`, in long runs. What follows the closing dot is left alone.
    pub fn read(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> Progress {
        let mut used = 0;
        while self.at != At::End && used < input.len() {
            used += self.step(&input[used..], &mut sink);
        }
        Progress {
            used,
            done: self.at == At::End,
        }
    }

    /// Length of the text so far, in bytes, stuffing and closing dot not counted.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A line feed without a carriage return before it was in the text.
    #[must_use]
    pub fn saw_bare_lf(&self) -> bool {
        self.saw_bare_lf
    }

    /// A carriage return without a line feed after it was in the text.
    #[must_use]
    pub fn saw_bare_cr(&self) -> bool {
        self.saw_bare_cr
    }

    /// One step over input that is not empty; gives how much of it was taken.
    fn step(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
        let (next, taken) = match (self.at, input[0]) {
            (At::LineStart, b'.') => (At::Dot, 1),
            (At::Dot, b'\r') => (At::DotCr, 1),
            (At::DotCr, b'\n') => (At::End, 1),
            (At::DotCr, _) => {
                self.pass(b"\r", sink);
                (At::Cr, 0)
            }
            (At::Cr, b'\n') => {
                self.pass(b"\n", sink);
                (At::LineStart, 1)
            }
            (At::Cr, _) => {
                self.saw_bare_cr = true;
                (At::Text, 0)
            }
            (At::LineStart | At::Dot, _) => (At::Text, 0),
            (At::Text, _) => return self.run(input, sink),
            (At::End, _) => (At::End, 0),
        };
        self.at = next;
        taken
    }

    /// Passes on everything up to the next line that starts with a dot. No CR stands before `input`.
    fn run(&mut self, input: &[u8], sink: &mut impl FnMut(&[u8])) -> usize {
        let (run, taken) = match CRLF_DOT.find(input) {
            Some(at) => {
                self.at = At::Dot;
                (&input[..at + 2], at + 3)
            }
            None => {
                self.at = match input {
                    [.., b'\r', b'\n'] => At::LineStart,
                    [.., b'\r'] => At::Cr,
                    _ => At::Text,
                };
                (input, input.len())
            }
        };
        self.note_bare(run);
        self.pass(run, sink);
        taken
    }

    /// Written without branches, so that the compiler can compare many bytes at once.
    fn note_bare(&mut self, run: &[u8]) {
        let (mut lf, mut cr) = (run.first() == Some(&b'\n'), false);
        for (a, b) in run.iter().zip(run.iter().skip(1)) {
            lf |= (*a != b'\r') & (*b == b'\n');
            cr |= (*a == b'\r') & (*b != b'\n');
        }
        self.saw_bare_lf |= lf;
        self.saw_bare_cr |= cr;
    }

    fn pass(&mut self, run: &[u8], sink: &mut impl FnMut(&[u8])) {
        self.bytes += run.len() as u64;
        sink(run);
    }
}

/// What a [`DotStuffer`] does about line ends that are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineEnds {
    /// Nothing: for POP3, where a message comes back as it was stored, byte for byte, and is as long as LIST says. Many
    /// clients take a bare LF for a line end, so a dot behind one is stuffed, too: a message must not be able to end
    /// early and to speak in the server's name. Only to a client that takes CRLF alone for a line end this adds a byte.
    Keep,
    /// Bare LF and bare CR become CRLF: for SMTP, where neither may be sent (RFC 5321 §2.3.8).
    MendAll,
}

/// Dot-stuffs a text given in pieces and ends it. A text with CRLF line ends comes through unchanged but for the dots;
/// one without a final line end gets it on the wire only.
#[derive(Clone, Debug)]
pub struct DotStuffer {
    at: StufferAt,
    ends: LineEnds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StufferAt {
    LineStart,
    /// Behind a bare LF that was kept.
    BareLf,
    /// A CR that has been passed on.
    Cr,
    Text,
}

/// Where a dot must be stuffed if line ends are kept.
static LF_DOT: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\n."));

impl DotStuffer {
    /// A stuffer before the first byte.
    #[must_use]
    pub fn new(ends: LineEnds) -> Self {
        Self {
            at: StufferAt::LineStart,
            ends,
        }
    }

    /// Takes a piece of the text and hands `sink` what goes on the wire.
    pub fn write(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) {
        let mut rest = input;
        while let Some(&first) = rest.first() {
            match (self.at, first) {
                (StufferAt::LineStart | StufferAt::BareLf, b'.') => sink(b"."),
                (StufferAt::Cr, b'\n') => {
                    sink(b"\n");
                    self.at = StufferAt::LineStart;
                    rest = &rest[1..];
                    continue;
                }
                (StufferAt::Cr, _) if self.ends == LineEnds::MendAll => {
                    sink(b"\n");
                    self.at = StufferAt::LineStart;
                    continue;
                }
                _ => {}
            }
            rest = match self.ends {
                LineEnds::Keep => self.keep(rest, &mut sink),
                LineEnds::MendAll => self.run(rest, &mut sink),
            };
        }
    }

    /// Ends the text: a line end if it has none, and the closing dot.
    pub fn finish(self, mut sink: impl FnMut(&[u8])) {
        match (self.at, self.ends) {
            (StufferAt::LineStart, _) => sink(b".\r\n"),
            (StufferAt::Cr, LineEnds::MendAll) => sink(b"\n.\r\n"),
            (StufferAt::Cr | StufferAt::Text | StufferAt::BareLf, _) => sink(b"\r\n.\r\n"),
        }
    }

    /// Passes on everything up to the next dot behind an LF, its first byte in any case; gives what is left.
    fn keep<'a>(&mut self, input: &'a [u8], sink: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let cut = LF_DOT.find(input).map_or(input.len(), |at| at + 1);
        let (run, rest) = input.split_at(cut);
        sink(run);
        self.at = match run {
            [.., b'\r', b'\n'] => StufferAt::LineStart,
            [.., b'\n'] => StufferAt::BareLf,
            [.., b'\r'] => StufferAt::Cr,
            _ => StufferAt::Text,
        };
        rest
    }

    /// Passes on as much as needs no change in one piece, its first byte in any case, then makes the change; gives what
    /// is left. No CR stands before `input` that its first byte would complete.
    fn run<'a>(&mut self, input: &'a [u8], sink: &mut impl FnMut(&[u8])) -> &'a [u8] {
        let mut from = 0;
        while let Some(found) = memchr::memchr2(b'\r', b'\n', &input[from..]) {
            let at = from + found;
            let bare = input[at] == b'\r' || at == 0 || input[at - 1] != b'\r';
            let next = input.get(at + 1);
            match (input[at], next) {
                (b'\r', Some(b'\n')) => {} // the LF is found next
                (b'\r', None) => break,
                _ if bare => {
                    sink(&input[..at]);
                    sink(b"\r\n");
                    self.at = StufferAt::LineStart;
                    return &input[at + 1..];
                }
                (_, Some(b'.')) => {
                    sink(&input[..=at]);
                    self.at = StufferAt::LineStart;
                    return &input[at + 1..];
                }
                _ => {}
            }
            from = at + 1;
        }
        sink(input);
        self.at = match input {
            [.., b'\n'] => StufferAt::LineStart,
            [.., b'\r'] => StufferAt::Cr,
            _ => StufferAt::Text,
        };
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unstuff(input: &[u8], piece: usize) -> (Vec<u8>, usize, DataReader) {
        let (mut reader, mut out, mut used) = (DataReader::new(), Vec::new(), 0);
        for piece in input.chunks(piece) {
            let progress = reader.read(piece, |run| out.extend_from_slice(run));
            used += progress.used;
            if progress.done {
                return (out, used, reader);
            }
            assert_eq!(progress.used, piece.len());
        }
        (out, usize::MAX, reader)
    }

    fn stuff(input: &[u8], piece: usize, ends: LineEnds) -> Vec<u8> {
        let (mut stuffer, mut out) = (DotStuffer::new(ends), Vec::new());
        for piece in input.chunks(piece) {
            stuffer.write(piece, |run| out.extend_from_slice(run));
        }
        stuffer.finish(|run| out.extend_from_slice(run));
        out
    }

    #[test]
    fn texts_and_their_ends() {
        for (wire, text) in [
            ("a\r\n.\r\n", "a\r\n"),
            ("a\r\n..\r\n.\r\n", "a\r\n.\r\n"),
            ("..a\r\n.\r\n", ".a\r\n"),
            (".a\r\n.\r\n", "a\r\n"),
            ("\r\n.\r\n", "\r\n"),
            ("a\r\n.\rb\r\n.\r\n", "a\r\n\rb\r\n"),
            ("a\r\n.\r\r\n.\r\n", "a\r\n\r\r\n"),
            ("a\r\n\r\n..\r\n..b\r\n.\r\n", "a\r\n\r\n.\r\n.b\r\n"),
        ] {
            for piece in 1..20 {
                let tail = [wire.as_bytes(), b"QUIT\r\n.\r\n"].concat();
                let (out, used, reader) = unstuff(&tail, piece);
                assert_eq!(out, text.as_bytes(), "{wire:?} in {piece}");
                assert_eq!(used, wire.len(), "{wire:?} in {piece}");
                assert_eq!(reader.bytes(), text.len() as u64);
                assert!(!reader.saw_bare_lf());
                assert_eq!(
                    reader.saw_bare_cr(),
                    wire.contains(".\r") && wire.contains("\rb") || wire.contains("\r\r")
                );
            }
        }
    }

    #[test]
    fn a_lone_dot_as_the_first_line_ends_data() {
        for piece in 1..4 {
            let (out, used, _) = unstuff(b".\r\n", piece);
            assert_eq!((out.as_slice(), used), (b"".as_slice(), 3));
        }
    }

    #[test]
    fn nothing_but_crlf_dot_crlf_ends_data() {
        for (text, lf, cr) in [
            ("a\n.\n", true, false),
            ("a\n.\r\nb", true, false),
            ("a\r\n.\nb", true, false),
            ("a\r.\rb", false, true),
            ("a\r\n.\rb", false, true),
            ("a\r.\r\nb", false, true),
            ("\n.\r\nb", true, false),
            ("a\r\n.\0\r\nb", false, false),
        ] {
            for piece in 1..12 {
                let (_, used, reader) = unstuff(text.as_bytes(), piece);
                assert_eq!(used, usize::MAX, "{text:?} in {piece}");
                assert_eq!(reader.saw_bare_lf(), lf, "{text:?} in {piece}");
                assert_eq!(reader.saw_bare_cr(), cr, "{text:?} in {piece}");
            }
        }
        let (out, ..) = unstuff(b"a\n.\nb", 99);
        assert_eq!(out, b"a\n.\nb");
    }

    #[test]
    fn runs_are_long() {
        let text = "a line of text, not a short one\r\n".repeat(1000);
        let (mut runs, mut reader) = (0, DataReader::new());
        reader.read(text.as_bytes(), |_| runs += 1);
        assert_eq!(runs, 1);
        let (mut runs, mut stuffer) = (0, DotStuffer::new(LineEnds::MendAll));
        stuffer.write(text.as_bytes(), |_| runs += 1);
        assert_eq!(runs, 1);
    }

    #[test]
    fn stuffing() {
        use LineEnds::*;
        for (text, ends, wire) in [
            ("", Keep, ".\r\n"),
            ("a", Keep, "a\r\n.\r\n"),
            (".", Keep, "..\r\n.\r\n"),
            ("a\r\n.b\r\n..\r\n", Keep, "a\r\n..b\r\n...\r\n.\r\n"),
            ("a\n.\nb", Keep, "a\n..\nb\r\n.\r\n"),
            ("\n\n.", Keep, "\n\n..\r\n.\r\n"),
            ("a\n", Keep, "a\n\r\n.\r\n"),
            ("a\n.\r\nb\r\n", Keep, "a\n..\r\nb\r\n.\r\n"),
            ("a\rb\r\r\n.", Keep, "a\rb\r\r\n..\r\n.\r\n"),
            ("a\r", Keep, "a\r\r\n.\r\n"),
            ("a\r", MendAll, "a\r\n.\r\n"),
            ("a\r.\rb", MendAll, "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\r\n.b\n.", MendAll, "a\r\n\r\n..b\r\n..\r\n.\r\n"),
        ] {
            for piece in 1..12 {
                let out = stuff(text.as_bytes(), piece, ends);
                assert_eq!(out, wire.as_bytes(), "{text:?} in {piece}");
            }
        }
    }

    fn nasty() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(proptest::sample::select(&b"a..\r\r\n\n\xff"[..]), 0..80)
    }

    fn crlf_text() -> impl Strategy<Value = Vec<u8>> {
        let line = proptest::collection::vec(proptest::sample::select(&b"a..\xff\0"[..]), 0..4);
        proptest::collection::vec(line, 0..20).prop_map(|lines| {
            lines
                .into_iter()
                .flat_map(|mut line| {
                    line.extend(b"\r\n");
                    line
                })
                .collect()
        })
    }

    /// What a client reads that takes every LF for a line end: all lines up to the lone dot, as far as the wire goes.
    fn lines_by_lf(wire: &[u8]) -> Vec<Vec<u8>> {
        let mut lines = wire.split_inclusive(|byte| *byte == b'\n');
        let text = lines
            .by_ref()
            .take_while(|line| !matches!(*line, b".\n" | b".\r\n"));
        let text = text
            .map(|line| line.strip_prefix(b".").unwrap_or(line).to_vec())
            .collect();
        assert_eq!(lines.next(), None, "a false end");
        text
    }

    /// The same lines as they were stored, and the line end that a text without one gets on the wire.
    fn text_by_lf(text: &[u8]) -> Vec<Vec<u8>> {
        let open = !text.is_empty() && !text.ends_with(b"\r\n");
        let text = [text, if open { b"\r\n" } else { b"" }].concat();
        text.split_inclusive(|byte| *byte == b'\n')
            .map(<[u8]>::to_vec)
            .collect()
    }

    proptest! {
        #[test]
        fn crlf_text_comes_back_identical(text in crlf_text(), p in 1..9usize, q in 1..9usize) {
            for ends in [LineEnds::Keep, LineEnds::MendAll] {
                let wire = stuff(&text, p, ends);
                let (out, used, reader) = unstuff(&wire, q);
                prop_assert_eq!(&out, &text);
                prop_assert_eq!(used, wire.len());
                prop_assert!(!reader.saw_bare_lf() && !reader.saw_bare_cr());
            }
        }

        #[test]
        fn any_text_is_framed_and_mended(text in nasty(), p in 1..9usize, q in 1..9usize) {
            let wire = stuff(&text, p, LineEnds::MendAll);
            prop_assert_eq!(&wire, &stuff(&text, 1000, LineEnds::MendAll));
            let (_, used, reader) = unstuff(&wire, q);
            prop_assert_eq!(used, wire.len());
            prop_assert!(!reader.saw_bare_lf() && !reader.saw_bare_cr());
            let wire = stuff(&text, p, LineEnds::Keep);
            prop_assert_eq!(&wire, &stuff(&text, 1000, LineEnds::Keep));
            let (out, used, _) = unstuff(&wire, q);
            prop_assert_eq!(used, wire.len());
            prop_assert_eq!(lines_by_lf(&wire), text_by_lf(&text));
            if !text.windows(2).any(|two| two == b"\n.") {
                let end: &[u8] = if text.is_empty() || text.ends_with(b"\r\n") { b"" } else { b"\r\n" };
                prop_assert_eq!(out, [&text, end].concat());
            }
        }

        #[test]
        fn pieces_do_not_matter(wire in nasty(), p in 1..9usize) {
            let (a, b) = (unstuff(&wire, p), unstuff(&wire, 1000));
            prop_assert_eq!(a.0, b.0);
            prop_assert_eq!(a.1, b.1);
            prop_assert_eq!(a.2.saw_bare_lf(), b.2.saw_bare_lf());
            prop_assert_eq!(a.2.saw_bare_cr(), b.2.saw_bare_cr());
            prop_assert_eq!(a.2.bytes(), b.2.bytes());
        }
    }
}
