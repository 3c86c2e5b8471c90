//! What replies become: mailboxes, messages, news.

use crate::letter::people;
use pillarbox_message::{Address, Envelope, decode_words};
use pillarbox_wire::imap::reply::{FetchData, Listed, Untagged, Value};
use pillarbox_wire::imap::{DateTime, Flag, NumberSet, SpecialUse};

/// Something the server said unasked.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// So many messages are in the mailbox now; more than before means that mail arrived.
    Exists(u32),
    /// The message with this sequence number is gone; all later ones moved down by one.
    Expunged(u32),
    /// The messages with these UIDs are gone (RFC 7162 §3.2.10).
    Vanished(NumberSet),
    /// Flags of a message changed.
    Flags {
        /// Its sequence number.
        sequence: u32,
        /// Its UID, if the server said it.
        uid: Option<u32>,
        /// All its flags now.
        flags: Vec<Flag>,
    },
    /// To be shown to the person (RFC 3501 §7.1).
    Alert(String),
    /// More was said than is kept ([`Limits::events_max`](crate::Limits::events_max)): look at the mailbox again.
    Missed,
}

impl Event {
    pub(super) fn read(untagged: Untagged) -> Option<Self> {
        match untagged {
            Untagged::Exists(count) => Some(Self::Exists(count)),
            Untagged::Expunge(sequence) => Some(Self::Expunged(sequence)),
            Untagged::Vanished {
                earlier: false,
                uids,
            } => Some(Self::Vanished(uids)),
            Untagged::Fetch(sequence, data) => {
                let (mut uid, mut flags) = (None, None);
                for item in data {
                    match item {
                        FetchData::Uid(number) => uid = Some(number),
                        FetchData::Flags(all) => flags = Some(all),
                        _ => {}
                    }
                }
                flags.map(|flags| Self::Flags {
                    sequence,
                    uid,
                    flags,
                })
            }
            _ => None,
        }
    }
}

/// A mailbox as LIST shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its name, decoded.
    pub name: String,
    /// Between the names of parents and children.
    pub delimiter: Option<char>,
    /// With their backslashes: `\Noselect`, `\HasChildren`, `\Sent`.
    pub attributes: Vec<String>,
}

impl Folder {
    pub(super) fn read(listed: Listed) -> Self {
        Self {
            name: listed.mailbox,
            delimiter: listed.delimiter,
            attributes: listed.attributes,
        }
    }

    /// What it is for (RFC 6154). Names differ by server and language; this does not.
    #[must_use]
    pub fn special_use(&self) -> Option<SpecialUse> {
        self.attributes.iter().find_map(|attribute| {
            let name = attribute.strip_prefix('\\')?;
            SpecialUse::parse(name.as_bytes())
        })
    }

    /// Whether it can be selected.
    #[must_use]
    pub fn is_selectable(&self) -> bool {
        !self.attributes.iter().any(|attribute| {
            attribute.eq_ignore_ascii_case("\\Noselect")
                || attribute.eq_ignore_ascii_case("\\NonExistent")
        })
    }
}

/// A mailbox that was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// Its name, as it was asked for.
    pub mailbox: String,
    /// How many messages are in it.
    pub exists: u32,
    /// UIDs remembered from another UIDVALIDITY mean nothing.
    pub uid_validity: Option<u32>,
    /// At least the UID of the next message that arrives.
    pub uid_next: Option<u32>,
    /// Of RFC 7162.
    pub highest_mod_seq: Option<u64>,
    /// Flags in use.
    pub flags: Vec<Flag>,
    /// Flags that can be kept.
    pub permanent_flags: Vec<Flag>,
    /// Nothing can be changed.
    pub read_only: bool,
}

/// What was fetched of a message; what was not asked for is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its UID.
    pub uid: u32,
    /// FLAGS
    pub flags: Option<Vec<Flag>>,
    /// INTERNALDATE: when it arrived.
    pub arrived: Option<DateTime>,
    /// RFC822.SIZE, in bytes.
    pub size: Option<u64>,
    /// ENVELOPE
    pub envelope: Option<Envelope>,
    /// Everything else that was asked for, as it came: sections, BODYSTRUCTURE, MODSEQ, Gmail's items.
    pub others: Vec<FetchData>,
}

impl Message {
    /// Takes what one FETCH reply says; a server may send several for one message.
    pub(super) fn add(&mut self, data: Vec<FetchData>) {
        for item in data {
            match item {
                FetchData::Uid(uid) => self.uid = uid,
                FetchData::Flags(flags) => self.flags = Some(flags),
                FetchData::InternalDate(date) => self.arrived = Some(date),
                FetchData::Size(bytes) => self.size = Some(bytes),
                FetchData::Envelope(value) => self.envelope = Some(envelope(value)),
                other => self.others.push(other),
            }
        }
    }

    /// The subject as text, if an envelope was asked for and has one.
    #[must_use]
    pub fn subject(&self) -> Option<String> {
        let subject = self.envelope.as_ref()?.subject.as_ref()?;
        Some(decode_words(subject))
    }

    /// Who wrote it, as `Ada <ada@example.org>`, if an envelope was asked for.
    #[must_use]
    pub fn from(&self) -> Vec<String> {
        let envelope = self.envelope.as_ref();
        envelope.map_or_else(Vec::new, |envelope| people(&envelope.from))
    }

    /// The address alone of the first who wrote it.
    #[must_use]
    pub fn sender(&self) -> Option<String> {
        self.envelope.as_ref()?.from.iter().find_map(Address::email)
    }

    /// The first section that was asked for, such as `BODY[]`.
    #[must_use]
    pub fn section(&self) -> Option<&[u8]> {
        self.others.iter().find_map(|item| match item {
            FetchData::Section(_, _, Some(bytes)) => Some(bytes.as_slice()),
            _ => None,
        })
    }
}

/// `envelope` (RFC 3501 §9). A server that sends fewer fields, or others, is forgiven: they are only shown.
fn envelope(value: Value) -> Envelope {
    let mut fields = value.into_list().unwrap_or_default().into_iter();
    let mut next = || fields.next().unwrap_or(Value::Nil);
    Envelope {
        date: text(next()),
        subject: text(next()),
        from: addresses(next()),
        sender: addresses(next()),
        reply_to: addresses(next()),
        to: addresses(next()),
        cc: addresses(next()),
        bcc: addresses(next()),
        in_reply_to: text(next()),
        message_id: text(next()),
    }
}

fn text(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::Text(bytes) => Some(bytes),
        _ => None,
    }
}

fn addresses(value: Value) -> Vec<Address> {
    let list = value.into_list().unwrap_or_default();
    list.into_iter().filter_map(address).collect()
}

/// `address` (RFC 3501 §9); a host of NIL marks the begin of a group, or with a mailbox of NIL its end (§7.4.2).
fn address(value: Value) -> Option<Address> {
    let mut fields = value.into_list()?.into_iter().map(text);
    let mut next = || fields.next().flatten();
    let (name, route, mailbox, host) = (next(), next(), next(), next());
    Some(match (mailbox, host) {
        (None, None) => Address::GroupEnd,
        (Some(group), None) => Address::GroupStart(group),
        (mailbox, Some(host)) => Address::Mailbox {
            name,
            route,
            mailbox: mailbox.unwrap_or_default(),
            host,
        },
    })
}
