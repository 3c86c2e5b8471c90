//! POP3's grammar from both ends: commands, replies, listings, and what TOP shows.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::{choice, pieces};
use pillarbox_wire::pop3::{Command, Reply, TopCutter, listing, unique_id};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    for line in bytes.split(|&b| b == b'\n') {
        round_trip(line);
        reply(line);
        let _ = (listing(line), unique_id(line));
    }
    let lines = (how as u64) >> 2;
    let whole = top(bytes, 0, lines);
    assert!(bytes.starts_with(&whole), "TOP shows a beginning");
    assert_eq!(top(bytes, how, lines), whole);
    assert!(whole.len() <= top(bytes, how, lines + 1).len());
});

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

fn reply(line: &[u8]) {
    let Some(reply) = Reply::parse(line) else {
        return;
    };
    let mut out = Vec::new();
    reply.print(&mut out);
    let line = out.strip_suffix(b"\r\n").expect("a line ends");
    assert!(!line.contains(&b'\n'), "one reply, not two");
    let again = Reply::parse(line).expect("we read what we print");
    assert_eq!(matches!(again, Reply::Ok(_)), matches!(reply, Reply::Ok(_)));
}

fn top(bytes: &[u8], how: usize, lines: u64) -> Vec<u8> {
    let mut cutter = TopCutter::new(lines);
    let mut shown = Vec::new();
    for piece in pieces(bytes, how) {
        shown.extend_from_slice(cutter.take(piece));
    }
    shown
}
