//! STORE and UID STORE (RFC 3501 §6.4.6, RFC 7162 §3.1.3, wire §3.7), resumable.

use super::desk::Signed;
use super::fetch::{print, take};
use super::labels::{Labels, to_store};
use super::out::Out;
use super::refuse::Refused;
use super::sync;
use super::task::{Stage, Worked};
use super::view::View;
use pillarbox_store::mail::{Flags, How, LabelName, Millis, Role, Row, Stored, SystemFlags, Uid};
use pillarbox_wire::imap::command::{self, Change, Marks, Messages};
use pillarbox_wire::imap::{By, Flag, NumberSet};
use std::collections::VecDeque;
use std::sync::Arc;

/// A STORE on its way.
pub struct Store {
    by: By,
    silent: bool,
    how: How,
    what: What,
    unchanged_since: Option<u64>,
    left: VecDeque<(u32, u32)>,
    modified: Vec<u32>,
    /// Some message has been expunged meanwhile.
    missing: bool,
}

enum What {
    Flags(Flags),
    Labels(Vec<LabelName>),
}

/// EXAMINE was used.
pub fn read_only() -> Refused {
    Refused::no("CANNOT", "Mailbox is selected read-only (Failure)")
}

/// The UIDs a set means.
pub fn uids_of(messages: &Messages, by: By, view: &View) -> Result<Vec<Uid>, Refused> {
    let Messages::Set(set) = messages else {
        return Err(Refused::syntax());
    };
    let runs = view.messages_of(set, by).map_err(|_| Refused::syntax())?;
    Ok(runs
        .into_iter()
        .flat_map(|(first, last)| first..=last)
        .map(Uid)
        .collect())
}

/// Flags as the store has them.
pub fn flags_of(flags: &[Flag]) -> Flags {
    let mut stored = Flags::default();
    for flag in flags {
        let bit = match flag {
            Flag::Seen => SystemFlags::SEEN,
            Flag::Answered => SystemFlags::ANSWERED,
            Flag::Flagged => SystemFlags::FLAGGED,
            Flag::Draft => SystemFlags::DRAFT,
            Flag::Deleted => SystemFlags::DELETED,
            Flag::Keyword(keyword) => {
                stored.keywords.push(Arc::from(keyword.as_str()));
                continue;
            }
            Flag::Recent | Flag::Extension(_) => continue,
        };
        stored.system.0 |= bit;
    }
    stored.keywords.sort();
    stored.keywords.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    stored
}

impl Store {
    /// Starts one.
    pub async fn begin(
        command: command::Store,
        signed: &mut Signed,
        view: &mut View,
        now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        if view.read_only {
            return Err(read_only());
        }
        let Messages::Set(set) = &command.messages else {
            return Err(Refused::syntax());
        };
        let left = view
            .messages_of(set, command.by)
            .map_err(|_| Refused::syntax())?;
        signed.condstore |= command.unchanged_since.is_some(); // RFC 7162 §3.1
        let what = match &command.what {
            Marks::Flags(flags) => What::Flags(flags_of(flags)),
            Marks::Labels(labels) => What::Labels(to_store(labels)?),
        };
        let how = match command.change {
            Change::Replace => How::Replace,
            Change::Add => How::Add,
            Change::Remove => How::Remove,
        };
        let store = Self {
            by: command.by,
            silent: command.silent,
            how,
            what,
            unchanged_since: command.unchanged_since,
            left: left.into(),
            modified: Vec::new(),
            missing: false,
        };
        Box::new(store).step(signed, view, now, out).await
    }

    /// Goes on with the next batch.
    pub async fn step(
        mut self: Box<Self>,
        signed: &Signed,
        view: &mut View,
        now: Millis,
        out: &mut Out,
    ) -> Result<Worked, Refused> {
        let ranges = take(&mut self.left, signed.context.limits.step_messages);
        if ranges.is_empty() {
            return Ok(Worked::Done(self.reply(view)));
        }
        let uids: Vec<Uid> = ranges.into_iter().flatten().map(Uid).collect();
        // What others changed until now is known before our own change, so that .SILENT hides ours only.
        sync::absorb(signed, view).await?;
        let before = view.version();
        let stored = match &self.what {
            What::Flags(flags) => {
                let account = &signed.account;
                account
                    .set_flags(
                        view.mailbox,
                        &uids,
                        self.how,
                        flags,
                        self.unchanged_since,
                        now,
                    )
                    .await?
            }
            What::Labels(labels) => {
                let account = &signed.account;
                account
                    .set_labels(
                        view.mailbox,
                        &uids,
                        self.how,
                        labels,
                        self.unchanged_since,
                        now,
                    )
                    .await?
            }
        };
        let done = stored.rows.len() + stored.modified.len() + stored.expunged.len();
        self.missing |= done < uids.len();
        self.modified
            .extend(stored.modified.iter().map(|uid| uid.0));
        self.tell(&stored, before, signed, view, out).await?;
        Ok(Worked::More(Stage::Store(self)))
    }

