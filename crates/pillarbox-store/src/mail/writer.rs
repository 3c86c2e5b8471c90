//! One writer per account and node: it takes what waits, applies it in order, makes one commit, and answers all.
//!
//! Operations run against a [`Txn`] and may run again, after a conflict with a writer elsewhere or when their commit grew
//! too large to share. Answers leave only with a [`Committed`], which only a durable commit makes.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{oneshot, watch};

use super::{
    AccountId, MailboxId, Millis, StoreError, Uid, Version, head::Head, store::Random, txn::Txn,
};
use crate::{
    blob::Blobs,
    engine::{AccountKey, CommitId, Engine, EngineError, Outcome},
};

/// Operations of one commit: more would make the first wait for the last.
const GROUP_OPERATIONS_MAX: usize = 256;
/// Conflicts in a row after which the account is given up for now: another node owns it.
const CONFLICTS_MAX: u32 = 64;
/// How often a commit of unknown outcome is sent again.
const RESENDS_MAX: u32 = 8;
/// Pause before the first resend; doubles each time.
const RESEND_PAUSE: Duration = Duration::from_millis(10);

pub(super) type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Proof that what it stands for is durable. Only [`Shared::commit`] and a transaction without changes make one.
pub(super) struct Committed(Version);

/// Something that waits to be applied.
trait Operation: Send {
    fn apply<'a>(&'a mut self, txn: &'a mut Txn) -> Boxed<'a, Result<(), StoreError>>;
    fn answer(self: Box<Self>, outcome: Result<&Committed, StoreError>);
}

struct Waiting<T, F> {
    run: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<(Version, T), StoreError>>,
}

impl<T, F> Operation for Waiting<T, F>
where
    T: Send,
    F: for<'a> FnMut(&'a mut Txn) -> Boxed<'a, Result<T, StoreError>> + Send,
{
    fn apply<'a>(&'a mut self, txn: &'a mut Txn) -> Boxed<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.result = Some((self.run)(txn).await?);
            Ok(())
        })
    }

    fn answer(self: Box<Self>, outcome: Result<&Committed, StoreError>) {
        let Self { result, reply, .. } = *self;
        let lost = || StoreError::Unavailable("the operation was lost".into());
        let answer = outcome.and_then(|at| Ok((at.0, result.ok_or_else(lost)?)));
        // Who asked may have gone; the change stands.
        let _ = reply.send(answer);
    }
}

/// What all handles of a store share.
pub(super) struct House {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) blobs: Arc<dyn Blobs>,
    pub(super) random: Random,
    pub(super) clock: AtomicI64,
}

impl House {
    /// Remembers the latest time heard.
    pub(super) fn hear(&self, now: Millis) {
        self.clock.fetch_max(now, Ordering::Relaxed);
    }
}

