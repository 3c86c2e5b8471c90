//! One connection's view of its selected mailbox: which messages the client has been told of, in which order. Sequence
//! numbers live here and nowhere else.
//!
//! The view changes in two steps. [`View::absorb`] takes in what the store's log says happened; nothing moves for the
//! client yet. [`View::expunge`] and [`View::exists`] then say what to tell it, and only then do numbers shift. What was
//! expunged elsewhere but not yet told keeps its number and can still be fetched.

use pillarbox_store::mail::{Change, MailboxId, Role, Uid, Version};
use pillarbox_wire::imap::{By, NumberSet, SeqNumber, SequenceSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Ascending UIDs as runs: most mailboxes are a few runs however many messages they hold, which keeps an idle
/// connection small.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uids {
    runs: Vec<Run>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    first: u32,
    last: u32,
    /// How many UIDs lie in the runs before this one.
    before: u32,
}

impl Uids {
    /// Of ascending UIDs.
    pub fn from_ascending(uids: impl IntoIterator<Item = u32>) -> Self {
        let mut all = Self::default();
        for uid in uids {
            all.push(uid);
        }
        all
    }

    /// How many.
    pub fn len(&self) -> u32 {
        self.runs
            .last()
            .map_or(0, |run| run.before + (run.last - run.first) + 1)
    }

    /// None at all.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The largest; 0 without any.
    pub fn largest(&self) -> u32 {
        self.runs.last().map_or(0, |run| run.last)
    }

    /// The UID with this sequence number, counted from 1.
    pub fn uid(&self, seq: u32) -> Option<u32> {
        let index = seq.checked_sub(1)?;
        let at = self
            .runs
            .partition_point(|run| run.before <= index)
            .checked_sub(1)?;
        let run = self.runs[at];
        let uid = run.first + (index - run.before);
        (uid <= run.last).then_some(uid)
    }

    /// The sequence number of a UID, counted from 1.
    pub fn seq(&self, uid: u32) -> Option<u32> {
        let at = self
            .runs
            .partition_point(|run| run.first <= uid)
            .checked_sub(1)?;
        let run = self.runs[at];
        (uid <= run.last).then(|| run.before + (uid - run.first) + 1)
    }

    /// Adds one above all others; others are ignored.
    pub fn push(&mut self, uid: u32) {
        let before = self.len();
        match self.runs.last_mut() {
            Some(last) if uid <= last.last => {}
            Some(last) if uid == last.last + 1 => last.last = uid,
            _ => self.runs.push(Run {
                first: uid,
                last: uid,
                before,
            }),
        }
    }

    /// Takes these out in one pass.
    pub fn remove(&mut self, gone: &BTreeSet<u32>) {
        if gone.is_empty() {
            return;
        }
        let mut left = Self::default();
        for run in std::mem::take(&mut self.runs) {
            let mut from = run.first;
            for &uid in gone.range(run.first..=run.last) {
                left.push_run(from, uid.wrapping_sub(1), uid > from);
                from = uid + 1;
            }
            left.push_run(from, run.last, from <= run.last);
        }
        *self = left;
    }

    fn push_run(&mut self, first: u32, last: u32, some: bool) {
        if some {
            let before = self.len();
            self.runs.push(Run {
                first,
                last,
                before,
            });
        }
    }

    /// The runs that lie in `first..=last`, cut to it.
    pub fn within(&self, first: u32, last: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let from = self.runs.partition_point(|run| run.last < first);
        let runs = self.runs[from..]
            .iter()
            .take_while(move |run| run.first <= last);
        runs.map(move |run| (run.first.max(first), run.last.min(last)))
    }

    /// Every UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.runs.iter().flat_map(|run| run.first..=run.last)
    }
}

/// A sequence number beyond the mailbox (RFC 3501 §9: "the server should respond with a tagged BAD").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BeyondMailbox;

/// See the module.
#[derive(Clone, Debug)]
pub struct View {
    /// Which mailbox.
    pub mailbox: MailboxId,
    /// Its name when it was selected.
    pub name: Arc<str>,
    /// What it is kept for.
    pub role: Option<Role>,
    /// EXAMINE.
    pub read_only: bool,
    /// Keywords the client was told of with FLAGS, sorted.
    pub keywords: Vec<Arc<str>>,
    uids: Uids,
    /// How many messages the client knows of: the last EXISTS, less what it was told is expunged.
    told: u32,
    version: Version,
    recent: NumberSet,
    recent_told: u32,
    gone: BTreeSet<u32>,
    changed: BTreeSet<u32>,
    /// The mod-sequence at which a command's own reply showed a message, until the log is told.
    shown: BTreeMap<u32, Version>,
}

