//! The store as a whole: directory, crashes, two writers, purging, checking, restarting.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use bytes::Bytes;
use pillarbox_store::{
    Change, Changes, How, MailboxId, Naming, Role, Store, StoreError, SystemFlags, Uid,
    blob::{Blobs, MemoryBlobs},
    engine::{
        AccountKey, Batch, CheckedRows, CommitId, Embedded, Engine, EngineError, Log, MemoryEngine,
        OpenError, Options, Outcome, Pending, Reading, Row, Scan, Trimmed,
    },
};
use tokio::sync::watch;

use crate::house::{House, NOW, flags, mail, random, uids};

#[tokio::test]
async fn addresses_lead_to_accounts_without_regard_to_case() {
    let house = House::new().await;
    let store = &house.store;
    assert_eq!(
        store.account_of("ADA@example.ORG").await.unwrap(),
        Some(house.id.clone())
    );
    assert_eq!(&*house.ada.address().await.unwrap(), "ada@example.org");
    let taken = store
        .create_account("ada@example.org", Naming::Gmail, NOW)
        .await;
    assert!(matches!(taken, Err(StoreError::AccountExists)));
    let bob = store
        .create_account("bob@example.org", Naming::Gmail, NOW)
        .await
        .unwrap();
    assert!(
        store
            .account(&bob)
            .mailbox("[Gmail]/All Mail")
            .await
            .unwrap()
            .is_some()
    );
    store
        .add_alias("Postmaster@example.org", &bob)
        .await
        .unwrap();
    store
        .add_alias("postmaster@example.org", &bob)
        .await
        .unwrap();
    let other = store.add_alias("postmaster@example.org", &house.id).await;
    assert!(matches!(other, Err(StoreError::AccountExists)));
    let listed = store.accounts(None, 10).await.unwrap();
    let names: Vec<_> = listed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["ada@example.org", "bob@example.org"]);
    assert_eq!(
        store.accounts(Some("ada@example.org"), 1).await.unwrap()[0].1,
        bob
    );
    store.remove_account(&bob).await.unwrap();
    assert_eq!(
        store.account_of("postmaster@example.org").await.unwrap(),
        None
    );
    assert_eq!(store.accounts(None, 10).await.unwrap().len(), 1);
    let gone = store.account(&bob).mailboxes().await;
    assert!(matches!(gone, Err(StoreError::NoSuchAccount)));
    store
        .create_account("bob@example.org", Naming::Plain, NOW)
        .await
        .unwrap();
    house.is_sound().await;
}

/// An engine that fails its n-th commit before doing it, or loses the answer after it.
struct Faulty {
    inner: MemoryEngine,
    fail_at: AtomicU32,
    lose_at: AtomicU32,
}

impl Engine for Faulty {
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: u64,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>> {
        Box::pin(async move {
            if self.fail_at.fetch_sub(1, Ordering::Relaxed) == 1 {
                return Err(EngineError::Broken("jammed".into()));
            }
            let outcome = self.inner.commit(account, expected, id, batch).await;
            if self.lose_at.fetch_sub(1, Ordering::Relaxed) == 1 {
                return Err(EngineError::Unknown("lost".into()));
            }
            outcome
        })
    }
    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: u64,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>> {
        self.inner.get(account, keys, at_least)
    }
    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: u64,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>> {
        self.inner.read_many(account, scans, at_least)
    }
    fn log<'a>(
        &'a self,
        account: &'a AccountKey,
        since: u64,
        limit: usize,
    ) -> Pending<'a, Result<Log, EngineError>> {
        self.inner.log(account, since, limit)
    }
    fn watch(&self, account: &AccountKey) -> watch::Receiver<u64> {
        self.inner.watch(account)
    }
    fn accounts<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(AccountKey, u64)>, EngineError>> {
        self.inner.accounts(after, limit)
    }
    fn check(
        &self,
        progress: Box<dyn FnMut(u64) + Send>,
    ) -> Pending<'_, Result<CheckedRows, EngineError>> {
        self.inner.check(progress)
    }
    fn trim<'a>(
        &'a self,
        account: &'a AccountKey,
        now_ms: u64,
    ) -> Pending<'a, Result<Trimmed, EngineError>> {
        self.inner.trim(account, now_ms)
    }
}