/// What all handles of one account share.
pub(super) struct Shared {
    pub(super) id: AccountId,
    pub(super) house: Arc<House>,
    key: Option<AccountKey>,
    watch: OnceLock<watch::Receiver<Version>>,
    head: Mutex<Option<Arc<Head>>>,
    queue: Mutex<Queue>,
    /// From which UID on a mailbox's messages are recent, where someone has asked.
    recent: Mutex<HashMap<MailboxId, Uid>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Box<dyn Operation>>,
    running: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(id: AccountId, house: Arc<House>) -> Self {
        let key = AccountKey::new(id.0.as_bytes().to_vec()).ok();
        Self {
            id,
            house,
            key,
            watch: OnceLock::new(),
            head: Mutex::default(),
            queue: Mutex::default(),
            recent: Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> Result<&AccountKey, StoreError> {
        self.key.as_ref().ok_or(StoreError::NoSuchAccount)
    }

    pub(super) fn watch(&self) -> watch::Receiver<Version> {
        self.watch
            .get_or_init(|| match &self.key {
                Some(key) => self.house.engine.watch(key),
                None => watch::channel(0).1,
            })
            .clone()
    }

    /// The newest version this node has heard of.
    fn newest(&self) -> Version {
        match self.watch.get() {
            Some(watch) => *watch.borrow(),
            None => *self.watch().borrow(),
        }
    }

    pub(super) fn cached(&self) -> Option<Arc<Head>> {
        lock(&self.head).clone()
    }

    /// The head at the newest version.
    pub(super) async fn head(&self) -> Result<Arc<Head>, StoreError> {
        let newest = self.newest();
        let head = match self.cached() {
            Some(head) if head.version >= newest => head,
            _ => self
                .reload(newest)
                .await?
                .1
                .ok_or(StoreError::NoSuchAccount)?,
        };
        if head.numbers.removed {
            return Err(StoreError::NoSuchAccount);
        }
        Ok(head)
    }

    /// Reads the head anew, at `at_least` or later.
    pub(super) async fn reload(
        &self,
        at_least: Version,
    ) -> Result<(Version, Option<Arc<Head>>), StoreError> {
        let engine = self.house.engine.as_ref();
        let (version, head) = Head::read(engine, self.key()?, at_least).await?;
        let head = head.map(Arc::new);
        if let Some(head) = &head {
            self.keep(head.clone());
        }
        Ok((version, head))
    }

    fn keep(&self, head: Arc<Head>) {
        let mut kept = lock(&self.head);
        if kept.as_ref().is_none_or(|kept| kept.version < head.version) {
            *kept = Some(head);
        }
    }

    /// See [`Account::claim_recent`](super::Account::claim_recent).
    pub(super) fn claim_recent(&self, mailbox: MailboxId, through: Uid) -> Uid {
        let behind = Uid(through.0.saturating_add(1));
        let stored = self
            .cached()
            .and_then(|head| Some(head.mailboxes.get(&mailbox)?.recent));
        let mut recent = lock(&self.recent);
        let known = recent.get(&mailbox).copied().max(stored).unwrap_or(behind);
        recent.insert(mailbox, known.max(behind));
        known
    }

    /// Has `run` applied and committed; answers with the version it is durable in. `run` may be called several times.
    pub(super) async fn run<T, F>(self: &Arc<Self>, run: F) -> Result<(Version, T), StoreError>
    where
        T: Send + 'static,
        F: for<'a> FnMut(&'a mut Txn) -> Boxed<'a, Result<T, StoreError>> + Send + 'static,
    {
        self.key()?;
        let (reply, answer) = oneshot::channel();
        let operation = Box::new(Waiting {
            run,
            result: None,
            reply,
        });
        let start = {
            let mut queue = lock(&self.queue);
            queue.waiting.push_back(operation);
            !std::mem::replace(&mut queue.running, true)
        };
        if start {
            let writer = Writer {
                shared: self.clone(),
                done: false,
            };
            tokio::spawn(writer.work());
        }
        answer
            .await
            .map_err(|_| StoreError::Unavailable("the account's writer failed".into()))?
    }
}

/// The task that writes. If it dies, what waited is answered by being dropped, and the next operation starts another.
struct Writer {
    shared: Arc<Shared>,
    /// It ended in order: whatever the queue says now is another writer's.
    done: bool,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let mut queue = lock(&self.shared.queue);
        queue.running = false;
        queue.waiting.clear();
    }
}

/// What became of one group.
enum Fate {
    Done,
    Conflict,
}

