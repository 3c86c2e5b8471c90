//! The floor over a real store in memory; time is a number, nothing sleeps.
#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod activity;
mod administration;
mod answers;
mod app_passwords;
mod assertions;
mod attacks;
mod authorization;
mod certificates;
mod client_auth;
mod clients;
mod consent;
mod credentials;
mod device;
mod dpop;
mod endings;
mod errors;
mod external;
mod factor;
mod grant_types;
mod hints;
mod issued;
mod known_networks;
mod limits;
mod offered;
mod passkeys;
mod refusals;
mod registration;
mod requests;
mod rotation;
mod scram;
mod spent;
mod tokens;

use crate::{Client, Hashing, Identity, IdentityConfig, Principal, Random};
use pillarbox_store::blob::MemoryBlobs;
use pillarbox_store::engine::{Engine, MemoryEngine};
use pillarbox_store::mail::{AccountId, Millis, Naming, Store};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// 2026-11-21.
pub(crate) const NOW: Millis = 1_795_219_200_000;
pub(crate) const MINUTE: Millis = 60_000;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const ADA: &str = "ada@example.test";
pub(crate) const BOB: &str = "bob@example.test";
pub(crate) const PASSWORD: &str = "pillarbox";

/// Different at every call, the same at every run.
fn counting_random() -> Random {
    let calls = AtomicU64::new(0);
    Arc::new(move |out: &mut [u8]| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        for (index, chunk) in out.chunks_mut(8).enumerate() {
            let mut mixed = (call << 8 | index as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    })
}

pub(crate) fn config() -> IdentityConfig {
    IdentityConfig {
        hashing: Hashing {
            memory_kib: 8,
            passes: 1,
            parallel: 2,
        },
        clients: Client::development(),
        slow_down: false,
        ..IdentityConfig::new("https://localhost:1443", "localhost")
    }
}

pub(crate) struct House {
    pub store: Store,
    pub identity: Identity,
    pub ada: AccountId,
    pub bob: AccountId,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: IdentityConfig) -> Self {
        Self::on(Arc::new(MemoryEngine::new()), config).await
    }

    /// On an engine that can be made to fail.
    pub(crate) async fn failing() -> (Self, Arc<spent::Failing>) {
        let engine = Arc::new(spent::Failing::default());
        (Self::on(engine.clone(), config()).await, engine)
    }

    async fn on(engine: Arc<dyn Engine>, config: IdentityConfig) -> Self {
        let random = counting_random();
        let blobs = Arc::new(MemoryBlobs::new());
        let store = Store::open(engine, blobs, Arc::clone(&random))
            .await
            .unwrap();
        let identity = Identity::open(store.clone(), config, random, NOW)
            .await
            .unwrap();
        let ada = identity
            .create_person(ADA, Some(PASSWORD), Naming::Gmail, NOW)
            .await
            .unwrap();
        let bob = identity
            .create_person(BOB, Some(PASSWORD), Naming::Gmail, NOW)
            .await
            .unwrap();
        Self {
            store,
            identity,
            ada,
            bob,
        }
    }

    /// What a server finds that is started on the same store.
    pub(crate) async fn opened_again(&self) -> Identity {
        let again = Identity::open(self.store.clone(), config(), counting_random(), NOW);
        again.await.unwrap()
    }

    pub(crate) async fn ada_signed_in(&self) -> Principal {
        self.identity.web_sign_in(ADA, PASSWORD, NOW).await.unwrap()
    }

    /// Ada's token as `pillarbox token` makes it.
    pub(crate) async fn token(&self) -> String {
        self.mint(crate::Mint::default()).await
    }

    /// A refresh token of Ada's.
    pub(crate) async fn mint_refresh(&self) -> String {
        let mint = crate::Mint {
            refresh: true,
            ..crate::Mint::default()
        };
        let minted = self.identity.mint(&self.ada, mint, NOW).await.unwrap();
        minted.refresh_token.unwrap().expose().to_owned()
    }

    pub(crate) async fn mint(&self, mint: crate::Mint) -> String {
        let minted = self.identity.mint(&self.ada, mint, NOW).await.unwrap();
        minted.access_token.expose().to_owned()
    }
}

pub(crate) fn params(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| ((*name).into(), (*value).into()))
        .collect()
}

/// A value of a redirect's query.
pub(crate) fn query(address: &str, name: &str) -> Option<String> {
    let address = url::Url::parse(address).unwrap();
    address
        .query_pairs()
        .find(|(other, _)| other == name)
        .map(|(_, value)| value.into_owned())
}