impl View {
    /// The view SELECT opens on one snapshot of a mailbox. `recent` are the UIDs this session is the first to see.
    pub fn new(
        mailbox: (MailboxId, Arc<str>, Option<Role>),
        read_only: bool,
        version: Version,
        uids: Uids,
        recent: NumberSet,
    ) -> Self {
        let (mailbox, name, role) = mailbox;
        let told = uids.len();
        let mut view = Self {
            mailbox,
            name,
            role,
            read_only,
            keywords: Vec::new(),
            uids,
            told,
            version,
            recent,
            recent_told: 0,
            gone: BTreeSet::new(),
            changed: BTreeSet::new(),
            shown: BTreeMap::new(),
        };
        view.recent_told = view.recent_count();
        view
    }

    /// The account's version up to which the log has been taken in.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many messages the client knows of.
    pub fn messages(&self) -> u32 {
        self.told
    }

    /// The UIDs behind the sequence numbers.
    pub fn uids(&self) -> &Uids {
        &self.uids
    }

    /// Takes in the log from [`View::version`] to `version`. Sequence numbers stay as they are.
    pub fn absorb(&mut self, version: Version, changes: &[Change]) {
        for change in changes {
            match *change {
                Change::Arrived { mailbox, uid } if mailbox == self.mailbox => {
                    self.uids.push(uid.0)
                }
                Change::Changed { mailbox, uid } if mailbox == self.mailbox => {
                    self.mark_changed(uid.0)
                }
                Change::Expunged { mailbox, uid } if mailbox == self.mailbox => {
                    self.mark_gone(uid.0)
                }
                _ => {}
            }
        }
        self.version = self.version.max(version);
        self.drop_untold();
    }

    /// Takes in a whole snapshot, when the log no longer reaches back. Flags are compared by the caller.
    pub fn compare(&mut self, version: Version, now: &Uids) {
        let lost: Vec<u32> = self
            .uids
            .iter()
            .filter(|uid| now.seq(*uid).is_none())
            .collect();
        lost.into_iter().for_each(|uid| self.mark_gone(uid));
        let above = self.uids.largest().saturating_add(1);
        for (first, last) in now.within(above, u32::MAX) {
            (first..=last).for_each(|uid| self.uids.push(uid));
        }
        self.version = self.version.max(version);
    }

    /// Notes that a message's flags are to be told.
    pub fn mark_changed(&mut self, uid: u32) {
        if self.uids.seq(uid).is_some() && !self.gone.contains(&uid) {
            self.changed.insert(uid);
        }
    }

    fn mark_gone(&mut self, uid: u32) {
        if self.uids.seq(uid).is_some() {
            self.gone.insert(uid);
            self.changed.remove(&uid);
        }
    }

    /// What arrived and went before the client heard of it never existed for it.
    fn drop_untold(&mut self) {
        let Some(largest_told) = (if self.told == 0 {
            Some(0)
        } else {
            self.uids.uid(self.told)
        }) else {
            return;
        };
        let untold = self.gone.split_off(&largest_told.saturating_add(1));
        self.uids.remove(&untold);
    }

    /// Whether there is anything to tell.
    pub fn has_news(&self, numbers_may_shift: bool) -> bool {
        (numbers_may_shift && !self.gone.is_empty())
            || self.uids.len() != self.told
            || !self.changed.is_empty()
    }

    /// Lets go of what was expunged and gives its sequence numbers, each to be sent as `* n EXPUNGE` in this order:
    /// descending, so that none of them moves another.
    pub fn expunge(&mut self) -> Vec<u32> {
        let gone = std::mem::take(&mut self.gone);
        let numbers: Vec<u32> = gone
            .iter()
            .rev()
            .filter_map(|uid| self.uids.seq(*uid))
            .collect();
        self.told -= numbers.iter().filter(|seq| **seq <= self.told).count() as u32;
        self.uids.remove(&gone);
        // Expunging recent messages lowers the count on the client's side as well.
        self.recent_told = self.recent_told.min(self.recent_count());
        numbers
    }

    /// The count for `* n EXISTS`, if the client does not know it yet.
    pub fn exists(&mut self) -> Option<u32> {
        let now = self.uids.len();
        (now != std::mem::replace(&mut self.told, now)).then_some(now)
    }

    /// The largest UID the client knows of and the largest there is: what lies between may become recent.
    pub fn untold(&self) -> Option<(Uid, Uid)> {
        let first = self.uids.uid(self.told.saturating_add(1))?;
        Some((Uid(first), Uid(self.uids.largest())))
    }

    /// Makes these UIDs recent for this session.
    pub fn add_recent(&mut self, first: Uid, last: Uid) {
        let mut ranges = self.recent.ranges().to_vec();
        ranges.push((first.0, last.0));
        self.recent = NumberSet::from_ranges(ranges);
    }

    /// Whether `\Recent` is shown for it.
    pub fn is_recent(&self, uid: u32) -> bool {
        self.recent.contains(uid)
    }

