//! The framer: every way bytes can arrive gives the same events, and what it refuses costs one command.

use pillarbox_wire::imap::command::Body;
use pillarbox_wire::imap::{Event, Framer, Limits, Refusal, Tag, parse};
use proptest::prelude::*;

/// Feeds `input` in pieces of `size` and collects the events; message pieces in a row become one. APPENDs are taken, `Continue`
/// needs nothing.
fn events(input: &[u8], size: usize, limits: Limits) -> Vec<Event> {
    let mut framer = Framer::new(limits);
    let mut events = Vec::new();
    for piece in input.chunks(size) {
        framer.receive(piece);
        while let Some(event) = framer.next() {
            match (events.last_mut(), event) {
                (Some(Event::LiteralData(all)), Event::LiteralData(more)) => all.extend(more),
                (_, event) => events.push(event),
            }
        }
    }
    events
}

fn small() -> Limits {
    Limits {
        line_bytes_max: 40,
        literal_bytes_max: 20,
        command_bytes_max: 80,
        append_bytes_max: 100,
        non_sync_bytes_max: 50,
        skip_bytes_max: 1000,
    }
}

fn command(text: &str) -> Event {
    Event::Command(text.as_bytes().to_vec())
}

fn refused(event: &Event) -> (Option<&str>, Refusal, bool) {
    match event {
        Event::Refused(it) => (it.tag.as_ref().map(Tag::as_str), it.why, it.fatal),
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn lines_end_in_crlf_or_lf() {
    let found = events(b"a NOOP\r\nb NOOP\n\r\nc ", 1000, small());
    assert_eq!(found, [command("a NOOP"), command("b NOOP"), command("")]);
}

#[test]
fn literals_stay_in_the_command() {
    let found = events(
        b"a LOGIN {3}\r\nada {4+}\r\np\r\nw\r\nb NOOP\r\n",
        1,
        small(),
    );
    assert_eq!(
        found,
        [
            Event::Continue,
            command("a LOGIN {3}\r\nada {4+}\r\np\r\nw"),
            command("b NOOP")
        ]
    );
}

#[test]
fn an_appended_message_passes_through() {
    for (head, waits) in [
        ("a append INBOX (\\Seen) {12}\r\n", true),
        ("a APPEND \"in box\" {12+}\r\n", false),
        ("a APPEND {5+}\r\nINBOX ~{12}\r\n", true),
        ("a APPEND x UTF8 (~{12+}\r\n", false),
    ] {
        let input = [head.as_bytes(), b"A: b\r\n\r\nc {9)\r\nb NOOP\r\n"].concat();
        let found = events(&input, 3, small());
        let start = Event::LiteralStart {
            head: head.as_bytes().to_vec(),
            size: 12,
            waits,
        };
        let rest = Event::AppendEnd {
            rest: b")".to_vec(),
        };
        assert_eq!(
            found,
            [
                start,
                Event::LiteralData(b"A: b\r\n\r\nc {9".to_vec()),
                rest,
                command("b NOOP")
            ]
        );
        let Ok(Body::Append(append)) = parse(head.as_bytes(), false).map(|c| c.body) else {
            panic!("{head}")
        };
        assert_eq!((append.literal.size, append.literal.waits), (12, waits));
    }
}

#[test]
fn a_refused_message_is_skipped_or_never_comes() {
    for (plus, sent) in [("+", "1234\n\n"), ("", "")] {
        let mut framer = Framer::new(small());
        framer.receive(format!("a APPEND x {{5{plus}}}\r\n{sent}b NOOP\r\n").as_bytes());
        assert!(matches!(framer.next(), Some(Event::LiteralStart { .. })));
        framer.refuse_literal();
        assert_eq!(framer.next(), Some(command("b NOOP")));
        assert_eq!(framer.next(), None);
        assert!(!framer.is_mid_command());
    }
}

#[test]
fn an_empty_message_is_a_message() {
    let found = events(b"a APPEND x {0}\r\n\r\n", 1, small());
    assert!(
        matches!(&found[..], [Event::LiteralStart { size: 0, .. }, Event::AppendEnd { rest }] if rest.is_empty())
    );
}

#[test]
fn what_is_too_large_is_refused_and_skipped() {
    use Refusal::{
        AppendTooLarge, CommandTooLarge, LineTooLong, LiteralTooLarge, NonSyncTooLarge,
        SecondMessage,
    };
    let long = "x".repeat(60);
    let cases: [(String, Refusal); 12] = [
        (format!("a NOOP {long}\r\n"), LineTooLong),
        (format!("a NOOP {long} {{3+}}\r\nfoo bar\r\n"), LineTooLong),
        ("a LOGIN {21}\r\n".into(), LiteralTooLarge),
        (
            format!("a LOGIN {{21+}}\r\n{} b\r\n", &long[..21]),
            LiteralTooLarge,
        ),
        (
            format!("a LOGIN {{60+}}\r\n{long} {{3+}}\r\nb\nc\r\n"),
            NonSyncTooLarge,
        ),
        // One byte skipped too few or too many would show.
        (
            format!("a LOGIN {{21+}}\r\n{}\n b\r\n", &long[..20]),
            LiteralTooLarge,
        ),
        (
            format!("a LOGIN {{21+}}\r\n{}\n", &long[..21]),
            LiteralTooLarge,
        ),
        (
            "a LOGIN {99999999999999999999999}\r\n".into(),
            LiteralTooLarge,
        ),
        ("a APPEND x {101}\r\n".into(), AppendTooLarge),
        (
            "a APPEND x {99999999999999999999999}\r\n".into(),
            AppendTooLarge,
        ),
        (
            format!(
                "a S {{20+}}\r\n{0} {{20+}}\r\n{0} {{20+}}\r\n{0}\r\n",
                &long[..20]
            ),
            CommandTooLarge,
        ),
        ("a APPEND x {1+}\r\ny {2+}\r\nzz\r\n".into(), SecondMessage),
    ];
    for (input, why) in cases {
        for size in [1, 7, 1000] {
            let found = events(format!("{input}b NOOP\r\n").as_bytes(), size, small());
            let (last, before) = found.split_last().unwrap();
            assert_eq!(*last, command("b NOOP"), "{input} in {size}");
            assert_eq!(
                refused(before.last().unwrap()),
                (Some("a"), why, false),
                "{input}"
            );
        }
    }
}

#[test]
fn what_is_too_large_to_skip_ends_the_connection() {
    let found = events(b"a LOGIN {1001+}\r\nb NOOP\r\n", 1, small());
    assert_eq!(found.len(), 1);
    assert_eq!(
        refused(&found[0]),
        (Some("a"), Refusal::NonSyncTooLarge, true)
    );
}

#[test]
fn an_announcement_too_long_to_keep_is_none_in_every_cut() {
    let digits = "0".repeat(35);
    let input = format!("a NOOP {} {{{digits}1+}}\r\nb NOOP\r\n", "x".repeat(60));
    for size in [1, 7, 50, 1000] {
        let found = events(input.as_bytes(), size, small());
        assert_eq!(refused(&found[0]), (Some("a"), Refusal::LineTooLong, false));
        assert_eq!(found[1..], [command("b NOOP")], "in {size}");
    }
}

#[test]
fn raw_lines_are_asked_for() {
    let mut framer = Framer::new(small());
    framer.receive(b"a IDLE\r\nDO");
    assert_eq!(framer.next(), Some(command("a IDLE")));
    framer.expect_line();
    assert_eq!(framer.next(), None);
    framer.receive(b"NE {3}\r\nb NOOP\r\n");
    assert_eq!(framer.next(), Some(Event::Line(b"DONE {3}".to_vec())));
    assert_eq!(framer.next(), Some(command("b NOOP")));
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("a ".to_owned()),
        Just("a APPEND x ".to_owned()),
        Just("a APPEND ".to_owned()),
        Just("\r\n".to_owned()),
        Just("\n".to_owned()),
        Just("\r".to_owned()),
        Just("}".to_owned()),
        "\\{[0-9]{1,3}\\+?\\}\r\n",
        "[ -~]{0,30}",
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat().into_bytes())
}

proptest! {
    #[test]
    fn every_way_bytes_arrive_gives_the_same_events(input in pieces(), size in 1usize..20) {
        prop_assert_eq!(events(&input, size, small()), events(&input, 10_000, small()));
    }

    #[test]
    fn nothing_grows_beyond_the_limits(input in pieces(), size in 1usize..20) {
        let limits = small();
        for event in events(&input, size, limits) {
            match event {
                Event::Command(bytes) => prop_assert!(bytes.len() <= limits.command_bytes_max),
                Event::LiteralStart { size, .. } => prop_assert!(size <= limits.append_bytes_max),
                Event::LiteralData(bytes) => prop_assert!(bytes.len() as u64 <= limits.append_bytes_max),
                Event::Line(rest) | Event::AppendEnd { rest } => prop_assert!(rest.len() <= limits.line_bytes_max),
                Event::Continue | Event::Refused(_) => {}
            }
        }
    }
}