fn faulty() -> Arc<Faulty> {
    Arc::new(Faulty {
        inner: MemoryEngine::default(),
        fail_at: AtomicU32::new(0),
        lose_at: AtomicU32::new(0),
    })
}

#[tokio::test]
async fn an_address_has_a_name_and_a_domain() {
    let house = House::new().await;
    let long = format!("{}@example.org", "a".repeat(320));
    for bad in [
        "",
        "carol",
        "@example.org",
        "carol@",
        "carol x@t",
        "c\rd@t",
        &long,
    ] {
        let made = house.store.create_account(bad, Naming::Plain, NOW).await;
        assert!(matches!(made, Err(StoreError::BadAddress)), "{bad:?}");
        let alias = house.store.add_alias(bad, &house.id).await;
        assert!(matches!(alias, Err(StoreError::BadAddress)), "{bad:?}");
        assert_eq!(house.store.account_of(bad).await.unwrap(), None);
    }
    assert_eq!(house.store.accounts(None, 10).await.unwrap().len(), 1);
    for good in ["carol@t", "\"a@b\"@example.org"] {
        house.store.add_alias(good, &house.id).await.unwrap();
        let found = house.store.account_of(good).await.unwrap();
        assert_eq!(found, Some(house.id.clone()));
    }
}

#[tokio::test]
async fn a_crash_between_the_two_commits_of_an_account_is_made_good() {
    let engine = faulty();
    let blobs: Arc<dyn Blobs> = Arc::new(MemoryBlobs::new());
    let store = Store::open(engine.clone(), blobs.clone(), random(1))
        .await
        .unwrap();
    engine.fail_at.store(2, Ordering::Relaxed);
    let failed = store.create_account("ada@t", Naming::Plain, NOW).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    let half = store.account_of("ada@t").await.unwrap().unwrap();
    let unusable = store.account(&half).mailboxes().await;
    assert!(matches!(unusable, Err(StoreError::NoSuchAccount)));
    let again = Store::open(engine, blobs, random(9)).await.unwrap();
    let made = again
        .create_account("ada@t", Naming::Plain, NOW)
        .await
        .unwrap();
    assert_eq!(made, half);
    assert_eq!(again.account(&made).mailboxes().await.unwrap().1.len(), 8);
}

