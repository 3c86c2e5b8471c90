//! The contract every engine keeps, run on each of them: guard, duplicates, unknown outcomes, scans, log, trim, watch, sizes,
//! reopening, and random work compared with a plain map.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{collections::BTreeMap, future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use pillarbox_store::engine::{
    AccountKey, Batch, CommitId, Embedded, Engine, EngineError, LOG_KEPT_MS, LOG_KEPT_VERSIONS,
    Log, MemoryEngine, Options, Outcome, Row, Scan, TooLarge, Version,
};
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// An engine under test, and how to close and open it again.
enum Subject {
    Memory(Arc<MemoryEngine>),
    Embedded(Option<Embedded>, TempDir),
}

fn options() -> Options {
    let mut drawn = 0_u8;
    Options::new(move || {
        drawn = drawn.wrapping_add(1);
        [drawn; 32]
    })
}

impl Subject {
    fn memory() -> Self {
        Self::Memory(Arc::new(MemoryEngine::new()))
    }

    fn embedded() -> Self {
        let folder = TempDir::new().unwrap();
        let store = Embedded::open(folder.path(), options()).unwrap();
        Self::Embedded(Some(store), folder)
    }

    fn engine(&self) -> Arc<dyn Engine> {
        match self {
            Self::Memory(engine) => Arc::clone(engine) as _,
            Self::Embedded(store, _) => Arc::clone(&store.as_ref().unwrap().engine) as _,
        }
    }

    fn reopen(&mut self) {
        if let Self::Embedded(store, folder) = self {
            drop(store.take());
            *store = Some(Embedded::open(folder.path(), options()).unwrap());
        }
    }
}

/// Runs one clause of the contract on every engine.
fn on_each(clause: impl AsyncFn(&mut Subject)) {
    let runtime = Runtime::new().unwrap();
    for mut subject in [Subject::memory(), Subject::embedded()] {
        runtime.block_on(clause(&mut subject));
    }
}

fn account(name: &str) -> AccountKey {
    AccountKey::new(name.as_bytes().to_vec()).unwrap()
}

fn id(n: u64) -> CommitId {
    CommitId(
        [n.to_be_bytes(), n.to_be_bytes()]
            .concat()
            .try_into()
            .unwrap(),
    )
}

fn put(key: &str, value: &str) -> Batch {
    let mut batch = Batch::new(1);
    batch.put(key.to_owned(), value.to_owned());
    batch.log(format!("{key}={value}"));
    batch
}

fn row(key: &str, value: &str) -> Row {
    Row {
        key: Bytes::copy_from_slice(key.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

#[test]
fn a_commit_raises_the_version_by_one_and_shows_at_once() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        assert_eq!(
            engine.read(&ada, Scan::prefix(""), 0).await,
            Ok((0, vec![]))
        );
        for version in 0..3 {
            let done = engine
                .commit(&ada, version, id(version), put("k", "v"))
                .await;
            assert_eq!(done, Ok(Outcome::Committed(version + 1)));
        }
        let empty = engine.commit(&ada, 3, id(3), Batch::new(1)).await;
        assert_eq!(
            empty,
            Ok(Outcome::Committed(4)),
            "an empty batch is a commit too"
        );
        let read = engine.read(&ada, Scan::prefix(""), 4).await;
        assert_eq!(read, Ok((4, vec![row("k", "v")])));
        let behind = engine.read(&ada, Scan::prefix(""), 5).await;
        assert_eq!(behind, Err(EngineError::Behind { have: 4, wanted: 5 }));
    });
}

#[test]
fn the_guard_lets_one_of_two_through() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        let (one, two) = tokio::join!(
            engine.commit(&ada, 0, id(1), put("k", "one")),
            engine.commit(&ada, 0, id(2), put("k", "two")),
        );
        let (winner, loser) = match one.unwrap() {
            Outcome::Committed(1) => ("one", two.unwrap()),
            lost => ("two", lost),
        };
        assert_eq!(loser, Outcome::Conflict(1));
        let read = engine.read(&ada, Scan::prefix(""), 1).await;
        assert_eq!(read, Ok((1, vec![row("k", winner)])));
        let ahead = engine.commit(&ada, 7, id(3), put("k", "x")).await;
        assert_eq!(
            ahead,
            Ok(Outcome::Conflict(1)),
            "a version that is not there yet"
        );
    });
}

