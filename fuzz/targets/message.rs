//! Any bytes as a message: reading never panics, parts lie inside one another, the record comes back, and ENVELOPE and
//! BODYSTRUCTURE are text a client can read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::choice;
use pillarbox_message::{
    Facts, Kind, Limits, Needle, RECORD_BYTES_MAX, Scope, Section, Structure, base_subject,
    decode_charset, decode_text, decode_words, filter_header, header_fields, message_contains,
    parse_address_list, parse_date, print_body, print_bodystructure, print_envelope, resolve,
    strip_html,
};

fuzz_target!(|data: &[u8]| {
    let Some((how, raw)) = choice(data) else {
        return;
    };
    let limits = match how % 4 {
        0..=2 => Limits::default(),
        _ => Limits {
            depth_max: 2,
            parts_max: 3,
            fields_max: 3,
            field_bytes_max: 30,
            params_max: 2,
            addresses_max: 2,
        },
    };
    let structure = Structure::parse(raw, &limits);
    nests(&structure, raw.len());
    for text in [
        print_envelope(&structure),
        print_body(&structure),
        print_bodystructure(&structure),
    ] {
        assert_eq!(
            read_list(&text),
            Some(text.len()),
            "{}",
            text.escape_ascii()
        );
    }
    facts(raw, structure);
    decoders(raw);
});

fn facts(raw: &[u8], structure: Structure) {
    let facts = Facts::of(raw, structure.clone());
    let record = facts.encode();
    assert!(record.len() <= RECORD_BYTES_MAX);
    assert_eq!(Facts::decode(&record).as_ref(), Ok(&facts));
    let view = facts.view();
    assert_eq!(view.size(), raw.len() as u64);
    let parts = view.parts();
    if !view.flags().abridged {
        assert_eq!(parts.len(), structure.entities.len());
        for path in [
            &[][..],
            &[1],
            &[2],
            &[1, 1],
            &[1, 2],
            &[2, 1],
            &[0],
            &[u32::MAX],
        ] {
            for section in [
                Section::Part(path),
                Section::Header(path),
                Section::Text(path),
                Section::Mime(path),
            ] {
                let span = resolve(&structure, section);
                assert_eq!(resolve(&parts[..], section), span);
                assert!(
                    span.is_none_or(|span| span.start <= span.end && span.end <= raw.len() as u64)
                );
            }
        }
    }
    message_contains(raw, &parts, &Needle::new("\u{c4}"), Scope::Text);
    for part in parts.iter().take(20) {
        decode_text(
            &raw[part.body.start as usize..part.body.end as usize],
            part,
            1000,
        );
    }
}

fn nests(structure: &Structure, size: usize) {
    assert_eq!(
        (structure.root().header.start, structure.root().body.end),
        (0, size)
    );
    for (index, entity) in structure.entities.iter().enumerate() {
        assert!(entity.header.start <= entity.header.end);
        assert!(entity.header.end == entity.body.start && entity.body.start <= entity.body.end);
        let mut end = entity.body.start;
        for &child in &entity.children {
            let inner = &structure.entities[child];
            assert!(child > index && inner.parent == Some(index));
            assert!(end <= inner.header.start && inner.body.end <= entity.body.end);
            end = inner.body.end;
        }
        match entity.kind {
            Kind::Multipart => assert!(!entity.children.is_empty()),
            Kind::Message => assert_eq!(entity.children.len(), 1),
            Kind::Leaf | Kind::Text | Kind::Closed => assert!(entity.children.is_empty()),
        }
    }
}

/// A strict reader of one parenthesised list: gives the length read.
fn read_list(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    loop {
        match *text.get(at)? {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'"' => {
                at += 1;
                while *text.get(at)? != b'"' {
                    at += usize::from(text[at] == b'\\');
                    assert!((b' '..=b'~').contains(text.get(at)?) || text[at] == b'\t');
                    at += 1;
                }
            }
            b'{' => {
                let close = at + text[at..].iter().position(|&b| b == b'}')?;
                let size: usize = std::str::from_utf8(&text[at + 1..close])
                    .ok()?
                    .parse()
                    .ok()?;
                assert_eq!(text.get(close + 1..close + 3)?, b"\r\n");
                assert!(!text.get(close + 3..close + 3 + size)?.contains(&0));
                at = close + 2 + size;
            }
            b' ' | b'0'..=b'9' | b'N' | b'I' | b'L' => {}
            other => panic!("unexpected {:?}", other as char),
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

fn decoders(raw: &[u8]) {
    let text = String::from_utf8_lossy(raw);
    decode_words(raw);
    decode_charset(b"utf-7", raw);
    decode_charset(b"iso-2022-jp", raw);
    parse_date(raw);
    base_subject(&text);
    strip_html(&text);
    assert!(parse_address_list(raw, 20).len() <= 20);
    for field in header_fields(raw) {
        assert_eq!(&raw[field.value_range.clone()], field.value);
    }
    let without = filter_header(raw, &["from"], true);
    assert_eq!(filter_header(&without, &["from"], true), without);
}
