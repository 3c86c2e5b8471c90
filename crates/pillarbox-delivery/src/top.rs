//! The top header of a message: what submission must know of it, and the changes made to it (wire §5.5, RFC 6409 §8).
//! Fields that are not changed stay as they are, byte for byte, in their order.

use crate::Refused;
use memchr::memmem;
use pillarbox_message::{Address, Field, header_fields, parse_address_list};

/// Keeps an author's line that was replaced. Our own name only: `X-Google-Original-From` would say that Google did it.
const ORIGINAL_FROM: &str = "X-Pillarbox-Original-From";
/// Addresses of From that are told apart: two are too many already.
const AUTHORS_MAX: usize = 8;
/// A display name longer than this, in bytes, is left out of a rewritten From: lines end at 998 (RFC 5322 §2.1.1).
const NAME_BYTES_MAX: usize = 800;
/// From here the address goes on a line of its own (RFC 5322 §2.1.1 recommends 78).
const LINE_BYTES: usize = 78;
/// Fields that are there once at most (RFC 5322 §3.6). From has its own rule; Bcc is taken out anyway.
const ONCE: &[&str] = &[
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "Date",
];

/// Whether the header is complete in what was received; `searched` bytes were looked at before.
pub(crate) fn is_complete(raw: &[u8], searched: usize) -> bool {
    let from = searched.saturating_sub(3).min(raw.len());
    raw.starts_with(b"\r\n") || memmem::find(&raw[from..], b"\r\n\r\n").is_some()
}

/// The one author of a submitted message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Author {
    /// `mailbox@host`
    pub address: String,
    name: Option<Vec<u8>>,
}

/// The header as it came, with what follows it in the same bytes.
pub(crate) struct Top<'a> {
    raw: &'a [u8],
    fields: Vec<Field<'a>>,
    /// Where the last field ends.
    end: usize,
    /// Where the body begins: behind the blank line, if there is one.
    body: usize,
}

/// What becomes of a submitted header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes<'a> {
    /// The account's address, if From and Sender must not stay as they are.
    pub author: Option<&'a str>,
    /// The account's address, if a Sender of somebody else is to go.
    pub drop_sender: bool,
    /// Added.
    pub date: Option<String>,
    /// Added, without angle brackets.
    pub message_id: Option<String>,
    /// Bcc goes; the copy in Sent keeps it.
    pub drop_bcc: bool,
}

impl<'a> Top<'a> {
    pub fn read(raw: &'a [u8]) -> Self {
        let mut walk = header_fields(raw);
        let fields: Vec<_> = walk.by_ref().collect();
        let (end, body) = walk.finish();
        Self {
            raw,
            fields,
            end,
            body,
        }
    }

    /// Whether a line that is no field, and no blank line, ended the header: what comes next is body for certain.
    pub fn is_broken_off(&self) -> bool {
        self.body < self.raw.len() && !self.has_blank_line()
    }

    /// RFC 5321 §6.3.
    pub fn hops(&self) -> usize {
        self.named("Received").count()
    }

    pub fn has(&self, name: &str) -> bool {
        self.named(name).next().is_some()
    }

    pub fn has_bcc(&self) -> bool {
        self.fields.iter().any(is_bcc)
    }

    /// The author of a submitted message, if there is exactly one, in a header that has no field too often (wire §5.3).
    pub fn author(&self) -> Result<Author, Refused> {
        let mut from = self.named("From");
        let first = from.next().ok_or(Refused::NoFrom)?;
        if from.next().is_some() {
            return Err(Refused::ManyFrom);
        }
        if let Some(name) = ONCE.iter().find(|name| self.named(name).nth(1).is_some()) {
            return Err(Refused::Repeated(name));
        }
        let mut authors = mailboxes(first);
        let author = authors.next().ok_or(Refused::NoFrom)?;
        match authors.next() {
            Some(_) => Err(Refused::ManyFrom),
            None => Ok(author),
        }
    }

