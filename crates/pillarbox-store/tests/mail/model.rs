//! Random operations from two stores on one engine against a plain model, and a mirror fed by the change log alone.

use std::collections::{BTreeMap, BTreeSet};

use pillarbox_store::{
    Account, Change, Changes, How, MailboxId, Role, Row, Store, SystemFlags, Uid, Version,
};
use proptest::prelude::*;

use crate::house::{House, NOW, flags, mail, random};

const SEEN: u8 = SystemFlags::SEEN;
const FLAGGED: u8 = SystemFlags::FLAGGED;
const DELETED: u8 = SystemFlags::DELETED;

/// Mailboxes by their place in [`House`]'s list below.
const INBOX: usize = 0;
const ALL: usize = 1;
const STARRED: usize = 2;
const TRASH: usize = 3;
const JUNK: usize = 4;
const LABEL: usize = 5;

#[derive(Clone, Debug)]
enum Op {
    Append(usize, u8),
    Flags(usize, u8, u8, How),
    Copy(usize, u8, usize),
    Move(usize, u8, usize),
    Expunge(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let bits = prop_oneof![
        Just(SEEN),
        Just(FLAGGED),
        Just(DELETED),
        Just(SEEN | FLAGGED)
    ];
    let how = prop_oneof![Just(How::Add), Just(How::Remove), Just(How::Replace)];
    prop_oneof![
        4 => (0usize..6, prop_oneof![Just(0), Just(FLAGGED)]).prop_map(|(m, f)| Op::Append(m, f)),
        4 => (0usize..6, any::<u8>(), bits, how).prop_map(|(m, n, f, h)| Op::Flags(m, n, f, h)),
        3 => (0usize..6, any::<u8>(), 0usize..6).prop_map(|(a, n, b)| Op::Copy(a, n, b)),
        3 => (0usize..6, any::<u8>(), 0usize..6).prop_map(|(a, n, b)| Op::Move(a, n, b)),
        2 => (0usize..6).prop_map(Op::Expunge),
    ]
}

/// One message: shared flags, and in each mailbox its UID and `\Deleted`.
#[derive(Clone, Default)]
struct Message {
    flags: u8,
    places: BTreeMap<usize, (u32, bool)>,
}

#[derive(Default)]
struct Model {
    messages: Vec<Message>,
    next: [u32; 6],
}

impl Model {
    /// Makes `message` have the labels it is to have, by the rules.
    fn place(&mut self, message: usize, mut want: BTreeSet<usize>) {
        let m = &mut self.messages[message];
        if want.contains(&TRASH) {
            want = BTreeSet::from([TRASH]);
        } else if want.contains(&JUNK) {
            want = BTreeSet::from([JUNK]);
        } else {
            want.insert(ALL);
            want.remove(&STARRED);
            if m.flags & FLAGGED != 0 {
                want.insert(STARRED);
            }
        }
        m.places.retain(|mailbox, _| want.contains(mailbox));
        for mailbox in want {
            let next = &mut self.next[mailbox];
            m.places.entry(mailbox).or_insert_with(|| {
                *next += 1;
                (*next, false)
            });
        }
    }

    fn labels(&self, message: usize) -> BTreeSet<usize> {
        self.messages[message].places.keys().copied().collect()
    }

    /// The `n`th message of a mailbox, counted round.
    fn pick(&self, mailbox: usize, n: u8) -> Option<usize> {
        let mut there: Vec<_> = (0..self.messages.len())
            .filter_map(|m| Some((self.messages[m].places.get(&mailbox)?.0, m)))
            .collect();
        there.sort_unstable();
        let n = usize::from(n).checked_rem(there.len())?;
        Some(there[n].1)
    }

    fn give(&mut self, message: usize, label: usize) {
        let mut want = self.labels(message);
        if label == TRASH || label == JUNK {
            want.clear();
        }
        want.remove(&TRASH);
        want.remove(&JUNK);
        want.insert(label);
        if label == STARRED {
            self.messages[message].flags |= FLAGGED;
        }
        self.place(message, want);
    }

