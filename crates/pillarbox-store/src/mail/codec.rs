//! Values as bytes. Every value begins with the number of its form, so that a later form can be told from this one; reading
//! checks everything and answers [`StoreError::Corrupt`], whatever the bytes are.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Change, LastLabel, Mailbox, MailboxId, MessageId, Millis, PopDisposition, PopWindow, Role,
    Settings, StoreError, SystemFlags, ThreadId, Uid, Version, keys::Digest16,
};
use crate::blob::BlobId;

/// The only form of every value so far.
const FORM: u8 = 1;

type Result<T> = std::result::Result<T, StoreError>;

/// Appends numbers, big-endian.
#[derive(Default)]
pub(super) struct Put(Vec<u8>);

impl Put {
    pub(super) fn form() -> Self {
        Self(vec![FORM])
    }
    pub(super) fn u8(mut self, n: u8) -> Self {
        self.0.push(n);
        self
    }
    pub(super) fn bool(self, n: bool) -> Self {
        self.u8(u8::from(n))
    }
    pub(super) fn u16(mut self, n: u16) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }
    pub(super) fn u32(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }
    pub(super) fn u64(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }
    pub(super) fn i64(mut self, n: i64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }
    pub(super) fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }
    /// At most 65,535 bytes, which the caller has seen to.
    pub(super) fn text(self, text: &str) -> Self {
        let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
        self.u16(length)
            .raw(&text.as_bytes()[..usize::from(length)])
    }
    pub(super) fn option(self, n: Option<i64>) -> Self {
        self.bool(n.is_some()).i64(n.unwrap_or(0))
    }
    pub(super) fn done(self) -> Bytes {
        self.0.into()
    }
}

/// Takes numbers from the front.
pub(super) struct Take<'a> {
    rest: &'a [u8],
    what: &'static str,
}

impl<'a> Take<'a> {
    /// Begins a value of the one form there is.
    pub(super) fn form(bytes: &'a [u8], what: &'static str) -> Result<Self> {
        let mut take = Self { rest: bytes, what };
        if take.u8()? == FORM {
            Ok(take)
        } else {
            Err(StoreError::Corrupt(what))
        }
    }
    fn chunk<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(StoreError::Corrupt(self.what))?;
        self.rest = rest;
        Ok(*head)
    }
    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(self.chunk::<1>()?[0])
    }
    pub(super) fn bool(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(StoreError::Corrupt(self.what)),
        }
    }
    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_be_bytes(self.chunk()?))
    }
    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_be_bytes(self.chunk()?))
    }
    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_be_bytes(self.chunk()?))
    }
    pub(super) fn i64(&mut self) -> Result<i64> {
        Ok(i64::from_be_bytes(self.chunk()?))
    }
    pub(super) fn option(&mut self) -> Result<Option<i64>> {
        let is = self.bool()?;
        let n = self.i64()?;
        Ok(is.then_some(n))
    }
    pub(super) fn raw<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.chunk()
    }
    pub(super) fn text(&mut self) -> Result<&'a str> {
        let length = usize::from(self.u16()?);
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or(StoreError::Corrupt(self.what))?;
        self.rest = rest;
        std::str::from_utf8(head).map_err(|_| StoreError::Corrupt(self.what))
    }
    /// The end must be reached: a longer value is one we do not understand.
    pub(super) fn end(self) -> Result<()> {
        if self.rest.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Corrupt(self.what))
        }
    }
}

/// Ids of keywords, ascending.
pub(super) type KeywordIds = Vec<u16>;

/// The value of one message in one mailbox. Its numbers lie at fixed places, so that reading 20,000 of them is copying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlaceRow {
    pub(super) system: SystemFlags,
    pub(super) message: MessageId,
    pub(super) thread: ThreadId,
    pub(super) modseq: Version,
    pub(super) size: u32,
    pub(super) received: Millis,
    pub(super) sent: Option<Millis>,
    pub(super) saved: Millis,
    pub(super) keywords: KeywordIds,
}

impl PlaceRow {
    pub(super) fn encode(&self) -> Bytes {
        put_keywords(self.fixed(), &self.keywords).done()
    }

    fn fixed(&self) -> Put {
        Put::form()
            .u8(self.system.0)
            .u64(self.message.0)
            .u64(self.thread.0)
            .u64(self.modseq)
            .u32(self.size)
            .i64(self.received)
            .option(self.sent)
            .i64(self.saved)
    }