    /// The address of Sender, if it is there and can be read.
    pub fn sender(&self) -> Option<String> {
        let field = self.named("Sender").next()?;
        mailboxes(field).next().map(|author| author.address)
    }

    /// The changed header with everything that follows it in the same bytes. `on_top` are whole fields.
    pub fn submitted(&self, on_top: &str, author: &Author, changes: &Changes<'_>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + on_top.len() + 256);
        out.extend_from_slice(on_top.as_bytes());
        for (name, value) in [("Date", &changes.date), ("Message-ID", &changes.message_id)] {
            if let Some(value) = value {
                out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
            }
        }
        for field in &self.fields {
            let goes = field.is("Return-Path")
                || (changes.drop_bcc && is_bcc(field))
                || (changes.drop_sender && field.is("Sender"));
            match changes.author {
                _ if goes => {}
                Some(address) if field.is("From") => {
                    out.extend(rewritten(author, address));
                    self.copy(field, Some(ORIGINAL_FROM), &mut out);
                }
                _ => self.copy(field, None, &mut out),
            }
        }
        self.rest(&mut out);
        out
    }

    /// The header as it came under ours, with everything that follows it in the same bytes. A Return-Path of before is
    /// replaced by ours (RFC 5321 §4.4).
    pub fn incoming(&self, on_top: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.raw.len() + on_top.len());
        out.extend_from_slice(on_top.as_bytes());
        let mut from = self
            .fields
            .first()
            .map_or(self.end, |first| first.range.start);
        for field in self.fields.iter().filter(|field| field.is("Return-Path")) {
            out.extend_from_slice(&self.raw[from..field.range.start]);
            from = field.range.end;
        }
        let end = self.body.max(from);
        out.extend_from_slice(&self.raw[from..end]);
        self.separate(&mut out);
        out.extend_from_slice(&self.raw[end..]);
        out
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    fn copy(&self, field: &Field<'_>, under: Option<&str>, out: &mut Vec<u8>) {
        let from = match under {
            Some(name) => {
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b":");
                field.value_range.start
            }
            None => field.range.start,
        };
        out.extend_from_slice(&self.raw[from..field.range.end]);
        if !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n"); // the text ended in the middle of it
        }
    }

    /// The blank line and what follows it.
    fn rest(&self, out: &mut Vec<u8>) {
        if self.has_blank_line() {
            out.extend_from_slice(b"\r\n");
        }
        self.separate(out);
        out.extend_from_slice(&self.raw[self.body..]);
    }

    /// A body without a blank line before it gets one: else its first line would end up among our fields.
    fn separate(&self, out: &mut Vec<u8>) {
        if self.is_broken_off() {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn has_blank_line(&self) -> bool {
        self.body > self.end
    }
}

fn is_bcc(field: &Field<'_>) -> bool {
    field.is("Bcc") || field.is("Resent-Bcc")
}

fn mailboxes(field: &Field<'_>) -> impl Iterator<Item = Author> {
    // Groups count with the addresses in them (RFC 6854 §2.1).
    let addresses = parse_address_list(field.value, AUTHORS_MAX);
    addresses.into_iter().filter_map(|address| {
        let email = address.email()?;
        match address {
            Address::Mailbox {
                name,
                mailbox,
                host,
                ..
            } if !mailbox.is_empty() && !host.is_empty() => Some(Author {
                address: email,
                name,
            }),
            _ => None,
        }
    })
}

/// `From: <the name as it was> <address>`.
fn rewritten(author: &Author, address: &str) -> Vec<u8> {
    let name = author.name.as_deref().unwrap_or_default();
    let name: Vec<u8> = name
        .iter()
        .map(|b| if b.is_ascii_control() { b' ' } else { *b })
        .collect();
    let name = name.trim_ascii();
    let mut out = b"From: ".to_vec();
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX {
        out.extend(phrase(name));
        let fits = out.len() + address.len() + 3 <= LINE_BYTES;
        out.extend_from_slice(if fits { b" " } else { b"\r\n " });
    }
    out.extend_from_slice(format!("<{address}>\r\n").as_bytes());
    out
}

/// `phrase = 1*word`: atoms and encoded words as they are, anything else in quotes (RFC 5322 §3.2.5).
fn phrase(name: &[u8]) -> Vec<u8> {
    let plain =
        |b: &u8| b.is_ascii_alphanumeric() || *b >= 0x80 || b"!#$%&'*+-/=?^_`{|}~ ".contains(b);
    if name.iter().all(plain) {
        return name.to_vec();
    }
    let mut out = vec![b'"'];
    for b in name {
        if matches!(b, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*b);
    }
    out.push(b'"');
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failed unwrap is the failed test
    use super::*;
    use proptest::prelude::*;

    fn author(header: &str) -> Result<String, Refused> {
        Top::read(header.as_bytes())
            .author()
            .map(|author| author.address)
    }

    fn from(line: &str) -> String {
        let header = format!("{line}\r\n\r\nHi\r\n");
        let top = Top::read(header.as_bytes());
        let changes = Changes {
            author: Some("ada@example.com"),
            ..Changes::default()
        };
        let out = top.submitted("", &top.author().unwrap(), &changes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn exactly_one_author() {
        assert_eq!(
            author("From: ada@example.com\r\n\r\n").unwrap(),
            "ada@example.com"
        );
        assert_eq!(
            author("FROM : Ada\r\n Lovelace\r\n <Ada@Example.com>\r\n\r\n").unwrap(),
            "Ada@Example.com"
        );
        assert_eq!(
            author("From: =?utf-8?q?Ada,?= <a@b>\r\n\r\n").unwrap(),
            "a@b"
        );
        assert_eq!(author("From: Team: a@b;\r\n\r\n").unwrap(), "a@b");
        for none in [
            "To: a@b\r\n\r\n",
            "\r\nFrom: a@b\r\n",
            "From:\r\n\r\n",
            "From: <>\r\n\r\n",
            "From: Team:;\r\n\r\n",
            "",
            "x",
        ] {
            assert!(matches!(author(none), Err(Refused::NoFrom)), "{none:?}");
        }
        for many in [
            "From: a@b, c@d\r\n\r\n",
            "From: a@b\r\nfrom: a@b\r\n\r\n",
            "From: Team: a@b, c@d;\r\n\r\n",
        ] {
            assert!(matches!(author(many), Err(Refused::ManyFrom)), "{many:?}");
        }
        let twice = author("From: a@b\r\nSubject: 1\r\nSUBJECT: 2\r\n\r\n");
        assert!(matches!(twice, Err(Refused::Repeated("Subject"))));
    }

    #[test]
    fn another_author_keeps_the_name_and_the_line() {
        assert_eq!(
            from("From: \"Bob, Jr.\" <bob@example.org>"),
            "From: \"Bob, Jr.\" <ada@example.com>\r\nX-Pillarbox-Original-From: \"Bob, Jr.\" <bob@example.org>\r\n\r\nHi\r\n"
        );
        assert_eq!(
            from("from:\r\n =?utf-8?q?B=C3=B6b?=\r\n\t<bob@example.org>"),
            "From: =?utf-8?q?B=C3=B6b?= <ada@example.com>\r\nX-Pillarbox-Original-From:\r\n =?utf-8?q?B=C3=B6b?=\r\n\t<bob@example.org>\r\n\r\nHi\r\n"
        );
        assert!(from("From: Team: Böb <b@c>;").starts_with("From: Böb <ada@example.com>\r\n"));
        assert!(
            from("From: b@c (Bob \\\"x\\\")")
                .starts_with("From: \"Bob \\\"x\\\"\" <ada@example.com>\r\n")
        );
        assert!(from("From: b@c").starts_with("From: <ada@example.com>\r\n"));
        let long = "x".repeat(70);
        assert!(
            from(&format!("From: {long} <b@c>"))
                .starts_with(&format!("From: {long}\r\n <ada@example.com>\r\n"))
        );
        let longer = "x".repeat(900);
        assert!(from(&format!("From: {longer} <b@c>")).starts_with("From: <ada@example.com>\r\n"));
    }

    #[test]
    fn fields_that_go_and_fields_that_come() {
        let raw = b"Return-Path: <x@y>\r\nBcc: c@d,\r\n e@f\r\nFrom: a@b\r\nSender: e@f\r\nX-Odd : \xff\r\n\r\n.Bcc: body\r\n";
        let top = Top::read(raw);
        let author = top.author().unwrap();
        let sent = Changes {
            date: Some("D".into()),
            message_id: Some("<M>".into()),
            ..Changes::default()
        };
        let rest = b"From: a@b\r\nSender: e@f\r\nX-Odd : \xff\r\n\r\n.Bcc: body\r\n";
        let want = [
            &b"R: 1\r\nDate: D\r\nMessage-ID: <M>\r\nBcc: c@d,\r\n e@f\r\n"[..],
            rest,
        ]
        .concat();
        assert_eq!(top.submitted("R: 1\r\n", &author, &sent), want);
        let told = Changes {
            drop_bcc: true,
            drop_sender: true,
            ..Changes::default()
        };
        assert_eq!(
            top.submitted("", &author, &told),
            b"From: a@b\r\nX-Odd : \xff\r\n\r\n.Bcc: body\r\n"
        );
    }

    #[test]
    fn incoming_mail_stays_as_it_is() {
        let with = |raw: &[u8]| String::from_utf8(Top::read(raw).incoming("T: 1\r\n")).unwrap();
        assert_eq!(
            with(b"A: 1\r\nReturn-Path: <x>\r\nB: 2\r\n\r\nbody"),
            "T: 1\r\nA: 1\r\nB: 2\r\n\r\nbody"
        );
        assert_eq!(with(b"A: 1\r\nB: 2\r\n"), "T: 1\r\nA: 1\r\nB: 2\r\n");
        assert_eq!(
            with(b"From x Mon\r\nA: 1\r\n\r\nb"),
            "T: 1\r\nA: 1\r\n\r\nb"
        );
        assert_eq!(
            with(b"just text\r\nmore\r\n"),
            "T: 1\r\n\r\njust text\r\nmore\r\n"
        );
        assert_eq!(
            with(b"A: 1\r\nno field\r\nnor this\r\n"),
            "T: 1\r\nA: 1\r\n\r\nno field\r\nnor this\r\n"
        );
        assert_eq!(with(b"\r\nbody"), "T: 1\r\n\r\nbody");
        assert_eq!(with(b""), "T: 1\r\n");
    }

    #[test]
    fn complete_wherever_the_pieces_end() {
        let raw = b"A: 1\r\n\r\nbody";
        for cut in 0..=raw.len() {
            assert_eq!(is_complete(&raw[..cut], 0), cut >= 8);
            if cut < 8 {
                assert!(is_complete(raw, cut), "{cut}");
            }
        }
        assert!(is_complete(b"\r\n", 0));
    }

    proptest! {
        #[test]
        fn anything_may_come(raw in proptest::collection::vec(proptest::sample::select(&b"From: aB<>@,;:\"\\(\r\n\r\n \t\x00\xff-"[..]), 0..120)) {
            let top = Top::read(&raw);
            let _ = (top.hops(), top.sender(), top.has_bcc());
            let incoming = top.incoming("T: 1\r\n");
            prop_assert!(incoming.len() >= raw.len().saturating_sub(120));
            let body = &raw[top.body..];
            prop_assert!(incoming.ends_with(body));
            if let Ok(author) = top.author() {
                let changes = Changes { author: Some("ada@example.com"), drop_bcc: true, ..Changes::default() };
                let out = top.submitted("", &author, &changes);
                prop_assert!(out.ends_with(body));
                prop_assert_eq!(Top::read(&out).author().unwrap().address, "ada@example.com");
            }
        }
    }
}
