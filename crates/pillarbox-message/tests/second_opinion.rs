//! Where an independent reader of MIME and we should agree, we do.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use mailparse::ParsedMail;
use pillarbox_message::{Kind, Limits, Structure, decode_transfer, decode_words};

/// Corpus files left out, and why the other reader is not followed.
const DIFFERENT: [(&str, &str); 13] = [
    (
        "boundary-equals-parent",
        "it searches the whole body for the outer boundary first",
    ),
    (
        "boundary-prefix",
        "it takes the longer boundary for the shorter one",
    ),
    (
        "boundary-ends-in-dashes",
        "it takes the first boundary for the last",
    ),
    (
        "missing-inner-end",
        "it counts line ends differently where an end boundary is missing",
    ),
    ("empty-multipart", "it has no part where IMAP needs one"),
    ("empty-multipart-closed", "the same"),
    (
        "empty-parts",
        "it refuses a header without a line end behind it",
    ),
    ("nested-empty-last", "the same"),
    (
        "digest",
        "it does not know the default type of a digest's parts",
    ),
    (
        "colon-in-boundary",
        "it takes a boundary for a header field",
    ),
    ("mbox-from-line", "it refuses the line"),
    ("no-blank-line", "it refuses the line"),
    ("broken-fold", "it refuses the line"),
];

#[test]
fn parts_and_subjects_agree() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut compared = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.extension().is_none_or(|e| e != "eml") || DIFFERENT.iter().any(|(n, _)| *n == name)
        {
            continue;
        }
        let raw = std::fs::read(&path).unwrap();
        let Ok(theirs) = mailparse::parse_mail(&raw) else {
            continue;
        };
        let ours = Structure::parse(&raw, &Limits::default());
        compare(&name, &raw, &ours, 0, &theirs);
        compared += 1;
    }
    assert!(compared >= 25, "{compared} messages compared");
}

fn compare(name: &str, raw: &[u8], ours: &Structure, index: usize, theirs: &ParsedMail<'_>) {
    let entity = &ours.entities[index];
    if entity.kind == Kind::Multipart {
        assert_eq!(
            entity.children.len(),
            theirs.subparts.len(),
            "{name}: parts"
        );
        for (&child, sub) in entity.children.iter().zip(&theirs.subparts) {
            compare(name, raw, ours, child, sub);
        }
    } else if theirs.subparts.is_empty() {
        let body = decode_transfer(
            &raw[entity.body.clone()],
            entity.content.transfer(),
            usize::MAX,
        );
        let theirs = theirs.get_body_raw().unwrap();
        // It keeps or drops the line end before a boundary as it comes; that byte pair is not at issue here.
        assert_eq!(
            body.trim_ascii_end(),
            theirs.trim_ascii_end(),
            "{name}: body of part {index}"
        );
    }
    if let (0, Some(subject)) = (
        index,
        mailparse::MailHeaderMap::get_first_value(&theirs.headers[..], "Subject"),
    ) {
        let ours = entity
            .envelope
            .as_ref()
            .unwrap()
            .subject
            .as_deref()
            .unwrap_or_default();
        if ours.is_ascii()
            && std::str::from_utf8(raw).is_ok()
            && !raw.contains(&0)
            && !subject.contains('\r')
        {
            assert_eq!(decode_words(ours), subject.trim(), "{name}: subject");
        }
    }
}

/// An IMAP client's parser reads all that we print, to the last byte.
#[test]
fn a_client_reads_every_envelope_and_bodystructure() {
    use pillarbox_message::{print_bodystructure, print_envelope};
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "eml") {
            continue;
        }
        let structure = Structure::parse(&std::fs::read(&path).unwrap(), &Limits::default());
        for (item, text) in [
            ("ENVELOPE", print_envelope(&structure)),
            ("BODYSTRUCTURE", print_bodystructure(&structure)),
        ] {
            let line = [b"* 1 FETCH (", item.as_bytes(), b" ", &text, b")\r\n"].concat();
            let read = imap_proto::Response::parse(&line);
            assert!(
                matches!(read, Ok((b"", _))),
                "{}: {} {read:?}",
                path.display(),
                line.escape_ascii()
            );
        }
    }
}