    /// How many messages are recent.
    pub fn recent_count(&self) -> u32 {
        let runs = self
            .recent
            .ranges()
            .iter()
            .flat_map(|&(first, last)| self.uids.within(first, last));
        runs.map(|(first, last)| last - first + 1).sum()
    }

    /// The count for `* n RECENT`, if the client does not know it yet.
    pub fn recent(&mut self) -> Option<u32> {
        let now = self.recent_count();
        (now != std::mem::replace(&mut self.recent_told, now)).then_some(now)
    }

    /// Takes up to `limit` UIDs whose flags are to be told, ascending.
    pub fn take_changed(&mut self, limit: usize) -> Vec<Uid> {
        let mut taken = Vec::new();
        while taken.len() < limit {
            let Some(uid) = self.changed.pop_first() else {
                break;
            };
            taken.push(Uid(uid));
        }
        taken
    }

    /// The client was shown these as they are at this mod-sequence, or made the change itself.
    pub fn shown(&mut self, rows: impl IntoIterator<Item = (Uid, Version)>) {
        self.shown
            .extend(rows.into_iter().map(|(uid, modseq)| (uid.0, modseq)));
    }

    /// Whether the client knows the message as it is at this mod-sequence.
    pub fn knows(&self, uid: Uid, modseq: Version) -> bool {
        self.shown.get(&uid.0).is_some_and(|shown| *shown >= modseq)
    }

    /// Whether the flags of a message are to be told.
    pub fn is_changed(&self, uid: u32) -> bool {
        self.changed.contains(&uid)
    }

    /// All is told: what was shown needs no remembering.
    pub fn all_told(&mut self) {
        self.shown = BTreeMap::new();
    }

    /// Whether a message the client still sees has been expunged.
    pub fn is_gone(&self, uid: u32) -> bool {
        self.gone.contains(&uid)
    }

    /// Whether any message the client still sees has been expunged.
    pub fn any_gone(&self) -> bool {
        !self.gone.is_empty()
    }

    /// The sequence number of a UID the client knows of.
    pub fn seq(&self, uid: Uid) -> Option<u32> {
        self.uids.seq(uid.0).filter(|seq| *seq <= self.told)
    }

    /// The messages a set means, as runs of UIDs the client knows of. Unknown UIDs are skipped (RFC 3501 §6.4.8).
    ///
    /// # Errors
    /// A plain sequence number or range beyond the mailbox. Ranges with `*` are cut to it instead: `1:*` is what
    /// clients send without looking, to an empty mailbox too.
    pub fn messages_of(&self, set: &SequenceSet, by: By) -> Result<Vec<(u32, u32)>, BeyondMailbox> {
        let told_largest = self.uids.uid(self.told).unwrap_or(0);
        if by == By::Uid {
            let wanted = set.resolve(told_largest);
            let runs = wanted
                .ranges()
                .iter()
                .flat_map(|&(a, b)| self.uids.within(a, b.min(told_largest)));
            return Ok(runs.collect());
        }
        let written = set
            .ranges()
            .iter()
            .filter_map(|range| match (range.from, range.to) {
                (SeqNumber::Number(a), SeqNumber::Number(b)) => Some(a.max(b).get()),
                _ => None,
            });
        if written.max().unwrap_or(0) > self.told {
            return Err(BeyondMailbox);
        }
        let wanted = set.resolve(self.told);
        Ok(wanted
            .ranges()
            .iter()
            .flat_map(|&(a, b)| self.uids_between(a, b.min(self.told)))
            .collect())
    }