    fn take(take: &mut Take<'_>) -> Result<Self> {
        Ok(Self {
            system: SystemFlags(take.u8()?),
            message: MessageId(take.u64()?),
            thread: ThreadId(take.u64()?),
            modseq: take.u64()?,
            size: take.u32()?,
            received: take.i64()?,
            sent: take.option()?,
            saved: take.i64()?,
            keywords: take_keywords(take)?,
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut take = Take::form(bytes, "mailbox row")?;
        let row = Self::take(&mut take)?;
        take.end()?;
        Ok(row)
    }

    /// The row as it was, and when it left.
    pub(super) fn encode_tomb(&self, left: Millis) -> Bytes {
        put_keywords(self.fixed(), &self.keywords).i64(left).done()
    }

    pub(super) fn decode_tomb(bytes: &[u8]) -> Result<(Self, Millis)> {
        let mut take = Take::form(bytes, "tombstone")?;
        let row = Self::take(&mut take)?;
        let left = take.i64()?;
        take.end()?;
        Ok((row, left))
    }
}

fn put_keywords(put: Put, ids: &[u16]) -> Put {
    let put = put.u8(u8::try_from(ids.len()).unwrap_or(u8::MAX));
    ids.iter()
        .take(usize::from(u8::MAX))
        .fold(put, |put, id| put.u16(*id))
}

fn take_keywords(take: &mut Take<'_>) -> Result<KeywordIds> {
    let count = take.u8()?;
    (0..count).map(|_| take.u16()).collect()
}

/// A message without its facts: small, since a label rewrites it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) thread: ThreadId,
    pub(super) blob: BlobId,
    pub(super) digest: [u8; 32],
    pub(super) size: u32,
    pub(super) received: Millis,
    pub(super) sent: Option<Millis>,
    pub(super) system: SystemFlags,
    pub(super) popped: bool,
    /// When it was expunged for good.
    pub(super) died: Option<Millis>,
    /// Of its Message-ID, if it has one.
    pub(super) message_id: Option<Digest16>,
    pub(super) fact_pieces: u16,
    pub(super) keywords: KeywordIds,
    /// Ascending by mailbox, each at most once.
    pub(super) places: Vec<(MailboxId, Uid)>,
}

impl Meta {
    pub(super) fn encode(&self) -> Bytes {
        let put = Put::form()
            .u64(self.thread.0)
            .raw(&self.blob.0)
            .raw(&self.digest)
            .u32(self.size)
            .i64(self.received)
            .option(self.sent)
            .u8(self.system.0)
            .bool(self.popped)
            .option(self.died)
            .bool(self.message_id.is_some())
            .raw(&self.message_id.unwrap_or_default())
            .u16(self.fact_pieces);
        let put = put_keywords(put, &self.keywords)
            .u16(u16::try_from(self.places.len()).unwrap_or(u16::MAX));
        self.places
            .iter()
            .fold(put, |put, (mailbox, uid)| put.u32(mailbox.0).u32(uid.0))
            .done()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut take = Take::form(bytes, "message record")?;
        let take = &mut take;
        let mut meta = Self {
            thread: ThreadId(take.u64()?),
            blob: BlobId(take.raw()?),
            digest: take.raw()?,
            size: take.u32()?,
            received: take.i64()?,
            sent: take.option()?,
            system: SystemFlags(take.u8()?),
            popped: take.bool()?,
            died: take.option()?,
            message_id: None,
            fact_pieces: 0,
            keywords: Vec::new(),
            places: Vec::new(),
        };
        let has_id = take.bool()?;
        let id = take.raw()?;
        meta.message_id = has_id.then_some(id);
        meta.fact_pieces = take.u16()?;
        meta.keywords = take_keywords(take)?;
        let count = take.u16()?;
        for _ in 0..count {
            meta.places.push((MailboxId(take.u32()?), Uid(take.u32()?)));
        }
        if take.rest.is_empty() && meta.places.is_sorted_by_key(|place| place.0) {
            Ok(meta)
        } else {
            Err(StoreError::Corrupt("message record"))
        }
    }
}

/// A mailbox as it is stored: what others see of it, and what they do not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MailboxRecord {
    pub(super) mailbox: Mailbox,
    /// Deleted, and some rows are still to be removed.
    pub(super) gone: bool,
    /// Nobody has been told that UIDs from here on are recent.
    pub(super) recent: Uid,
}

