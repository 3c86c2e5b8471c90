//! ENVELOPE as values (RFC 3501 §7.4.2): header text undecoded on one line, addresses split.

use crate::Limits;
use crate::address::{Address, parse_address_list};
use crate::header::{Field, unfold};

/// The envelope of one message. Text is as in the header, unfolded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Date
    pub date: Option<Vec<u8>>,
    /// Subject
    pub subject: Option<Vec<u8>>,
    /// From
    pub from: Vec<Address>,
    /// Sender; From if missing or empty.
    pub sender: Vec<Address>,
    /// Reply-To; From if missing or empty.
    pub reply_to: Vec<Address>,
    /// To
    pub to: Vec<Address>,
    /// Cc
    pub cc: Vec<Address>,
    /// Bcc
    pub bcc: Vec<Address>,
    /// In-Reply-To
    pub in_reply_to: Option<Vec<u8>>,
    /// Message-ID
    pub message_id: Option<Vec<u8>>,
}

impl Envelope {
    /// Takes what one header field says. The first Date, Subject and ids count; several address fields add up.
    pub(crate) fn read(&mut self, field: &Field<'_>, limits: &Limits) {
        if !matches!(field.name.len(), 2..=11) {
            return;
        }
        let value = &field.value[..field.value.len().min(limits.field_bytes_max)];
        let mut lower = [0; 11];
        let name = &mut lower[..field.name.len()];
        name.copy_from_slice(field.name);
        name.make_ascii_lowercase();
        let text = |slot: &mut Option<Vec<u8>>| {
            if slot.is_none() {
                *slot = Some(unfold(value).into_owned());
            }
        };
        let list = |slot: &mut Vec<Address>| {
            slot.extend(parse_address_list(
                value,
                limits.addresses_max.saturating_sub(slot.len()),
            ));
        };
        match &*name {
            b"date" => text(&mut self.date),
            b"subject" => text(&mut self.subject),
            b"in-reply-to" => text(&mut self.in_reply_to),
            b"message-id" => text(&mut self.message_id),
            b"from" => list(&mut self.from),
            b"sender" => list(&mut self.sender),
            b"reply-to" => list(&mut self.reply_to),
            b"to" => list(&mut self.to),
            b"cc" => list(&mut self.cc),
            b"bcc" => list(&mut self.bcc),
            _ => {}
        }
    }

    /// RFC 3501 §7.4.2: sender and reply-to are never NIL when there is a From.
    pub(crate) fn complete(&mut self) {
        for slot in [&mut self.sender, &mut self.reply_to] {
            if slot.is_empty() {
                slot.clone_from(&self.from);
            }
        }
    }
}

/// The message ids of a Message-ID, In-Reply-To or References field, without brackets, at most `max`, the last ones
/// (the nearest ancestors). Text that is no `<id>` is passed over.
pub fn message_ids(value: &[u8], max: usize) -> Vec<String> {
    let mut ids = Vec::new();
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = &rest[open + 1..];
        let Some(close) = memchr::memchr2(b'>', b'<', rest) else {
            break;
        };
        if rest[close] == b'>' {
            let id: Vec<u8> = rest[..close]
                .iter()
                .copied()
                .filter(|b| !b.is_ascii_whitespace())
                .collect();
            if !id.is_empty() {
                ids.push(String::from_utf8_lossy(&id).into_owned());
            }
            rest = &rest[close + 1..];
        } else {
            rest = &rest[close..];
        }
    }
    ids.split_off(ids.len().saturating_sub(max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        assert_eq!(
            message_ids(b"<a@b> junk <c\r\n @d><<e>", 9),
            ["a@b", "c@d", "e"]
        );
        assert_eq!(message_ids(b"<a><b><c>", 2), ["b", "c"]);
        assert!(message_ids(b"no id <", 2).is_empty());
    }
}
