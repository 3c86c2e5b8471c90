//! SMTP's grammar from both ends: lines, commands, addresses, replies, and the text of DATA and BDAT.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::{choice, pieces};
use pillarbox_wire::dot::{DataReader, DotStuffer, LineEnds};
use pillarbox_wire::line::{LineReader, LineTooLong};
use pillarbox_wire::smtp::{
    Address, ChunkReader, Command, ForwardPath, Reply, ReplyReader, ReversePath,
};

/// Longest line: small, so that inputs go beyond it.
const LINE_BYTES_MAX: usize = 600;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    let all = lines(bytes, 0);
    assert_eq!(lines(bytes, how), all);
    for line in all.iter().flatten() {
        assert!(line.len() + 2 <= LINE_BYTES_MAX);
        round_trip(line);
    }
    replies(all.iter().flatten());
    addresses(bytes);
    text(bytes, how);
    chunk(bytes, how);
});

fn lines(bytes: &[u8], how: usize) -> Vec<Result<Vec<u8>, LineTooLong>> {
    let mut reader = LineReader::new(LINE_BYTES_MAX);
    let mut lines = Vec::new();
    for piece in pieces(bytes, how) {
        reader.feed(piece);
        while let Some(line) = reader.next_line() {
            lines.push(line.map(<[u8]>::to_vec));
        }
        assert!(reader.pending().len() <= LINE_BYTES_MAX + piece.len());
    }
    lines
}

fn round_trip(line: &[u8]) {
    let Ok(command) = Command::parse(line) else {
        return;
    };
    let printed = command.to_line();
    let printed = printed.strip_suffix("\r\n").expect("a line ends");
    assert_eq!(
        Command::parse(printed.as_bytes()),
        Ok(command),
        "{printed:?}"
    );
}

fn replies<'a>(lines: impl Iterator<Item = &'a Vec<u8>>) {
    let mut reader = ReplyReader::new();
    for line in lines {
        match reader.push(line) {
            Ok(Some(reply)) => reply_again(&reply),
            Ok(None) => {}
            Err(_) => reader = ReplyReader::new(),
        }
    }
}

/// What we print is read as one reply with the same code. Printing mends the text, so only the code must be the same.
fn reply_again(reply: &Reply) {
    let mut out = Vec::new();
    reply.print(&mut out);
    let mut reader = ReplyReader::new();
    let mut last = None;
    for line in String::from_utf8(out)
        .expect("replies are text")
        .split_terminator("\r\n")
    {
        assert_eq!(last, None, "one reply, not two");
        last = reader.push(line.as_bytes()).expect("we read what we print");
    }
    let last = last.expect("a reply ends");
    assert_eq!(
        (last.code, last.lines.len()),
        (reply.code, reply.lines.len())
    );
    assert!(reply.enhanced.is_none() || last.enhanced == reply.enhanced);
}

fn addresses(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(address) = Address::parse(text) {
        assert_eq!(Address::parse(&address.to_string()).as_ref(), Ok(&address));
        let normal = Address::parse(&address.normal()).expect("the normal form is an address");
        assert_eq!(
            normal.normal(),
            address.normal(),
            "normal once is normal twice"
        );
    }
    let _ = (ReversePath::parse(text), ForwardPath::parse(text));
}

/// Stuffed text ends where it should and comes back; text with CRLF line ends unchanged.
fn text(bytes: &[u8], how: usize) {
    for ends in [LineEnds::Keep, LineEnds::MendAll] {
        let mut stuffer = DotStuffer::new(ends);
        let mut wire = Vec::new();
        for piece in pieces(bytes, how) {
            stuffer.write(piece, |run| wire.extend_from_slice(run));
        }
        stuffer.finish(|run| wire.extend_from_slice(run));
        let (back, used, reader) = unstuff(&[&wire[..], b"QUIT\r\n"].concat(), how >> 2);
        assert_eq!(used, Some(wire.len()));
        assert!(ends == LineEnds::Keep || !reader.saw_bare_lf() && !reader.saw_bare_cr());
        if bytes.ends_with(b"\r\n") && !has_lone_line_end(bytes) {
            assert_eq!(back, bytes);
        }
    }
    let (a, b) = (unstuff(bytes, how), unstuff(bytes, 0));
    assert_eq!((a.0, a.1, a.2.bytes()), (b.0, b.1, b.2.bytes()));
}

fn unstuff(wire: &[u8], how: usize) -> (Vec<u8>, Option<usize>, DataReader) {
    let (mut reader, mut out, mut used) = (DataReader::new(), Vec::new(), 0);
    for piece in pieces(wire, how) {
        let progress = reader.read(piece, |run| out.extend_from_slice(run));
        used += progress.used;
        if progress.done {
            return (out, Some(used), reader);
        }
        assert_eq!(progress.used, piece.len());
    }
    (out, None, reader)
}

/// Whether a line feed or a carriage return stands alone, found the slow way.
fn has_lone_line_end(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|i| match bytes[i] {
        b'\n' => i == 0 || bytes[i - 1] != b'\r',
        b'\r' => bytes.get(i + 1) != Some(&b'\n'),
        _ => false,
    })
}

fn chunk(bytes: &[u8], how: usize) {
    let mut chunk = ChunkReader::new(how as u64);
    let mut taken = Vec::new();
    for piece in pieces(bytes, how) {
        taken.extend_from_slice(chunk.take(piece));
    }
    assert_eq!(taken, bytes[..how.min(bytes.len())]);
    assert_eq!(chunk.is_done(), bytes.len() >= how);
}