    fn uids_between(&self, first_seq: u32, last_seq: u32) -> Vec<(u32, u32)> {
        match (self.uids.uid(first_seq), self.uids.uid(last_seq)) {
            (Some(first), Some(last)) if first <= last => self.uids.within(first, last).collect(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)] // a failing test shall stop
    use super::*;
    use proptest::prelude::*;

    const HERE: MailboxId = MailboxId(1);

    fn view(uids: &[u32]) -> View {
        let uids = Uids::from_ascending(uids.iter().copied());
        View::new(
            (HERE, "INBOX".into(), None),
            false,
            10,
            uids,
            NumberSet::default(),
        )
    }

    fn arrived(uid: u32) -> Change {
        Change::Arrived {
            mailbox: HERE,
            uid: Uid(uid),
        }
    }

    fn expunged(uid: u32) -> Change {
        Change::Expunged {
            mailbox: HERE,
            uid: Uid(uid),
        }
    }

    fn set(text: &str) -> SequenceSet {
        SequenceSet::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn numbers_hold_still_until_the_client_is_told() {
        let mut view = view(&[3, 4, 5, 9]);
        view.absorb(11, &[expunged(4)]);
        assert_eq!(view.seq(Uid(9)), Some(4));
        assert!(view.is_gone(4));
        assert_eq!(view.expunge(), [2]);
        assert_eq!(
            (view.seq(Uid(9)), view.seq(Uid(4)), view.messages()),
            (Some(3), None, 3)
        );
        assert_eq!(view.exists(), None);
    }

    #[test]
    fn expunges_are_told_from_the_end_so_that_none_moves_another() {
        let mut view = view(&[1, 2, 3, 4, 5]);
        view.absorb(12, &[expunged(2), expunged(5), expunged(3)]);
        assert_eq!(view.expunge(), [5, 3, 2]);
        assert_eq!(view.uids().iter().collect::<Vec<_>>(), [1, 4]);
    }

    #[test]
    fn what_comes_and_goes_unseen_is_never_told() {
        let mut view = view(&[1]);
        view.absorb(13, &[arrived(2), arrived(3), expunged(2)]);
        assert_eq!(view.exists(), Some(2));
        assert!(view.expunge().is_empty());
        assert_eq!(view.seq(Uid(3)), Some(2));
    }

    #[test]
    fn other_mailboxes_only_move_the_version() {
        let mut view = view(&[1]);
        view.absorb(
            14,
            &[
                Change::Arrived {
                    mailbox: MailboxId(2),
                    uid: Uid(7),
                },
                Change::Other,
            ],
        );
        assert!(!view.has_news(true));
        assert_eq!(view.version(), 14);
    }

    #[test]
    fn flags_of_expunged_messages_are_not_told() {
        let mut view = view(&[1, 2]);
        view.absorb(
            15,
            &[
                Change::Changed {
                    mailbox: HERE,
                    uid: Uid(2),
                },
                expunged(2),
            ],
        );
        assert!(view.take_changed(10).is_empty());
    }

    #[test]
    fn sets_mean_what_the_client_knows() {
        let mut view = view(&[3, 4, 5, 9]);
        view.absorb(16, &[arrived(12)]);
        assert_eq!(
            view.messages_of(&set("1:2,4"), By::Sequence),
            Ok(vec![(3, 4), (9, 9)])
        );
        assert_eq!(
            view.messages_of(&set("4:*"), By::Uid),
            Ok(vec![(4, 5), (9, 9)])
        );
        assert_eq!(view.messages_of(&set("100:*"), By::Uid), Ok(vec![(9, 9)]));
        assert_eq!(
            view.messages_of(&set("3:5"), By::Sequence),
            Err(BeyondMailbox)
        );
        assert_eq!(
            view.messages_of(&set("5:*"), By::Sequence),
            Ok(vec![(9, 9)])
        );
        assert_eq!(
            View::messages_of(&self::view(&[]), &set("1:*"), By::Sequence),
            Ok(vec![])
        );
    }

    #[test]
    fn a_snapshot_replaces_a_log_that_is_too_short() {
        let mut view = view(&[1, 2, 3]);
        view.compare(40, &Uids::from_ascending([2, 5, 6]));
        assert_eq!(view.expunge(), [3, 1]);
        assert_eq!(view.exists(), Some(3));
        assert_eq!(view.uids().iter().collect::<Vec<_>>(), [2, 5, 6]);
    }

    #[test]
    fn recent_counts_only_what_is_still_there() {
        let mut view = view(&[1, 2, 3]);
        view.add_recent(Uid(2), Uid(3));
        assert_eq!(view.recent(), Some(2));
        view.absorb(17, &[expunged(3)]);
        view.expunge();
        assert_eq!((view.recent_count(), view.recent()), (1, None));
    }

    proptest! {
        #[test]
        fn runs_behave_like_a_plain_list(gaps in prop::collection::vec(1u32..4, 0..60), dropped in prop::collection::vec(any::<bool>(), 60)) {
            let all: Vec<u32> = gaps.iter().scan(0, |uid, gap| { *uid += gap; Some(*uid) }).collect();
            let mut runs = Uids::from_ascending(all.iter().copied());
            let gone: BTreeSet<u32> = all.iter().zip(&dropped).filter(|(_, drop)| **drop).map(|(uid, _)| *uid).collect();
            runs.remove(&gone);
            let left: Vec<u32> = all.into_iter().filter(|uid| !gone.contains(uid)).collect();
            prop_assert_eq!(runs.iter().collect::<Vec<_>>(), left.clone());
            prop_assert_eq!(runs.len() as usize, left.len());
            for (index, uid) in left.iter().enumerate() {
                prop_assert_eq!(runs.uid(index as u32 + 1), Some(*uid));
                prop_assert_eq!(runs.seq(*uid), Some(index as u32 + 1));
            }
            prop_assert_eq!(runs.uid(left.len() as u32 + 1), None);
            for uid in 0..200 {
                prop_assert_eq!(runs.seq(uid).is_some(), left.contains(&uid));
            }
        }
    }
}
