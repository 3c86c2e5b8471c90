//! FETCH and UID FETCH (RFC 3501 §6.4.5, §6.4.8), resumable: one step reads a batch of rows and records, splices what
//! was made ready at delivery, and passes on bodies in pieces.

pub mod print;
mod section;

use super::desk::Signed;
use super::labels::Labels;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Stage, Worked};
use super::view::View;
use bytes::Bytes;
use pillarbox_message::FactsView;
use pillarbox_store::mail::{Flags, How, Millis, Record, Row, StoreError, SystemFlags, Uid};
use pillarbox_wire::imap::By;
use pillarbox_wire::imap::command::{self, FetchItem, Messages};
use section::{Source, Wanted, within};
use std::collections::VecDeque;
use std::ops::{Range, RangeInclusive};

/// Rows of a batch that needs no records: they are small.
const ROWS_OF_BATCH: u32 = 2000;

/// A FETCH on its way.
pub struct Fetch {
    plan: Plan,
    /// Runs of UIDs still to do.
    left: VecDeque<(u32, u32)>,
    batch: VecDeque<(Row, Option<Record>)>,
    labels: Option<Labels>,
    at: Option<At>,
    /// Some message could not be read.
    damaged: bool,
}

/// In the middle of one message's line.
struct At {
    record: Option<Record>,
    /// The next of the plan's body items.
    next: usize,
    /// The rest of a literal that was announced.
    literal: Option<Range<u64>>,
}

/// What a FETCH asks for, item by item.
#[derive(Default)]
struct Plan {
    uid: bool,
    flags: bool,
    internal_date: bool,
    size: bool,
    modseq: bool,
    envelope: bool,
    body: bool,
    bodystructure: bool,
    message_id: bool,
    thread_id: bool,
    labels: bool,
    sections: Vec<Wanted>,
    sets_seen: bool,
    changed_since: Option<u64>,
}

impl Plan {
    fn of(command: &command::Fetch) -> Result<Self, Refused> {
        let mut plan = Self {
            uid: command.by == By::Uid,
            changed_since: command.changed_since,
            ..Self::default()
        };
        // RFC 7162 §3.1.4.1: CHANGEDSINCE answers with MODSEQ.
        plan.modseq = command.changed_since.is_some();
        for item in &command.items {
            match item {
                FetchItem::Flags => plan.flags = true,
                FetchItem::InternalDate => plan.internal_date = true,
                FetchItem::Size => plan.size = true,
                FetchItem::Envelope => plan.envelope = true,
                FetchItem::Body => plan.body = true,
                FetchItem::BodyStructure => plan.bodystructure = true,
                FetchItem::Uid => plan.uid = true,
                FetchItem::ModSeq => plan.modseq = true,
                FetchItem::GmMsgId => plan.message_id = true,
                FetchItem::GmThrId => plan.thread_id = true,
                FetchItem::GmLabels => plan.labels = true,
                FetchItem::Rfc822
                | FetchItem::Rfc822Header
                | FetchItem::Rfc822Text
                | FetchItem::Section { .. } => {
                    if let Some((wanted, seen)) = Wanted::of(item) {
                        plan.sets_seen |= seen;
                        plan.sections.push(wanted);
                    }
                }
                // Known to the grammar, not announced.
                FetchItem::EmailId | FetchItem::ThreadId | FetchItem::Preview { .. } => {
                    return Err(Refused::syntax());
                }
            }
        }
        Ok(plan)
    }

    fn needs_record(&self) -> bool {
        self.envelope || self.body || self.bodystructure || self.labels || !self.sections.is_empty()
    }
}

impl Fetch {
    /// Starts one.
    pub async fn begin(
        command: command::Fetch,
        signed: &mut Signed,
        view: &mut View,
        now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        let plan = Plan::of(&command)?;
        if command.vanished {
            return Err(Refused::syntax()); // QRESYNC is not announced.
        }
        let Messages::Set(set) = &command.messages else {
            return Err(Refused::syntax());
        };
        let left = view
            .messages_of(set, command.by)
            .map_err(|_| Refused::syntax())?;
        // RFC 7162 §3.1: both enable CONDSTORE.
        signed.condstore |= plan.modseq;
        let fetch = Self {
            plan,
            left: left.into(),
            batch: VecDeque::new(),
            labels: None,
            at: None,
            damaged: false,
        };
        Box::new(fetch).step(signed, view, now, out).await
    }

