//! A message for several people whose n-th commit fails, for every n: refused as a whole, and the sender's next attempt
//! gives everybody exactly one. Sent twice on purpose it arrives twice.
#![allow(clippy::unwrap_used)] // a failed unwrap is the failed test

use bytes::Bytes;
use pillarbox_delivery::{Accepted, Config, Delivery, Letter, Outbox, Random, Refused, Trace, Way};
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::{
    AccountKey, Batch, CheckedRows, CommitId, Engine, EngineError, Log, MemoryEngine, Outcome,
    Pending, Reading, Row, RowProgress, Scan, Trimmed, Version,
};
use pillarbox_store::mail::{AccountId, Naming, Role, Store};
use pillarbox_wire::smtp::{ForwardPath, ReversePath};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use tokio::sync::watch;

/// An engine in memory whose n-th commit from now on does nothing and says so.
struct Jammed {
    engine: MemoryEngine,
    until: AtomicI64,
}

impl Engine for Jammed {
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>> {
        match self.until.fetch_sub(1, Ordering::SeqCst) {
            1 => Box::pin(async { Err(EngineError::Broken("jammed".into())) }),
            _ => self.engine.commit(account, expected, id, batch),
        }
    }
    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>> {
        self.engine.get(account, keys, at_least)
    }
    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>> {
        self.engine.read_many(account, scans, at_least)
    }
    fn log<'a>(
        &'a self,
        account: &'a AccountKey,
        since: Version,
        limit: usize,
    ) -> Pending<'a, Result<Log, EngineError>> {
        self.engine.log(account, since, limit)
    }
    fn watch(&self, account: &AccountKey) -> watch::Receiver<Version> {
        self.engine.watch(account)
    }
    fn accounts<'a>(
        &'a self,
        after: Option<&'a AccountKey>,
        limit: usize,
    ) -> Pending<'a, Result<Vec<(AccountKey, Version)>, EngineError>> {
        self.engine.accounts(after, limit)
    }
    fn trim<'a>(
        &'a self,
        account: &'a AccountKey,
        now_ms: u64,
    ) -> Pending<'a, Result<Trimmed, EngineError>> {
        self.engine.trim(account, now_ms)
    }
    fn check(&self, progress: RowProgress) -> Pending<'_, Result<CheckedRows, EngineError>> {
        self.engine.check(progress)
    }
}

struct House {
    engine: Arc<Jammed>,
    store: Store,
    delivery: Delivery,
    people: Vec<AccountId>,
}

fn random() -> Random {
    let next = AtomicU8::new(0);
    Arc::new(move |bytes| bytes.fill(next.fetch_add(1, Ordering::Relaxed)))
}

impl House {
    async fn new() -> Self {
        let engine = Arc::new(Jammed {
            engine: MemoryEngine::new(),
            until: AtomicI64::new(0),
        });
        let store = Store::open(engine.clone(), Arc::new(MemoryBlobs::new()), random())
            .await
            .unwrap();
        let mut people = Vec::new();
        for address in [
            "ada@example.com",
            "bob@example.com",
            "carol@example.com",
            "outbox@example.com",
        ] {
            people.push(
                store
                    .create_account(address, Naming::Gmail, 0)
                    .await
                    .unwrap(),
            );
        }
        let mut config = Config::new("mail.example.com", "Pillarbox");
        config.outbox = Outbox::Captured("outbox@example.com".into());
        let delivery = Delivery::open(store.clone(), config, random(), 0)
            .await
            .unwrap();
        Self {
            engine,
            store,
            delivery,
            people,
        }
    }

    /// Ada sends a message to Bob, Carol and somebody elsewhere.
    async fn send(&self) -> Result<Accepted, Refused> {
        let way = Way::Submission {
            account: self.people[0].clone(),
            address: "ada@example.com".into(),
        };
        let mut recipients = Vec::new();
        for address in [
            "bob@example.com",
            "carol@example.com",
            "dave@elsewhere.test",
        ] {
            let path = ForwardPath::parse(address).unwrap();
            recipients.push(self.delivery.recipient(&path, &way).await.unwrap());
        }
        let trace = Trace {
            client: "x".into(),
            peer: [127, 0, 0, 1].into(),
            session: "t".into(),
            extended: true,
            tls: true,
            authenticated: true,
            utf8: false,
        };
        let sender = ReversePath::parse("ada@example.com").unwrap();
        let mut acceptance = self.delivery.accept(Letter {
            way,
            sender,
            recipients,
            trace,
            at: 1000,
        });
        acceptance
            .write("From: ada@example.com\r\nBcc: bob@example.com\r\n\r\nHello\r\n".into())
            .await;
        acceptance.finish().await
    }

    async fn counts(&self) -> Vec<u32> {
        let mut counts = Vec::new();
        for (id, role) in
            self.people
                .iter()
                .zip([Role::Sent, Role::Inbox, Role::Inbox, Role::Inbox])
        {
            counts.push(
                self.store
                    .account(id)
                    .mailbox_of(role)
                    .await
                    .unwrap()
                    .messages,
            );
        }
        counts
    }
}

#[tokio::test]
async fn the_next_attempt_gives_everybody_exactly_one() {
    let mut refused = 0;
    for nth in 1..=8 {
        let house = House::new().await;
        house.engine.until.store(nth, Ordering::SeqCst);
        let first = house.send().await;
        house.engine.until.store(0, Ordering::SeqCst);
        if first.is_err() {
            refused += 1;
            house.send().await.unwrap();
        }
        assert_eq!(house.counts().await, [1, 1, 1, 1], "commit {nth} failed");
        assert_eq!(
            house.delivery.captured(9).await.unwrap().len(),
            1,
            "commit {nth} failed"
        );
        house.send().await.unwrap();
        assert_eq!(house.counts().await, [2, 2, 2, 2], "sent again on purpose");
    }
    assert!(refused >= 4, "hardly anything failed: {refused}");
}