#[test]
fn a_commit_sent_twice_is_applied_once_also_after_reopening() {
    on_each(async |subject| {
        let ada = account("ada");
        let engine = subject.engine();
        engine.commit(&ada, 0, id(1), put("k", "1")).await.unwrap();
        let twice = tokio::join!(
            engine.commit(&ada, 1, id(2), put("k", "2")),
            engine.commit(&ada, 1, id(2), put("k", "2")),
        );
        assert_eq!(twice.0, Ok(Outcome::Committed(2)));
        assert_eq!(twice.1, Ok(Outcome::AlreadyCommitted(2)));
        engine.commit(&ada, 2, id(3), put("k", "3")).await.unwrap();
        drop(engine);
        subject.reopen();
        let engine = subject.engine();
        let again = engine.commit(&ada, 0, id(1), put("k", "1")).await;
        assert_eq!(again, Ok(Outcome::AlreadyCommitted(1)));
        let other = engine.commit(&ada, 0, id(9), put("k", "9")).await;
        assert_eq!(other, Ok(Outcome::Conflict(3)));
        let read = engine.read(&ada, Scan::prefix(""), 3).await;
        assert_eq!(read, Ok((3, vec![row("k", "3")])));
    });
}

#[test]
fn whoever_lost_the_answer_asks_again() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        for n in 0..50 {
            // The future is dropped after one poll: the commit may have been queued, written, or neither.
            let lost = engine.commit(&ada, n, id(n), put("k", &n.to_string()));
            let answer = tokio::select! {
                biased;
                answer = lost => Some(answer),
                () = std::future::ready(()) => None,
            };
            let again = engine
                .commit(&ada, n, id(n), put("k", &n.to_string()))
                .await;
            match (answer, again) {
                (None, Ok(Outcome::Committed(v) | Outcome::AlreadyCommitted(v)))
                | (Some(Ok(Outcome::Committed(v))), Ok(Outcome::AlreadyCommitted(_))) => {
                    assert_eq!(v, n + 1);
                }
                other => panic!("{other:?}"),
            }
        }
        let (version, rows) = engine.read(&ada, Scan::prefix(""), 50).await.unwrap();
        assert_eq!((version, rows), (50, vec![row("k", "49")]));
    });
}

#[test]
fn scans_keep_to_their_range_limit_and_direction() {
    on_each(async |subject| {
        let engine = subject.engine();
        let (ada, neighbour) = (account("ada"), account("ada\u{0}"));
        let mut batch = Batch::new(1);
        for key in ["a", "b1", "b2", "b3", "c"] {
            batch.put(key, key);
        }
        batch.put(&b"\xff\xff"[..], "last");
        batch.put("gone", "x").delete("gone").delete("never");
        batch.put("twice", "1").put("twice", "2").delete("twice");
        engine.commit(&ada, 0, id(1), batch).await.unwrap();
        engine
            .commit(&neighbour, 0, id(1), put("b2", "theirs"))
            .await
            .unwrap();

        let last = Row {
            key: Bytes::from_static(b"\xff\xff"),
            value: Bytes::from_static(b"last"),
        };
        let b = |n: u8| row(&format!("b{n}"), &format!("b{n}"));
        let all = vec![row("a", "a"), b(1), b(2), b(3), row("c", "c"), last.clone()];
        for (scan, expected) in [
            (Scan::prefix(""), all),
            (Scan::prefix("b"), vec![b(1), b(2), b(3)]),
            (Scan::prefix("b").limit(2), vec![b(1), b(2)]),
            (Scan::prefix("b").after(b"b1"), vec![b(2), b(3)]),
            (Scan::prefix("b").reversed(), vec![b(3), b(2), b(1)]),
            (Scan::prefix("b").reversed().limit(1), vec![b(3)]),
            (Scan::prefix("").reversed().limit(1), vec![last.clone()]),
            (Scan::prefix(&b"\xff"[..]), vec![last]),
            (Scan::range("b1", "b3"), vec![b(1), b(2)]),
            (Scan::range("b3", "b1"), vec![]),
            (Scan::range("b1", "b1"), vec![]),
            (Scan::prefix("b").limit(0), vec![]),
            (Scan::prefix("nothing"), vec![]),
        ] {
            let read = engine.read(&ada, scan.clone(), 1).await;
            assert_eq!(read, Ok((1, expected)), "{scan:?}");
        }
        let scans = [Scan::prefix("a"), Scan::prefix("x"), Scan::prefix("c")];
        let many = engine.read_many(&ada, &scans, 1).await.unwrap();
        assert_eq!(
            many,
            (1, vec![vec![row("a", "a")], vec![], vec![row("c", "c")]])
        );
        let keys = ["c", "x", "a"].map(Bytes::from);
        let got = engine.get(&ada, &keys, 1).await.unwrap();
        assert_eq!(got, (1, vec![Some("c".into()), None, Some("a".into())]));
    });
}