impl MailboxRecord {
    pub(super) fn encode(&self) -> Bytes {
        let m = &self.mailbox;
        Put::form()
            .u8(m.role.map_or(0, role_number))
            .bool(m.subscribed)
            .bool(m.visible)
            .bool(self.gone)
            .u32(m.uid_validity)
            .u32(m.uid_next.0)
            .u32(self.recent.0)
            .u32(m.messages)
            .u32(m.unseen)
            .u32(m.deleted)
            .u64(m.bytes)
            .u64(m.highest_modseq)
            .i64(m.created)
            .text(&m.name)
            .done()
    }

    pub(super) fn decode(id: MailboxId, bytes: &[u8]) -> Result<Self> {
        let mut take = Take::form(bytes, "mailbox record")?;
        let role = take.u8()?;
        let role = match role {
            0 => None,
            n => Some(role_of(n).ok_or(StoreError::Corrupt("mailbox record"))?),
        };
        let (subscribed, visible, gone) = (take.bool()?, take.bool()?, take.bool()?);
        let (uid_validity, uid_next) = (take.u32()?, Uid(take.u32()?));
        let recent = Uid(take.u32()?);
        let record = Self {
            mailbox: Mailbox {
                id,
                role,
                uid_validity,
                uid_next,
                messages: take.u32()?,
                unseen: take.u32()?,
                deleted: take.u32()?,
                bytes: take.u64()?,
                highest_modseq: take.u64()?,
                subscribed,
                visible,
                created: take.i64()?,
                name: take.text()?.into(),
            },
            gone,
            recent,
        };
        take.end()?;
        Ok(record)
    }
}

/// On disk 1 to 8; 0 is no role.
pub(super) const ROLES: [Role; 8] = [
    Role::Inbox,
    Role::All,
    Role::Drafts,
    Role::Important,
    Role::Sent,
    Role::Junk,
    Role::Starred,
    Role::Trash,
];

pub(super) fn role_number(role: Role) -> u8 {
    match role {
        Role::Inbox => 1,
        Role::All => 2,
        Role::Drafts => 3,
        Role::Important => 4,
        Role::Sent => 5,
        Role::Junk => 6,
        Role::Starred => 7,
        Role::Trash => 8,
    }
}

fn role_of(number: u8) -> Option<Role> {
    ROLES.into_iter().find(|role| role_number(*role) == number)
}

pub(super) fn encode_settings(s: &Settings) -> Bytes {
    let (window, from) = match s.pop_window {
        PopWindow::Disabled => (0, 0),
        PopWindow::From(at) => (1, at),
        PopWindow::All => (2, 0),
    };
    Put::form()
        .bool(s.imap_enabled)
        .bool(s.auto_expunge)
        .u8(match s.last_label {
            LastLabel::Archive => 0,
            LastLabel::Trash => 1,
            LastLabel::Delete => 2,
        })
        .option(s.folder_limit.map(i64::from))
        .u8(window)
        .i64(from)
        .u8(match s.pop_disposition {
            PopDisposition::Keep => 0,
            PopDisposition::MarkRead => 1,
            PopDisposition::Archive => 2,
            PopDisposition::Trash => 3,
        })
        .bool(s.quota.is_some())
        .u64(s.quota.unwrap_or(0))
        .bool(s.suspended)
        .done()
}

pub(super) fn decode_settings(bytes: &[u8]) -> Result<Settings> {
    const CORRUPT: StoreError = StoreError::Corrupt("settings");
    let mut take = Take::form(bytes, "settings")?;
    let imap_enabled = take.bool()?;
    let auto_expunge = take.bool()?;
    let last_label = match take.u8()? {
        0 => LastLabel::Archive,
        1 => LastLabel::Trash,
        2 => LastLabel::Delete,
        _ => return Err(CORRUPT),
    };
    let folder_limit = match take.option()? {
        None => None,
        Some(n) => Some(u32::try_from(n).map_err(|_| CORRUPT)?),
    };
    let pop_window = match (take.u8()?, take.i64()?) {
        (0, _) => PopWindow::Disabled,
        (1, at) => PopWindow::From(at),
        (2, _) => PopWindow::All,
        _ => return Err(CORRUPT),
    };
    let pop_disposition = match take.u8()? {
        0 => PopDisposition::Keep,
        1 => PopDisposition::MarkRead,
        2 => PopDisposition::Archive,
        3 => PopDisposition::Trash,
        _ => return Err(CORRUPT),
    };
    let limited = take.bool()?;
    let quota = take.u64()?;
    let suspended = take.bool()?;
    take.end()?;
    Ok(Settings {
        imap_enabled,
        auto_expunge,
        last_label,
        folder_limit,
        pop_window,
        pop_disposition,
        quota: limited.then_some(quota),
        suspended,
    })
}