    async fn tell(
        &self,
        stored: &Stored,
        before: u64,
        signed: &Signed,
        view: &mut View,
        out: &mut Out,
    ) -> Result<(), Refused> {
        // With nothing in between, the client knows from its own command what became of silent changes.
        let alone = stored.version <= before + 1;
        let starred = match &self.what {
            What::Flags(_) => false,
            // Whoever replaces all labels may take the star away.
            What::Labels(_) if self.how == How::Replace => true,
            What::Labels(labels) => {
                let star = signed.account.mailbox_of(Role::Starred).await?.name;
                labels.iter().any(|label| match label {
                    LabelName::Role(role) => *role == Role::Starred,
                    LabelName::User(name) => **name == *star,
                })
            }
        };
        let labels = match (&self.what, self.silent) {
            (What::Labels(_), false) => Some(Labels::read(signed).await?),
            _ => None,
        };
        let places = match &labels {
            Some(_) => {
                let ids: Vec<_> = stored.rows.iter().map(|row| row.message).collect();
                signed.account.labels(&ids).await?
            }
            None => Vec::new(),
        };
        for (index, row) in stored.rows.iter().enumerate() {
            let Some(seq) = view.seq(row.uid) else {
                continue;
            };
            let known = !view.is_changed(row.uid.0) && (!self.silent || alone);
            let extras = print::Extras {
                uid: self.by == By::Uid,
                modseq: signed.condstore,
            };
            match (&self.what, &labels) {
                (What::Flags(_), _) if !self.silent => {
                    print::announce_keywords(view, &row.flags, out);
                    print::flags_line(seq, row, view, extras, out);
                    view.shown([(row.uid, row.modseq)]);
                    continue;
                }
                (What::Labels(_), Some(labels)) => {
                    print::begin(seq, out);
                    out.text("X-GM-LABELS ");
                    let places = places.get(index).into_iter().flatten().copied();
                    labels.print(places, view.mailbox, signed.utf8, out);
                    ids(row, extras, out);
                }
                // RFC 7162 §3.1.3: the mod-sequence is sent even if .SILENT.
                _ if signed.condstore => {
                    print::begin(seq, out);
                    out.text("UID ");
                    out.number(u64::from(row.uid.0));
                    out.text(" ");
                    print::modseq(row, out);
                    out.text(")\r\n");
                }
                _ => {}
            }
            // `\Starred` is `\Flagged`: the flags are told as well (wire §3.7).
            if known && !starred {
                view.shown([(row.uid, row.modseq)]);
            }
        }
        Ok(())
    }

    fn reply(&self, view: &View) -> String {
        if !self.modified.is_empty() {
            let numbers: NumberSet = match self.by {
                By::Uid => self.modified.iter().copied().collect(),
                By::Sequence => self
                    .modified
                    .iter()
                    .filter_map(|uid| view.seq(Uid(*uid)))
                    .collect(),
            };
            return format!("OK [MODIFIED {numbers}] Conditional Store Failed (Success)");
        }
        match (self.missing, self.by) {
            // RFC 2180 §4.2.1, RFC 5530 §3. A UID that is not there is no error (RFC 3501 §6.4.8).
            (true, By::Sequence) => {
                "NO [EXPUNGEISSUED] Some of the messages no longer exist (Failure)".into()
            }
            _ => "OK Success".into(),
        }
    }
}

/// ` MODSEQ (m) UID u)`
fn ids(row: &Row, extras: print::Extras, out: &mut Out) {
    if extras.modseq {
        out.text(" ");
        print::modseq(row, out);
    }
    if extras.uid {
        out.text(" UID ");
        out.number(u64::from(row.uid.0));
    }
    out.text(")\r\n");
}
