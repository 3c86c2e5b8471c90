//! The rows of a trail: one ring of slots for each sort of entry, and what an hour's or a day's repetitions come to.
//!
//! Changes are in the first ring, where entries of all sorts were kept before there were several: those grow old there.

use super::{
    ACTIVITY_MAX, Activity, CHANGES_MAX, DAY_MS, OTHERS_MAX, Proof, REFUSALS_FOLDED,
    REFUSALS_LISTED, REFUSALS_MAX, REFUSED_WITHIN_MS, SECOND_STEP, SIGN_INS_MAX, Sort, Taken,
};
use crate::Result;
use crate::rows::{self, Kind};
use pillarbox_store::mail::{Millis, Rows};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Newest sign-ins looked through for the same.
const LOOKED_BACK: u16 = 48;

/// Slots of a trail, one behind the other; the entry behind the last goes into the first.
struct Ring {
    first: u16,
    size: u16,
    /// Newest slots looked through for the same.
    back: u16,
}

const CHANGES: Ring = Ring {
    first: 0,
    size: CHANGES_MAX,
    back: 0,
};
const SIGN_INS: Ring = Ring {
    first: CHANGES_MAX,
    size: SIGN_INS_MAX,
    back: LOOKED_BACK,
};
const STRANGERS: Ring = Ring {
    first: CHANGES_MAX + SIGN_INS_MAX,
    size: REFUSALS_MAX,
    // All that a day can have begun.
    back: (REFUSALS_LISTED + REFUSALS_FOLDED) * Proof::KINDS,
};

impl Ring {
    fn slot(&self, number: u64) -> Vec<u8> {
        // Below the ring's size, so it fits.
        let slot = self.first + (number % u64::from(self.size)) as u16;
        Kind::Activity.key(slot.to_be_bytes())
    }

    fn newest(&self, next: u64) -> std::ops::Range<u64> {
        next.saturating_sub(u64::from(self.back))..next
    }

    /// Adds entries to the ring, whose next one has the number `next`; the number after them.
    fn write(&self, rows: &mut Rows, next: u64, entries: &[Row]) -> Result<u64> {
        if entries.is_empty() {
            return Ok(next);
        }
        // Behind a slot that is empty are only older ones.
        let read = |number| rows::read::<Row>(rows, &self.slot(number)).ok().flatten();
        let mut newest: Vec<Row> = self.newest(next).rev().map_while(read).collect();
        newest.reverse();
        let begin = next - newest.len() as u64;
        let mut touched = BTreeSet::new();
        for entry in entries {
            touched.insert(add(&mut newest, entry.clone()));
        }
        for index in touched {
            rows::write(rows, &self.slot(begin + index as u64), &newest[index])?;
        }
        Ok(begin + newest.len() as u64)
    }
}

/// Where the next entries go.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Head {
    /// Changes.
    next: u64,
    #[serde(default)]
    sign_ins: u64,
    /// Refusals, and what strangers' programs did to themselves.
    #[serde(default)]
    strangers: u64,
    /// When old entries were last removed.
    swept: Millis,
}

/// An entry as kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(flatten)]
    pub entry: Activity,
    /// The different addresses of [`Activity::others`], each as 32 bits of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<u32>,
}

impl From<Activity> for Row {
    fn from(entry: Activity) -> Self {
        let seen = Vec::new();
        Self { entry, seen }
    }
}

impl Row {
    fn is_fold(&self) -> bool {
        self.entry.others.is_some()
    }

    /// Whether `other` is in the same list of a day.
    fn lists(&self, other: &Self) -> bool {
        let (mine, other) = (&self.entry, &other.entry);
        (mine.deed, mine.proof()) == (other.deed, other.proof())
            && other.at.saturating_sub(mine.first) < REFUSED_WITHIN_MS
    }

    /// An entry for it and others of its cause.
    fn folded(self) -> Self {
        if self.is_fold() {
            return self;
        }
        let method = match self.entry.proof() {
            Proof::Password => Some(SECOND_STEP.into()),
            Proof::Nothing | Proof::Token => None,
        };
        let seen: Vec<u32> = self.entry.peer.map(mark).into_iter().collect();
        let others = Some(seen.len() as u16); // at most one
        let entry = Activity {
            service: None,
            method,
            app: None,
            peer: None,
            others,
            ..self.entry
        };
        Self { entry, seen }
    }

