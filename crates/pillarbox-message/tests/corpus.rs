//! Odd messages and what we make of them. Each `corpus/NAME.eml` has a `NAME.txt` with everything a client would see;
//! `UPDATE=1` rewrites those, and the difference is reviewed like code.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use pillarbox_message::{
    Facts, FactsView, Limits, Section, Structure, filter_header, header_fields,
    print_bodystructure, resolve,
};

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let paths = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths
        .filter(|p| p.extension().is_some_and(|e| e == "eml"))
        .map(|p| (p.clone(), fs::read(&p).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 40, "the corpus is there");
    files
}

#[test]
fn looks_as_reviewed() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut wrong = Vec::new();
    for (path, raw) in corpus() {
        let shown = describe(&raw);
        let expected = path.with_extension("txt");
        if update {
            fs::write(&expected, &shown).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Everything the record tells, as text.
fn describe(raw: &[u8]) -> String {
    let facts = Facts::parse(raw, &Limits::default());
    let view = facts.view();
    let mut out = String::new();
    let flags = view.flags();
    writeln!(
        out,
        "size {} damaged {} truncated {} abridged {}",
        view.size(),
        flags.damaged,
        flags.truncated,
        flags.abridged
    )
    .unwrap();
    writeln!(out, "envelope {}", view.envelope().escape_ascii()).unwrap();
    writeln!(out, "structure {}", view.bodystructure().escape_ascii()).unwrap();
    writeln!(
        out,
        "subject {:?} ids {:?} date {:?}",
        view.subject(),
        view.message_id(),
        view.date().map(|d| d.unix)
    )
    .unwrap();
    let names: Vec<_> = view.attachment_names().collect();
    writeln!(
        out,
        "preview {:?} attachment {} {names:?}",
        view.preview(),
        view.has_attachment()
    )
    .unwrap();
    show_sections(raw, &view, &mut Vec::new(), &mut out);
    out
}

fn show_sections(raw: &[u8], view: &FactsView<'_>, path: &mut Vec<u32>, out: &mut String) {
    for (name, section) in [
        ("", Section::Part(path)),
        ("MIME", Section::Mime(path)),
        ("HEADER", Section::Header(path)),
        ("TEXT", Section::Text(path)),
    ] {
        if let Some(span) = view
            .section(section)
            .filter(|_| !(path.is_empty() && name.is_empty()))
        {
            let text = raw[span.start as usize..span.end as usize]
                .escape_ascii()
                .to_string();
            let cut = if text.len() > 300 { "..." } else { "" };
            writeln!(
                out,
                "{path:?}{name} {}..{} {:.300}{cut}",
                span.start, span.end, text
            )
            .unwrap();
        }
    }
    for number in 1.. {
        path.push(number);
        let there = view.section(Section::Part(path)).is_some() && path.len() < 8;
        if there {
            show_sections(raw, view, path, out);
        }
        path.pop();
        if !there {
            break;
        }
    }
}

/// Header fields answered from the record are those of the message, byte for byte.
#[test]
fn the_record_answers_header_fields_as_the_message_would() {
    let mut answered = 0;
    for (path, raw) in corpus() {
        let facts = Facts::parse(&raw, &Limits::default());
        for names in [
            &[
                "from",
                "To",
                "CC",
                "date",
                "subject",
                "message-id",
                "references",
                "content-type",
            ][..],
            &["x-none"],
            &["Subject"],
        ] {
            if let Some(from_record) = facts.view().header_fields(names) {
                answered += 1;
                assert_eq!(
                    from_record,
                    filter_header(&raw, names, false),
                    "{}",
                    path.display()
                );
            }
        }
        for field in header_fields(&raw) {
            let name = [field.name];
            if let Some(from_record) = facts.view().header_fields(&name) {
                assert_eq!(
                    from_record,
                    filter_header(&raw, &name, false),
                    "{}",
                    path.display()
                );
            }
        }
    }
    assert!(answered > 100, "the record answers: {answered}");
}

/// HEADER and TEXT make the whole message, always.
#[test]
fn header_and_text_are_the_whole() {
    for (path, raw) in corpus() {
        let structure = Structure::parse(&raw, &Limits::default());
        let header = resolve(&structure, Section::Header(&[])).unwrap();
        let text = resolve(&structure, Section::Text(&[])).unwrap();
        assert_eq!(
            (header.start, header.end, text.end),
            (0, text.start, raw.len() as u64),
            "{}",
            path.display()
        );
        assert!(!print_bodystructure(&structure).is_empty());
    }
}
