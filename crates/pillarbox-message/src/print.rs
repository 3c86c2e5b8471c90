//! ENVELOPE, BODY and BODYSTRUCTURE as IMAP sends them (RFC 3501 §7.4.2, §9). Why here: see the crate.
//!
//! Strings are quoted while they are plain ASCII, and literals otherwise; text is as in the message, with its case.

use crate::address::Address;
use crate::content::{Content, Disposition, Param};
use crate::envelope::Envelope;
use crate::{Kind, Structure};

/// Quoted strings with more escapes than this are sent as literals: some clients do not undo them.
const ESCAPES_MAX: usize = 8;

/// The envelope of the message: `(date subject from sender reply-to to cc bcc in-reply-to message-id)`.
pub fn print_envelope(structure: &Structure) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    match &structure.root().envelope {
        Some(e) => envelope(e, &mut out),
        None => envelope(&Envelope::default(), &mut out),
    }
    out
}

/// The tree of parts without extension data: the answer to BODY.
pub fn print_body(structure: &Structure) -> Vec<u8> {
    print_tree(structure, false)
}

/// The tree of parts with extension data: the answer to BODYSTRUCTURE.
pub fn print_bodystructure(structure: &Structure) -> Vec<u8> {
    print_tree(structure, true)
}

/// Walks the tree with its own stack: its depth is the sender's choice.
fn print_tree(structure: &Structure, extended: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut todo = vec![(0, false)];
    while let Some((index, done)) = todo.pop() {
        let entity = &structure.entities[index];
        if done {
            end_of(structure, index, extended, &mut out);
            continue;
        }
        match entity.kind {
            Kind::Multipart => out.push(b'('),
            _ => start_of(structure, index, &mut out),
        }
        todo.push((index, true));
        todo.extend(entity.children.iter().rev().map(|&child| (child, false)));
    }
    out
}

/// What stands before the children: type, fields and size; for a message also its envelope.
fn start_of(structure: &Structure, index: usize, out: &mut Vec<u8>) {
    let entity = &structure.entities[index];
    out.push(b'(');
    media_type(&entity.content, entity.kind, out);
    fields(&entity.content, out);
    out.push(b' ');
    number(entity.body.len(), out);
    if entity.kind == Kind::Message {
        out.push(b' ');
        let inner = entity
            .children
            .first()
            .and_then(|&c| structure.entities[c].envelope.as_deref());
        envelope(inner.unwrap_or(&Envelope::default()), out);
        out.push(b' ');
    }
}

/// What stands behind the children: lines and extension data.
fn end_of(structure: &Structure, index: usize, extended: bool, out: &mut Vec<u8>) {
    let entity = &structure.entities[index];
    let content = &entity.content;
    match entity.kind {
        Kind::Multipart => {
            out.push(b' ');
            string(&content.subtype, out);
            if extended {
                out.push(b' ');
                params(&content.params, out);
            }
        }
        kind => {
            if matches!(kind, Kind::Text | Kind::Message) {
                out.push(b' ');
                number(entity.lines, out);
            }
            if extended {
                out.push(b' ');
                nstring(content.md5.as_deref(), out);
            }
        }
    }
    if extended {
        out.push(b' ');
        disposition(content.disposition.as_ref(), out);
        out.push(b' ');
        languages(&content.language, out);
        out.push(b' ');
        nstring(content.location.as_deref(), out);
    }
    out.push(b')');
}

/// The grammar knows `message/rfc822` and `text/*` only with what belongs to them; an encoded message, or one that a limit
/// kept closed, is shown as what clients can save: octets.
fn media_type(content: &Content, kind: Kind, out: &mut Vec<u8>) {
    let opaque = kind == Kind::Closed || kind == Kind::Leaf && content.is("message", "rfc822");
    let (media_type, subtype) = if opaque {
        (&b"application"[..], &b"octet-stream"[..])
    } else {
        (&content.media_type[..], &content.subtype[..])
    };
    string(media_type, out);
    out.push(b' ');
    string(subtype, out);
    out.push(b' ');
    params(
        if kind == Kind::Closed {
            &[]
        } else {
            &content.params
        },
        out,
    );
}

/// `body-fld-id SP body-fld-desc SP body-fld-enc`
fn fields(content: &Content, out: &mut Vec<u8>) {
    out.push(b' ');
    nstring(content.id.as_deref(), out);
    out.push(b' ');
    nstring(content.description.as_deref(), out);
    out.push(b' ');
    string(content.encoding.as_deref().unwrap_or(b"7bit"), out);
}

fn params(params: &[Param], out: &mut Vec<u8>) {
    if params.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    for (i, (name, value)) in params.iter().enumerate() {
        out.push(if i == 0 { b'(' } else { b' ' });
        string(name, out);
        out.push(b' ');
        string(value, out);
    }
    out.push(b')');
}

fn disposition(disposition: Option<&Disposition>, out: &mut Vec<u8>) {
    let Some(d) = disposition else {
        return out.extend_from_slice(b"NIL");
    };
    out.push(b'(');
    string(&d.kind, out);
    out.push(b' ');
    params(&d.params, out);
    out.push(b')');
}

fn languages(tags: &[Vec<u8>], out: &mut Vec<u8>) {
    match tags {
        [] => out.extend_from_slice(b"NIL"),
        [one] => string(one, out),
        many => {
            for (i, tag) in many.iter().enumerate() {
                out.push(if i == 0 { b'(' } else { b' ' });
                string(tag, out);
            }
            out.push(b')');
        }
    }
}