#[tokio::test]
async fn a_lost_answer_neither_loses_nor_doubles() {
    let engine = faulty();
    let house = House::over(engine.clone(), Arc::new(MemoryBlobs::new())).await;
    for n in 0..20 {
        if n % 3 == 0 {
            engine.lose_at.store(1, Ordering::Relaxed);
        }
        house.put(Role::Inbox, &n.to_string()).await;
    }
    assert_eq!(house.uids(Role::Inbox).await, (1..=20).collect::<Vec<_>>());
    // A refused write leaves nothing, and the next goes on from what is stored.
    engine.fail_at.store(1, Ordering::Relaxed);
    let lost = mail(&house.store, "Subject: lost\r\n", NOW).await;
    let inbox = house.of(Role::Inbox).await;
    let failed = house.ada.append(inbox, lost).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    house.put(Role::Inbox, "next").await;
    assert_eq!(house.uids(Role::Inbox).await.len(), 21);
    house.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_stores_on_one_engine_write_one_account() {
    let house = House::new().await;
    let other = Store::open(house.engine.clone(), house.blobs.clone(), random(5))
        .await
        .unwrap();
    let mut tasks = Vec::new();
    for n in 0..100 {
        let store = if n % 2 == 0 {
            house.store.clone()
        } else {
            other.clone()
        };
        let id = house.id.clone();
        tasks.push(tokio::spawn(async move {
            let account = store.account(&id);
            let inbox = account.mailbox_of(Role::Inbox).await.unwrap().id;
            let new = mail(&store, &format!("Message-ID: <{n}@t>\r\n"), NOW).await;
            account.append(inbox, new).await.unwrap().uid.0
        }));
    }
    let mut got = Vec::new();
    for task in tasks {
        got.push(task.await.unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, (1..=100).collect::<Vec<_>>());
    assert_eq!(house.uids(Role::Inbox).await, got);
    house.is_sound().await;
}

#[tokio::test]
async fn work_larger_than_a_commit_is_done_in_several() {
    let house = House::new().await;
    let ada = &house.ada;
    let inbox = house.of(Role::Inbox).await;
    for n in 0..1500 {
        let new = mail(&house.store, &format!("Subject: {n}\r\n"), NOW).await;
        ada.append(inbox, new).await.unwrap();
    }
    let all: Vec<Uid> = (1..=1500).map(Uid).collect();
    let label = house.label("Big").await;
    let copied = ada.copy(inbox, &all, label.id, NOW).await.unwrap();
    assert_eq!(copied.pairs.len(), 1500);
    assert!(copied.pairs.iter().all(|(from, to)| from == to));
    let before = ada.version().await.unwrap();
    let mark = flags(SystemFlags::DELETED | SystemFlags::SEEN, &["k"]);
    let stored = ada
        .set_flags(inbox, &all, How::Add, &mark, None, NOW)
        .await
        .unwrap();
    assert_eq!(stored.rows.len(), 1500);
    assert!(stored.version > before + 1);
    let (_, gone) = ada.expunge(inbox, None, NOW).await.unwrap();
    assert_eq!(gone, all);
    house.is_sound().await;
    ada.delete("Big", NOW).await.unwrap();
    assert_eq!(house.uids(Role::All).await.len(), 1500);
    let trash = house.of(Role::Trash).await;
    let from = house.of(Role::All).await;
    assert_eq!(
        ada.r#move(from, &all, trash, NOW).await.unwrap().expunged,
        all
    );
    house.is_sound().await;
    // Everything is over after the grace period, bodies included.
    ada.set_flags(trash, &all, How::Add, &mark, None, NOW)
        .await
        .unwrap();
    ada.expunge(trash, None, NOW).await.unwrap();
    let mut live = 0;
    house.store.live_blobs(&mut |_| live += 1).await.unwrap();
    assert_eq!(live, 1500);
    assert!(house.store.purge(NOW + 31 * 86_400_000).await.unwrap() >= 1500);
    live = 0;
    house.store.live_blobs(&mut |_| live += 1).await.unwrap();
    assert_eq!((live, ada.usage().await.unwrap()), (0, (0, 0)));
    house.is_sound().await;
}

#[tokio::test]
async fn rows_of_other_floors_are_atomic_and_their_own() {
    let house = House::new().await;
    let system = house
        .store
        .account(&pillarbox_store::AccountId("sys/keys".into()));
    for account in [&house.ada, &system] {
        let since = account.watch().borrow().to_owned();
        account
            .update(&[b"c"], |rows| {
                rows.put(b"c1", &b"one"[..]);
                rows.put(b"c2", &b"two"[..]);
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let refused: Result<(), StoreError> = account
            .update(&[b"c"], |rows| {
                rows.delete(b"c1");
                assert_eq!(rows.scan(b"c").len(), 1);
                Err(StoreError::OverQuota)
            })
            .await;
        assert!(matches!(refused, Err(StoreError::OverQuota)));
        assert_eq!(account.get(b"c1").await.unwrap().unwrap(), &b"one"[..]);
        assert_eq!(account.scan(b"c", 1).await.unwrap()[0].0, &b"c1"[..]);
        let Changes::Since { changes, .. } = account.changes(since).await.unwrap() else {
            panic!("the log was cut");
        };
        assert_eq!(changes, [Change::Other]);
        assert_eq!(account.version().await.unwrap(), since + 1);
    }
    let nobody = house
        .store
        .account(&pillarbox_store::AccountId("nobody".into()));
    let refused = nobody.update(&[b"c"], |_| Ok::<_, StoreError>(())).await;
    assert!(matches!(refused, Err(StoreError::NoSuchAccount)));
    house.is_sound().await;
}

/// What [`Store::check`] says after a row was changed behind the store's back.
async fn damage(key: Vec<u8>, value: Option<&[u8]>) -> String {
    let house = House::new().await;
    house.put(Role::Inbox, "one").await;
    house.put(Role::Inbox, "two").await;
    let account = AccountKey::new(house.id.0.as_bytes().to_vec()).unwrap();
    let mut batch = Batch::new(0);
    match value {
        Some(value) => batch.put(key, value.to_vec()),
        None => batch.delete(key),
    };
    let version = house.ada.version().await.unwrap();
    house
        .engine
        .commit(&account, version, CommitId([9; 16]), batch)
        .await
        .unwrap();
    let report = house.store.check(&mut |_, _| {}).await.unwrap();
    report.problems.join("\n")
}

#[tokio::test]
async fn check_finds_planted_damage() {
    let first = (NOW as u64) << 20;
    let number = |kind: u8, id: u64| [&[kind][..], &id.to_be_bytes()].concat();
    let row =
        |mailbox: u32, uid: u32| [&[0x11][..], &mailbox.to_be_bytes(), &uid.to_be_bytes()].concat();
    assert_eq!(damage(vec![0x80, 1], Some(b"harmless")).await, "");
    assert!(
        damage(row(1, 1), None)
            .await
            .contains("row in mailbox 1 is missing")
    );
    assert!(
        damage(row(1, 1), Some(b"\x01oops"))
            .await
            .contains("cannot be read")
    );
    assert!(
        damage(number(0x20, first), None)
            .await
            .contains("its message is missing")
    );
    assert!(
        damage(number(0x20, first), Some(b""))
            .await
            .contains("cannot be read")
    );
    let facts = [number(0x21, first), vec![0, 0]].concat();
    assert!(
        damage(facts.clone(), None)
            .await
            .contains("facts are missing")
    );
    assert!(
        damage(facts, Some(b"?"))
            .await
            .contains("facts cannot be read")
    );
    let orphan = [number(0x21, 77), vec![0, 0]].concat();
    assert!(damage(orphan, Some(b"?")).await.contains("facts are left"));
    assert!(
        damage(vec![0x10, 0, 0, 0, 1], None)
            .await
            .contains("no such mailbox")
    );
    assert!(damage(vec![0x01], Some(b"\x02")).await.contains("head"));
}

#[tokio::test]
async fn check_finds_a_missing_body() {
    let house = House::new().await;
    let inbox = house.of(Role::Inbox).await;
    let mut new = mail(&house.store, "Subject: x\r\n", NOW).await;
    new.blob.0[15] ^= 1;
    let landed = house.ada.append(inbox, new.clone()).await.unwrap();
    let report = house.store.check(&mut |_, _| {}).await.unwrap();
    assert_eq!(report.problems.len(), 1);
    assert!(report.problems[0].contains("is missing"));
    assert_eq!(landed.uid, Uid(1));
    let body = house.ada.body(new.blob, 0..5).await;
    assert!(matches!(body, Err(StoreError::Damaged)));
}

/// Opens the folder as soon as the writers of the store that had it open are through.
async fn embedded(folder: &std::path::Path) -> Embedded {
    loop {
        let mut n = 0u8;
        let options = Options::new(move || {
            n = n.wrapping_add(1);
            *blake3::hash(&[n]).as_bytes()
        });
        match Embedded::open(folder, options) {
            Err(OpenError::InUse(_)) => tokio::task::yield_now().await,
            opened => return opened.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (id, before) = {
        let parts = embedded(folder.path()).await;
        let house = House::over(parts.engine, parts.blobs).await;
        let one = house.put(Role::Inbox, "one").await;
        let inbox = house.of(Role::Inbox).await;
        let mark = flags(SystemFlags::FLAGGED, &["Work"]);
        house
            .ada
            .set_flags(inbox, &[one.uid], How::Add, &mark, None, NOW)
            .await
            .unwrap();
        (house.id.clone(), house.ada.mailboxes().await.unwrap())
    };
    let parts = embedded(folder.path()).await;
    let blobs = parts.blobs.clone();
    let store = Store::open(parts.engine, blobs, random(3)).await.unwrap();
    assert_eq!(
        store.account_of("ada@example.org").await.unwrap(),
        Some(id.clone())
    );
    let ada = store.account(&id);
    assert_eq!(ada.mailboxes().await.unwrap(), before);
    let (_, rows) = ada.rows(MailboxId(1), &[1..=9]).await.unwrap();
    assert_eq!(rows[0].flags, flags(SystemFlags::FLAGGED, &["Work"]));
    assert_eq!(uids(&ada, MailboxId(7)).await, [1]);
    let report = store.check(&mut |_, _| {}).await.unwrap();
    assert_eq!((report.problems, report.messages), (vec![], 1));
}

#[tokio::test]
async fn a_deletion_that_a_crash_interrupted_is_finished_by_purge() {
    let engine = faulty();
    let house = House::over(engine.clone(), Arc::new(MemoryBlobs::new())).await;
    let label = house.label("Big").await;
    for n in 0..600 {
        let new = mail(&house.store, &format!("Subject: {n}\r\n"), NOW).await;
        house.ada.append(label.id, new).await.unwrap();
    }
    engine.fail_at.store(3, Ordering::Relaxed);
    let failed = house.ada.delete("Big", NOW).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
    let store = Store::open(engine, house.blobs.clone(), random(4))
        .await
        .unwrap();
    let ada = store.account(&house.id);
    // It is gone for everybody, and the name is free, though rows are left.
    assert_eq!(ada.mailbox("Big").await.unwrap(), None);
    let anew = ada.create("Big", None, NOW).await.unwrap();
    let all = ada.mailbox_of(Role::All).await.unwrap();
    let (_, rows) = ada.rows(all.id, &[1..=u32::MAX]).await.unwrap();
    let last = rows.last().unwrap();
    assert_eq!(ada.labels(&[last.message]).await.unwrap(), [vec![all.id]]);
    ada.copy(all.id, &[last.uid], anew.id, NOW).await.unwrap();
    store.purge(NOW).await.unwrap();
    let report = store.check(&mut |_, _| {}).await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert_eq!(uids(&ada, anew.id).await, [1]);
    let mailboxes = ada.mailboxes().await.unwrap().1;
    assert_eq!(mailboxes.iter().filter(|m| m.role.is_none()).count(), 1);
    let key = AccountKey::new(house.id.0.as_bytes().to_vec()).unwrap();
    let left = Scan::prefix([&[0x11][..], &label.id.0.to_be_bytes()].concat());
    assert_eq!(house.engine.read(&key, left, 0).await.unwrap().1, []);
}

#[tokio::test]
async fn a_removal_that_a_crash_interrupted_is_finished_by_purge() {
    for at in 1..=5 {
        let engine = faulty();
        let house = House::over(engine.clone(), Arc::new(MemoryBlobs::new())).await;
        house.put(Role::Inbox, "one").await;
        house.store.add_alias("a@t", &house.id).await.unwrap();
        engine.fail_at.store(at, Ordering::Relaxed);
        let failed = house.store.remove_account(&house.id).await;
        assert!(failed.is_err(), "{at}");
        let store = Store::open(engine, house.blobs.clone(), random(4))
            .await
            .unwrap();
        store.purge(NOW).await.unwrap();
        let there = store.account_of("ada@example.org").await.unwrap().is_some();
        let alias = store.account_of("a@t").await.unwrap().is_some();
        // Only what failed before its first commit has not begun.
        assert_eq!((there, alias), (at == 1, at == 1), "{at}");
        let report = store.check(&mut |_, _| {}).await.unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let house = House::new().await;
    let before = house.ada.version().await.unwrap();
    let inbox = house.of(Role::Inbox).await;
    let mut waiting = Vec::new();
    for n in 0..40 {
        let new = mail(&house.store, &format!("Message-ID: <{n}@t>\r\n"), NOW).await;
        let ada = house.ada.clone();
        waiting.push(tokio::spawn(async move { ada.append(inbox, new).await }));
    }
    // One that is refused does not disturb the others.
    let nowhere = mail(&house.store, "Subject: x\r\n", NOW).await;
    let refused = house.ada.append(MailboxId(99), nowhere).await;
    assert!(matches!(refused, Err(StoreError::NoSuchMailbox)));
    for one in waiting {
        one.await.unwrap().unwrap();
    }
    assert_eq!(house.uids(Role::Inbox).await.len(), 40);
    assert!(house.ada.version().await.unwrap() - before < 40);
    house.is_sound().await;
}

#[tokio::test]
async fn what_was_recent_for_one_stays_so_after_the_next_commit() {
    let house = House::new().await;
    house.put(Role::Inbox, "one").await;
    let inbox = house.of(Role::Inbox).await;
    assert_eq!(house.ada.claim_recent(inbox, Uid(1)), Uid(1));
    house.put(Role::Sent, "two").await;
    let again = Store::open(house.engine.clone(), house.blobs.clone(), random(6))
        .await
        .unwrap();
    let ada = again.account(&house.id);
    assert_eq!(uids(&ada, inbox).await, [1]);
    assert_eq!(ada.claim_recent(inbox, Uid(1)), Uid(2));
}
