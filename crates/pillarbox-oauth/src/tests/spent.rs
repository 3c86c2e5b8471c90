//! What a refused or failed request leaves of the code or refresh token it came with: everything, unless the refusal is about that
//! very text.

use super::dpop::{Holder, refresh as refresh_form};
use super::tokens::{code, form};
use super::*;
use crate::{Deed, TokenError, TokenResponse};
use bytes::Bytes;
use pillarbox_store::engine::{
    AccountKey, Batch, CheckedRows, CommitId, Engine, EngineError, Log, Outcome, Pending, Reading,
    Row, RowProgress, Scan, Trimmed, Version,
};
use std::sync::atomic::{AtomicBool, AtomicI64};
use tokio::sync::watch;

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// An engine in memory that fails when it is told to.
#[derive(Default)]
pub(crate) struct Failing {
    engine: MemoryEngine,
    /// Commits until one of them fails; 0 is none.
    commits: AtomicI64,
    /// Whether nothing can be read behind the next commit, as when a disk goes in between.
    blind_after: AtomicBool,
    blind: AtomicBool,
}

impl Failing {
    /// The n-th commit from now on does nothing and says so.
    fn nth_commit(&self, n: i64) {
        self.commits.store(n, Ordering::SeqCst);
    }

    /// Nothing can be read behind the next commit.
    fn blind_after_the_next(&self) {
        self.blind_after.store(true, Ordering::SeqCst);
    }

    /// Nothing can be read from now on.
    pub(crate) fn goes_blind(&self) {
        self.blind.store(true, Ordering::SeqCst);
    }

    fn works_again(&self) {
        self.commits.store(0, Ordering::SeqCst);
        self.blind_after.store(false, Ordering::SeqCst);
        self.blind.store(false, Ordering::SeqCst);
    }

    fn sees(&self) -> Result<(), EngineError> {
        match self.blind.load(Ordering::SeqCst) {
            true => Err(EngineError::Unreadable("the disk is gone".into())),
            false => Ok(()),
        }
    }
}

impl Engine for Failing {
    fn commit<'a>(
        &'a self,
        account: &'a AccountKey,
        expected: Version,
        id: CommitId,
        batch: Batch,
    ) -> Pending<'a, Result<Outcome, EngineError>> {
        if self.commits.fetch_sub(1, Ordering::SeqCst) == 1 {
            return Box::pin(async { Err(EngineError::Broken("full".into())) });
        }
        Box::pin(async move {
            let done = self.engine.commit(account, expected, id, batch).await;
            let blind = self.blind_after.swap(false, Ordering::SeqCst);
            self.blind.fetch_or(blind, Ordering::SeqCst);
            done
        })
    }
    fn get<'a>(
        &'a self,
        account: &'a AccountKey,
        keys: &'a [Bytes],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Option<Bytes>>>> {
        Box::pin(async move {
            self.sees()?;
            self.engine.get(account, keys, at_least).await
        })
    }
    fn read_many<'a>(
        &'a self,
        account: &'a AccountKey,
        scans: &'a [Scan],
        at_least: Version,
    ) -> Pending<'a, Reading<Vec<Vec<Row>>>> {
        Box::pin(async move {
            self.sees()?;
            self.engine.read_many(account, scans, at_least).await
        })
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

type Answer = Result<TokenResponse, TokenError>;

async fn token(house: &House, form: &[(String, String)]) -> Answer {
    house.identity.token(None, form, NOW).await
}

fn name(answer: Answer) -> &'static str {
    answer.map_or_else(|error| error.code.name(), |_| "ok")
}

/// Forms that hold something to be spent, each good once: a code, a refresh token, a device code that was allowed.
async fn worth(house: &House) -> [Vec<(String, String)>; 3] {
    let spent = code(house, &[]).await;
    let tokens = token(house, &form(&spent, &[])).await.unwrap();
    let code = form(&code(house, &[]).await, &[]);
    let refresh = refresh_form("desktop", &tokens);
    let device = device::allowed(house).await;
    let device = params(&[
        ("grant_type", DEVICE),
        ("client_id", "tv"),
        ("device_code", &device),
    ]);
    [code, refresh, device]
}

async fn suspend(house: &House, on: bool) {
    let identity = &house.identity;
    identity.set_suspended(&house.ada, on).await.unwrap();
}

#[tokio::test]
async fn a_suspension_costs_nobody_a_grant() {
    let house = House::new().await;
    let all = worth(&house).await;
    suspend(&house, true).await;
    for form in &all {
        for _ in 0..2 {
            assert_eq!(name(token(&house, form).await), "invalid_grant");
        }
    }
    suspend(&house, false).await;
    for form in &all {
        assert_eq!(name(token(&house, form).await), "ok", "{form:?}");
    }
    let trail = house.identity.activity(&house.ada, 100, NOW).await.unwrap();
    assert!(trail.iter().all(|entry| entry.deed != Deed::GrantEnded));
}

#[tokio::test]
async fn a_proof_that_comes_again_costs_nothing_else() {
    let (house, holder) = (House::new().await, Holder::new());
    let first = code(&house, &[]).await;
    let once = house.identity.with_proof(holder.proof(&house));
    assert!(once.token(None, &form(&first, &[]), NOW).await.is_ok());
    for form in worth(&house).await {
        for _ in 0..2 {
            let twice = once.token(None, &form, NOW).await;
            assert_eq!(name(twice), "invalid_dpop_proof", "{form:?}");
        }
        let fresh = holder.token(&house, &form).await.unwrap();
        assert_eq!(fresh.token_type, "DPoP", "{form:?}");
    }
}

#[tokio::test]
async fn a_store_that_takes_nothing_costs_nothing() {
    let (house, engine) = House::failing().await;
    for form in worth(&house).await {
        let before = house.identity.grants(&house.ada).await.unwrap().len();
        engine.nth_commit(1);
        assert_eq!(name(token(&house, &form).await), "server_error");
        engine.works_again();
        let after = house.identity.grants(&house.ada).await.unwrap().len();
        assert_eq!(after, before, "{form:?}");
        assert_eq!(name(token(&house, &form).await), "ok", "{form:?}");
    }
    // A device's code and its grant are two accounts' rows: the second commit may fail too.
    let [_, _, device] = worth(&house).await;
    let before = house.identity.grants(&house.ada).await.unwrap().len();
    engine.nth_commit(2);
    assert_eq!(name(token(&house, &device).await), "server_error");
    engine.works_again();
    let after = house.identity.grants(&house.ada).await.unwrap().len();
    assert_eq!(after, before, "what nobody was given is not left behind");
    assert_eq!(name(token(&house, &device).await), "ok");
}

#[tokio::test]
async fn behind_the_commit_nothing_is_read_any_more() {
    let (house, engine) = House::failing().await;
    let [code, refresh, _] = worth(&house).await;
    for form in [code, refresh] {
        engine.blind_after_the_next();
        assert_eq!(name(token(&house, &form).await), "ok", "{form:?}");
        engine.works_again();
    }
}

#[tokio::test]
async fn one_code_asked_for_twice_at_once_gives_one_grant() {
    let house = House::new().await;
    let [_, _, device] = worth(&house).await;
    let before = house.identity.grants(&house.ada).await.unwrap().len();
    let both = tokio::join!(token(&house, &device), token(&house, &device));
    let mut told = [name(both.0), name(both.1)];
    told.sort_unstable();
    assert_eq!(told, ["invalid_grant", "ok"]);
    let after = house.identity.grants(&house.ada).await.unwrap().len();
    assert_eq!(after, before + 1);
}