#[test]
fn the_log_tells_what_happened_since() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        assert_eq!(engine.log(&ada, 0, 9).await, Ok(Log::Entries(vec![])));
        for n in 0..5 {
            let batch = put("k", &n.to_string());
            engine.commit(&ada, n, id(n), batch).await.unwrap();
        }
        let versions = async |since, limit| match engine.log(&ada, since, limit).await.unwrap() {
            Log::Entries(entries) => entries,
            Log::TooOld(floor) => panic!("too old: {floor}"),
        };
        let entries = versions(2, 2).await;
        let seen: Vec<_> = entries
            .iter()
            .map(|e| (e.version, e.id, &e.changes[..]))
            .collect();
        assert_eq!(seen, [(3, id(2), &b"k=2"[..]), (4, id(3), &b"k=3"[..])]);
        assert_eq!(entries[0].at_ms, 1);
        assert_eq!(versions(0, usize::MAX).await.len(), 5);
        assert_eq!(versions(5, 9).await, []);
        assert_eq!(versions(99, 9).await, []);
    });
}

#[test]
fn the_log_is_trimmed_to_5000_versions_and_30_days() {
    on_each(async |subject| {
        let ada = account("ada");
        let engine = subject.engine();
        let total = LOG_KEPT_VERSIONS + 100;
        let mut running = tokio::task::JoinSet::new();
        // Queued in order by polling each once, answered in groups.
        for n in 0..total {
            let (engine, ada) = (Arc::clone(&engine), ada.clone());
            let mut batch = Batch::new(n);
            batch.log("x");
            let commit = async move { engine.commit(&ada, n, id(n), batch).await };
            let mut commit = Box::pin(tokio::task::unconstrained(commit));
            let first = poll_fn(|context| Poll::Ready(commit.as_mut().poll(context)));
            match first.await {
                Poll::Ready(done) => assert_eq!(done, Ok(Outcome::Committed(n + 1))),
                Poll::Pending => drop(running.spawn(commit)),
            }
        }
        for done in running.join_all().await {
            assert!(matches!(done, Ok(Outcome::Committed(_))), "{done:?}");
        }

        let early = engine.trim(&ada, LOG_KEPT_MS - 1).await.unwrap();
        assert_eq!(early.floor, 0, "all are younger than 30 days");
        let some = engine.trim(&ada, LOG_KEPT_MS + 49).await.unwrap();
        assert_eq!((some.floor, some.more), (50, false), "50 are old enough");
        let mut rest = engine.trim(&ada, u64::MAX).await.unwrap();
        while rest.more {
            rest = engine.trim(&ada, u64::MAX).await.unwrap();
        }
        assert_eq!(rest.floor, 100, "5,000 stay, however old");
        drop(engine);
        subject.reopen();
        let engine = subject.engine();
        assert_eq!(engine.log(&ada, 99, 9).await, Ok(Log::TooOld(100)));
        match engine.log(&ada, 100, 1).await.unwrap() {
            Log::Entries(entries) => assert_eq!(entries[0].version, 101),
            Log::TooOld(floor) => panic!("too old: {floor}"),
        }
        let forgotten = engine.commit(&ada, 5, id(5), Batch::new(0)).await;
        assert_eq!(
            forgotten,
            Ok(Outcome::Conflict(total)),
            "past the log a duplicate is a conflict"
        );
        let next = engine.commit(&ada, total, id(total), Batch::new(0)).await;
        assert_eq!(next, Ok(Outcome::Committed(total + 1)));
        let checked = engine.check(Box::new(|_| ())).await.unwrap();
        assert_eq!(checked.problems, Vec::<String>::new());
        assert_eq!(checked.log_entries, LOG_KEPT_VERSIONS + 1);
    });
}

#[test]
fn watchers_hear_of_commits_and_start_with_the_newest() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        let mut early = engine.watch(&ada);
        assert_eq!(*early.borrow_and_update(), 0);
        engine.commit(&ada, 0, id(0), put("k", "v")).await.unwrap();
        engine
            .commit(&account("bob"), 0, id(0), put("k", "v"))
            .await
            .unwrap();
        early.changed().await.unwrap();
        assert_eq!(*early.borrow_and_update(), 1);
        assert!(!early.has_changed().unwrap(), "bob's news are not ada's");
        assert_eq!(*engine.watch(&ada).borrow(), 1);
        engine.commit(&ada, 0, id(7), put("k", "v")).await.unwrap();
        assert!(!early.has_changed().unwrap(), "a conflict is no news");
    });
}

