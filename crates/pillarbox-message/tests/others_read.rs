//! Whatever a message looks like: the ENVELOPE, BODY and BODYSTRUCTURE ready to be sent are read by other people's
//! IMAP parsers.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use pillarbox_message::{Facts, Limits};
use proptest::prelude::*;

/// What other parsers do not read of the FETCH line of a message.
fn unread(raw: &[u8]) -> Option<String> {
    let facts = Facts::parse(raw, &Limits::default());
    let view = facts.view();
    let both = [
        b"* 1 FETCH (ENVELOPE ",
        view.envelope(),
        b" BODYSTRUCTURE ",
        view.bodystructure(),
    ]
    .concat();
    // imap-proto does not know BODY.
    let one = [&both[..], b")\r\n"].concat();
    let all = [&both[..], b" BODY ", view.body(), b")\r\n"].concat();
    if !matches!(ResponseCodec::default().decode(&all), Ok(([], _))) {
        return Some(format!("imap-codec: {}", all.escape_ascii()));
    }
    if !matches!(imap_proto::Response::parse(&one), Ok(([], _))) {
        return Some(format!("imap-proto: {}", one.escape_ascii()));
    }
    None
}

#[test]
fn every_odd_message() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/corpus");
    let mut read = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "eml") {
            read += 1;
            let unread = unread(&std::fs::read(&path).unwrap());
            wrong.extend(unread.map(|text| format!("{}: {text}", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(read >= 40);
}

/// Pieces of headers and bodies in any order.
fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=b\r\n"),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Content-Type: text/plain; charset=\"ut\\f-8\"; name*=utf-8''%e2%82%ac\r\n"),
        Just("Content-Type: /; =\r\n"),
        Just("Content-Disposition: attachment; filename=\"a\\\"b\"\r\n"),
        Just("Content-Language: de, \"en\"\r\n"),
        Just("Content-ID: <\u{e9}>\r\n"),
        Just("From: \"A\\\\\" <a@b>, c:d@e,;\r\n"),
        Just("To: undisclosed:;\r\n"),
        Just("Subject: \u{0}\"\\ =?utf-8?q?=00?=\r\n"),
        Just("Date: \u{7f}\r\n"),
        Just("In-Reply-To: <a\r\n b>\r\n"),
        Just("--b\r\n"),
        Just("--b--\r\n"),
        Just("\r\n"),
        Just("text\r\n"),
        Just("\r"),
        Just("\n"),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn and_every_noise(text in noise()) {
        let unread = unread(text.as_bytes());
        prop_assert!(unread.is_none(), "{}", unread.unwrap());
    }
}