/// The changes of one commit, a run of neighbouring UIDs as one entry.
pub(super) fn encode_changes(changes: &[Change]) -> Bytes {
    let mut out = vec![FORM];
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let (kind, mailbox, uid) = parts(*first);
        let run = rest
            .iter()
            .zip(0u32..)
            .take_while(|(change, n)| {
                let next = uid.checked_add(*n);
                next.is_some_and(|uid| parts(**change) == (kind, mailbox, uid))
            })
            .count()
            .max(1);
        let run = if uid == 0 { 1 } else { run };
        out.push(kind);
        if kind != OTHER {
            varint(&mut out, mailbox);
        }
        if uid != 0 {
            varint(&mut out, uid);
            varint(&mut out, u32::try_from(run).unwrap_or(u32::MAX));
        }
        rest = &rest[run..];
    }
    out.into()
}

const ARRIVED: u8 = 1;
const CHANGED: u8 = 2;
const EXPUNGED: u8 = 3;
const MAILBOX: u8 = 4;
const OTHER: u8 = 5;

fn parts(change: Change) -> (u8, u32, u32) {
    match change {
        Change::Arrived { mailbox, uid } => (ARRIVED, mailbox.0, uid.0),
        Change::Changed { mailbox, uid } => (CHANGED, mailbox.0, uid.0),
        Change::Expunged { mailbox, uid } => (EXPUNGED, mailbox.0, uid.0),
        Change::Mailbox { mailbox } => (MAILBOX, mailbox.0, 0),
        Change::Other => (OTHER, 0, 0),
    }
}

/// Seven bits a byte, the lowest first, the eighth says that more follow.
fn varint(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take_varint(take: &mut Take<'_>) -> Result<u32> {
    let mut n = 0u64;
    for shift in (0..35).step_by(7) {
        let byte = take.u8()?;
        n |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(n).map_err(|_| StoreError::Corrupt(take.what));
        }
    }
    Err(StoreError::Corrupt(take.what))
}

/// One commit cannot hold more than so many changes: a longer run was never written.
const RUN_MAX: u32 = 100_000;

pub(super) fn decode_changes(bytes: &[u8], into: &mut Vec<Change>) -> Result<()> {
    const CORRUPT: StoreError = StoreError::Corrupt("change log");
    if bytes.is_empty() {
        return Ok(());
    }
    let mut take = Take::form(bytes, "change log")?;
    while !take.rest.is_empty() {
        let kind = take.u8()?;
        if kind == OTHER {
            into.push(Change::Other);
            continue;
        }
        let mailbox = MailboxId(take_varint(&mut take)?);
        if kind == MAILBOX {
            into.push(Change::Mailbox { mailbox });
            continue;
        }
        let first = take_varint(&mut take)?;
        let run = take_varint(&mut take)?;
        let end = first.checked_add(run).filter(|_| run <= RUN_MAX);
        for uid in (first..end.ok_or(CORRUPT)?).map(Uid) {
            into.push(match kind {
                ARRIVED => Change::Arrived { mailbox, uid },
                CHANGED => Change::Changed { mailbox, uid },
                EXPUNGED => Change::Expunged { mailbox, uid },
                _ => return Err(CORRUPT),
            });
        }
    }
    Ok(())
}

/// What a delivery answered, kept to answer the same again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) at: Millis,
    pub(super) message: MessageId,
    pub(super) uid_validity: u32,
    pub(super) uid: Uid,
}

impl Delivered {
    pub(super) fn encode(&self) -> Bytes {
        Put::form()
            .i64(self.at)
            .u64(self.message.0)
            .u32(self.uid_validity)
            .u32(self.uid.0)
            .done()
    }
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut take = Take::form(bytes, "delivery mark")?;
        let found = Self {
            at: take.i64()?,
            message: MessageId(take.u64()?),
            uid_validity: take.u32()?,
            uid: Uid(take.u32()?),
        };
        take.end()?;
        Ok(found)
    }
}