    fn fold_in(&mut self, fold: &Self) {
        self.entry.count(&fold.entry);
        for mark in &fold.seen {
            if self.seen.len() < usize::from(OTHERS_MAX) && !self.seen.contains(mark) {
                self.seen.push(*mark);
            }
        }
        self.entry.others = Some(self.seen.len() as u16); // at most OTHERS_MAX
    }
}

/// One address, or of IPv6, where everybody has many, one network of 64 bits. That two may look the same harms nobody.
fn mark(peer: IpAddr) -> u32 {
    match peer {
        IpAddr::V4(peer) => peer.to_bits(),
        IpAddr::V6(peer) => {
            let network = (peer.to_bits() >> 64) as u64;
            (network ^ (network >> 32)) as u32
        }
    }
}

/// Adds an entry to those before it, or counts it in one of them; its place there.
pub(super) fn add(rows: &mut Vec<Row>, row: Row) -> usize {
    let again = |old: &mut Row| old.entry.takes(&row.entry);
    if let Some(index) = rows.iter_mut().rposition(again) {
        return index;
    }
    if row.entry.deed.sort() != Sort::Refusal {
        return push(rows, row);
    }
    let mine = |fold: bool| move |old: &&Row| old.is_fold() == fold;
    let listed = rows
        .iter()
        .filter(|old| old.lists(&row))
        .filter(mine(false));
    if !row.is_fold() && listed.count() < usize::from(REFUSALS_LISTED) {
        return push(rows, row);
    }
    fold(rows, row.folded())
}

fn push(rows: &mut Vec<Row>, row: Row) -> usize {
    rows.push(row);
    rows.len() - 1
}

/// Counts it with those of its cause; if a day has too many causes, with those of all others.
fn fold(rows: &mut Vec<Row>, mut row: Row) -> usize {
    let of = |rows: &[Row], row: &Row| {
        let mine = |old: &Row| old.is_fold() && old.lists(row);
        rows.iter()
            .rposition(|old| mine(old) && old.entry.detail == row.entry.detail)
    };
    let causes = rows
        .iter()
        .filter(|old| old.is_fold() && old.entry.detail.is_some() && old.lists(&row));
    let full = causes.count() >= usize::from(REFUSALS_FOLDED) - 1;
    if of(rows, &row).is_none() && full {
        row.entry.detail = None;
    }
    match of(rows, &row) {
        Some(index) => {
            rows[index].fold_in(&row);
            index
        }
        None => push(rows, row),
    }
}

/// Adds an entry to a list that waits; where the ring would write over the oldest, it goes at once.
pub(super) fn add_bounded(rows: &mut Vec<Row>, row: Row, sort: Sort) {
    add(rows, row);
    let ring = match sort {
        Sort::Change => &CHANGES,
        Sort::SignIn => &SIGN_INS,
        Sort::Refusal => &STRANGERS,
    };
    if rows.len() > usize::from(ring.size) {
        rows.remove(0);
    }
}

/// The moment to remove old entries at, if it is time to.
pub(super) fn sweep_due(head: &Head, taken: &Taken) -> Option<Millis> {
    let entries = taken.own.entries().chain(&taken.strangers);
    let now = entries.map(|row| row.entry.at).max()?;
    (now.saturating_sub(head.swept) >= DAY_MS).then_some(now)
}

/// The keys that [`write()`] reads.
pub(super) fn wanted(head: &Head, taken: &Taken) -> Vec<Vec<u8>> {
    let mut wanted = vec![Kind::ActivityHead.all()];
    let mut want = |ring: &Ring, next: u64, entries: &[Row]| {
        if !entries.is_empty() {
            wanted.extend(ring.newest(next).map(|number| ring.slot(number)));
        }
    };
    want(&CHANGES, head.next, &taken.own.changes);
    want(&SIGN_INS, head.sign_ins, &taken.own.sign_ins);
    want(&STRANGERS, head.strangers, &taken.strangers);
    wanted
}

/// Writes what waited, each sort into its ring.
pub(super) fn write(rows: &mut Rows, taken: &Taken, swept: Option<Millis>) -> Result<()> {
    let key = Kind::ActivityHead.all();
    let mut head: Head = rows::read(rows, &key)?.unwrap_or_default();
    head.swept = swept.unwrap_or(head.swept);
    head.next = CHANGES.write(rows, head.next, &taken.own.changes)?;
    head.sign_ins = SIGN_INS.write(rows, head.sign_ins, &taken.own.sign_ins)?;
    head.strangers = STRANGERS.write(rows, head.strangers, &taken.strangers)?;
    rows::write(rows, &key, &head)
}

const _: () = assert!(ACTIVITY_MAX == STRANGERS.first as usize + STRANGERS.size as usize);
