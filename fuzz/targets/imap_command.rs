//! A client's bytes: framing is the same for every cut and within its limits, parsing never panics, and `parse(print(x)) == x`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::{choice, pieces};
use pillarbox_wire::imap::{Body, Event, Framer, Limits, Literals, Tag, parse};

fuzz_target!(|data: &[u8]| {
    let Some((how, bytes)) = choice(data) else {
        return;
    };
    let utf8 = how & 1 == 1;
    let limits = if how & 2 == 2 {
        small()
    } else {
        Limits::default()
    };
    let whole = events(bytes, 0, limits, utf8);
    assert_eq!(events(bytes, how >> 2, limits, utf8), whole);
    for event in &whole {
        bounded(event, limits);
        if let Event::Command(text) | Event::LiteralStart { head: text, .. } = event {
            round_trip(text, utf8);
        }
    }
    // Also what the framer would never hand on.
    round_trip(bytes, utf8);
});

/// So small that a short input goes beyond them; but a line holds the longest tag, or which one is told depended on the cut.
fn small() -> Limits {
    Limits {
        line_bytes_max: Tag::BYTES_MAX + 10,
        literal_bytes_max: 20,
        command_bytes_max: 200,
        append_bytes_max: 100,
        non_sync_bytes_max: 50,
        skip_bytes_max: 1000,
    }
}

/// All events; pieces of one message become one, since how they are cut may differ.
fn events(bytes: &[u8], how: usize, limits: Limits, utf8: bool) -> Vec<Event> {
    let mut framer = Framer::new(limits);
    let mut events = Vec::new();
    for piece in pieces(bytes, how) {
        framer.receive(piece);
        while let Some(event) = framer.next() {
            match &event {
                Event::Command(text) if wants_line(text, utf8) => framer.expect_line(),
                Event::LiteralStart { size, .. } if size % 3 == 2 => framer.refuse_literal(),
                _ => {}
            }
            match (events.last_mut(), event) {
                (Some(Event::LiteralData(all)), Event::LiteralData(more)) => all.extend(more),
                (_, event) => events.push(event),
            }
        }
    }
    events
}

fn wants_line(text: &[u8], utf8: bool) -> bool {
    matches!(
        parse(text, utf8).map(|command| command.body),
        Ok(Body::Idle | Body::Authenticate(_))
    )
}

fn bounded(event: &Event, limits: Limits) {
    match event {
        Event::Command(bytes) => assert!(bytes.len() <= limits.command_bytes_max),
        Event::LiteralStart { head, size, .. } => {
            assert!(head.len() <= limits.command_bytes_max && *size <= limits.append_bytes_max);
        }
        Event::LiteralData(bytes) => {
            assert!(!bytes.is_empty() && bytes.len() as u64 <= limits.append_bytes_max);
        }
        Event::Line(rest) | Event::AppendEnd { rest } => {
            assert!(rest.len() <= limits.line_bytes_max);
        }
        Event::Continue | Event::Refused(_) => {}
    }
}

fn round_trip(text: &[u8], utf8: bool) {
    let Ok(command) = parse(text, utf8) else {
        return;
    };
    for literals in [Literals::Wait, Literals::NonSync(usize::MAX)] {
        let printed = command.print(utf8, literals).concat();
        let printed = match command.body {
            Body::Append(_) => &printed[..],
            _ => printed.strip_suffix(b"\r\n").expect("a line ends"),
        };
        assert_eq!(
            parse(printed, utf8).as_ref(),
            Ok(&command),
            "{}",
            printed.escape_ascii()
        );
    }
}
