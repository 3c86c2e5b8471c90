//! What waits in memory to be written into trails.
//!
//! What opens an account or is done in it waits until it is written, however much it is: what is too much for the ring of its
//! sort ([`Sort`]) would not stand there long either. Refusals, which anybody causes and under any name, have one bound for all.
//! Either is written before its time when much has come together.

use super::{Activity, LastUse, Row, Sort, rings, use_id};
use crate::{Act, Deed};
use pillarbox_store::mail::AccountId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Entries about refusals that wait, of all names together: a guesser can invent names.
const REFUSALS_WAITING_MAX: usize = 20_000;
/// So many of them are written early.
const REFUSALS_EARLY: usize = REFUSALS_WAITING_MAX / 4;
/// So many other entries of one account are written early.
const OWN_EARLY: usize = 100;
/// So many other entries of all accounts are written early.
const ALL_EARLY: usize = 10_000;
/// Credentials of one account whose last use waits to be written; an account has fewer.
const USES_MAX: usize = 10_000;

/// Whose trail, as known when recording.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) enum Whose {
    Account(AccountId),
    /// A user name as offered, in lower case; whether it is anybody's is looked up when writing.
    User(Box<str>),
}

/// What somebody did who was let in.
#[derive(Clone, Default)]
pub(super) struct Own {
    pub changes: Vec<Row>,
    pub sign_ins: Vec<Row>,
    pub uses: HashMap<String, LastUse>,
}

impl Own {
    pub fn entries(&self) -> impl Iterator<Item = &Row> {
        self.changes.iter().chain(&self.sign_ins)
    }

    fn len(&self) -> usize {
        self.changes.len() + self.sign_ins.len()
    }

    fn add(&mut self, row: Row) {
        match row.entry.deed.sort() {
            Sort::SignIn => rings::add_bounded(&mut self.sign_ins, row, Sort::SignIn),
            _ => rings::add_bounded(&mut self.changes, row, Sort::Change),
        }
    }

    fn used(&mut self, act: &Act) {
        if let Some(id) = act.credential.as_ref().and_then(use_id)
            && act.deed == Deed::SignedIn
            && (self.uses.len() < USES_MAX || self.uses.contains_key(&id))
        {
            let (at, peer, service) = (act.at, act.peer, act.service);
            self.uses.insert(id, LastUse { at, peer, service });
        }
    }

    fn join(&mut self, later: Self) {
        for row in later.changes.into_iter().chain(later.sign_ins) {
            self.add(row);
        }
        self.uses.extend(later.uses);
    }
}

/// All that waited for one name or account.
#[derive(Clone, Default)]
pub(super) struct Taken {
    pub own: Own,
    pub strangers: Vec<Row>,
}

impl Taken {
    pub fn join(&mut self, other: Self) {
        self.own.join(other.own);
        for row in other.strangers {
            rings::add_bounded(&mut self.strangers, row, Sort::Refusal);
        }
    }
}

#[derive(Default)]
struct Lists {
    own: HashMap<Whose, Own>,
    /// Entries in it.
    own_entries: usize,
    strangers: HashMap<Whose, Vec<Row>>,
    strangers_entries: usize,
    /// Refusals that had no room.
    left_out: u64,
}

/// What waits to be written.
#[derive(Default)]
pub(crate) struct Trail {
    lists: Mutex<Lists>,
    much: Notify,
}

impl Trail {
    fn lists(&self) -> MutexGuard<'_, Lists> {
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes something down. Never waits.
    pub(super) fn push(&self, whose: Whose, act: Act) {
        let stranger = act.unasked || act.deed.sort() == Sort::Refusal;
        let early = match stranger {
            true => self.lists().push_stranger(whose, act),
            false => self.lists().push_own(whose, act),
        };
        if early {
            self.much.notify_one();
        }
    }

    /// Waits until something is to be written before its time.
    pub(super) async fn much(&self) {
        self.much.notified().await;
    }

    /// Takes all that waits out, and how many refusals had no room.
    pub(super) fn take(&self) -> (HashMap<Whose, Taken>, u64) {
        let lists = std::mem::take(&mut *self.lists());
        let mut taken: HashMap<Whose, Taken> = HashMap::new();
        for (whose, own) in lists.own {
            taken.entry(whose).or_default().own = own;
        }
        for (whose, strangers) in lists.strangers {
            taken.entry(whose).or_default().strangers = strangers;
        }
        (taken, lists.left_out)
    }

    #[cfg(test)]
    pub(super) fn refusals(&self) -> usize {
        self.lists().strangers.values().map(Vec::len).sum()
    }

    /// Puts back what could not be written, before what came since.
    pub(super) fn put_back(&self, whose: Whose, mut own: Own) {
        let mut lists = self.lists();
        let since = lists.own.remove(&whose).unwrap_or_default();
        let before = since.len();
        own.join(since);
        lists.own_entries = lists.own_entries.saturating_sub(before) + own.len();
        lists.own.insert(whose, own);
    }

    /// Shows what waits under any of the names.
    pub(super) fn look(
        &self,
        names: &[Whose],
        mut look: impl FnMut(Option<&Own>, Option<&Vec<Row>>),
    ) {
        let lists = self.lists();
        for whose in names {
            look(lists.own.get(whose), lists.strangers.get(whose));
        }
    }
}

impl Lists {
    /// Whether it should be written now.
    fn push_own(&mut self, whose: Whose, act: Act) -> bool {
        let own = self.own.entry(whose).or_default();
        let before = own.len();
        own.used(&act);
        own.add(Activity::new(act).into());
        // Counts that come to be are told once, not at every entry behind them.
        let more = own.len() - before;
        let early = more > 0 && own.len() == OWN_EARLY;
        self.own_entries += more;
        early || (more > 0 && self.own_entries == ALL_EARLY)
    }

    fn push_stranger(&mut self, whose: Whose, act: Act) -> bool {
        if self.strangers_entries >= REFUSALS_WAITING_MAX {
            self.left_out += 1;
            return false;
        }
        let rows = self.strangers.entry(whose).or_default();
        let before = rows.len();
        rings::add_bounded(rows, Activity::new(act).into(), Sort::Refusal);
        let more = rows.len() - before;
        self.strangers_entries += more;
        more > 0 && self.strangers_entries == REFUSALS_EARLY
    }
}