    fn append(&mut self, mailbox: usize, flags: u8) {
        let message = Message {
            flags,
            ..Message::default()
        };
        self.messages.push(message);
        self.give(self.messages.len() - 1, mailbox);
    }

    fn flag(&mut self, mailbox: usize, message: usize, bits: u8, how: How) {
        let m = &mut self.messages[message];
        let deleted = &mut m.places.get_mut(&mailbox).unwrap().1;
        let shared = bits & !DELETED;
        match how {
            How::Add => {
                m.flags |= shared;
                *deleted |= bits & DELETED != 0;
            }
            How::Remove => {
                m.flags &= !shared;
                *deleted &= bits & DELETED == 0;
            }
            How::Replace => {
                m.flags = shared;
                *deleted = bits & DELETED != 0;
            }
        }
        let want = self.labels(message);
        self.place(message, want);
    }

    fn copy(&mut self, from: usize, message: usize, to: usize, moves: bool) {
        let kept = [ALL, STARRED].contains(&to);
        let confined = from == TRASH || from == JUNK;
        let there = self.messages[message].places.contains_key(&to);
        if moves && from == to {
            self.next[to] += 1;
            let place = (self.next[to], false);
            self.messages[message].places.insert(to, place);
            return;
        }
        if (confined && !moves) || (there && !kept) {
            let flags = self.messages[message].flags;
            self.append(to, flags);
        } else {
            self.give(message, to);
        }
        if moves && to != TRASH && to != JUNK {
            self.take(message, from);
        }
    }

    fn take(&mut self, message: usize, label: usize) {
        if label == STARRED {
            self.messages[message].flags &= !FLAGGED;
        }
        let mut want = self.labels(message);
        want.remove(&label);
        self.place(message, want);
    }

    fn expunge(&mut self, mailbox: usize) {
        let marked = |m: &Message| m.places.get(&mailbox).is_some_and(|place| place.1);
        let mut all: Vec<_> = (0..self.messages.len())
            .filter(|m| marked(&self.messages[*m]))
            .collect();
        all.sort_unstable_by_key(|m| self.messages[*m].places[&mailbox].0);
        for message in all {
            match mailbox {
                TRASH | JUNK => self.messages[message].places.clear(),
                ALL => self.give(message, TRASH),
                _ => self.take(message, mailbox),
            }
        }
    }