    /// Whether what was sent so far ends inside a literal.
    pub fn is_mid_literal(&self) -> bool {
        self.at.is_some()
    }

    /// Goes on until a step's share of output or messages is done.
    pub async fn step(
        mut self: Box<Self>,
        signed: &mut Signed,
        view: &mut View,
        now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        let limits = &signed.context.limits;
        let (step_bytes, mut messages) = (limits.step_bytes, 0);
        // A step that began inside a message ends with it: there the session may end (wire §6).
        let resumed = self.at.is_some();
        loop {
            if out.len() >= step_bytes || messages >= ROWS_OF_BATCH {
                return Ok(Worked::More(Stage::Fetch(self)));
            }
            if let Some(at) = self.at.take() {
                self.at = self.go_on(at, signed, out, step_bytes).await?;
                if resumed && self.at.is_none() {
                    return Ok(Worked::More(Stage::Fetch(self)));
                }
            } else if let Some((row, record)) = self.batch.pop_front() {
                messages += 1;
                self.message(row, record, signed, view, out);
            } else if !self.fill(signed, view, now).await? {
                return Ok(Worked::Done(match self.damaged {
                    true => "NO [CORRUPTION] Some messages could not be read (Failure)".into(),
                    false => "OK Success".into(),
                }));
            }
        }
    }

    /// Reads the next batch; false at the end.
    async fn fill(
        &mut self,
        signed: &Signed,
        view: &mut View,
        now: Millis,
    ) -> Result<bool, StoreError> {
        let limits = &signed.context.limits;
        let most = if self.plan.needs_record() {
            limits.step_messages
        } else {
            ROWS_OF_BATCH
        };
        let ranges = take(&mut self.left, most);
        if ranges.is_empty() {
            return Ok(false);
        }
        let mut rows = seen_rows(signed, view, &ranges).await?;
        if let Some(since) = self.plan.changed_since {
            rows.retain(|row| row.modseq > since);
        }
        let seen = if self.plan.sets_seen && !view.read_only {
            set_seen(signed, view, &mut rows, now).await?
        } else {
            false
        };
        self.plan.flags |= seen;
        // RFC 7162 §3.1: a change of ours is told with its mod-sequence like any other.
        self.plan.modseq |= seen && signed.condstore;
        let records = match self.plan.needs_record() {
            true => {
                let ids: Vec<_> = rows.iter().map(|row| row.message).collect();
                signed.account.records(&ids).await?
            }
            false => vec![None; rows.len()],
        };
        if self.plan.labels {
            self.labels = Some(Labels::read(signed).await?);
        }
        self.batch = rows.into_iter().zip(records).collect();
        Ok(true)
    }

    /// Prints one message's line as far as rows and records have it.
    fn message(
        &mut self,
        row: Row,
        record: Option<Record>,
        signed: &Signed,
        view: &mut View,
        out: &mut Out,
    ) {
        let Some(seq) = view.seq(row.uid) else { return };
        let facts = record
            .as_ref()
            .and_then(|record| FactsView::new(&record.facts).ok());
        if self.plan.needs_record() && facts.is_none() {
            self.damaged = true;
            return;
        }
        if self.plan.flags {
            print::announce_keywords(view, &row.flags, out);
        }
        print::begin(seq, out);
        let before = out.len();
        let mut items = Items { out, before };
        let plan = &self.plan;
        if plan.thread_id {
            items.item("X-GM-THRID ").number(row.thread.0);
        }
        if plan.message_id {
            items.item("X-GM-MSGID ").number(row.message.0);
        }
        if let (true, Some(labels), Some(record)) = (plan.labels, &self.labels, &record) {
            let places = record.places.iter().map(|(id, _)| *id);
            labels.print(
                places,
                view.mailbox,
                signed.utf8,
                items.item("X-GM-LABELS "),
            );
        }
        if plan.uid {
            items.item("UID ").number(u64::from(row.uid.0));
        }
        if plan.modseq {
            print::modseq(&row, items.item(""));
        }
        if plan.internal_date {
            print::internal_date(&row, items.item(""));
        }
        if plan.size {
            items.item("RFC822.SIZE ").number(u64::from(row.size));
        }
        if plan.flags {
            print::flags(&row, view, items.item(""));
        }
        if let Some(facts) = facts {
            if plan.envelope {
                items.item("ENVELOPE ").raw(facts.envelope());
            }
            if plan.body {
                items.item("BODY ").raw(facts.body());
            }
            if plan.bodystructure {
                items.item("BODYSTRUCTURE ").raw(facts.bodystructure());
            }
        }
        if plan.sections.is_empty() {
            out.text(")\r\n");
        } else {
            if out.len() > before {
                out.text(" ");
            }
            self.at = Some(At {
                record,
                next: 0,
                literal: None,
            });
        }
    }

