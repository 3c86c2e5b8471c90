//! What holds for any bytes whatever: no panic, ranges that nest, records that come back, text a client can read.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use pillarbox_message::{
    Facts, FactsView, Kind, Limits, Needle, Part, RECORD_BYTES_MAX, Scope, Section, Structure,
    base_subject, decode_charset, decode_text, decode_words, filter_header, header_fields,
    message_contains, parse_address_list, parse_date, print_body, print_bodystructure,
    print_envelope, resolve, strip_html,
};
use proptest::prelude::*;

/// Pieces that meet in mail: their orders and fragments reach more than random bytes do.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"\r\n"[..],
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"--a\r\n",
        b"--a--\r\n",
        b"--ab\r\n",
        b"\r\n--ab--\r\n",
        b"--a",
        b"Content-Type: multipart/mixed; boundary=a\r\n",
        b"Content-Type: multipart/digest; boundary=\"ab\"\r\n",
        b"Content-Type: multipart/mixed\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"Content-Type: text/html; charset=utf-8\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Transfer-Encoding: quoted-printable\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%e2%82; filename*1=\"x\"\r\n",
        b"From: a <b@c>, g: d@e, \"q\\\"\" <@r:s@t>;\r\n",
        b"Subject: =?utf-8?q?=C3?= =?utf-8?b?pA==?= [x] re: y\r\n",
        b"From x\r\n",
        b" folded\r\n",
        b"+ImIDkQ-=\r\n=3D",
        b"<b>&amp;&#x41;</style><!--",
        b"\0\xff\xe9\xc3\xa4",
        b"(\"\\",
    ]);
    prop::collection::vec(prop_oneof![4 => piece.prop_map(<[u8]>::to_vec), 1 => prop::collection::vec(any::<u8>(), 0..12)], 0..60).prop_map(|p| p.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes(raw in pieces(), depth_max in 0usize..6, parts_max in 0usize..8) {
        check(&raw, &Limits::default());
        check(&raw, &Limits { depth_max, parts_max, ..Limits::default() });
    }

    #[test]
    fn small_decoders_never_panic(raw in pieces()) {
        let text = String::from_utf8_lossy(&raw);
        decode_words(&raw);
        decode_charset(b"utf-7", &raw);
        parse_date(&raw);
        base_subject(&text);
        strip_html(&text);
        parse_address_list(&raw, 20);
        for field in header_fields(&raw) {
            prop_assert_eq!(&raw[field.value_range.clone()], field.value);
            prop_assert!(field.range.start < field.value_range.start && field.value_range.end <= field.range.end);
        }
        // The filter passes everything on once: what is left out by name and what is kept by it.
        let twice = filter_header(&filter_header(&raw, &["from"], true), &["from"], true);
        prop_assert_eq!(filter_header(&raw, &["from"], true), twice);
    }

    #[test]
    fn damaged_records_are_refused_or_read(raw in pieces(), at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>()) {
        let mut record = Facts::parse(&raw, &Limits::default()).encode();
        let (at, cut) = (at.index(record.len()), cut.index(record.len()));
        prop_assert!(Facts::decode(&record[..cut]).is_err());
        record[at] ^= 1 << bit;
        if let Ok(view) = FactsView::new(&record) {
            use_all(&view);
        }
    }
}

fn check(raw: &[u8], limits: &Limits) {
    let structure = Structure::parse(raw, limits);
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
    let facts = Facts::of(raw, structure.clone());
    let record = facts.encode();
    assert!(record.len() <= RECORD_BYTES_MAX);
    assert_eq!(Facts::decode(&record).unwrap(), facts);
    let parts = facts.view().parts();
    message_contains(raw, &parts, &Needle::new("Ä"), Scope::Text);
    for part in &parts {
        decode_text(
            &raw[part.body.start as usize..part.body.end as usize],
            part,
            1000,
        );
    }
    if !facts.view().flags().abridged {
        agrees(&structure, &parts);
    }
    use_all(&facts.view());
}

/// The record's parts are those of the structure, and sections are found alike in both.
fn agrees(structure: &Structure, parts: &[Part]) {
    assert_eq!(structure.entities.len(), parts.len());
    for (entity, part) in structure.entities.iter().zip(parts) {
        assert_eq!(
            (entity.parent, entity.kind, entity.lines as u64),
            (part.parent.map(|p| p as usize), part.kind, part.lines)
        );
    }
    for path in [
        &[][..],
        &[1],
        &[2],
        &[1, 1],
        &[1, 2],
        &[2, 1],
        &[1, 1, 1],
        &[0],
        &[u32::MAX],
    ] {
        for section in [
            Section::Part(path),
            Section::Header(path),
            Section::Text(path),
            Section::Mime(path),
        ] {
            assert_eq!(resolve(structure, section), resolve(parts, section));
        }
    }
}

fn nests(structure: &Structure, size: usize) {
    assert_eq!(
        (structure.root().header.start, structure.root().body.end),
        (0, size)
    );
    for (index, entity) in structure.entities.iter().enumerate() {
        assert!(
            entity.header.start <= entity.header.end
                && entity.header.end == entity.body.start
                && entity.body.start <= entity.body.end
        );
        let mut end = entity.body.start;
        for &child in &entity.children {
            let child_entity = &structure.entities[child];
            assert!(child > index && child_entity.parent == Some(index));
            assert!(
                end <= child_entity.header.start && child_entity.body.end <= entity.body.end,
                "{index} holds {child}"
            );
            end = child_entity.body.end;
        }
        match entity.kind {
            Kind::Multipart => assert!(!entity.children.is_empty()),
            Kind::Message => assert_eq!(entity.children.len(), 1),
            Kind::Leaf | Kind::Text | Kind::Closed => assert!(entity.children.is_empty()),
        }
    }
}

/// A strict reader of `"(" ... ")"` with quoted strings, literals, NIL and numbers: gives the length read.
fn read_list(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0);
    loop {
        match *text.get(at)? {
            b'(' => depth += 1,
            b')' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            b'"' => {
                at += 1;
                while text[at] != b'"' {
                    at += usize::from(text[at] == b'\\');
                    assert!((b' '..=b'~').contains(&text[at]) || text[at] == b'\t');
                    at += 1;
                }
            }
            b'{' => {
                let close = at + text[at..].iter().position(|&b| b == b'}')?;
                let len: usize = std::str::from_utf8(&text[at + 1..close])
                    .ok()?
                    .parse()
                    .ok()?;
                assert_eq!(&text[close + 1..close + 3], b"\r\n");
                assert!(!text[close + 3..close + 3 + len].contains(&0));
                at = close + 2 + len;
            }
            b' ' | b'0'..=b'9' | b'N' | b'I' | b'L' => {}
            other => panic!("unexpected {:?}", other as char),
        }
        at += 1;
    }
}

fn use_all(view: &FactsView<'_>) {
    let _ = (
        view.envelope(),
        view.body(),
        view.bodystructure(),
        view.preview(),
        view.size(),
        view.date(),
        view.flags(),
        view.has_attachment(),
    );
    let _ = (
        view.parts(),
        view.subject(),
        view.base_subject(),
        view.message_id(),
        view.in_reply_to(),
        view.references(),
        view.list_id(),
    );
    let _ = (
        view.addresses("From"),
        view.attachment_names().count(),
        view.header_fields(&["To"]),
        view.section(Section::Text(&[1])),
    );
    let _ = view.header_contains("Subject", &Needle::new("x"));
}
