//! The layout of an account's rows on disk: every key the mail level writes is made here.
//!
//! A key is a type byte and then numbers, big-endian, so that one range scan reads what belongs together in its order.
//!
//! | type | rest of the key | value | one row for |
//! |---|---|---|---|
//! | `01` | | [`Head`](super::head::Head)'s numbers | the account: naming, next ids, usage |
//! | `02` | | settings | the account |
//! | `03` | address | `0` primary, `1` alias | each address that leads here |
//! | `04` | keyword id (u16) | the keyword as first spelled | each keyword ever used |
//! | `10` | mailbox (u32) | mailbox record | each mailbox, also one still being emptied after its deletion |
//! | `11` | mailbox (u32), UID (u32) | message, flags, mod-sequence, size, dates | each message in each mailbox |
//! | `12` | mailbox (u32), UID (u32) | the row as it was, time it left | each row that left a mailbox, for a grace period |
//! | `20` | message (u64) | thread, blob, digest, flags, places | each message, also dead ones for a grace period |
//! | `21` | message (u64), piece (u16) | piece of the encoded facts | each piece of at most 60 kB |
//! | `30` | digest of a Message-ID (16) | thread, time | each message known or mentioned in References |
//! | `31` | digest of a base subject (16) | thread, time | the newest thread of each base subject |
//! | `32` | digest of a Message-ID (16), message (u64) | nothing | each living message, to find it by its Message-ID |
//! | `40` | what the sender chose (32) | the answer given, time | each delivery of the last days |
//! | `70` | address | account, kind | each address, in the directory's accounts only |
//! | `71` | | format number | the store, in the account `sys/format` only |
//! | `80` | the other floor's key | the other floor's value | each row of another floor |
//!
//! A dead message or row is one that was expunged and is kept until [`Store::purge`](super::Store::purge).

use bytes::Bytes;

use super::{MailboxId, MessageId, Uid};

/// Rows `01` to `04` are the head; with the mailboxes they are what the writer keeps in memory.
pub(super) const HEAD: u8 = 0x01;
pub(super) const SETTINGS: u8 = 0x02;
pub(super) const ADDRESS: u8 = 0x03;
pub(super) const KEYWORD: u8 = 0x04;
pub(super) const MAILBOX: u8 = 0x10;
pub(super) const ROW: u8 = 0x11;
pub(super) const TOMB: u8 = 0x12;
pub(super) const MESSAGE: u8 = 0x20;
pub(super) const FACTS: u8 = 0x21;
pub(super) const MENTION: u8 = 0x30;
pub(super) const SUBJECT: u8 = 0x31;
pub(super) const MESSAGE_ID: u8 = 0x32;
pub(super) const DEDUP: u8 = 0x40;
pub(super) const DIRECTORY: u8 = 0x70;
pub(super) const FORMAT: u8 = 0x71;
pub(super) const OTHER: u8 = 0x80;

/// 16 bytes that stand for a Message-ID or a base subject in keys.
pub(super) type Digest16 = [u8; 16];

fn join(kind: u8, parts: &[&[u8]]) -> Bytes {
    let mut key = Vec::with_capacity(1 + parts.iter().map(|part| part.len()).sum::<usize>());
    key.push(kind);
    for part in parts {
        key.extend_from_slice(part);
    }
    key.into()
}

pub(super) fn one(kind: u8) -> Bytes {
    join(kind, &[])
}

pub(super) fn address(address: &str) -> Bytes {
    join(ADDRESS, &[address.as_bytes()])
}

pub(super) fn directory(address: &str) -> Bytes {
    join(DIRECTORY, &[address.as_bytes()])
}

pub(super) fn keyword(id: u16) -> Bytes {
    join(KEYWORD, &[&id.to_be_bytes()])
}

pub(super) fn mailbox(id: MailboxId) -> Bytes {
    join(MAILBOX, &[&id.0.to_be_bytes()])
}

pub(super) fn rows_of(kind: u8, mailbox: MailboxId) -> Bytes {
    join(kind, &[&mailbox.0.to_be_bytes()])
}

pub(super) fn row(mailbox: MailboxId, uid: Uid) -> Bytes {
    place(ROW, mailbox, uid)
}

/// A row or a tombstone of a row.
pub(super) fn place(kind: u8, mailbox: MailboxId, uid: Uid) -> Bytes {
    join(kind, &[&mailbox.0.to_be_bytes(), &uid.0.to_be_bytes()])
}

pub(super) fn message(id: MessageId) -> Bytes {
    join(MESSAGE, &[&id.0.to_be_bytes()])
}

pub(super) fn facts(id: MessageId, piece: u16) -> Bytes {
    join(FACTS, &[&id.0.to_be_bytes(), &piece.to_be_bytes()])
}

pub(super) fn mention(of: &Digest16) -> Bytes {
    join(MENTION, &[of])
}

pub(super) fn subject(of: &Digest16) -> Bytes {
    join(SUBJECT, &[of])
}

pub(super) fn message_ids(of: &Digest16) -> Bytes {
    join(MESSAGE_ID, &[of])
}

pub(super) fn message_id(of: &Digest16, id: MessageId) -> Bytes {
    join(MESSAGE_ID, &[of, &id.0.to_be_bytes()])
}

pub(super) fn dedup(of: &[u8; 32]) -> Bytes {
    join(DEDUP, &[of])
}

pub(super) fn other(key: &[u8]) -> Bytes {
    join(OTHER, &[key])
}

/// The UID at the end of a row's or tombstone's key.
pub(super) fn uid_of(key: &[u8]) -> Option<Uid> {
    let (_, tail) = key.split_last_chunk::<4>()?;
    (key.len() == 9).then(|| Uid(u32::from_be_bytes(*tail)))
}

/// The mailbox of a row's, tombstone's or mailbox record's key.
pub(super) fn mailbox_of(key: &[u8]) -> Option<MailboxId> {
    let id = key.get(1..)?.first_chunk::<4>()?;
    Some(MailboxId(u32::from_be_bytes(*id)))
}

/// The message of a message's or fact piece's key.
pub(super) fn message_of(key: &[u8]) -> Option<MessageId> {
    let id = key.get(1..)?.first_chunk::<8>()?;
    Some(MessageId(u64::from_be_bytes(*id)))
}

/// The message at the end of a Message-ID row's key.
pub(super) fn message_at_end(key: &[u8]) -> Option<MessageId> {
    let (_, tail) = key.split_last_chunk::<8>()?;
    Some(MessageId(u64::from_be_bytes(*tail)))
}