#[test]
fn what_is_too_large_is_refused_and_changes_nothing() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        let put = |key: usize, value: usize| {
            let mut batch = Batch::new(0);
            batch.put(vec![1; key], vec![2; value]);
            batch
        };
        let mut log = Batch::new(0);
        log.log(vec![0; 65_537]);
        let mut rows = Batch::new(0);
        for n in 0..5_001_u32 {
            rows.delete(n.to_be_bytes().to_vec());
        }
        let mut bytes = Batch::new(0);
        for n in 0..17_u8 {
            bytes.put(vec![n], vec![0; 65_536]);
        }
        for (batch, expected) in [
            (put(0, 1), TooLarge::Key { bytes: 0 }),
            (put(2_049, 1), TooLarge::Key { bytes: 2_049 }),
            (put(1, 65_537), TooLarge::Value { bytes: 65_537 }),
            (log, TooLarge::Log { bytes: 65_537 }),
            (
                rows,
                TooLarge::Batch {
                    bytes: 20_004,
                    rows: 5_001,
                },
            ),
            (
                bytes,
                TooLarge::Batch {
                    bytes: 17 * 65_537,
                    rows: 17,
                },
            ),
        ] {
            let done = engine.commit(&ada, 0, id(1), batch).await;
            assert_eq!(done, Err(EngineError::TooLarge(expected)));
        }
        let most = engine.commit(&ada, 0, id(1), put(2_048, 65_536)).await;
        assert_eq!(most, Ok(Outcome::Committed(1)));
        let (_, rows) = engine.read(&ada, Scan::prefix(""), 1).await.unwrap();
        assert_eq!((rows[0].key.len(), rows[0].value.len()), (2_048, 65_536));
        assert_eq!(
            AccountKey::new(vec![]),
            Err(TooLarge::AccountKey { bytes: 0 })
        );
        assert_eq!(
            AccountKey::new(vec![1; 65]),
            Err(TooLarge::AccountKey { bytes: 65 })
        );
    });
}

#[test]
fn accounts_are_listed_in_order_from_anywhere() {
    on_each(async |subject| {
        let engine = subject.engine();
        drop(engine.watch(&account("only watched")));
        for (n, name) in ["bob", "a", "zoe", "ab"].into_iter().enumerate() {
            let name = account(name);
            for version in 0..n as u64 {
                let done = engine.commit(&name, version, id(version), put("k", "v"));
                done.await.unwrap();
            }
        }
        let all = engine.accounts(None, 9).await.unwrap();
        assert_eq!(
            all,
            [(account("a"), 1), (account("ab"), 3), (account("zoe"), 2)]
        );
        let some = engine.accounts(Some(&account("a")), 1).await.unwrap();
        assert_eq!(some, [(account("ab"), 3)]);
    });
}

#[test]
fn twenty_thousand_small_rows_come_back_whole() {
    on_each(async |subject| {
        let (engine, ada) = (subject.engine(), account("ada"));
        for part in 0..5 {
            let mut batch = Batch::new(0);
            for n in part * 4_000..(part + 1) * 4_000_u32 {
                batch.put(n.to_be_bytes().to_vec(), n.to_le_bytes().to_vec());
            }
            engine
                .commit(&ada, part.into(), id(part.into()), batch)
                .await
                .unwrap();
        }
        let (_, rows) = engine.read(&ada, Scan::prefix(""), 5).await.unwrap();
        assert_eq!(rows.len(), 20_000);
        for (n, row) in (0_u32..).zip(&rows) {
            assert_eq!(
                (&row.key[..], &row.value[..]),
                (&n.to_be_bytes()[..], &n.to_le_bytes()[..])
            );
        }
    });
}

// Random work against a plain map.

#[derive(Clone, Debug)]
enum Step {
    /// Which account, how far off the expected version is, whose id is taken again if it is a repetition, and what to do.
    Commit {
        account: usize,
        off: i64,
        repeat: bool,
        operations: Vec<(u8, Option<u8>)>,
    },
    Scan {
        account: usize,
        start: u8,
        end: u8,
        limit: usize,
        reverse: bool,
    },
    Log {
        account: usize,
        since: u64,
        limit: usize,
    },
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let operation = (0..20_u8, proptest::option::of(any::<u8>()));
    prop_oneof![
        8 => (
            0..3_usize,
            prop_oneof![6 => Just(0_i64), 1 => Just(-1), 1 => Just(1)],
            proptest::bool::weighted(0.2),
            proptest::collection::vec(operation, 0..6),
        )
            .prop_map(|(account, off, repeat, operations)| Step::Commit {
                account,
                off,
                repeat,
                operations,
            }),
        4 => (0..3_usize, 0..20_u8, 0..22_u8, 0..9_usize, any::<bool>()).prop_map(
            |(account, start, end, limit, reverse)| Step::Scan {
                account,
                start,
                end,
                limit,
                reverse,
            }
        ),
        2 => (0..3_usize, 0..9_u64, 0..9_usize)
            .prop_map(|(account, since, limit)| Step::Log { account, since, limit }),
        1 => Just(Step::Reopen),
    ]
}