/// A mention's or a subject's value: the thread, and when it was last met.
pub(super) fn encode_thread(thread: ThreadId, at: Millis) -> Bytes {
    Put::form().u64(thread.0).i64(at).done()
}

pub(super) fn decode_thread(bytes: &[u8]) -> Result<ThreadId> {
    let mut take = Take::form(bytes, "thread index")?;
    let thread = ThreadId(take.u64()?);
    take.i64()?;
    take.end()?;
    Ok(thread)
}

/// What the directory knows of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) account: Arc<str>,
    pub(super) alias: bool,
}

impl Listing {
    pub(super) fn encode(&self) -> Bytes {
        Put::form().bool(self.alias).text(&self.account).done()
    }
    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut take = Take::form(bytes, "directory")?;
        let alias = take.bool()?;
        let account = take.text()?.into();
        take.end()?;
        Ok(Self { account, alias })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn change() -> impl Strategy<Value = Change> {
        (0u8..5, any::<u32>(), 1u32..u32::MAX).prop_map(|(kind, mailbox, uid)| {
            let (mailbox, uid) = (MailboxId(mailbox), Uid(uid));
            match kind {
                0 => Change::Arrived { mailbox, uid },
                1 => Change::Changed { mailbox, uid },
                2 => Change::Expunged { mailbox, uid },
                3 => Change::Mailbox { mailbox },
                _ => Change::Other,
            }
        })
    }

    #[test]
    fn neighbours_in_the_log_cost_one_entry() {
        let changes: Vec<_> = (7..5007)
            .map(|uid| Change::Arrived {
                mailbox: MailboxId(3),
                uid: Uid(uid),
            })
            .collect();
        let bytes = encode_changes(&changes);
        assert!(bytes.len() < 10);
        let mut back = Vec::new();
        decode_changes(&bytes, &mut back).unwrap();
        assert_eq!(back, changes);
    }

    proptest! {
        #[test]
        fn changes_come_back(changes in proptest::collection::vec(change(), 0..50)) {
            let mut back = Vec::new();
            decode_changes(&encode_changes(&changes), &mut back).unwrap();
            prop_assert_eq!(back, changes);
        }

        #[test]
        fn whatever_is_stored_reading_it_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut bytes = bytes;
            if let Some(first) = bytes.first_mut() { *first = FORM; }
            let _ = PlaceRow::decode(&bytes);
            let _ = PlaceRow::decode_tomb(&bytes);
            let _ = Meta::decode(&bytes);
            let _ = MailboxRecord::decode(MailboxId(1), &bytes);
            let _ = decode_settings(&bytes);
            let _ = Delivered::decode(&bytes);
            let _ = decode_thread(&bytes);
            let _ = Listing::decode(&bytes);
            let mut changes = Vec::new();
            if bytes.len() < 12 { let _ = decode_changes(&bytes, &mut changes); }
        }

        #[test]
        fn records_come_back(seed in any::<[u8; 32]>(), n in any::<u32>(), flag in any::<bool>(), keywords in proptest::collection::btree_set(any::<u16>(), 0..64), places in proptest::collection::btree_map(any::<u32>(), any::<u32>(), 0..20)) {
            let keywords: Vec<_> = keywords.into_iter().collect();
            let row = PlaceRow { system: SystemFlags(seed[0]), message: MessageId(u64::from(n)), thread: ThreadId(9), modseq: 8, size: n, received: -5, sent: flag.then_some(i64::MIN), saved: 77, keywords: keywords.clone() };
            prop_assert_eq!(&PlaceRow::decode(&row.encode()).unwrap(), &row);
            prop_assert_eq!(PlaceRow::decode_tomb(&row.encode_tomb(6)).unwrap(), (row, 6));
            let meta = Meta { thread: ThreadId(1), blob: BlobId([seed[1]; 16]), digest: seed, size: n, received: 4, sent: None, system: SystemFlags(3), popped: flag, died: flag.then_some(4), message_id: flag.then_some([seed[2]; 16]), fact_pieces: 2, keywords, places: places.into_iter().map(|(m, u)| (MailboxId(m), Uid(u))).collect() };
            prop_assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
        }
    }
}
