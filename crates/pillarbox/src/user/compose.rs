//! Mail from standard input: a text that gets its header here, or a whole message that already has one.
//!
//! Deliberately absent: attachments, HTML, signatures. Who needs them has a mail program.

use crate::failure::Failure;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt::Write as _;

/// Largest message that is read, in bytes: the largest that servers of today take.
pub const MESSAGE_BYTES_MAX: u64 = 50 * 1024 * 1024;
/// Longest line of a text that goes as it is (RFC 5322 §2.1.1).
const LINE_BYTES_MAX: usize = 998;
/// Bytes of text in one encoded word, so that it stays below 75 characters (RFC 2047 §2).
const WORD_BYTES_MAX: usize = 42;
/// Longest line of base64 (RFC 2045 §6.8), as bytes of what is encoded.
const BASE64_LINE_BYTES: usize = 57;

/// What the header says.
pub struct Head<'a> {
    pub from: &'a str,
    pub to: &'a [String],
    pub cc: &'a [String],
    pub subject: &'a str,
    /// RFC 5322 §3.3.
    pub date: &'a str,
    /// Without its brackets.
    pub message_id: &'a str,
}

/// A message of plain text.
pub fn message(head: &Head<'_>, text: &[u8]) -> Result<Vec<u8>, Failure> {
    for part in head.to.iter().chain(head.cc).map(String::as_str) {
        if part
            .chars()
            .any(|letter| letter.is_control() || letter == ',')
        {
            return Err(Failure::usage(format!("{part:?} is no address")));
        }
    }
    if head.subject.chars().any(char::is_control) {
        return Err(Failure::usage(
            "a subject has one line, and no control characters",
        ));
    }
    let mut out = String::new();
    let mut field = |name: &str, value: &str| {
        // Writing to a String does not fail.
        let _ = write!(out, "{name}: {value}\r\n");
    };
    field("From", head.from);
    // One on a line: no list of addresses is too long for it.
    field("To", &head.to.join(",\r\n "));
    if !head.cc.is_empty() {
        field("Cc", &head.cc.join(",\r\n "));
    }
    field("Subject", &words(head.subject));
    field("Date", head.date);
    field("Message-ID", &format!("<{}>", head.message_id));
    field("MIME-Version", "1.0");
    field("Content-Type", "text/plain; charset=utf-8");
    let long = text
        .split(|byte| *byte == b'\n')
        .any(|line| line.len() > LINE_BYTES_MAX);
    let mut body;
    if long || text.contains(&0) {
        field("Content-Transfer-Encoding", "base64");
        body = Vec::new();
        for line in text.chunks(BASE64_LINE_BYTES) {
            body.extend_from_slice(BASE64.encode(line).as_bytes());
            body.extend_from_slice(b"\r\n");
        }
    } else {
        let encoding = if text.is_ascii() { "7bit" } else { "8bit" };
        field("Content-Transfer-Encoding", encoding);
        body = text.to_vec();
        if !body.is_empty() && !body.ends_with(b"\n") {
            body.push(b'\n');
        }
    }
    let mut message = out.into_bytes();
    message.extend_from_slice(b"\r\n");
    message.append(&mut body);
    Ok(message)
}

/// A header text: as it is if that is allowed, else as encoded words (RFC 2047).
fn words(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if plain && text.len() < LINE_BYTES_MAX - 20 && !text.contains("=?") {
        return text.to_owned();
    }
    let mut out = Vec::new();
    let mut word = String::new();
    for letter in text.chars() {
        if word.len() + letter.len_utf8() > WORD_BYTES_MAX {
            out.push(std::mem::take(&mut word));
        }
        word.push(letter);
    }
    out.push(word);
    let encoded = out
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", BASE64.encode(word)));
    encoded.collect::<Vec<_>>().join("\r\n ")
}

/// Recipients of a whole message: those of To, Cc and Bcc; and the message without its Bcc.
pub fn recipients(raw: &[u8]) -> (Vec<String>, Vec<u8>) {
    let mut to = Vec::new();
    let mut without = Vec::with_capacity(raw.len());
    let mut rest = raw;
    let mut hidden = false;
    let mut value = Vec::new();
    loop {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let (line, behind) = rest.split_at(end);
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        if !folded {
            to.append(&mut pillarbox_client::addresses(&value));
            value.clear();
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, after) = line.split_at(colon.unwrap_or(line.len()));
            let name = name.trim_ascii_end().to_ascii_lowercase();
            hidden = name == b"bcc";
            if hidden || name == b"to" || name == b"cc" {
                value.extend_from_slice(after.get(1..).unwrap_or_default());
            }
        } else if !value.is_empty() {
            value.extend_from_slice(line);
        }
        if line.trim_ascii().is_empty() && !folded {
            without.extend_from_slice(rest);
            return (to, without);
        }
        if !hidden {
            without.extend_from_slice(line);
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;

    fn head<'a>(to: &'a [String], subject: &'a str) -> Head<'a> {
        Head {
            from: "ada@example.test",
            to,
            cc: &[],
            subject,
            date: "Sat, 21 Nov 2026 10:00:00 +0000",
            message_id: "1@example.test",
        }
    }

    #[test]
    fn a_text_gets_its_header() {
        let to = ["bob@example.test".to_owned(), "c@example.test".to_owned()];
        let made = message(&head(&to, "Hello"), b"It works.").unwrap();
        assert_eq!(
            String::from_utf8(made).unwrap(),
            "From: ada@example.test\r\nTo: bob@example.test,\r\n c@example.test\r\nSubject: Hello\r\n\
             Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\nIt works.\n"
        );
    }

    #[test]
    fn other_alphabets_and_long_lines_are_encoded() {
        let to = ["bob@example.test".to_owned()];
        let subject = "Grüße und ein langer Betreff, der in kein einzelnes Wort passt";
        let made = message(&head(&to, subject), &[b'x'; 2000]).unwrap();
        let letter = pillarbox_client::Letter::read(&made);
        assert_eq!(letter.subject, subject);
        assert_eq!(letter.text, "x".repeat(2000));
        let lines = made.split(|byte| *byte == b'\n');
        assert!(lines.clone().all(|line| line.len() <= 79), "{made:?}");
    }

    #[test]
    fn no_field_can_be_smuggled_in() {
        let to = ["bob@example.test\r\nBcc: eve@example.test".to_owned()];
        assert!(message(&head(&to, "x"), b"").is_err());
        let to = ["bob@example.test".to_owned()];
        assert!(message(&head(&to, "x\r\nBcc: eve@example.test"), b"").is_err());
    }

    #[test]
    fn a_whole_message_says_who_gets_it_and_bcc_stays_here() {
        let raw = b"To: Bob <bob@example.test>,\n\tc@example.test\nbcc: eve@example.test,\n dan@example.test\n\
            Subject: x\n\nTo: nobody@example.test\nBcc: text\n";
        let (to, without) = recipients(raw);
        assert_eq!(
            to,
            [
                "bob@example.test",
                "c@example.test",
                "eve@example.test",
                "dan@example.test"
            ]
        );
        assert_eq!(
            String::from_utf8(without).unwrap(),
            "To: Bob <bob@example.test>,\n\tc@example.test\nSubject: x\n\nTo: nobody@example.test\nBcc: text\n"
        );
        assert!(recipients(b"no header at all").0.is_empty());
    }
}
