//! What the log keeps of a connection, what it hides, and how much.

use super::*;

fn pen(log: &WireLog, protocol: Protocol) -> Pen {
    log.open("c8a1", protocol, [127, 0, 0, 1].into(), 0)
}

/// Plays `C: ` and `S: ` lines, the client's in pieces of `size`; what was kept, as such lines.
fn kept(protocol: Protocol, script: &str, size: usize) -> String {
    let log = WireLog::default();
    let mut pen = pen(&log, protocol);
    for line in script.lines().map(str::trim_start) {
        let (who, text) = line.split_at(3);
        let text = format!("{text}\r\n");
        let from = match who {
            "C: " => From::Client,
            _ => From::Server,
        };
        for piece in text.as_bytes().chunks(size) {
            pen.said(from, piece, 0);
        }
    }
    let [connection] = &log.connections(None, 9)[..] else {
        return "not one connection".into();
    };
    let who = |from| match from {
        From::Client => "C: ",
        From::Server => "S: ",
        From::Note => "N: ",
    };
    let lines = connection.lines.iter();
    let lines: Vec<_> = lines
        .map(|one| format!("{}{}", who(one.from), one.text))
        .collect();
    lines.join("\n")
}

const SECRET: &str = "dXNlcj1hZGFAZXhhbXBsZS50ZXN0AWF1dGg9QmVhcmVyIGV5SmhiR2NpT2lKRlpFUlRRU0o5AQE=";
const TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ";

#[test]
fn secrets_are_cut_wherever_a_client_says_them() {
    use Protocol::{Imap, Pop3, Submission};
    let scripts = [
        (
            Imap,
            format!("C: a AUTHENTICATE XOAUTH2 {SECRET}\nS: a OK done"),
        ),
        (
            Imap,
            format!("C: a AUTHENTICATE PLAIN\nS: + \nC: {SECRET}\nS: a NO no"),
        ),
        (
            Imap,
            format!("C: a authenticate xoauth2 {SECRET}\nS: + e30=\nC: {SECRET}\nS: a NO no"),
        ),
        // Said once more, after the refusal was over.
        (
            Imap,
            format!("C: a AUTHENTICATE XOAUTH2\nS: a NO no\nC: {SECRET}"),
        ),
        // Pipelined behind a LOGIN whose refusal comes in between.
        (
            Imap,
            format!("C: a LOGIN x y\nC: b AUTHENTICATE PLAIN\nS: a NO no\nC: {SECRET}\nS: b NO no"),
        ),
        (
            Imap,
            format!("C: a LOGIN ada@example.test {SECRET}\nS: a OK done"),
        ),
        (
            Imap,
            format!("C: a LOGIN ada@example.test \"{SECRET}\"\nS: a OK done"),
        ),
        (
            Imap,
            format!(
                "C: a LOGIN {{3}}\nS: + go ahead\nC: ada {{77}}\nS: + go ahead\nC: {SECRET}\nS: a NO no"
            ),
        ),
        (
            Pop3,
            format!("C: USER ada\nS: +OK\nC: PASS {SECRET}\nS: +OK"),
        ),
        (Pop3, format!("C: AUTH XOAUTH2 {SECRET}\nS: +OK")),
        (Pop3, format!("C: AUTH PLAIN\nS: +\nC: {SECRET}\nS: -ERR")),
        (Pop3, format!("C: APOP ada {SECRET}\nS: -ERR")),
        (
            Submission,
            format!("C: AUTH PLAIN {SECRET}\nS: 235 2.7.0 Accepted"),
        ),
        (
            Submission,
            format!(
                "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: {SECRET}\nS: 334 UGFzc3dvcmQ6\nC: {SECRET}\nS: 535 no"
            ),
        ),
        (
            Submission,
            format!("C: EHLO x\nS: 250 x\nC: {SECRET}\nS: 502 no"),
        ),
        (
            Submission,
            format!("C: AUTH PLAIN {SECRET}\nS: 235 yes\nC: Authorization: Bearer {TOKEN}"),
        ),
        (
            Imap,
            format!("C: a LOGIN ada@example.test {TOKEN}\nS: a NO no\nC: b LOGIN2 ada {TOKEN}"),
        ),
    ];
    for (protocol, script) in scripts {
        let whole = kept(protocol, &script, usize::MAX);
        for size in [1, 7] {
            assert_eq!(kept(protocol, &script, size), whole);
        }
        for secret in [SECRET, TOKEN] {
            // Five letters of it in a row are more than may be kept.
            assert!(!whole.contains(&secret[..5]), "{script}\nbecame\n{whole}");
            assert!(
                !whole.contains(&secret[20..28]),
                "{script}\nbecame\n{whole}"
            );
        }
        assert_eq!(whole.lines().count(), script.lines().count());
    }
}