impl Writer {
    async fn work(mut self) {
        let mut conflicts = 0;
        let mut waiting = VecDeque::new();
        loop {
            {
                let mut queue = lock(&self.shared.queue);
                waiting.append(&mut queue.waiting);
                if waiting.is_empty() {
                    queue.running = false;
                    self.done = true;
                    return;
                }
            }
            match self.group(&mut waiting).await {
                Ok(Fate::Done) => conflicts = 0,
                Ok(Fate::Conflict) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                    tokio::task::yield_now().await;
                }
                Ok(Fate::Conflict) => refuse(&mut waiting, "the account is written elsewhere"),
                Err(why) => refuse(&mut waiting, &why.to_string()),
            }
        }
    }

    /// Applies and commits as many of `waiting` as fit; on a conflict they are all back in it.
    async fn group(&self, waiting: &mut VecDeque<Box<dyn Operation>>) -> Result<Fate, StoreError> {
        let mut txn = self.begin().await?;
        let mut applied: Vec<(Box<dyn Operation>, Result<(), StoreError>)> = Vec::new();
        let mut changed = 0;
        while let Some(mut operation) = waiting.pop_front() {
            txn.mark();
            let outcome = operation.apply(&mut txn).await;
            if txn.moved {
                waiting.push_front(operation);
                give_back(waiting, applied);
                *lock(&self.shared.head) = None;
                return Ok(Fate::Conflict);
            }
            if outcome.is_ok() && txn.too_large() {
                txn.rollback();
                if changed > 0 {
                    waiting.push_front(operation);
                    break;
                }
                applied.push((operation, Err(StoreError::TooMany("changes at once"))));
                continue;
            }
            match outcome {
                Ok(()) => changed += 1,
                Err(_) => txn.rollback(),
            }
            applied.push((operation, outcome));
            if txn.full() || applied.len() >= GROUP_OPERATIONS_MAX {
                break;
            }
        }
        self.finish(txn, applied, waiting).await
    }

    async fn begin(&self) -> Result<Txn, StoreError> {
        let shared = &self.shared;
        let newest = shared.newest();
        let (base, head) = match shared.cached() {
            Some(head) if head.version >= newest => (head.version, Some(head)),
            _ => shared.reload(newest).await?,
        };
        let engine = shared.house.engine.clone();
        let clock = shared.house.clock.load(Ordering::Relaxed);
        Ok(Txn::new(engine, shared.key()?.clone(), base, head, clock))
    }

    async fn finish(
        &self,
        txn: Txn,
        applied: Vec<(Box<dyn Operation>, Result<(), StoreError>)>,
        waiting: &mut VecDeque<Box<dyn Operation>>,
    ) -> Result<Fate, StoreError> {
        let outcome = if txn.is_empty() {
            Ok(Some(Committed(txn.base)))
        } else {
            self.commit(txn).await
        };
        match outcome {
            Ok(Some(committed)) => {
                for (operation, outcome) in applied {
                    operation.answer(outcome.map(|()| &committed));
                }
                Ok(Fate::Done)
            }
            Ok(None) => {
                give_back(waiting, applied);
                Ok(Fate::Conflict)
            }
            Err(why) => {
                for (operation, _) in applied {
                    operation.answer(Err(StoreError::Unavailable(why.clone())));
                }
                Ok(Fate::Done)
            }
        }
    }

    /// Commits; `None` is a conflict. The head in memory is the committed one afterwards, or none.
    async fn commit(&self, txn: Txn) -> Result<Option<Committed>, String> {
        let shared = &self.shared;
        let expected = txn.base;
        let recent: Vec<_> = lock(&shared.recent).iter().map(|(m, u)| (*m, *u)).collect();
        let (batch, head) = txn.into_batch(&recent);
        let mut id = [0; 16];
        (shared.house.random)(&mut id);
        let key = shared.key().map_err(|why| why.to_string())?;
        let mut pause = RESEND_PAUSE;
        let mut resends = 0;
        let outcome = loop {
            let sent = shared
                .house
                .engine
                .commit(key, expected, CommitId(id), batch.clone())
                .await;
            match sent {
                Err(EngineError::Unknown(_)) if resends < RESENDS_MAX => {
                    resends += 1;
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => break other,
            }
        };
        match outcome {
            Ok(Outcome::Committed(version) | Outcome::AlreadyCommitted(version)) => {
                match head {
                    Some(head) => self.shared.keep(head),
                    None => *lock(&shared.head) = None,
                }
                Ok(Some(Committed(version)))
            }
            Ok(Outcome::Conflict(_)) => {
                *lock(&shared.head) = None;
                Ok(None)
            }
            Err(why) => {
                *lock(&shared.head) = None;
                tracing::error!(account = %shared.id.0, %why, "commit failed");
                Err(why.to_string())
            }
        }
    }
}

fn give_back(
    waiting: &mut VecDeque<Box<dyn Operation>>,
    applied: Vec<(Box<dyn Operation>, Result<(), StoreError>)>,
) {
    for (operation, _) in applied.into_iter().rev() {
        waiting.push_front(operation);
    }
}

fn refuse(waiting: &mut VecDeque<Box<dyn Operation>>, why: &str) {
    for operation in waiting.drain(..) {
        operation.answer(Err(StoreError::Unavailable(why.to_owned())));
    }
}