    /// Goes on with the body items of one message. `None` when its line is complete.
    async fn go_on(
        &mut self,
        mut at: At,
        signed: &Signed,
        out: &mut Out,
        step_bytes: usize,
    ) -> Result<Option<At>, Refused> {
        let Some(record) = at.record.take() else {
            return Ok(None);
        };
        let piece_max = signed.context.limits.body_read_bytes;
        loop {
            if let Some(rest) = at.literal.take() {
                let end = rest.end.min(rest.start.saturating_add(piece_max));
                // The length is out: if the bytes cannot follow, nothing but closing is left.
                let piece = exact(signed, &record, rest.start..end)
                    .await
                    .map_err(|fault| Refused::broken(&fault))?;
                out.stored(piece);
                at.literal = (end < rest.end).then_some(end..rest.end);
                if at.literal.is_none() {
                    at.next += 1;
                }
                if out.len() >= step_bytes {
                    at.record = Some(record);
                    return Ok(Some(at));
                }
                continue;
            }
            let Some(wanted) = self.plan.sections.get(at.next) else {
                out.text(")\r\n");
                return Ok(None);
            };
            if at.next > 0 {
                out.text(" ");
            }
            out.text(&wanted.name);
            match locate(wanted, &record, signed).await {
                Ok(Located::Nothing) => out.text(" NIL"),
                Ok(Located::Ready(bytes)) => {
                    let cut = wanted.cut(0..bytes.len() as u64);
                    literal(&bytes[cut.start as usize..cut.end as usize], out);
                }
                Ok(Located::Range { range, first }) => {
                    out.put(format_args!(" {{{}}}\r\n", range.end - range.start));
                    let sent = first.len() as u64;
                    out.stored(first);
                    if range.start + sent < range.end {
                        at.literal = Some(range.start + sent..range.end);
                        continue;
                    }
                }
                Err(fault) => {
                    tracing::error!(message = record.message.0, %fault, "a body cannot be read");
                    self.damaged = true;
                    out.text(" NIL");
                }
            }
            at.next += 1;
        }
    }
}

/// Puts blanks between the items of a line.
struct Items<'a> {
    out: &'a mut Out,
    before: usize,
}

impl Items<'_> {
    fn item(&mut self, name: &str) -> &mut Out {
        if self.out.len() > self.before {
            self.out.text(" ");
        }
        self.out.text(name);
        self.out
    }
}

fn literal(bytes: &[u8], out: &mut Out) {
    out.put(format_args!(" {{{}}}\r\n", bytes.len()));
    out.raw(bytes);
}

enum Located {
    Nothing,
    Ready(Vec<u8>),
    /// The range, with its first bytes: a body that cannot be read is found out before its length is promised.
    Range {
        range: Range<u64>,
        first: Bytes,
    },
}

