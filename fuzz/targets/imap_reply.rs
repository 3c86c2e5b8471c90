//! A server's bytes, as the client library reads them: never a panic, the same for every cut, and what we print we read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::{choice, pieces};
use pillarbox_wire::imap::reply::{Reply, ReplyFramer, Untagged, parse};
use pillarbox_wire::imap::{EsearchLine, Printer};

/// Longest reply taken: small, so that inputs go beyond it.
const REPLY_BYTES_MAX: usize = 2000;

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    let utf8 = how & 1 == 1;
    let whole = replies(bytes, 0);
    assert_eq!(replies(bytes, how >> 1), whole);
    for text in &whole {
        assert!(text.len() <= 2 * REPLY_BYTES_MAX);
        if let Ok(reply) = parse(text, utf8) {
            again(&reply, utf8);
        }
    }
    let _ = parse(bytes, utf8);
});

fn replies(bytes: &[u8], how: usize) -> Vec<Vec<u8>> {
    let mut framer = ReplyFramer::new(REPLY_BYTES_MAX);
    let mut replies = Vec::new();
    for piece in pieces(bytes, how) {
        framer.receive(piece);
        loop {
            match framer.next() {
                Ok(Some(reply)) => replies.push(reply),
                Ok(None) => break,
                Err(_) => return replies,
            }
        }
    }
    replies
}

/// What we print is read, and read as what it says. Printing mends text for people, so the first round may change it.
fn again(reply: &Reply, utf8: bool) {
    let Some(mended) = print(reply, utf8) else {
        return;
    };
    let back =
        parse(&mended, utf8).unwrap_or_else(|why| panic!("{why}: {}", mended.escape_ascii()));
    let line = print(&back, utf8).unwrap_or_default();
    assert_eq!(
        parse(&line, utf8).as_ref(),
        Ok(&back),
        "{}",
        line.escape_ascii()
    );
}

/// Prints the replies that have a printer; without the line end.
fn print(reply: &Reply, utf8: bool) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, utf8);
    match reply {
        Reply::Tagged(tag, s) => printer.tagged(tag, s.kind, s.code.as_ref(), &s.text),
        Reply::Untagged(untagged) => match untagged {
            Untagged::Status(s) => printer.untagged(s.kind, s.code.as_ref(), &s.text),
            Untagged::Flags(flags) => printer.flags_line(flags),
            Untagged::Exists(n) => printer.exists(*n),
            Untagged::Recent(n) => printer.recent(*n),
            Untagged::Expunge(n) => printer.expunge(*n),
            Untagged::Vanished { earlier, uids } => printer.vanished(*earlier, uids),
            Untagged::Search(numbers, mod_seq) => {
                printer.search_line(numbers.iter().copied(), *mod_seq);
            }
            Untagged::MailboxStatus(mailbox, items) => printer.status_line(mailbox, items),
            Untagged::Esearch(e) => printer.esearch_line(&EsearchLine {
                tag: e.tag.as_ref()?,
                by: e.by,
                min: e.min,
                max: e.max,
                all: Some(&e.all),
                count: e.count,
                mod_seq: e.mod_seq,
            }),
            _ => return None,
        },
        Reply::Continue(_) => return None,
    }
    out.strip_suffix(b"\r\n").map(<[u8]>::to_vec)
}