    /// UID, flags and `\Deleted` of every row of a mailbox.
    fn rows(&self, mailbox: usize) -> BTreeMap<u32, u8> {
        let rows = self.messages.iter().filter_map(|m| {
            let (uid, deleted) = m.places.get(&mailbox)?;
            Some((*uid, m.flags | if *deleted { DELETED } else { 0 }))
        });
        rows.collect()
    }
}

/// What a session knows that reads nothing but the change log and the rows it names.
#[derive(Default)]
struct Mirror {
    version: Version,
    rows: BTreeMap<(MailboxId, Uid), Row>,
}

impl Mirror {
    async fn catch_up(&mut self, account: &Account) {
        let changes = account.changes(self.version).await.unwrap();
        let Changes::Since { version, changes } = changes else {
            panic!("the log was cut");
        };
        let mut look = BTreeSet::new();
        for change in changes {
            match change {
                Change::Arrived { mailbox, uid } => assert!(look.insert((mailbox, uid))),
                Change::Changed { mailbox, uid } => {
                    assert!(
                        look.contains(&(mailbox, uid)) || self.rows.contains_key(&(mailbox, uid))
                    );
                    look.insert((mailbox, uid));
                }
                Change::Expunged { mailbox, uid } => {
                    let new = look.remove(&(mailbox, uid));
                    assert!(self.rows.remove(&(mailbox, uid)).is_some() || new);
                }
                Change::Mailbox { .. } | Change::Other => {}
            }
        }
        self.version = version;
        for (mailbox, uid) in look {
            let (_, rows) = account.rows(mailbox, &[uid.0..=uid.0]).await.unwrap();
            self.rows.insert((mailbox, uid), rows[0].clone());
        }
    }
}

async fn play(ops: Vec<(bool, bool, Op)>) {
    let house = House::new().await;
    let other = Store::open(house.engine.clone(), house.blobs.clone(), random(2));
    let other = other.await.unwrap().account(&house.id);
    let label = house.label("Label").await.id;
    let mut boxes = Vec::new();
    for role in [
        Role::Inbox,
        Role::All,
        Role::Starred,
        Role::Trash,
        Role::Junk,
    ] {
        boxes.push(house.of(role).await);
    }
    boxes.push(label);
    let mut model = Model::default();
    let mut mirror = Mirror::default();
    for (n, (first, looks, op)) in ops.into_iter().enumerate() {
        let account = if first { &house.ada } else { &other };
        match op {
            Op::Append(mailbox, bits) => {
                let mut new = mail(&house.store, &format!("Subject: {n}\r\n"), NOW).await;
                new.flags = flags(bits, &[]);
                account.append(boxes[mailbox], new).await.unwrap();
                model.append(mailbox, bits);
            }
            Op::Flags(mailbox, pick, bits, how) => {
                let Some(message) = model.pick(mailbox, pick) else {
                    continue;
                };
                let uid = Uid(model.messages[message].places[&mailbox].0);
                let given = flags(bits, &[]);
                account
                    .set_flags(boxes[mailbox], &[uid], how, &given, None, NOW)
                    .await
                    .unwrap();
                model.flag(mailbox, message, bits, how);
            }
            Op::Copy(from, pick, to) | Op::Move(from, pick, to) => {
                let moves = matches!(op, Op::Move(..));
                let Some(message) = model.pick(from, pick) else {
                    continue;
                };
                let uid = Uid(model.messages[message].places[&from].0);
                let (a, b) = (boxes[from], boxes[to]);
                let copied = if moves {
                    account.r#move(a, &[uid], b, NOW).await.unwrap()
                } else {
                    account.copy(a, &[uid], b, NOW).await.unwrap()
                };
                model.copy(from, message, to, moves);
                assert!(model.rows(to).contains_key(&copied.pairs[0].1.0));
                let left = !model.rows(from).contains_key(&uid.0);
                assert_eq!(copied.expunged.contains(&uid), left);
            }
            Op::Expunge(mailbox) => {
                account.expunge(boxes[mailbox], None, NOW).await.unwrap();
                model.expunge(mailbox);
            }
        }
        if looks {
            mirror.catch_up(&other).await;
        }
    }
    mirror.catch_up(&house.ada).await;
    let mut all = BTreeMap::new();
    for (n, mailbox) in boxes.iter().enumerate() {
        let (_, rows) = other.rows(*mailbox, &[1..=u32::MAX]).await.unwrap();
        let found: BTreeMap<u32, u8> = rows
            .iter()
            .map(|row| (row.uid.0, row.flags.system.0))
            .collect();
        assert_eq!(found, model.rows(n), "mailbox {n}");
        all.extend(rows.into_iter().map(|row| ((*mailbox, row.uid), row)));
        let kept = other.mailbox_by_id(*mailbox).await.unwrap().unwrap();
        assert_eq!(kept.uid_next.0, model.next[n] + 1);
    }
    assert_eq!(mirror.rows, all);
    house.is_sound().await;
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]
    #[test]
    fn the_store_is_the_model(ops in proptest::collection::vec((any::<bool>(), any::<bool>(), op()), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(play(ops));
    }
}

#[test]
fn the_model_tells_labels_apart() {
    // Guards the model itself: a label and the inbox are two places of one message.
    let mut model = Model::default();
    model.append(INBOX, 0);
    model.copy(INBOX, 0, LABEL, false);
    assert_eq!(model.labels(0), BTreeSet::from([INBOX, ALL, LABEL]));
}
