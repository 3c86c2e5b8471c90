//! A message as a person reads it: who, when, what about, and the text. It shows no HTML, opens no attachment and judges
//! nothing. Texts are the sender's and may hold anything, also what a terminal obeys: who shows them cleans them.

use pillarbox_message::{
    Address, Entity, Kind, Limits, Structure, decode_charset, decode_param, decode_transfer,
    decode_words, parse_address_list, parse_date, strip_html,
};

/// Most of a text that is decoded, in bytes.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// A message, read. What is missing is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Letter {
    /// `Ada <ada@example.org>`
    pub from: Vec<String>,
    /// The same.
    pub to: Vec<String>,
    /// The same.
    pub cc: Vec<String>,
    /// The subject, decoded.
    pub subject: String,
    /// When it was written, by its own account: seconds since 1970 and minutes east of UTC.
    pub date: Option<(i64, i16)>,
    /// Its text: the first part of plain text, or that of the HTML part without its marks.
    pub text: String,
    /// Names of the attachments; a type where there is no name.
    pub attachments: Vec<String>,
}

impl Letter {
    /// Reads a whole message. Never fails: what breaks the rules is read as well as can be.
    #[must_use]
    pub fn read(raw: &[u8]) -> Self {
        let structure = Structure::parse(raw, &Limits::default());
        let mut letter = Self::default();
        if let Some(envelope) = &structure.root().envelope {
            let words = |text: &Option<Vec<u8>>| text.as_deref().map(decode_words);
            letter.from = people(&envelope.from);
            letter.to = people(&envelope.to);
            letter.cc = people(&envelope.cc);
            letter.subject = words(&envelope.subject).unwrap_or_default();
            let date = envelope.date.as_deref().and_then(parse_date);
            letter.date = date.map(|date| (date.unix, date.zone_minutes));
        }
        // A message inside the message is an attachment, and so is what is in it.
        let inside = |entity: &Entity| {
            let mut around = entity.parent;
            while let Some(parent) = around.and_then(|index| structure.entities.get(index)) {
                if parent.kind == Kind::Message {
                    return true;
                }
                around = parent.parent;
            }
            false
        };
        let (mut plain, mut html) = (None, None);
        for entity in structure.entities.iter().filter(|entity| !inside(entity)) {
            let content = &entity.content;
            match entity.kind {
                Kind::Multipart => {}
                Kind::Text if !content.is_attachment() && content.is("text", "plain") => {
                    plain.get_or_insert(entity);
                }
                Kind::Text if !content.is_attachment() && content.is("text", "html") => {
                    html.get_or_insert(entity);
                }
                _ => letter.attachments.push(named(entity)),
            }
        }
        letter.text = match (plain, html) {
            (Some(part), _) => text(raw, part),
            (None, Some(part)) => strip_html(&text(raw, part)),
            (None, None) => String::new(),
        };
        letter
    }
}

/// Most addresses of one field.
const ADDRESSES_MAX: usize = 1000;

/// The plain addresses in the value of a field such as To, names and groups left out.
#[must_use]
pub fn addresses(field: &[u8]) -> Vec<String> {
    let list = parse_address_list(field, ADDRESSES_MAX);
    list.iter().filter_map(Address::email).collect()
}

/// `Ada <ada@example.org>`, or the address alone; marks of groups left out.
pub(crate) fn people(list: &[Address]) -> Vec<String> {
    list.iter().filter_map(person).collect()
}

fn person(address: &Address) -> Option<String> {
    let email = address.email()?;
    match address {
        Address::Mailbox {
            name: Some(name), ..
        } => Some(format!("{} <{email}>", decode_words(name))),
        _ => Some(email),
    }
}

fn named(entity: &Entity) -> String {
    let content = &entity.content;
    content.filename().unwrap_or_else(|| {
        let word = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_lowercase();
        format!("{}/{}", word(&content.media_type), word(&content.subtype))
    })
}

fn text(raw: &[u8], part: &Entity) -> String {
    let body = raw.get(part.body.clone()).unwrap_or_default();
    let decoded = decode_transfer(body, part.content.transfer(), TEXT_BYTES_MAX);
    let decoded = &decoded[..decoded.len().min(TEXT_BYTES_MAX)];
    let charset = decode_param(&part.content.params, "charset").unwrap_or_default();
    decode_charset(charset.as_bytes(), decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_text_of_a_mail_with_html_and_attachments() {
        let raw = b"From: =?utf-8?q?Ad=C3=A4?= <ada@example.org>\r\nTo: bob@example.org, C <c@example.org>\r\n\
            Subject: =?utf-8?b?SGVsbMO2?=\r\nDate: Sat, 21 Nov 2026 10:00:00 +0100\r\n\
            Content-Type: multipart/mixed; boundary=m\r\n\r\n--m\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n\
            --a\r\nContent-Type: text/html\r\n\r\n<b>no</b>\r\n--a\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=\r\n=DFe\r\n--a--\r\n--m\r\n\
            Content-Type: text/plain; name=notes.txt\r\nContent-Disposition: attachment\r\n\r\nx\r\n--m\r\n\
            Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninner text\r\n--m--\r\n";
        let letter = Letter::read(raw);
        assert_eq!(letter.from, ["Ad\u{e4} <ada@example.org>"]);
        assert_eq!(letter.to, ["bob@example.org", "C <c@example.org>"]);
        assert_eq!(letter.subject, "Hell\u{f6}");
        assert_eq!(letter.date, Some((1_795_251_600, 60)));
        assert_eq!(letter.text, "Gr\u{fc}\u{df}e");
        assert_eq!(letter.attachments, ["notes.txt", "message/rfc822"]);
    }

    #[test]
    fn html_alone_is_shown_as_text_and_no_message_is_too_broken() {
        let letter = Letter::read(b"Content-Type: text/html\r\n\r\n<p>One &amp; two</p>");
        assert_eq!(letter.text.trim(), "One & two");
        assert_eq!(Letter::read(b""), Letter::default());
        assert_eq!(Letter::read(b"\xff\0").attachments.len(), 0);
    }
}