fn envelope(e: &Envelope, out: &mut Vec<u8>) {
    out.push(b'(');
    nstring(e.date.as_deref(), out);
    out.push(b' ');
    nstring(e.subject.as_deref(), out);
    for list in [&e.from, &e.sender, &e.reply_to, &e.to, &e.cc, &e.bcc] {
        out.push(b' ');
        addresses(list, out);
    }
    out.push(b' ');
    nstring(e.in_reply_to.as_deref(), out);
    out.push(b' ');
    nstring(e.message_id.as_deref(), out);
    out.push(b')');
}

fn addresses(list: &[Address], out: &mut Vec<u8>) {
    if list.is_empty() {
        return out.extend_from_slice(b"NIL");
    }
    out.push(b'(');
    for address in list {
        match address {
            Address::Mailbox {
                name,
                route,
                mailbox,
                host,
            } => {
                out.push(b'(');
                nstring(name.as_deref(), out);
                out.push(b' ');
                nstring(route.as_deref(), out);
                out.push(b' ');
                string(mailbox, out);
                out.push(b' ');
                string(host, out);
                out.push(b')');
            }
            Address::GroupStart(name) => {
                out.extend_from_slice(b"(NIL NIL ");
                string(name, out);
                out.extend_from_slice(b" NIL)");
            }
            Address::GroupEnd => out.extend_from_slice(b"(NIL NIL NIL NIL)"),
        }
    }
    out.push(b')');
}

fn nstring(text: Option<&[u8]>, out: &mut Vec<u8>) {
    match text {
        Some(text) => string(text, out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// `string = quoted / literal`; neither can hold a NUL (RFC 3501 §9, CHAR8), which becomes a question mark.
fn string(text: &[u8], out: &mut Vec<u8>) {
    let plain = text.iter().all(|b| matches!(b, b'\t' | 0x20..=0x7e));
    let escapes = text.iter().filter(|b| matches!(b, b'"' | b'\\')).count();
    if !plain || escapes > ESCAPES_MAX {
        out.push(b'{');
        number(text.len(), out);
        out.extend_from_slice(b"}\r\n");
        out.extend(text.iter().map(|&b| if b == 0 { b'?' } else { b }));
        return;
    }
    out.push(b'"');
    if escapes == 0 {
        out.extend_from_slice(text);
    } else {
        for &b in text {
            if matches!(b, b'"' | b'\\') {
                out.push(b'\\');
            }
            out.push(b);
        }
    }
    out.push(b'"');
}

fn number(n: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(n.to_string().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    fn show(raw: &str, print: fn(&Structure) -> Vec<u8>) -> String {
        String::from_utf8_lossy(&print(&Structure::parse(
            raw.as_bytes(),
            &Limits::default(),
        )))
        .into_owned()
    }

    #[test]
    fn rfc3501_envelope_example() {
        let raw = "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
            Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
            cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>\r\nMessage-Id: <B27397-0100000@cac.washington.edu>\r\n\
            MIME-Version: 1.0\r\nContent-Type: TEXT/PLAIN; CHARSET=US-ASCII\r\n\r\nhi\r\nyou\r\n";
        assert_eq!(
            show(raw, print_envelope),
            r#"("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) (("Terry Gray" NIL "gray" "cac.washington.edu")) ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")"#
        );
        assert_eq!(
            show(raw, print_body),
            r#"("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7bit" 9 2)"#
        );
    }

    #[test]
    fn strings() {
        let show = |text: &[u8]| {
            let mut out = Vec::new();
            string(text, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        };
        assert_eq!(show(b""), "\"\"");
        assert_eq!(show(br#"a"b\c"#), r#""a\"b\\c""#);
        assert_eq!(show("é".as_bytes()), "{2}\r\né");
        assert_eq!(show(b"a\0\x01"), "{3}\r\na?\x01");
        assert_eq!(show(&[b'"'; 9]), format!("{{9}}\r\n{}", "\"".repeat(9)));
    }

    #[test]
    fn extension_data() {
        let raw = "Content-Type: multipart/mixed; boundary=x\r\nContent-Language: en, de\r\n\r\n--x\r\n\r\nhi\r\n--x\r\n\
            Content-Type: image/png; name=a.png\r\nContent-ID: <i>\r\nContent-Disposition: attachment; filename=\"a b\"\r\n\
            Content-Transfer-Encoding: base64\r\nContent-Location: u\r\nContent-MD5: Q2hlY2s=\r\n\r\nAAAA\r\n--x\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: in\r\n\r\nbody\r\n--x--\r\n";
        assert_eq!(
            show(raw, print_bodystructure),
            r#"(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 2 0 NIL NIL NIL NIL)("image" "png" ("name" "a.png") "<i>" NIL "base64" 4 "Q2hlY2s=" ("attachment" ("filename" "a b")) NIL "u")("message" "rfc822" NIL NIL NIL "7bit" 19 (NIL "in" NIL NIL NIL NIL NIL NIL NIL NIL) ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 4 0 NIL NIL NIL NIL) 2 NIL NIL NIL NIL) "mixed" ("boundary" "x") NIL ("en" "de") NIL)"#
        );
    }
}