async fn locate(wanted: &Wanted, record: &Record, signed: &Signed) -> Result<Located, StoreError> {
    let facts = FactsView::new(&record.facts).map_err(|_| StoreError::Corrupt("facts"))?;
    let source = match wanted.find(&facts) {
        Source::Unknown => wanted.find_in(&exact(signed, record, 0..u64::from(record.size)).await?),
        source => source,
    };
    Ok(match source {
        Source::Nothing | Source::Unknown => Located::Nothing,
        Source::Ready(bytes) => Located::Ready(bytes),
        Source::Fields(range) => {
            let header = exact(signed, record, within(range, record)).await?;
            Located::Ready(wanted.fields_of(&header))
        }
        Source::Range(range) => {
            let range = wanted.cut(within(range, record));
            let end = range.end.min(
                range
                    .start
                    .saturating_add(signed.context.limits.body_read_bytes),
            );
            let first = exact(signed, record, range.start..end).await?;
            Located::Range { range, first }
        }
    })
}

/// Reads exactly these bytes of a body.
async fn exact(signed: &Signed, record: &Record, range: Range<u64>) -> Result<Bytes, StoreError> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    let length = range.end - range.start;
    let bytes = signed.account.body(record.blob, range).await?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(StoreError::Damaged)
    }
}

/// Takes up to `most` UIDs from the front of runs.
pub fn take(left: &mut VecDeque<(u32, u32)>, most: u32) -> Vec<RangeInclusive<u32>> {
    let mut ranges = Vec::new();
    let mut room = most.max(1);
    while room > 0
        && let Some((first, last)) = left.pop_front()
    {
        let cut = last.min(first.saturating_add(room - 1));
        room -= cut - first + 1;
        if cut < last {
            left.push_front((cut + 1, last));
        }
        ranges.push(first..=cut);
    }
    ranges
}

/// The ranges of ascending UIDs.
pub fn ranges_of(uids: impl IntoIterator<Item = u32>) -> Vec<RangeInclusive<u32>> {
    let set: pillarbox_wire::imap::NumberSet = uids.into_iter().collect();
    set.ranges()
        .iter()
        .map(|&(first, last)| first..=last)
        .collect()
}

/// The rows of messages the client sees, those already expunged elsewhere included (RFC 2180 §4.1.1).
pub async fn seen_rows(
    signed: &Signed,
    view: &View,
    ranges: &[RangeInclusive<u32>],
) -> Result<Vec<Row>, StoreError> {
    let expected: usize = ranges
        .iter()
        .map(|range| (range.end() - range.start()) as usize + 1)
        .sum();
    if !view.any_gone() {
        match signed.account.rows(view.mailbox, ranges).await {
            Ok((_, rows)) if rows.len() == expected => return Ok(rows),
            Ok(_) | Err(StoreError::NoSuchMailbox) => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(signed.account.rows_or_tombs(view.mailbox, ranges).await?.1)
}

/// Sets `\Seen` where it is not, in one commit, and takes over the rows as they are then.
async fn set_seen(
    signed: &Signed,
    view: &mut View,
    rows: &mut [Row],
    now: Millis,
) -> Result<bool, StoreError> {
    let unseen =
        |row: &&Row| row.flags.system.0 & SystemFlags::SEEN == 0 && !view.is_gone(row.uid.0);
    let uids: Vec<Uid> = rows.iter().filter(unseen).map(|row| row.uid).collect();
    if uids.is_empty() {
        return Ok(false);
    }
    let seen = Flags {
        system: SystemFlags(SystemFlags::SEEN),
        keywords: Vec::new(),
    };
    let stored = match signed
        .account
        .set_flags(view.mailbox, &uids, How::Add, &seen, None, now)
        .await
    {
        Ok(stored) => stored,
        // Reading goes on when nothing can be written.
        Err(StoreError::Unavailable(cause)) => {
            tracing::warn!(%cause, "\\Seen was not stored");
            return Ok(false);
        }
        Err(fault) => return Err(fault),
    };
    view.shown(stored.rows.iter().map(|row| (row.uid, row.modseq)));
    for new in stored.rows {
        if let Ok(index) = rows.binary_search_by_key(&new.uid, |row| row.uid) {
            rows[index] = new;
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_cut_runs() {
        let mut left = VecDeque::from([(1, 3), (7, 7), (9, 20)]);
        assert_eq!(take(&mut left, 5), [1..=3, 7..=7, 9..=9]);
        assert_eq!(take(&mut left, 100), [10..=20]);
        assert!(take(&mut left, 1).is_empty());
    }
}
