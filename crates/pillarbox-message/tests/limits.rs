//! Messages made to hurt: bombs, floods and overlong everything stay within their bounds.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use pillarbox_message::{
    Facts, Kind, Limits, RECORD_BYTES_MAX, Section, Structure, print_bodystructure,
};

fn facts(raw: &[u8]) -> Facts {
    let facts = Facts::parse(raw, &Limits::default());
    assert!(facts.encode().len() <= RECORD_BYTES_MAX);
    assert_eq!(Facts::decode(&facts.encode()).unwrap(), facts);
    assert!(facts.view().bodystructure().starts_with(b"("));
    assert!(facts.view().envelope().starts_with(b"("));
    facts
}

#[test]
fn a_bomb_of_nested_messages_is_cut_at_the_depth_limit() {
    let raw = b"Content-Type: message/rfc822\r\n\r\n".repeat(42_000);
    assert!(raw.len() > 1_300_000);
    let structure = Structure::parse(&raw, &Limits::default());
    assert_eq!(structure.entities.len(), 65);
    assert_eq!(structure.entities[64].kind, Kind::Closed);
    assert!(facts(&raw).view().flags().truncated);
    // On a stack far smaller than any thread of the server has.
    std::thread::Builder::new()
        .stack_size(128 << 10)
        .spawn(move || facts(&raw).encode().len())
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn a_bomb_of_nested_multiparts_is_cut_at_the_depth_limit() {
    let mut raw = Vec::new();
    for i in 0..20_000 {
        raw.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{i}e\r\n\r\n--b{i}e\r\n").as_bytes(),
        );
    }
    let structure = Structure::parse(&raw, &Limits::default());
    assert_eq!(structure.entities.len(), 65);
    assert!(facts(&raw).view().flags().truncated);
    assert!(!print_bodystructure(&structure).is_empty());
}

#[test]
fn a_flood_of_parts_is_cut_and_its_record_abridged() {
    let mut raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
    raw.extend(b"--b\r\n\r\nx\r\n".repeat(30_000));
    let structure = Structure::parse(&raw, &Limits::default());
    assert_eq!(structure.entities.len(), 10_000);
    assert_eq!(structure.entities.last().unwrap().body.end, raw.len());
    let facts = facts(&raw);
    let flags = facts.view().flags();
    assert!(flags.truncated && flags.abridged);
    assert_eq!(facts.view().section(Section::Part(&[1])), Some(52..53));
    assert_eq!(
        facts.view().section(Section::Part(&[])),
        Some(0..raw.len() as u64)
    );
}

#[test]
fn floods_in_the_header_leave_a_small_true_record() {
    for line in [
        "To: \"Some Body\" <somebody@example.com>\r\n",
        "X-{}: y\r\n",
        "References: <a@b> <c@d>\r\n",
        "Content-Type: a/b; x=y\r\n",
        "Bcc: g:a@b,c@d\r\n",
    ] {
        let mut raw = Vec::new();
        for i in 0..20_000 {
            raw.extend_from_slice(line.replace("{}", &i.to_string()).as_bytes());
        }
        raw.extend_from_slice(b"\r\nbody\r\n");
        let facts = facts(&raw);
        assert_eq!(
            facts.view().header_fields(&["Subject"]),
            None,
            "absence is not claimed: {line}"
        );
    }
}

#[test]
fn overlong_values_leave_a_small_record() {
    let long = "\u{e9}x\"".repeat(200_000);
    for name in [
        "Subject",
        "From",
        "Content-Type: text/plain; charset",
        "Content-ID",
        "Content-Disposition",
        "Message-ID",
        "Content-Language",
    ] {
        let raw = format!("{name}: {long}\r\nTo: a@b\r\n\r\nbody\r\n");
        assert!(facts(raw.as_bytes()).view().preview().starts_with("body"));
    }
    let people = format!(
        "\"{}\" <{}@{}>, ",
        "\u{e9}".repeat(1000),
        "l".repeat(1000),
        "h".repeat(1000)
    )
    .repeat(40);
    let lists = ["From", "Sender", "Reply-To", "To", "Cc", "Bcc"]
        .map(|name| format!("{name}: {people}\r\n"))
        .concat();
    let record = facts(format!("{lists}Subject: {long}\r\nDate: {long}\r\nMessage-ID: {long}\r\nIn-Reply-To: {long}\r\n\r\n").as_bytes());
    assert!(record.view().flags().abridged);
    let names: String = (0..500)
        .map(|i| format!("--b\r\nContent-Type: a/b; name=file-number-{i}.bin\r\n\r\nx\r\n"))
        .collect();
    let facts = facts(
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{names}--b--\r\n").as_bytes(),
    );
    assert!(facts.view().has_attachment() && facts.view().attachment_names().count() > 50);
}