#[test]
fn proofs_and_short_secrets_are_cut_too() {
    let script = "C: a AUTHENTICATE SCRAM-SHA-256 biwsbj1hZGEscj1meWtv\nS: + cj1meWtvK2QybGJiRmdPTlJ2\n\
                  C: Yz1iaXdzLHI9ZnlrbytkMmxi\nS: + dj1zaWduYXR1cmU=\nC: \nS: a OK done";
    assert_eq!(
        kept(Protocol::Imap, script, 3),
        "C: a AUTHENTICATE SCRAM-SHA-256 biws…\nS: + cj1m…\nC: Yz1i…\nS: + dj1z…\nC: \nS: a OK done"
    );
    assert_eq!(
        kept(Protocol::Pop3, "C: PASS abc\nS: -ERR no", 9),
        "C: PASS …\nS: -ERR no"
    );
}

#[test]
fn what_is_no_secret_stays() {
    let script = "S: * OK Pillarbox ready for requests from 127.0.0.1 35d2\nC: a CAPABILITY\n\
                  S: * CAPABILITY IMAP4rev1 AUTH=XOAUTH2\nS: a OK\nC: b AUTHENTICATE XOAUTH2\nS: + \nC: *\nS: b BAD no\n\
                  C: c LOGIN ada@example.test pillarbox\nS: c OK ada@example.test authenticated\n\
                  C: d SELECT INBOX\nS: d OK\nC: e IDLE\nS: + idling\nC: DONE\nS: e OK";
    let want = script.replace("pillarbox\nS: c", "pill…\nS: c");
    let want: Vec<_> = want.lines().map(str::trim_start).collect();
    assert_eq!(kept(Protocol::Imap, script, usize::MAX), want.join("\n"));
}

#[test]
fn octets_are_shown_and_bounds_hold() {
    let log = WireLog::default();
    let mut pen = pen(&log, Protocol::Submission);
    pen.said(From::Client, b"\x00\xff\x1b[2J\xc3\xa4\r\n", 0);
    pen.said(From::Server, &[&[b'x'; 100_000][..], b"\r\n"].concat(), 0);
    for _ in 0..100 {
        pen.said(From::Client, b"line of a message\r\n", 0);
    }
    pen.said(From::Server, b"250 ok\r\n", 0);
    let lines = log.connections(None, 1).remove(0).lines;
    assert_eq!(lines[0].text, "\\x00\\xff\\x1b[2Jä");
    assert!(lines[1].text.len() < 600 && lines[1].text.ends_with("more octets"));
    assert_eq!(lines.len(), 2 + LINES_IN_A_ROW_MAX + 2);
    assert_eq!(lines[lines.len() - 2].text, "… 1140 more octets");
    for turn in 0..2 * LINES_MAX {
        let from = if turn % 2 == 0 {
            From::Client
        } else {
            From::Server
        };
        pen.said(from, b"NOOP\r\n", 0);
    }
    let one = log.connections(None, 1).remove(0);
    assert_eq!(one.lines.len(), LINES_MAX);
    assert!(one.lost > 0 && one.open);
    pen.end(0);
    let more: Vec<_> = (0..2 * CONNECTIONS_MAX)
        .map(|_| log.open("x", Protocol::Imap, [127, 0, 0, 1].into(), 0))
        .collect();
    let all = log.connections(None, usize::MAX);
    assert_eq!(all.len(), CONNECTIONS_MAX);
    assert!(
        all.iter().all(|one| &*one.token == "x"),
        "the one that ended went first"
    );
    drop(more);
}