/// What an account should be: a map and the commits that made it.
#[derive(Default)]
struct Model {
    rows: BTreeMap<Vec<u8>, Vec<u8>>,
    ids: Vec<CommitId>,
}

impl Model {
    fn commit(&mut self, expected: i64, id: CommitId, operations: &[(u8, Option<u8>)]) -> Outcome {
        let version = self.ids.len() as Version;
        if expected != version as i64 {
            let taken = usize::try_from(expected)
                .ok()
                .and_then(|at| self.ids.get(at));
            return if taken == Some(&id) {
                Outcome::AlreadyCommitted(expected as Version + 1)
            } else {
                Outcome::Conflict(version)
            };
        }
        for (key, value) in operations {
            match value {
                Some(value) => self.rows.insert(vec![*key], vec![*value; 3]),
                None => self.rows.remove(&vec![*key]),
            };
        }
        self.ids.push(id);
        Outcome::Committed(version + 1)
    }
}

async fn play(subject: &mut Subject, steps: &[Step]) {
    let names = ["a", "aa", "b"].map(account);
    let mut models: [Model; 3] = Default::default();
    let mut drawn = 0;
    for step in steps {
        let engine = subject.engine();
        match step {
            Step::Commit {
                account,
                off,
                repeat,
                operations,
            } => {
                let model = &mut models[*account];
                let head = model.ids.len() as i64;
                let (expected, commit) = if *repeat && head > 0 {
                    (head - 1, model.ids[head as usize - 1])
                } else {
                    drawn += 1;
                    ((head + off).max(0), id(drawn))
                };
                let mut batch = Batch::new(0);
                for (key, value) in operations {
                    match value {
                        Some(value) => batch.put(vec![*key], vec![*value; 3]),
                        None => batch.delete(vec![*key]),
                    };
                }
                let done = engine
                    .commit(&names[*account], expected as Version, commit, batch)
                    .await;
                assert_eq!(done, Ok(model.commit(expected, commit, operations)));
            }
            Step::Scan {
                account,
                start,
                end,
                limit,
                reverse,
            } => {
                let mut scan = Scan::range(vec![*start], vec![*end]).limit(*limit);
                scan.reverse = *reverse;
                let model = &models[*account];
                let mut rows: Vec<_> = model
                    .rows
                    .iter()
                    .filter(|(key, _)| (*start..*end).contains(&key[0]))
                    .map(|(key, value)| (key.clone(), value.clone()))
                    .collect();
                if *reverse {
                    rows.reverse();
                }
                rows.truncate(*limit);
                let (version, found) = engine.read(&names[*account], scan, 0).await.unwrap();
                let found: Vec<_> = found
                    .iter()
                    .map(|row| (row.key.to_vec(), row.value.to_vec()))
                    .collect();
                assert_eq!((version, found), (model.ids.len() as Version, rows));
            }
            Step::Log {
                account,
                since,
                limit,
            } => {
                let found = engine.log(&names[*account], *since, *limit).await.unwrap();
                let Log::Entries(entries) = found else {
                    panic!("nothing was trimmed");
                };
                let ids = &models[*account].ids;
                let expected: Vec<_> = (*since + 1..)
                    .zip(ids.iter().skip(*since as usize).take(*limit).copied())
                    .collect();
                let entries: Vec<_> = entries.iter().map(|e| (e.version, e.id)).collect();
                assert_eq!(entries, expected);
            }
            Step::Reopen => {
                drop(engine);
                subject.reopen();
            }
        }
    }
    let checked = subject.engine().check(Box::new(|_| ())).await.unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
    let rows: usize = models.iter().map(|model| model.rows.len()).sum();
    let commits: usize = models.iter().map(|model| model.ids.len()).sum();
    assert_eq!(
        (checked.rows, checked.log_entries),
        (rows as u64, commits as u64)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn the_memory_engine_does_what_a_map_would(steps in proptest::collection::vec(step(), 1..60)) {
        Runtime::new().unwrap().block_on(play(&mut Subject::memory(), &steps));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(16) })]
    #[test]
    fn the_embedded_engine_does_what_a_map_would(steps in proptest::collection::vec(step(), 1..60)) {
        Runtime::new().unwrap().block_on(play(&mut Subject::embedded(), &steps));
    }
}
